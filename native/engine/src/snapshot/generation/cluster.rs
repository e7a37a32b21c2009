//! A cluster, compiled.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::Endpoint;
use crate::filter::Chain;
use crate::limit::Limits;

/// A cluster, compiled.
pub struct GenerationCluster {
    /// Its place in the generation.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// Where its requests go.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// To establish a connection.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub keep_alive_idle: Duration,
    /// Bounds on what is under way.
    pub limits: Limits,
    /// The balancer's turn; survives as long as the cluster's endpoints do not change.
    pub turn: AtomicU32,
    /// What looks at its requests before an endpoint is picked.
    pub filters: Chain,
}
