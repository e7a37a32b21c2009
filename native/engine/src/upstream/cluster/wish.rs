//! What the next attempt of a request asks of its endpoint.

use crate::snapshot::{Moment, Subset};

/// What the next attempt of a request asks of its endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// Ids of the endpoints that earlier attempts went to: another one, as long as there is one.
    pub tried: &'a [u32],
    /// Only one of these.
    pub subset: Option<&'a Subset>,
    /// Of the request's key, where the balancer hashes and there is one.
    pub hash: Option<u64>,
    /// When it is asked. Only what changes with time reads it.
    pub now: Moment,
}
