//! Faults that a route injects.

use serde::{Deserialize, Serialize};

/// What goes wrong with the requests of a route. Shares are millionths, each drawn by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// They wait.
    pub delay: Option<FaultDelay>,
    /// They are answered without the service, after the wait.
    pub abort: Option<FaultAbort>,
    /// Their answers come slowly.
    pub throughput: Option<FaultThroughput>,
    /// From the snapshot that first has it, ms; 0: for as long as it is configured.
    pub ttl_ms: u32,
}

/// A wait before anything else is done with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultDelay {
    /// How long, ms.
    pub fixed_ms: u32,
    /// Of a million requests.
    pub share_ppm: u32,
}

/// An answer in the place of the service's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultAbort {
    /// Its status.
    pub status: u16,
    /// Of a million requests.
    pub share_ppm: u32,
}

/// A bound on how fast an answer's body goes to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultThroughput {
    /// At most.
    pub bytes_per_second: u32,
    /// Of a million requests.
    pub share_ppm: u32,
}
