//! Ring hash and Maglev: the request's key chooses, by the table of the set.
//!
//! Where the one whose turn it is may not be used, or is over its bound, the key is hashed on and looked up again: the same
//! key then goes to the same other endpoint, and the keys of one endpoint spread over all others. Nobody else's keys move.
//! Bounded load: Mirrokni et al., "Consistent hashing with bounded loads", 2016, jumping instead of walking on, as in
//! Chen et al., "Revisiting consistent hashing with bounded loads", 2021, and as Envoy does.

use std::sync::atomic::Ordering;

use super::draw::Draw;

/// Times that a key is hashed on before the members are gone through one after the other.
const JUMPS: u64 = 32;

/// The member that the key chooses; `None` when there is none.
pub(super) fn draw(draw: &mut Draw<'_>, bounded_load: Option<u32>) -> Option<u32> {
    let len = draw.set.len();
    if len < 2 {
        return (len == 1).then_some(0);
    }
    let hash = draw.hash.unwrap_or_else(|| draw.random.u64(..));
    let picky = draw.is_picky();
    let bound = bounded_load.map(|percent| Bound::of(draw, percent));
    let own = holder(draw, hash);
    let takes = |draw: &Draw<'_>, index: u32| {
        (!picky || draw.is_usable(index)) && bound.as_ref().is_none_or(|bound| bound.fill(draw, index) <= 1.0)
    };
    if takes(draw, own) {
        return Some(own);
    }
    draw.moved = bound.is_some() && (!picky || draw.is_usable(own));
    let jumped = (1..=JUMPS).map(|jump| holder(draw, mix(hash, jump))).find(|next| takes(draw, *next));
    let all = (own..len).chain(0..own);
    jumped.or_else(|| all.clone().find(|next| takes(draw, *next))).or_else(|| {
        // Who may be used is full: the least full of them.
        let fill = |index: u32| bound.as_ref().map_or(0.0, |bound| bound.fill(draw, index));
        all.filter(|index| draw.is_usable(*index))
            .min_by(|one, other| fill(*one).total_cmp(&fill(*other)))
            .or(Some(own))
    })
}

/// Who the key belongs to. A set without a table is of a moment in which the balancer changes.
fn holder(draw: &Draw<'_>, hash: u64) -> u32 {
    // The remainder is below a 32-bit length.
    draw.set.table.holder(hash).unwrap_or_else(|| (hash % u64::from(draw.set.len())) as u32)
}

/// How many exchanges each may have.
struct Bound {
    /// Of a member, for each of its weight.
    per_weight: f32,
}

impl Bound {
    fn of(draw: &Draw<'_>, percent: u32) -> Self {
        let all = draw.membership.load().load(Ordering::Relaxed) as f32 + 1.0;
        let weights = draw.set.total_weight().unwrap_or(draw.set.len());
        Self { per_weight: all * percent as f32 / 100.0 / weights as f32 }
    }

    /// How full a member would be with one exchange more: above 1 it is over its bound.
    fn fill(&self, draw: &Draw<'_>, index: u32) -> f32 {
        let Some(member) = draw.set.member(index) else { return f32::INFINITY };
        let weight = draw.set.total_weight().map_or(1, |_| member.weight) as f32;
        let places = (self.per_weight * weight).ceil().max(1.0);
        (member.endpoint.active.load(Ordering::Relaxed) as f32 + 1.0) / places
    }
}

/// A key hashed on: SplitMix64's step and finaliser (Steele et al., 2014).
fn mix(hash: u64, jump: u64) -> u64 {
    let hash = hash.wrapping_add(jump.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
