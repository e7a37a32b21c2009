//! A bound on the requests of a cluster that follows its latency.

use serde::{Deserialize, Serialize};

/// How the bound is found: see `native/engine/src/limit/adaptive.rs`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdaptiveConcurrency {
    /// The bound is never lower, and as low while the shortest latency is measured.
    pub min_limit: u32,
    /// Nor higher.
    pub max_limit: u32,
    /// Percentile of the latencies that is looked at.
    pub percentile: u32,
    /// From one bound to the next, ms.
    pub interval_ms: u32,
    /// From one measurement of the shortest latency to the next, ms.
    pub min_rtt_interval_ms: u32,
    /// Up to so many percent longer, by chance, lest all proxies measure at once.
    pub min_rtt_jitter_percent: u32,
    /// Requests that a measurement takes.
    pub min_rtt_requests: u32,
    /// Latency above the shortest one that is taken for noise, in percent of it.
    pub buffer_percent: u32,
}
