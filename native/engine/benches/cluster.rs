//! What a pick costs, by balancer and number of endpoints, and what a change of one endpoint costs its cluster.
//! Budgets: pick 60 ns at 10 and 1,000 endpoints, 120 ns at 10,000; look-ups of ring and Maglev 100 ns;
//! a change 500 µs at 10,000 (100 a second are 5 %), a Maglev table of 1,000 20 ms off the loop.

use std::net::SocketAddr;
use std::sync::Arc;

use divan::{Bencher, black_box};
use weft_engine::snapshot::{ClusterBook, LoadBalancer, Membership, Moment, Place, SlowStart, Wanted};
use weft_engine::upstream::cluster::{Heard, Picked, Picker, Wish, choose, learn};

fn main() {
    divan::main();
}

const ROUND_ROBIN: LoadBalancer = LoadBalancer::RoundRobin { slow_start: None };
const LEAST_REQUEST: LoadBalancer =
    LoadBalancer::LeastRequest { choices: 2, full_scan: false, active_request_bias: None, slow_start: None };
const PEAK_EWMA: LoadBalancer =
    LoadBalancer::PeakEwma { choices: 2, decay_ms: 10_000, default_rtt_ms: 30, penalty_ms: 5_000, slow_start: None };
const RING: LoadBalancer = LoadBalancer::RingHash { min_ring: 1024, max_ring: 8_388_608, bounded_load: None };
const MAGLEV: LoadBalancer = LoadBalancer::Maglev { table_size: 65_537, bounded_load: None };

const SIZES: [usize; 4] = [1, 10, 1_000, 10_000];

/// What picking needs of a cluster.
struct Cluster {
    membership: Arc<Membership>,
    load_balancer: LoadBalancer,
}

fn pick(picker: &Picker, cluster: &Cluster, hash: u64) -> Option<Picked> {
    choose(
        picker,
        &cluster.membership,
        cluster.load_balancer,
        &Wish { tried: &[], hash: Some(hash), now: Moment(2_000), ..Wish::default() },
    )
}

fn wanted(at: usize, weight: u32) -> Wanted {
    let place = Place { zone: format!("zone-{}", at % 3), ..Place::default() };
    let socket = SocketAddr::from(([10, 0, (at >> 8) as u8, at as u8], 80));
    Wanted { name: socket.to_string(), reach: socket.into(), weight, place }
}

fn cluster_of(count: usize, weights: bool, load_balancer: LoadBalancer) -> (ClusterBook, Cluster) {
    let mut book = ClusterBook::default();
    let membership = book.membership("app");
    let weight = |at: usize| if weights { 1 + at as u32 % 7 } else { 1 };
    book.set_table("app", load_balancer.table());
    book.change("app", (0..count).map(|at| wanted(at, weight(at))).collect(), &[], true);
    (book, Cluster { membership, load_balancer })
}

fn picks(bencher: Bencher<'_, '_>, count: usize, weights: bool, load_balancer: LoadBalancer, down: usize) {
    let (_book, cluster) = cluster_of(count, weights, load_balancer);
    for member in cluster.membership.set().members().step_by(2).take(down) {
        member.endpoint.set_healthy(false);
    }
    for (at, member) in (0..).zip(cluster.membership.set().members()) {
        // As if each had been heard of, at times that differ: every score decays.
        let heard = Heard::Answer { status: 200, first_byte_us: 1_000 + at % 100, retry_after_s: None };
        learn(&load_balancer, &member.endpoint, &heard, || Moment(1 + u64::from(at) % 1_000));
    }
    let picker = Picker::with_seed(1);
    let mut key = 0_u64;
    bencher.bench_local(|| {
        key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // By reference: moving what was picked out of the option is no part of picking it.
        pick(black_box(&picker), black_box(&cluster), key).as_ref().map(|picked| picked.index)
    });
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn round_robin(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, ROUND_ROBIN, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn round_robin_by_weight(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, true, ROUND_ROBIN, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn random(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, LoadBalancer::Random {}, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn random_by_weight(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, true, LoadBalancer::Random {}, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn least_request(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, LEAST_REQUEST, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn least_request_by_weight(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, true, LEAST_REQUEST, 0);
}

#[divan::bench(sample_size = 10_000, args = [10, 1_000, 10_000])]
fn least_request_with_a_fifth_down(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, LEAST_REQUEST, count / 5);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn peak_ewma(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, PEAK_EWMA, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn peak_ewma_by_weight(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, true, PEAK_EWMA, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn least_request_with_slow_start_configured(bencher: Bencher<'_, '_>, count: usize) {
    let slow_start = Some(SlowStart { window_ms: 30_000, aggression: 1.0, min_weight_percent: 10.0 });
    let least_request =
        LoadBalancer::LeastRequest { choices: 2, full_scan: false, active_request_bias: None, slow_start };
    picks(bencher, count, false, least_request, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn ring_hash(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, RING, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn maglev(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, MAGLEV, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn maglev_with_bounded_load(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, LoadBalancer::Maglev { table_size: 65_537, bounded_load: Some(150) }, 0);
}

/// One endpoint of so many goes and comes: two tables are made.
#[divan::bench(sample_size = 1, sample_count = 20, args = [10, 1_000, 10_000])]
fn two_changes_of_maglev(bencher: Bencher<'_, '_>, count: usize) {
    two_changes(bencher, count, MAGLEV);
}

#[divan::bench(sample_size = 1, sample_count = 20, args = [10, 1_000, 10_000])]
fn two_changes_of_ring_hash(bencher: Bencher<'_, '_>, count: usize) {
    two_changes(bencher, count, RING);
}

fn two_changes(bencher: Bencher<'_, '_>, count: usize, load_balancer: LoadBalancer) {
    let (mut book, _cluster) = cluster_of(count, false, load_balancer);
    bencher.bench_local(|| {
        book.change("app", Vec::new(), &[wanted(3, 1).name], false);
        book.change("app", vec![wanted(3, 1)], &[], false)
    });
}

/// An endpoint goes, another one comes, and a worker picks: copying, publishing and freeing included.
#[divan::bench(sample_size = 100, args = [10, 1_000, 10_000])]
fn change_of_one_endpoint_and_a_pick(bencher: Bencher<'_, '_>, count: usize) {
    let (mut book, cluster) = cluster_of(count, true, ROUND_ROBIN);
    let picker = Picker::with_seed(1);
    let mut turn = 0;
    bencher.bench_local(|| {
        turn += 1;
        let at = turn % count;
        let gone = [wanted(at, 1).name];
        book.change("app", Vec::new(), &gone, false);
        book.change("app", vec![wanted(at, 2)], &[], false);
        pick(&picker, &cluster, 0).map(|picked| picked.index)
    });
}

/// A registry that only knows whole lists says ten thousand endpoints again, one of them new.
#[divan::bench(sample_size = 1, sample_count = 20)]
fn whole_list_of_ten_thousand(bencher: Bencher<'_, '_>) {
    let (mut book, _cluster) = cluster_of(10_000, true, ROUND_ROBIN);
    let mut turn = 10_000;
    bencher
        .with_inputs(|| {
            turn += 1;
            (1..10_000).chain([turn]).map(|at| wanted(at, 1 + at as u32 % 7)).collect::<Vec<_>>()
        })
        .bench_local_values(|all| book.change("app", all, &[], true));
}
