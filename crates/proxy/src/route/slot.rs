//! One key of the table: its value in use, with the lanes made of it, or that it is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use forebay_cache::mechanism::Timestamp;

use super::known::Bare;
use super::lane::Lane;
use super::line::{RouteSource, RouteState};
use super::source::Stored;

/// What is known of a key.
pub(super) enum Slot {
    /// It has a value.
    Known(Known),
    /// It has none.
    Absent(Absent),
}

/// A key that has a value.
pub(super) struct Known {
    /// The last value that was good, as it was read; none with `wrong` alone.
    pub(super) value: Option<Value>,
    /// What it means.
    pub(super) lanes: Lanes,
    /// A later value that is not good.
    pub(super) wrong: Option<Box<Wrong>>,
    /// Where the value was read.
    pub(super) from: RouteSource,
    /// Since when all this is so.
    pub(super) since: Timestamp,
    /// The stamp of the youngest read that said so.
    pub(super) seen: AtomicU64,
}

/// A value that means nothing.
#[derive(Debug)]
pub(super) struct Wrong {
    /// It was said before: its digest.
    pub(super) digest: u64,
    /// What was expected.
    pub(super) why: String,
}

/// A key that is not there.
#[derive(Debug)]
pub(super) struct Absent {
    /// When somebody last asked for it, in milliseconds.
    pub(super) used_at: AtomicU64,
    /// Whether the wildcards that cover it are not there either.
    pub(super) bare: Bare,
    /// Its place in the queue of absences.
    pub(super) ticket: u64,
    /// Since when this is known.
    pub(super) since: Timestamp,
    /// The stamp of the youngest read that said so.
    pub(super) seen: AtomicU64,
}

/// A value as it was read, in little room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A string.
    Text(Box<[u8]>),
    /// A list.
    List(Box<[Box<[u8]>]>),
}

/// The lanes of one key, the longest path prefix first.
#[derive(Clone)]
pub(super) enum Lanes {
    /// A single one, for a single prefix.
    One(Arc<Lane>),
    /// None or several.
    Many(Box<[Arc<Lane>]>),
}

impl Slot {
    /// The stamp of the youngest read that said so.
    pub(super) fn seen(&self) -> &AtomicU64 {
        match self {
            Slot::Known(known) => &known.seen,
            Slot::Absent(absent) => &absent.seen,
        }
    }

    /// How it stands, for an operator.
    pub(super) fn state(&self) -> RouteState {
        match self {
            Slot::Absent(_) => RouteState::Absent,
            Slot::Known(known) => match (&known.wrong, &known.value) {
                (None, _) => RouteState::Good,
                (Some(wrong), Some(_)) => RouteState::LastGood { why: wrong.why.clone() },
                (Some(wrong), None) => RouteState::Wrong { why: wrong.why.clone() },
            },
        }
    }
}

impl Known {
    /// Whether exactly this was read the last time, and is good.
    pub(super) fn is(&self, stored: &Stored) -> bool {
        self.wrong.is_none() && self.value.as_ref().is_some_and(|value| value.is(stored))
    }
}

impl Absent {
    /// Whether somebody has asked for it within this span, in milliseconds.
    pub(super) fn is_wanted(&self, now: u64, within: u64) -> bool {
        now.saturating_sub(self.used_at.load(Relaxed)) < within
    }
}

impl Value {
    /// A value that is to be kept; none of another kind is ever good.
    pub(super) fn of(stored: &Stored) -> Option<Self> {
        match stored {
            Stored::Text(bytes) => Some(Value::Text(bytes.as_slice().into())),
            Stored::List(list) => {
                Some(Value::List(list.iter().map(|one| one.as_slice().into()).collect()))
            }
            Stored::Other => None,
        }
    }

    /// As it was read.
    pub(super) fn stored(&self) -> Stored {
        match self {
            Value::Text(bytes) => Stored::Text(bytes.to_vec()),
            Value::List(list) => Stored::List(list.iter().map(|one| one.to_vec()).collect()),
        }
    }

    /// Whether exactly this was read.
    pub(super) fn is(&self, stored: &Stored) -> bool {
        match (self, stored) {
            (Value::Text(own), Stored::Text(other)) => **own == **other,
            (Value::List(own), Stored::List(other)) => {
                own.len() == other.len() && own.iter().zip(other).all(|(a, b)| **a == **b)
            }
            (Value::Text(_), Stored::List(_) | Stored::Other)
            | (Value::List(_), Stored::Text(_) | Stored::Other) => false,
        }
    }
}

impl Lanes {
    /// None.
    pub(super) fn none() -> Self {
        Lanes::Many(Box::new([]))
    }

    /// These, in the order in which a path is looked for.
    pub(super) fn of(mut lanes: Vec<Arc<Lane>>) -> Self {
        lanes.sort_by_key(|lane| std::cmp::Reverse(lane.route.path_prefix.len()));
        match lanes.len() {
            1 => Lanes::One(lanes.swap_remove(0)),
            _ => Lanes::Many(lanes.into_boxed_slice()),
        }
    }

    /// The lane of the longest prefix that fits.
    pub(super) fn find(&self, path: &str) -> Option<&Arc<Lane>> {
        let all = match self {
            Lanes::One(lane) => std::slice::from_ref(lane),
            Lanes::Many(lanes) => lanes,
        };
        all.iter().find(|lane| path.starts_with(&lane.route.path_prefix))
    }
}
