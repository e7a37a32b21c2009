//! Which endpoint an attempt goes to. Pure but for the balancer's own turn.

mod round_robin;

use std::sync::Arc;

use crate::snapshot::{Endpoint, GenerationCluster};

/// The endpoint for the next attempt, with its index in the cluster; one whose id is in `avoid` only when all are. `None`:
/// the cluster is empty.
pub fn pick<'a>(cluster: &'a GenerationCluster, avoid: &[u32]) -> Option<(u16, &'a Arc<Endpoint>)> {
    let count = cluster.endpoints.len();
    let first = round_robin::next(&cluster.turn, count)?;
    let turns = (0..count).map(|turn| (first + turn) % count);
    let index = turns
        .clone()
        .find(|index| cluster.endpoints.get(*index).is_some_and(|known| !avoid.contains(&known.id)))
        .unwrap_or(first);
    cluster.endpoints.get(index).map(|endpoint| (u16::try_from(index).unwrap_or(u16::MAX), endpoint))
}
