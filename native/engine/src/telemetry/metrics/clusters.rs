//! The closed list of numbers that each cluster has, and where a worker keeps them.

use super::counters::{Description, Kind};
use super::increase;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! cluster_counters {
    ($($variant:ident, $name:literal, $help:literal;)*) => {
        /// A number of a cluster. It only grows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ClusterCounter { $(#[doc = $help] $variant),* }

        /// Descriptions, at the place of their [`ClusterCounter`].
        pub const CLUSTER_COUNTERS: [Description; [$($name),*].len()] =
            [$(Description { name: $name, kind: Kind::Counter, help: $help }),*];
    };
}

cluster_counters! {
    Connections, "weft_cluster_connections_total", "Connections to endpoints begun.";
    ConnectionsFailed, "weft_cluster_connections_failed_total", "Connections to endpoints that could not be made.";
    ConnectionsReused, "weft_cluster_connections_reused_total", "Upstream attempts that took a connection out of the pool.";
    Retries, "weft_cluster_retries_total", "Upstream attempts after the first one.";
    Hedges, "weft_cluster_hedges_total", "Second attempts beside one that took long.";
    HedgesWon, "weft_cluster_hedges_won_total", "Second attempts that were answered first.";
    HedgesRefused, "weft_cluster_hedges_refused_total", "Second attempts that would have been more load than `hedge` allows.";
    RetriesRefused, "weft_cluster_retries_refused_total", "Retries that the retry budget had no room for.";
    Overflows, "weft_cluster_overflows_total", "Requests refused at a limit of the circuit breaker.";
    ConcurrencyLimited, "weft_cluster_concurrency_limited_total", "Requests refused at the adaptive bound on requests under way.";
    Timeouts, "weft_cluster_timeouts_total", "Attempts that ended because the endpoint did not connect or answer in time.";
    PanicPicks, "weft_cluster_panic_picks_total", "Endpoints picked among all, healthy or not, because too few were healthy.";
    Probes, "weft_cluster_breaker_probes_total", "Requests that tried whether the open breaker of an endpoint may close.";
    BreakerRefusals, "weft_cluster_breaker_refusals_total", "Requests refused because the breakers of all endpoints were open.";
    LowerPriorityPicks, "weft_cluster_lower_priority_picks_total", "Endpoints picked that do not belong to the first priority.";
    CrossZonePicks, "weft_cluster_cross_zone_picks_total", "Endpoints picked outside of the own zone because it has too few.";
    SubsetFallbacks, "weft_cluster_subset_fallbacks_total", "Endpoints picked by the fallback of a subset that has none.";
    Fallbacks, "weft_cluster_fallbacks_total", "Failures that the route's fallback answered.";
}

/// One cluster's numbers in one worker. Written by one thread.
#[derive(Debug)]
pub(super) struct ClusterNumbers([AtomicU64; CLUSTER_COUNTERS.len()]);

impl ClusterNumbers {
    pub(super) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; CLUSTER_COUNTERS.len()])
    }

    pub(super) fn count(&self, counter: ClusterCounter) {
        if let Some(number) = self.0.get(counter as usize) {
            increase(number, 1);
        }
    }

    pub(super) fn add_to(&self, sums: &mut ClusterSums) {
        for (sum, number) in sums.0.iter_mut().zip(&self.0) {
            *sum += number.load(Relaxed);
        }
    }

    /// Takes over the numbers of a worker that has ended.
    pub(super) fn absorb(&self, ended: &Self) {
        for (number, more) in self.0.iter().zip(&ended.0) {
            increase(number, more.load(Relaxed));
        }
    }
}

/// Sums over all workers, in the order of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterSums(pub(super) [u64; CLUSTER_COUNTERS.len()]);

impl serde::Serialize for ClusterSums {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(CLUSTER_COUNTERS.iter().map(|description| description.name).zip(&self.0))
    }
}

impl ClusterSums {
    /// One of the sums.
    pub fn get(&self, counter: ClusterCounter) -> u64 {
        self.0.get(counter as usize).copied().unwrap_or(0)
    }
}
