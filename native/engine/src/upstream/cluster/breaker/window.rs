//! What happened within the last so many seconds: ten buckets of exact counts, the newest still filling.
//!
//! Buckets and not a decaying average, so that what is counted does not depend on how many requests there are.

use std::time::{Duration, Instant};

const BUCKETS: usize = 10;

/// Requests, and those of them that count against the endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) total: u32,
    pub(super) against: u32,
}

impl Counts {
    /// Those that count against it, in percent.
    pub(super) fn percent(self) -> f64 {
        if self.total == 0 { 0.0 } else { f64::from(self.against) * 100.0 / f64::from(self.total) }
    }
}

/// A window that moves with time by a tenth of its length.
#[derive(Debug, Default)]
pub(super) struct Window {
    length: Duration,
    begin: Option<Instant>,
    /// Number of the bucket that is filling, since `begin`.
    newest: u64,
    buckets: [Counts; BUCKETS],
}

impl Window {
    /// Counts one request, and returns what the window holds with it. A window of another length than before begins
    /// anew. A moment before the newest bucket, from a thread whose pass is older, counts as that bucket's.
    pub(super) fn count(&mut self, length: Duration, now: Instant, against: bool) -> Counts {
        if self.length != length {
            *self = Self { length, ..Self::default() };
        }
        let begin = *self.begin.get_or_insert(now);
        let bucket_nanos = (length.as_nanos() / BUCKETS as u128).max(1);
        let number = u64::try_from(now.saturating_duration_since(begin).as_nanos() / bucket_nanos).unwrap_or(u64::MAX);
        let passed = number.saturating_sub(self.newest);
        for step in 1..=passed.min(BUCKETS as u64) {
            if let Some(bucket) = self.buckets.get_mut(((self.newest + step) % BUCKETS as u64) as usize) {
                *bucket = Counts::default();
            }
        }
        if passed > BUCKETS as u64 {
            self.buckets = [Counts::default(); BUCKETS];
        }
        self.newest += passed;
        if let Some(bucket) = self.buckets.get_mut((self.newest % BUCKETS as u64) as usize) {
            bucket.total = bucket.total.saturating_add(1);
            bucket.against = bucket.against.saturating_add(against.into());
        }
        self.buckets.iter().fold(Counts::default(), |sum, bucket| Counts {
            total: sum.total.saturating_add(bucket.total),
            against: sum.against.saturating_add(bucket.against),
        })
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self { length: self.length, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(10);

    proptest! {
        #[test]
        fn it_holds_exactly_what_fell_into_its_ten_buckets(
            requests in prop::collection::vec((0..3_000_u64, any::<bool>()), 1..80),
        ) {
            let begin = Instant::now();
            let mut window = Window::default();
            let (mut at, mut all) = (0, Vec::new());
            for (step, against) in requests {
                at += if all.is_empty() { 0 } else { step };
                all.push((at, against));
                let counts = window.count(LENGTH, begin + Duration::from_millis(at), against);
                let held: Vec<_> = all.iter().filter(|(when, _)| when / 1_000 + 10 > at / 1_000).collect();
                prop_assert_eq!(counts.total as usize, held.len());
                prop_assert_eq!(counts.against as usize, held.iter().filter(|(_, against)| *against).count());
            }
        }
    }

    #[test]
    fn another_length_and_a_long_silence_begin_anew() {
        let begin = Instant::now();
        let mut window = Window::default();
        window.count(LENGTH, begin, true);
        assert_eq!(window.count(LENGTH / 2, begin, false), Counts { total: 1, against: 0 });
        let later = begin + Duration::from_secs(1_000_000_000);
        assert_eq!(window.count(LENGTH / 2, later, true), Counts { total: 1, against: 1 });
        assert_eq!(window.count(LENGTH / 2, begin, true), Counts { total: 2, against: 2 });
    }
}
