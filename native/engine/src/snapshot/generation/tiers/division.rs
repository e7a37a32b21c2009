//! How a cluster is divided, as its configuration says.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::load::Provision;
use super::subset::Subset;
use crate::snapshot::Member;

/// How a cluster's endpoints are divided, and when too few of them are healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Division {
    /// When a priority is short of health.
    pub provision: Provision,
    /// Parts that routes can ask for.
    pub subsets: Option<SubsetRule>,
    /// Whether it matters where endpoints run.
    pub locality: Locality,
}

/// Parts of a cluster that routes can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubsetRule {
    /// Sets of label names, each sorted: endpoints that agree in the labels of one are a subset.
    pub keys: Vec<Vec<String>>,
    /// Who answers for a subset without endpoints.
    pub instead: Instead,
}

/// Who answers for a subset without endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Nobody.
    Nobody,
    /// The whole cluster.
    Anybody,
    /// This subset.
    Subset(Subset),
}

/// Whether it matters where endpoints run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locality {
    /// How zones share requests.
    pub zoning: Zoning,
    /// Where this proxy runs.
    pub own: Spot,
    /// By zone: how many proxies call from it, or what share it is to have. Empty: as many from each; as many as its
    /// endpoints weigh.
    pub weights: BTreeMap<String, u32>,
    /// Regions that stand in for the own one, one after the other, and behind them all others. Empty: regions make no
    /// difference.
    pub failover: Vec<String>,
}

impl Locality {
    /// How many regions come before this one.
    fn distance(&self, region: &str) -> u32 {
        if self.failover.is_empty() || region == self.own.region {
            return 0;
        }
        let named = self.failover.iter().position(|known| known == region);
        u32::try_from(named.unwrap_or(self.failover.len()) + 1).unwrap_or(u32::MAX)
    }
}

/// How zones share requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zoning {
    /// They make no difference.
    #[default]
    Off,
    /// The proxy's own first, as long as that loads no zone more than the others.
    Own {
        /// Healthy endpoints below which it is off.
        min_endpoints: u32,
    },
    /// Each by its weight, less where it is short of health.
    Weighted,
}

/// When an endpoint's turn comes: those of a lower order when the ones before are short of health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// Regions that come before its own.
    pub distance: u32,
    /// As configured, within its region.
    pub priority: u32,
}

/// Where somebody runs. Empty text where nothing was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The outer part.
    pub region: String,
    /// The inner part.
    pub zone: String,
}

impl Spot {
    pub(super) fn of(member: &Member) -> Self {
        let place = member.place.as_deref();
        place.map(|place| Self { region: place.region.clone(), zone: place.zone.clone() }).unwrap_or_default()
    }

    /// Whether both say the same zone. A region that only one of them names does not part them.
    pub fn is_same_zone(&self, other: &Self) -> bool {
        let same_region = self.region == other.region || self.region.is_empty() || other.region.is_empty();
        !self.zone.is_empty() && self.zone == other.zone && same_region
    }
}

impl Division {
    /// Whose turn comes first: by region where those stand in for one another, then by priority.
    pub fn order(&self, member: &Member) -> Order {
        let region = member.place.as_deref().map_or("", |place| place.region.as_str());
        Order { distance: self.locality.distance(region), priority: member.priority() }
    }

    /// The division with the subsets that the one before had besides its own.
    pub(crate) fn after(division: &Arc<Self>, before: &Self) -> Arc<Self> {
        let Some(earlier) = &before.subsets else { return Arc::clone(division) };
        let mut both = Self::clone(division);
        let subsets = both.subsets.get_or_insert_with(|| SubsetRule { keys: Vec::new(), instead: Instead::Nobody });
        subsets.keys.extend(earlier.keys.iter().cloned());
        subsets.keys.sort_unstable();
        subsets.keys.dedup();
        Arc::new(both)
    }

    /// Whether one set per priority is enough.
    pub fn is_undivided(&self) -> bool {
        self.subsets.is_none() && self.locality.zoning == Zoning::Off && self.locality.failover.is_empty()
    }
}
