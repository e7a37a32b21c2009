//! What bounds a cluster: the circuit breaker, and the budget of its retries.

use serde::{Deserialize, Serialize};

/// Bounds on what a cluster has under way; 0 where there is none.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CircuitBreaker {
    /// Connections, idle ones included; 0: no bound.
    pub max_connections: u32,
    /// Requests that wait for a connection; counts only beside `max_connections`.
    pub max_pending: u32,
    /// Requests; 0: no bound.
    pub max_requests: u32,
    /// Retries; `null`: no bound but the budget's.
    pub max_retries: Option<u32>,
}

/// Retries that a cluster may have under way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryBudget {
    /// Retries per hundred requests that are in their first attempt.
    pub percent: u32,
    /// Retries that are always allowed.
    pub min_concurrency: u32,
}
