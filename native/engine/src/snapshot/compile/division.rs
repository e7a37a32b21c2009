//! How clusters are divided, and which of their parts somebody asks for.

use std::collections::BTreeMap;

use super::{Compiler, Rejection};
use crate::snapshot::{
    Cluster, Division, Instead, Locality, LocalityMode, Provision, Spot, Subset, SubsetFallback, SubsetRule, Zoning,
};

impl Compiler<'_> {
    pub(super) fn division(&mut self, index: usize, dto: &Cluster) -> Division {
        let provision =
            Provision { panic_threshold: dto.panic_threshold.into(), over_provisioning: dto.over_provisioning.into() };
        if dto.panic_threshold > 100 {
            self.refuse(index, "panicThreshold", "is more than 100 percent");
        }
        if !(100..=1_000).contains(&dto.over_provisioning) {
            self.refuse(index, "overProvisioning", "is not between 100 and 1,000 percent");
        }
        let subsets = dto.subsets.as_ref().map(|subsets| {
            let instead = match &subsets.fallback {
                SubsetFallback::None => Instead::Nobody,
                SubsetFallback::Any => Instead::Anybody,
                SubsetFallback::Default(labels) => {
                    Instead::Subset(self.subset(format!("clusters.{index}.subsets.fallback"), dto, labels))
                }
            };
            SubsetRule { keys: subsets.keys.iter().map(|keys| sorted(keys)).collect(), instead }
        });
        Division { provision, subsets, locality: self.locality(dto) }
    }

    fn locality(&self, dto: &Cluster) -> Locality {
        let Some(aware) = &dto.locality_aware else { return Locality::default() };
        let zoning = match aware.mode {
            LocalityMode::Off => Zoning::Off,
            LocalityMode::Zone => Zoning::Own { min_endpoints: aware.min_endpoints },
            LocalityMode::Weighted => Zoning::Weighted,
        };
        Locality { zoning, own: self.own_spot(), weights: aware.weights.clone(), failover: aware.failover.clone() }
    }

    /// Where the proxy runs.
    pub(super) fn own_spot(&self) -> Spot {
        Spot { region: self.node.region.clone(), zone: self.node.zone.clone() }
    }

    /// The part of a cluster that somebody asks for by its labels.
    pub(super) fn subset(&mut self, path: String, cluster: &Cluster, labels: &BTreeMap<String, String>) -> Subset {
        let asked: Vec<&String> = labels.keys().collect();
        let sets = cluster.subsets.iter().flat_map(|subsets| &subsets.keys);
        if !sets.map(|keys| sorted(keys)).any(|keys| keys.iter().eq(asked.iter().copied())) {
            let words: Vec<&str> = asked.iter().map(|key| key.as_str()).collect();
            let message = format!("cluster {} has no subsets by {}", cluster.name, words.join(", "));
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_SUBSET", message));
        }
        Subset::new(labels)
    }

    fn refuse(&mut self, index: usize, key: &str, message: &str) {
        self.rejected.push(Rejection::new(format!("clusters.{index}.{key}"), "WEFT_SNAPSHOT_DIVISION", message));
    }
}

fn sorted(keys: &[String]) -> Vec<String> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    keys
}
