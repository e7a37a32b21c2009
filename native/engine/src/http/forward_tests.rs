//! What goes on of a head, and what stays behind.

use super::super::parse::{HeadLimits, parse_request, parse_response};
use super::*;

const LIMITS: HeadLimits = HeadLimits { max_bytes: 4096, max_fields: 100 };
const PLAIN: ForwardRequest<'static> = ForwardRequest {
    client: "10.0.0.7",
    scheme: "http",
    request_id: None,
    framing: Framing::None,
    upgrade: false,
    expect_continue: false,
    changes: RequestChanges::NONE,
};

fn request(lines: &str) -> RequestHead {
    let mut head = RequestHead::new();
    parse_request(format!("{lines}\r\n").as_bytes(), LIMITS, &mut head).unwrap();
    head
}

fn forwarded(lines: &str, fwd: ForwardRequest<'_>) -> String {
    let mut out = Vec::new();
    encode_request(&request(lines), &fwd, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn lines_keep_their_case_and_order() {
    let sent = "GET /a?q HTTP/1.1\r\nX-One: 1\r\nHost: A:80\r\nx-TWO: 2  \r\nAccept:*/*\r\n";
    let own = "x-forwarded-for: 10.0.0.7\r\nx-forwarded-proto: http\r\nvia: 1.1 weft\r\n\r\n";
    assert_eq!(forwarded(sent, PLAIN), format!("{sent}{own}"));
}

#[test]
fn what_belongs_to_one_connection_is_removed() {
    let sent = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
        Proxy-Connection: close\r\nProxy-Authorization: x\r\nTE: gzip\r\nUpgrade: h2c\r\nX-Stays: 1\r\n";
    let out = forwarded(sent, PLAIN);
    assert!(out.starts_with("GET / HTTP/1.1\r\nHost: a\r\nX-Stays: 1\r\nx-forwarded-for: "), "{out}");
}

#[test]
fn a_client_cannot_remove_what_others_rely_on() {
    let sent = "GET / HTTP/1.1\r\nHost: a\r\nConnection: host, authorization, cookie, x-request-id, via, \
        x-forwarded-for, x-forwarded-host, content-length\r\nAuthorization: b\r\nCookie: c\r\nX-Request-Id: d\r\n\
        X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Host: e\r\nVia: 1.0 f\r\nContent-Length: 3\r\n";
    assert_eq!(
        forwarded(sent, ForwardRequest { framing: Framing::Length(3), ..PLAIN }),
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nCookie: c\r\nX-Request-Id: d\r\nX-Forwarded-Host: e\r\n\
        content-length: 3\r\nx-forwarded-for: 1.1.1.1, 10.0.0.7\r\nx-forwarded-proto: http\r\n\
        via: 1.0 f, 1.1 weft\r\n\r\n"
    );
}

#[test]
fn an_upgrade_is_asked_for_only_when_told() {
    let sent = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\nTE: trailers\r\n";
    let out = forwarded(sent, ForwardRequest { upgrade: true, ..PLAIN });
    assert!(out.contains("\r\nconnection: upgrade\r\nupgrade: websocket\r\n"), "{out}");
    assert!(!out.contains("te: trailers"), "{out}");
    let out = forwarded(sent, PLAIN);
    assert!(!out.to_lowercase().contains("upgrade"), "{out}");
    assert!(out.contains("\r\nconnection: te\r\nte: trailers\r\n"), "{out}");
}

#[test]
fn the_target_counts_more_than_the_host() {
    let out = forwarded("GET http://B.example:8080 HTTP/1.1\r\nHost: a\r\nX: 1\r\n", PLAIN);
    assert!(out.starts_with("GET / HTTP/1.1\r\nhost: B.example:8080\r\nX: 1\r\n"), "{out}");
}

#[test]
fn edits_are_forwarded() {
    let mut head = request("GET /a?q HTTP/1.1\r\nHost: a\r\nX-Debug: 1\r\nAccept: b\r\n");
    head.remove(b"x-debug");
    assert!(head.append(b"X-Env", b" prod "));
    assert!(!head.append(b"X Env", b"prod") && !head.append(b"X-Env", b"a\r\nb"));
    assert!(head.set_path(b"/b") && head.set_authority(b"c:1"));
    assert!(!head.set_path(b"/b?") && !head.set_path(b"b") && !head.set_authority(b"c d"));
    let mut out = Vec::new();
    encode_request(&head, &PLAIN, &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(out.starts_with("GET /b?q HTTP/1.1\r\nhost: c:1\r\nAccept: b\r\nX-Env: prod\r\nx-forwarded"), "{out}");
}

#[test]
fn a_host_that_a_filter_added_does_not_make_two() {
    let mut head = request("GET / HTTP/1.1\r\nHost: a\r\n");
    head.append(b"Host", b"b");
    head.append(b"Content-Length", b"5");
    head.append(b"Transfer-Encoding", b"chunked");
    let mut out = Vec::new();
    encode_request(&head, &PLAIN, &mut out);
    let out = String::from_utf8(out).unwrap().to_lowercase();
    assert_eq!(out.matches("host:").count(), 1, "{out}");
    assert!(!out.contains("transfer-encoding") && !out.contains("content-length: 5"), "{out}");
    head.remove(b"HOST");
    let mut out = Vec::new();
    encode_request(&head, &PLAIN, &mut out);
    assert!(out.starts_with(b"GET / HTTP/1.1\r\nhost: a\r\n"));
}

fn answered(lines: &str, framing: Framing, connection: Connection, client_version: Version) -> String {
    let mut head = ResponseHead::new();
    parse_response(format!("{lines}\r\n").as_bytes(), LIMITS, &mut head).unwrap();
    let mut out = Vec::new();
    encode_response(
        &head,
        &ForwardResponse {
            framing,
            connection,
            client_version,
            date: "now",
            retries_spent: false,
            changes: None,
            added: b"",
        },
        &mut out,
    );
    String::from_utf8(out).unwrap()
}

#[test]
fn an_answer_says_how_it_ends() {
    let own = "date: now\r\nvia: 1.1 weft\r\n";
    let sent = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\nConnection: close\r\n";
    let plain = format!("HTTP/1.1 200 OK\r\nX: 1\r\n{own}");
    for (framing, connection, version, lines) in [
        (Framing::Chunked, Connection::KeepAlive, Version::Http11, "transfer-encoding: chunked\r\n"),
        (Framing::Length(7), Connection::KeepAlive, Version::Http11, "content-length: 7\r\n"),
        (Framing::Length(7), Connection::KeepAlive, Version::Http10, "content-length: 7\r\nconnection: keep-alive\r\n"),
        (Framing::UntilClose, Connection::KeepAlive, Version::Http10, "connection: close\r\n"),
        (Framing::Chunked, Connection::Close, Version::Http11, "transfer-encoding: chunked\r\nconnection: close\r\n"),
    ] {
        assert_eq!(answered(sent, framing, connection, version), format!("{plain}{lines}\r\n"));
    }
}

#[test]
fn the_length_of_an_answer_without_body_is_information() {
    let length = |status: &str| {
        let sent = format!("HTTP/1.1 {status} \r\nContent-Length: 9\r\nDate: then\r\n");
        answered(&sent, Framing::None, Connection::KeepAlive, Version::Http11).contains("content-length: 9\r\n")
    };
    assert!(length("200"));
    assert!(length("304"));
    assert!(!length("204"));
}

#[test]
fn a_switch_of_protocols_names_the_protocol() {
    let sent = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-A: b\r\n";
    let out = answered(sent, Framing::None, Connection::Upgrade, Version::Http11);
    assert!(out.ends_with("connection: upgrade\r\nupgrade: websocket\r\n\r\n"), "{out}");
}

#[test]
fn an_informational_answer_keeps_its_fields() {
    let mut head = ResponseHead::new();
    let sent = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: 1\r\n\r\n";
    parse_response(sent, LIMITS, &mut head).unwrap();
    let mut out = Vec::new();
    encode_informational(&head, &mut out);
    assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}
