//! What a caller may say of its request's way, lane and dtab, where it is trusted; where it is not, nothing of it stays.

use crate::http::head::RequestHead;
use crate::snapshot::Overrides;

/// The header by which Linkerd 1 lets callers override a request's way.
pub const DTAB: &[u8] = b"l5d-dtab";

/// Removes what a caller that is not trusted says of its request's way. Whether there was any of it.
pub fn refuse(head: &mut RequestHead, overrides: &Overrides) -> bool {
    let lane = overrides.lane_header.as_bytes();
    let is_one = |name: &[u8]| name.eq_ignore_ascii_case(lane) || name.eq_ignore_ascii_case(DTAB);
    let found = head.section().iter().any(|(name, _)| is_one(name));
    if found {
        head.remove(lane);
        head.remove(DTAB);
    }
    found
}
