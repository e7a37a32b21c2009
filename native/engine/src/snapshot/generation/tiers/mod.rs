//! The groups that a cluster's endpoints stand in: by subset, in each by priority, in each priority by zone.
//!
//! Made when endpoints or their division change, never by a pick. A cluster that is divided by nothing has none of it.
//! Invariant: a group is an [`EndpointSet`] of its own, so that a balancer draws in it as it would in a whole cluster.

mod division;
mod load;
mod spread;
mod standing;
mod subset;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::endpoint_set::{EndpointSet, Member};
use super::hash_table::TableKind;
use super::membership::{Membership, Turns};

pub use division::{Division, Instead, Locality, Order, Spot, SubsetRule, Zoning};
pub use load::{Load, Provision, WHOLE, loads};
pub use spread::{Origin, toward_own_zone, weighted};
pub use standing::{LevelStanding, Spread, Standing, ZoneStanding};
pub use subset::Subset;
pub use told::{LevelTold, PartitionTold, ZoneTold};

/// Endpoints that a balancer draws from, and whose turn it is among them.
pub struct Group {
    /// Who.
    pub set: EndpointSet,
    /// Of round robin.
    pub turns: Turns,
}

/// The endpoints of one priority.
pub struct Level {
    /// What its endpoints have in common.
    pub order: Order,
    /// 0 comes first. As configured; where regions stand in for one another, its place among them all.
    pub priority: u32,
    /// All of them.
    pub group: Group,
    /// The same by where they run; empty where that makes no difference.
    pub zones: Box<[Zone]>,
}

/// The endpoints of one priority and zone.
pub struct Zone {
    /// Where they run.
    pub spot: Spot,
    /// Who they are.
    pub group: Group,
}

/// A whole cluster, or a subset of it, in its priorities.
pub struct Partition {
    /// The labels that its endpoints have; empty for a whole cluster.
    pub name: String,
    /// By priority, the first one first; those without endpoints are left out.
    pub levels: Box<[Level]>,
    standing: ArcSwap<Standing>,
}

/// Everything that a cluster is divided into.
pub struct Tiers {
    /// How.
    pub division: Arc<Division>,
    /// The whole cluster.
    pub all: Partition,
    /// By [`Subset::id`], in its order.
    subsets: Vec<(u64, Partition)>,
}

/// What all groups of a set are made by.
#[derive(Clone, Copy)]
struct Making<'a> {
    number: u64,
    division: &'a Division,
    table: TableKind,
}

impl Tiers {
    /// Divides the members of a cluster.
    pub(super) fn of(whole: &EndpointSet, division: &Arc<Division>, table: TableKind) -> Self {
        let making = Making { number: whole.number, division, table };
        let part = |name: &str, members: &[&Member]| Partition::of(name, members, making);
        let mut found: BTreeMap<u64, (String, Vec<&Member>)> = BTreeMap::new();
        for keys in division.subsets.iter().flat_map(|subsets| &subsets.keys) {
            for member in whole.members() {
                let Some(subset) = member.place.as_deref().and_then(|place| Subset::within(&place.labels, keys)) else {
                    continue;
                };
                let (_, known) = found.entry(subset.id).or_insert_with(|| (subset.text.clone(), Vec::new()));
                known.push(member);
            }
        }
        Self {
            division: Arc::clone(division),
            all: part("", &whole.members().collect::<Vec<_>>()),
            subsets: found.into_iter().map(|(id, (name, members))| (id, part(&name, &members))).collect(),
        }
    }

    /// The subset, if it has an endpoint.
    pub fn subset(&self, id: u64) -> Option<&Partition> {
        let at = self.subsets.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        self.subsets.get(at).map(|(_, partition)| partition)
    }

    /// The priority at which a member of the cluster stands.
    pub fn priority(&self, member: &Member) -> u32 {
        let order = self.division.order(member);
        self.all.levels.iter().find(|level| level.order == order).map_or(order.priority, |level| level.priority)
    }

    /// What stands in for a subset without endpoints; `None`: nothing does.
    pub fn instead(&self) -> Option<&Partition> {
        match self.division.subsets.as_ref()?.instead {
            Instead::Nobody => None,
            Instead::Anybody => Some(&self.all),
            Instead::Subset(ref subset) => self.subset(subset.id),
        }
    }

    /// All subsets that have an endpoint.
    pub fn subsets(&self) -> impl Iterator<Item = &Partition> {
        self.subsets.iter().map(|(_, partition)| partition)
    }
}

impl Partition {
    fn of(name: &str, members: &[&Member], making: Making<'_>) -> Self {
        let mut levels: BTreeMap<Order, Vec<&Member>> = BTreeMap::new();
        for member in members {
            levels.entry(making.division.order(member)).or_default().push(member);
        }
        let by_region = !making.division.locality.failover.is_empty();
        let level = |(place, (order, members)): (usize, (Order, Vec<&Member>))| Level {
            order,
            // A cluster has fewer than 65,536 endpoints.
            priority: if by_region { place as u32 } else { order.priority },
            zones: zones(&members, making, place == 0),
            group: Group::of(&members, making),
        };
        let levels = levels.into_iter().enumerate().map(level).collect();
        Self { name: name.to_owned(), levels, standing: ArcSwap::from_pointee(Standing::unknown()) }
    }

    /// Who takes which share as of now. Reckoned anew once for each change of somebody's health, by whoever comes first.
    #[inline]
    pub fn standing(&self, membership: &Membership, division: &Division) -> Guard<Arc<Standing>> {
        let changes = membership.tally().changes();
        let known = self.standing.load();
        if known.changes == changes { known } else { self.reckon(changes, division) }
    }

    #[cold]
    fn reckon(&self, changes: u64, division: &Division) -> Guard<Arc<Standing>> {
        // What changes meanwhile has a number of its own, and is reckoned by the next one who asks.
        self.standing.store(Arc::new(Standing::of(&self.levels, division, changes)));
        self.standing.load()
    }
}

impl Group {
    fn of(members: &[&Member], making: Making<'_>) -> Self {
        let set = EndpointSet::group(making.number, members.iter().copied().cloned(), making.table);
        Self { set, turns: Turns::default() }
    }
}

/// The zones of a level, where there are several and the division asks for them.
fn zones(members: &[&Member], making: Making<'_>, first: bool) -> Box<[Zone]> {
    let locality = &making.division.locality;
    let asked = match locality.zoning {
        Zoning::Off => false,
        // Envoy's rule: how many proxies call from where is known for the first priority only.
        Zoning::Own { .. } => first && !locality.own.zone.is_empty(),
        Zoning::Weighted => true,
    };
    let mut zones: BTreeMap<Spot, Vec<&Member>> = BTreeMap::new();
    for member in members.iter().filter(|_| asked) {
        zones.entry(Spot::of(member)).or_default().push(member);
    }
    if zones.len() < 2 {
        return Box::default();
    }
    zones.into_iter().map(|(spot, members)| Zone { spot, group: Group::of(&members, making) }).collect()
}
