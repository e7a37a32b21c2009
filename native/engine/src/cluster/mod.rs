//! Which endpoint an attempt goes to. Pure but for the balancers' turns and random numbers.
//!
//! A balancer draws; who was drawn but is not up, or was tried already, is drawn again. Three rules bound that: when all
//! endpoints were tried, one of them is tried again; degraded ones are used when no other is up; when none is up, all
//! count as up (panic), because a check that fails everywhere says more about the check. An open breaker lets nobody
//! through, panic or not.

mod breaker;
mod choices;
mod draw;
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
use crate::snapshot::{Endpoint, GenerationCluster, LoadBalancer, Membership};

pub use breaker::{EndpointBreaker, Looked, Opened, Probe, Trips};
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
    /// No endpoint is up: this one is as good as any.
    pub panicked: bool,
    /// No endpoint is up but degraded ones.
    pub degraded: bool,
    /// The endpoint of the request's key was over its bounded load: this is another one.
    pub moved: bool,
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
        let among = Among::of(membership, set.len());
        let mut draw = Draw {
            set,
            membership,
            random,
            candidates: Candidates::new(),
            tried: wish.tried,
            among,
            hash: wish.hash,
            now: wish.now,
            moved: false,
        };
        let (index, probe) = match open_breaker_due(&draw) {
            Some((index, probe)) => (index, Some(probe)),
            None => (usable(&load_balancer, &mut draw)?, None),
        };
        let endpoint = Arc::clone(&set.member(index)?.endpoint);
        Some(Picked {
            endpoint,
            index: u16::try_from(index).unwrap_or(u16::MAX),
            candidates: draw.candidates,
            panicked: draw.among == Among::Panicked && probe.is_none(),
            degraded: draw.among == Among::Degraded && probe.is_none(),
            moved: draw.moved,
            load: load_balancer.bounded_load().map(|_| Load::of(membership)),
            probe,
        })
    })
}

/// Why a cluster has no endpoint to send to.
pub fn nowhere(cluster: &GenerationCluster) -> Error {
    if cluster.membership.tally().tripped() > 0 {
        return Error::new(Kind::BreakersOpen, "the breakers of all the cluster's endpoints are open");
    }
    match &cluster.resolution {
        Some(resolution) => Error::new(Kind::DnsFailed, resolution.unresolved),
        None => Error::new(Kind::NoHealthyUpstream, "the cluster has no endpoint"),
    }
}

/// An endpoint whose breaker is open and may be tried.
fn open_breaker_due(draw: &Draw<'_>) -> Option<(u32, Probe)> {
    if draw.membership.tally().tripped() == 0 { None } else { breaker::claim(draw.set, draw.membership, draw.tried) }
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

fn usable(load_balancer: &LoadBalancer, draw: &mut Draw<'_>) -> Option<u32> {
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
    if let Some(found) = draw.scan() {
        return Some(found);
    }
    draw.tried = &[];
    if !draw.is_picky() {
        return Some(first);
    }
    // Conditions may have changed since they were counted.
    draw.scan().or_else(|| {
        draw.among = Among::Panicked;
        draw.scan()
    })
}
