//! What bounds a cluster: the circuit breaker, and the budget of its retries.

use serde::{Deserialize, Serialize};

/// Bounds on what a cluster has under way; 0 where there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// What opens the breaker of a single endpoint; none: nothing does.
    pub trip: Option<Trip>,
}

/// When the breaker of an endpoint opens, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trip {
    /// Failures in a row.
    pub consecutive_failures: Option<u32>,
    /// Too few requests that succeed.
    pub success_rate: Option<SuccessRateBelow>,
    /// Too many requests that are slow.
    pub slow_calls: Option<SlowCalls>,
    /// A condition that holds.
    pub when: Option<TripWhen>,
    /// How long it is open before one request tries, ms; doubled each time that one fails.
    pub open_ms: u32,
    /// The longest, ms.
    pub max_open_ms: u32,
    /// Largest random addition, in percent of it.
    pub jitter_percent: f64,
}

/// A condition in CEL over what is counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TripWhen {
    /// The expression.
    pub condition: String,
    /// The window of its rates, ms.
    pub window_ms: u32,
    /// What is slow: longer than this to the first byte, ms.
    pub over_ms: u32,
}

/// Too few requests of a window succeed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SuccessRateBelow {
    /// Fewer than this, in percent.
    pub below_percent: f64,
    /// The window, ms.
    pub window_ms: u32,
    /// Fewer requests than this in the window decide nothing.
    pub min_requests: u32,
}

/// Too many requests of a window are slow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlowCalls {
    /// What is slow: longer than this to the first byte, ms.
    pub over_ms: u32,
    /// More than this, in percent.
    pub above_percent: f64,
    /// The window, ms.
    pub window_ms: u32,
    /// Fewer requests than this in the window decide nothing.
    pub min_requests: u32,
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
