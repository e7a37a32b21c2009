//! A generation: a snapshot compiled for the hot path, numbered, immutable.
//!
//! State is not in here: an [`Endpoint`] is keyed by cluster and address in the [`ClusterBook`], and so survives the
//! generation that named it; the endpoints that a cluster has now are its [`Membership`]'s and change without a new
//! generation.

mod books;
mod cluster;
mod cluster_book;
mod concurrency;
mod condition;
mod cost;
mod destination;
mod endpoint;
mod endpoint_set;
mod hash_table;
mod health;
mod idle_age;
mod listener;
mod membership;
mod moment;
mod resolution;
mod retry;
mod route;
mod tiers;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use foldhash::HashMap;

use super::{Records, Tracing};
use crate::telemetry::metrics::Ids;

pub use books::Books;
pub use cluster::{GenerationCluster, Idle, Keeping};
pub use cluster_book::{Changes, ClusterBook, Wanted};
pub use concurrency::AtOnce;
pub use condition::{Headcount, Tally, bit};
pub use cost::{Cost, Decay};
pub use destination::{Destination, Reach, Several, recorded};
pub use endpoint::{Endpoint, Place};
pub use endpoint_set::{EndpointSet, Member};
pub use hash_table::{HashTable, TableKind};
pub use health::{Finding, Health};
pub use idle_age::{IdleAge, LONGEST_WATCH};
pub use listener::{GenerationListener, GenerationLog};
pub use membership::{Membership, Turns};
pub use moment::Moment;
pub use resolution::{Resolution, ResolutionState};
pub use retry::{GenerationRetry, RetryConditions};
pub use route::{GenerationRewrite, GenerationRoute};
pub use tiers::{
    Division, Group, Instead, Level, LevelStanding, LevelTold, Load, Locality, Order, Origin, Partition, PartitionTold,
    Provision, Spot, Spread, Standing, Subset, SubsetRule, Tiers, WHOLE, Zone, ZoneStanding, ZoneTold, Zoning, loads,
    toward_own_zone, weighted,
};

/// What the engine serves from.
pub struct Generation {
    /// Grows by one with each applied snapshot.
    pub number: u32,
    /// Of the bytes it was made from: the same bytes again are no new generation.
    pub fingerprint: u64,
    /// By snapshot index.
    pub listeners: Vec<GenerationListener>,
    /// By snapshot index.
    pub routes: Vec<GenerationRoute>,
    /// By snapshot index.
    pub clusters: Vec<Arc<GenerationCluster>>,
    /// Numbers of its names, for metrics.
    pub ids: Ids,
    /// What exchanges record.
    pub records: Records,
    /// Whether traces are continued and begun.
    pub tracing: Option<Tracing>,
    /// Longest drain.
    pub drain_deadline: Duration,
    /// Places of routes and clusters by name, made when the first filter names one.
    pub named: OnceLock<Named>,
}

/// Places by name.
pub struct Named {
    routes: HashMap<Box<[u8]>, u16>,
    clusters: HashMap<Box<[u8]>, u16>,
}

impl Generation {
    /// The place of the route with that name.
    pub fn route_named(&self, name: &[u8]) -> Option<u16> {
        self.named().routes.get(name).copied()
    }

    /// The place of the cluster with that name.
    pub fn cluster_named(&self, name: &[u8]) -> Option<u16> {
        self.named().clusters.get(name).copied()
    }

    fn named(&self) -> &Named {
        self.named.get_or_init(|| Named {
            routes: self.routes.iter().map(|route| (route.name.as_bytes().into(), route.index)).collect(),
            clusters: self.clusters.iter().map(|cluster| (cluster.name.as_bytes().into(), cluster.index)).collect(),
        })
    }
}
