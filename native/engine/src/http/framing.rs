//! Where a message ends, decided once from its head; the lines that said so are never forwarded.
//!
//! Invariants: an ambiguous request is refused (RFC 9112 6.3), never repaired; an answer is read in one way or is
//! malformed; `Framing` alone tells the decoder, the encoder and the head writer what the body is.

use super::head::{Known, Method, RequestHead, ResponseHead, Section, Version, list};
use super::parse::Refusal;

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// That many bytes.
    Length(u64),
    /// Chunks, then trailers.
    Chunked,
    /// Everything until the connection ends. Answers only.
    UntilClose,
}

/// The framing of a request, and the last of its checks: 417 for an expectation that is not `100-continue`.
pub fn request_framing(head: &RequestHead) -> Result<Framing, Refusal> {
    let section = head.section();
    let mut lengths = section.all(Known::ContentLength);
    let mut codings = section.all(Known::TransferEncoding);
    let (length, coding) = (lengths.next(), codings.next());
    if lengths.next().is_some() || codings.next().is_some() {
        return Err(Refusal::bad("content-length or transfer-encoding is repeated"));
    }
    check_expectation(head)?;
    match (length, coding) {
        (None, None) => Ok(Framing::None),
        (Some(_), Some(_)) => Err(Refusal::bad("content-length stands beside transfer-encoding")),
        (Some(length), None) => parse_length(length).map(Framing::Length),
        (None, Some(_)) if head.version == Version::Http10 => {
            Err(Refusal::bad("transfer-encoding stands in an http/1.0 request"))
        }
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (None, Some(coding)) => Err(foreign_coding(coding)),
    }
}

/// 400 when the end of the body cannot be known, 501 for a coding before `chunked` that we do not undo (RFC 9112 6.1).
fn foreign_coding(coding: &[u8]) -> Refusal {
    let mut items = list(coding).rev();
    let last_is_chunked = items.next().is_some_and(|item| item.eq_ignore_ascii_case(b"chunked"));
    let mut before = items.peekable();
    if last_is_chunked && before.peek().is_some() && !before.any(|item| item.eq_ignore_ascii_case(b"chunked")) {
        return Refusal::new(501, "a transfer coding other than chunked is not served");
    }
    Refusal::bad("transfer-encoding is not exactly chunked")
}

/// Digits only, below 2^63.
fn parse_length(text: &[u8]) -> Result<u64, Refusal> {
    let invalid = Refusal::bad("content-length is not a number");
    if text.is_empty() || text.len() > 19 {
        return Err(invalid);
    }
    text.iter()
        .try_fold(0u64, |number, byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            number.checked_mul(10)?.checked_add(digit).filter(|number| *number <= i64::MAX as u64)
        })
        .ok_or(invalid)
}

/// RFC 9110 10.1.1: an expectation in HTTP/1.0 is ignored, one that we cannot meet is 417.
fn check_expectation(head: &RequestHead) -> Result<(), Refusal> {
    let mut expectations = head.section().all(Known::Expect);
    if head.version == Version::Http10 || expectations.all(|value| value.eq_ignore_ascii_case(b"100-continue")) {
        return Ok(());
    }
    Err(Refusal::new(417, "an expectation other than 100-continue is not met"))
}

/// The framing of the answer to a request of that method. The lines must make sense even where there is no body,
/// because a HEAD answer's length is forwarded.
pub fn response_framing(head: &ResponseHead, request_method: Method) -> Result<Framing, Refusal> {
    let length = response_length(head)?;
    let mut codings = head.section().all(Known::TransferEncoding);
    let coding = codings.next();
    if codings.next().is_some() {
        return Err(Refusal::bad("transfer-encoding is repeated in the answer"));
    }
    if length.is_some() && coding.is_some() {
        return Err(Refusal::bad("content-length stands beside transfer-encoding in the answer"));
    }
    match coding {
        Some(_) if head.version == Version::Http10 => {
            return Err(Refusal::bad("transfer-encoding stands in an http/1.0 answer"));
        }
        Some(coding) if !coding.eq_ignore_ascii_case(b"chunked") => {
            return Err(Refusal::bad("transfer-encoding of the answer is not exactly chunked"));
        }
        _ => {}
    }
    if head.status < 200 && (length.is_some() || coding.is_some()) {
        return Err(Refusal::bad("an informational answer announces a body"));
    }
    Ok(match (length, coding) {
        _ if request_method == Method::Head || matches!(head.status, 100..200 | 204 | 304) => Framing::None,
        (_, Some(_)) => Framing::Chunked,
        (Some(length), None) => Framing::Length(length),
        (None, None) => Framing::UntilClose,
    })
}

/// The one length that every Content-Length line and list member of an answer names (RFC 9112 6.3).
pub(super) fn response_length(head: &ResponseHead) -> Result<Option<u64>, Refusal> {
    let mut agreed = None;
    for line in head.section().all(Known::ContentLength) {
        for item in line.split(|byte| *byte == b',') {
            let length = parse_length(item.trim_ascii())?;
            if agreed.is_some_and(|agreed| agreed != length) {
                return Err(Refusal::bad("the answer has two content-lengths"));
            }
            agreed = Some(length);
        }
    }
    Ok(agreed)
}

/// How the body of an answer goes on to a client of that version: HTTP/1.0 knows no chunks, and in 1.1 a body that
/// ended with its connection upstream becomes chunks, so that the client sees truncation and keeps its connection.
pub fn downstream_framing(upstream: Framing, client: Version) -> Framing {
    match (upstream, client) {
        (Framing::Chunked | Framing::UntilClose, Version::Http10) => Framing::UntilClose,
        (Framing::UntilClose, Version::Http11) => Framing::Chunked,
        (framing, _) => framing,
    }
}

/// Whether the client wants the connection kept (RFC 9112 9.3).
pub fn request_keep_alive(head: &RequestHead) -> bool {
    keep_alive(head.version, head.section())
}

/// Whether the upstream keeps the connection. Not when a 204 announces a body: some then send one.
pub fn response_keep_alive(head: &ResponseHead) -> bool {
    let quiet = head.status != 204
        || (head.get(Known::TransferEncoding).is_none() && head.get(Known::ContentLength).is_none_or(|n| n == b"0"));
    quiet && keep_alive(head.version, head.section())
}

/// The seconds after which the upstream closes an idle connection, where it says so: `keep-alive: timeout=5, max=100`.
pub fn announced_idle_seconds(head: &ResponseHead) -> Option<u32> {
    let parameters = head.get(Known::KeepAlive)?.split(|byte| *byte == b',');
    parameters.into_iter().find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(memchr::memchr(b'=', parameter)?)?;
        let digits = value.get(1..)?.trim_ascii();
        if !name.trim_ascii().eq_ignore_ascii_case(b"timeout") {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok()
    })
}

fn keep_alive(version: Version, section: Section<'_>) -> bool {
    match version {
        Version::Http11 => !section.lists(Known::Connection, b"close"),
        Version::Http10 => {
            section.lists(Known::Connection, b"keep-alive") && !section.lists(Known::Connection, b"close")
        }
    }
}

/// Whether the client asks for another protocol that we tunnel: `Connection: upgrade` and a protocol other than h2c,
/// which RFC 9113 withdrew.
pub fn wants_upgrade(head: &RequestHead) -> bool {
    head.version == Version::Http11
        && head.section().all(Known::Upgrade).flat_map(list).any(|item| !item.eq_ignore_ascii_case(b"h2c"))
        && head.section().lists(Known::Connection, b"upgrade")
}

/// Whether the client waits for a 100 before it sends the body.
pub fn expects_continue(head: &RequestHead) -> bool {
    head.version == Version::Http11 && head.get(Known::Expect).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_goes_on_in_a_framing_that_its_reader_knows() {
        let length = Framing::Length(3);
        for (upstream, to_http10, to_http11) in [
            (Framing::None, Framing::None, Framing::None),
            (length, length, length),
            (Framing::Chunked, Framing::UntilClose, Framing::Chunked),
            (Framing::UntilClose, Framing::UntilClose, Framing::Chunked),
        ] {
            assert_eq!(downstream_framing(upstream, Version::Http10), to_http10);
            assert_eq!(downstream_framing(upstream, Version::Http11), to_http11);
        }
    }

    #[test]
    fn a_length_is_digits_below_2_to_63() {
        assert_eq!(parse_length(b"9223372036854775807"), Ok(i64::MAX as u64));
        assert_eq!(parse_length(b"0000000000000000005"), Ok(5));
        for text in ["", "9223372036854775808", "9999999999999999999", "00000000000000000005", "5 ", "-0", "1e3"] {
            assert!(parse_length(text.as_bytes()).is_err(), "{text}");
        }
    }
}
