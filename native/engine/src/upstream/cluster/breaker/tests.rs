//! Breakers between picks and endings, on a virtual clock; no socket.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::{Heard, Picked, Picker, Wish, choose};
use super::*;
use crate::snapshot::{ClusterBook, LoadBalancer, Place, Wanted};
use crate::telemetry::record::Mark;

const TRIP: Trip = Trip {
    consecutive_failures: Some(3),
    success_rate: None,
    slow_calls: None,
    when: None,
    open_ms: 1_000,
    max_open_ms: 4_000,
    jitter_percent: 0.0,
};
const FAILURE: Heard = Heard::Answer { status: 500, first_byte_us: 10, retry_after_s: None };
const SUCCESS: Heard = Heard::Answer { status: 200, first_byte_us: 10, retry_after_s: None };

fn cluster_of(count: u16) -> (ClusterBook, Arc<Membership>) {
    let mut book = ClusterBook::default();
    let membership = book.membership("app");
    let wanted = (0..count).map(|at| {
        let socket = std::net::SocketAddr::from(([127, 0, 0, 1], 9000 + at));
        Wanted { name: socket.to_string(), reach: socket.into(), weight: 1, place: Place::default() }
    });
    book.change("app", wanted.collect(), &[], true);
    membership.trips().want(true);
    (book, membership)
}

fn endpoints(membership: &Membership) -> Vec<Arc<Endpoint>> {
    membership.set().members().map(|member| Arc::clone(&member.endpoint)).collect()
}

fn pick(picker: &Picker, membership: &Membership) -> Option<Picked> {
    choose(picker, membership, LoadBalancer::RoundRobin { slow_start: None }, &Wish::default())
}

fn fail(membership: &Membership, endpoint: &Arc<Endpoint>, times: usize) {
    (0..times).for_each(|_| heard((&TRIP, None), membership, endpoint, &FAILURE, None));
}

/// Under tokio's own clock, which jumps to whatever is waited for.
fn on_a_virtual_clock(run: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run);
}

#[test]
fn an_open_breaker_gets_nothing_until_its_time_is_over_and_then_exactly_one_request() {
    on_a_virtual_clock(async {
        let (_book, membership) = cluster_of(3);
        let (all, picker) = (endpoints(&membership), Picker::with_seed(1));
        fail(&membership, &all[1], 2);
        assert_eq!(membership.tally().tripped(), 0);
        fail(&membership, &all[1], 1);
        assert_eq!((membership.tally().tripped(), membership.tally().down()), (1, 1));
        assert!((0..300).all(|_| pick(&picker, &membership).unwrap().endpoint.id != all[1].id));
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        let picks: Vec<Picked> = (0..300).map(|_| pick(&picker, &membership).unwrap()).collect();
        let probes: Vec<&Picked> = picks.iter().filter(|picked| picked.probe.is_some()).collect();
        assert_eq!((probes.len(), probes[0].endpoint.id), (1, all[1].id));
        assert_eq!(picks.iter().filter(|picked| picked.endpoint.id == all[1].id).count(), 1);
    });
}

#[test]
fn a_probe_that_succeeds_closes_and_one_that_fails_opens_for_twice_as_long_up_to_the_most() {
    on_a_virtual_clock(async {
        let (_book, membership) = cluster_of(1);
        let (all, picker) = (endpoints(&membership), Picker::with_seed(1));
        fail(&membership, &all[0], 3);
        for open_ms in [1_000, 2_000, 4_000, 4_000] {
            tokio::time::sleep(Duration::from_millis(open_ms - 1)).await;
            assert!(pick(&picker, &membership).is_none(), "{open_ms} ms are not over");
            tokio::time::sleep(Duration::from_millis(1)).await;
            let probe = pick(&picker, &membership).unwrap().probe;
            assert!(probe.is_some() && all[0].breaker().opened().unwrap().probing);
            heard((&TRIP, None), &membership, &all[0], &FAILURE, probe);
        }
        tokio::time::sleep(Duration::from_millis(4_000)).await;
        let probe = pick(&picker, &membership).unwrap().probe;
        heard((&TRIP, None), &membership, &all[0], &SUCCESS, probe);
        assert!(all[0].breaker().opened().is_none() && pick(&picker, &membership).unwrap().probe.is_none());
        assert_eq!(membership.tally().tripped(), 0);
        fail(&membership, &all[0], 3);
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        assert!(pick(&picker, &membership).unwrap().probe.is_some(), "the time begins anew once it closed");
        let told: Vec<_> = membership.trips().counts().collect();
        assert_eq!(told[0], ("consecutive-failures", 2));
        assert!(told.contains(&("probe", 4)), "{told:?}");
    });
}

#[test]
fn a_probe_of_which_nothing_came_is_given_to_the_next_request() {
    on_a_virtual_clock(async {
        let (_book, membership) = cluster_of(2);
        let (all, picker) = (endpoints(&membership), Picker::with_seed(1));
        fail(&membership, &all[0], 3);
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        for _ in 0..3 {
            let picked = pick(&picker, &membership).unwrap();
            assert!(picked.probe.is_some());
            assert!(pick(&picker, &membership).unwrap().probe.is_none(), "one at a time");
        }
        let picked = pick(&picker, &membership).unwrap();
        let idle = Heard::Failure { kind: Kind::StreamIdle, took_us: 1 };
        heard((&TRIP, None), &membership, &all[0], &idle, picked.probe);
        let picked = pick(&picker, &membership).unwrap();
        heard((&TRIP, None), &membership, &all[0], &Heard::Stale, picked.probe);
        let picked = pick(&picker, &membership).unwrap();
        heard((&TRIP, None), &membership, &all[0], &Heard::Overtaken { after_us: 1 }, picked.probe);
        assert!(
            pick(&picker, &membership).unwrap().probe.is_some(),
            "stalled clients, stale connections and faster attempts decide nothing"
        );
    });
}

#[test]
fn what_began_before_the_breaker_opened_neither_closes_it_nor_keeps_it_open() {
    on_a_virtual_clock(async {
        let (_book, membership) = cluster_of(2);
        let all = endpoints(&membership);
        fail(&membership, &all[0], 3);
        heard((&TRIP, None), &membership, &all[0], &SUCCESS, None);
        fail(&membership, &all[0], 50);
        assert_eq!(membership.tally().tripped(), 1);
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        assert!(pick(&Picker::new(), &membership).unwrap().probe.is_some());
    });
}

#[test]
fn panic_does_not_open_a_breaker_and_without_any_endpoint_nothing_is_picked() {
    on_a_virtual_clock(async {
        let (_book, membership) = cluster_of(2);
        let (all, picker) = (endpoints(&membership), Picker::with_seed(1));
        all[1].set_healthy(false);
        fail(&membership, &all[0], 3);
        let picked = pick(&picker, &membership).unwrap();
        assert!(picked.marks.has(Mark::Panic) && picked.endpoint.id == all[1].id);
        fail(&membership, &all[1], 3);
        assert!(pick(&picker, &membership).is_none());
    });
}

#[test]
fn breakers_that_nobody_wants_any_more_close_and_exchanges_under_way_do_not_open_them_again() {
    let (mut book, membership) = cluster_of(2);
    let all = endpoints(&membership);
    fail(&membership, &all[0], 3);
    // One that has left the cluster meanwhile comes back with a closed breaker, too.
    let gone = Arc::clone(&all[0]);
    book.change("app", Vec::new(), std::slice::from_ref(&gone.name), false).unwrap();
    membership.trips().want(false);
    assert!(gone.breaker().opened().is_none() && gone.is_up());
    fail(&membership, &all[1], 30);
    assert_eq!(membership.tally().tripped(), 0);
}

#[test]
fn a_hundred_requests_at_once_on_four_threads_are_one_probe() {
    for round in 0..20 {
        let (_book, membership) = cluster_of(10);
        let all = endpoints(&membership);
        let soon = Trip { open_ms: 1, ..TRIP };
        (0..3).for_each(|_| heard((&soon, None), &membership, &all[round % 10], &FAILURE, None));
        while all[round % 10].breaker().due().is_some_and(|due| due > weft_rt::now()) {
            std::thread::yield_now();
        }
        let (start, end, probes) = (Barrier::new(4), Barrier::new(4), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let picker = Picker::new();
                    start.wait();
                    let picks: Vec<_> = (0..25).filter_map(|_| pick(&picker, &membership)).collect();
                    let tripped = picks.iter().filter(|picked| picked.endpoint.id == all[round % 10].id).count();
                    probes.fetch_add(tripped, Ordering::Relaxed);
                    // Nobody gives a place back before everybody has picked.
                    end.wait();
                });
            }
        });
        assert_eq!(probes.into_inner(), 1);
    }
}
