//! The age at which an upstream closes idle connections, learned from what it says and from what it does.
//!
//! Invariant: a connection is reused below four fifths of that age only, so that a request does not meet the end that
//! is on its way. What was seen weighs as much as what was announced: the shorter counts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Until something is known: shorter than what common servers allow.
const UNTIL_LEARNED: Duration = Duration::from_secs(3);
/// An idle connection is not watched for longer than this, and so not reused beyond four fifths of it.
pub const LONGEST_WATCH: Duration = Duration::from_secs(60);
/// Who closes a connection sooner than this does so for another reason than that it is idle: a restart, a crash, an
/// answer after which it wanted no more. Reuse must not end for all because of one of these.
const SHORTEST: Duration = Duration::from_millis(500);
/// Nothing is known yet.
const UNKNOWN: u32 = u32::MAX;

/// What is known of one endpoint. Shared by all workers; a lost update between two of them is made good by the next.
pub struct IdleAge {
    seen_ms: AtomicU32,
    announced_ms: AtomicU32,
}

impl Default for IdleAge {
    fn default() -> Self {
        Self { seen_ms: AtomicU32::new(UNKNOWN), announced_ms: AtomicU32::new(UNKNOWN) }
    }
}

impl IdleAge {
    /// The idle time up to which a connection may be used again.
    pub fn limit(&self) -> Duration {
        match self.known_ms() {
            UNKNOWN => UNTIL_LEARNED,
            known => Duration::from_millis(u64::from(known) * 4 / 5),
        }
    }

    /// The age that was learned.
    pub fn learned(&self) -> Option<Duration> {
        Some(self.known_ms()).filter(|known| *known != UNKNOWN).map(|known| Duration::from_millis(known.into()))
    }

    /// The upstream closed a connection that had been idle for so long. A shorter time counts at once. A longer one
    /// raises what is known by a quarter of the way: connections that a restart has ended say nothing about idle ones.
    pub fn ended(&self, idle: Duration) {
        if idle < SHORTEST {
            return;
        }
        let idle = u32::try_from(idle.as_millis()).unwrap_or(UNKNOWN - 1);
        let known = self.seen_ms.load(Ordering::Relaxed);
        let learned = if idle < known { idle } else { known + (idle - known).div_ceil(4) };
        self.seen_ms.store(learned, Ordering::Relaxed);
    }

    /// The upstream still kept a connection that had been idle for so long: no shorter time is right.
    pub fn outlived(&self, idle: Duration) {
        let known = self.seen_ms.load(Ordering::Relaxed);
        let known = if known == UNKNOWN { UNTIL_LEARNED } else { Duration::from_millis(known.into()) };
        if idle > known * 5 / 4 {
            self.ended(idle);
        }
    }

    /// The upstream announced in `keep-alive` that it closes idle connections after so many seconds.
    pub fn announced(&self, seconds: u32) {
        let announced = seconds.saturating_mul(1000).min(UNKNOWN - 1);
        if self.announced_ms.load(Ordering::Relaxed) != announced {
            self.announced_ms.store(announced, Ordering::Relaxed);
        }
    }

    fn known_ms(&self) -> u32 {
        self.seen_ms.load(Ordering::Relaxed).min(self.announced_ms.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(age: &IdleAge) -> u128 {
        age.limit().as_millis()
    }

    #[test]
    fn until_something_is_known_connections_are_reused_for_three_seconds() {
        let age = IdleAge::default();
        assert_eq!((age.limit(), age.learned()), (UNTIL_LEARNED, None));
    }

    #[test]
    fn a_connection_is_reused_below_four_fifths_of_the_age_that_was_seen() {
        let age = IdleAge::default();
        age.ended(Duration::from_secs(2));
        assert_eq!(ms(&age), 1600);
        age.ended(Duration::from_secs(1));
        assert_eq!(ms(&age), 800);
    }

    #[test]
    fn what_a_restart_taught_is_forgotten_step_by_step() {
        let age = IdleAge::default();
        age.ended(Duration::from_secs(5));
        age.ended(Duration::from_millis(20));
        assert_eq!(ms(&age), 4_000, "nobody closes an idle connection as soon as that");
        age.ended(Duration::from_millis(600));
        assert_eq!(ms(&age), 480);
        for _ in 0..12 {
            age.ended(Duration::from_secs(5));
        }
        assert!(ms(&age) > 3_500 && ms(&age) <= 4_000, "{}", ms(&age));
    }

    #[test]
    fn the_shorter_of_what_is_announced_and_what_is_seen_counts() {
        let age = IdleAge::default();
        age.announced(5);
        assert_eq!(ms(&age), 4_000);
        age.ended(Duration::from_secs(1));
        assert_eq!(ms(&age), 800);
        let liar = IdleAge::default();
        liar.announced(u32::MAX);
        assert!(liar.learned().is_some());
        liar.ended(LONGEST_WATCH);
        assert_eq!(liar.learned(), Some(LONGEST_WATCH));
    }

    #[test]
    fn a_connection_that_is_still_open_only_ever_raises_the_age() {
        let age = IdleAge::default();
        age.outlived(Duration::from_secs(2));
        assert_eq!(age.learned(), None);
        age.outlived(Duration::from_secs(10));
        assert_eq!(ms(&age), 8_000);
        age.outlived(Duration::from_secs(4));
        assert_eq!(ms(&age), 8_000);
        age.outlived(Duration::from_secs(20));
        assert_eq!(ms(&age), 10_000);
    }
}
