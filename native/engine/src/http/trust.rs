//! What is believed of `x-forwarded-for`, `x-forwarded-proto` and `x-forwarded-client-cert`: as much as proxies that stand
//! before this one wrote.
//!
//! Each of them appended the address it saw, so that with n trusted ones the n-th entry from the right was written by
//! the outermost of them and names the client; what stands left of it, anybody may have written. The same holds for the
//! certificates that they saw.

use std::net::{IpAddr, SocketAddr};

use crate::http::head::{Known, RequestHead};

/// Envoy's header for the certificates of clients.
const CLIENT_CERT: &[u8] = b"x-forwarded-client-cert";

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

/// The URI of the certificate that the n-th trusted proxy saw, such as a SPIFFE ID; `None` when it saw none with one.
pub fn identity(head: &RequestHead, trusted_hops: usize) -> Option<&[u8]> {
    let place = trusted_hops.checked_sub(1)?;
    let lines = head.section().iter().filter(|(name, _)| name.eq_ignore_ascii_case(CLIENT_CERT));
    let entries = lines.flat_map(|(_, line)| unquoted(line, b','));
    let entries: smallvec::SmallVec<[&[u8]; 4]> = entries.filter(|entry| !entry.trim_ascii().is_empty()).collect();
    let entry = entries.iter().nth_back(place)?;
    let uri = unquoted(entry, b';').map(<[u8]>::trim_ascii).find_map(|pair| {
        let (name, value) = pair.split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"uri=").then_some(value)
    })?;
    let bare = uri.strip_prefix(b"\"").and_then(|uri| uri.strip_suffix(b"\"")).unwrap_or(uri);
    (!bare.is_empty()).then_some(bare)
}

/// What stands between separators that are not within quotes, where `\` takes the next byte as it is.
fn unquoted(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |byte| {
        match (escaped, *byte) {
            (true, _) => escaped = false,
            (false, b'\\') => escaped = quoted,
            (false, b'"') => quoted = !quoted,
            (false, byte) => return byte == separator && !quoted,
        }
        false
    })
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
    fn the_identity_is_that_of_the_certificate_that_the_outermost_trusted_proxy_saw() {
        let sent = head(concat!(
            "X-Forwarded-Client-Cert: By=spiffe://m/gate;URI=spiffe://m/forged\r\n",
            "X-Forwarded-Client-Cert: Hash=1;Subject=\"CN=a,O=\\\"b\\\";URI=spiffe://m/no\";URI=spiffe://m/cart,,",
            "By=x;uri=\"spiffe://m/gate\"\r\n",
        ));
        for (hops, expected) in [
            (0, None),
            (1, Some("spiffe://m/gate")),
            (2, Some("spiffe://m/cart")),
            (3, Some("spiffe://m/forged")),
            (4, None),
        ] {
            assert_eq!(identity(&sent, hops), expected.map(str::as_bytes), "{hops} hops");
        }
        for value in ["", "URI=", "URI=\"\"", "Hash=1", "Subject=\"URI=a", "ur", "x;URI", "=;,URI"] {
            assert_eq!(identity(&head(&format!("X-Forwarded-Client-Cert: {value}\r\n")), 1), None, "{value}");
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
