//! Properties of the balancers that learn, hash or spare newcomers: who fails fast draws nobody, a key stays where it is,
//! a bound holds, a newcomer's share grows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use weft_engine::error::Kind;
use weft_engine::snapshot::{ClusterBook, Endpoint, LoadBalancer, Membership, Moment, Place, SlowStart, Wanted};
use weft_engine::upstream::cluster::{Heard, Load, Picked, Picker, Wish, choose, learn};

const RING: LoadBalancer = LoadBalancer::RingHash { min_ring: 1024, max_ring: 8_388_608, bounded_load: None };
const MAGLEV: LoadBalancer = LoadBalancer::Maglev { table_size: 65_537, bounded_load: None };
const SLOW_START: SlowStart = SlowStart { window_ms: 30_000, aggression: 1.0, min_weight_percent: 10.0 };

fn peak_ewma(slow_start: Option<SlowStart>) -> LoadBalancer {
    LoadBalancer::PeakEwma { choices: 2, decay_ms: 10_000, default_rtt_ms: 30, penalty_ms: 5_000, slow_start }
}

fn least_request(full_scan: bool, active_request_bias: Option<f32>, slow_start: Option<SlowStart>) -> LoadBalancer {
    LoadBalancer::LeastRequest { choices: 2, full_scan, active_request_bias, slow_start }
}

/// A cluster, as it changes.
struct Cluster {
    book: ClusterBook,
    membership: Arc<Membership>,
    load_balancer: LoadBalancer,
}

fn name(at: usize) -> String {
    SocketAddr::from(([10, 0, (at >> 8) as u8, at as u8], 80)).to_string()
}

fn wanted(at: usize, weight: u32) -> Wanted {
    let socket: SocketAddr = name(at).parse().unwrap();
    Wanted { name: name(at), reach: socket.into(), weight, place: Place::default() }
}

impl Cluster {
    fn of(weights: &[u32], load_balancer: LoadBalancer) -> Self {
        let mut book = ClusterBook::default();
        let membership = book.membership("app");
        book.set_table("app", load_balancer.table());
        let all = weights.iter().enumerate().map(|(at, weight)| wanted(at, *weight)).collect();
        book.change("app", all, &[], true).unwrap();
        Self { book, membership, load_balancer }
    }

    fn pick(&self, picker: &Picker, hash: Option<u64>, now: Moment) -> Picked {
        choose(picker, &self.membership, self.load_balancer, &Wish { hash, now, ..Wish::default() }).unwrap()
    }

    fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.membership.set().members().map(|member| Arc::clone(&member.endpoint)).collect()
    }

    /// The name of the endpoint of each key.
    fn holders(&self, keys: &[u64]) -> Vec<String> {
        let picker = Picker::new();
        keys.iter().map(|key| self.pick(&picker, Some(*key), Moment(1)).endpoint.name.clone()).collect()
    }

    fn hear(&self, endpoint: &Endpoint, heard: Heard, now: Moment) {
        learn(&self.load_balancer, endpoint, &heard, || now);
    }

    /// How often each is picked, by its place, while nothing ends.
    fn hits(&self, picks: usize, now: Moment) -> Vec<usize> {
        let (picker, mut hits) = (Picker::with_seed(5), vec![0; self.membership.set().len() as usize]);
        (0..picks).for_each(|_| hits[usize::from(self.pick(&picker, None, now).index)] += 1);
        hits
    }
}

/// An answer of 200 after so long.
fn answer(first_byte_us: u32) -> Heard {
    Heard::Answer { status: 200, first_byte_us, retry_after_s: None }
}

/// Hashes, as different as those of keys.
fn keys(count: u64) -> Vec<u64> {
    (1..=count).map(|key| key.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (key << 17)).collect()
}

fn moved(before: &[String], after: &[String]) -> usize {
    before.iter().zip(after).filter(|(before, after)| before != after).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_key_goes_to_the_same_endpoint_in_each_worker_and_after_a_restart(
        weights in prop::collection::vec(1_u32..9, 2..60), ring in any::<bool>(), order in any::<u64>(),
    ) {
        let balancer = if ring { RING } else { MAGLEV };
        let (keys, cluster) = (keys(200), Cluster::of(&weights, balancer));
        let mut restarted = Cluster::of(&[1], balancer);
        let mut all: Vec<usize> = (0..weights.len()).collect();
        fastrand::Rng::with_seed(order).shuffle(&mut all);
        let wanted = all.into_iter().map(|at| wanted(at, weights[at])).collect();
        restarted.book.change("app", wanted, &[], false).unwrap();
        prop_assert_eq!(cluster.holders(&keys), restarted.holders(&keys));
        prop_assert_eq!(cluster.holders(&keys), cluster.holders(&keys));
    }

    #[test]
    fn no_endpoint_gets_more_than_its_bounded_load(
        weights in prop::collection::vec(1_u32..5, 2..40), percent in 100_u32..300, hot in 1_u64..5, ring in any::<bool>(),
    ) {
        let bounded_load = Some(percent);
        let balancer = if ring {
            LoadBalancer::RingHash { min_ring: 1024, max_ring: 8_388_608, bounded_load }
        } else {
            LoadBalancer::Maglev { table_size: 65_537, bounded_load }
        };
        let (cluster, picker) = (Cluster::of(&weights, balancer), Picker::with_seed(7));
        let total: u32 = weights.iter().sum();
        let mut under_way: Vec<Load> = Vec::new();
        for turn in 0..500_u64 {
            // A few keys that everybody asks for.
            let picked = cluster.pick(&picker, Some(turn % hot), Moment(1));
            let active = picked.endpoint.active.fetch_add(1, Ordering::Relaxed) + 1;
            under_way.push(picked.load.unwrap());
            let even = under_way.len() as f32 * weights[usize::from(picked.index)] as f32 / total as f32;
            let bound = (even * percent as f32 / 100.0 + 0.01).ceil().max(1.0);
            prop_assert!(active as f32 <= bound, "{active} of {} under way, the bound is {bound}", under_way.len());
        }
        prop_assert_eq!(cluster.membership.load().load(Ordering::Relaxed), 500);
        under_way.clear();
        prop_assert_eq!(cluster.membership.load().load(Ordering::Relaxed), 0);
    }

    #[test]
    fn tables_keep_to_weights(weights in prop::collection::vec(1_u32..6, 2..20), ring in any::<bool>()) {
        let cluster = Cluster::of(&weights, if ring {
            LoadBalancer::RingHash { min_ring: 65_536, max_ring: 8_388_608, bounded_load: None }
        } else { MAGLEV });
        let keys = keys(40_000);
        let holders = cluster.holders(&keys);
        let total: u32 = weights.iter().sum();
        for (at, weight) in weights.iter().enumerate() {
            let share = holders.iter().filter(|holder| **holder == name(at)).count() as f64 / keys.len() as f64;
            let even = f64::from(*weight) / f64::from(total);
            prop_assert!((share / even - 1.0).abs() < 0.25, "{share} of {even}");
        }
    }

    #[test]
    fn the_keys_of_one_that_is_down_spread_and_all_others_stay(count in 3_usize..60, ring in any::<bool>()) {
        let cluster = Cluster::of(&vec![1; count], if ring { RING } else { MAGLEV });
        let keys = keys(2_000);
        let before = cluster.holders(&keys);
        cluster.endpoints()[1].set_healthy(false);
        let after = cluster.holders(&keys);
        prop_assert!(before.iter().zip(&after).all(|(before, after)| before == after || *before == name(1)));
        prop_assert!(after.iter().all(|holder| *holder != name(1)));
        prop_assert_eq!(&after, &cluster.holders(&keys), "the same other endpoint each time");
    }
}

#[test]
fn a_change_of_one_endpoint_moves_few_keys() {
    let keys = keys(20_000);
    for balancer in [RING, MAGLEV] {
        for count in [10, 100, 500] {
            let mut cluster = Cluster::of(&vec![1; count], balancer);
            let before = cluster.holders(&keys);
            cluster.book.change("app", Vec::new(), &[name(count / 2)], false).unwrap();
            let part = moved(&before, &cluster.holders(&keys)) as f64 / keys.len() as f64;
            let own = 1.0 / count as f64;
            println!("{balancer:?}: one of {count} that goes moves {:.2} % of all keys", part * 100.0);
            assert!(part - own < 0.015, "{balancer:?}: {part} of all keys, of {count} endpoints");
        }
    }
}

#[test]
fn who_fails_fast_does_not_attract_traffic() {
    for failing in [
        Heard::Answer { status: 503, first_byte_us: 50, retry_after_s: None },
        Heard::Answer { status: 429, first_byte_us: 50, retry_after_s: Some(30) },
        Heard::Failure { kind: Kind::ConnectFailed, took_us: 50 },
    ] {
        let (cluster, picker) = (Cluster::of(&[1; 10], peak_ewma(None)), Picker::with_seed(3));
        let mut failed = 0;
        for turn in 0..20_000_u64 {
            let now = Moment(1 + turn);
            let picked = cluster.pick(&picker, None, now);
            let is_failing = picked.index == 4;
            failed += u32::from(is_failing);
            cluster.hear(&picked.endpoint, if is_failing { failing } else { answer(5_000) }, now);
        }
        assert!(failed < 20, "{failed} of 20,000 went to the one that fails: {failing:?}");
    }
}

#[test]
fn one_slow_endpoint_is_spared_and_tried_again_with_time() {
    let (cluster, picker) = (Cluster::of(&[1; 10], peak_ewma(None)), Picker::with_seed(3));
    let (mut slow, mut last) = (Vec::new(), 0);
    for turn in 0..200_000_u64 {
        let now = Moment(1 + turn);
        let picked = cluster.pick(&picker, None, now);
        let took = if picked.index == 2 && turn < 60_000 { 1_000_000 } else { 10_000 };
        if picked.index == 2 {
            slow.push(turn);
            last = turn;
        }
        cluster.hear(&picked.endpoint, answer(took), now);
    }
    let first_minute = slow.iter().filter(|turn| **turn < 60_000).count();
    assert!(first_minute < 30, "{first_minute} of 60,000 went to the slow one");
    let after = slow.len() - first_minute;
    assert!(after > 1_000 && last > 199_000, "it gets its share again: {after}");
}

#[test]
fn under_way_counts_in_peak_ewma_and_weights_are_kept() {
    let cluster = Cluster::of(&[1, 3], peak_ewma(None));
    let idle = cluster.hits(40_000, Moment(1));
    assert!(idle[0].abs_diff(10_000) < 1_000, "{idle:?}");
    let busy = Cluster::of(&[1; 10], peak_ewma(None));
    busy.endpoints()[3].active.store(50, Ordering::Relaxed);
    assert_eq!(busy.hits(10_000, Moment(1))[3], 0);
}

#[test]
fn a_newcomers_share_grows_until_its_window_is_over() {
    let slow = Some(SLOW_START);
    for balancer in [LoadBalancer::RoundRobin { slow_start: slow }, least_request(false, None, slow), peak_ewma(slow)] {
        let cluster = Cluster::of(&[1; 10], balancer);
        let all = cluster.endpoints();
        let begin = Moment(1_000_000);
        all[0].warms_since(begin);
        let share = |after_ms: u64| cluster.hits(100_000, Moment(begin.0 + after_ms))[0] as f64 / 10_000.0;
        for (after_ms, part) in [(0, 0.1), (6_000, 0.2), (15_000, 0.5), (30_000, 1.0), (90_000, 1.0)] {
            // What remains of the whole is shared by all, and by the newcomer in its part.
            let expected = part * 10.0 / (9.0 + part);
            let share = share(after_ms);
            assert!((share - expected).abs() < 0.1, "{balancer:?} after {after_ms} ms: {share}, not {expected}");
        }
    }
}

#[test]
fn endpoints_that_come_with_their_cluster_need_no_slow_start() {
    let mut cluster = Cluster::of(&[1; 3], LoadBalancer::RoundRobin { slow_start: Some(SLOW_START) });
    assert!(cluster.endpoints().iter().all(|endpoint| endpoint.usable_since().is_none()));
    cluster.book.change("app", vec![wanted(7, 1)], &[], false).unwrap();
    let cold = |cluster: &Cluster| {
        cluster.endpoints().iter().map(|endpoint| endpoint.usable_since().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(cold(&cluster), [false, false, false, true]);
    cluster.endpoints()[0].set_healthy(false);
    cluster.endpoints()[0].set_healthy(true);
    assert_eq!(cold(&cluster), [true, false, false, true]);
}

#[test]
fn weights_hold_while_one_of_them_warms() {
    let cluster = Cluster::of(&[1, 2, 5, 2], LoadBalancer::RoundRobin { slow_start: Some(SLOW_START) });
    let begin = Moment(50_000);
    cluster.endpoints()[2].warms_since(begin);
    let hits = cluster.hits(100_000, Moment(begin.0 + 15_000));
    // Half of 5: the sum of what is given is 7.5.
    for (hits, weight) in hits.iter().zip([1.0, 2.0, 2.5, 2.0]) {
        let share = *hits as f64 / 100_000.0 * 7.5;
        assert!((share - weight).abs() < 0.1, "{share} of {weight}");
    }
}

#[test]
fn a_full_scan_finds_the_least_busy_per_weight() {
    let cluster = Cluster::of(&[1, 1, 4, 1], least_request(true, None, None));
    for (endpoint, active) in cluster.endpoints().iter().zip([3, 2, 7, 2]) {
        endpoint.active.store(active, Ordering::Relaxed);
    }
    assert_eq!(cluster.hits(100, Moment(1)), [0, 0, 100, 0]);
    cluster.endpoints()[2].set_healthy(false);
    let hits = cluster.hits(100, Moment(1));
    assert!(hits[1] > 20 && hits[3] > 20 && hits[0] + hits[2] == 0, "{hits:?}");
}

#[test]
fn a_bias_decides_how_much_requests_under_way_weigh() {
    let share = |bias: f32| {
        let cluster = Cluster::of(&[1; 2], least_request(false, Some(bias), None));
        cluster.endpoints()[0].active.store(3, Ordering::Relaxed);
        cluster.hits(40_000, Moment(1))[0] as f64 / 40_000.0
    };
    // Of the weights 1/4^bias and 1: both are drawn.
    for (bias, expected) in [(0.0, 0.5), (1.0, 0.2), (2.0, 1.0 / 17.0)] {
        assert!((share(bias) - expected).abs() < 0.02, "{bias}: {}", share(bias));
    }
    let idle = Cluster::of(&[1, 3], least_request(false, Some(1.0), None)).hits(40_000, Moment(1));
    assert!(idle[0].abs_diff(10_000) < 3_000, "{idle:?}");
}
