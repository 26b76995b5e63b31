//! To which groups an entry belongs, gathered without an allocation for the most of them.

use super::Group;

/// Groups that are held in place; more are spilled.
const GROUPS_IN_PLACE: usize = 16;

/// Paths that are held in place; more are spilled.
const PATHS_IN_PLACE: usize = 2;

/// The groups of one entry, and its paths in groups.
#[derive(Debug)]
pub struct Belongs<'a> {
    groups: Few<Group, GROUPS_IN_PLACE>,
    paths: Few<(Group, &'a [u8]), PATHS_IN_PLACE>,
}

impl<'a> Belongs<'a> {
    /// To no group yet.
    pub fn new() -> Self {
        Self { groups: Few::new(Group(0)), paths: Few::new((Group(0), &[])) }
    }

    /// It belongs to this group.
    pub fn to(&mut self, group: Group) {
        self.groups.push(group);
    }

    /// It lies on this path in that group, to which it need not belong.
    pub fn lies_on(&mut self, group: Group, path: &'a [u8]) {
        self.paths.push((group, path));
    }

    /// All groups.
    pub fn groups(&self) -> impl Iterator<Item = Group> {
        self.groups.iter().copied()
    }

    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = (Group, &'a [u8])> {
        self.paths.iter().copied()
    }
}

impl Default for Belongs<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// A list of which the first few lie in place.
#[derive(Debug)]
struct Few<T, const N: usize> {
    first: [T; N],
    len: usize,
    rest: Vec<T>,
}

impl<T: Copy, const N: usize> Few<T, N> {
    fn new(nothing: T) -> Self {
        Self { first: [nothing; N], len: 0, rest: Vec::new() }
    }

    fn push(&mut self, item: T) {
        match self.first.get_mut(self.len) {
            Some(place) => {
                *place = item;
                self.len += 1;
            }
            None => self.rest.push(item),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.first[..self.len].iter().chain(&self.rest)
    }
}
