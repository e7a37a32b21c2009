//! Round robin: each endpoint in its turn, over all workers. With weights, each round has as many turns as they add up
//! to, spread over the round.

use super::draw::Draw;

/// The member whose turn it is; `None` when there is none. A single one costs no shared write.
#[inline]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<u32> {
    match (draw.set.len(), draw.set.total_weight()) {
        (0, _) => None,
        (1, _) => Some(0),
        // The remainder is below a 32-bit length.
        (len, None) => Some((draw.turns.next() % u64::from(len)) as u32),
        (_, Some(_)) => Some(draw.set.holder(draw.set.spread(draw.turns.next()))),
    }
}
