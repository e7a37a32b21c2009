//! What one finished exchange costs in record and metrics. Budgets: push 60 ns, push and observe 120 ns.

use divan::{Bencher, black_box};
use parking_lot::Mutex;
use std::sync::Arc;
use weft_engine::telemetry::access_log::{Entry, Format, LogWriter};
use weft_engine::telemetry::metrics::{ClusterCounter, DEFAULT_SERIES, Ids, Latency, Metrics, Names, SeriesBudget};
use weft_engine::telemetry::record::{Address, Candidate, Record, Ring, RingOptions, Texts, frame};

fn main() {
    divan::main();
}

/// 101 bytes of text: 36 + 3 + 22 + 30, and a header of 10.
const TEXTS: Texts<'static> = Texts {
    request_id: b"5f3c1f0e-8f0a-4d0c-9a52-6d1d2f6c7a11",
    method: b"GET",
    authority: b"reviews.default.svc:80",
    path: b"/api/v1/reviews/0001?page=2&n=",
    headers: &[(0, b"curl/8.5.0")],
    trail: &[],
};

fn record(turn: u32) -> Record {
    Record {
        listener: 1,
        route: (turn % 40) as u16,
        cluster: 2,
        status: 200,
        total_us: turn & 0xfff,
        ..Record::default()
    }
}

/// A ring in its second lap: the first one also pays for pages never touched before.
fn full_ring() -> Ring {
    let mut ring = Ring::new(&RingOptions::default());
    for turn in 0..20_000 {
        ring.push(&mut record(turn), &TEXTS);
    }
    ring
}

fn snapshot() -> Ids {
    let routes: Vec<String> = (0..2_000).map(|route| format!("route-{route}")).collect();
    Names::default().ids(["admin", "edge"], routes.iter().map(String::as_str), ["a", "b", "c"])
}

#[divan::bench(sample_size = 20_000)]
fn push(bencher: Bencher<'_, '_>) {
    let mut ring = full_ring();
    let mut turn = 0;
    bencher.bench_local(|| {
        turn += 1;
        ring.push(&mut record(turn), black_box(&TEXTS));
    });
}

/// The same for an exchange whose balancer compared two endpoints, as least request does.
#[divan::bench(sample_size = 20_000)]
fn push_with_two_candidates(bencher: Bencher<'_, '_>) {
    let mut ring = full_ring();
    let candidates = [0, 1].map(|endpoint| Candidate { attempt: 0, endpoint, score: 1.0 });
    let mut turn = 0;
    bencher.bench_local(|| {
        turn += 1;
        let trail = frame("", &[], black_box(&candidates));
        ring.push(&mut record(turn), &Texts { trail: &trail, ..*black_box(&TEXTS) });
    });
}

#[divan::bench(sample_size = 20_000)]
fn push_behind_its_lock(bencher: Bencher<'_, '_>) {
    let ring = Mutex::new(full_ring());
    let mut turn = 0;
    bencher.bench_local(|| {
        turn += 1;
        ring.lock().push(&mut record(turn), black_box(&TEXTS));
    });
}

#[divan::bench(sample_size = 20_000, args = [1, 40, 2_000])]
fn observe(bencher: Bencher<'_, '_>, series: u32) {
    let (mut metrics, ids) = (Metrics::new(Arc::new(SeriesBudget::new(DEFAULT_SERIES))), snapshot());
    let mut turn = 0;
    bencher.bench_local(|| {
        turn += 1;
        let route = (turn % series) as u16;
        metrics.observe(black_box(&Record { route, ..record(turn) }), &ids);
    });
}

#[divan::bench(sample_size = 20_000)]
fn push_behind_its_lock_and_observe(bencher: Bencher<'_, '_>) {
    let ring = Mutex::new(full_ring());
    let (mut metrics, ids) = (Metrics::new(Arc::new(SeriesBudget::new(DEFAULT_SERIES))), snapshot());
    let mut turn = 0;
    bencher.bench_local(|| {
        turn += 1;
        let mut record = record(turn);
        metrics.observe(black_box(&record), &ids);
        ring.lock().push(&mut record, black_box(&TEXTS));
    });
}

#[divan::bench(sample_size = 20_000)]
fn count_latency_of_an_endpoint(bencher: Bencher<'_, '_>) {
    let latency = Latency::default();
    let mut us = 0;
    bencher.bench_local(|| {
        us = (us + 7) & 0xfff;
        latency.count_shared(black_box(us));
    });
}

#[divan::bench(sample_size = 20_000)]
fn count_for_a_cluster(bencher: Bencher<'_, '_>) {
    let (mut metrics, ids) = (Metrics::new(Arc::new(SeriesBudget::new(DEFAULT_SERIES))), snapshot());
    bencher.bench_local(|| metrics.count_cluster(black_box(2), &ids, ClusterCounter::ConnectionsReused));
}

#[divan::bench]
fn read_one_hundred(bencher: Bencher<'_, '_>) {
    let ring = full_ring();
    bencher.bench_local(|| black_box(ring.read(19_900, 100)));
}

#[divan::bench(args = ["text", "json"])]
fn access_log_line(bencher: Bencher<'_, '_>, format: &str) {
    let Ok(format) = Format::compile(format, &[]) else { return };
    let address = Address::from(std::net::SocketAddr::from(([10, 0, 35, 28], 51_000)));
    let record = Record {
        start_unix_us: 1_460_751_420_310_000,
        upstream_status: 200,
        upstream: address,
        downstream: address,
        ..record(2_000)
    };
    let headers: [Option<&[u8]>; 2] = [Some(b"10.0.35.28"), Some(b"curl/8.5.0")];
    let entry = Entry {
        record: &record,
        texts: &TEXTS,
        request_headers: &headers,
        response_headers: &[],
        listener: "edge",
        route: "all",
        cluster: "app",
        downstream_local: address,
        detail: "",
    };
    let mut line = Vec::with_capacity(1024);
    bencher.bench_local(|| {
        line.clear();
        format.format(black_box(&entry), &mut line);
    });
}

/// What a worker pays to hand over a line while the writer's thread empties the queue, which has room for all of it:
/// a dropped line would be cheaper.
#[divan::bench(sample_size = 1_000)]
fn access_log_push(bencher: Bencher<'_, '_>) {
    let Ok(writer) = LogWriter::start() else { return };
    let Ok(sink) = writer.open("/dev/null") else { return };
    let queue = sink.queue(64 * 1024 * 1024);
    let line = [b'l'; 220];
    bencher.bench_local(|| assert!(queue.push(black_box(&line))));
}
