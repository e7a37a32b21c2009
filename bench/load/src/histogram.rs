//! Latencies, log-linear: 256 steps per power of two, so a percentile is right within 0.4 %, in fixed memory.

use std::time::Duration;

const STEP_BITS: u32 = 8;
const STEPS: u64 = 1 << STEP_BITS;
/// 2^40 ns is 18 minutes, longer than any run here.
const LONGEST_NS: u64 = (1 << 40) - 1;

pub(crate) struct Histogram {
    counts: Vec<u32>,
    total: u64,
    max_ns: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; slot_of(LONGEST_NS) + 1], total: 0, max_ns: 0 }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).min(LONGEST_NS);
        if let Some(count) = self.counts.get_mut(slot_of(ns)) {
            *count += 1;
        }
        self.total += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn max_us(&self) -> f64 {
        self.max_ns as f64 / 1e3
    }

    /// The latency in µs that `share` of the answers (0.99 is p99) did not exceed.
    pub(crate) fn percentile_us(&self, share: f64) -> f64 {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (slot, &count) in self.counts.iter().enumerate() {
            seen += u64::from(count);
            if seen >= rank {
                return (middle_of(slot) as f64).min(self.max_ns as f64) / 1e3;
            }
        }
        self.max_us()
    }
}

fn slot_of(ns: u64) -> usize {
    let power = (u64::BITS - ns.leading_zeros()).saturating_sub(STEP_BITS + 1);
    let step = ns >> power;
    (u64::from(power) * STEPS + step) as usize
}

/// The middle of a slot's range: the inverse of `slot_of`.
fn middle_of(slot: usize) -> u64 {
    let slot = slot as u64;
    if slot < 2 * STEPS {
        return slot;
    }
    let power = slot / STEPS - 1;
    let low = (slot - power * STEPS) << power;
    low + (1 << power) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_within_half_a_percent_of_what_fell_into_it() {
        for power in 0..39 {
            for ns in [1_u64 << power, (1 << power) + (1 << power) / 3, (2 << power) - 1] {
                let middle = middle_of(slot_of(ns));
                assert!(middle.abs_diff(ns) as f64 <= ns as f64 * 0.004, "{ns} became {middle}");
            }
        }
    }

    #[test]
    fn slots_grow_with_the_latency() {
        let mut last = 0;
        for ns in 0..100_000 {
            let slot = slot_of(ns);
            assert!(slot == last || slot == last + 1, "{ns} jumped from {last} to {slot}");
            last = slot;
        }
    }

    #[test]
    fn percentiles_of_a_thousand_even_latencies_are_their_ranks() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|us| histogram.record(Duration::from_micros(us)));
        for (share, us) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (0.999, 999.0)] {
            assert!((histogram.percentile_us(share) - us).abs() / us < 0.005, "{share}");
        }
        assert_eq!(histogram.max_us(), 1000.0);
        assert_eq!(histogram.total(), 1000);
    }
}
