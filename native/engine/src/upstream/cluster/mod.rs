//! Which endpoint an attempt goes to. Pure but for the balancers' turns and random numbers.
//!
//! First the group: of a subset, of a priority, of a zone, where the cluster is divided so. In it a balancer draws; who was
//! drawn but is not up, or was tried already, is drawn again. Three rules bound that: when all endpoints were tried, one of
//! them is tried again; degraded ones take what the healthy ones cannot; when too few are up, all count as up (panic),
//! because what is left could not take the load, and a check that fails everywhere says more about the check. An open
//! breaker lets nobody through, panic or not.

mod breaker;
mod choices;
mod draw;
mod group;
mod hashed;
mod heard;
mod least_request;
mod load;
mod outlier;
mod peak_ewma;
mod picker;
mod random;
mod round_robin;
mod slow_start;
mod spell;
mod wish;

use std::sync::Arc;

use crate::error::{Error, Kind};
use crate::snapshot::{Endpoint, GenerationCluster, LoadBalancer, Membership, Provision};
use crate::telemetry::record::{Mark, Marks};

pub use breaker::{EndpointBreaker, Looked, Opened, Probe, TripCondition, Trips};
pub use draw::Candidates;
pub use heard::{Heard, heard, learn};
pub use load::Load;
pub use outlier::{Ejections, OutlierState};
pub use picker::Picker;
pub use spell::Spell;
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
    /// Its part of what the balancer bounds, for as long as the attempt lasts.
    pub load: Option<Load>,
    /// Its breaker is open, and this attempt tries whether it may close.
    pub probe: Option<Probe>,
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
            return group::pick(tiers, membership, random, &load_balancer, wish);
        }
        if wish.subset.is_some() {
            return None;
        }
        let (count, provision) = (membership.tally().headcount(), &set.provision);
        let among = Among::of(&count, set.len(), provision, random);
        let mut draw = Draw {
            set,
            membership,
            turns: &membership.turns,
            count,
            random,
            candidates: Candidates::new(),
            tried: wish.tried,
            among,
            hash: wish.hash,
            now: wish.now,
            moved: false,
        };
        if count.tripped > 0
            && let Some((index, probe)) = breaker::claim(set, membership, wish.tried)
        {
            return draw.probed(index, &load_balancer, Marks::default(), probe);
        }
        let found = fresh(&load_balancer, &mut draw).or_else(|| degraded(&mut draw));
        let index = found.or_else(|| again(&load_balancer, &mut draw, provision))?;
        draw.picked(index, &load_balancer, Marks::default())
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
fn drawn(load_balancer: &LoadBalancer, draw: &mut Draw<'_>) -> Option<u32> {
    match *load_balancer {
        LoadBalancer::RoundRobin { slow_start } => slow_start::draw(draw, slow_start, round_robin::draw),
        LoadBalancer::Random {} => random::draw(draw),
        LoadBalancer::LeastRequest { full_scan: true, slow_start, .. } => least_request::draw_of_all(draw, slow_start),
        LoadBalancer::LeastRequest { choices, active_request_bias: None, slow_start, .. } => {
            least_request::draw(draw, choices, slow_start)
        }
        LoadBalancer::LeastRequest { choices, active_request_bias: Some(bias), slow_start, .. } => {
            least_request::draw_biased(draw, choices, bias, slow_start)
        }
        LoadBalancer::PeakEwma { choices, decay_ms, default_rtt_ms, penalty_ms, slow_start } => {
            peak_ewma::draw(draw, choices, peak_ewma::Settings { decay_ms, default_rtt_ms, penalty_ms }, slow_start)
        }
        LoadBalancer::RingHash { bounded_load, .. } | LoadBalancer::Maglev { bounded_load, .. } => {
            hashed::draw(draw, bounded_load)
        }
    }
}

/// One that may be used and that no earlier attempt went to.
fn fresh(load_balancer: &LoadBalancer, draw: &mut Draw<'_>) -> Option<u32> {
    let first = drawn(load_balancer, draw)?;
    if !draw.is_picky() || draw.is_usable(first) {
        return Some(first);
    }
    // By chance, not by turn: the share of one that is down goes to all others, not to its neighbour.
    for _ in 0..REDRAWS {
        let next = slow_start::draw(draw, load_balancer.slow_start(), random::draw)?;
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
fn again(load_balancer: &LoadBalancer, draw: &mut Draw<'_>, provision: &Provision) -> Option<u32> {
    draw.tried = &[];
    fresh(load_balancer, draw).or_else(|| {
        draw.among = if provision.panic_threshold > 0 { Among::Panicked } else { Among::Degraded };
        draw.scan()
    })
}

impl Draw<'_> {
    fn picked(self, index: u32, load_balancer: &LoadBalancer, mut marks: Marks) -> Option<Picked> {
        let member = self.set.member(index)?;
        match self.among {
            Among::Healthy => {}
            Among::Degraded => marks.set(Mark::Degraded),
            Among::Panicked => marks.set(Mark::Panic),
        }
        if self.moved {
            marks.set(Mark::LoadBounded);
        }
        Some(Picked {
            endpoint: Arc::clone(&member.endpoint),
            index: u16::try_from(member.index).unwrap_or(u16::MAX),
            candidates: self.candidates,
            marks,
            load: load_balancer.bounded_load().map(|_| Load::of(self.membership)),
            probe: None,
        })
    }

    /// One whose breaker is open, to try whether it may close.
    fn probed(mut self, index: u32, load_balancer: &LoadBalancer, marks: Marks, probe: Probe) -> Option<Picked> {
        self.among = Among::Healthy;
        let picked = self.picked(index, load_balancer, marks)?;
        Some(Picked { probe: Some(probe), ..picked })
    }
}
