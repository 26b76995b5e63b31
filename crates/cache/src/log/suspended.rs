//! How long this machine was suspended since it started: a laptop that was closed, a virtual machine
//! that was stopped. The clock by which everything here waits stands still meanwhile.

use std::time::Duration;

#[cfg(feature = "stored")]
use rustix::time::{ClockId, clock_gettime};

/// At most so long. Between the two readings the thread may have to wait.
#[cfg(feature = "stored")]
pub(crate) fn at_most() -> Duration {
    let awake = read(ClockId::Monotonic);
    read(ClockId::Boottime).saturating_sub(awake)
}

/// At least so long.
#[cfg(feature = "stored")]
pub(crate) fn at_least() -> Duration {
    let all = read(ClockId::Boottime);
    all.saturating_sub(read(ClockId::Monotonic))
}

#[cfg(feature = "stored")]
fn read(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    // Neither goes below nought, nor does the part of a second reach one.
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// A log of this process alone is never unheard, so it does not count.
#[cfg(not(feature = "stored"))]
pub(crate) fn at_most() -> Duration {
    Duration::ZERO
}

/// As [`at_most`].
#[cfg(not(feature = "stored"))]
pub(crate) fn at_least() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn what_it_was_lies_between() {
        for _ in 0..1_000 {
            let (least, most) = (at_least(), at_most());
            assert!(least <= most, "{least:?} {most:?}");
        }
    }
}
