//! Tracing: which requests begin a trace.

use serde::{Deserialize, Serialize};

/// How traces are begun and continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tracing {
    /// Traces begun here that are sampled, in millionths.
    pub sampling_ppm: u32,
}
