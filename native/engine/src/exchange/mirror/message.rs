//! The head of a copy: what the endpoint is asked, for a host that says that it is a copy.

use crate::exchange::ongoing::Ongoing;
use crate::http::forward::{ForwardRequest, encode_request};
use crate::http::framing::Framing;

/// Behind the host's name, as Envoy has it.
const SUFFIX: &[u8] = b"-shadow";

/// The request's head as it goes to its endpoint; with `shadow` for the host of a copy. A body whose length is not known
/// yet is not announced: [`announce`] does that. `None`: the request names no host.
pub(super) fn message(exchange: &Ongoing<'_>, framing: Framing, shadow: bool) -> Option<Vec<u8>> {
    let mut changes = exchange.request_changes();
    let authority = changes.authority.unwrap_or(exchange.head.text(exchange.head.authority));
    if authority.is_empty() {
        return None;
    }
    let shadowed = shadowed(authority);
    if shadow {
        changes.authority = Some(&shadowed);
    }
    let known = matches!(framing, Framing::None | Framing::Length(_));
    let forward = ForwardRequest {
        client: &exchange.downstream.client,
        scheme: exchange.scheme(),
        request_id: exchange.account.generated_id(),
        framing: if known { framing } else { Framing::None },
        upgrade: false,
        expect_continue: false,
        changes,
    };
    let mut out = Vec::new();
    encode_request(exchange.head, &forward, &mut out);
    Some(out)
}

/// Says how long the body is, in a head that does not.
pub(super) fn announce(head: &mut Vec<u8>, bytes: usize) {
    head.truncate(head.len().saturating_sub(2));
    let mut digits = itoa::Buffer::new();
    [b"content-length: ", digits.format(bytes).as_bytes(), b"\r\n\r\n"].iter().for_each(|part| head.extend(*part));
}

/// `name:port` as `name-shadow:port`.
fn shadowed(authority: &[u8]) -> Vec<u8> {
    // The colons of an IPv6 address stand in brackets.
    let colon = authority.iter().rposition(|byte| *byte == b':').filter(|_| authority.last() != Some(&b']'));
    let (name, port) = authority.split_at(colon.unwrap_or(authority.len()));
    if name.last() == Some(&b']') { authority.to_vec() } else { [name, SUFFIX, port].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_stands_behind_the_name_and_before_the_port() {
        for (given, expected) in [
            ("reviews", "reviews-shadow"),
            ("reviews:8080", "reviews-shadow:8080"),
            ("[::1]:80", "[::1]:80"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(shadowed(given.as_bytes()), expected.as_bytes(), "{given}");
        }
    }

    #[test]
    fn a_length_is_announced_before_the_end_of_the_head() {
        let mut head = b"POST / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
        announce(&mut head, 12);
        assert_eq!(head, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n");
    }
}
