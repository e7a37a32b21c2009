//! Active health checks: what an endpoint is asked, how often, and how many answers decide.

use serde::{Deserialize, Serialize};

/// A cluster's health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// The request; none: that a connection can be made is enough.
    pub http: Option<HttpCheck>,
    /// Between two checks of an endpoint, ms.
    pub interval_ms: u32,
    /// The same while checks fail, ms.
    pub unhealthy_interval_ms: u32,
    /// After a failure that is not enough yet, ms.
    pub unhealthy_edge_interval_ms: u32,
    /// After a success that is not enough yet, ms.
    pub healthy_edge_interval_ms: u32,
    /// While the cluster has never had a request, ms; `null`: as if it had.
    pub no_traffic_interval_ms: Option<u32>,
    /// Largest random wait before the first check, ms.
    pub initial_jitter_ms: u32,
    /// Largest random addition to each interval, ms.
    pub interval_jitter_ms: u32,
    /// For one check, ms.
    pub timeout_ms: u32,
    /// Successes in a row that make an endpoint healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make it unhealthy.
    pub unhealthy_threshold: u32,
    /// Checks follow each other on one connection.
    pub reuse_connection: bool,
}

/// An HTTP check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpCheck {
    /// Path and query.
    pub path: String,
    /// The `host` header; empty: the endpoint's address.
    pub host: String,
    /// Statuses that mean healthy, as inclusive ranges.
    pub expected_statuses: Vec<[u16; 2]>,
    /// Statuses that speak against it without deciding at once, as inclusive ranges.
    pub retriable_statuses: Vec<[u16; 2]>,
}
