//! What was heard and not told yet. A rule and a bell: what is told when, as [`super::Tracked`]
//! promises it.

use std::collections::{HashMap, HashSet};

use ::redis::{PushInfo, PushKind, Value};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Told;

/// Bytes of keys that wait to be told; with more there is a doubt in their place.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// All that was heard.
pub(super) struct Heard {
    ledger: Mutex<Ledger>,
    bell: Notify,
}

struct Ledger {
    told_max: usize,
    doubt: bool,
    changed: HashSet<Vec<u8>>,
    waiting_bytes: usize,
    /// Keys that are being read, by how many reads.
    being_read: HashMap<Vec<u8>, usize>,
    /// Those of them that were heard of meanwhile.
    held: HashSet<Vec<u8>>,
    changes: u64,
    doubts: u64,
}

/// A read under way. Dropped, it brought nothing.
pub(super) struct Reading<'a> {
    heard: &'a Heard,
    keys: &'a [Vec<u8>],
    doubts: u64,
}

impl Heard {
    pub(super) fn new(told_max: usize) -> Self {
        let ledger = Ledger {
            told_max: told_max.max(1),
            doubt: false,
            changed: HashSet::new(),
            waiting_bytes: 0,
            being_read: HashMap::new(),
            held: HashSet::new(),
            changes: 0,
            doubts: 0,
        };
        Self { ledger: Mutex::new(ledger), bell: Notify::new() }
    }

    /// Waits for something to tell.
    pub(super) async fn next(&self) -> Told {
        loop {
            let rung = self.bell.notified();
            if let Some(told) = self.ledger.lock().take() {
                return told;
            }
            rung.await;
        }
    }

    /// A read of these keys begins.
    pub(super) fn begin<'a>(&'a self, keys: &'a [Vec<u8>]) -> Reading<'a> {
        let mut ledger = self.ledger.lock();
        for key in keys {
            *ledger.being_read.entry(key.clone()).or_default() += 1;
        }
        Reading { heard: self, keys, doubts: ledger.doubts }
    }

    /// Takes in what the server said of itself; called by the connection, which it must not hold up.
    pub(super) fn hear(&self, push: PushInfo) {
        if push.kind != PushKind::Invalidate {
            return;
        }
        match push.data.into_iter().next() {
            Some(Value::Array(keys)) => self.changed(keys),
            // A flush has no keys. What cannot be understood may have been anything.
            _ => self.doubt(),
        }
    }

    /// Anything may have changed.
    pub(super) fn doubt(&self) {
        let mut ledger = self.ledger.lock();
        ledger.doubts += 1;
        ledger.cast_doubt();
        drop(ledger);
        self.bell.notify_one();
    }

    /// How many changes and doubts there were.
    pub(super) fn counts(&self) -> (u64, u64) {
        let ledger = self.ledger.lock();
        (ledger.changes, ledger.doubts)
    }

    fn changed(&self, keys: Vec<Value>) {
        let mut ledger = self.ledger.lock();
        for key in keys {
            match key {
                Value::BulkString(key) => ledger.change(key),
                _ => {
                    ledger.doubts += 1;
                    ledger.cast_doubt();
                }
            }
        }
        drop(ledger);
        self.bell.notify_one();
    }
}

impl Ledger {
    fn take(&mut self) -> Option<Told> {
        if std::mem::take(&mut self.doubt) {
            return Some(Told::Doubt);
        }
        if self.changed.is_empty() {
            return None;
        }
        self.waiting_bytes = 0;
        Some(Told::Changed(std::mem::take(&mut self.changed).into_iter().collect()))
    }

    fn change(&mut self, key: Vec<u8>) {
        self.changes += 1;
        if self.being_read.contains_key(&key) {
            self.held.insert(key);
        } else {
            self.await_telling(key);
        }
    }

    fn await_telling(&mut self, key: Vec<u8>) {
        // Whoever is told of a doubt reads everything after that.
        if self.doubt {
            return;
        }
        let bytes = key.len();
        if self.changed.insert(key) {
            self.waiting_bytes += bytes;
        }
        if self.changed.len() > self.told_max || self.waiting_bytes > WAITING_BYTES_MAX {
            self.doubts += 1;
            self.cast_doubt();
        }
    }

    fn cast_doubt(&mut self) {
        self.doubt = true;
        self.changed = HashSet::new();
        self.waiting_bytes = 0;
    }

    fn end(&mut self, keys: &[Vec<u8>]) {
        for key in keys {
            let left = match self.being_read.get_mut(key) {
                Some(readers) => {
                    *readers -= 1;
                    *readers
                }
                None => 0,
            };
            if left == 0 {
                self.being_read.remove(key);
            }
            if !self.held.contains(key) {
                continue;
            }
            if left == 0 {
                self.held.remove(key);
            }
            self.await_telling(key.clone());
        }
    }
}

impl Reading<'_> {
    /// It brought something: a doubt that came up meanwhile is told again, to be heard after it.
    pub(super) fn returns(self) {
        let mut ledger = self.heard.ledger.lock();
        if ledger.doubts != self.doubts {
            ledger.cast_doubt();
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.heard.ledger.lock().end(self.keys);
        self.heard.bell.notify_one();
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn keys(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    fn says(heard: &Heard, names: &[&str]) {
        let keys = names.iter().map(|name| Value::BulkString(name.as_bytes().to_vec()));
        let data = vec![Value::Array(keys.collect())];
        heard.hear(PushInfo { kind: PushKind::Invalidate, data });
    }

    fn told(heard: &Heard) -> Option<Told> {
        heard.next().now_or_never().map(|told| match told {
            Told::Changed(mut keys) => {
                keys.sort();
                Told::Changed(keys)
            }
            Told::Doubt => Told::Doubt,
        })
    }

    fn changed(names: &[&str]) -> Option<Told> {
        Some(Told::Changed(keys(names)))
    }

    #[test]
    fn what_is_heard_is_told_once() {
        let heard = Heard::new(10);
        assert_eq!(told(&heard), None);
        says(&heard, &["a", "b"]);
        says(&heard, &["a"]);
        assert_eq!(told(&heard), changed(&["a", "b"]));
        assert_eq!(told(&heard), None);
        assert_eq!(heard.counts(), (3, 0));
    }

    #[test]
    fn what_is_heard_of_a_key_while_it_is_read_is_told_when_the_read_ends() {
        let heard = Heard::new(10);
        let read = keys(&["a", "b"]);
        let reading = heard.begin(&read);
        says(&heard, &["a", "c"]);
        assert_eq!(told(&heard), changed(&["c"]));
        assert_eq!(told(&heard), None);
        reading.returns();
        assert_eq!(told(&heard), changed(&["a"]));
        let reading = heard.begin(&read);
        says(&heard, &["b"]);
        drop(reading);
        assert_eq!(told(&heard), changed(&["b"]), "also when it brought nothing");
    }

    #[test]
    fn each_read_of_a_key_that_was_heard_of_meanwhile_is_told() {
        let heard = Heard::new(10);
        let (first, second) = (keys(&["a", "a"]), keys(&["a"]));
        let (one, two) = (heard.begin(&first), heard.begin(&second));
        says(&heard, &["a"]);
        assert_eq!(told(&heard), None);
        one.returns();
        assert_eq!(told(&heard), changed(&["a"]));
        two.returns();
        assert_eq!(told(&heard), changed(&["a"]));
        says(&heard, &["a"]);
        assert_eq!(told(&heard), changed(&["a"]), "nobody reads it now");
    }

    #[test]
    fn a_doubt_stands_for_all_before_it_and_is_told_again_after_a_read() {
        let heard = Heard::new(10);
        let read = keys(&["a"]);
        says(&heard, &["c"]);
        let reading = heard.begin(&read);
        heard.hear(PushInfo { kind: PushKind::Invalidate, data: vec![Value::Nil] });
        says(&heard, &["d"]);
        assert_eq!(told(&heard), Some(Told::Doubt));
        assert_eq!(told(&heard), None);
        reading.returns();
        assert_eq!(told(&heard), Some(Told::Doubt));
        let reading = heard.begin(&read);
        heard.doubt();
        assert_eq!(told(&heard), Some(Told::Doubt));
        drop(reading);
        assert_eq!(told(&heard), None, "it brought nothing that could be wrong");
    }

    #[test]
    fn more_than_waits_and_what_is_no_key_are_doubts() {
        let heard = Heard::new(2);
        says(&heard, &["a", "b"]);
        says(&heard, &["c"]);
        assert_eq!(told(&heard), Some(Told::Doubt));
        let data = vec![Value::Array(vec![Value::Int(1)])];
        heard.hear(PushInfo { kind: PushKind::Invalidate, data });
        assert_eq!(told(&heard), Some(Told::Doubt));
        says(&heard, &["a"]);
        heard.hear(PushInfo { kind: PushKind::Message, data: Vec::new() });
        assert_eq!(told(&heard), changed(&["a"]));
        let long = "k".repeat(WAITING_BYTES_MAX);
        says(&heard, &[&long, "a"]);
        assert_eq!(told(&heard), Some(Told::Doubt));
    }
}
