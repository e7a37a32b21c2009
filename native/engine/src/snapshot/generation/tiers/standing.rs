//! Who of a partition takes which share as of now: reckoned from everybody's health, once for each change of it.

use std::collections::BTreeMap;

use super::super::condition::{Headcount, bit};
use super::division::{Division, Locality, Spot, Zoning};
use super::load::{Load, Provision, WHOLE, loads};
use super::spread::{Origin, toward_own_zone, weighted};
use super::{Level, Zone};
use crate::snapshot::EndpointSet;

/// The shares of a partition's priorities and zones.
pub struct Standing {
    /// As of this number of the membership's.
    pub(super) changes: u64,
    /// As the partition's levels.
    pub levels: Box<[LevelStanding]>,
}

/// The part of one priority.
pub struct LevelStanding {
    /// Its share, and whether all of its endpoints are used.
    pub load: Load,
    /// In which condition its endpoints are.
    pub count: Headcount,
    /// How its zones share it.
    pub spread: Spread,
}

/// How the zones of a priority share its requests.
pub enum Spread {
    /// They make no difference now.
    Whole,
    /// As the level's zones.
    Zones(Box<[ZoneStanding]>),
}

/// The part of one zone.
pub struct ZoneStanding {
    /// Of [`WHOLE`].
    pub share: u32,
    /// In which condition its endpoints are.
    pub count: Headcount,
    /// It is the proxy's own.
    pub own: bool,
}

impl Standing {
    /// Before anybody asked.
    pub(super) fn unknown() -> Self {
        Self { changes: u64::MAX, levels: Box::default() }
    }

    pub(super) fn of(levels: &[Level], division: &Division, changes: u64) -> Self {
        let heads: Vec<Headcount> = levels.iter().map(|level| count(&level.group.set)).collect();
        let counts: Vec<(Headcount, u32)> =
            heads.iter().zip(levels).map(|(count, level)| (*count, level.group.set.len())).collect();
        let loads = loads(&counts, &division.provision);
        let standings = levels.iter().zip(loads).zip(heads).map(|((level, load), count)| LevelStanding {
            load,
            count,
            spread: if load.panicked {
                Spread::Whole
            } else {
                spread(level, count.healthy(level.group.set.len()), division)
            },
        });
        Self { changes, levels: standings.collect() }
    }
}

fn count(set: &EndpointSet) -> Headcount {
    let mut count = Headcount::default();
    set.members().for_each(|member| count.add(member.endpoint.condition()));
    count
}

fn spread(level: &Level, healthy: u32, division: &Division) -> Spread {
    let locality = &division.locality;
    let zones = &level.zones;
    if zones.is_empty() {
        return Spread::Whole;
    }
    let shares = match locality.zoning {
        Zoning::Off => None,
        Zoning::Own { min_endpoints } if healthy < min_endpoints => None,
        Zoning::Own { .. } => toward(zones, locality),
        Zoning::Weighted => by_weight(zones, &locality.weights, &division.provision),
    };
    let standing = |(zone, share): (&Zone, u32)| ZoneStanding {
        share,
        count: count(&zone.group.set),
        own: locality.zoning != Zoning::Weighted && zone.spot.is_same_zone(&locality.own),
    };
    shares.map_or(Spread::Whole, |shares| Spread::Zones(zones.iter().zip(shares).map(standing).collect()))
}

fn toward(zones: &[Zone], locality: &Locality) -> Option<Vec<u32>> {
    let own = zones.iter().position(|zone| zone.spot.is_same_zone(&locality.own))?;
    let healthy = |set: &EndpointSet| {
        let members = set.members().filter(|member| member.endpoint.condition() & (bit::DOWN | bit::DEGRADED) == 0);
        members.map(|member| u64::from(member.weight)).sum()
    };
    let origin = |zone: &Zone| Origin {
        healthy: healthy(&zone.group.set),
        callers: weight_of(&zone.spot, &locality.weights, 1),
    };
    toward_own_zone(&zones.iter().map(origin).collect::<Vec<_>>(), own)
}

fn by_weight(zones: &[Zone], weights: &BTreeMap<String, u32>, provision: &Provision) -> Option<Vec<u32>> {
    let told = |Zone { spot, group }: &Zone| {
        let all = group.set.members().map(|member| u64::from(member.weight)).sum();
        (weight_of(spot, weights, all), count(&group.set).healthy(group.set.len()), group.set.len())
    };
    weighted(&zones.iter().map(told).collect::<Vec<_>>(), provision)
}

/// A zone that is not among weights which are said has none.
fn weight_of(spot: &Spot, weights: &BTreeMap<String, u32>, unsaid: u64) -> u64 {
    if weights.is_empty() { unsaid } else { weights.get(&spot.zone).map_or(0, |weight| u64::from(*weight)) }
}

impl LevelStanding {
    /// Whether its healthy endpoints take everything.
    #[inline]
    pub fn takes_all(&self) -> bool {
        self.load.healthy == WHOLE
    }
}
