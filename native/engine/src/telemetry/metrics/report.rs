//! The sums with their names: what `stats` hands to TypeScript and the exposition renders.

use super::clusters::{CLUSTER_COUNTERS, ClusterSums};
use super::counters::{COUNTERS, Description};
use super::latency::Bins;
use super::names::Names;
use super::series::{BUCKETS, DURATION_BOUNDS_US, SIZE_BOUNDS, SIZE_BUCKETS, SeriesSum};
use super::{Counter, Totals};
use crate::telemetry::flags::Flag;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Serialisable: `counters` by name, their `descriptions`, `series` with names, `durationBoundsMs`.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Counters and gauges, by their names.
    pub counters: Counters,
    /// What each of them is called and means.
    pub descriptions: &'static [Description],
    /// Upper bounds of the duration buckets in ms; the last bucket has none.
    pub duration_bounds_ms: Vec<f64>,
    /// Upper bounds of the buckets of bodies in bytes; the last bucket has none.
    pub size_bounds: [u64; SIZE_BOUNDS.len()],
    /// What the numbers of clusters are called and mean.
    pub cluster_descriptions: &'static [Description],
    /// The series, in the order in which their names appeared.
    pub series: Vec<NamedSeries>,
    /// Durations by route.
    pub routes: Vec<RouteLatency>,
    /// Numbers by cluster; [`crate::proxy::stats`] joins them with the endpoints.
    #[serde(skip)]
    pub cluster_counts: Vec<ClusterCounts>,
}

/// How long the exchanges of a route took.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteLatency {
    /// Name of the route; `-` for none.
    pub route: String,
    /// Pairs of duration, µs, and count.
    pub latency: Bins,
}

/// What was counted about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterCounts {
    /// Name of the cluster.
    pub cluster: String,
    /// The numbers.
    pub counts: ClusterSums,
}

/// A sum of each [`Counter`], written as a map of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters(pub(super) [u64; COUNTERS.len()]);

impl Counters {
    /// One of the sums.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(counter as usize).copied().unwrap_or(0)
    }

    /// Adds what is not counted by a worker.
    pub fn add(&mut self, counter: Counter, amount: u64) {
        if let Some(sum) = self.0.get_mut(counter as usize) {
            *sum += amount;
        }
    }
}

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(COUNTERS.len()))?;
        for (description, value) in COUNTERS.iter().zip(&self.0) {
            map.serialize_entry(description.name, value)?;
        }
        map.end()
    }
}

/// A series by its names; `-` for none, as in the access log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedSeries {
    /// Name of the listener.
    pub listener: String,
    /// Name of the route.
    pub route: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Status sent to the client, 0 for none.
    pub status: u16,
    /// Response flag.
    pub flag: Flag,
    /// Exchanges finished.
    pub requests: u64,
    /// Body bytes of their requests.
    pub request_bytes: u64,
    /// Body bytes of their answers.
    pub response_bytes: u64,
    /// Sum of their durations, µs.
    pub duration_sum_us: u64,
    /// Exchanges by duration, each counted once (not cumulative).
    pub buckets: [u64; BUCKETS],
    /// Exchanges by the size of the request's body, each counted once.
    pub request_sizes: [u64; SIZE_BUCKETS],
    /// Exchanges by the size of the answer's body, each counted once.
    pub response_sizes: [u64; SIZE_BUCKETS],
}

impl Totals {
    /// The sums with their names. The series beyond the budget is called `other` throughout.
    pub fn report(self, names: &Names) -> Report {
        Report {
            counters: self.counters,
            descriptions: &COUNTERS,
            duration_bounds_ms: DURATION_BOUNDS_US.iter().map(|bound| f64::from(*bound) / 1000.0).collect(),
            size_bounds: SIZE_BOUNDS,
            cluster_descriptions: &CLUSTER_COUNTERS,
            routes: (self.latencies.into_iter())
                .map(|(route, latency)| RouteLatency {
                    route: names.route(route).unwrap_or_else(|| "-".into()),
                    latency,
                })
                .collect(),
            cluster_counts: (self.clusters.into_iter())
                .filter_map(|(cluster, counts)| Some(ClusterCounts { cluster: names.cluster(cluster)?, counts }))
                .collect(),
            series: self.series.into_iter().map(|series| named(series, names)).collect(),
        }
    }
}

fn named(series: SeriesSum, names: &Names) -> NamedSeries {
    let missing = if series.other { "other" } else { "-" };
    let [listener, route, cluster] =
        names.of(series.listener, series.route, series.cluster).map(|name| name.unwrap_or_else(|| missing.to_owned()));
    NamedSeries {
        listener,
        route,
        cluster,
        status: series.status,
        flag: series.flag,
        requests: series.requests,
        request_bytes: series.request_bytes,
        response_bytes: series.response_bytes,
        duration_sum_us: series.duration_sum_us,
        buckets: series.buckets,
        request_sizes: series.request_sizes,
        response_sizes: series.response_sizes,
    }
}
