//! What an endpoint's answers cost in time, with peaks remembered: a moving average that jumps up at once and comes down
//! slowly (Finagle's `PeakEwma`; decays as in linkerd2's `tower::load::PeakEwma`).
//!
//! One word, shared by all workers without a lock: average and moment are read and written together. Reading decays it as
//! an observation of zero would, without writing: `exp(-a) exp(-b)` is `exp(-(a + b))`.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Moment;

/// An endpoint's average; nothing is known at first.
#[derive(Default)]
pub struct Cost(AtomicU64);

impl Cost {
    /// The average as of now, µs; `None` before the first observation.
    #[inline]
    pub fn at(&self, now: Moment, decay_ms: u32) -> Option<f32> {
        let (average, noted) = unpacked(self.0.load(Ordering::Relaxed))?;
        let elapsed = elapsed_ms(noted, now);
        Some(if elapsed == 0 { average } else { average * weight(elapsed, decay_ms) })
    }

    /// Something took so many µs. `unknown` stands for what came before the first observation.
    pub fn observe(&self, took_us: f32, now: Moment, decay_ms: u32, unknown_us: f32) {
        // What another worker observes at the same moment is an update of its own: none is lost.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
            let (average, noted) = unpacked(known).unwrap_or((unknown_us, now.0 as u32));
            let average = if took_us >= average {
                took_us
            } else {
                let weight = weight(elapsed_ms(noted, now), decay_ms);
                average * weight + took_us * (1.0 - weight)
            };
            Some(packed(average, now))
        });
    }
}

/// The lower half is the moment, cut to 32 bits: 49 days, in which an average that nobody touched is worth nothing.
fn packed(average: f32, now: Moment) -> u64 {
    // At least a little, so that the word is never that of an unknown one.
    u64::from(average.max(f32::MIN_POSITIVE).to_bits()) << 32 | now.0 & u64::from(u32::MAX)
}

fn unpacked(word: u64) -> Option<(f32, u32)> {
    (word != 0).then(|| (f32::from_bits((word >> 32) as u32), word as u32))
}

/// A worker's clock may be behind that of the one that wrote.
fn elapsed_ms(noted: u32, now: Moment) -> u32 {
    let elapsed = (now.0 as u32).wrapping_sub(noted);
    if elapsed > u32::MAX / 2 { 0 } else { elapsed }
}

fn weight(elapsed_ms: u32, decay_ms: u32) -> f32 {
    (-(elapsed_ms as f32) / decay_ms.max(1) as f32).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: u32 = 10_000;

    fn at(cost: &Cost, ms: u64) -> f32 {
        cost.at(Moment(ms), DECAY).unwrap()
    }

    #[test]
    fn a_peak_counts_at_once_and_fades_with_time() {
        let cost = Cost::default();
        assert_eq!(cost.at(Moment(1), DECAY), None);
        cost.observe(1_000.0, Moment(1), DECAY, 30_000.0);
        assert_eq!(at(&cost, 1), 30_000.0, "until time has passed the first answer says little");
        cost.observe(500_000.0, Moment(1), DECAY, 30_000.0);
        assert_eq!(at(&cost, 1), 500_000.0);
        assert!((at(&cost, 10_001) / 500_000.0 - (-1.0_f32).exp()).abs() < 1e-5);
        cost.observe(1_000.0, Moment(10_001), DECAY, 30_000.0);
        let expected = 500_000.0 * (-1.0_f32).exp() + 1_000.0 * (1.0 - (-1.0_f32).exp());
        assert!((at(&cost, 10_001) / expected - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_clock_that_is_behind_decays_nothing() {
        let cost = Cost::default();
        cost.observe(9.0, Moment(500), DECAY, 1.0);
        assert_eq!(at(&cost, 400), 9.0);
        cost.observe(0.0, Moment(500), DECAY, 1.0);
        assert_eq!(at(&cost, 500), 9.0);
    }

    #[test]
    fn the_moment_may_wrap() {
        let cost = Cost::default();
        let late = u64::from(u32::MAX) - 10;
        cost.observe(100.0, Moment(late), DECAY, 1.0);
        assert!((at(&cost, late + 10_000) / 100.0 - (-1.0_f32).exp()).abs() < 1e-5);
    }
}
