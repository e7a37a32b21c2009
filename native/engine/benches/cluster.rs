//! What a pick costs, by balancer and number of endpoints, and what a change of one endpoint costs its cluster.
//! Budgets: pick 60 ns at 10 and 1,000 endpoints, 120 ns at 10,000; a change 500 µs at 10,000 (100 a second are 5 %).

use std::net::SocketAddr;
use std::sync::Arc;

use divan::{Bencher, black_box};
use weft_engine::cluster::{Picked, Picker, Wish, choose};
use weft_engine::snapshot::{ClusterBook, LoadBalancer, Membership, Place, Wanted};

fn main() {
    divan::main();
}

const SIZES: [usize; 4] = [1, 10, 1_000, 10_000];

/// What picking needs of a cluster.
struct Cluster {
    membership: Arc<Membership>,
    load_balancer: LoadBalancer,
}

fn pick(picker: &Picker, cluster: &Cluster, tried: &[u32]) -> Option<Picked> {
    choose(picker, &cluster.membership, cluster.load_balancer, &Wish { tried, subset: None })
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
    book.change("app", (0..count).map(|at| wanted(at, weight(at))).collect(), &[], true);
    (book, Cluster { membership, load_balancer })
}

fn picks(bencher: Bencher<'_, '_>, count: usize, weights: bool, load_balancer: LoadBalancer, down: usize) {
    let (_book, cluster) = cluster_of(count, weights, load_balancer);
    for member in cluster.membership.set().members().step_by(2).take(down) {
        member.endpoint.set_healthy(false);
    }
    let picker = Picker::with_seed(1);
    bencher.bench_local(|| pick(black_box(&picker), black_box(&cluster), &[]).map(|picked| picked.index));
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn round_robin(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, LoadBalancer::RoundRobin {}, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn round_robin_by_weight(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, true, LoadBalancer::RoundRobin {}, 0);
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
    picks(bencher, count, false, LoadBalancer::LeastRequest { choices: 2 }, 0);
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn least_request_by_weight(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, true, LoadBalancer::LeastRequest { choices: 2 }, 0);
}

#[divan::bench(sample_size = 10_000, args = [10, 1_000, 10_000])]
fn least_request_with_a_fifth_down(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, false, LoadBalancer::LeastRequest { choices: 2 }, count / 5);
}

/// An endpoint goes, another one comes, and a worker picks: copying, publishing and freeing included.
#[divan::bench(sample_size = 100, args = [10, 1_000, 10_000])]
fn change_of_one_endpoint_and_a_pick(bencher: Bencher<'_, '_>, count: usize) {
    let (mut book, cluster) = cluster_of(count, true, LoadBalancer::RoundRobin {});
    let picker = Picker::with_seed(1);
    let mut turn = 0;
    bencher.bench_local(|| {
        turn += 1;
        let at = turn % count;
        let gone = [wanted(at, 1).name];
        book.change("app", Vec::new(), &gone, false);
        book.change("app", vec![wanted(at, 2)], &[], false);
        pick(&picker, &cluster, &[]).map(|picked| picked.index)
    });
}

/// A registry that only knows whole lists says ten thousand endpoints again, one of them new.
#[divan::bench(sample_size = 1, sample_count = 20)]
fn whole_list_of_ten_thousand(bencher: Bencher<'_, '_>) {
    let (mut book, _cluster) = cluster_of(10_000, true, LoadBalancer::RoundRobin {});
    let mut turn = 10_000;
    bencher
        .with_inputs(|| {
            turn += 1;
            (1..10_000).chain([turn]).map(|at| wanted(at, 1 + at as u32 % 7)).collect::<Vec<_>>()
        })
        .bench_local_values(|all| book.change("app", all, &[], true));
}
