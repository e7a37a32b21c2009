//! Properties of picking: shares are as the weights say, whoever is down or was tried is left out, and a set of
//! endpoints holds what a plain list would hold after the same changes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use weft_engine::snapshot::{ClusterBook, Endpoint, LoadBalancer, Membership, Place, Wanted};
use weft_engine::telemetry::record::Mark;
use weft_engine::upstream::cluster::{Picked, Picker, Wish, choose};

const ROUND_ROBIN: LoadBalancer = LoadBalancer::RoundRobin { slow_start: None };
const RANDOM: LoadBalancer = LoadBalancer::Random {};
const LEAST_REQUEST: LoadBalancer =
    LoadBalancer::LeastRequest { choices: 2, full_scan: false, active_request_bias: None, slow_start: None };

/// What picking needs of a cluster.
struct Cluster {
    membership: Arc<Membership>,
    load_balancer: LoadBalancer,
}

fn pick(picker: &Picker, cluster: &Cluster, tried: &[u32]) -> Option<Picked> {
    choose(picker, &cluster.membership, cluster.load_balancer, &Wish { tried, ..Wish::default() })
}

fn socket(at: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, (at >> 8) as u8, at as u8], 80))
}

fn name(at: usize) -> String {
    socket(at).to_string()
}

fn wanted(at: usize, weight: u32) -> Wanted {
    Wanted { name: socket(at).to_string(), reach: socket(at).into(), weight, place: Place::default() }
}

fn cluster_of(weights: &[u32], load_balancer: LoadBalancer) -> (ClusterBook, Cluster) {
    let mut book = ClusterBook::default();
    let membership = book.membership("app");
    let all = weights.iter().enumerate().map(|(at, weight)| wanted(at, *weight)).collect();
    book.change("app", all, &[], true).unwrap();
    (book, Cluster { membership, load_balancer })
}

fn endpoints(cluster: &Cluster) -> Vec<Arc<Endpoint>> {
    cluster.membership.set().members().map(|member| Arc::clone(&member.endpoint)).collect()
}

/// How often each endpoint is picked, by its index, alternating between as many workers as there are pickers.
fn hits(cluster: &Cluster, pickers: &[Picker], picks: u32, tried: &[u32]) -> Vec<u32> {
    let mut hits = vec![0; cluster.membership.set().len() as usize];
    for turn in 0..picks {
        let picked = pick(&pickers[turn as usize % pickers.len()], cluster, tried).unwrap();
        hits[usize::from(picked.index)] += 1;
    }
    hits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_round_of_round_robin_gives_each_endpoint_exactly_its_weight(
        weights in prop::collection::vec(1_u32..50, 1..300), workers in 1_usize..4, started in 0_u32..1000,
    ) {
        let (_book, cluster) = cluster_of(&weights, ROUND_ROBIN);
        let pickers: Vec<Picker> = (0..workers).map(|_| Picker::new()).collect();
        let equal = weights.iter().all(|weight| *weight == weights[0]);
        let round = if equal { weights.len() as u32 } else { weights.iter().sum() };
        hits(&cluster, &pickers, started, &[]);
        let expected: Vec<u32> = if equal { vec![1; weights.len()] } else { weights };
        prop_assert_eq!(hits(&cluster, &pickers, round, &[]), expected);
    }

    #[test]
    fn turns_of_an_endpoint_are_spread_over_the_round(weight in 2_u32..20, others in 2_usize..40) {
        prop_assert!(longest_pause(weight, others) <= 3 * (weight + others as u32) / weight + 1);
    }

    #[test]
    fn an_endpoint_that_is_down_is_never_picked_while_another_is_up(
        up in prop::collection::vec(any::<bool>(), 2..200), policy in 0..3, seed in any::<u64>(),
    ) {
        let count = up.iter().filter(|up| **up).count();
        // With fewer of them the cluster panics.
        prop_assume!(2 * count >= up.len());
        let weights: Vec<u32> = (0..up.len()).map(|at| 1 + at as u32 % 3).collect();
        let (_book, cluster) = cluster_of(&weights, [ROUND_ROBIN, RANDOM, LEAST_REQUEST][policy as usize]);
        for (endpoint, up) in endpoints(&cluster).iter().zip(&up) {
            endpoint.set_healthy(*up);
        }
        let hits = hits(&cluster, &[Picker::with_seed(seed)], 300, &[]);
        for (at, hits) in hits.iter().enumerate() {
            prop_assert!(up[at] || *hits == 0, "endpoint {at} is down and was picked {hits} times");
        }
    }

    #[test]
    fn what_was_tried_is_left_out_until_all_were(count in 1_usize..20, policy in 0..3, seed in any::<u64>()) {
        let (_book, cluster) = cluster_of(&vec![1; count], [ROUND_ROBIN, RANDOM, LEAST_REQUEST][policy as usize]);
        let picker = Picker::with_seed(seed);
        let mut tried = Vec::new();
        for _ in 0..count {
            let picked = pick(&picker, &cluster, &tried).unwrap();
            prop_assert!(!tried.contains(&picked.endpoint.id));
            tried.push(picked.endpoint.id);
        }
        prop_assert!(pick(&picker, &cluster, &tried).is_some(), "one of them is tried again");
    }

    #[test]
    fn a_set_holds_what_a_list_would_hold_after_the_same_changes(
        changes in prop::collection::vec((any::<bool>(), prop::collection::vec((0_usize..400, 1_u32..5), 0..60),
            prop::collection::vec(0_usize..400, 0..60)), 1..12),
    ) {
        let (mut book, cluster) = cluster_of(&[1], ROUND_ROBIN);
        let mut model: BTreeMap<String, u32> = BTreeMap::from([(name(0), 1)]);
        for (complete, come, go) in changes {
            let come: BTreeMap<usize, u32> = come.into_iter().collect();
            let gone: Vec<String> = go.iter().map(|at| name(*at)).collect();
            let all: Vec<Wanted> = come.iter().map(|(at, weight)| wanted(*at, *weight)).collect();
            let foretold = book.len_after("app", &all, &gone, complete);
            book.change("app", all, &gone, complete).unwrap();
            if complete {
                model.clear();
            }
                model.retain(|name, _| !gone.contains(name));
            model.extend(come.iter().map(|(at, weight)| (name(*at), *weight)));
            let set = cluster.membership.set();
            let held: BTreeMap<String, u32> =
                set.members().map(|member| (member.endpoint.name.clone(), member.weight)).collect();
            prop_assert_eq!(&held, &model);
            prop_assert_eq!(foretold, Some(model.len()));
            prop_assert_eq!(set.len() as usize, model.len());
            for index in 0..set.len() {
                prop_assert!(set.member(index).is_some());
            }
            if let Some(total) = set.total_weight() {
                let mut shares = vec![0; model.len()];
                (0..total).for_each(|share| shares[set.holder(share) as usize] += 1);
                let weights: Vec<u32> = set.members().map(|member| member.weight).collect();
                prop_assert_eq!(shares, weights);
            }
        }
    }
}

/// Turns in a row without an endpoint of this weight, among others of weight 1. Evenly spread they would be the sum of
/// all weights divided by this one.
fn longest_pause(weight: u32, others: usize) -> u32 {
    let mut weights = vec![1; others];
    weights.push(weight);
    let (_book, cluster) = cluster_of(&weights, ROUND_ROBIN);
    let picker = Picker::new();
    let (mut longest, mut pause) = (0, 0);
    for _ in 0..2 * weights.iter().sum::<u32>() {
        pause = if usize::from(pick(&picker, &cluster, &[]).unwrap().index) == others { 0 } else { pause + 1 };
        longest = longest.max(pause);
    }
    longest
}

#[test]
fn turns_are_spread_where_the_nearest_step_would_gather_them() {
    assert!(longest_pause(7, 33) <= 10, "a step of 27 in 40 pauses for 21 turns");
}

#[test]
fn chance_gives_shares_by_weight() {
    let (_book, cluster) = cluster_of(&[1, 2, 5], RANDOM);
    let hits = hits(&cluster, &[Picker::with_seed(7)], 80_000, &[]);
    for (hits, weight) in hits.iter().zip([1, 2, 5]) {
        assert!(hits.abs_diff(weight * 10_000) < 500, "{hits} of weight {weight}");
    }
}

#[test]
fn least_request_keeps_to_weights_when_idle_and_turns_away_from_the_busy() {
    let (_book, cluster) = cluster_of(&[1, 3], LEAST_REQUEST);
    let idle = hits(&cluster, &[Picker::with_seed(7)], 40_000, &[]);
    assert!(idle[0].abs_diff(10_000) < 1_000, "{idle:?}");

    let (_book, cluster) = cluster_of(&[1; 10], LEAST_REQUEST);
    let all = endpoints(&cluster);
    all[3].active.store(50, Ordering::Relaxed);
    let busy = hits(&cluster, &[Picker::with_seed(7)], 10_000, &[]);
    assert_eq!(busy[3], 0, "of two different ones, the busy one is never the less busy");
}

#[test]
fn active_requests_settle_at_the_weights_when_all_are_busy() {
    let weights = [1, 2, 4];
    let (_book, cluster) = cluster_of(&weights, LEAST_REQUEST);
    let picker = Picker::with_seed(3);
    for _ in 0..700 {
        pick(&picker, &cluster, &[]).unwrap().endpoint.active.fetch_add(1, Ordering::Relaxed);
    }
    for (endpoint, weight) in endpoints(&cluster).iter().zip(weights) {
        let active = endpoint.active.load(Ordering::Relaxed);
        assert!(active.abs_diff(weight * 100) <= 10, "{active} exchanges at weight {weight}");
    }
}

#[test]
fn what_was_compared_can_be_told() {
    let (_book, cluster) = cluster_of(&[1, 1], LEAST_REQUEST);
    endpoints(&cluster)[1].active.store(9, Ordering::Relaxed);
    let picked = pick(&Picker::with_seed(1), &cluster, &[]).unwrap();
    let mut candidates = picked.candidates.as_slice().to_vec();
    candidates.sort_unstable_by_key(|(index, _)| *index);
    assert_eq!((picked.index, candidates), (0, vec![(0, 0.0), (1, 9.0)]));
}

#[test]
fn the_share_of_an_endpoint_that_is_down_goes_to_all_others() {
    let (_book, cluster) = cluster_of(&[1; 10], ROUND_ROBIN);
    endpoints(&cluster)[4].set_healthy(false);
    let hits = hits(&cluster, &[Picker::with_seed(11)], 90_000, &[]);
    assert!(hits.iter().enumerate().all(|(at, hits)| at == 4 || hits.abs_diff(10_000) < 400), "{hits:?}");
}

#[test]
fn all_are_used_when_fewer_than_half_are_healthy_and_it_is_marked() {
    let (_book, cluster) = cluster_of(&[1; 5], ROUND_ROBIN);
    endpoints(&cluster).iter().for_each(|endpoint| endpoint.set_healthy(false));
    let picker = Picker::new();
    assert_eq!(hits(&cluster, std::slice::from_ref(&picker), 50, &[]), [10; 5]);
    assert!(pick(&picker, &cluster, &[]).unwrap().marks.has(Mark::Panic));
    endpoints(&cluster).iter().take(2).for_each(|endpoint| endpoint.set_healthy(true));
    assert!(pick(&picker, &cluster, &[]).unwrap().marks.has(Mark::Panic), "two of five are below the half");
    endpoints(&cluster)[2].set_healthy(true);
    let hits = hits(&cluster, &[picker], 90, &[]);
    assert_eq!((hits[3], hits[4]), (0, 0), "{hits:?}");
}

#[test]
fn an_empty_cluster_has_no_endpoint() {
    let mut book = ClusterBook::default();
    let (_, cluster) = cluster_of(&[1], ROUND_ROBIN);
    let cluster = Cluster { membership: book.membership("other"), ..cluster };
    assert!(pick(&Picker::new(), &cluster, &[]).is_none());
}

#[test]
fn an_endpoint_that_stays_or_comes_back_in_time_keeps_its_state() {
    let (mut book, cluster) = cluster_of(&[1; 300], ROUND_ROBIN);
    let before = endpoints(&cluster);
    before[7].requests.store(42, Ordering::Relaxed);
    let gone = Arc::clone(&before[9]);
    book.change("app", vec![wanted(300, 1)], &[name(9)], false).unwrap();
    assert!(!gone.is_member());
    let after = endpoints(&cluster);
    assert_eq!(after.len(), 300);
    assert_eq!(after.iter().filter(|endpoint| before.iter().any(|known| Arc::ptr_eq(known, endpoint))).count(), 299);
    book.forget_unused();
    book.change("app", vec![wanted(9, 2)], &[], false).unwrap();
    assert!(endpoints(&cluster).iter().any(|endpoint| Arc::ptr_eq(endpoint, &gone)) && gone.is_member());
}

#[test]
fn numbers_of_endpoints_that_nobody_holds_are_given_again() {
    let (mut book, cluster) = cluster_of(&[1; 3], ROUND_ROBIN);
    for turn in 0..100 {
        book.change("app", vec![wanted(1000 + turn, 1)], &[], true).unwrap();
        book.forget_unused();
    }
    assert!(endpoints(&cluster)[0].id < 10);
    drop(cluster);
    book.forget_unused();
    assert_eq!(book.change("app", vec![wanted(1, 1)], &[], true), None, "a cluster that no generation has is gone");
}

#[test]
fn the_count_of_the_unhealthy_follows_who_comes_and_goes() {
    let (mut book, cluster) = cluster_of(&[1; 4], ROUND_ROBIN);
    let all = endpoints(&cluster);
    all[0].set_healthy(false);
    all[1].set_healthy(false);
    book.change("app", Vec::new(), &[name(0)], false).unwrap();
    assert_eq!(cluster.membership.tally().down(), 1);
    all[0].set_healthy(true);
    all[1].set_healthy(true);
    assert_eq!(cluster.membership.tally().down(), 0);
}
