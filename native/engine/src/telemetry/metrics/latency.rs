//! Durations in bins of at most 3 % width, for percentiles of a route or an endpoint.
//!
//! Bins are log-linear, as in an HDR histogram: 32 equal steps between two powers of two. Invariants: 16 bytes until the
//! first duration, then 128 bytes for each power of two that occurs; counting never locks. A count of 32 bits wraps after
//! four thousand million durations of one bin, which readers that take differences do not notice.

use serde::ser::{Serialize, Serializer};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Steps between two powers of two.
const STEPS: usize = 32;
/// Of which the first holds 0 to 31 µs, one step each, and the last ends at 71 minutes.
const OCTAVES: usize = 28;

type Octave = [AtomicU32; STEPS];

/// Counts of durations, readable from any thread.
#[derive(Debug, Default)]
pub struct Latency {
    octaves: OnceLock<Box<[OnceLock<Box<Octave>>; OCTAVES]>>,
}

impl Latency {
    /// Counts a duration, by the only thread that counts here.
    pub fn count(&self, us: u32) {
        if let Some(bin) = self.bin(us) {
            bin.store(bin.load(Relaxed).wrapping_add(1), Relaxed);
        }
    }

    /// Counts a duration, by one of several threads.
    pub fn count_shared(&self, us: u32) {
        if let Some(bin) = self.bin(us) {
            bin.fetch_add(1, Relaxed);
        }
    }

    /// What was counted, which is forgotten here. What is counted meanwhile is in one of both.
    pub fn drain(&self) -> Bins {
        let mut bins = Bins::default();
        bins.sum(self, |count| if count.load(Relaxed) == 0 { 0 } else { count.swap(0, Relaxed) });
        bins
    }

    #[inline]
    fn bin(&self, us: u32) -> Option<&AtomicU32> {
        let (octave, step) = place(us);
        let octaves = self.octaves.get_or_init(|| Box::new([const { OnceLock::new() }; OCTAVES]));
        octaves.get(octave)?.get_or_init(|| Box::new([const { AtomicU32::new(0) }; STEPS])).get(step)
    }
}

/// The bin of a duration.
#[inline]
fn place(us: u32) -> (usize, usize) {
    let octave = (us | 31).ilog2() as usize - 4;
    (octave, (us >> octave.saturating_sub(1)) as usize % STEPS)
}

/// The middle of a bin, µs.
fn middle(octave: usize, step: usize) -> u64 {
    match octave.checked_sub(1) {
        None => step as u64,
        Some(shift) => ((STEPS + step) as u64) << shift | (1 << shift) >> 1,
    }
}

/// Sums of bins: pairs of a duration (the middle of its bin, µs) and how often it was seen, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bins(std::collections::BTreeMap<u64, u64>);

impl Bins {
    /// Adds what was counted.
    pub fn add(&mut self, latency: &Latency) {
        self.sum(latency, |count| count.load(Relaxed));
    }

    fn sum(&mut self, latency: &Latency, read: impl Fn(&AtomicU32) -> u32) {
        let Some(octaves) = latency.octaves.get() else { return };
        for (octave, steps) in octaves.iter().enumerate() {
            for (step, count) in steps.get().into_iter().flat_map(|steps| steps.iter().enumerate()) {
                let count = read(count);
                if count > 0 {
                    *self.0.entry(middle(octave, step)).or_default() += u64::from(count);
                }
            }
        }
    }

    /// Adds what other bins hold.
    pub fn merge(&mut self, others: &Self) {
        for (us, count) in others.iter() {
            *self.0.entry(us).or_default() += count;
        }
    }

    /// Pairs of duration, µs, and count.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(us, count)| (*us, *count))
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The duration that so many percent of all stay within, µs; 0 where there is none.
    pub fn percentile(&self, percent: u32) -> u64 {
        let wanted = (self.count() * u64::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let within = self.iter().find(|(_, count)| {
            seen += count;
            seen >= wanted
        });
        within.map_or(0, |(us, _)| us)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Bins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(us: u32) -> u64 {
        let latency = Latency::default();
        latency.count(us);
        let mut bins = Bins::default();
        bins.add(&latency);
        let all: Vec<_> = bins.iter().collect();
        assert_eq!((all.len(), all[0].1), (1, 1), "{us}");
        all[0].0
    }

    #[test]
    fn short_durations_are_exact() {
        for us in 0..64 {
            assert_eq!(seen(us), u64::from(us));
        }
    }

    #[test]
    fn a_percentile_is_what_so_many_stay_within_and_draining_leaves_nothing() {
        let latency = Latency::default();
        (1..=20).for_each(|us| latency.count(us));
        let bins = latency.drain();
        assert_eq!([1, 50, 95, 100].map(|percent| bins.percentile(percent)), [1, 10, 19, 20]);
        assert_eq!((bins.count(), latency.drain().count(), Bins::default().percentile(50)), (20, 0, 0));
    }

    #[test]
    fn the_longest_duration_has_a_bin() {
        assert!(seen(u32::MAX).abs_diff(u64::from(u32::MAX)) < u64::from(u32::MAX / 32));
    }

    #[test]
    fn counts_of_several_threads_are_all_kept() {
        let latency = Latency::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|us| latency.count_shared(us)));
            }
        });
        let mut bins = Bins::default();
        bins.add(&latency);
        assert_eq!(bins.iter().map(|(_, count)| count).sum::<u64>(), 40_000);
    }

    proptest! {
        #[test]
        fn a_duration_is_at_most_three_percent_off(us in any::<u32>()) {
            prop_assert!(seen(us).abs_diff(us.into()) <= u64::from(us) / 32);
        }

        #[test]
        fn longer_durations_never_stand_in_lower_bins(a in any::<u32>(), b in any::<u32>()) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(seen(low) <= seen(high));
        }
    }
}
