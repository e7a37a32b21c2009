//! Properties of the groups in which a cluster's endpoints stand: who is picked how often is what a naive reading of the
//! rules gives, whatever is down, and no retry goes to the same endpoint while there is another one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use proptest::prelude::*;
use weft_engine::snapshot::{
    ClusterBook, Division, Endpoint, Instead, LoadBalancer, Locality, Membership, PartitionTold, Place, Provision,
    Spot, Subset, SubsetRule, Wanted, Zoning,
};
use weft_engine::telemetry::record::Mark;
use weft_engine::upstream::cluster::{Picked, Picker, Wish, choose};

const RANDOM: LoadBalancer = LoadBalancer::Random {};
const PICKS: u32 = 20_000;
/// As far as they are from `east`; the last two are equally far.
const REGIONS: [&str; 5] = ["east", "west", "north", "south", ""];

/// Where an endpoint stands.
#[derive(Clone, Debug)]
struct Spec {
    priority: u32,
    region: &'static str,
    zone: usize,
    version: usize,
    up: bool,
}

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let spec = (0_u32..3, 0_usize..3, 0_usize..2, prop::bool::weighted(0.6));
    let spec = spec.prop_map(|(priority, zone, version, up)| Spec { priority, region: "", zone, version, up });
    prop::collection::vec(spec, 1..24)
}

fn labels(version: usize) -> BTreeMap<String, String> {
    BTreeMap::from([("version".to_owned(), format!("v{version}"))])
}

fn wanted(at: usize, spec: &Spec) -> Wanted {
    let socket = SocketAddr::from(([10, 0, 0, at as u8], 80));
    let place = Place {
        region: spec.region.to_owned(),
        zone: format!("zone-{}", spec.zone),
        priority: spec.priority,
        labels: labels(spec.version),
    };
    Wanted { name: socket.to_string(), reach: socket.into(), weight: 1, place }
}

fn division(zoning: Zoning, panic_threshold: u32) -> Arc<Division> {
    let own = Spot { region: String::new(), zone: "zone-0".to_owned() };
    Arc::new(Division {
        provision: Provision { panic_threshold, over_provisioning: 140 },
        subsets: Some(SubsetRule { keys: vec![vec!["version".to_owned()]], instead: Instead::Nobody }),
        locality: Locality { zoning, own, ..Locality::default() },
    })
}

struct Cluster {
    membership: Arc<Membership>,
    book: ClusterBook,
    endpoints: Vec<Arc<Endpoint>>,
}

impl Cluster {
    fn of(specs: &[Spec], division: &Arc<Division>) -> Self {
        let mut book = ClusterBook::default();
        let membership = book.membership("app");
        book.divide("app", division);
        let all = specs.iter().enumerate().map(|(at, spec)| wanted(at, spec)).collect();
        book.change("app", all, &[], true).unwrap();
        let endpoints: Vec<Arc<Endpoint>> =
            membership.set().members().map(|member| Arc::clone(&member.endpoint)).collect();
        endpoints.iter().zip(specs).for_each(|(endpoint, spec)| endpoint.set_healthy(spec.up));
        Self { membership, book, endpoints }
    }

    fn pick(&self, picker: &Picker, tried: &[u32], subset: Option<&Subset>) -> Option<Picked> {
        choose(picker, &self.membership, RANDOM, &Wish { tried, subset, ..Wish::default() })
    }

    /// Shares of all picks, by index.
    fn shares(&self, subset: Option<&Subset>) -> Vec<f64> {
        let picker = Picker::with_seed(42);
        let mut shares = vec![0.0; self.endpoints.len()];
        for _ in 0..PICKS {
            let picked = self.pick(&picker, &[], subset).unwrap();
            assert!(Arc::ptr_eq(&picked.endpoint, &self.endpoints[usize::from(picked.index)]));
            shares[usize::from(picked.index)] += 1.0 / f64::from(PICKS);
        }
        shares
    }
}

/// What each endpoint gets, as the rules say it in words; `None`: nobody can be picked.
fn naive(specs: &[Spec], takes: impl Fn(&Spec) -> bool, weighted: bool, threshold: f64) -> Option<Vec<f64>> {
    let mut priorities: Vec<u32> = specs.iter().filter(|spec| takes(spec)).map(|spec| spec.priority).collect();
    priorities.sort_unstable();
    priorities.dedup();
    let members = |priority: u32, zone: Option<usize>| -> Vec<usize> {
        let is_in = |spec: &Spec| takes(spec) && spec.priority == priority && zone.is_none_or(|zone| spec.zone == zone);
        (0..specs.len()).filter(|at| is_in(&specs[*at])).collect()
    };
    let healthy = |all: &[usize]| all.iter().filter(|at| specs[**at].up).count() as f64 / all.len().max(1) as f64;
    let health: Vec<f64> =
        priorities.iter().map(|priority| (1.4 * healthy(&members(*priority, None))).min(1.0)).collect();
    let sum = health.iter().sum::<f64>().min(1.0);
    let mut left = 1.0;
    let mut shares = vec![0.0; specs.len()];
    for (place, priority) in priorities.iter().enumerate() {
        let load = if sum == 0.0 { f64::from(u8::from(place == 0)) } else { (health[place] / sum).min(left) };
        left -= load;
        let all = members(*priority, None);
        let panicked = sum < 1.0 && healthy(&all) < threshold;
        let spread = |load: f64, among: &[usize], shares: &mut Vec<f64>| {
            let usable: Vec<usize> = among.iter().copied().filter(|at| panicked || specs[*at].up).collect();
            usable.iter().for_each(|at| shares[*at] += load / usable.len() as f64);
        };
        if !weighted || panicked {
            spread(load, &all, &mut shares);
            continue;
        }
        let zones: Vec<Vec<usize>> = (0..3).map(|zone| members(*priority, Some(zone))).collect();
        let weights: Vec<f64> = zones.iter().map(|zone| zone.len() as f64 * (1.4 * healthy(zone)).min(1.0)).collect();
        let total: f64 = weights.iter().sum();
        for (zone, weight) in zones.iter().zip(weights).filter(|(_, weight)| *weight > 0.0) {
            spread(load * weight / total, zone, &mut shares);
        }
    }
    (shares.iter().sum::<f64>() > 0.5).then_some(shares)
}

fn are_close(found: &[f64], expected: &[f64]) -> bool {
    found
        .iter()
        .zip(expected)
        .all(|(found, expected)| (found - expected).abs() < 0.02 && (*expected > 0.0 || *found == 0.0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn endpoints_are_picked_as_often_as_priorities_zones_and_panic_say(
        specs in specs(), weighted in any::<bool>(), threshold in prop::sample::select(vec![20_u32, 50, 70]),
    ) {
        let zoning = if weighted { Zoning::Weighted } else { Zoning::Off };
        let cluster = Cluster::of(&specs, &division(zoning, threshold));
        let expected = naive(&specs, |_| true, weighted, f64::from(threshold) / 100.0).unwrap();
        let found = cluster.shares(None);
        prop_assert!(are_close(&found, &expected), "{:?} and not {:?}", found, expected);
    }

    #[test]
    fn a_subset_has_priorities_and_panic_of_its_own(specs in specs(), version in 0_usize..2) {
        let cluster = Cluster::of(&specs, &division(Zoning::Off, 50));
        let subset = Subset::new(&labels(version));
        match naive(&specs, |spec| spec.version == version, false, 0.5) {
            None => prop_assert!(cluster.pick(&Picker::with_seed(1), &[], Some(&subset)).is_none()),
            Some(expected) => {
                let found = cluster.shares(Some(&subset));
                prop_assert!(are_close(&found, &expected), "{:?} and not {:?}", found, expected);
            }
        }
    }

    #[test]
    fn regions_stand_in_for_one_another_in_their_order(
        specs in specs(), regions in prop::collection::vec(prop::sample::select(REGIONS.to_vec()), 24),
    ) {
        let mut specs = specs;
        specs.iter_mut().zip(regions).for_each(|(spec, region)| spec.region = region);
        let mut division = Division::clone(&division(Zoning::Off, 50));
        division.locality.own.region = "east".to_owned();
        division.locality.failover = vec!["west".to_owned(), "north".to_owned()];
        let cluster = Cluster::of(&specs, &Arc::new(division));
        let far = |region: &str| REGIONS.iter().position(|known| *known == region).unwrap().min(3) as u32;
        let ordered: Vec<Spec> =
            specs.iter().map(|spec| Spec { priority: 3 * far(spec.region) + spec.priority, ..spec.clone() }).collect();
        let expected = naive(&ordered, |_| true, false, 0.5).unwrap();
        let found = cluster.shares(None);
        prop_assert!(are_close(&found, &expected), "{:?} and not {:?}", found, expected);
        let set = cluster.membership.set();
        let nearest = ordered.iter().map(|spec| spec.priority).min();
        set.members().zip(&ordered).for_each(|(member, spec)| {
            assert_eq!(set.priority(member) == 0, Some(spec.priority) == nearest);
        });
    }

    #[test]
    fn retries_go_to_everybody_who_is_up_before_anybody_is_tried_again(specs in specs(), seed in any::<u64>()) {
        let cluster = Cluster::of(&specs, &division(Zoning::Own { min_endpoints: 2 }, 0));
        let up = specs.iter().filter(|spec| spec.up).count();
        let picker = Picker::with_seed(seed);
        let mut tried = Vec::new();
        for _ in 0..up {
            let picked = cluster.pick(&picker, &tried, None).unwrap();
            prop_assert!(picked.endpoint.is_up() && !tried.contains(&picked.endpoint.id));
            tried.push(picked.endpoint.id);
        }
        prop_assert_eq!(cluster.pick(&picker, &tried, None).is_some(), up > 0, "one of them is tried again");
    }
}

fn spec(priority: u32, zone: usize, up: bool) -> Spec {
    Spec { priority, region: "", zone, version: 0, up }
}

#[test]
fn the_own_zone_keeps_what_it_can_and_is_left_when_there_are_too_few() {
    let mut all: Vec<Spec> = (0..6).map(|at| spec(0, at % 2, true)).collect();
    let zoning = division(Zoning::Own { min_endpoints: 6 }, 50);
    let own = |cluster: &Cluster| cluster.shares(None).iter().step_by(2).sum::<f64>();
    assert!(own(&Cluster::of(&all, &zoning)) > 0.9999);
    let cluster = Cluster::of(&all, &zoning);
    cluster.endpoints[0].set_healthy(false);
    assert!((own(&cluster) - 0.4).abs() < 0.02, "five healthy ones are too few: all alike");
    all.push(spec(0, 1, true));
    let cluster = Cluster::of(&all, &zoning);
    cluster.endpoints[0].set_healthy(false);
    let shares = cluster.shares(None);
    let own: f64 = (0..6).step_by(2).map(|at| shares[at]).sum();
    assert!((own - 2.0 / 3.0).abs() < 0.02, "a third of the endpoints for half of the callers: {own}");
    let picker = Picker::with_seed(5);
    let crossed = (0..100).filter(|_| cluster.pick(&picker, &[], None).unwrap().marks.has(Mark::CrossZone)).count();
    assert!((10..60).contains(&crossed), "{crossed}");
}

#[test]
fn health_that_changes_is_in_force_with_the_next_pick_and_back_again() {
    let all: Vec<Spec> = (0..4).map(|at| spec(u32::from(at >= 2), 0, true)).collect();
    let cluster = Cluster::of(&all, &division(Zoning::Off, 50));
    let picker = Picker::with_seed(3);
    let priorities = |picks: usize| -> usize {
        (0..picks).filter(|_| cluster.pick(&picker, &[], None).unwrap().marks.has(Mark::LowerPriority)).count()
    };
    assert_eq!(priorities(200), 0);
    cluster.endpoints[..2].iter().for_each(|endpoint| endpoint.set_healthy(false));
    assert_eq!(priorities(200), 200);
    cluster.endpoints[0].set_healthy(true);
    assert!((30..90).contains(&priorities(200)), "70 % of the load is what half of them can take");
    cluster.endpoints[1].set_healthy(true);
    assert_eq!(priorities(200), 0);
    let told = PartitionTold::taking(&cluster.membership, None).unwrap();
    assert_eq!(
        told.levels.iter().map(|level| (level.priority, level.percent)).collect::<Vec<_>>(),
        [(0, 100.0), (1, 0.0)]
    );
}

#[test]
fn a_threshold_of_zero_leaves_nobody_when_nobody_is_healthy() {
    for zoning in [Zoning::Off, Zoning::Weighted, Zoning::Own { min_endpoints: 1 }] {
        let all: Vec<Spec> = (0..6).map(|at| spec(at % 3, at as usize % 2, false)).collect();
        let cluster = Cluster::of(&all, &division(zoning, 0));
        assert!(cluster.pick(&Picker::with_seed(1), &[], None).is_none());
        cluster.endpoints[4].set_healthy(true);
        assert_eq!(cluster.pick(&Picker::with_seed(1), &[], None).unwrap().index, 4);
    }
}

#[test]
fn a_subset_without_endpoints_is_stood_in_for_as_the_fallback_says() {
    let all: Vec<Spec> = (0..4).map(|at| Spec { version: at % 2, ..spec(0, 0, true) }).collect();
    let missing = Subset::new(&labels(7));
    let pick = |instead: Instead| {
        let mut division = Division::clone(&division(Zoning::Off, 50));
        division.subsets.as_mut().unwrap().instead = instead;
        let cluster = Cluster::of(&all, &Arc::new(division));
        let picker = Picker::with_seed(9);
        let picked: Option<Vec<Picked>> = (0..100).map(|_| cluster.pick(&picker, &[], Some(&missing))).collect();
        picked.map(|all| {
            assert!(all.iter().all(|picked| picked.marks.has(Mark::SubsetFallback)));
            let mut indexes: Vec<u16> = all.iter().map(|picked| picked.index).collect();
            indexes.sort_unstable();
            indexes.dedup();
            indexes
        })
    };
    assert_eq!(pick(Instead::Nobody), None);
    assert_eq!(pick(Instead::Anybody), Some(vec![0, 1, 2, 3]));
    assert_eq!(pick(Instead::Subset(Subset::new(&labels(1)))), Some(vec![1, 3]));
}

#[test]
fn subsets_that_routes_still_ask_for_outlive_the_division_that_named_them() {
    let all: Vec<Spec> = (0..4).map(|at| Spec { version: at % 2, ..spec(0, 0, true) }).collect();
    let mut cluster = Cluster::of(&all, &division(Zoning::Off, 50));
    let subset = Subset::new(&labels(1));
    cluster.book.divide("app", &Arc::default());
    assert_eq!(cluster.pick(&Picker::with_seed(1), &[], Some(&subset)).unwrap().index % 2, 1);
    cluster.book.divide("app", &division(Zoning::Weighted, 50));
    assert!(cluster.pick(&Picker::with_seed(1), &[], Some(&subset)).is_some());
}
