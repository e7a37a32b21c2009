//! What filters, buckets and trace context cost a request. Budgets: bucket 40 ns uncontended, trace context 100 ns.

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use divan::{Bencher, black_box};
use weft_engine::exchange::trace;
use weft_engine::filter::bucket::{Bucket, Rate};
use weft_engine::filter::{Chain, Facts, FilterBook, Request};
use weft_engine::http::head::RequestHead;
use weft_engine::http::parse::{HeadLimits, parse_request};
use weft_engine::snapshot::{
    Filter, HeaderEdits, HeaderLine, HeaderRewrite, KeyPart, LocalRateLimit, RateBucket, RateKey, Tracing,
};

fn main() {
    divan::main();
}

const HEAD: &[u8] = b"GET /api/v1/reviews/0001?page=2 HTTP/1.1\r\nHost: reviews:9080\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: */*\r\nAccept-Encoding: gzip\r\nX-Client: 10.1.2.3\r\nCookie: session=0123456789\r\n\
    X-Request-Id: 5f3c1f0e-8f0a-4d0c-9a52-6d1d2f6c7a11\r\n\r\n";
const TRACED: &[u8] = b"GET /api/v1/reviews/0001?page=2 HTTP/1.1\r\nHost: reviews:9080\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: */*\r\nAccept-Encoding: gzip\r\nX-Client: 10.1.2.3\r\nCookie: session=0123456789\r\n\
    Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTracestate: a=b\r\n\r\n";

fn parsed(bytes: &[u8]) -> RequestHead {
    let mut head = RequestHead::new();
    let _complete = parse_request(bytes, HeadLimits { max_bytes: 65_536, max_fields: 100 }, &mut head);
    head
}

/// So fast that no request is refused.
fn rate() -> Rate {
    Rate::new(1_000_000, 1_000_000, Duration::from_millis(1))
}

#[divan::bench(sample_size = 20_000)]
fn bucket_shared(bencher: Bencher<'_, '_>) {
    let (bucket, now) = (Bucket::shared(rate()), Instant::now());
    bencher.bench_local(|| black_box(bucket.take(black_box(0), now)));
}

#[divan::bench(sample_size = 20_000, args = [1, 1_000, 10_000, 100_000])]
fn bucket_keyed(bencher: Bencher<'_, '_>, keys: u64) {
    let (bucket, now) = (Bucket::keyed(rate(), keys as u32), Instant::now());
    let mut turn = 0;
    bencher.bench_local(|| {
        turn = (turn + 1) % keys;
        black_box(bucket.take(black_box(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15)), now))
    });
}

#[divan::bench(sample_size = 20_000, args = [1, 1_000, 100_000])]
fn bucket_fair(bencher: Bencher<'_, '_>, keys: u64) {
    let bucket = Bucket::fair(rate(), keys as u32);
    let (mut turn, mut now) = (0, Instant::now());
    bencher.bench_local(|| {
        turn = (turn + 1) % keys;
        now += Duration::from_nanos(100);
        black_box(bucket.take(black_box(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15)), now))
    });
}

#[divan::bench(sample_size = 20_000)]
fn bucket_warming(bencher: Bencher<'_, '_>) {
    let (bucket, now) = (Bucket::warming(rate(), Duration::from_secs(10), 3.0), Instant::now());
    bencher.bench_local(|| black_box(bucket.take(black_box(0), now)));
}

#[divan::bench(sample_size = 20_000)]
fn bucket_keyed_flood_of_new_keys(bencher: Bencher<'_, '_>) {
    let (bucket, now) = (Bucket::keyed(Rate::new(10, 1, Duration::from_secs(3600)), 10_000), Instant::now());
    let mut turn = 0_u64;
    bencher.bench_local(|| {
        turn = turn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        black_box(bucket.take(black_box(turn), now))
    });
}

fn pass(chain: &Chain, head: &mut RequestHead, now: Instant) {
    let facts = Facts { client: None, trusted_hops: 0, generated_id: None, retries_told: None, now };
    for filter in chain.iter() {
        let mut state = None;
        let mut request =
            Request { head: &mut *head, facts, state: &mut state, mark: None, allowance: None, outside: None };
        let mut cx = Context::from_waker(Waker::noop());
        let _verdict = black_box(filter.poll_request(&mut cx, &mut request));
    }
}

fn chain(filters: &[Filter]) -> Chain {
    Chain::compile(filters, "bench", &mut FilterBook::default()).unwrap_or_default()
}

#[divan::bench(sample_size = 20_000)]
fn chain_empty(bencher: Bencher<'_, '_>) {
    let (chain, mut head, now) = (chain(&[]), parsed(HEAD), Instant::now());
    bencher.bench_local(|| {
        if !black_box(&chain).is_empty() {
            pass(&chain, &mut head, now);
        }
    });
}

/// What calling a filter costs: these change nothing.
#[divan::bench(sample_size = 20_000, args = [1, 4])]
fn chain_of_idle_filters(bencher: Bencher<'_, '_>, filters: usize) {
    let idle = HeaderRewrite { request: HeaderEdits::default(), response: HeaderEdits::default() };
    let chain = chain(&vec![Filter::HeaderRewrite(idle); filters]);
    let (mut head, now) = (parsed(HEAD), Instant::now());
    bencher.bench_local(|| pass(black_box(&chain), &mut head, now));
}

/// So fast that no request is refused.
fn rate_bucket(key: KeyPart) -> RateBucket {
    RateBucket {
        name: "bench".to_owned(),
        key: vec![key],
        tokens: 1_000_000,
        refill: 1_000_000,
        every_ms: 1,
        max_keys: 10_000,
        fair: false,
        warm_up: None,
        max_wait_ms: None,
        keys: Vec::new(),
    }
}

#[divan::bench(sample_size = 20_000)]
fn local_rate_limit_by_header(bencher: Bencher<'_, '_>) {
    local_rate_limit(bencher, rate_bucket(KeyPart::Header("x-client".to_owned())));
}

#[divan::bench(sample_size = 20_000)]
fn local_rate_limit_by_header_fair(bencher: Bencher<'_, '_>) {
    local_rate_limit(bencher, RateBucket { fair: true, ..rate_bucket(KeyPart::Header("x-client".to_owned())) });
}

/// A parameter with some values that have a bucket of their own: `listed` says whether the request's is one of them.
#[divan::bench(sample_size = 20_000, args = [false, true])]
fn local_rate_limit_by_hot_parameter(bencher: Bencher<'_, '_>, listed: bool) {
    let hot = |at: usize| RateKey {
        values: vec![if listed && at == 0 { "2".to_owned() } else { format!("hot-{at}") }],
        tokens: 1_000_000,
        refill: 1_000_000,
        every_ms: 1,
    };
    let keys = (0..100).map(hot).collect();
    local_rate_limit(bencher, RateBucket { keys, ..rate_bucket(KeyPart::Query("page".to_owned())) });
}

fn local_rate_limit(bencher: Bencher<'_, '_>, bucket: RateBucket) {
    let chain = chain(&[Filter::LocalRateLimit(LocalRateLimit {
        buckets: vec![bucket],
        status: 429,
        headers: false,
        shadow: false,
    })]);
    let (mut head, now) = (parsed(HEAD), Instant::now());
    bencher.bench_local(|| pass(black_box(&chain), &mut head, now));
}

/// A head as a worker uses it again and again: with room to grow. Putting it back as it was is part of what is measured,
/// see `head_put_back`.
fn bench_on_head(bencher: Bencher<'_, '_>, bytes: &[u8], mut run: impl FnMut(&mut RequestHead)) {
    let mut head = parsed(bytes);
    let (length, fields) = (head.bytes.len(), head.fields.clone());
    bencher.bench_local(|| {
        head.bytes.truncate(length);
        head.fields.clone_from(&fields);
        run(black_box(&mut head));
    });
}

#[divan::bench(sample_size = 20_000)]
fn head_put_back(bencher: Bencher<'_, '_>) {
    bench_on_head(bencher, TRACED, |_| {});
}

#[divan::bench(sample_size = 20_000)]
fn header_rewrite_set_and_remove(bencher: Bencher<'_, '_>) {
    let request = HeaderEdits {
        remove: vec!["x-debug".to_owned()],
        set: vec![HeaderLine { name: "x-env".to_owned(), value: "prod".to_owned() }],
        ..HeaderEdits::default()
    };
    let chain = chain(&[Filter::HeaderRewrite(HeaderRewrite { request, response: HeaderEdits::default() })]);
    let now = Instant::now();
    bench_on_head(bencher, HEAD, |head| pass(black_box(&chain), head, now));
}

#[divan::bench(sample_size = 20_000, args = ["off", "off, traced", "begun", "continued"])]
fn trace_context(bencher: Bencher<'_, '_>, how: &str) {
    let tracing = (!how.starts_with("off")).then_some(Tracing { sampling_ppm: 10_000 });
    let bytes = if matches!(how, "off, traced" | "continued") { TRACED } else { HEAD };
    bench_on_head(bencher, bytes, |head| _ = black_box(trace::carry(head, tracing, None)));
}
