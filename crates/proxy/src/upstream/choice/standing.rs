//! How one member stands: what it has to do, how fast it is, and its record of trouble.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::record::{Access, Cause, Health, Record};

/// What is left of all latencies before when a new one comes; less, the longer nothing came.
const LATENCY_KEPT: f64 = 7.0 / 8.0;

/// The silence that halves a latency, so that a member that was slow is asked again.
const LATENCY_HALF_LIFE: Duration = Duration::from_secs(10);

/// The longest latency that is told from longer ones: twelve days.
const LATENCY_MICROS_MAX: u128 = 1 << 40;

/// A member in one upstream.
#[derive(Debug)]
pub(super) struct Seat {
    /// Of its name, so that a member's keys stay its own whoever joins or leaves.
    pub(super) identity: u64,
    pub(super) weight: f64,
    pub(super) standing: Arc<Standing>,
}

/// How a member stands, whatever upstream it is in.
#[derive(Debug)]
pub(super) struct Standing {
    in_flight: AtomicU32,
    /// Smoothed, in microseconds; 0 before the first answer.
    latency_micros: AtomicU64,
    /// When that was, in milliseconds from `epoch`.
    latency_millis_at: AtomicU64,
    epoch: Instant,
    ejections: AtomicU64,
    /// Whether `record` says anything. While it does not, nobody locks it.
    is_troubled: AtomicBool,
    record: Mutex<Record>,
}

/// What metrics and operators are told of a member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemberStanding {
    /// Whether it is asked.
    pub state: State,
    /// Requests that it has and has not ended.
    pub in_flight: u32,
    /// How long it takes to a response's head, smoothed; `None` before the first.
    pub latency: Option<Duration>,
    /// How often it was left out.
    pub ejections: u64,
    /// Its weight, less than it was given while it starts slowly.
    pub weight: f64,
}

/// Whether a member is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Up,
    /// It is out until then, and probed afterwards.
    Out {
        /// Why.
        cause: Cause,
        /// Until when.
        until: Instant,
    },
    /// A health check found it dead.
    Down,
    /// It is to leave.
    Draining,
}

/// How fast a member is, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// As its answers were.
    heard: f64,
    /// As it may be by now: the less, the longer nothing was heard.
    hoped: f64,
}

impl Pace {
    /// Its latency beside another's. A slower one that was silent may have become as fast as the
    /// other, and no faster: else whoever comes back would get everything.
    pub(super) fn beside(self, other: Pace) -> f64 {
        if self.heard <= other.heard { self.heard } else { self.hoped.max(other.heard) }
    }
}

impl Seat {
    pub(super) fn new(identity: u64, weight: u32, standing: Arc<Standing>) -> Seat {
        Seat { identity, weight: f64::from(weight.max(1)), standing }
    }
}

impl Standing {
    pub(super) fn new(now: Instant, record: Record) -> Arc<Standing> {
        Arc::new(Standing {
            in_flight: AtomicU32::new(0),
            latency_micros: AtomicU64::new(0),
            latency_millis_at: AtomicU64::new(0),
            epoch: now,
            ejections: AtomicU64::new(0),
            is_troubled: AtomicBool::new(!record.is_blank()),
            record: Mutex::new(record),
        })
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn began(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes how long a head took. Two answers at once may count as one.
    pub(super) fn took(&self, latency: Duration, now: Instant) {
        let new = latency.as_micros().clamp(1, LATENCY_MICROS_MAX) as f64;
        let smoothed = match self.latency_micros.load(Ordering::Relaxed) {
            0 => new,
            old => {
                let kept = LATENCY_KEPT.min(self.faded(now));
                old as f64 * kept + new * (1.0 - kept)
            }
        };
        self.latency_micros.store(smoothed.ceil() as u64, Ordering::Relaxed);
        self.latency_millis_at.store(self.millis(now), Ordering::Relaxed);
    }

    /// How fast it is; `None` before the first answer.
    pub(super) fn pace(&self, now: Instant) -> Option<Pace> {
        let heard = match self.latency_micros.load(Ordering::Relaxed) {
            0 => return None,
            micros => micros as f64,
        };
        Some(Pace { heard, hoped: heard * self.faded(now) })
    }

    /// What is left of a latency after the silence since.
    fn faded(&self, now: Instant) -> f64 {
        let heard_at = self.latency_millis_at.load(Ordering::Relaxed);
        let silence = self.millis(now).saturating_sub(heard_at) as f64;
        (-silence / LATENCY_HALF_LIFE.as_millis() as f64).exp2()
    }

    fn millis(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.epoch);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it may be asked, and with which part of its share.
    pub(super) fn access(&self, now: Instant, slow_start: Duration) -> (Access, f64) {
        if !self.is_troubled.load(Ordering::Acquire) {
            return (Access::Usual, 1.0);
        }
        self.with_record(|record| (record.access(now), record.warmth(now, slow_start)))
    }

    /// Reads or changes the record.
    pub(super) fn with_record<T>(&self, act: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = self.record.lock();
        let done = act(&mut record);
        self.is_troubled.store(!record.is_blank(), Ordering::Release);
        done
    }

    /// The same, if it says anything: else there is nothing to read and nothing to mend.
    pub(super) fn with_record_if_troubled(&self, act: impl FnOnce(&mut Record)) {
        if self.is_troubled.load(Ordering::Acquire) {
            self.with_record(act);
        }
    }

    pub(super) fn was_ejected(&self) {
        self.ejections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn told(&self, weight: f64, now: Instant, slow_start: Duration) -> MemberStanding {
        let (state, warmth) = self.with_record(|record| {
            let state = match (record.health(), record.out()) {
                (Health::Down, _) => State::Down,
                (Health::Draining, _) => State::Draining,
                (Health::Up, Some((cause, until))) => State::Out { cause, until },
                (Health::Up, None) => State::Up,
            };
            (state, record.warmth(now, slow_start))
        });
        let latency = self.latency_micros.load(Ordering::Relaxed);
        MemberStanding {
            state,
            in_flight: self.in_flight(),
            latency: (latency > 0).then(|| Duration::from_micros(latency)),
            ejections: self.ejections.load(Ordering::Relaxed),
            weight: weight * warmth,
        }
    }
}
