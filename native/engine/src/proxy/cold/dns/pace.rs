//! When a name is asked for again: by its TTL, or by back-off when asking failed. Pure.

use std::time::Duration;

/// A TTL of 0 means "do not keep", not "ask without pause".
const SHORTEST: Duration = Duration::from_secs(1);
/// Of the first wait after a failure.
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);

/// The rhythm of one name's lookups.
pub(super) struct Pace {
    refresh: Duration,
    failures: u32,
}

impl Pace {
    /// `refresh` is the longest time between two lookups that succeed.
    pub(super) fn new(refresh: Duration) -> Self {
        Self { refresh, failures: 0 }
    }

    /// The wait after an answer that may be kept for `ttl`.
    pub(super) fn after_answer(&mut self, ttl: Duration) -> Duration {
        self.failures = 0;
        ttl.min(self.refresh).max(SHORTEST)
    }

    /// The wait after a failure: doubled each time, and by `chance` (0 to 1) up to half shorter, so that many proxies do
    /// not ask a resolver that comes back all at once.
    pub(super) fn after_failure(&mut self, chance: f64) -> Duration {
        let doubled = FIRST_BACK_OFF.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        doubled.min(LONGEST_BACK_OFF).mul_f64(1.0 - chance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ttl_decides_within_a_second_and_the_refresh_time() {
        let mut pace = Pace::new(Duration::from_secs(5));
        let waits = [0, 3, 300].map(|ttl| pace.after_answer(Duration::from_secs(ttl)).as_secs());
        assert_eq!(waits, [1, 3, 5]);
    }

    #[test]
    fn failures_double_the_wait_up_to_half_a_minute_and_an_answer_ends_that() {
        let mut pace = Pace::new(Duration::from_secs(5));
        let waits: Vec<u64> = (0..7).map(|_| pace.after_failure(0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pace.after_failure(1.0), Duration::from_secs(15));
        pace.after_answer(SHORTEST);
        assert_eq!(pace.after_failure(0.0), FIRST_BACK_OFF);
    }
}
