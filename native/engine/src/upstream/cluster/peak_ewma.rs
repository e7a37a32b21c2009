//! Peak EWMA: of some members drawn by chance, the one with the least latency times exchanges under way (Finagle's
//! `PeakEwma`, linkerd2's `tower::load::PeakEwma`).
//!
//! The latency is a moving average that jumps to a peak at once and decays with time, so that one slow answer is enough to
//! be spared and time to be tried again. What failed counts as slow (linkerd2's load biaser): who fails fast would seem
//! quick otherwise, and draw everybody's requests.

use std::sync::atomic::Ordering;

use super::choices::least;
use super::draw::Draw;
use super::heard::Heard;
use super::slow_start::warmth;
use crate::snapshot::{Decay, Endpoint, Moment, SlowStart};

/// An endpoint may not ask to be spared for longer.
const LONGEST_RETRY_AFTER_MS: u32 = 300_000;

/// What the average is made by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) decay_ms: u32,
    pub(super) default_rtt_ms: u32,
    pub(super) penalty_ms: u32,
}

/// The member drawn that promises the soonest answer; `None` when there is none.
pub(super) fn draw(draw: &mut Draw<'_>, choices: u8, settings: Settings, slow_start: Option<SlowStart>) -> Option<u32> {
    let (decay, unknown_us) = (Decay::of(settings.decay_ms), default_us(settings));
    // With weights, exchanges under way count as many as they would be at an endpoint of the mean weight.
    let mean = draw.set.total_weight().map(|total| total as f32 / draw.set.len() as f32);
    least(draw, choices, slow_start, move |draw, member| {
        let endpoint = &*member.endpoint;
        let cost = endpoint.cost.at(draw.now, decay).unwrap_or(unknown_us);
        let mut active = endpoint.active.load(Ordering::Relaxed) as f32;
        if let Some(mean) = mean {
            active *= mean / member.weight as f32;
        }
        if let Some(slow_start) = slow_start {
            active /= warmth(slow_start, endpoint, draw.now);
        }
        cost * (active + 1.0)
    })
}

/// An attempt has ended: its time counts, or what its failure is held for.
pub(super) fn hear(endpoint: &Endpoint, heard: &Heard, now: Moment, settings: Settings) {
    let penalty_us = settings.penalty_ms as f32 * 1000.0;
    let took_us = match *heard {
        Heard::Answer { status, first_byte_us, retry_after_s } if status >= 500 || status == 429 => {
            let asked = retry_after_s.map_or(0, |s| s.saturating_mul(1000).min(LONGEST_RETRY_AFTER_MS));
            (first_byte_us as f32).max(penalty_us).max(asked as f32 * 1000.0)
        }
        Heard::Answer { first_byte_us, .. } | Heard::Overtaken { after_us: first_byte_us } => first_byte_us as f32,
        // A failure that took its time, a timeout, counts as what it took.
        Heard::Failure { took_us, .. } => (took_us as f32).max(penalty_us),
        Heard::Stale => return,
    };
    endpoint.cost.observe(took_us, now, Decay::of(settings.decay_ms), default_us(settings));
}

fn default_us(settings: Settings) -> f32 {
    settings.default_rtt_ms as f32 * 1000.0
}
