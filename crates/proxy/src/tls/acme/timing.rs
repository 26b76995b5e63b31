//! When certificates are asked for. Pure.

use std::time::{Duration, SystemTime};

use crate::tls::Validity;

/// How long one certificate may take, from the first word to the last.
pub(super) const ORDER_LIMIT: Duration = Duration::from_secs(300);

/// How long nothing is looked at: a machine's clock may be set meanwhile.
pub(super) const LOOK_MAX: Duration = Duration::from_secs(3600);

/// How long a certificate just given is not asked for again, whatever it says of its life: an authority
/// whose clock is wrong is not hammered.
pub(super) const GIVEN_LEAST: Duration = Duration::from_secs(3600);

/// The pause after the first failure, and the longest.
const PAUSE_LEAST: Duration = Duration::from_secs(60);
const PAUSE_MOST: Duration = Duration::from_secs(6 * 3600);

/// The moment at which a certificate is renewed: when two thirds of its life are gone, a little
/// earlier by chance, so that many that began together do not come together.
pub(super) fn renewal(validity: Validity, chance: f64) -> SystemTime {
    let lifetime = validity.lifetime();
    let early = lifetime.mul_f64(chance.clamp(0.0, 1.0) / 24.0);
    let after = lifetime.mul_f64(2.0 / 3.0).saturating_sub(early);
    validity.begins.checked_add(after).unwrap_or(validity.begins)
}

/// The pause after a failure that others went before: twice as long each time, less a quarter at
/// most by chance.
pub(super) fn pause(failures: u32, chance: f64) -> Duration {
    let pause = PAUSE_LEAST.saturating_mul(1 << failures.min(16)).min(PAUSE_MOST);
    pause.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thirds_of_a_life_are_gone_when_it_is_renewed() {
        let day = Duration::from_secs(86_400);
        let begins = SystemTime::UNIX_EPOCH + 20_000 * day;
        let validity = Validity { begins, ends: begins + 90 * day };
        let within = |left: SystemTime, right: SystemTime| {
            let apart = left.duration_since(right).unwrap_or_else(|error| error.duration());
            assert!(apart < Duration::from_secs(1), "{apart:?}");
        };
        within(renewal(validity, 0.0), begins + 60 * day);
        within(renewal(validity, 1.0), begins + 60 * day - day * 90 / 24);
        let never = Validity { begins, ends: begins - day };
        assert_eq!(renewal(never, 0.5), begins);
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        for (failures, chance, seconds) in [
            (0, 0.0, 60),
            (0, 1.0, 45),
            (1, 0.0, 120),
            (8, 0.0, 15_360),
            (9, 0.0, 21_600),
            (u32::MAX, 0.0, 21_600),
        ] {
            assert_eq!(pause(failures, chance), Duration::from_secs(seconds), "{failures}");
        }
    }
}
