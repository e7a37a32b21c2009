//! What bounds and retries cost an exchange in which nothing fails: a place among the requests, a place for a
//! connection, the look at an attempt that was answered.

use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use weft_engine::limit::{Counter, Gate};
use weft_engine::retry::{Outcome, Said, Standing, classify};
use weft_engine::snapshot::{GenerationRetry, RetryOn};

fn main() {
    divan::main();
}

#[divan::bench]
fn a_place_among_the_requests_taken_and_given_back(bencher: Bencher<'_, '_>) {
    let counter = Counter::default();
    bencher.bench_local(|| black_box(counter.take(|_| black_box(512))).is_some());
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
