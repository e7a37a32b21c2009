//! Heads as scripts read them: lines of Latin-1 text, names in lower case.
//!
//! A request is `METHOD target`, the client's address, the scheme, then `name: value` of each line; an answer its
//! status, then its lines. Every line ends in LF, which no value can hold, so that a script finds a header by
//! searching for `\nname: `.

use crate::http::head::{Known, RequestHead, ResponseHead, Section};

/// Writes a request. Its `host` is its authority, wherever the client wrote it (RFC 9112 section 3.2.2).
pub(super) fn write_request(head: &RequestHead, client: &str, scheme: &str, out: &mut Vec<u8>) {
    out.reserve(head.bytes.len() + 64);
    out.extend_from_slice(head.text(head.method_text));
    out.push(b' ');
    head.target().for_each(|part| out.extend_from_slice(part));
    for line in [client, scheme] {
        out.push(b'\n');
        out.extend_from_slice(line.as_bytes());
    }
    out.push(b'\n');
    let authority = head.text(head.authority);
    if !authority.is_empty() {
        out.extend_from_slice(b"host: ");
        out.extend_from_slice(authority);
        out.push(b'\n');
    }
    write_lines(head.section(), true, out);
}

/// Writes an answer.
pub(super) fn write_response(head: &ResponseHead, out: &mut Vec<u8>) {
    out.reserve(head.bytes.len() + 16);
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(head.status).as_bytes());
    out.push(b'\n');
    write_lines(head.section(), false, out);
}

fn write_lines(section: Section<'_>, without_host: bool, out: &mut Vec<u8>) {
    for (name, value, known) in section.lines() {
        if without_host && known == Known::Host {
            continue;
        }
        let start = out.len();
        out.extend_from_slice(name);
        out.get_mut(start..).unwrap_or_default().make_ascii_lowercase();
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse::{HeadLimits, parse_request, parse_response};

    const LIMITS: HeadLimits = HeadLimits { max_bytes: 4096, max_fields: 100 };

    #[test]
    fn a_request_is_its_line_its_circumstances_and_its_headers() {
        let mut head = RequestHead::new();
        parse_request(
            b"GET http://B:80/a?q HTTP/1.1\r\nX-One:  \xe4 \r\nHost: a\r\nx-two: 2\r\n\r\n",
            LIMITS,
            &mut head,
        )
        .unwrap();
        let mut out = Vec::new();
        write_request(&head, "10.0.0.7", "https", &mut out);
        assert_eq!(out, b"GET /a?q\n10.0.0.7\nhttps\nhost: B:80\nx-one: \xe4\nx-two: 2\n");
    }

    #[test]
    fn an_answer_is_its_status_and_its_headers() {
        let mut head = ResponseHead::new();
        parse_response(b"HTTP/1.1 404 Not Found\r\nServer: s\r\n\r\n", LIMITS, &mut head).unwrap();
        let mut out = Vec::new();
        write_response(&head, &mut out);
        assert_eq!(out, b"404\nserver: s\n");
    }
}
