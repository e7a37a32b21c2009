//! Slow start: an endpoint that has just come gets a share that grows until its window is over.
//!
//! The share is kept by passing over a draw with the chance that is missing to the whole share, whatever draws: nothing
//! is made anew while the share grows. Formula: Envoy's `SlowStartConfig`.

use super::draw::Draw;
use crate::snapshot::{Endpoint, Moment, SlowStart};

/// Draws at most: with all but one of a hundred endpoints at a tenth, one in thirty picks is not as it should be.
const DRAWS: u32 = 32;

/// Draws until chance accepts who was drawn.
#[inline]
pub(super) fn draw(
    draw: &mut Draw<'_>,
    slow_start: Option<SlowStart>,
    from: impl Fn(&mut Draw<'_>) -> Option<u32>,
) -> Option<u32> {
    match slow_start {
        None => from(draw),
        Some(settings) => draw_warm(draw, settings, from),
    }
}

fn draw_warm(draw: &mut Draw<'_>, settings: SlowStart, from: impl Fn(&mut Draw<'_>) -> Option<u32>) -> Option<u32> {
    let mut drawn = from(draw)?;
    for _ in 1..DRAWS {
        let share = draw.set.member(drawn).map_or(1.0, |member| warmth(settings, &member.endpoint, draw.now));
        if share >= 1.0 || draw.random.f32() < share {
            break;
        }
        drawn = from(draw)?;
    }
    Some(drawn)
}

/// The part of its share that an endpoint gets now, above 0 and at most 1.
#[inline]
pub(super) fn warmth(settings: SlowStart, endpoint: &Endpoint, now: Moment) -> f32 {
    let Some(since) = endpoint.usable_since() else { return 1.0 };
    let SlowStart { window_ms, aggression, min_weight_percent } = settings;
    let passed = now.since(since);
    if passed >= u64::from(window_ms) {
        return 1.0;
    }
    let part = passed as f32 / window_ms as f32;
    let part = if aggression == 1.0 { part } else { part.powf(aggression.recip()) };
    part.max(min_weight_percent / 100.0)
}
