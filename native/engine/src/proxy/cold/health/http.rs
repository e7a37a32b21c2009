//! One HTTP check: a GET, its status, and whether the connection can serve the next one.

use std::future::poll_fn;
use std::io;

use weft_rt::Stream;

use super::verdict::Outcome;
use crate::http::body::BodyDecoder;
use crate::http::framing::{response_framing, response_keep_alive};
use crate::http::head::{Method, ResponseHead};
use crate::http::health::{DEGRADED, IMMEDIATE_FAIL};
use crate::http::parse::{HeadLimits, Parsed, parse_response};
use crate::snapshot::HttpCheck;

/// An answer's head; more is not a health check's answer.
const HEAD_LIMITS: HeadLimits = HeadLimits { max_bytes: 16 * 1024, max_fields: 100 };
/// An answer's body is read up to here, so that the connection can be used again; behind a longer one it is closed.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// For one read: most answers fit.
const READ_BYTES: usize = 1024;

/// The request, as it is sent each time.
pub(super) fn request(check: &HttpCheck, authority: &str, keep: bool) -> Vec<u8> {
    let host = if check.host.is_empty() { authority } else { &check.host };
    let connection = if keep { "" } else { "connection: close\r\n" };
    format!("GET {} HTTP/1.1\r\nhost: {host}\r\nuser-agent: weft-health-check\r\n{connection}\r\n", check.path)
        .into_bytes()
}

/// What came of a check on a connection.
pub(super) struct Checked {
    pub(super) outcome: Outcome,
    /// Of the answer.
    pub(super) status: u16,
    /// It says `x-envoy-degraded`.
    pub(super) degraded: bool,
    /// The connection may serve another check.
    pub(super) reusable: bool,
}

/// Asks on a connection. An error means that no whole answer came.
pub(super) async fn ask(stream: &mut Stream, request: &[u8], check: &HttpCheck) -> io::Result<Checked> {
    send(stream, request).await?;
    let mut input = Vec::new();
    let mut head = ResponseHead::new();
    let consumed = loop {
        if let Parsed::Complete(bytes) = parse_response(&input, HEAD_LIMITS, &mut head).map_err(io::Error::other)? {
            if head.status >= 200 {
                break bytes;
            }
            input.drain(..bytes);
            continue;
        }
        receive(stream, &mut input).await?;
    };
    input.drain(..consumed);
    let among = |ranges: &[[u16; 2]]| ranges.iter().any(|[from, to]| (*from..=*to).contains(&head.status));
    let outcome = if head.find(IMMEDIATE_FAIL).is_some() {
        Outcome::Refused
    } else if among(&check.expected_statuses) {
        Outcome::Passed
    } else if among(&check.retriable_statuses) {
        Outcome::Failed
    } else {
        Outcome::Refused
    };
    let (status, degraded) = (head.status, head.find(DEGRADED).is_some());
    let reusable = response_keep_alive(&head) && skip_body(stream, &head, input).await;
    Ok(Checked { outcome, status, degraded, reusable })
}

/// Reads the body. False: nothing more can be asked on this connection.
async fn skip_body(stream: &mut Stream, head: &ResponseHead, mut input: Vec<u8>) -> bool {
    let Ok(framing) = response_framing(head, Method::Get) else { return false };
    let mut decoder = BodyDecoder::new(framing, HEAD_LIMITS.max_bytes);
    let mut read = input.len();
    loop {
        let Ok(decoded) = decoder.decode(&input) else { return false };
        input.drain(..decoded.consumed);
        if decoded.done {
            return input.is_empty();
        }
        if decoded.consumed > 0 && !input.is_empty() {
            continue;
        }
        if read > MAX_BODY_BYTES || receive(stream, &mut input).await.is_err() {
            return false;
        }
        read += input.len();
    }
}

async fn send(stream: &mut Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = poll_fn(|cx| stream.poll_write(cx, bytes)).await?;
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Reads straight into the input: a buffer in the future would lie in every idle checker.
async fn receive(stream: &mut Stream, input: &mut Vec<u8>) -> io::Result<()> {
    let known = input.len();
    input.resize(known + READ_BYTES, 0);
    let read = poll_fn(|cx| stream.poll_read(cx, input.get_mut(known..).unwrap_or_default())).await?;
    input.truncate(known + read);
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
