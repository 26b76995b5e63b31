//! Moments, and the clocks that tell them: the system's, one that follows tokio's time, and one that is
//! moved by hand.

#[cfg(any(test, feature = "test-util"))]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Later than every moment that a clock tells.
    pub const FAR: Self = Self(u64::MAX);

    /// The moment so many milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment and a span more, [`Timestamp::FAR`] at most.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    #[inline]
    pub(crate) fn plus_span(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.as_millis()))
    }

    /// The span from an earlier moment to this one; nothing if it was not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A span as it is kept with each entry, a fourth of the size of a [`Duration`]: in whole milliseconds up
/// to 18 hours, and in steps of less than one in 30 million beyond that.
// The upper bits say by how much the lower ones are shifted; so they are in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(u32);

/// The bits of a span that are not shifts.
const DIGITS: u32 = 26;

impl Span {
    /// Rounded down.
    pub(crate) fn from_millis(millis: u64) -> Self {
        let shift = (u64::BITS - millis.leading_zeros()).saturating_sub(DIGITS);
        // It is in the bits that are left.
        Self(shift << DIGITS | (millis >> shift) as u32)
    }

    pub(crate) fn as_millis(self) -> u64 {
        let digits = self.0 & ((1 << DIGITS) - 1);
        u64::from(digits) << (self.0 >> DIGITS)
    }
}

/// Rounded down; what is too long is the longest.
impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        Self::from_millis(millis(span))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_millis(span.as_millis())
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Tells the time. All timers of this crate are tokio's, so a paused runtime drives both.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Coarse,
    Virtual {
        start: Timestamp,
        from: tokio::time::Instant,
    },
    #[cfg(any(test, feature = "test-util"))]
    ByHand(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The system's clock as it stood at the kernel's last tick, 10 ms ago at most and mostly less than 4.
    /// Reading it costs a fraction: it asks no hardware. Whoever goes by it goes by it alone, or what
    /// another clock has called past lies ahead. Where there is none it is [`Clock::system`].
    pub fn coarse() -> Self {
        Self(Source::Coarse)
    }

    /// A clock that stands at `start` now and moves as `tokio::time::Instant` does: with a
    /// paused runtime, only by `tokio::time::advance` and by waiting.
    pub fn virtual_from(start: Timestamp) -> Self {
        Self(Source::Virtual { start, from: tokio::time::Instant::now() })
    }

    /// A clock that moves only by [`ClockHand::advance`], for tests of expiry that do not sleep.
    /// Limits on waits are not of it: these run on tokio's time.
    #[cfg(any(test, feature = "test-util"))]
    pub fn by_hand(start: Timestamp) -> (Self, ClockHand) {
        let now = Arc::new(AtomicU64::new(start.as_millis()));
        (Self(Source::ByHand(Arc::clone(&now))), ClockHand(now))
    }

    /// The moment now.
    #[inline]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Coarse => at_last_tick(),
            Source::System => Timestamp::from_system(SystemTime::now()),
            Source::Virtual { start, from } => start.plus(from.elapsed()),
            #[cfg(any(test, feature = "test-util"))]
            Source::ByHand(now) => Timestamp::from_millis(now.load(Ordering::Acquire)),
        }
    }
}

/// Moves a clock that moves only by hand.
#[cfg(any(test, feature = "test-util"))]
#[derive(Clone, Debug)]
pub struct ClockHand(Arc<AtomicU64>);

#[cfg(any(test, feature = "test-util"))]
impl ClockHand {
    /// Moves the clock on.
    pub fn advance(&self, span: Duration) {
        let later = |now| Some(Timestamp::from_millis(now).plus(span).as_millis());
        // It never answers that there is nothing to change.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, later);
    }
}

impl Timestamp {
    // A system clock that stands before 1970 is read as 1970, not as a failure.
    fn from_system(time: SystemTime) -> Self {
        Self::default().plus(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn at_last_tick() -> Timestamp {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    // As above: what lies before 1970 is 1970.
    let millis = time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000);
    Timestamp(u64::try_from(millis).unwrap_or_default())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn at_last_tick() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_clock_is_never_ahead_of_the_system_and_follows_it() {
        let (coarse, system) = (Clock::coarse(), Clock::system());
        let first = coarse.now();
        assert!(first <= system.now());
        let later = system.now().plus(Duration::from_millis(1));
        while coarse.now() < later {
            std::thread::yield_now();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_virtual_clock_moves_only_as_tokio_does() {
        let clock = Clock::virtual_from(Timestamp::from_millis(1_000));
        assert_eq!(clock.now(), Timestamp::from_millis(1_000));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now(), Timestamp::from_millis(1_250));
    }

    #[test]
    fn the_clock_by_hand_moves_only_by_its_hand() {
        let (clock, hand) = Clock::by_hand(Timestamp::from_millis(1_000));
        hand.advance(Duration::from_millis(5));
        assert_eq!(clock.clone().now(), Timestamp::from_millis(1_005));
        hand.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::FAR);
    }

    #[test]
    fn a_kept_span_is_exact_up_to_18_hours_and_nearly_so_beyond() {
        for millis in [0, 1, 999, (1 << DIGITS) - 1] {
            assert_eq!(Span::from_millis(millis).as_millis(), millis);
        }
        let year = 365 * 24 * 3_600_000;
        for millis in [1 << DIGITS, (1 << DIGITS) + 1, year + 1, u64::MAX / 3, u64::MAX] {
            let kept = Span::from_millis(millis);
            assert!(kept.as_millis() <= millis && millis - kept.as_millis() <= millis / 30_000_000);
            assert_eq!(Span::from_millis(kept.as_millis()), kept);
            assert!(Span::from_millis(millis / 2) < kept, "{millis}");
        }
        assert_eq!(Span::from(Duration::MAX), Span::from_millis(u64::MAX));
    }

    #[test]
    fn spans_saturate_at_both_ends() {
        assert_eq!(Timestamp::from_millis(5).plus(Duration::MAX), Timestamp::FAR);
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    }
}
