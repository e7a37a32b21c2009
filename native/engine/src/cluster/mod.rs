//! Which endpoint an attempt goes to. Pure but for the balancers' turns and random numbers.
//!
//! A balancer draws; who was drawn but is not healthy, or was tried already, is drawn again. Two rules bound that: when
//! all endpoints were tried, one of them is tried again; when none is healthy, all count as healthy (panic), because a
//! check that fails everywhere says more about the check.

mod draw;
mod heard;
mod least_request;
mod picker;
mod random;
mod round_robin;
mod wish;

use std::sync::Arc;

use crate::error::{Error, Kind};
use crate::snapshot::{Endpoint, GenerationCluster, LoadBalancer, Membership};

pub use draw::Candidates;
pub use heard::{Heard, heard};
pub use picker::Picker;
pub use wish::Wish;

use draw::Draw;

/// Draws by chance before the members are gone through one after the other.
const REDRAWS: u32 = 8;

/// What was picked, and between whom.
pub struct Picked {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Its index among the cluster's endpoints at that moment.
    pub index: u16,
    /// Those that the balancer compared, with what it compared; empty where it compares nothing.
    pub candidates: Candidates,
    /// No endpoint is healthy: this one is as good as any.
    pub panicked: bool,
}

/// The endpoint for the next attempt. `None`: the cluster is empty.
pub fn pick(picker: &Picker, cluster: &GenerationCluster, wish: &Wish<'_>) -> Option<Picked> {
    choose(picker, &cluster.membership, cluster.load_balancer, wish)
}

/// The same for endpoints without their cluster.
pub fn choose(
    picker: &Picker,
    membership: &Membership,
    load_balancer: LoadBalancer,
    wish: &Wish<'_>,
) -> Option<Picked> {
    picker.with_set(membership, |set, random| {
        let panicked = membership.unhealthy() >= set.len() && !set.is_empty();
        let mut draw =
            Draw { set, membership, random, candidates: Candidates::new(), tried: wish.tried, unhealthy: panicked };
        let index = usable(load_balancer, &mut draw)?;
        let endpoint = Arc::clone(&set.member(index)?.endpoint);
        Some(Picked {
            endpoint,
            index: u16::try_from(index).unwrap_or(u16::MAX),
            candidates: draw.candidates,
            panicked,
        })
    })
}

/// Why a cluster has no endpoint at all.
pub fn nowhere(cluster: &GenerationCluster) -> Error {
    match &cluster.resolution {
        Some(resolution) => Error::new(Kind::DnsFailed, resolution.unresolved),
        None => Error::new(Kind::NoHealthyUpstream, "the cluster has no endpoint"),
    }
}

/// The one list of balancers.
fn drawn(load_balancer: LoadBalancer, draw: &mut Draw<'_>) -> Option<u32> {
    match load_balancer {
        LoadBalancer::RoundRobin {} => round_robin::draw(draw),
        LoadBalancer::Random {} => random::draw(draw),
        LoadBalancer::LeastRequest { choices } => least_request::draw(draw, choices),
    }
}

fn usable(load_balancer: LoadBalancer, draw: &mut Draw<'_>) -> Option<u32> {
    let first = drawn(load_balancer, draw)?;
    if !draw.is_picky() || draw.is_usable(first) {
        return Some(first);
    }
    // By chance, not by turn: the share of one that is down goes to all others, not to its neighbour.
    for _ in 0..REDRAWS {
        let next = random::draw(draw)?;
        if draw.is_usable(next) {
            return Some(next);
        }
    }
    if let Some(found) = draw.scan() {
        return Some(found);
    }
    draw.tried = &[];
    if draw.is_picky() { draw.scan().or(Some(first)) } else { Some(first) }
}
