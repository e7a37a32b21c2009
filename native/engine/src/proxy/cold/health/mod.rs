//! Active health checks: one task for each endpoint of a cluster that has a check.
//!
//! What they find stands at the endpoint and survives the check: a reload that changes the check goes on from there.

mod checker;
mod http;
mod verdict;

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use weft_rt::Task;

use crate::snapshot::{Endpoint, Finding, HealthCheck, Membership};
use checker::Followed;

/// First checks of many endpoints are spread by this much for each: so many checks at one moment would delay all others.
const SPREAD_PER_ENDPOINT: Duration = Duration::from_millis(1);

/// The checks of one cluster.
pub(super) struct Checks {
    check: Rc<HealthCheck>,
    membership: Arc<Membership>,
    /// The cluster has had a request.
    used: Rc<Cell<bool>>,
    running: HashMap<u32, Checked>,
}

struct Checked {
    endpoint: Arc<Endpoint>,
    _task: Task,
}

impl Checks {
    /// A cluster's checks, of no endpoint yet.
    pub(super) fn new(check: &HealthCheck, membership: &Arc<Membership>) -> Self {
        let (check, membership) = (Rc::new(check.clone()), Arc::clone(membership));
        Self { check, membership, used: Rc::default(), running: HashMap::new() }
    }

    /// Whether they are made as this says.
    pub(super) fn are(&self, check: &HealthCheck) -> bool {
        *self.check == *check
    }

    /// Begins with endpoints that are new and ends with those that are gone.
    pub(super) fn follow<'a>(&mut self, endpoints: impl Iterator<Item = &'a Arc<Endpoint>>) {
        let mut before = std::mem::take(&mut self.running);
        let mut new = Vec::new();
        for endpoint in endpoints {
            // An id is given again once its endpoint is forgotten, which does not happen while it is held here.
            match before.remove(&endpoint.id) {
                Some(known) => drop(self.running.insert(endpoint.id, known)),
                None => new.push(Arc::clone(endpoint)),
            }
        }
        let longest = Duration::from_millis(self.check.interval_ms.into());
        let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
        let spread = SPREAD_PER_ENDPOINT.saturating_mul(count.saturating_sub(1)).min(longest);
        for endpoint in new {
            endpoint.begin_checks();
            let begin_after = spread.mul_f64(fastrand::f64());
            let begin_after = begin_after + checker::chance(self.check.initial_jitter_ms);
            let followed = Followed {
                endpoint: Arc::clone(&endpoint),
                membership: Arc::clone(&self.membership),
                used: Rc::clone(&self.used),
            };
            let running = checker::run(followed, Rc::clone(&self.check), begin_after);
            self.running.insert(endpoint.id, Checked { endpoint, _task: weft_rt::spawn(running) });
        }
    }

    /// The cluster has no check any more: its endpoints count as healthy.
    pub(super) fn end(self) {
        for (_, checked) in self.running {
            checked.endpoint.found(Finding::Unchecked);
            checked.endpoint.set_degraded(false);
        }
    }
}
