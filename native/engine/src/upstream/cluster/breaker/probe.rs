//! The one request that tries whether an endpoint has recovered.
//!
//! Nobody waits for a balancer to come upon the endpoint: whoever picks next, once its time is over, is sent there.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::snapshot::{Endpoint, EndpointSet, Membership, bit};

/// The place of the one request that tries an endpoint whose breaker is open; given back on drop, unless the endpoint
/// was heard of.
#[must_use = "dropping it gives the place back"]
pub struct Probe(Option<Arc<Endpoint>>);

impl Probe {
    /// The endpoint was heard of: what comes next is decided.
    pub(super) fn settle(mut self) {
        self.0 = None;
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(endpoint) = self.0.take() {
            endpoint.breaker().give_back();
            endpoint.turned();
        }
    }
}

/// What the last look at a set's open breakers found: the cluster's number of changes then, and when the first is due.
/// Looked again when either has passed, so that picks beside an open breaker cost two comparisons.
#[derive(Default)]
pub struct Looked(Mutex<Option<(u64, Option<Instant>)>>);

/// The place of the one who tries, at a member of the set that is due and was not tried by this request. Call only while
/// a breaker is open.
pub(in crate::upstream::cluster) fn claim(
    set: &EndpointSet,
    membership: &Membership,
    tried: &[u32],
) -> Option<(u32, Probe)> {
    // Whoever holds it is looking already.
    let mut looked = set.probes.0.try_lock()?;
    let now = weft_rt::now();
    let changes = membership.tally().changes();
    if let Some((seen, due)) = *looked
        && seen == changes
        && due.is_none_or(|due| due > now)
    {
        return None;
    }
    let mut first_due: Option<Instant> = None;
    let mut claimed = None;
    for (index, member) in (0_u32..).zip(set.members()) {
        let endpoint = &member.endpoint;
        // One that is down for another reason is not tried: that it is up again is a change.
        if endpoint.condition() & bit::DOWN != bit::TRIPPED {
            continue;
        }
        let Some(due) = endpoint.breaker().due() else { continue };
        if claimed.is_none() && due <= now && !tried.contains(&endpoint.id) && endpoint.breaker().take(now) {
            claimed = Some((index, Probe(Some(Arc::clone(endpoint)))));
            continue;
        }
        first_due = Some(first_due.map_or(due, |first| first.min(due)));
    }
    *looked = Some((changes, first_due));
    claimed
}
