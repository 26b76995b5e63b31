//! When a server that does not answer is no longer asked. Pure: told what happened, and the time.

use std::time::{Duration, Instant};

/// How long calls are counted together when their share of failures is judged.
const WINDOW: Duration = Duration::from_secs(5);

/// Fewer calls than this in a window say nothing.
const WINDOW_CALLS_MIN: u32 = 20;

/// Whether to go on asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    Open,
}

/// Counts the calls on one connection.
#[derive(Debug)]
pub(super) struct Breaker {
    in_a_row_max: u32,
    in_a_row: u32,
    calls: u32,
    missed: u32,
    window_began: Instant,
}

impl Breaker {
    pub(super) fn new(in_a_row_max: u32, now: Instant) -> Self {
        Self {
            in_a_row_max: in_a_row_max.max(1),
            in_a_row: 0,
            calls: 0,
            missed: 0,
            window_began: now,
        }
    }

    /// A call was answered.
    pub(super) fn heard(&mut self, now: Instant) {
        self.turn(now);
        self.in_a_row = 0;
        self.calls += 1;
    }

    /// A call was not answered in time. Too many in a row, or half of many, are enough.
    pub(super) fn missed(&mut self, now: Instant) -> Verdict {
        self.turn(now);
        self.in_a_row += 1;
        self.calls += 1;
        self.missed += 1;
        let half = self.calls >= WINDOW_CALLS_MIN && self.missed * 2 >= self.calls;
        if self.in_a_row >= self.in_a_row_max || half { Verdict::Open } else { Verdict::GoOn }
    }

    fn turn(&mut self, now: Instant) {
        if now.duration_since(self.window_began) >= WINDOW || self.calls == u32::MAX / 2 {
            (self.calls, self.missed, self.window_began) = (0, 0, now);
        }
    }
}

/// The pause before the next try: doubled with each failure, between its bounds, shortened by
/// chance to between half and all of it, so that nodes do not come back together.
#[derive(Debug)]
pub(super) struct Pause {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Pause {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        let min = min.max(Duration::from_millis(1));
        Self { min, max: max.max(min), next: min }
    }

    pub(super) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.max);
        whole.mul_f64(rand::random_range(0.5..=1.0))
    }

    pub(super) fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_row_open_it() {
        let now = Instant::now();
        let mut breaker = Breaker::new(3, now);
        assert_eq!([breaker.missed(now), breaker.missed(now)], [Verdict::GoOn; 2]);
        breaker.heard(now);
        assert_eq!([breaker.missed(now), breaker.missed(now)], [Verdict::GoOn; 2]);
        assert_eq!(breaker.missed(now), Verdict::Open);
    }

    #[test]
    fn half_of_many_open_it_and_a_third_does_not() {
        let now = Instant::now();
        let (mut half, mut third) = (Breaker::new(5, now), Breaker::new(5, now));
        let (mut opened, mut went_on) = (0, 0);
        for _ in 0..WINDOW_CALLS_MIN {
            half.heard(now);
            opened += u32::from(half.missed(now) == Verdict::Open);
            third.heard(now);
            third.heard(now);
            went_on += u32::from(third.missed(now) == Verdict::GoOn);
        }
        assert!(opened > 0);
        assert_eq!(went_on, WINDOW_CALLS_MIN);
    }

    #[test]
    fn an_old_window_is_forgotten() {
        let now = Instant::now();
        let mut breaker = Breaker::new(50, now);
        for _ in 0..WINDOW_CALLS_MIN - 1 {
            assert_eq!(breaker.missed(now), Verdict::GoOn);
        }
        let later = now + WINDOW;
        for _ in 0..WINDOW_CALLS_MIN - 1 {
            assert_eq!(breaker.missed(later), Verdict::GoOn);
        }
        assert_eq!(breaker.missed(later), Verdict::Open);
    }

    #[test]
    fn pauses_double_between_their_bounds() {
        let (min, max) = (Duration::from_millis(10), Duration::from_millis(35));
        let mut pause = Pause::new(min, max);
        for whole in [10, 20, 35, 35] {
            let drawn = pause.next();
            let whole = Duration::from_millis(whole);
            assert!(drawn >= whole / 2 && drawn <= whole, "{drawn:?} of {whole:?}");
        }
        pause.reset();
        assert!(pause.next() <= min);
    }
}
