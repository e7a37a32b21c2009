//! Laws of the codec that hold for every message: what is written reads back as what was meant.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use weft_engine::http::body::{BodyDecoder, BodyEncoder};
use weft_engine::http::forward::{
    Connection, ForwardRequest, ForwardResponse, RequestChanges, encode_request, encode_response,
};
use weft_engine::http::framing::{Framing, request_framing, response_framing};
use weft_engine::http::head::{Known, Method, RequestHead, ResponseHead, Section, Version};
use weft_engine::http::parse::{HeadLimits, Parsed, parse_request, parse_response};
use weft_engine::http::path::{normalise_host, normalise_path};

const LIMITS: HeadLimits = HeadLimits { max_bytes: 65536, max_fields: 200 };

/// Names that belong to one connection, or that are written anew.
const NEVER_COPIED: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "te",
    "upgrade",
    "transfer-encoding",
    "content-length",
    "x-forwarded-proto",
    "expect",
];

fn field() -> impl Strategy<Value = (String, String)> {
    let special = select(vec![
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authorization",
        "TE",
        "Upgrade",
        "X-Forwarded-Proto",
        "Via",
        "X-Forwarded-For",
        "X-Hop",
        "Cookie",
        "Authorization",
        "Trailer",
        "Date",
        "Server",
    ]);
    let connection = vec(select(vec!["close", "keep-alive", "X-Hop", "host", "cookie", "upgrade", "via"]), 0..3);
    prop_oneof![
        4 => ("[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,12}", "([!-~]([ -~\t]{0,20}[!-~])?)?")
            .prop_filter("framing is added by the test", |(name, _)| {
                !["host", "expect"].contains(&name.to_ascii_lowercase().as_str())
            }),
        2 => (special.prop_map(String::from), "[a-z0-9./]{1,10}"),
        1 => connection.prop_map(|items| ("Connection".to_owned(), items.join(", "))),
    ]
}

fn lines(fields: &[(String, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

fn parsed_request(wire: &[u8]) -> RequestHead {
    let mut head = RequestHead::new();
    let parsed = parse_request(wire, LIMITS, &mut head);
    assert_eq!(parsed, Ok(Parsed::Complete(wire.len())), "{}", wire.escape_ascii());
    head
}

fn parsed_response(wire: &[u8]) -> ResponseHead {
    let mut head = ResponseHead::new();
    let parsed = parse_response(wire, LIMITS, &mut head);
    assert_eq!(parsed, Ok(Parsed::Complete(wire.len())), "{}", wire.escape_ascii());
    head
}

/// The end-to-end fields that a reader of the forwarded message must still see, in order.
fn end_to_end<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>, also_dropped: &[&str]) -> Vec<(String, Vec<u8>)> {
    let dropped = [&NEVER_COPIED[..], also_dropped].concat();
    fields
        .map(|(name, value)| (String::from_utf8(name.to_vec()).unwrap(), value.to_vec()))
        .filter(|(name, _)| !dropped.contains(&name.to_ascii_lowercase().as_str()))
        .collect()
}

/// Names whose lines are joined or replaced; the laws look at them one by one.
const ONE_LINE: [&str; 3] = ["via", "x-forwarded-for", "date"];

/// What need not arrive: those, and the field that Connection may name.
fn gone(section: &Section<'_>) -> Vec<&'static str> {
    let hop = section.lists(Known::Connection, b"x-hop").then_some("x-hop");
    ONE_LINE.into_iter().chain(hop).collect()
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::None), Just(Framing::Chunked), any::<u32>().prop_map(|n| Framing::Length(n.into()))]
}

proptest! {
    #[test]
    fn a_forwarded_request_reads_as_the_one_that_came(
        fields in vec(field(), 0..12),
        method in "[A-Z]{3,7}".prop_filter("refused", |method| method != "CONNECT"),
        path in "(/[a-z0-9._~!$&'()*+,;=:@%-]{0,6}){1,4}".prop_filter("normal", |path| {
            normalise_path(path.as_bytes(), &mut Vec::new()).is_ok()
        }),
        query in "(\\?[!-\"$-~]{0,8})?",
        framing in framing(),
        chunked_before in any::<bool>(),
    ) {
        let own = if chunked_before { "Transfer-Encoding: chunked\r\n" } else { "Content-Length: 77\r\n" };
        let sent = format!("{method} {path}{query} HTTP/1.1\r\nHOST: A.example:81\r\n{}{own}\r\n", lines(&fields));
        let head = parsed_request(sent.as_bytes());
        let fwd = ForwardRequest {
            client: "192.0.2.1", scheme: "https", request_id: None, framing, upgrade: false, expect_continue: false,
            changes: RequestChanges::NONE,
        };
        let mut out = Vec::new();
        encode_request(&head, &fwd, &mut out);
        let again = parsed_request(&out);

        prop_assert_eq!(again.method_str(), method);
        prop_assert_eq!(again.text(again.path), head.text(head.path));
        prop_assert_eq!(again.text(again.query), query.as_bytes());
        prop_assert_eq!(again.text(again.host), b"a.example");
        prop_assert_eq!(again.text(again.authority), b"A.example:81");
        // A length that was announced is announced again as zero when there is no body after all.
        let expected = if framing == Framing::None && !chunked_before { Framing::Length(0) } else { framing };
        prop_assert_eq!(request_framing(&again), Ok(expected));
        prop_assert_eq!(again.get(Known::XForwardedProto), Some(&b"https"[..]));
        for known in [Known::KeepAlive, Known::ProxyConnection, Known::ProxyAuthorization, Known::Upgrade] {
            prop_assert_eq!(again.get(known), None);
        }
        prop_assert_eq!(end_to_end(again.section().iter(), &ONE_LINE), end_to_end(head.section().iter(), &gone(&head.section())));
        let last = again.get(Known::Via).unwrap();
        prop_assert!(last.ends_with(b"1.1 weft") && again.section().all(Known::Via).count() == 1);
        let forwarded_for = again.get(Known::XForwardedFor).unwrap();
        prop_assert!(forwarded_for.ends_with(b"192.0.2.1") && again.section().all(Known::XForwardedFor).count() == 1);
    }

    #[test]
    fn a_passed_on_answer_reads_as_the_one_that_came(
        fields in vec(field(), 0..12),
        status in (200u16..=999).prop_filter("has a body", |status| ![204, 304].contains(status)),
        reason in "[ -~]{0,12}",
        framing in prop_oneof![Just(Framing::Chunked), Just(Framing::UntilClose), Just(Framing::Length(3))],
        close in any::<bool>(),
    ) {
        let sent = format!("HTTP/1.1 {status} {reason}\r\n{}Content-Length: 77\r\n\r\n", lines(&fields));
        let head = parsed_response(sent.as_bytes());
        let connection = if close { Connection::Close } else { Connection::KeepAlive };
        let fwd = ForwardResponse { framing, connection, client_version: Version::Http11, date: "now", retries_spent: false, changes: None, added: b"" };
        let mut out = Vec::new();
        encode_response(&head, &fwd, &mut out);
        let again = parsed_response(&out);

        prop_assert_eq!(again.status, status);
        prop_assert_eq!(again.text(again.reason), reason.as_bytes());
        prop_assert_eq!(response_framing(&again, Method::Get), Ok(framing));
        let closed = again.section().lists(Known::Connection, b"close");
        prop_assert_eq!(closed, close || framing == Framing::UntilClose);
        prop_assert_eq!(again.section().all(Known::Date).count(), 1);
        prop_assert_eq!(end_to_end(again.section().iter(), &ONE_LINE), end_to_end(head.section().iter(), &gone(&head.section())));
    }

    #[test]
    fn chunks_read_back_as_they_were_written(
        pieces in vec(vec(any::<u8>(), 0..300), 0..8),
        trailers in vec("X-[a-z]{1,8}: [a-z0-9]{0,8}\r\n", 0..3),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        let (mut wire, mut encoder) = (Vec::new(), BodyEncoder::new(Framing::Chunked));
        for piece in &pieces {
            encoder.encode(piece, &mut wire);
        }
        encoder.finish(trailers.concat().as_bytes(), &mut wire).unwrap();
        let length = wire.len();
        wire.extend_from_slice(b"GET / HTTP/1.1\r\n");

        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len())).collect();
        ends.push(wire.len());
        ends.sort_unstable();
        let (mut decoder, mut data, mut at) = (BodyDecoder::new(Framing::Chunked, 1024), Vec::new(), 0);
        let mut done = false;
        for end in ends {
            while !done && at < end {
                let step = decoder.decode(&wire[at..end]).unwrap();
                data.extend_from_slice(&wire[at..end][step.data]);
                at += step.consumed;
                done = step.done;
            }
        }
        prop_assert!(done);
        prop_assert_eq!(at, length);
        prop_assert_eq!(data, pieces.concat());
        let trailers = trailers.concat();
        prop_assert_eq!(decoder.trailers(), trailers.as_bytes());
    }

    #[test]
    fn pieces_written_without_a_copy_are_the_same_bytes(
        pieces in vec(vec(any::<u8>(), 0..40), 0..6),
        chunked in any::<bool>(),
    ) {
        let total = pieces.iter().map(Vec::len).sum::<usize>() as u64;
        let framing = if chunked { Framing::Chunked } else { Framing::Length(total) };
        let (mut copied, mut gathered) = (Vec::new(), Vec::new());
        let (mut one, mut other) = (BodyEncoder::new(framing), BodyEncoder::new(framing));
        for piece in &pieces {
            one.encode(piece, &mut copied);
            gathered.extend_from_slice(&other.prefix(piece.len()).unwrap());
            gathered.extend_from_slice(piece);
            gathered.extend_from_slice(other.suffix());
        }
        prop_assert_eq!(one.finish(b"", &mut copied), Ok(()));
        prop_assert_eq!(other.finish(b"", &mut gathered), Ok(()));
        prop_assert_eq!(copied, gathered);
    }

    #[test]
    fn a_normal_path_is_its_own_normal_form(path in "(/|\\.|%2[eEfF]|%41|%25|[a-c;%]){0,14}") {
        let mut once = Vec::new();
        if normalise_path(path.as_bytes(), &mut once).is_ok() {
            let mut twice = Vec::new();
            prop_assert_eq!(normalise_path(&once, &mut twice), Ok(()));
            prop_assert_eq!(&once, &twice);
            let text = String::from_utf8(once).unwrap();
            prop_assert!(text.starts_with('/') && !text.contains("//"), "{}", text);
            prop_assert!(text.split('/').all(|segment| segment != "." && segment != ".."), "{}", text);
        }
    }

    #[test]
    fn a_normal_host_is_its_own_normal_form(authority in "[a-cA-C0-9.:\\[\\]_-]{0,10}(:[0-9]{0,6})?") {
        let mut once = Vec::new();
        if normalise_host(authority.as_bytes(), &mut once).is_ok() {
            let mut twice = Vec::new();
            prop_assert_eq!(normalise_host(&once, &mut twice), Ok(()));
            prop_assert_eq!(&once, &twice);
        }
    }
}
