//! A route: which requests it takes, where they go, how long they may last.

use serde::{Deserialize, Serialize};

use super::Retry;

/// One route.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Unique name.
    pub name: String,
    /// Indexes of the listeners it serves.
    pub listeners: Vec<u32>,
    /// Index of the cluster it forwards to.
    pub cluster: u32,
    /// Whole exchange from the request's last byte to the answer's head, ms; 0: no bound.
    pub timeout_ms: u32,
    /// From the request's last byte to the answer's first, ms; 0: no bound.
    pub first_byte_timeout_ms: u32,
    /// Without a byte in either direction, ms; 0: no bound.
    pub idle_timeout_ms: u32,
    /// What is tried again.
    pub retry: Option<Retry>,
}
