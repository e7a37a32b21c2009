//! What a pick costs in a cluster that is divided: by subset, priority and zone, with a balancer that compares two.
//! Budget: that of a pick, 60 ns at 10 and 1,000 endpoints, 120 ns at 10,000.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use divan::{Bencher, black_box};
use weft_engine::snapshot::{
    ClusterBook, Division, Instead, LoadBalancer, Locality, Moment, Place, Provision, Spot, Subset, SubsetRule, Wanted,
    Zoning,
};
use weft_engine::upstream::cluster::{Picker, Wish, choose};

fn main() {
    divan::main();
}

const LEAST_REQUEST: LoadBalancer =
    LoadBalancer::LeastRequest { choices: 2, full_scan: false, active_request_bias: None, slow_start: None };
const SIZES: [usize; 3] = [10, 1_000, 10_000];

/// By what a cluster is divided.
#[derive(Clone, Copy, Default)]
struct Parts {
    priorities: bool,
    zones: bool,
    subsets: bool,
    /// Half of the first endpoints, so that the second priority takes a part.
    down: bool,
}

fn labels(version: usize) -> BTreeMap<String, String> {
    BTreeMap::from([("version".to_owned(), format!("v{version}"))])
}

fn wanted(at: usize, count: usize, parts: Parts) -> Wanted {
    let socket = SocketAddr::from(([10, 0, (at >> 8) as u8, at as u8], 80));
    let place = Place {
        zone: format!("zone-{}", at % 3),
        priority: u32::from(parts.priorities && at >= count * 4 / 5),
        labels: labels(at % 2),
        ..Place::default()
    };
    Wanted { name: socket.to_string(), reach: socket.into(), weight: 1, place }
}

fn division(parts: Parts) -> Arc<Division> {
    let zoning = if parts.zones { Zoning::Own { min_endpoints: 0 } } else { Zoning::Off };
    let own = Spot { region: String::new(), zone: "zone-0".to_owned() };
    let rule = SubsetRule { keys: vec![vec!["version".to_owned()]], instead: Instead::Nobody };
    Arc::new(Division {
        provision: Provision { panic_threshold: 0, over_provisioning: 140 },
        subsets: parts.subsets.then_some(rule),
        locality: Locality { zoning, own, ..Locality::default() },
    })
}

fn picks(bencher: Bencher<'_, '_>, count: usize, parts: Parts) {
    let mut book = ClusterBook::default();
    let membership = book.membership("app");
    book.divide("app", &division(parts));
    book.change("app", (0..count).map(|at| wanted(at, count, parts)).collect(), &[], true);
    for member in membership.set().members().take(if parts.down { count / 2 } else { 0 }) {
        member.endpoint.set_healthy(false);
    }
    let subset = parts.subsets.then(|| Subset::new(&labels(1)));
    let picker = Picker::with_seed(1);
    bencher.bench_local(|| {
        let wish = Wish { subset: subset.as_ref(), now: Moment(2_000), ..Wish::default() };
        let picked = choose(black_box(&picker), black_box(&membership), LEAST_REQUEST, &wish);
        picked.as_ref().map(|picked| picked.index)
    });
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn undivided(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, Parts::default());
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn priorities(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, Parts { priorities: true, ..Parts::default() });
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn priorities_that_share_because_half_is_down(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, Parts { priorities: true, down: true, ..Parts::default() });
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn zones(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, Parts { zones: true, ..Parts::default() });
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn subsets(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, Parts { subsets: true, ..Parts::default() });
}

#[divan::bench(sample_size = 10_000, args = SIZES)]
fn subsets_of_priorities_of_zones(bencher: Bencher<'_, '_>, count: usize) {
    picks(bencher, count, Parts { priorities: true, zones: true, subsets: true, down: false });
}
