//! What bounds and retries cost an exchange in which nothing fails: a place among the requests, a place for a
//! connection, the look at an attempt that was answered.

use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use weft_engine::http::head::RequestHead;
use weft_engine::snapshot::{AdaptiveConcurrency, GenerationRetry, RetryOn};
use weft_engine::upstream::limit::{Adaptive, Counter, Gate};
use weft_engine::upstream::retry::{Outcome, Said, Standing, classify};
use weft_engine::worker::overload::{Criticality, Gauge, Memory, Overload, Shedder};

fn main() {
    divan::main();
}

#[divan::bench]
fn a_place_among_the_requests_taken_and_given_back(bencher: Bencher<'_, '_>) {
    let counter = Counter::default();
    bencher.bench_local(|| black_box(counter.take(|_| black_box(512))).is_some());
}

#[divan::bench]
fn a_place_below_an_adaptive_bound_and_the_latency_of_its_answer(bencher: Bencher<'_, '_>) {
    let settings = AdaptiveConcurrency {
        min_limit: 3,
        max_limit: 1_000,
        percentile: 50,
        interval_ms: 100,
        min_rtt_interval_ms: 60_000,
        min_rtt_jitter_percent: 15,
        min_rtt_requests: 50,
        buffer_percent: 25,
    };
    let adaptive = Adaptive { settings, state: Arc::default() };
    bencher.bench_local(|| {
        let place = black_box(&adaptive).enter(weft_rt::now());
        place.is_ok_and(|place| {
            place.answered();
            true
        })
    });
}

#[divan::bench]
fn the_look_at_the_pressure_where_there_is_none(bencher: Bencher<'_, '_>) {
    let order = ["critical", "default", "sheddable"].map(Box::from);
    let overload = Overload {
        memory: Some(Memory { limit: Some(1 << 30), shed_at: 0.9 }),
        lag: Some(Duration::from_millis(50)),
        cpu: None,
        criticality: Some(Criticality { header: "x-criticality".into(), order: Box::new(order) }),
    };
    let (shedder, gauge, head) = (Shedder::default(), Gauge::default(), RequestHead::new());
    bencher.bench_local(|| black_box(&shedder).admit(&overload, &gauge, black_box(&head)).is_ok());
}

#[divan::bench(threads = [2])]
fn the_same_while_another_worker_does_it(bencher: Bencher<'_, '_>) {
    let counter = Counter::default();
    bencher.bench(|| black_box(counter.take(|_| black_box(512))).is_some());
}

#[divan::bench]
fn a_place_for_a_connection_taken_and_given_back(bencher: Bencher<'_, '_>) {
    let gate = Arc::new(Gate::default());
    bencher.bench_local(|| black_box(gate.take(black_box(512))).is_some());
}

#[divan::bench]
fn the_look_at_a_connection_that_is_pooled(bencher: Bencher<'_, '_>) {
    let gate = Gate::default();
    bencher.bench_local(|| black_box(&gate).is_wanted());
}

fn standing(policy: Option<&GenerationRetry>) -> Standing<'_> {
    Standing { policy, made: 0, repeatable: true, reused: true, at_hand: true, random: || 0.5 }
}

#[divan::bench]
fn an_answer_without_a_policy(bencher: Bencher<'_, '_>) {
    let outcome = Outcome::Answered(Said { status: 200, ..Said::default() });
    bencher.bench_local(|| classify(black_box(&outcome), black_box(&standing(None))));
}

#[divan::bench]
fn an_answer_that_the_policy_lets_pass(bencher: Bencher<'_, '_>) {
    let policy = GenerationRetry {
        retries: 2,
        on: [RetryOn::ConnectFailure, RetryOn::ResetBeforeRequest, RetryOn::RetriableStatusCodes].into_iter().collect(),
        status_codes: Box::new([503]),
        retriable_headers: Box::default(),
        retry_after_max: None,
        per_try_timeout: None,
        backoff_base: Duration::from_millis(25),
        backoff_max: Duration::from_millis(250),
        avoid_previous_endpoints: true,
        max_body_bytes: 65_536,
    };
    let outcome = Outcome::Answered(Said { status: 200, ..Said::default() });
    bencher.bench_local(|| classify(black_box(&outcome), black_box(&standing(Some(&policy)))));
}
