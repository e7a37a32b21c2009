//! What is believed of `x-forwarded-for` and `x-forwarded-proto`: as much as proxies that stand before this one wrote.
//!
//! Each of them appended the address it saw, so that with n trusted ones the n-th entry from the right was written by
//! the outermost of them and names the client; what stands left of it, anybody may have written.

use std::net::{IpAddr, SocketAddr};

use crate::http::head::{Known, RequestHead};
use crate::snapshot::Overrides;

/// The header by which Linkerd 1 lets callers override a request's way.
pub const DTAB: &[u8] = b"l5d-dtab";

/// The client that the n-th trusted proxy saw; `None` when the line has fewer entries or that one is no address.
pub fn client(head: &RequestHead, trusted_hops: usize) -> Option<IpAddr> {
    let place = trusted_hops.checked_sub(1)?;
    let mut lines: smallvec::SmallVec<[&[u8]; 4]> = head.section().all(Known::XForwardedFor).collect();
    lines.reverse();
    let entries = lines.into_iter().flat_map(|line| line.rsplit(|byte| *byte == b','));
    let entry = entries.map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty()).nth(place)?;
    address(str::from_utf8(entry).ok()?)
}

/// The scheme by which the client reached the outermost trusted proxy.
pub fn scheme(head: &RequestHead, trusted_hops: usize) -> Option<&'static str> {
    if trusted_hops == 0 {
        return None;
    }
    let given = head.get(Known::XForwardedProto)?;
    ["http", "https"].into_iter().find(|scheme| given.eq_ignore_ascii_case(scheme.as_bytes()))
}

/// Removes what a caller that is not trusted says of its request's way. Whether there was any of it.
pub fn refuse_overrides(head: &mut RequestHead, overrides: &Overrides) -> bool {
    let lane = overrides.lane_header.as_bytes();
    let is_one = |name: &[u8]| name.eq_ignore_ascii_case(lane) || name.eq_ignore_ascii_case(DTAB);
    let found = head.section().iter().any(|(name, _)| is_one(name));
    if found {
        head.remove(lane);
        head.remove(DTAB);
    }
    found
}

/// An address as proxies write it: bare, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse::{HeadLimits, parse_request};

    fn head(lines: &str) -> RequestHead {
        let mut head = RequestHead::new();
        let limits = HeadLimits { max_bytes: 4096, max_fields: 100 };
        parse_request(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes(), limits, &mut head).unwrap();
        head
    }

    #[test]
    fn the_nth_entry_from_the_right_is_the_client() {
        let sent = head("X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-For: 3.3.3.3 ,,[2001:db8::4]:99\r\n");
        for (hops, expected) in [
            (0, None),
            (1, Some("2001:db8::4")),
            (2, Some("3.3.3.3")),
            (3, Some("2.2.2.2")),
            (4, Some("1.1.1.1")),
            (5, None),
        ] {
            assert_eq!(client(&sent, hops), expected.map(|ip| ip.parse().unwrap()), "{hops} hops");
        }
    }

    #[test]
    fn an_entry_that_is_no_address_names_nobody() {
        for value in ["unknown", "_hidden", "1.2.3", "a, b", ""] {
            assert_eq!(client(&head(&format!("X-Forwarded-For: {value}\r\n")), 1), None, "{value}");
        }
        for value in ["1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80"] {
            assert!(client(&head(&format!("X-Forwarded-For: {value}\r\n")), 1).is_some(), "{value}");
        }
    }

    #[test]
    fn the_scheme_is_believed_of_trusted_proxies_only() {
        let sent = head("X-Forwarded-Proto: HTTPS\r\n");
        assert_eq!((scheme(&sent, 0), scheme(&sent, 1)), (None, Some("https")));
        assert_eq!(scheme(&head("X-Forwarded-Proto: gopher\r\n"), 1), None);
        assert_eq!(scheme(&head(""), 1), None);
    }
}
