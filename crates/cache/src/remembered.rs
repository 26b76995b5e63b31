//! Keys remembered for a while, in a bound: which are not shareable, which rest after a failure.

use std::collections::{HashMap, VecDeque};

use crate::clock::Timestamp;
use crate::entry::Key;

/// Keys with a moment each, and why. Over the bound, the one remembered longest ago is forgotten.
#[derive(Debug)]
pub(crate) struct Remembered<W> {
    until: HashMap<Key, (Timestamp, W)>,
    order: VecDeque<(Key, Timestamp)>,
    keys_max: usize,
}

impl<W: Clone> Remembered<W> {
    pub(crate) fn new(keys_max: usize) -> Self {
        Self { until: HashMap::new(), order: VecDeque::new(), keys_max }
    }

    /// Until when the key is remembered, if that is after now.
    pub(crate) fn until(&self, key: &[u8], now: Timestamp) -> Option<Timestamp> {
        self.until.get(key).map(|(until, _)| *until).filter(|until| *until > now)
    }

    /// Why the key is remembered, if it still is.
    pub(crate) fn why(&self, key: &[u8], now: Timestamp) -> Option<W> {
        self.until.get(key).filter(|(until, _)| *until > now).map(|(_, why)| why.clone())
    }

    pub(crate) fn insert(&mut self, key: &Key, until: Timestamp, why: W, now: Timestamp) {
        if until <= now || self.keys_max == 0 {
            return;
        }
        self.until.insert(key.clone(), (until, why));
        self.order.push_back((key.clone(), until));
        while self.order.front().is_some_and(|(_, until)| *until <= now)
            || self.order.len() > self.keys_max
        {
            self.forget_first();
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.until.remove(key);
    }

    // A key that was remembered again meanwhile has another moment and stays.
    fn forget_first(&mut self) {
        let Some((key, until)) = self.order.pop_front() else { return };
        if self.until.get(&key).is_some_and(|(now, _)| *now == until) {
            self.until.remove(&key);
        }
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_key_is_remembered_until_its_moment_and_no_longer() {
        let mut keys = Remembered::new(4);
        let key = Key::from(&b"a"[..]);
        keys.insert(&key, at(10), 'x', at(0));
        assert_eq!(keys.until(b"a", at(9)), Some(at(10)));
        assert_eq!(keys.until(b"a", at(10)), None);
        assert_eq!((keys.why(b"a", at(9)), keys.why(b"a", at(10))), (Some('x'), None));
    }

    #[test]
    fn neither_many_keys_nor_one_key_often_grow_it_beyond_its_bound() {
        let mut keys = Remembered::new(4);
        for number in 0..100_u8 {
            keys.insert(&Key::from(&[number][..]), at(1_000), (), at(0));
            keys.insert(&Key::from(&b"same"[..]), at(1_000 + u64::from(number)), (), at(0));
            assert!(keys.until.len() <= 4 && keys.order.len() <= 4);
        }
        assert_eq!(keys.until(b"same", at(0)), Some(at(1_099)));
    }

    #[test]
    fn what_is_over_makes_room_when_something_comes() {
        let mut keys = Remembered::new(4);
        for number in 0..3_u8 {
            keys.insert(&Key::from(&[number][..]), at(10), (), at(0));
        }
        keys.insert(&Key::from(&b"later"[..]), at(50), (), at(20));
        assert_eq!(keys.until.len(), 1);
    }
}
