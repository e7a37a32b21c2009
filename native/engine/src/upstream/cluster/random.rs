//! Random: whoever chance names, as often as its weight says.

use super::draw::Draw;

/// A member by chance; `None` when there is none.
#[inline]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<u32> {
    match (draw.set.len(), draw.set.total_weight()) {
        (0, _) => None,
        (1, _) => Some(0),
        (len, None) => Some(draw.random.u32(..len)),
        (_, Some(total)) => Some(draw.set.holder(draw.random.u32(..total))),
    }
}
