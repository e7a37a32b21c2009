//! A generation: a snapshot compiled for the hot path, numbered, immutable.
//!
//! Only [`Endpoint`] carries state. It is keyed by cluster and address in the [`endpoint::EndpointBook`], so that it
//! survives the generation that named it.

mod books;
mod cluster;
mod endpoint;
mod listener;
mod retry;
mod route;

use std::time::Duration;

use super::{Records, Tracing};
use crate::telemetry::metrics::Ids;

pub use books::Books;
pub use cluster::GenerationCluster;
pub use endpoint::Endpoint;
pub use listener::{GenerationListener, GenerationLog};
pub use retry::{GenerationRetry, RetryConditions};
pub use route::{GenerationRewrite, GenerationRoute};

/// What the engine serves from.
pub struct Generation {
    /// Grows by one with each applied snapshot.
    pub number: u32,
    /// By snapshot index.
    pub listeners: Vec<GenerationListener>,
    /// By snapshot index.
    pub routes: Vec<GenerationRoute>,
    /// By snapshot index.
    pub clusters: Vec<GenerationCluster>,
    /// Numbers of its names, for metrics.
    pub ids: Ids,
    /// What exchanges record.
    pub records: Records,
    /// Whether traces are continued and begun.
    pub tracing: Option<Tracing>,
    /// Longest drain.
    pub drain_deadline: Duration,
}
