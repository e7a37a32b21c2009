//! A cluster: interchangeable endpoints and how connections to them are kept.

use serde::{Deserialize, Serialize};

use super::{CircuitBreaker, Filter, RetryBudget};

/// A group of endpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// Unique name.
    pub name: String,
    /// Where its requests can go.
    pub endpoints: Vec<ClusterEndpoint>,
    /// To establish a connection, ms.
    pub connect_timeout_ms: u32,
    /// How long an unused connection is kept, ms.
    pub keep_alive_idle_ms: u32,
    /// Bounds on what is under way.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Bound on retries.
    pub retry_budget: RetryBudget,
    /// In the order in which requests meet them, once for an exchange however often it is attempted.
    pub filters: Vec<Filter>,
}

/// One address of a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterEndpoint {
    /// `ip:port`, `[v6]:port`.
    pub address: String,
}
