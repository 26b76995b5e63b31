//! A Redis in this process: keys, what is read, what is told, and what goes wrong.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::*;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As Redis does.
    Well,
    /// It answers, and says nothing of changes.
    Silent,
    /// It takes questions and does not answer.
    Stalled,
    /// There is no connection.
    Away,
}

/// The Redis.
pub(crate) struct Fake {
    state: Mutex<State>,
    tell: mpsc::UnboundedSender<Told>,
    told: tokio::sync::Mutex<mpsc::UnboundedReceiver<Told>>,
}

struct State {
    values: HashMap<Vec<u8>, Stored>,
    tracked: HashSet<Vec<u8>>,
    mood: Mood,
    delay: Duration,
    reads: Vec<Vec<String>>,
    /// Keys that begin so lie with a server that is dead.
    dead: Option<Vec<u8>>,
}

impl State {
    fn is_dead(&self, key: &[u8]) -> bool {
        self.dead.as_ref().is_some_and(|dead| key.starts_with(dead))
    }
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        let (tell, told) = mpsc::unbounded_channel();
        let state = State {
            values: HashMap::new(),
            tracked: HashSet::new(),
            mood: Mood::Well,
            delay: Duration::from_millis(1),
            reads: Vec::new(),
            dead: None,
        };
        let (state, told) = (Mutex::new(state), tokio::sync::Mutex::new(told));
        Arc::new(Fake { state, tell, told })
    }

    pub(crate) fn set(&self, key: &str, value: &str) {
        self.put(key, Some(Stored::Text(value.into())));
    }

    pub(crate) fn put(&self, key: &str, value: Option<Stored>) {
        let mut state = self.state.lock();
        let key = key.as_bytes().to_vec();
        match value {
            Some(value) => state.values.insert(key.clone(), value),
            None => state.values.remove(&key),
        };
        let is_told = matches!(state.mood, Mood::Well | Mood::Stalled);
        if state.tracked.remove(&key) && is_told {
            let _ = self.tell.send(Told::Changed(vec![key]));
        }
    }

    pub(crate) fn flush(&self) {
        self.state.lock().values.clear();
        self.doubt();
    }

    pub(crate) fn doubt(&self) {
        self.state.lock().tracked.clear();
        let _ = self.tell.send(Told::Doubt);
    }

    pub(crate) fn feel(&self, mood: Mood) {
        let before = std::mem::replace(&mut self.state.lock().mood, mood);
        if before == Mood::Away || mood == Mood::Away {
            self.doubt();
        }
    }

    /// The server of the keys that begin so dies, or comes back.
    pub(crate) fn lose(&self, dead: Option<&str>) {
        self.state.lock().dead = dead.map(|dead| dead.as_bytes().to_vec());
        self.doubt();
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.state.lock().delay = delay;
    }

    /// What was read since the last time, a round trip each.
    pub(crate) fn reads(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.state.lock().reads)
    }
}

impl Source for Fake {
    fn read<'a>(
        &'a self,
        keys: &'a [Vec<u8>],
        limit: Duration,
    ) -> Awaited<'a, Result<Vec<Option<Stored>>, LinkFailure>> {
        let mut state = self.state.lock();
        let delay = match state.mood {
            Mood::Well | Mood::Silent => state.delay,
            Mood::Stalled => limit,
            Mood::Away => return Box::pin(std::future::ready(Err(LinkFailure::Away))),
        };
        if keys.iter().any(|key| state.is_dead(key)) {
            return Box::pin(std::future::ready(Err(LinkFailure::Away)));
        }
        let text = |key: &Vec<u8>| String::from_utf8(key.clone()).unwrap();
        state.reads.push(keys.iter().map(text).collect());
        state.tracked.extend(keys.iter().cloned());
        // As things are when the question arrives; the answer takes its time.
        let values = keys.iter().map(|key| state.values.get(key).cloned()).collect();
        Box::pin(async move {
            sleep(delay.min(limit)).await;
            if delay < limit { Ok(values) } else { Err(LinkFailure::Late) }
        })
    }

    fn told(&self) -> Awaited<'_, Told> {
        Box::pin(async { self.told.lock().await.recv().await.unwrap() })
    }

    fn is_up(&self) -> bool {
        let state = self.state.lock();
        state.mood != Mood::Away && state.dead.is_none()
    }

    fn is_away(&self) -> bool {
        self.state.lock().mood == Mood::Away
    }

    fn reaches(&self, key: &[u8]) -> bool {
        let state = self.state.lock();
        state.mood != Mood::Away && !state.is_dead(key)
    }
}
