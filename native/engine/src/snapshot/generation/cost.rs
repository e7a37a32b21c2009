//! What an endpoint's answers cost in time, with peaks remembered: a moving average that jumps up at once and comes down
//! slowly (Finagle's `PeakEwma`; decays as in linkerd2's `tower::load::PeakEwma`).
//!
//! One word, shared by all workers without a lock: average and moment are read and written together. Reading decays it as
//! an observation of zero would, without writing: `exp(-a) exp(-b)` is `exp(-(a + b))`.

use std::f32::consts::{LN_2, LOG2_E};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Moment;

/// An endpoint's average; nothing is known at first.
#[derive(Default)]
pub struct Cost(AtomicU64);

impl Cost {
    /// The average as of now, µs; `None` before the first observation.
    #[inline]
    pub fn at(&self, now: Moment, decay: Decay) -> Option<f32> {
        let (average, noted) = unpacked(self.0.load(Ordering::Relaxed))?;
        Some(average * decay.left_after(elapsed_ms(noted, now)))
    }

    /// Something took so many µs. `unknown` stands for what came before the first observation.
    pub fn observe(&self, took_us: f32, now: Moment, decay: Decay, unknown_us: f32) {
        // What another worker observes at the same moment is an update of its own: none is lost.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
            let (average, noted) = unpacked(known).unwrap_or((unknown_us, now.0 as u32));
            let average = if took_us >= average {
                took_us
            } else {
                let weight = decay.left_after(elapsed_ms(noted, now));
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

/// Not below 0: a worker's clock may be behind that of the one that wrote.
fn elapsed_ms(noted: u32, now: Moment) -> i32 {
    ((now.0 as u32).wrapping_sub(noted) as i32).max(0)
}

/// How fast an average fades: by `e` in so many milliseconds. A division once, so that none is needed for each endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    halvings_per_ms: f32,
}

impl Decay {
    /// By `e` in this time.
    #[inline]
    pub fn of(decay_ms: u32) -> Self {
        Self { halvings_per_ms: LOG2_E / decay_ms.max(1) as f32 }
    }

    /// The part that is left after a time; exactly 1 after none.
    #[inline]
    fn left_after(self, elapsed_ms: i32) -> f32 {
        halved(elapsed_ms as f32 * self.halvings_per_ms)
    }
}

/// `2^-times`, with a relative error below 4e-6, for `times` from 0 on; 2^-125 at least. No call, no conversion, no branch:
/// the nearest power of two goes to the exponent, Taylor's series gives the rest, at most half an octave.
#[inline]
fn halved(times: f32) -> f32 {
    // From here on a number has no bits behind the point, and its lowest bits are those of an integer.
    const INTEGERS: f32 = 1.5 * (1 << 23) as f32;
    let times = times.min(125.0);
    let shifted = times + INTEGERS;
    let rest = (shifted - INTEGERS - times) * LN_2;
    let square = rest * rest;
    let series = (1.0 + rest) + square * ((0.5 + rest * (1.0 / 6.0)) + square * (1.0 / 24.0 + rest * (1.0 / 120.0)));
    series * f32::from_bits((127_u32 << 23).wrapping_sub(shifted.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY_MS: u32 = 10_000;

    fn at(cost: &Cost, ms: u64) -> f32 {
        cost.at(Moment(ms), Decay::of(DECAY_MS)).unwrap()
    }

    #[test]
    fn a_peak_counts_at_once_and_fades_with_time() {
        let (cost, decay) = (Cost::default(), Decay::of(DECAY_MS));
        assert_eq!(cost.at(Moment(1), decay), None);
        cost.observe(1_000.0, Moment(1), decay, 30_000.0);
        assert_eq!(at(&cost, 1), 30_000.0, "until time has passed the first answer says little");
        cost.observe(500_000.0, Moment(1), decay, 30_000.0);
        assert_eq!(at(&cost, 1), 500_000.0);
        assert!((at(&cost, 10_001) / 500_000.0 - (-1.0_f32).exp()).abs() < 1e-5);
        cost.observe(1_000.0, Moment(10_001), decay, 30_000.0);
        let expected = 500_000.0 * (-1.0_f32).exp() + 1_000.0 * (1.0 - (-1.0_f32).exp());
        assert!((at(&cost, 10_001) / expected - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_clock_that_is_behind_decays_nothing() {
        let (cost, decay) = (Cost::default(), Decay::of(DECAY_MS));
        cost.observe(9.0, Moment(500), decay, 1.0);
        assert_eq!(at(&cost, 400), 9.0);
        cost.observe(0.0, Moment(500), decay, 1.0);
        assert_eq!(at(&cost, 500), 9.0);
    }

    #[test]
    fn the_moment_may_wrap() {
        let (cost, decay) = (Cost::default(), Decay::of(DECAY_MS));
        let late = u64::from(u32::MAX) - 10;
        cost.observe(100.0, Moment(late), decay, 1.0);
        assert!((at(&cost, late + 10_000) / 100.0 - (-1.0_f32).exp()).abs() < 1e-5);
    }
    #[test]
    fn what_is_left_is_the_exponential_within_its_stated_error() {
        for decay_ms in [1, 7, 1_000, 10_000, u32::MAX] {
            for elapsed in (0..200_000).step_by(13).chain([i32::MAX]) {
                let exact = (-f64::from(elapsed) / f64::from(decay_ms)).exp();
                let left = f64::from(Decay::of(decay_ms).left_after(elapsed));
                // The argument itself is rounded to 24 bits, which an exponential multiplies by its size.
                let bound = 4e-6 + 2e-7 * f64::from(elapsed) / f64::from(decay_ms);
                let holds = (left / exact - 1.0).abs() < bound || exact < 3e-38 && left < 3e-38;
                assert!(holds, "{elapsed} ms of {decay_ms}: {left} for {exact}");
            }
        }
        assert_eq!(Decay::of(10_000).left_after(0), 1.0);
    }
}
