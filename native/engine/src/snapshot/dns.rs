//! Discovery by DNS: which name stands for a cluster's endpoints, and how it is asked for.

use serde::{Deserialize, Serialize};

/// A name whose records are a cluster's endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// The name.
    pub name: String,
    /// Port of the endpoints; with SRV records those say it and this is 0.
    pub port: u16,
    /// Which records are asked for.
    pub record: DnsRecord,
    /// The name as a whole is one endpoint, whatever addresses it has.
    pub single: bool,
    /// Longest time between two lookups, ms; a record's TTL shortens it.
    pub refresh_ms: u32,
    /// Name servers, `ip:port`; empty: those of the system.
    pub resolvers: Vec<String>,
}

/// Which records are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum DnsRecord {
    /// A and AAAA.
    Address,
    /// IPv4 addresses only.
    A,
    /// IPv6 addresses only.
    Aaaa,
    /// SRV, and the addresses of its targets.
    Srv,
}
