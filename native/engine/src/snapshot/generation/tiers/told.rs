//! How a cluster's groups share its requests as of now, for people.

use serde::Serialize;

use super::load::WHOLE;
use super::standing::{LevelStanding, Spread, ZoneStanding};
use super::{Level, Partition, Subset, Tiers, Zone};
use crate::snapshot::{EndpointSet, Membership};

/// A cluster, or a subset of it, as of now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionTold {
    /// The labels of the subset; `None`: the whole cluster.
    pub subset: Option<String>,
    /// By priority, the first one first.
    pub levels: Vec<LevelTold>,
}

/// The endpoints of one priority.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LevelTold {
    /// 0 comes first.
    pub priority: u32,
    /// How many there are.
    pub endpoints: u32,
    /// How many of them are healthy.
    pub healthy: u32,
    /// Their share of the requests, in percent.
    pub percent: f64,
    /// All of them are used, healthy or not.
    pub panicked: bool,
    /// By where they run; empty where that makes no difference now.
    pub zones: Vec<ZoneTold>,
}

/// The endpoints of one priority and zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneTold {
    /// The outer part; empty where nothing was said.
    pub region: String,
    /// The inner part.
    pub zone: String,
    /// It is the proxy's own.
    pub own: bool,
    /// How many there are.
    pub endpoints: u32,
    /// How many of them are healthy.
    pub healthy: u32,
    /// Their share of the priority's requests, in percent.
    pub percent: f64,
}

impl PartitionTold {
    /// The whole cluster, then its subsets.
    pub fn all(membership: &Membership) -> Vec<Self> {
        let set = membership.set();
        let Some(tiers) = &set.tiers else { return vec![Self::undivided(&set, membership)] };
        let parts = std::iter::once(&tiers.all).chain(tiers.subsets());
        parts.map(|partition| Self::of(partition, tiers, membership)).collect()
    }

    /// What takes the requests for a subset, or for all; `None`: nobody does.
    pub fn taking(membership: &Membership, subset: Option<&Subset>) -> Option<Self> {
        let set = membership.set();
        match (&set.tiers, subset) {
            (None, None) => Some(Self::undivided(&set, membership)),
            (None, Some(_)) => None,
            (Some(tiers), None) => Some(Self::of(&tiers.all, tiers, membership)),
            (Some(tiers), Some(subset)) => {
                let partition = tiers.subset(subset.id).or_else(|| tiers.instead())?;
                Some(Self::of(partition, tiers, membership))
            }
        }
    }

    /// Whether requests do not go where they would if all were healthy.
    pub fn is_short(&self) -> bool {
        let diverted = self.levels.first().is_some_and(|first| first.percent < 100.0);
        diverted || self.levels.iter().any(|level| level.panicked)
    }

    fn undivided(set: &EndpointSet, membership: &Membership) -> Self {
        let endpoints = set.len();
        let count = membership.tally().headcount();
        let level = LevelTold {
            priority: set.member(0).map_or(0, super::Member::priority),
            endpoints,
            healthy: count.healthy(endpoints),
            percent: 100.0,
            panicked: endpoints > 0 && set.provision.panics(&count, endpoints),
            zones: Vec::new(),
        };
        Self { subset: None, levels: vec![level] }
    }

    fn of(partition: &Partition, tiers: &Tiers, membership: &Membership) -> Self {
        let standing = partition.standing(membership, &tiers.division);
        Self {
            subset: Some(partition.name.clone()).filter(|name| !name.is_empty()),
            levels: partition.levels.iter().zip(&standing.levels).map(level).collect(),
        }
    }
}

fn level((level, standing): (&Level, &LevelStanding)) -> LevelTold {
    let zones = match &standing.spread {
        Spread::Whole => Vec::new(),
        Spread::Zones(zones) => level.zones.iter().zip(zones).map(zone).collect(),
    };
    LevelTold {
        priority: level.priority,
        endpoints: level.group.set.len(),
        healthy: standing.count.healthy(level.group.set.len()),
        percent: percent(standing.load.share()),
        panicked: standing.load.panicked,
        zones,
    }
}

fn zone((zone, standing): (&Zone, &ZoneStanding)) -> ZoneTold {
    ZoneTold {
        region: zone.spot.region.clone(),
        zone: zone.spot.zone.clone(),
        own: standing.own,
        endpoints: zone.group.set.len(),
        healthy: standing.count.healthy(zone.group.set.len()),
        percent: percent(standing.share),
    }
}

fn percent(share: u32) -> f64 {
    f64::from(share) * 100.0 / f64::from(WHOLE)
}
