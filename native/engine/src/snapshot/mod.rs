//! What the engine is told: plain values as they cross the boundary, and the generation compiled from them.
//!
//! A snapshot is complete and immutable. Defaults are not applied here: `src/config` owns them. Its
//! conditions are written in [`cel`]. May use the ground floor; what it compiles are types of the rooms above.

mod adaptive_concurrency;
pub mod cel;
mod circuit_breaker;
mod cluster;
pub(crate) mod compile;
mod division;
mod dns;
mod fault;
mod filter;
mod generation;
mod health_check;
mod keep_alive;
mod listener;
mod load_balancer;
mod mirror;
mod node;
mod outlier_detection;
mod overload;
mod respond;
mod retry;
mod route;
mod route_match;
mod tracing;

use serde::{Deserialize, Serialize};

pub use adaptive_concurrency::AdaptiveConcurrency;
pub use circuit_breaker::{CircuitBreaker, RetryBudget, SlowCalls, SuccessRateBelow, Trip, TripWhen};
pub use cluster::{Cluster, ClusterEndpoint, EndpointUpdate, Hedge};
pub use compile::Rejection;
pub use division::{LocalityAware, LocalityMode, SubsetFallback, Subsets};
pub use dns::{Dns, DnsRecord};
pub use fault::{Fault, FaultAbort, FaultDelay, FaultThroughput};
pub use filter::{
    BandwidthLimit, Budget, Filter, HeaderEdits, HeaderReplace, HeaderRewrite, KeyPart, LimitedDirection,
    LocalRateLimit, OnFailure, RateBucket, RateKey, Script, ScriptBody, WarmUp,
};
pub use generation::{
    AtOnce, Books, Changes, ClusterBook, Cost, Decay, Destination, Division, Endpoint, EndpointSet, Finding,
    Generation, GenerationCluster, GenerationListener, GenerationLog, GenerationRetry, GenerationRewrite,
    GenerationRoute, Group, HashTable, Headcount, Health, Idle, IdleAge, Instead, Keeping, LONGEST_WATCH, Level,
    LevelStanding, LevelTold, Load, Locality, Member, Membership, Moment, Order, Origin, Partition, PartitionTold,
    Place, Provision, Reach, Resolution, ResolutionState, RetryConditions, Several, Spot, Spread, Standing, Subset,
    SubsetRule, TableKind, Tally, Tiers, Turns, WHOLE, Wanted, Zone, ZoneStanding, ZoneTold, Zoning, bit, loads,
    recorded, toward_own_zone, weighted,
};
pub use health_check::{HealthCheck, HttpCheck};
pub use keep_alive::{KeepAlive, TcpKeepAlive};
pub use listener::{AccessLog, Direction, Listener, ListenerLimits, Overrides};
pub use load_balancer::{LoadBalancer, SlowStart};
pub use mirror::{Mirror, MirrorDiff};
pub use node::{Node, Records};
pub use outlier_detection::{FailurePercentage, OutlierDetection, SuccessRateOutlier};
pub use overload::{Criticality, MemoryBound, Overload};
pub use respond::{Fallback, FallbackCause, HeaderChanges, HeaderLine, Respond};
pub use retry::{Retry, RetryOn};
pub use route::{CookieKey, Forward, ForwardTarget, PathChange, Redirect, Rewrite, Route, RouteAction, StickyKey};
pub use route_match::{FieldMatch, PathMatch, RouteMatch, ValueTest};
pub use tracing::Tracing;

/// Version of the encoding that this build reads and writes.
pub const FORMAT: u32 = 2;

/// All that one proxy serves, as it crosses the boundary. Indexes refer to the lists beside them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// [`FORMAT`].
    pub format: u32,
    /// Who this proxy is.
    pub node: Node,
    /// What the decision record keeps.
    pub records: Records,
    /// Whether traces are continued and begun; none: their lines pass untouched.
    pub tracing: Option<Tracing>,
    /// Longest time a drain waits for open exchanges, ms.
    pub drain_deadline_ms: u32,
    /// Sockets that accept connections.
    pub listeners: Vec<Listener>,
    /// Where requests go; their order decides between routes that are equally specific.
    pub routes: Vec<Route>,
    /// Groups of endpoints.
    pub clusters: Vec<Cluster>,
}

/// The generation of a snapshot that is only looked at, never served: no log is opened and nothing is bound.
pub fn inspect(bytes: &[u8]) -> Result<Generation, Vec<Rejection>> {
    let mut snapshot = compile::decode(bytes).map_err(|rejection| vec![rejection])?;
    snapshot.listeners.iter_mut().for_each(|listener| listener.access_log = None);
    let mut books = Books::default();
    compile::compile(&snapshot, 0, 0, &mut books, None).map(|compiled| compiled.settle(&mut books))
}
