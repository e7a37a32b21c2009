use super::*;
use crate::telemetry::flags::Flag;
use crate::telemetry::record::{Address, Attempt, Candidate, Mark, Record, Ring, RingOptions, Texts, frame};
use std::net::SocketAddr;

fn proxy(workers: usize) -> Arc<Proxy> {
    let proxy = Proxy::new("test", workers);
    for slot in proxy.slots() {
        *slot.ring.lock() = Ring::new(&RingOptions { records: 1_000, ..RingOptions::default() });
    }
    proxy
}

fn push(proxy: &Proxy, worker: usize, id: &str, mut record: Record, trail: &[u8]) {
    let texts = Texts {
        request_id: id.as_bytes(),
        method: b"GET",
        authority: b"reviews",
        path: b"/a",
        trail,
        ..Texts::default()
    };
    proxy.slots()[worker].ring.lock().push(&mut record, &texts);
}

fn ids(list: &RecordList) -> Vec<&str> {
    list.records.iter().map(|told| told.id.as_str()).collect()
}

#[test]
fn records_of_all_workers_come_newest_first_and_bounded() {
    let proxy = proxy(2);
    for turn in 0..600_u64 {
        push(&proxy, turn as usize % 2, &turn.to_string(), Record { start_unix_us: turn, ..Record::default() }, &[]);
    }
    let few = list(&proxy, &Query { limit: Some(3), ..Query::default() });
    assert_eq!((ids(&few), few.more), (vec!["599", "598", "597"], true));
    let all = list(&proxy, &Query { limit: Some(100_000), ..Query::default() });
    assert_eq!((all.records.len(), all.more), (600, false));
}

#[test]
fn a_question_takes_what_fits_all_of_it() {
    let proxy = proxy(1);
    let of = |status, flag, start_unix_us| Record { status, flag, start_unix_us, ..Record::default() };
    push(&proxy, 0, "fine", of(200, Flag::None, 10), &[]);
    push(&proxy, 0, "early", of(503, Flag::NoHealthyUpstream, 20), &[]);
    push(&proxy, 0, "late", of(503, Flag::NoHealthyUpstream, 30), &[]);
    push(&proxy, 0, "other", of(504, Flag::UpstreamRequestTimeout, 40), &[]);
    let query = Query {
        status_min: Some(500),
        status_max: Some(599),
        flag: Some("uh".into()),
        since_unix_us: Some(25),
        route: Some("-".into()),
        ..Query::default()
    };
    assert_eq!(ids(&list(&proxy, &query)), ["late"]);
}

#[test]
fn why_tells_every_attempt_with_its_cause_and_the_policies_in_words() {
    let proxy = proxy(2);
    let at = |port| Address::from(SocketAddr::from(([10, 0, 0, 1], port)));
    let attempts = [
        Attempt { cause: 6, endpoint: 1, upstream: at(1), ended_us: 900, ..Attempt::default() },
        Attempt {
            started_us: 1_000,
            connect_us: 50,
            ended_us: 2_000,
            status: 200,
            upstream: at(2),
            ..Attempt::default()
        },
    ];
    let candidates = [(0, 1, 0.5), (0, 0, 1.5), (1, 0, 2.0)];
    let candidates = candidates.map(|(attempt, endpoint, score)| Candidate { attempt, endpoint, score });
    let mut record = Record { attempts: 2, status: 200, upstream_status: 200, ..Record::default() };
    record.marks.set(Mark::Replayed);
    push(&proxy, 1, "wanted", record, &frame("", &attempts, &candidates));
    push(&proxy, 0, "another", Record::default(), &[]);
    let why = why(&proxy, "wanted").unwrap();
    assert_eq!((why.record.worker, why.others, why.generation_known), (1, 0, false));
    let failures: Vec<_> = why.attempts.iter().map(|told| (told.failure, told.reused)).collect();
    assert_eq!(failures, [(Some("no connection could be made"), false), (None, false)]);
    let compared: Vec<_> = why.attempts[0].candidates.iter().map(|told| (told.score, told.picked)).collect();
    assert_eq!(compared, [(0.5, true), (1.5, false)]);
    assert_eq!(why.policies, [Mark::Replayed.words()]);
    assert!(super::why(&proxy, "unknown").is_none());
}

#[test]
fn why_tells_of_a_single_attempt_and_says_what_to_do() {
    let proxy = proxy(1);
    let upstream = Address::from(SocketAddr::from(([10, 0, 0, 1], 80)));
    let flag = Flag::UpstreamConnectionFailure;
    let record = Record { attempts: 1, status: 503, flag, cause: 6, upstream, total_us: 70, ..Record::default() };
    push(&proxy, 0, "failed", record, &frame("the endpoint refused the connection", &[], &[]));
    let why = why(&proxy, "failed").unwrap();
    assert_eq!((why.attempts.len(), why.attempts[0].attempt.ended_us, why.attempts[0].reused), (1, 70, false));
    assert_eq!(why.record.detail, "the endpoint refused the connection");
    assert_eq!(why.flag_in_words, Some("UpstreamConnectionFailure"));
    assert_eq!(why.advice, "check that the endpoint listens at its address");
}
