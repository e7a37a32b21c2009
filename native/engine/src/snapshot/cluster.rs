//! A cluster: interchangeable endpoints, how one of them is chosen and how connections to them are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    AdaptiveConcurrency, CircuitBreaker, Dns, Filter, HealthCheck, KeepAlive, LoadBalancer, LocalityAware,
    OutlierDetection, RetryBudget, StickyKey, Subsets, TcpKeepAlive,
};

/// A group of endpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// Unique name.
    pub name: String,
    /// Where its requests can go.
    pub endpoints: Vec<ClusterEndpoint>,
    /// The endpoints come from a registry; an empty list then leaves those that are known already.
    pub discovered: bool,
    /// How an endpoint is chosen.
    pub load_balancer: LoadBalancer,
    /// Where a balancer by hash takes its key: the first of these that the request has; else by chance.
    pub hash_on: Vec<StickyKey>,
    /// To establish a connection, ms.
    pub connect_timeout_ms: u32,
    /// Bounds on what is under way.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// A bound on requests that follows their latency.
    pub adaptive_concurrency: Option<AdaptiveConcurrency>,
    /// Whether a second attempt goes out beside one that takes long.
    pub hedge: Option<Hedge>,
    /// Bound on retries.
    pub retry_budget: RetryBudget,
    /// In the order in which requests meet them, once for an exchange however often it is attempted.
    pub filters: Vec<Filter>,
    /// How connections are kept.
    pub keep_alive: KeepAlive,
    /// Probes of the kernel's; none: as the system is set.
    pub tcp_keep_alive: Option<TcpKeepAlive>,
    /// Where endpoints come from besides the list.
    pub dns: Option<Dns>,
    /// How endpoints are checked.
    pub health_check: Option<HealthCheck>,
    /// What puts endpoints out for a time.
    pub outlier_detection: Option<OutlierDetection>,
    /// Parts of it that routes can ask for.
    pub subsets: Option<Subsets>,
    /// Whether it matters where endpoints run.
    pub locality_aware: Option<LocalityAware>,
    /// Percent of healthy endpoints below which all count as healthy; 0: never.
    pub panic_threshold: u8,
    /// Percent of its load that a healthy endpoint can take for others, 100 to 1,000.
    pub over_provisioning: u16,
}

/// Second attempts beside those that take long.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hedge {
    /// One takes long when it takes longer than so many per cent of the cluster's, 1 to 99.
    pub after_percentile: u8,
    /// And longer than this, ms.
    pub min_delay_ms: u32,
    /// Second attempts per hundred requests, at most, 1 to 100.
    pub max_extra_percent: u8,
}

/// One address of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterEndpoint {
    /// `ip:port`, `[v6]:port`, `unix:/path`, `unix:@name`.
    pub address: String,
    /// Its share of the requests, 1 to 65,535.
    pub weight: u32,
    /// Where it runs; empty text where nothing was said.
    pub region: String,
    /// The inner part of the locality.
    pub zone: String,
    /// 0 comes first; the others when those before are short of health.
    pub priority: u32,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}

/// A change of the endpoints of one cluster, on its way between two snapshots.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointUpdate {
    /// Name of the cluster.
    pub cluster: String,
    /// Endpoints that come, or whose weight, place or labels change.
    pub endpoints: Vec<ClusterEndpoint>,
    /// Addresses that go.
    pub removed: Vec<String>,
    /// `endpoints` are all that there are: what is not among them goes.
    pub complete: bool,
}
