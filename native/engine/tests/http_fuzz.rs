//! A fuzz target per parser of untrusted bytes. Plain `cargo test` runs each on a bounded number of generated inputs;
//! `cargo bolero test -p weft-engine --test http_fuzz NAME` runs one with coverage for as long as asked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use bolero::check;
use weft_engine::http::body::{BodyDecoder, Malformed};
use weft_engine::http::forward::{
    Connection, ForwardRequest, ForwardResponse, RequestChanges, encode_request, encode_response,
};
use weft_engine::http::framing::{
    Framing, downstream_framing, expects_continue, request_framing, request_keep_alive, response_framing,
    response_keep_alive, wants_upgrade,
};
use weft_engine::http::head::{Known, Method, RequestHead, ResponseHead, Version};
use weft_engine::http::parse::{HeadLimits, Parsed, parse_request, parse_response};
use weft_engine::http::path::{normalise_host, normalise_path};

const LIMITS: HeadLimits = HeadLimits { max_bytes: 512, max_fields: 8 };
const INPUTS: usize = 20_000;

/// Spells messages out of the words that parsers decide by: most bytes stand for a word, the highest for themselves.
/// Random bytes alone would never get past a request line.
fn spell(input: &[u8], words: &[&str]) -> Vec<u8> {
    let spelled = input.iter().flat_map(|byte| match words.get(usize::from(*byte) % words.len()) {
        Some(word) if *byte < 240 => word.as_bytes().to_vec(),
        _ => vec![*byte],
    });
    spelled.collect()
}

const HEAD_WORDS: [&str; 40] = [
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "Host: a\r\n",
    "Host: A.b.:80\r\n",
    "Content-Length: ",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: ",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: X, host\r\n",
    "X: 1\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: websocket\r\n",
    "Connection: upgrade\r\n",
    "Via: 1.1 a\r\n",
    "TE: trailers\r\n",
    "X-Forwarded-For: b\r\n",
    "Date: c\r\n",
    "5",
    "0",
    ",",
    " ",
    "\t",
    ":",
    "\n",
    "\r",
    "\0",
    "/",
    "/../",
    "%2e",
    "?a",
    "*",
    "http://b",
    "chunked",
    "gzip",
    "A",
    "@",
    "#",
    "\x7f",
];

#[test]
fn request_heads() {
    let starts = ["GET / HTTP/1.1\r\n", "POST /a/../b?c HTTP/1.1\r\nHost: a\r\n", "", "OPTIONS ", "GET / HTTP/1.0\r\n"];
    check!().with_iterations(INPUTS).for_each(|input: &[u8]| {
        let (start, rest) = input.split_first().unwrap_or((&0, &[]));
        let wire = [starts[usize::from(*start) % starts.len()].as_bytes(), &spell(rest, &HEAD_WORDS)].concat();
        let mut head = RequestHead::new();
        let whole = parse_request(&wire, LIMITS, &mut head);
        let Ok(Parsed::Complete(taken)) = whole else { return };
        assert_strict(&wire[..taken]);
        for cut in 0..taken {
            assert_eq!(parse_request(&wire[..cut], LIMITS, &mut head), Ok(Parsed::Partial), "{}", wire.escape_ascii());
        }
        parse_request(&wire[..taken], LIMITS, &mut head).unwrap();
        let Ok(framing) = request_framing(&head) else { return };
        check_forwarded_request(&head, framing);
    });
}

/// No accepted head holds what two parsers could read differently.
fn assert_strict(head: &[u8]) {
    let text = head.escape_ascii();
    for (at, byte) in head.iter().enumerate() {
        match byte {
            b'\n' => assert!(at > 0 && head[at - 1] == b'\r', "bare LF in {text}"),
            b'\r' => assert_eq!(head.get(at + 1), Some(&b'\n'), "bare CR in {text}"),
            byte => assert!(!matches!(byte, 0 | 0x7f), "control byte in {text}"),
        }
    }
    assert!(!head.windows(3).any(|window| matches!(window, b"\r\n " | b"\r\n\t")), "folded line in {text}");
}

fn check_forwarded_request(head: &RequestHead, framing: Framing) {
    let upgrade = wants_upgrade(head);
    let fwd = ForwardRequest {
        client: "unknown",
        scheme: "http",
        request_id: Some("id"),
        framing,
        upgrade,
        expect_continue: expects_continue(head),
        changes: RequestChanges::NONE,
    };
    let mut out = Vec::new();
    encode_request(head, &fwd, &mut out);
    assert_strict(&out);
    let text = out.escape_ascii();
    let mut again = RequestHead::new();
    let parsed = parse_request(&out, HeadLimits { max_bytes: 4096, max_fields: 32 }, &mut again);
    if head.authority.is_empty() {
        // HTTP/1.0 without a Host: the driver names an authority before it forwards.
        assert_eq!(parsed.map_err(|refusal| refusal.status), Err(400), "{text}");
        return;
    }
    assert_eq!(parsed, Ok(Parsed::Complete(out.len())), "{text}");
    assert_eq!(request_framing(&again), Ok(framing), "{text}");
    assert_eq!(again.text(again.host), head.text(head.host), "{text}");
    assert_eq!(again.text(again.path), head.text(head.path), "{text}");
    assert_eq!(again.text(again.query), head.text(head.query), "{text}");
    assert!(request_keep_alive(&again), "{text}");
    assert_eq!(wants_upgrade(&again), upgrade, "{text}");
    assert_eq!(again.get(Known::XRequestId), Some(&b"id"[..]), "{text}");
}

#[test]
fn response_heads() {
    let starts = ["HTTP/1.1 200 OK\r\n", "HTTP/1.0 304 \r\n", "", "HTTP/1.1 103 A\r\n", "HTTP/1.1 204\r\n"];
    check!().with_iterations(INPUTS).for_each(|input: &[u8]| {
        let (start, rest) = input.split_first().unwrap_or((&0, &[]));
        let wire = [starts[usize::from(*start) % starts.len()].as_bytes(), &spell(rest, &HEAD_WORDS)].concat();
        let mut head = ResponseHead::new();
        let Ok(Parsed::Complete(taken)) = parse_response(&wire, LIMITS, &mut head) else { return };
        assert_strict(&wire[..taken]);
        for cut in 0..taken {
            assert_eq!(parse_response(&wire[..cut], LIMITS, &mut head), Ok(Parsed::Partial), "{}", wire.escape_ascii());
        }
        parse_response(&wire[..taken], LIMITS, &mut head).unwrap();
        for method in [Method::Get, Method::Head] {
            for client in [Version::Http10, Version::Http11] {
                check_passed_on_answer(&head, method, client);
            }
        }
    });
}

fn check_passed_on_answer(head: &ResponseHead, method: Method, client: Version) {
    let Ok(framing) = response_framing(head, method).map(|upstream| downstream_framing(upstream, client)) else {
        return;
    };
    let fwd = ForwardResponse {
        framing,
        connection: Connection::KeepAlive,
        client_version: client,
        date: "now",
        retries_spent: false,
        changes: None,
        added: b"",
    };
    let mut out = Vec::new();
    encode_response(head, &fwd, &mut out);
    assert_strict(&out);
    let text = out.escape_ascii();
    let mut again = ResponseHead::new();
    let parsed = parse_response(&out, HeadLimits { max_bytes: 4096, max_fields: 32 }, &mut again);
    assert_eq!(parsed, Ok(Parsed::Complete(out.len())), "{text}");
    assert_eq!(response_framing(&again, method), Ok(framing), "{text}");
    assert_eq!(response_keep_alive(&again), framing != Framing::UntilClose, "{text}");
}

const CHUNK_WORDS: [&str; 20] = [
    "\r\n",
    "\r\n",
    "5\r\nhello\r\n",
    "1\r\na\r\n",
    "0\r\n\r\n",
    "0\r\n",
    "A",
    "f",
    "5",
    "0",
    ";a=b",
    ";",
    " ",
    "\n",
    "\r",
    "X: a\r\n",
    "Host: a\r\n",
    ":",
    "\0",
    "hello",
];

#[test]
fn chunked_bodies() {
    check!().with_iterations(INPUTS).for_each(|input: &[u8]| {
        let wire = spell(input, &CHUNK_WORDS);
        let whole = decode(&wire, wire.len());
        for step in [1, 3] {
            assert_eq!(decode(&wire, step), whole, "steps of {step}: {}", wire.escape_ascii());
        }
        if let Ok((_, _, trailers, true)) = whole {
            let lower = trailers.to_ascii_lowercase();
            assert!(!lower.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"host:")));
            assert_strict(&trailers);
        }
    });
}

type Body = (Vec<u8>, usize, Vec<u8>, bool);

/// Data, bytes used, trailers and whether the body ended, when fed in steps of that many bytes.
fn decode(wire: &[u8], step: usize) -> Result<Body, Malformed> {
    let (mut decoder, mut data, mut used, mut done) = (BodyDecoder::new(Framing::Chunked, 64), Vec::new(), 0, false);
    for piece in wire.chunks(step.max(1)) {
        let mut rest = piece;
        while !done && !rest.is_empty() {
            let decoded = decoder.decode(rest)?;
            data.extend_from_slice(&rest[decoded.data]);
            used += decoded.consumed;
            rest = &rest[decoded.consumed..];
            done = decoded.done;
        }
    }
    Ok((data, used, decoder.trailers().to_vec(), done))
}

#[test]
fn paths() {
    let words = ["/", "/", ".", "..", "%2e", "%2F", "%41", "%00", "%", "a", "//", "/../", "/./", "%25", ";", "\\"];
    check!().with_iterations(INPUTS).for_each(|input: &[u8]| {
        let path = [b"/", &spell(input, &words)[..]].concat();
        // What stands before in the buffer is another's and must not be taken for a parent.
        let (mut once, mut twice) = (b"/x/y".to_vec(), Vec::new());
        if normalise_path(&path, &mut once).is_ok() {
            let normal = once.split_off(4);
            normalise_path(&normal, &mut twice).unwrap();
            assert_eq!(normal, twice, "{}", path.escape_ascii());
            assert_eq!(normal[0], b'/');
            assert!(normal.split(|byte| *byte == b'/').all(|segment| segment != b"." && segment != b".."));
        }
        assert!(once.starts_with(b"/x/y"));
    });
}

#[test]
fn hosts() {
    let words = ["a", "B", ".", ":", "80", "[", "]", "::1", "fe80", "65536", "@", "-", "_", "%", "/", ","];
    check!().with_iterations(INPUTS).for_each(|input: &[u8]| {
        let authority = spell(input, &words);
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        if normalise_host(&authority, &mut once).is_ok() {
            normalise_host(&once, &mut twice).unwrap();
            assert_eq!(once, twice, "{}", authority.escape_ascii());
            assert!(!once.iter().any(|byte| byte.is_ascii_uppercase() || b"@/,% ".contains(byte)));
        }
    });
}
