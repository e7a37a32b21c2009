//! What it costs to find a route: among 10, 1,000 and 10,000 of them, by host and path. The requests are the same mix for
//! each size: 64 of them spread over the table, a fifth without a route of its own.
#![allow(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use weft_engine::http::head::RequestHead;
use weft_engine::http::parse::{HeadLimits, parse_request};
use weft_engine::route::{
    Condition, Expression, HostPattern, Live, PathPattern, Rule, Split, Sticky, Table, Target, Test,
};

const LIMITS: HeadLimits = HeadLimits { max_bytes: 65536, max_fields: 100 };
const REQUESTS: usize = 64;

fn main() {
    divan::main();
}

fn rule(at: usize, host: &str, path: PathPattern) -> Rule {
    Rule {
        route: u16::try_from(at).unwrap(),
        place: 0,
        hosts: Arc::new([HostPattern::parse(host).unwrap()]),
        path,
        method: None,
        headers: Box::default(),
        query: Box::default(),
        when: None,
        lane: None,
    }
}

fn prefix(text: &str) -> PathPattern {
    PathPattern::Prefix(text.as_bytes().into())
}

fn request(host: &str, path: &str) -> RequestHead {
    let text = format!(
        "GET {path}?full=1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: curl/8.5.0\r\nAccept: application/json\r\n\
        Cookie: session=4f2a9c\r\nEnd-User: tester\r\n\r\n"
    );
    let mut head = RequestHead::new();
    parse_request(text.as_bytes(), LIMITS, &mut head).unwrap();
    head
}

fn measure(bencher: Bencher<'_, '_>, table: &Table, requests: &[RequestHead]) {
    bencher.counter(ItemsCount::new(requests.len())).bench_local(|| {
        for head in requests {
            black_box(table.find(&Live { head: black_box(head), client: "10.0.0.7" }));
        }
    });
}

/// Hosts of ten paths each.
#[divan::bench(args = [10, 1_000, 10_000])]
fn hosts_and_paths(bencher: Bencher<'_, '_>, routes: usize) {
    let rules = (0..routes)
        .map(|at| rule(at, &format!("service-{}.shop.example", at / 10), prefix(&format!("/api/v{}/items", at % 10))));
    let table = Table::new(rules.collect(), None);
    let requests: Vec<RequestHead> = (0..REQUESTS)
        .map(|at| {
            let route = at * 157 % routes;
            let path =
                if at % 5 == 0 { "/other/items/17".to_owned() } else { format!("/api/v{}/items/17", route % 10) };
            request(&format!("service-{}.shop.example", route / 10), &path)
        })
        .collect();
    measure(bencher, &table, &requests);
}

/// One host with all the paths.
#[divan::bench(args = [10, 1_000, 10_000])]
fn paths_of_one_host(bencher: Bencher<'_, '_>, routes: usize) {
    let rules = (0..routes).map(|at| rule(at, "shop.example", prefix(&format!("/api/service-{at}/items"))));
    let table = Table::new(rules.collect(), None);
    let requests: Vec<RequestHead> = (0..REQUESTS)
        .map(|at| {
            let of = if at % 5 == 0 { "other".to_owned() } else { (at * 157 % routes).to_string() };
            request("shop.example", &format!("/api/service-{of}/items/17"))
        })
        .collect();
    measure(bencher, &table, &requests);
}

/// Testers by a header, before everybody else; the host is named by a service header.
#[divan::bench]
fn header_and_service_header(bencher: Bencher<'_, '_>) {
    let condition = Condition { name: "end-user".into(), test: Test::Exact(b"tester"[..].into()) };
    let testers =
        Rule { headers: Box::new([condition]), method: Some(b"GET"[..].into()), ..rule(0, "10.0.0.1", prefix("")) };
    let table = Table::new(vec![testers, rule(1, "10.0.0.1", prefix(""))], Some("host"));
    let requests: Vec<RequestHead> = (0..REQUESTS).map(|_| request("10.0.0.1:15001", "/reviews/17")).collect();
    measure(bencher, &table, &requests);
}

#[divan::bench]
fn sticky_split(bencher: Bencher<'_, '_>) {
    let targets = vec![Target::new(0, "reviews-v1", 90, None), Target::new(1, "reviews-v2", 10, None)];
    let split = Split::new(targets, Some(Sticky::Header("end-user".into()))).unwrap();
    let head = request("reviews", "/reviews/17");
    bencher.bench_local(|| {
        split.pick(&Live { head: black_box(&head), client: "10.0.0.7" }, |_| 0).map(|target| target.cluster)
    });
}

/// A condition in CEL with three terms that all hold, over a request with five headers.
#[divan::bench]
fn when_of_three_terms(bencher: Bencher<'_, '_>) {
    let source =
        "request.headers['end-user'] == 'tester' && request.path.startsWith('/api') && request.query['full'] != '0'";
    let when = Arc::new(Expression::condition(source).unwrap());
    let table = Table::new(vec![Rule { when: Some(when), ..rule(0, "10.0.0.1", prefix("")) }], None);
    let requests = [request("10.0.0.1", "/api/items/17")];
    assert!(table.find(&Live { head: &requests[0], client: "" }).is_some());
    measure(bencher, &table, &requests);
}

/// The same rule without it.
#[divan::bench]
fn without_a_when(bencher: Bencher<'_, '_>) {
    let table = Table::new(vec![rule(0, "10.0.0.1", prefix(""))], None);
    measure(bencher, &table, &[request("10.0.0.1", "/api/items/17")]);
}
