//! Outlier detection: an endpoint that fails more than the others is put out for a time, longer each time in a row
//! (semantics and names of Envoy's outlier detection).
//!
//! Failures in a row are counted at the endpoint with each attempt, and decide at once; rates are compared by the cold
//! thread at intervals. Invariants: who is out is decided under the cluster's one lock, so that the bounds on how many
//! may be out hold whoever decides; the last endpoint that is up stays, unless that is wanted otherwise.

mod ejections;
mod rates;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;

pub use ejections::Ejections;

use ejections::EjectionCause;

use super::{Heard, Spell};
use crate::error::Kind;
use crate::snapshot::{Endpoint, Membership, OutlierDetection, bit};
use rates::Volume;

/// What outlier detection knows of one endpoint.
#[derive(Default)]
pub struct OutlierState {
    server_errors: AtomicU32,
    gateway_errors: AtomicU32,
    local_errors: AtomicU32,
    /// Attempts since the last comparison in the lower half, those of them that failed in the upper.
    volume: AtomicU64,
    ejection: Mutex<Ejection>,
}

/// How often an endpoint was put out.
#[derive(Default)]
struct Ejection {
    /// In a row: less by one with each interval that it gets through.
    times: u32,
    /// When it is over; `None` while it is not out.
    until: Option<Instant>,
    /// When the last one was over.
    returned: Option<Instant>,
    spell: Option<Spell>,
}

impl OutlierState {
    /// The last time for which it was out, be it over or not.
    pub fn last(&self) -> Option<Spell> {
        self.ejection.lock().spell.clone()
    }

    /// What was counted since the last call.
    fn take_volume(&self) -> Volume {
        let packed = self.volume.swap(0, Relaxed);
        Volume { total: packed as u32, failed: (packed >> 32) as u32 }
    }

    fn forget_counts(&self) {
        for count in [&self.server_errors, &self.gateway_errors, &self.local_errors] {
            count.store(0, Relaxed);
        }
        self.volume.store(0, Relaxed);
    }
}

/// How an attempt ended, as far as it matters here.
#[derive(Clone, Copy)]
struct Ending {
    server_error: bool,
    gateway_error: bool,
    local_error: bool,
}

/// An attempt has ended like this.
pub(super) fn heard(policy: &OutlierDetection, membership: &Membership, endpoint: &Arc<Endpoint>, heard: &Heard) {
    // What was under way when it was put out tells nothing new.
    if endpoint.condition() & bit::EJECTED != 0 {
        return;
    }
    let Some(ending) = ending(policy, heard) else { return };
    let state = endpoint.outlier();
    if policy.success_rate.is_some() || policy.failure_percentage.is_some() {
        let failed = u64::from(ending.server_error || ending.local_error);
        state.volume.fetch_add(1 | failed << 32, Relaxed);
    }
    let rules = [
        (policy.consecutive5xx, &state.server_errors, ending.server_error, EjectionCause::Consecutive5xx),
        (
            policy.consecutive_gateway_errors,
            &state.gateway_errors,
            ending.gateway_error,
            EjectionCause::ConsecutiveGatewayErrors,
        ),
        (
            policy.consecutive_local_errors,
            &state.local_errors,
            ending.local_error,
            EjectionCause::ConsecutiveLocalErrors,
        ),
    ];
    for (most, count, against, cause) in rules {
        let Some(most) = most else { continue };
        if !against {
            // Most attempts find it so: a line that all workers read stays theirs.
            if count.load(Relaxed) != 0 {
                count.store(0, Relaxed);
            }
        } else if count.fetch_add(1, Relaxed).saturating_add(1) >= most {
            count.store(0, Relaxed);
            let reason = match cause {
                EjectionCause::ConsecutiveGatewayErrors => format!("{most} gateway errors in a row"),
                EjectionCause::ConsecutiveLocalErrors => format!("{most} attempts without an answer in a row"),
                _ => format!("{most} failures of 5xx in a row"),
            };
            membership.ejections().eject(membership, endpoint, cause, &reason);
            return;
        }
    }
}

/// `None` where the endpoint may not be to blame.
fn ending(policy: &OutlierDetection, heard: &Heard) -> Option<Ending> {
    match *heard {
        Heard::Answer { status, .. } => {
            Some(Ending { server_error: status >= 500, gateway_error: matches!(status, 502..=504), local_error: false })
        }
        // The one that did not read or write may have been the client.
        Heard::Failure { kind: Kind::StreamIdle, .. } | Heard::Stale | Heard::Overtaken { .. } => None,
        Heard::Failure { .. } => {
            let apart = policy.consecutive_local_errors.is_some();
            Some(Ending { server_error: !apart, gateway_error: !apart, local_error: true })
        }
    }
}
