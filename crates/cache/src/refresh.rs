//! Early refresh: hot entries are fetched again shortly before they expire, by chance, so that
//! they do not all expire at once and nobody waits (Vattani, Chierichetti, Lowenstein: Optimal
//! Probabilistic Cache Stampede Prevention, VLDB 2015; there "XFetch").

use std::time::Duration;

use crate::clock::Timestamp;

/// Whether this request should refresh an entry that is still fresh until `expiry`.
///
/// `fetch` is how long the last fetch took, `beta` how eager to be (1 is the paper's optimum, 0
/// switches it off), `random` a draw from (0, 1], uniform and the caller's own.
pub fn early_refresh(
    now: Timestamp,
    expiry: Timestamp,
    fetch: Duration,
    beta: f64,
    random: f64,
) -> bool {
    if now >= expiry {
        return true;
    }
    // A draw of 0 has an infinite logarithm: it would refresh whatever the remaining time.
    let lead = fetch.as_secs_f64() * beta.max(0.0) * -random.clamp(f64::MIN_POSITIVE, 1.0).ln();
    lead >= expiry.since(now).as_secs_f64()
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    const EXPIRY: Timestamp = Timestamp::from_millis(100_000);

    fn share(remaining_millis: u64, fetch_millis: u64, beta: f64) -> f64 {
        let now = Timestamp::from_millis(EXPIRY.as_millis() - remaining_millis);
        let draws = 10_000;
        let early = (1..=draws).filter(|draw| {
            let random = f64::from(*draw) / f64::from(draws);
            early_refresh(now, EXPIRY, Duration::from_millis(fetch_millis), beta, random)
        });
        early.count() as f64 / f64::from(draws)
    }

    #[test]
    fn the_chance_is_exponential_in_remaining_time_over_fetch_duration() {
        // P(refresh) = exp(-remaining / (fetch * beta)).
        for (remaining, fetch, beta) in
            [(1_000, 1_000, 1.0), (2_000, 1_000, 1.0), (500, 1_000, 1.0), (1_000, 500, 2.0)]
        {
            let expected = (-(remaining as f64) / (fetch as f64 * beta)).exp();
            let seen = share(remaining, fetch, beta);
            assert!((seen - expected).abs() < 0.002, "{remaining} {fetch} {beta}: {seen}");
        }
    }

    #[test]
    fn far_from_expiry_nobody_refreshes() {
        assert_eq!(share(60_000, 100, 1.0), 0.0);
    }

    #[test]
    fn at_expiry_everybody_refreshes() {
        assert!(early_refresh(EXPIRY, EXPIRY, Duration::ZERO, 1.0, 1.0));
    }

    #[test]
    fn beta_of_nothing_switches_it_off() {
        assert_eq!(share(1, 60_000, 0.0), 0.0);
    }

    #[test]
    fn odd_draws_and_betas_do_no_harm() {
        let now = Timestamp::from_millis(EXPIRY.as_millis() - 60_000);
        for odd in [0.0, -1.0, 2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!early_refresh(now, EXPIRY, Duration::from_millis(10), 1.0, odd), "{odd}");
            let _ = early_refresh(now, EXPIRY, Duration::from_millis(10), odd, 0.5);
        }
    }
}
