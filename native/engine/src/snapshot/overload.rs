//! When a listener sheds requests, and which go first.

use serde::{Deserialize, Serialize};

/// What a listener sheds at; what is absent is not looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Overload {
    /// Memory of the process.
    pub memory: Option<MemoryBound>,
    /// Lag of a worker's event loop, ms.
    pub event_loop_lag_ms: Option<u32>,
    /// Share of its processors that the process uses, in percent.
    pub cpu_percent: Option<u32>,
    /// Who says how important a request is; none: all are alike.
    pub criticality: Option<Criticality>,
}

/// A bound on memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemoryBound {
    /// KiB that the process may hold; none: what its cgroup or the machine has.
    pub limit_kib: Option<u32>,
    /// Share of them from which on requests are shed, in percent.
    pub shed_at_percent: u32,
}

/// How important requests are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Criticality {
    /// Header that says it, lower case.
    pub header: String,
    /// Its values, the most important one first.
    pub order: Vec<String>,
}
