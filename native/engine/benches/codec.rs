//! What a head costs: parsing, framing and writing of a plain request and of a plain answer, both ways.
#![allow(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use divan::{Bencher, black_box};
use weft_engine::http::forward::{
    Connection, ForwardRequest, ForwardResponse, RequestChanges, encode_informational, encode_request, encode_response,
};
use weft_engine::http::framing::{
    Framing, request_framing, request_keep_alive, response_framing, response_keep_alive, wants_upgrade,
};
use weft_engine::http::head::{Method, RequestHead, ResponseHead, Version};
use weft_engine::http::parse::{HeadLimits, parse_request, parse_response};
use weft_engine::http::path::normalise_path;

const LIMITS: HeadLimits = HeadLimits { max_bytes: 65536, max_fields: 100 };

const REQUEST: &[u8] = b"GET /reviews/17?full=1 HTTP/1.1\r\nHost: reviews.example:8080\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: application/json\r\nAccept-Encoding: gzip, br\r\nCookie: session=4f2a9c\r\nX-Request-Id: 7c9e6679\r\n\
    Connection: keep-alive\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: app\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Content-Type: application/json\r\nContent-Length: 1024\r\nCache-Control: no-cache\r\nVary: Accept\r\n\
    Connection: keep-alive\r\n\r\n";

const FORWARD: ForwardRequest<'static> = ForwardRequest {
    client: "10.0.0.7",
    scheme: "http",
    request_id: Some("6ba7b810-9dad-41d1-80b4-00c04fd430c8"),
    framing: Framing::None,
    upgrade: false,
    expect_continue: false,
    changes: RequestChanges::NONE,
};

const ANSWERED: ForwardResponse<'static> = ForwardResponse {
    framing: Framing::Length(1024),
    connection: Connection::KeepAlive,
    client_version: Version::Http11,
    date: "Sun, 06 Nov 1994 08:49:37 GMT",
    retries_spent: false,
    changes: None,
    added: b"",
};

fn main() {
    divan::main();
}

#[divan::bench]
fn request_parse(bencher: Bencher<'_, '_>) {
    let mut head = RequestHead::new();
    bencher.bench_local(|| parse_request(black_box(REQUEST), LIMITS, &mut head));
}

#[divan::bench]
fn request_decide(bencher: Bencher<'_, '_>) {
    let mut head = RequestHead::new();
    parse_request(REQUEST, LIMITS, &mut head).unwrap();
    bencher.bench_local(|| {
        let head = black_box(&head);
        (request_framing(head), request_keep_alive(head), wants_upgrade(head))
    });
}

#[divan::bench]
fn request_encode(bencher: Bencher<'_, '_>) {
    let (mut head, mut out) = (RequestHead::new(), Vec::new());
    parse_request(REQUEST, LIMITS, &mut head).unwrap();
    bencher.bench_local(|| {
        out.clear();
        encode_request(black_box(&head), &FORWARD, &mut out);
        out.len()
    });
}

#[divan::bench]
fn answer_parse(bencher: Bencher<'_, '_>) {
    let mut head = ResponseHead::new();
    bencher.bench_local(|| parse_response(black_box(ANSWER), LIMITS, &mut head));
}

#[divan::bench]
fn answer_decide(bencher: Bencher<'_, '_>) {
    let mut head = ResponseHead::new();
    parse_response(ANSWER, LIMITS, &mut head).unwrap();
    bencher.bench_local(|| {
        let head = black_box(&head);
        (response_framing(head, Method::Get), response_keep_alive(head))
    });
}

#[divan::bench]
fn answer_encode(bencher: Bencher<'_, '_>) {
    let (mut head, mut out) = (ResponseHead::new(), Vec::new());
    parse_response(ANSWER, LIMITS, &mut head).unwrap();
    bencher.bench_local(|| {
        out.clear();
        encode_response(black_box(&head), &ANSWERED, &mut out);
        out.len()
    });
}

/// Everything the codec does for one exchange.
#[divan::bench]
fn exchange(bencher: Bencher<'_, '_>) {
    let (mut request, mut answer, mut out) = (RequestHead::new(), ResponseHead::new(), Vec::new());
    bencher.bench_local(|| {
        out.clear();
        let parsed = parse_request(black_box(REQUEST), LIMITS, &mut request);
        let framing = request_framing(&request);
        let decided = (request_keep_alive(&request), wants_upgrade(&request));
        encode_request(&request, &FORWARD, &mut out);
        let answered = parse_response(black_box(ANSWER), LIMITS, &mut answer);
        let answer_framing = response_framing(&answer, Method::Get);
        let kept = response_keep_alive(&answer);
        encode_response(&answer, &ANSWERED, &mut out);
        let _ = black_box((parsed, framing, decided, answered, answer_framing, kept));
        out.len()
    });
}

#[divan::bench]
fn informational_encode(bencher: Bencher<'_, '_>) {
    let (mut head, mut out) = (ResponseHead::new(), Vec::new());
    parse_response(b"HTTP/1.1 100 Continue\r\n\r\n", LIMITS, &mut head).unwrap();
    bencher.bench_local(|| {
        out.clear();
        encode_informational(black_box(&head), &mut out);
        out.len()
    });
}

#[divan::bench(args = ["/reviews/17", "/a/./b/../c%7e//d"])]
fn path(bencher: Bencher<'_, '_>, path: &str) {
    let mut out = Vec::new();
    bencher.bench_local(|| {
        out.clear();
        normalise_path(black_box(path.as_bytes()), &mut out)
    });
}
