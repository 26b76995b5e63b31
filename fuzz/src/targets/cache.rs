//! The cache under a script of operations, against an oracle that remembers everything.
//!
//! An input is read three bytes an operation: which one, on which key or place, and how much. What
//! a body holds follows from its number and the place alone, so that every byte read is checked.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use forebay_cache::mechanism::{
    Body, BodyWriter, Clock, End, Entry, Joined, Key, Options, Reader, Tiers, Timestamp,
};

/// Operations that belong together.
pub const WORDS: &[&[u8]] = &[
    &[0, 1, 0, 1, 0, 9, 2, 0, 0, 3, 1, 0],
    &[0, 1, 0, 5, 1, 0, 1, 0, 200, 6, 0, 0, 2, 0, 0, 6, 0, 0],
    &[0, 2, 0, 8, 2, 0, 2, 0, 0],
    &[7, 3, 40, 9, 3, 1, 3, 3, 0],
    &[1, 0, 255, 1, 0, 255, 1, 0, 255],
    &[10, 5, 0],
    &[11, 0, 0],
];

const OPERATIONS_MAX: usize = 500;
const KEYS: u8 = 8;
const OPEN_MAX: usize = 8;
const READERS_MAX: usize = 16;
/// Bytes that one unit of an operation's amount stands for.
const UNIT_BYTES: usize = 97;
const MEMORY_BYTES: usize = 64 << 10;
const START: Timestamp = Timestamp::from_millis(1_000_000);

/// What is found was put, was not removed, is in time, and holds what was sent.
pub fn run(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without a network needs nothing of the system");
    runtime.block_on(async {
        let mut world = World::new();
        for operation in bytes.chunks_exact(3).take(OPERATIONS_MAX) {
            world.take(operation[0], operation[1], operation[2]).await;
        }
        world.end();
    });
}

/// An entry's own number, and that of its body.
struct Head {
    number: u64,
    body: u64,
}

impl forebay_cache::mechanism::Head for Head {
    fn weight_bytes(&self) -> usize {
        0
    }
}

/// What the oracle knows of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Arriving(usize),
    Ended(usize),
    Broken(usize),
}

struct Reading {
    reader: Reader,
    body: u64,
    read: usize,
}

struct World {
    cache: Tiers<Head, ()>,
    bodies: HashMap<u64, Known>,
    /// The length of each body that was announced.
    announced: HashMap<u64, usize>,
    /// The first number that may be found under a key: what is older was removed.
    allowed: HashMap<u8, u64>,
    open: Vec<(BodyWriter, u64)>,
    readers: Vec<Reading>,
    numbers: u64,
}

impl World {
    fn new() -> Self {
        let options = Options {
            memory_bytes_max: MEMORY_BYTES,
            arriving_bytes_max: MEMORY_BYTES,
            entry_bytes_typical: 1 << 10,
            window_bytes_max: 4 << 10,
            declined_max: 4,
            resting_max: 4,
            flights_max: 4,
            ..Options::default()
        };
        World {
            cache: Tiers::new(&options, Clock::virtual_from(START)),
            bodies: HashMap::new(),
            allowed: HashMap::new(),
            announced: HashMap::new(),
            open: Vec::new(),
            readers: Vec::new(),
            numbers: 0,
        }
    }

    async fn take(&mut self, operation: u8, place: u8, amount: u8) {
        let (key, units) = (place % KEYS, usize::from(amount));
        match operation % 14 {
            0 => self.fetch(key, amount),
            1 => self.push(place, units * UNIT_BYTES),
            2 => self.finish(place),
            3 => self.find(key),
            4 => self.abort(place),
            5 => self.begin_reading(key, units),
            6 => self.read(place),
            7 => self.insert(key, units * UNIT_BYTES, amount),
            8 => self.remove(key).await,
            9 => self.replace_head(key, amount),
            10 => tokio::time::advance(Duration::from_secs(u64::from(place % 8))).await,
            11 => self.sweep().await,
            12 => self.decline(key, amount),
            _ => self.stop_reading(place),
        }
        tokio::task::yield_now().await;
        // Shards may each round their share up.
        assert!(self.cache.memory().bytes() <= MEMORY_BYTES + 64);
    }

    /// Drops all that is open: nothing may be left of it.
    fn end(mut self) {
        self.open.clear();
        self.readers.clear();
        assert_eq!(self.cache.snapshot().flights, 0);
    }

    fn fetch(&mut self, key: u8, amount: u8) {
        let seen = self.cache.peek(name(key).as_bytes());
        let flight = match self.cache.join(&name(key), seen.as_ref()) {
            Joined::Lead(flight) => flight,
            Joined::Filled(entry) => return self.judge(key, &entry),
            Joined::Follow(_) | Joined::Unshared => return,
        };
        if self.open.len() == OPEN_MAX {
            return;
        }
        // An even amount announces a length, which may turn out to be wrong.
        let expected = amount.is_multiple_of(2).then_some(u64::from(amount) * UNIT_BYTES as u64);
        let expected = expected.filter(|_| amount > 0);
        let (writer, body) = self.cache.arriving(expected);
        let number = self.next();
        self.bodies.insert(number, Known::Arriving(0));
        self.announced.extend(expected.map(|expected| (number, expected as usize)));
        self.cache.fill(flight, Head { number, body: number }, body, self.keep_until(amount));
        self.open.push((writer, number));
    }

    fn push(&mut self, place: u8, bytes: usize) {
        let Some(at) = usize::from(place).checked_rem(self.open.len()) else { return };
        let (writer, body) = &mut self.open[at];
        let room = writer.poll_room(&mut Context::from_waker(Waker::noop()));
        let Some(Known::Arriving(sent)) = self.bodies.get_mut(body) else { unreachable!() };
        match room {
            Poll::Pending => return,
            Poll::Ready(Ok(())) => {
                let pushed = writer.push(content(*body, *sent, bytes));
                if pushed.is_ok() {
                    *sent += bytes;
                    return;
                }
            }
            Poll::Ready(Err(_)) => {}
        }
        // Nobody reads it: whoever fetches it stops.
        self.break_off(at);
    }

    fn break_off(&mut self, at: usize) {
        let (writer, body) = self.open.swap_remove(at);
        drop(writer);
        self.note_broken(body);
    }

    fn note_broken(&mut self, body: u64) {
        let Some(Known::Arriving(sent)) = self.bodies.get(&body).copied() else { unreachable!() };
        self.bodies.insert(body, Known::Broken(sent));
    }

    fn abort(&mut self, place: u8) {
        let Some(at) = usize::from(place).checked_rem(self.open.len()) else { return };
        let (writer, body) = self.open.swap_remove(at);
        writer.abort("the origin closed");
        self.note_broken(body);
    }

    fn finish(&mut self, place: u8) {
        let Some(at) = usize::from(place).checked_rem(self.open.len()) else { return };
        let (writer, body) = self.open.swap_remove(at);
        let Some(Known::Arriving(sent)) = self.bodies.get(&body).copied() else { unreachable!() };
        let known = match writer.finish(None) {
            End::Whole | End::PassedThrough => Known::Ended(sent),
            End::Broken(_) => Known::Broken(sent),
        };
        self.bodies.insert(body, known);
    }

    fn find(&mut self, key: u8) {
        let Some(entry) = self.cache.look_up_memory(name(key).as_bytes()) else { return };
        self.judge(key, &entry);
        assert!(!entry.is_expired(self.cache.clock().now()), "found beyond its time");
        let body = entry.head().body;
        let whole = entry.body().as_whole().expect("only whole bodies are kept");
        let length = usize::try_from(whole.len()).expect("it was made here");
        assert_eq!(self.bodies[&body], Known::Ended(length));
        let found: Vec<u8> = whole.slices(0..u64::MAX).flatten().collect();
        assert_eq!(found, content(body, 0, length));
    }

    fn judge(&self, key: u8, entry: &Entry<Head>) {
        let allowed = self.allowed.get(&key).copied().unwrap_or(0);
        assert!(entry.head().number >= allowed, "found what was removed");
    }

    fn begin_reading(&mut self, key: u8, units: usize) {
        if self.readers.len() == READERS_MAX {
            return;
        }
        // Of what is kept, or else of what arrives.
        let kept = self.cache.look_up_memory(name(key).as_bytes());
        let (body, number) = match (&kept, self.open.get(usize::from(key))) {
            (Some(entry), _) => (entry.body(), entry.head().body),
            (None, Some((writer, number))) => (writer.body(), *number),
            (None, None) => return,
        };
        let begin = units * UNIT_BYTES % 5_000;
        if let Some(reader) = body.reader_of(begin as u64..u64::MAX) {
            self.readers.push(Reading { reader, body: number, read: begin });
        }
    }

    fn read(&mut self, place: u8) {
        let Some(at) = usize::from(place).checked_rem(self.readers.len()) else { return };
        let Reading { reader, body, read } = &mut self.readers[at];
        let known = self.bodies[body];
        match reader.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(bytes))) => {
                assert!(!bytes.is_empty());
                assert_eq!(bytes, content(*body, *read, bytes.len()));
                *read += bytes.len();
            }
            Poll::Ready(Some(Err(_))) => {
                assert!(matches!(known, Known::Broken(_)), "{known:?}");
                self.readers.swap_remove(at);
            }
            Poll::Ready(None) => {
                let Known::Ended(length) = known else { panic!("a proper end of {known:?}") };
                assert!(*read >= length, "the end came early");
                self.readers.swap_remove(at);
            }
            Poll::Pending => {
                let Known::Arriving(sent) = known else { panic!("waits for {known:?}") };
                // The last of what was announced is told together with the end.
                let is_last = self.announced.get(body) == Some(&sent);
                assert!(*read >= sent || is_last, "waits for what is there");
            }
        }
    }

    fn stop_reading(&mut self, place: u8) {
        if let Some(at) = usize::from(place).checked_rem(self.readers.len()) {
            self.readers.swap_remove(at);
        }
    }

    fn insert(&mut self, key: u8, bytes: usize, amount: u8) {
        let number = self.next();
        self.bodies.insert(number, Known::Ended(bytes));
        let body = Body::whole(&content(number, 0, bytes), None, self.cache.budget());
        let entry = Entry::new(Head { number, body: number }, body, self.keep_until(amount));
        self.cache.insert(&name(key), &Arc::new(entry));
    }

    async fn remove(&mut self, key: u8) {
        self.cache.remove(&name(key)).await;
        self.allowed.insert(key, self.numbers + 1);
        assert!(self.cache.peek(name(key).as_bytes()).is_none());
    }

    fn replace_head(&mut self, key: u8, amount: u8) {
        let Some(old) = self.cache.peek(name(key).as_bytes()) else { return };
        self.judge(key, &old);
        let head = Head { number: self.next(), body: old.head().body };
        self.cache.replace_head(
            &name(key),
            &old,
            head,
            self.keep_until(amount),
            self.cache.epoch_now(),
            None,
        );
    }

    /// Lets the sweeper walk for a moment of a clock that stands still.
    async fn sweep(&self) {
        let walk = self.cache.sweep(Duration::from_millis(1));
        let _ = tokio::time::timeout(Duration::from_millis(2), walk).await;
    }

    fn decline(&mut self, key: u8, amount: u8) {
        let pause = Duration::from_secs(u64::from(amount % 4));
        let seen = self.cache.peek(name(key).as_bytes());
        let Joined::Lead(flight) = self.cache.join(&name(key), seen.as_ref()) else { return };
        match amount % 3 {
            0 => flight.decline(pause),
            1 => flight.abandon(()),
            _ => flight.rest((), pause),
        }
    }

    fn next(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn keep_until(&self, amount: u8) -> Timestamp {
        self.cache.clock().now().plus(Duration::from_secs(u64::from(amount % 16)))
    }
}

fn name(key: u8) -> Key {
    Key::from(&[b'k', key][..])
}

/// So many bytes of a body, from a place on.
fn content(body: u64, from: usize, bytes: usize) -> Bytes {
    (from..from + bytes).map(|at| (body as usize).wrapping_mul(31).wrapping_add(at) as u8).collect()
}
