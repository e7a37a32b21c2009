use std::time::Duration;

use proptest::prelude::*;

use super::*;

const ALL: [RetryOn; 15] = [
    RetryOn::ServerError,
    RetryOn::GatewayError,
    RetryOn::Reset,
    RetryOn::ResetBeforeRequest,
    RetryOn::ConnectFailure,
    RetryOn::EnvoyRatelimited,
    RetryOn::RetriableClientError,
    RetryOn::RefusedStream,
    RetryOn::RetriableStatusCodes,
    RetryOn::RetriableHeaders,
    RetryOn::Cancelled,
    RetryOn::DeadlineExceeded,
    RetryOn::Internal,
    RetryOn::ResourceExhausted,
    RetryOn::Unavailable,
];

/// Without a base the wait is none.
const AT_ONCE: Verdict = Verdict::Retry(Wait { time: Duration::ZERO, asked: Asked::Nothing });

pub(super) fn policy(on: &[RetryOn], retries: u32) -> GenerationRetry {
    GenerationRetry {
        retries,
        on: on.iter().copied().collect(),
        status_codes: Box::new([418, 503]),
        retriable_headers: Box::default(),
        retry_after_max: None,
        per_try_timeout: None,
        backoff_base: Duration::ZERO,
        backoff_max: Duration::ZERO,
        avoid_previous_endpoints: true,
        max_body_bytes: 0,
    }
}

fn standing(policy: &GenerationRetry) -> Standing<'_> {
    Standing { policy: Some(policy), made: 0, repeatable: false, reused: false, at_hand: true, random: || 0.0 }
}

fn answer(status: u16) -> Outcome {
    Outcome::Answered(said(status))
}

fn said(status: u16) -> Said {
    Said { status, ..Said::default() }
}

fn failure(kind: Kind, sent: bool) -> Outcome {
    Outcome::Failed { kind, sent }
}

/// Each outcome with all the words that name it; a policy of one word retries exactly what stands beside it.
#[test]
fn each_word_names_exactly_its_outcomes() {
    use RetryOn::*;
    let no_answer = [Reset, GatewayError, ServerError];
    let no_connection = [Reset, GatewayError, ServerError, ConnectFailure, ResetBeforeRequest];
    let table: Vec<(Outcome, Vec<RetryOn>)> = vec![
        (answer(200), vec![]),
        (answer(404), vec![]),
        (answer(409), vec![RetriableClientError]),
        (answer(418), vec![RetriableStatusCodes]),
        (answer(429), vec![]),
        (Outcome::Answered(Said { rate_limited: true, ..said(429) }), vec![EnvoyRatelimited]),
        (Outcome::Answered(Said { header: true, ..said(200) }), vec![RetriableHeaders]),
        (Outcome::Answered(Said { grpc: Some(Cancelled), ..said(200) }), vec![Cancelled]),
        (Outcome::Answered(Said { grpc: Some(DeadlineExceeded), ..said(200) }), vec![DeadlineExceeded]),
        (Outcome::Answered(Said { grpc: Some(Internal), ..said(200) }), vec![Internal]),
        (Outcome::Answered(Said { grpc: Some(ResourceExhausted), ..said(200) }), vec![ResourceExhausted]),
        (Outcome::Answered(Said { grpc: Some(Unavailable), ..said(200) }), vec![Unavailable]),
        (answer(500), vec![ServerError]),
        (answer(501), vec![ServerError]),
        (answer(502), vec![ServerError, GatewayError]),
        (answer(503), vec![ServerError, GatewayError, RetriableStatusCodes]),
        (answer(504), vec![ServerError, GatewayError]),
        (answer(505), vec![ServerError]),
        (failure(Kind::ConnectFailed, false), no_connection.to_vec()),
        (failure(Kind::ConnectTimeout, false), no_connection.to_vec()),
        (failure(Kind::UpstreamClosed, true), no_answer.to_vec()),
        (failure(Kind::UpstreamReset, true), no_answer.to_vec()),
        (failure(Kind::UpstreamReset, false), [&no_answer[..], &[ResetBeforeRequest]].concat()),
        (failure(Kind::UpstreamMalformed, true), no_answer.to_vec()),
        (failure(Kind::FirstByteTimeout, true), no_answer.to_vec()),
        (failure(Kind::TryTimeout, true), no_answer.to_vec()),
        (failure(Kind::ExchangeTimeout, true), vec![]),
        (failure(Kind::StreamIdle, true), vec![]),
        (failure(Kind::Overflow, false), vec![]),
        (failure(Kind::DownstreamGone, true), vec![]),
        (failure(Kind::Refused(400), true), vec![]),
        (failure(Kind::UpstreamTruncated, true), vec![]),
    ];
    for (outcome, words) in table {
        for word in ALL {
            let policy = policy(&[word], 1);
            let expected = if words.contains(&word) { AT_ONCE } else { Verdict::Done };
            assert_eq!(classify(&outcome, &standing(&policy)), expected, "{outcome:?} with {word:?}");
        }
    }
}

#[test]
fn without_a_policy_only_a_stale_connection_is_tried_again() {
    let stale = Standing { policy: None, made: 0, repeatable: true, reused: true, at_hand: true, random: || 0.0 };
    let closed = failure(Kind::UpstreamClosed, true);
    assert_eq!(classify(&closed, &stale), Verdict::Replay);
    assert_eq!(classify(&closed, &Standing { repeatable: false, ..stale }), Verdict::Done);
    assert_eq!(classify(&closed, &Standing { reused: false, ..stale }), Verdict::Done);
    assert_eq!(classify(&failure(Kind::ConnectFailed, false), &stale), Verdict::Done);
    assert_eq!(classify(&answer(503), &stale), Verdict::Done);
}

#[test]
fn a_stale_connection_does_not_use_up_a_retry() {
    let policy = policy(&[RetryOn::Reset], 1);
    let spent = Standing { made: 1, repeatable: true, reused: true, ..standing(&policy) };
    assert_eq!(classify(&failure(Kind::UpstreamReset, true), &spent), Verdict::Replay);
}

#[test]
fn the_reason_to_stop_is_told() {
    let policy = policy(&[RetryOn::ServerError], 2);
    let standing = standing(&policy);
    let spent = Outcome::Answered(Said { spent: true, ..said(503) });
    assert_eq!(classify(&answer(500), &Standing { made: 2, ..standing }), Verdict::Stop(Stop::Spent));
    assert_eq!(classify(&answer(500), &Standing { at_hand: false, ..standing }), Verdict::Stop(Stop::Body));
    assert_eq!(classify(&spent, &standing), Verdict::Stop(Stop::Nearer));
}

#[test]
fn a_wait_that_is_asked_for_takes_the_place_of_the_back_off_up_to_its_bound() {
    let mut policy = policy(&[RetryOn::ServerError], 2);
    policy.backoff_base = Duration::from_millis(10);
    policy.backoff_max = Duration::from_secs(1);
    policy.retry_after_max = Some(Duration::from_secs(300));
    let of = |wait: Option<u64>, random: fn() -> f64| {
        let outcome = Outcome::Answered(Said { wait: wait.map(Duration::from_secs), ..said(503) });
        let verdict = classify(&outcome, &Standing { random, ..standing(&policy) });
        let Verdict::Retry(Wait { time, asked }) = verdict else { panic!("{verdict:?}") };
        (time.as_millis(), asked)
    };
    assert_eq!(of(None, || 1.0), (10, Asked::Nothing));
    assert_eq!(of(Some(2), || 0.0), (2_000, Asked::Honoured));
    assert_eq!(of(Some(2), || 1.0), (3_000, Asked::Honoured));
    assert_eq!(of(Some(300), || 0.0), (300_000, Asked::Honoured));
    assert_eq!(of(Some(301), || 1.0), (10, Asked::TooLong));
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let kinds = prop::sample::select(vec![
        Kind::ConnectFailed,
        Kind::ConnectTimeout,
        Kind::UpstreamClosed,
        Kind::UpstreamReset,
        Kind::UpstreamMalformed,
        Kind::FirstByteTimeout,
        Kind::TryTimeout,
        Kind::ExchangeTimeout,
        Kind::StreamIdle,
        Kind::Overflow,
        Kind::DownstreamGone,
        Kind::Refused(413),
    ]);
    prop_oneof![
        (200_u16..600, any::<bool>(), any::<bool>()).prop_map(|(status, rate_limited, spent)| {
            Outcome::Answered(Said { rate_limited, spent, ..said(status) })
        }),
        (kinds, any::<bool>()).prop_map(|(kind, sent)| Outcome::Failed { kind, sent }),
    ]
}

proptest! {
    /// An exchange is always over after one attempt, one replay and the policy's retries, whatever happens in them.
    #[test]
    fn there_are_never_more_attempts_than_the_policy_allows(
        on in prop::sample::subsequence(ALL.to_vec(), 0..=ALL.len()),
        retries in 0_u32..5,
        outcomes in prop::collection::vec(any_outcome(), 40),
        repeatable in any::<bool>(),
        at_hand in any::<bool>(),
    ) {
        let policy = policy(&on, retries);
        let (mut made, mut replays, mut reused) = (0, 0, true);
        for outcome in outcomes {
            let now = Standing { made, repeatable, reused, at_hand, ..standing(&policy) };
            match classify(&outcome, &now) {
                Verdict::Done | Verdict::Stop(_) => break,
                Verdict::Replay => replays += 1,
                Verdict::Retry(_) => made += 1,
            }
            // From the first failure on connections are new ones.
            reused = false;
        }
        prop_assert!(made <= retries && replays <= 1);
        prop_assert!(at_hand || made == 0);
    }

    /// A longer list of words never retries less.
    #[test]
    fn words_only_add(
        on in prop::sample::subsequence(ALL.to_vec(), 0..=ALL.len()),
        more in prop::sample::select(ALL.to_vec()),
        outcome in any_outcome(),
    ) {
        let (few, many) = (policy(&on, 1), policy(&[&on[..], &[more]].concat(), 1));
        let before = classify(&outcome, &standing(&few));
        let after = classify(&outcome, &standing(&many));
        prop_assert!(before == Verdict::Done || before == after);
    }
}
