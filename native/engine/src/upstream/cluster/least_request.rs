//! Least request: of some members drawn by chance, or of all, the one with the fewest exchanges under way over all workers.
//!
//! Members are compared by exchanges per weight: idle endpoints get their share, busy ones less, which settles where a
//! weight divided by one more than its active requests is the same everywhere. With a bias chance decides between those
//! that are drawn, by Envoy's weight over (active + 1)^bias, where one that is a little busier keeps a part of its share.

use std::sync::atomic::Ordering;

use super::choices::{another, least, scored};
use super::draw::Draw;
use super::slow_start::{self, warmth};
use super::{random, round_robin};
use crate::snapshot::{Member, SlowStart};

/// The less busy of the members drawn; `None` when there is none.
pub(super) fn draw(draw: &mut Draw<'_>, choices: u8, slow_start: Option<SlowStart>) -> Option<u32> {
    least(draw, choices, slow_start, |draw, member| load(draw, member, slow_start))
}

/// The least busy of all; of several the first from a place that takes its turn.
pub(super) fn draw_of_all(draw: &mut Draw<'_>, slow_start: Option<SlowStart>) -> Option<u32> {
    let picky = draw.is_picky();
    let from = slow_start::draw(draw, slow_start, round_robin::draw)?;
    let mut best = (from, f32::INFINITY);
    for index in (from..draw.set.len()).chain(0..from) {
        let Some(member) = draw.set.member(index).filter(|member| !picky || draw.may_use(member)) else { continue };
        let load = load(draw, member, slow_start);
        if load < best.1 {
            best = (index, load);
        }
    }
    let known = draw.set.member(best.0).map_or(best.0, |member| member.index);
    draw.candidates.push(known, best.1);
    Some(best.0)
}

/// One of the members drawn, by chance: the busier the less likely.
pub(super) fn draw_biased(draw: &mut Draw<'_>, choices: u8, bias: f32, slow_start: Option<SlowStart>) -> Option<u32> {
    let picky = draw.is_picky();
    let likeliness = |_: &Draw<'_>, member: &Member| {
        let active = member.endpoint.active.load(Ordering::Relaxed);
        (active as f32 + 1.0).powf(bias)
    };
    let mut best = slow_start::draw(draw, slow_start, random::draw)?;
    if draw.set.len() == 1 {
        return Some(best);
    }
    let weighted = draw.set.total_weight().is_some();
    let first = scored(draw, best, picky, &likeliness);
    // Where there is a next one always, each stays with the chance that its part of the sum has (a reservoir of one).
    let mut sum = first.recip();
    for _ in 1..choices.max(2) {
        // Drawn by weight, the same one may come twice: shares would be lost where all members are always drawn.
        let next =
            if weighted { slow_start::draw(draw, slow_start, random::draw)? } else { another(draw, best, slow_start) };
        let score = scored(draw, next, picky, &likeliness);
        sum += score.recip();
        if sum > 0.0 && draw.random.f32() * sum < score.recip() {
            best = next;
        }
    }
    Some(best)
}

/// Exchanges under way per weight.
#[inline]
fn load(draw: &Draw<'_>, member: &Member, slow_start: Option<SlowStart>) -> f32 {
    let load = member.endpoint.active.load(Ordering::Relaxed) as f32 / member.weight as f32;
    slow_start.map_or(load, |settings| load / warmth(settings, &member.endpoint, draw.now))
}
