//! The proxy itself: its identity, and what its records keep.

use serde::{Deserialize, Serialize};

/// Identity of a proxy in the mesh. Empty text where nothing was configured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// Unique name.
    pub id: String,
    /// Service it stands beside.
    pub service: String,
    /// Version of that service.
    pub version: String,
    /// Region of the node.
    pub region: String,
    /// Zone of the node.
    pub zone: String,
}

/// Size and content of the decision records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Records {
    /// Records kept per worker.
    pub ring: u32,
    /// Request headers kept, lower case.
    pub headers: Vec<String>,
    /// Headers whose value is never kept, lower case.
    pub redact: Vec<String>,
}
