//! A route's requests go elsewhere at once, until the next configuration: a new generation from the snapshot in force, in
//! which one route forwards otherwise. An exchange holds its generation, so none sees a mix.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Proxy;
use crate::snapshot::{ForwardTarget, Generation, Rejection, RouteAction, Snapshot, compile};

/// What is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Switching {
    /// Name of the route.
    pub route: String,
    /// Where its requests go; none: back to where they went before its last switch.
    pub to: Option<SwitchTarget>,
}

/// Where a route's requests go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwitchTarget {
    /// Name of the cluster.
    pub cluster: String,
    /// The part of it where one label alone divides it, by the label's value; none: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Percent of the requests, from 1 to 100; the others are shared as before.
    pub percent: u32,
}

impl SwitchTarget {
    /// As it is written: `CLUSTER` or `CLUSTER:SUBSET`.
    fn words(&self) -> String {
        self.subset.as_ref().map_or_else(|| self.cluster.clone(), |subset| format!("{}:{subset}", self.cluster))
    }
}

/// A switch in force.
#[derive(Clone, Debug, Serialize)]
pub struct Switch {
    /// Name of the route.
    pub route: String,
    /// Where its requests go.
    #[serde(flatten)]
    pub to: SwitchTarget,
}

/// What the generation in force was made from.
#[derive(Default)]
pub(super) struct Made {
    /// The snapshot.
    pub(super) bytes: Arc<[u8]>,
    /// What was switched since, the oldest first.
    pub(super) switches: Vec<Switch>,
}

impl Made {
    /// Says on each switched route what became of it.
    pub(super) fn tell(&self, generation: &mut Generation) {
        for route in &mut generation.routes {
            let of = self.switches.iter().filter(|switch| switch.route == route.name);
            let told: Vec<String> = of.map(|it| format!("{} % to {}", it.to.percent, it.to.words())).collect();
            route.switched = (!told.is_empty())
                .then(|| format!("{} by `weft route switch`, until the next reload", told.join(", then ")).into());
        }
    }
}

impl Proxy {
    /// Switches a route, or takes its last switch back. The number of the new generation, or why there is none.
    pub fn switch(&self, asked: &Switching) -> Result<u32, Rejection> {
        let (bytes, mut switches) = {
            let state = self.state.lock();
            (Arc::clone(&state.made.bytes), state.made.switches.clone())
        };
        match &asked.to {
            Some(to) => switches.push(Switch { route: asked.route.clone(), to: to.clone() }),
            None => {
                let last = switches.iter().rposition(|switch| switch.route == asked.route);
                let last = last.ok_or_else(|| refused(&asked.route, "was not switched: there is no way back"))?;
                switches.remove(last);
            }
        }
        let mut snapshot = compile::decode(&bytes)?;
        for switch in &switches {
            divert(&mut snapshot, switch)?;
        }
        // Another one than that of the bytes: the same file read again is a change, back to what it says.
        let fingerprint = !compile::fingerprint::of_bytes(&bytes);
        self.put_in_force(&snapshot, fingerprint, Made { bytes, switches })
            .map_err(|rejected| rejected.into_iter().next().unwrap_or_else(|| refused(&asked.route, "was refused")))
    }

    /// The switches in force, the oldest first.
    pub fn switches(&self) -> Vec<Switch> {
        self.state.lock().made.switches.clone()
    }
}

fn divert(snapshot: &mut Snapshot, Switch { route: name, to }: &Switch) -> Result<(), Rejection> {
    let cluster = snapshot.clusters.iter().position(|cluster| cluster.name == to.cluster);
    let cluster = cluster.and_then(|cluster| u32::try_from(cluster).ok());
    let cluster = cluster.ok_or_else(|| refused(name, &format!("cannot go to `{}`: no such cluster", to.cluster)))?;
    let subset = to.subset.as_ref().map(|value| labels(snapshot, name, cluster, value)).transpose()?;
    let route = snapshot.routes.iter_mut().find(|route| route.name == *name);
    let route = route.ok_or_else(|| refused(name, "does not exist"))?;
    let RouteAction::Forward(forward) = &mut route.action else {
        return Err(refused(name, "does not forward: it answers by itself"));
    };
    let whole = ForwardTarget { cluster, weight: 1, subset };
    forward.targets = shared(&forward.targets, &whole, to.percent.clamp(1, 100));
    Ok(())
}

/// The labels of a part that is named by the value of its one label.
fn labels(snapshot: &Snapshot, route: &str, cluster: u32, value: &str) -> Result<BTreeMap<String, String>, Rejection> {
    let subsets = snapshot.clusters.get(cluster as usize).and_then(|cluster| cluster.subsets.as_ref());
    let mut single = subsets.into_iter().flat_map(|subsets| &subsets.keys).filter(|keys| keys.len() == 1).flatten();
    match (single.next(), single.next()) {
        (Some(key), None) => Ok(BTreeMap::from([(key.clone(), value.to_owned())])),
        _ => Err(refused(route, &format!("cannot go to `{value}`: no one label divides the cluster into subsets"))),
    }
}

/// So many percent for one target, the rest for the others as they shared before. A part of a cluster is another target
/// than the whole of it.
fn shared(targets: &[ForwardTarget], to: &ForwardTarget, percent: u32) -> Vec<ForwardTarget> {
    let is_other = |target: &&ForwardTarget| target.cluster != to.cluster || target.subset != to.subset;
    let others = || targets.iter().filter(is_other);
    let sum: u64 = others().map(|target| u64::from(target.weight)).sum();
    if percent >= 100 || sum == 0 {
        return vec![ForwardTarget { weight: 1, ..to.clone() }];
    }
    let (own, rest) = (sum * u64::from(percent), u64::from(100 - percent));
    let share = |target: &ForwardTarget| u64::from(target.weight) * rest;
    let divisor = others().map(share).fold(own, common).max(1);
    let weight = |share: u64| u32::try_from(share / divisor).unwrap_or(u32::MAX);
    let scaled = others().map(|target| ForwardTarget { weight: weight(share(target)), ..target.clone() });
    [ForwardTarget { weight: weight(own), ..to.clone() }].into_iter().chain(scaled).collect()
}

/// Greatest common divisor (Euclid).
fn common(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { common(other, one % other) }
}

fn refused(route: &str, why: &str) -> Rejection {
    Rejection::new("route", "WEFT_ROUTE_SWITCH", format!("the route `{route}` {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(before: &[(u32, u32)], cluster: u32, percent: u32) -> Vec<(u32, u32)> {
        let targets: Vec<ForwardTarget> = before
            .iter()
            .map(|(cluster, weight)| ForwardTarget { cluster: *cluster, weight: *weight, subset: None })
            .collect();
        shared(&targets, &ForwardTarget { cluster, weight: 1, subset: None }, percent)
            .iter()
            .map(|target| (target.cluster, target.weight))
            .collect()
    }

    #[test]
    fn a_share_is_taken_from_the_others_in_proportion() {
        assert_eq!(weights(&[(0, 1)], 1, 100), [(1, 1)]);
        assert_eq!(weights(&[(0, 1)], 1, 10), [(1, 1), (0, 9)]);
        assert_eq!(weights(&[(0, 90), (1, 10)], 1, 50), [(1, 1), (0, 1)]);
        assert_eq!(weights(&[(0, 3), (1, 1)], 2, 20), [(2, 1), (0, 3), (1, 1)]);
        assert_eq!(weights(&[(1, 1)], 1, 10), [(1, 1)], "there is nobody else");
        let most = 1_000_000;
        let all: Vec<(u32, u32)> = (0..64).map(|cluster| (cluster, most - cluster)).collect();
        assert!(weights(&all, 99, 37).iter().all(|(_, weight)| *weight > 0 && *weight < u32::MAX));
    }
}
