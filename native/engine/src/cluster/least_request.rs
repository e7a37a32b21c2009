//! Least request: of some members drawn by chance, the one with the fewest exchanges under way over all workers
//! (Mitzenmacher, "The power of two choices in randomized load balancing", 2001).
//!
//! With weights, members are drawn by weight and compared by exchanges per weight: idle endpoints get their share, busy
//! ones less, which settles where a weight divided by one more than its active requests is the same everywhere.

use std::sync::atomic::Ordering;

use super::draw::Draw;
use super::random;

/// The least busy of the members drawn; `None` when there is none.
pub(super) fn draw(draw: &mut Draw<'_>, choices: u8) -> Option<u32> {
    let picky = draw.is_picky();
    let mut best = random::draw(draw)?;
    if draw.set.len() == 1 {
        return Some(best);
    }
    let mut load = load(draw, best, picky);
    draw.compared(best, load);
    for _ in 1..choices.max(2) {
        let next = another(draw, best);
        let other = self::load(draw, next, picky);
        draw.compared(next, other);
        if other < load {
            (best, load) = (next, other);
        }
    }
    Some(best)
}

/// A member that is not `first`, which may come twice only where its weight leaves hardly anything to the others.
fn another(draw: &mut Draw<'_>, first: u32) -> u32 {
    match draw.set.total_weight() {
        None => {
            let next = draw.random.u32(..draw.set.len() - 1);
            next + u32::from(next >= first)
        }
        Some(_) => {
            let next = random::draw(draw).unwrap_or(first);
            if next == first { random::draw(draw).unwrap_or(first) } else { next }
        }
    }
}

/// Exchanges under way per weight; infinite for a member that may not be used.
fn load(draw: &Draw<'_>, index: u32, picky: bool) -> f32 {
    match draw.set.member(index) {
        Some(member) if !picky || draw.is_usable(index) => {
            member.endpoint.active.load(Ordering::Relaxed) as f32 / member.weight as f32
        }
        _ => f32::INFINITY,
    }
}
