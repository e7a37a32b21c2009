//! The arithmetic of one bucket: its word says when it will be full again.
//!
//! Invariant: of however many threads that ask at once, exactly as many are granted a token as there are tokens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Fraction bits of a tick: 1/64 ns, so that rates that do not divide a second evenly stay exact to 10⁻⁶ up to a
/// million tokens a second. A clock of 64 bits then lasts nine years.
pub(super) const FRACTION_BITS: u32 = 6;

/// The longest time from empty to full, in ticks: two years. More would come near the end of the clock.
const LONGEST: u64 = 1 << 62;

/// A moment on a bucket's own clock, which starts when the bucket is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(pub(super) u64);

impl Ticks {
    /// The moment `now` on a clock that began at `began`; the beginning itself for anything earlier.
    pub fn since(began: Instant, now: Instant) -> Self {
        let nanos = u64::try_from(now.saturating_duration_since(began).as_nanos()).unwrap_or(u64::MAX);
        Self(nanos.saturating_mul(1 << FRACTION_BITS))
    }
}

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    tokens: u32,
    /// Ticks that one token takes to come.
    interval: u64,
    /// Ticks from empty to full.
    depth: u64,
    /// Ticks that a request may wait for its token.
    patience: u64,
}

/// What came of asking for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Granted. `left` tokens remain; the bucket is full again after `full_in`.
    Granted {
        /// Tokens that remain.
        left: u32,
        /// Until the bucket is full.
        full_in: Duration,
        /// Until the token is there; zero where nothing waits.
        wait: Duration,
    },
    /// Refused: the next token comes after this long.
    Refused {
        /// Until the next token.
        wait: Duration,
    },
}

impl Rate {
    /// `tokens` when full; `refill` of them come back, evenly spread, in each `every`.
    pub fn new(tokens: u32, refill: u32, every: Duration) -> Self {
        let tokens = tokens.max(1);
        let ticks = every.as_nanos() << FRACTION_BITS;
        let interval = (ticks / u128::from(refill.max(1))).clamp(1, (LONGEST / u64::from(tokens)).into());
        let interval = u64::try_from(interval).unwrap_or(LONGEST);
        Self { tokens, interval, depth: interval.saturating_mul(tokens.into()), patience: 0 }
    }

    /// The same where a request waits for its token, at most so long: a leaky bucket (Turner 1986) behind the burst.
    pub fn patient(self, max_wait: Duration) -> Self {
        let ticks = u64::try_from(max_wait.as_nanos() << FRACTION_BITS).unwrap_or(LONGEST);
        Self { patience: ticks.min(LONGEST), ..self }
    }

    /// The same with tokens that come more slowly: the bucket holds as long a time, thus fewer of them, at least one.
    pub(super) fn slowed(&self, interval: u64) -> Self {
        let interval = interval.clamp(self.interval, LONGEST);
        let depth = self.depth.max(interval);
        Self { tokens: u32::try_from(depth / interval).unwrap_or(u32::MAX), interval, depth, patience: self.patience }
    }

    /// Ticks that one token takes to come.
    pub(super) fn interval(&self) -> u64 {
        self.interval
    }

    /// Ticks from empty to full.
    pub(super) fn depth(&self) -> u64 {
        self.depth
    }

    /// Tokens when full.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Takes a token out of the bucket behind `word`; 0 is a full bucket.
    pub fn take(&self, word: &AtomicU64, now: Ticks) -> Taken {
        self.take_before(word, now, 0)
    }

    /// The same as if the bucket held so many ticks less: they are left to others.
    pub(super) fn take_before(&self, word: &AtomicU64, now: Ticks, reserved: u64) -> Taken {
        let shallow = Self { depth: self.depth.saturating_sub(reserved).max(self.interval), ..*self };
        let mut full_at = word.load(Ordering::Relaxed);
        loop {
            let (next, taken) = shallow.after(full_at, now);
            let Some(next) = next else { return taken };
            match word.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return taken,
                Err(seen) => full_at = seen,
            }
        }
    }

    /// Puts a token back.
    pub fn give_back(&self, word: &AtomicU64) {
        let less = |full_at: u64| Some(full_at.saturating_sub(self.interval));
        let _changed = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// What asking at `now` comes to, and the word afterwards; `None` when it stays.
    pub(super) fn after(&self, full_at: u64, now: Ticks) -> (Option<u64>, Taken) {
        let next = full_at.max(now.0).saturating_add(self.interval);
        let owed = next - now.0;
        let wait = owed.saturating_sub(self.depth);
        if wait > self.patience {
            return (None, Taken::Refused { wait: duration(wait - self.patience) });
        }
        let left = u32::try_from(self.depth.saturating_sub(owed) / self.interval).unwrap_or(u32::MAX);
        (Some(next), Taken::Granted { left, full_in: duration(owed), wait: duration(wait) })
    }
}

pub(super) fn duration(ticks: u64) -> Duration {
    Duration::from_nanos(ticks >> FRACTION_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(nanos: u64) -> Ticks {
        Ticks(nanos << FRACTION_BITS)
    }

    fn granted(taken: Taken) -> bool {
        matches!(taken, Taken::Granted { .. })
    }

    #[test]
    fn a_full_bucket_gives_its_tokens_at_once_and_then_one_for_each_interval() {
        let (rate, word) = (Rate::new(3, 2, SECOND), AtomicU64::new(0));
        let start = 10 * SECOND.as_nanos() as u64;
        for left in [2, 1, 0] {
            assert!(matches!(rate.take(&word, at(start)), Taken::Granted { left: now, .. } if now == left));
        }
        assert_eq!(rate.take(&word, at(start)), Taken::Refused { wait: SECOND / 2 });
        assert_eq!(rate.take(&word, at(start + 499_999_999)), Taken::Refused { wait: Duration::from_nanos(1) });
        assert!(granted(rate.take(&word, at(start + 500_000_000))));
        assert!(!granted(rate.take(&word, at(start + 500_000_000))));
    }

    #[test]
    fn a_token_that_is_put_back_can_be_taken_again() {
        let (rate, word) = (Rate::new(1, 1, SECOND), AtomicU64::new(0));
        assert!(granted(rate.take(&word, at(5))));
        assert!(!granted(rate.take(&word, at(5))));
        rate.give_back(&word);
        assert!(granted(rate.take(&word, at(5))));
    }

    #[test]
    fn a_clock_that_seems_to_go_back_gives_nothing_away() {
        let (rate, word) = (Rate::new(2, 1, SECOND), AtomicU64::new(0));
        let start = 100 * SECOND.as_nanos() as u64;
        assert!(granted(rate.take(&word, at(start))) && granted(rate.take(&word, at(start))));
        assert!(!granted(rate.take(&word, at(start / 2))));
        assert!(!granted(rate.take(&word, at(0))));
    }

    #[test]
    fn extreme_definitions_neither_overflow_nor_divide_by_zero() {
        for rate in [
            Rate::new(u32::MAX, 1, Duration::from_millis(u32::MAX.into())),
            Rate::new(1, u32::MAX, Duration::from_millis(1)),
            Rate::new(0, 0, Duration::ZERO),
        ] {
            let word = AtomicU64::new(0);
            assert!(granted(rate.take(&word, Ticks(0))), "{rate:?}");
            assert!(granted(rate.take(&AtomicU64::new(0), Ticks(u64::MAX))), "{rate:?}");
        }
    }

    #[test]
    fn requests_that_may_wait_go_one_by_one_and_those_behind_the_longest_wait_are_refused() {
        let (rate, word) = (Rate::new(1, 10, SECOND).patient(Duration::from_millis(250)), AtomicU64::new(0));
        let start = SECOND.as_nanos() as u64;
        let waits: Vec<Option<u128>> = (0..5)
            .map(|_| match rate.take(&word, at(start)) {
                Taken::Granted { wait, .. } => Some(wait.as_millis()),
                Taken::Refused { .. } => None,
            })
            .collect();
        assert_eq!(waits, [Some(0), Some(100), Some(200), None, None]);
        assert_eq!(rate.take(&word, at(start)), Taken::Refused { wait: Duration::from_millis(50) });
        let later = at(start + 50_000_000);
        assert!(matches!(rate.take(&word, later), Taken::Granted { wait, .. } if wait == Duration::from_millis(250)));
    }

    proptest! {
        /// Against counting by hand: never more than tokens + elapsed/interval, and never a refusal while one is left.
        #[test]
        fn any_sequence_of_requests_is_granted_what_a_counted_bucket_would_grant(
            tokens in 1_u32..50,
            refill in 1_u32..50,
            steps in proptest::collection::vec(0_u64..2_000_000_000, 1..200),
        ) {
            let (rate, word) = (Rate::new(tokens, refill, SECOND), AtomicU64::new(0));
            // Tokens in units of 1/interval, so that the count is exact.
            let full = u128::from(rate.interval) * u128::from(tokens);
            let (mut level, mut now) = (full, 0_u64);
            for step in steps {
                now += step;
                level = full.min(level + (u128::from(step) << FRACTION_BITS));
                let expected = level >= u128::from(rate.interval);
                prop_assert_eq!(granted(rate.take(&word, at(now))), expected);
                if expected {
                    level -= u128::from(rate.interval);
                }
            }
        }
    }

    #[test]
    fn threads_that_ask_at_once_are_granted_exactly_the_tokens_there_are() {
        let (rate, word) = (Rate::new(100, 1, Duration::from_secs(3600)), AtomicU64::new(0));
        let began = Instant::now();
        let count = |_| (0..2_500).filter(|_| granted(rate.take(&word, Ticks::since(began, Instant::now())))).count();
        let granted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || count(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(granted, 100);
    }
}
