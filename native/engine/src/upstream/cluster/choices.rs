//! The power of some choices: of members drawn by chance the one with the least score (Mitzenmacher, "The power of two
//! choices in randomized load balancing", 2001).
//!
//! Members are drawn by weight and by how warm they are; the score alone decides between those that are drawn.

use std::hint::select_unpredictable;

use super::draw::Draw;
use super::{random, slow_start};
use crate::snapshot::{Member, SlowStart};

/// Draws for one that is not the first: with a tenth of all shares that comes twice once in 10^8.
const REDRAWS: u32 = 8;

/// The member of the least score; `None` when there is none.
#[inline]
pub(super) fn least(
    draw: &mut Draw<'_>,
    choices: u8,
    slow_start: Option<SlowStart>,
    score: impl Fn(&Draw<'_>, &Member) -> f32,
) -> Option<u32> {
    let picky = draw.is_picky();
    let mut best = slow_start::draw(draw, slow_start, random::draw)?;
    if draw.set.len() == 1 {
        return Some(best);
    }
    let mut least = scored(draw, best, picky, &score);
    for _ in 1..choices.max(2) {
        let next = another(draw, best, slow_start);
        let other = scored(draw, next, picky, &score);
        // Which one it is cannot be foreseen: chosen without a branch.
        best = select_unpredictable(other < least, next, best);
        least = other.min(least);
    }
    Some(best)
}

/// A member's score, noted as compared; infinite for one that may not be used.
#[inline]
pub(super) fn scored(draw: &mut Draw<'_>, index: u32, picky: bool, score: &impl Fn(&Draw<'_>, &Member) -> f32) -> f32 {
    let set = draw.set;
    let Some(member) = set.member(index) else { return f32::INFINITY };
    let score = if !picky || draw.may_use(member) { score(draw, member) } else { f32::INFINITY };
    draw.candidates.push(member.index, score);
    score
}

/// A member that is not `first`, which may come twice only where its share leaves hardly anything to the others.
pub(super) fn another(draw: &mut Draw<'_>, first: u32, slow_start: Option<SlowStart>) -> u32 {
    if draw.set.total_weight().is_none() && slow_start.is_none() {
        let next = draw.random.u32(..draw.set.len() - 1);
        return next + u32::from(next >= first);
    }
    for _ in 0..REDRAWS {
        let next = slow_start::draw(draw, slow_start, random::draw).unwrap_or(first);
        if next != first {
            return next;
        }
    }
    first
}
