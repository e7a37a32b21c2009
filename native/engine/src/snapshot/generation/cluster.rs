//! A cluster, compiled.

use std::sync::Arc;
use std::time::Duration;

use super::Membership;
use crate::filter::Chain;
use crate::limit::Limits;
use crate::snapshot::LoadBalancer;

/// A cluster, compiled. One that did not change is the same one in the next generation.
pub struct GenerationCluster {
    /// Its place in the generation.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// Tells whether it changed; see `compile/fingerprint.rs`.
    pub fingerprint: u64,
    /// Where its requests go, as of now.
    pub membership: Arc<Membership>,
    /// How an endpoint is chosen.
    pub load_balancer: LoadBalancer,
    /// To establish a connection.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub keep_alive_idle: Duration,
    /// Bounds on what is under way.
    pub limits: Limits,
    /// What looks at its requests before an endpoint is picked.
    pub filters: Chain,
}
