//! A cluster, compiled.

use std::sync::Arc;
use std::time::Duration;

use super::{Division, Membership, Resolution};
use crate::filter::Chain;
use crate::route::Sticky;
use crate::snapshot::{HealthCheck, LoadBalancer, OutlierDetection, TcpKeepAlive, Trip};
use crate::upstream::cluster::TripCondition;
use crate::upstream::hedge::Hedging;
use crate::upstream::limit::Limits;

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
    /// How its endpoints are divided.
    pub division: Arc<Division>,
    /// How an endpoint is chosen.
    pub load_balancer: LoadBalancer,
    /// Where a balancer by hash takes its key: the first of these that the request has.
    pub hash_on: Box<[Sticky]>,
    /// To establish a connection.
    pub connect_timeout: Duration,
    /// Second attempts beside those that take long.
    pub hedge: Option<Box<Hedging>>,
    /// Bounds on what is under way.
    pub limits: Limits,
    /// What looks at its requests before an endpoint is picked.
    pub filters: Chain,
    /// What the kernel is asked to do about connections that have died in silence.
    pub tcp_keep_alive: Option<TcpKeepAlive>,
    /// How connections are kept between requests.
    pub keeping: Keeping,
    /// The name that its endpoints are found by.
    pub resolution: Option<Arc<Resolution>>,
    /// How its endpoints are checked.
    pub health_check: Option<Arc<HealthCheck>>,
    /// What puts endpoints out for a time.
    pub outlier_detection: Option<Arc<OutlierDetection>>,
    /// What opens the breakers of its endpoints.
    pub trip: Option<Box<Trip>>,
    /// A condition that opens them besides; only beside `trip`.
    pub trip_when: Option<Box<TripCondition>>,
}

/// How connections are kept between requests.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// How long an unused one is.
    pub idle: Idle,
    /// Requests after which a connection is not used again.
    pub max_requests: Option<u32>,
}

/// How long an unused connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// For this time; zero keeps none.
    For(Duration),
    /// For as long as the endpoint was seen to allow: [`super::IdleAge`].
    Learned,
}
