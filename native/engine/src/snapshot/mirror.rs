//! Where copies of a route's requests go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Copies of some requests go to a cluster whose answers no client sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// Index of the cluster.
    pub cluster: u32,
    /// Of its endpoints only those with these labels; none: all.
    pub subset: Option<BTreeMap<String, String>>,
    /// Of a million requests.
    pub share_ppm: u32,
    /// Longest time of a copy, from its first byte to the last of its answer, ms.
    pub timeout_ms: u32,
    /// Copies under way over all workers; beyond that none is made.
    pub max_concurrent: u32,
    /// Requests with a longer body are not copied.
    pub max_body_bytes: u32,
    /// The answers are compared; none: they are thrown away.
    pub diff: Option<MirrorDiff>,
}

/// How answers are compared with those that clients got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MirrorDiff {
    /// Headers, and fields of JSON by their path, that may differ.
    pub ignore: Vec<String>,
    /// Of longer bodies nothing but their length is compared.
    pub max_body_bytes: u32,
}
