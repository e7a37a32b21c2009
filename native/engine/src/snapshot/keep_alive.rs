//! How connections to a cluster's endpoints are made and kept.

use serde::{Deserialize, Serialize};

/// How long connections are kept between requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeepAlive {
    /// How long an unused connection is kept, ms; none: as long as the endpoint was seen to allow.
    pub idle_timeout_ms: Option<u32>,
    /// Requests on one connection before it is closed; 0: no bound.
    pub max_requests_per_connection: u32,
}

/// What the kernel does about an endpoint that has vanished without a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpKeepAlive {
    /// Silence before the first probe, s.
    pub time_s: u32,
    /// Between probes, s.
    pub interval_s: u32,
    /// Probes without an answer before the connection is given up.
    pub probes: u32,
    /// Longest time that sent bytes stay without acknowledgement, ms; 0: the system's.
    pub user_timeout_ms: u32,
}
