//! Bounds on what a cluster is asked: requests, connections and retries under way, exact over all workers.
//!
//! What is counted belongs to the process and is found by the cluster's name, so it survives reloads; the bounds belong
//! to the generation. A cluster without a circuit breaker has nothing to count but its retries, and those only when
//! there is one.

mod adaptive;
mod budget;
mod counter;
mod gate;
mod padded;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use foldhash::HashMap;

pub use adaptive::{Adapting, Adaptive, AdaptiveState, adapt};
pub use budget::Budget;
pub use counter::{Counter, Held};
pub use gate::{Ask, Full, Gate, Granted, Place, Waiting};
pub use padded::Padded;

use crate::error::{Error, Kind};
use crate::snapshot::GenerationCluster;

/// The bounds of a cluster in one generation, and what is counted against them.
pub struct Limits {
    /// On retries.
    pub budget: Budget,
    /// Retries under way.
    pub retries: Arc<Counter>,
    /// On all else; `None`: there are none.
    pub breaker: Option<Box<Breaker>>,
    /// On requests, by their latency.
    pub adaptive: Option<Box<Adaptive>>,
}

/// The circuit breaker of a cluster. A bound that is not set is `None`.
pub struct Breaker {
    /// On requests under way.
    pub max_requests: Option<u32>,
    /// On connections, idle ones included.
    pub max_connections: Option<u32>,
    /// On requests that wait for a connection.
    pub max_pending: u32,
    /// What is under way.
    pub state: Arc<BreakerState>,
}

/// What a circuit breaker counts.
#[derive(Default)]
pub struct BreakerState {
    /// Requests under way.
    pub requests: Padded<Counter>,
    /// Connections, and who waits for one.
    pub connections: Arc<Gate>,
}

/// A place among the requests of the cluster, for as long as the exchange lasts; `None` where there is no bound.
pub fn request(cluster: &GenerationCluster) -> Result<Option<Held<'_>>, Error> {
    let Some(breaker) = &cluster.limits.breaker else { return Ok(None) };
    let Some(max) = breaker.max_requests else { return Ok(None) };
    let held = breaker.state.requests.take(|_| max);
    held.map(Some).ok_or(Error::new(Kind::Overflow, "the cluster has as many requests under way as it may have"))
}

/// A place among the retries of the cluster; `None`: its budget is spent.
pub fn retry(cluster: &GenerationCluster) -> Option<Held<'_>> {
    let (limits, active) = (&cluster.limits, active(cluster));
    limits.retries.take(|retrying| limits.budget.bound(active, retrying))
}

/// Exchanges under way, over all workers. Where requests are not bounded nobody counts them as such: each is at one
/// endpoint, and asking all endpoints is needed only when something has failed.
fn active(cluster: &GenerationCluster) -> u32 {
    match &cluster.limits.breaker {
        Some(breaker) if breaker.max_requests.is_some() => breaker.state.requests.held(),
        _ => cluster.membership.set().members().map(|member| member.endpoint.active.load(Relaxed)).sum(),
    }
}

/// What is counted, by cluster name.
#[derive(Default)]
pub struct LimitBook {
    retries: HashMap<String, Arc<Counter>>,
    breakers: HashMap<String, Arc<BreakerState>>,
    adaptive: HashMap<String, Arc<AdaptiveState>>,
}

impl LimitBook {
    /// The retries of a cluster.
    pub fn retries(&mut self, cluster: &str) -> Arc<Counter> {
        known(&mut self.retries, cluster)
    }

    /// The circuit breaker of a cluster.
    pub fn breaker(&mut self, cluster: &str) -> Arc<BreakerState> {
        known(&mut self.breakers, cluster)
    }

    /// The adaptive bound of a cluster.
    pub fn adaptive(&mut self, cluster: &str) -> Arc<AdaptiveState> {
        known(&mut self.adaptive, cluster)
    }

    /// Forgets what no generation names any more. A connection that outlives its cluster keeps its gate, and a cluster
    /// of that name that comes back meanwhile finds it.
    pub fn forget_unused(&mut self) {
        self.retries.retain(|_, known| Arc::strong_count(known) > 1);
        self.adaptive.retain(|_, known| Arc::strong_count(known) > 1);
        self.breakers.retain(|_, known| Arc::strong_count(known) > 1 || Arc::strong_count(&known.connections) > 1);
    }
}

fn known<T: Default>(all: &mut HashMap<String, Arc<T>>, cluster: &str) -> Arc<T> {
    if let Some(found) = all.get(cluster) {
        return Arc::clone(found);
    }
    let made = Arc::<T>::default();
    all.insert(cluster.to_owned(), Arc::clone(&made));
    made
}
