//! Outlier detection: endpoints that fail more than the others are put out for a time.

use serde::{Deserialize, Serialize};

/// What makes an endpoint of a cluster an outlier, and for how long it is out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutlierDetection {
    /// What is found is told, and nothing put out.
    pub shadow: bool,
    /// Answers of 5xx in a row.
    pub consecutive5xx: Option<u32>,
    /// Answers of 502, 503 and 504 in a row.
    pub consecutive_gateway_errors: Option<u32>,
    /// Attempts without an answer in a row; `null`: they count as 503.
    pub consecutive_local_errors: Option<u32>,
    /// Between two comparisons of all endpoints, ms.
    pub interval_ms: u32,
    /// How long an endpoint is out, times how often in a row, ms.
    pub base_ejection_ms: u32,
    /// The longest, ms.
    pub max_ejection_ms: u32,
    /// Largest random addition, ms.
    pub ejection_jitter_ms: u32,
    /// How many of the endpoints may be out, in percent.
    pub max_ejection_percent: u32,
    /// The last endpoint that is up may be put out too.
    pub eject_last: bool,
    /// A health check that succeeds ends it.
    pub return_on_health_check: bool,
    /// Endpoints that succeed much less often than the others.
    pub success_rate: Option<SuccessRateOutlier>,
    /// Endpoints that fail more often than this.
    pub failure_percentage: Option<FailurePercentage>,
}

/// Endpoints whose success rate is far below the mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SuccessRateOutlier {
    /// How many standard deviations below.
    pub stdev_factor: f64,
    /// Endpoints with enough requests that there must be.
    pub min_hosts: u32,
    /// Requests within an interval that are enough.
    pub request_volume: u32,
}

/// Endpoints that fail too often, whatever the others do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailurePercentage {
    /// From how many percent on.
    pub threshold: f64,
    /// Endpoints with enough requests that there must be.
    pub min_hosts: u32,
    /// Requests within an interval that are enough.
    pub request_volume: u32,
}
