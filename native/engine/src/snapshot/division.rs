//! How a cluster's endpoints are divided into groups that a balancer draws in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Parts of a cluster that routes can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subsets {
    /// Sets of label names: endpoints that agree in all labels of one are a subset.
    pub keys: Vec<Vec<String>>,
    /// Who answers for a subset without endpoints.
    pub fallback: SubsetFallback,
}

/// Who answers for a subset without endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum SubsetFallback {
    /// Nobody.
    None,
    /// The whole cluster.
    Any,
    /// The subset with these labels.
    Default(BTreeMap<String, String>),
}

/// Whether it matters where a cluster's endpoints run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalityAware {
    /// By what.
    pub mode: LocalityMode,
    /// Healthy endpoints below which the own zone does not come first.
    pub min_endpoints: u32,
    /// By zone: proxies that call from it, or its weight; empty: all are alike.
    pub weights: BTreeMap<String, u32>,
    /// Regions that stand in for the proxy's own, one after the other; empty: regions make no difference.
    pub failover: Vec<String>,
}

/// By what zones share requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum LocalityMode {
    /// They make no difference.
    Off,
    /// The proxy's own comes first.
    Zone,
    /// Each has its weight.
    Weighted,
}
