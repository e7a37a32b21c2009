//! Which endpoint an attempt goes to. Pure but for the balancers' turns and random numbers.
//!
//! First the group: of a subset, of a priority, of a zone, where the cluster is divided so. In it a balancer draws; who was
//! drawn but is not up, or was tried already, is drawn again. Three rules bound that: when all endpoints were tried, one of
//! them is tried again; degraded ones take what the healthy ones cannot; when too few are up, all count as up (panic),
//! because what is left could not take the load, and a check that fails everywhere says more about the check. An open
//! breaker lets nobody through, panic or not.

mod draw;
mod group;
mod heard;
mod least_request;
mod picker;
mod random;
mod round_robin;
mod wish;

use std::sync::Arc;

use crate::error::{Error, Kind};
use crate::record::{Mark, Marks};
use crate::snapshot::{Endpoint, GenerationCluster, LoadBalancer, Membership, Provision};

pub use draw::Candidates;
pub use heard::{Heard, heard};
pub use picker::Picker;
pub use wish::Wish;

use draw::{Among, Draw};

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
    /// What led there besides the balancer.
    pub marks: Marks,
}

/// The endpoint for the next attempt. `None`: [`nowhere`] says why.
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
        if let Some(tiers) = &set.tiers {
            return group::pick(tiers, membership, random, load_balancer, wish);
        }
        if wish.subset.is_some() {
            return None;
        }
        let (count, provision) = (membership.tally().headcount(), &set.provision);
        let among = Among::of(&count, set.len(), provision, random);
        let turns = &membership.turns;
        let mut draw = Draw { set, turns, count, random, candidates: Candidates::new(), tried: wish.tried, among };
        let index =
            fresh(load_balancer, &mut draw).or_else(|| degraded(&mut draw)).or_else(|| again(&mut draw, provision))?;
        draw.picked(index, Marks::default())
    })
}

/// Why there was nobody to pick.
pub fn nowhere(cluster: &GenerationCluster, wish: &Wish<'_>) -> Error {
    let set = cluster.membership.set();
    if set.is_empty() {
        return match &cluster.resolution {
            Some(resolution) => Error::new(Kind::DnsFailed, resolution.unresolved),
            None => Error::new(Kind::NoHealthyUpstream, "the cluster has no endpoint"),
        };
    }
    let missing = |id| set.tiers.as_ref().is_none_or(|tiers| tiers.subset(id).or_else(|| tiers.instead()).is_none());
    if wish.subset.is_some_and(|subset| missing(subset.id)) {
        return Error::new(Kind::NoSubset, "the cluster has no endpoint in the subset that the route asks for");
    }
    if cluster.membership.tally().tripped() > 0 {
        return Error::new(Kind::BreakersOpen, "the breakers of all the cluster's endpoints are open");
    }
    Error::new(Kind::NoHealthyUpstream, "no endpoint of the cluster is healthy, and its `panicThreshold` is 0")
}

/// The one list of balancers.
fn drawn(load_balancer: LoadBalancer, draw: &mut Draw<'_>) -> Option<u32> {
    match load_balancer {
        LoadBalancer::RoundRobin {} => round_robin::draw(draw),
        LoadBalancer::Random {} => random::draw(draw),
        LoadBalancer::LeastRequest { choices } => least_request::draw(draw, choices),
    }
}

/// One that may be used and that no earlier attempt went to.
fn fresh(load_balancer: LoadBalancer, draw: &mut Draw<'_>) -> Option<u32> {
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
    draw.scan()
}

/// A degraded one, before anybody is tried again.
fn degraded(draw: &mut Draw<'_>) -> Option<u32> {
    if draw.among != Among::Healthy || draw.count.degraded == 0 {
        return None;
    }
    draw.among = Among::Degraded;
    draw.scan()
}

/// One that was tried already, for want of others. Conditions may have changed since they were counted: then one of those
/// that are left.
fn again(draw: &mut Draw<'_>, provision: &Provision) -> Option<u32> {
    draw.tried = &[];
    draw.scan().or_else(|| {
        draw.among = if provision.panic_threshold > 0 { Among::Panicked } else { Among::Degraded };
        draw.scan()
    })
}

impl Draw<'_> {
    fn picked(self, index: u32, mut marks: Marks) -> Option<Picked> {
        let member = self.set.member(index)?;
        match self.among {
            Among::Healthy => {}
            Among::Degraded => marks.set(Mark::Degraded),
            Among::Panicked => marks.set(Mark::Panic),
        }
        Some(Picked {
            endpoint: Arc::clone(&member.endpoint),
            index: u16::try_from(member.index).unwrap_or(u16::MAX),
            candidates: self.candidates,
            marks,
        })
    }
}
