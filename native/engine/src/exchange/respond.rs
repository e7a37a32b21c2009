//! Error → answer: the only table that knows the status, the response flag and the advice of each failure.

use std::io::{self, Write};

use crate::error::{Error, Kind, Source};
use crate::http::direct::Direct;
use crate::http::forward::RETRIES_SPENT;
use crate::http::status::reason;
use crate::telemetry::flags::Flag;
use crate::telemetry::record::Address;

/// What a failure looks like from outside.
pub struct Verdict {
    /// Status of the local reply.
    pub status: u16,
    /// Response flag of record, log and metric.
    pub flag: Flag,
    /// Error type of the `proxy-status` field (RFC 9209 section 2.3).
    pub proxy_status: &'static str,
    /// What to do about it; empty when the detail says it all.
    pub advice: &'static str,
}

/// The verdict on a failure. `started` says that the answer's head had already gone out.
pub fn verdict(error: &Error) -> Verdict {
    let (status, flag, proxy_status, advice) = match error.kind {
        Kind::Refused(status) => (status, Flag::DownstreamProtocolError, "http_request_error", ""),
        Kind::HeadersTimeout => {
            (408, Flag::DownstreamProtocolError, "http_request_error", "send the whole request head sooner")
        }
        Kind::DownstreamGone => (0, Flag::DownstreamConnectionTermination, "http_request_error", ""),
        Kind::NoRoute => (404, Flag::NoRouteFound, "destination_not_found", "add a route for this listener"),
        Kind::NoHealthyUpstream => {
            (503, Flag::NoHealthyUpstream, "destination_unavailable", "give the cluster endpoints that are up")
        }
        Kind::ConnectFailed => (
            503,
            Flag::UpstreamConnectionFailure,
            "connection_refused",
            "check that the endpoint listens at its address",
        ),
        Kind::ConnectTimeout => {
            (503, Flag::UpstreamConnectionFailure, "connection_timeout", "check the network, or raise `connectTimeout`")
        }
        Kind::UpstreamClosed => {
            (503, Flag::UpstreamConnectionTermination, "connection_terminated", "see the endpoint's own log")
        }
        Kind::UpstreamReset => (503, Flag::UpstreamRemoteReset, "connection_terminated", "see the endpoint's own log"),
        Kind::UpstreamMalformed => {
            (502, Flag::UpstreamProtocolError, "http_protocol_error", "see the endpoint's own log")
        }
        Kind::UpstreamTruncated => {
            (502, Flag::UpstreamConnectionTermination, "http_response_incomplete", "see the endpoint's own log")
        }
        Kind::FirstByteTimeout => (
            504,
            Flag::UpstreamRequestTimeout,
            "http_response_timeout",
            "look at the endpoint, or raise `firstByteTimeout`",
        ),
        Kind::TryTimeout => (
            504,
            Flag::UpstreamRequestTimeout,
            "http_response_timeout",
            "look at the endpoint, or raise `retry.perTryTimeout`",
        ),
        Kind::ExchangeTimeout => {
            (504, Flag::UpstreamRequestTimeout, "http_response_timeout", "look at the endpoint, or raise `timeout`")
        }
        Kind::Overtaken => (503, Flag::LocalReset, "proxy_internal_error", ""),
        Kind::DeadlinePassed => (
            504,
            Flag::UpstreamRequestTimeout,
            "http_response_timeout",
            "look at the endpoint, or have the first hop give more time",
        ),
        Kind::StreamIdle => {
            (408, Flag::StreamIdleTimeout, "connection_read_timeout", "keep data moving, or raise `idleTimeout`")
        }
        Kind::Overflow => (503, Flag::UpstreamOverflow, "connection_limit_reached", "raise the limit or add capacity"),
        Kind::BreakersOpen => (
            503,
            Flag::UpstreamOverflow,
            "destination_unavailable",
            "see why the endpoints fail; each is tried again as soon as its `open` time is over",
        ),
        Kind::RateLimited(status) => {
            (status, Flag::RateLimited, "http_request_denied", "send fewer requests, or later")
        }
        Kind::DnsFailed => (
            503,
            Flag::DnsResolutionFailed,
            "dns_error",
            "check the name and its name servers; `/clusters` of the admin server says what they answer",
        ),
        Kind::FilterFailed => {
            (500, Flag::FilterFailed, "proxy_internal_error", "`weft why` and the proxy's log say how it failed")
        }
        Kind::NoSubset => (
            503,
            Flag::NoHealthyUpstream,
            "destination_unavailable",
            "give an endpoint these labels, or set `subsets.fallback`",
        ),
        Kind::Override => (
            400,
            Flag::NoRouteFound,
            "http_request_error",
            "write `/svc/HOST => /cluster/NAME` or `/route/NAME`, with names of the configuration",
        ),
        Kind::FaultInjected(status) => (
            status,
            Flag::FaultInjected,
            "http_response_status",
            "this is a drill; it ends with the `ttl` of the fault, or when the fault is removed",
        ),
        Kind::Overloaded => {
            (503, Flag::OverloadManager, "proxy_internal_response", "come back later, or add capacity to the proxy")
        }
        Kind::ConcurrencyLimited => (
            503,
            Flag::UpstreamOverflow,
            "connection_limit_reached",
            "look at the endpoints' latency, or raise `adaptiveConcurrency.minLimit`",
        ),
        Kind::Internal => (500, Flag::None, "proxy_internal_error", "report this with the proxy's log"),
    };
    let proxy_status = match error.cause.filter(|_| error.kind == Kind::ConnectFailed) {
        Some(io::ErrorKind::TimedOut) => "connection_timeout",
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => "destination_ip_unroutable",
        _ => proxy_status,
    };
    Verdict { status, flag, proxy_status, advice }
}

/// Writes a whole local reply and returns the bytes of its body.
pub fn local_reply(error: &Error, verdict: &Verdict, reply: &Reply<'_>, out: &mut Vec<u8>) -> usize {
    let mut number = itoa::Buffer::new();
    let body = [
        error.detail.as_bytes(),
        if verdict.advice.is_empty() { b"" } else { b": " },
        verdict.advice.as_bytes(),
        b"\n",
    ];
    let length: usize = body.iter().map(|part| part.len()).sum();
    put_status_line(verdict.status, out);
    out.extend_from_slice(b"content-type: text/plain; charset=utf-8\r\ncontent-length: ");
    out.extend_from_slice(number.format(length).as_bytes());
    out.extend_from_slice(b"\r\ndate: ");
    out.extend_from_slice(reply.date.as_bytes());
    out.extend_from_slice(b"\r\nproxy-status: ");
    proxy_status(error, verdict, reply, out);
    if error.kind == Kind::Overloaded {
        // Pressure is judged anew many times a second; sooner than this no header can say.
        out.extend_from_slice(b"\r\nretry-after: 1");
    }
    if matches!(error.kind, Kind::Overflow | Kind::BreakersOpen | Kind::Overloaded | Kind::ConcurrencyLimited) {
        // Known from Envoy: tells a client that another attempt would only add to the load.
        out.extend_from_slice(b"\r\nx-envoy-overloaded: true");
    }
    if reply.retries_spent {
        [b"\r\n", RETRIES_SPENT.0, b": ", RETRIES_SPENT.1].iter().for_each(|part| out.extend_from_slice(part));
    }
    put_end(reply, out);
    if reply.head_only {
        return 0;
    }
    body.iter().for_each(|part| out.extend_from_slice(part));
    length
}

/// Writes a whole answer that a route gives itself, and returns the bytes of its body. `location` is empty where there
/// is none.
pub fn direct_reply(direct: &Direct, location: &[u8], reply: &Reply<'_>, out: &mut Vec<u8>) -> usize {
    put_status_line(direct.status, out);
    out.extend_from_slice(&direct.lines);
    if !location.is_empty() {
        out.extend_from_slice(b"location: ");
        out.extend_from_slice(location);
        out.extend_from_slice(b"\r\n");
    }
    if direct.has_body() {
        let mut number = itoa::Buffer::new();
        out.extend_from_slice(b"content-length: ");
        out.extend_from_slice(number.format(direct.body.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"date: ");
    out.extend_from_slice(reply.date.as_bytes());
    put_end(reply, out);
    if reply.head_only || !direct.has_body() {
        return 0;
    }
    out.extend_from_slice(&direct.body);
    direct.body.len()
}

fn put_status_line(status: u16, out: &mut Vec<u8>) {
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(number.format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The last lines of a head, behind one that has no end yet.
fn put_end(reply: &Reply<'_>, out: &mut Vec<u8>) {
    if !reply.request_id.is_empty() {
        out.extend_from_slice(b"\r\nx-request-id: ");
        out.extend_from_slice(reply.request_id);
    }
    if reply.close {
        out.extend_from_slice(b"\r\nconnection: close");
    } else if reply.announce_keep_alive {
        out.extend_from_slice(b"\r\nconnection: keep-alive");
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// The field's one member (RFC 9209 section 2): what failed, where the request was to go, the sentence in words.
fn proxy_status(error: &Error, verdict: &Verdict, reply: &Reply<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"weft; error=");
    out.extend_from_slice(verdict.proxy_status.as_bytes());
    if reply.next_hop != Address::NONE && error.source() == Source::Upstream {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "; next-hop=\"{}\"", reply.next_hop);
    }
    if reply.received_status != 0 {
        let _ = write!(out, "; received-status={}", reply.received_status);
    }
    out.extend_from_slice(b"; details=\"");
    // RFC 8941 section 3.3.3: visible ASCII, with quotes and backslashes escaped.
    for byte in error.detail.bytes().filter(|byte| (0x20..0x7f).contains(byte)) {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// The circumstances of a local reply.
pub struct Reply<'a> {
    /// IMF-fixdate of now.
    pub date: &'a str,
    /// The exchange's id, empty when there is none.
    pub request_id: &'a [u8],
    /// Where the last attempt went; none for an exchange without one.
    pub next_hop: Address,
    /// Status that the endpoint had sent before the exchange failed; 0 for none.
    pub received_status: u16,
    /// The failure has been retried enough.
    pub retries_spent: bool,
    /// The connection ends after it.
    pub close: bool,
    /// An HTTP/1.0 client must be told that the connection stays.
    pub announce_keep_alive: bool,
    /// The request was HEAD.
    pub head_only: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(error: &Error, next_hop: Address) -> String {
        let circumstances = Reply {
            date: "Sun, 06 Nov 1994 08:49:37 GMT",
            request_id: b"id-1",
            next_hop,
            received_status: if error.kind == Kind::UpstreamTruncated { 200 } else { 0 },
            retries_spent: false,
            close: false,
            announce_keep_alive: false,
            head_only: false,
        };
        let mut out = Vec::new();
        local_reply(error, &verdict(error), &circumstances, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_reply_names_the_failure_the_next_hop_and_the_request() {
        let refused = Error {
            kind: Kind::ConnectFailed,
            detail: "the endpoint refused the \"connection\"",
            cause: Some(io::ErrorKind::ConnectionRefused),
        };
        let next_hop = Address::from("10.0.0.1:80".parse::<std::net::SocketAddr>().unwrap());
        let text = reply(&refused, next_hop);
        assert!(
            text.contains(
                "\r\nproxy-status: weft; error=connection_refused; next-hop=\"10.0.0.1:80\"; \
                 details=\"the endpoint refused the \\\"connection\\\"\"\r\nx-request-id: id-1\r\n"
            ),
            "{text}"
        );
        assert!(text.ends_with(
            "\r\n\r\nthe endpoint refused the \"connection\": check that the endpoint listens at its address\n"
        ));
    }

    #[test]
    fn a_failure_before_any_attempt_has_no_next_hop_and_the_cause_refines_the_error_type() {
        let nowhere = reply(&Error::new(Kind::NoRoute, "no route"), Address::NONE);
        assert!(!nowhere.contains("next-hop") && !nowhere.contains("received-status"));
        let truncated = reply(&Error::new(Kind::UpstreamTruncated, "x"), Address::NONE);
        assert!(truncated.contains("error=http_response_incomplete; received-status=200; details="), "{truncated}");
        let unroutable = Error { cause: Some(io::ErrorKind::HostUnreachable), ..Error::new(Kind::ConnectFailed, "x") };
        assert!(reply(&unroutable, Address::NONE).contains("error=destination_ip_unroutable"));
    }
}
