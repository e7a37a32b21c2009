//! Which endpoint an attempt goes to. Pure but for the balancer's own turn.

mod round_robin;

use std::sync::Arc;

use crate::snapshot::{Endpoint, GenerationCluster};

/// The endpoint for the next attempt, with its index in the cluster. `None`: the cluster is empty.
pub fn pick(cluster: &GenerationCluster) -> Option<(u16, &Arc<Endpoint>)> {
    let index = round_robin::next(&cluster.turn, cluster.endpoints.len())?;
    cluster.endpoints.get(index).map(|endpoint| (u16::try_from(index).unwrap_or(u16::MAX), endpoint))
}
