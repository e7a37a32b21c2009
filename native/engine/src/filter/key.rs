//! What requests are told apart by: a hash over parts of the head, with a seed that only this process knows.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::OnceLock;

use foldhash::quality::RandomState;

use crate::http::head::{Known, RequestHead};
use crate::http::trust;
use crate::snapshot::KeyPart;

/// One seed for the process, so that a key means the same bucket before and after a configuration change.
fn seed() -> &'static RandomState {
    static SEED: OnceLock<RandomState> = OnceLock::new();
    SEED.get_or_init(RandomState::default)
}

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(super) struct From {
    /// The client behind trusted proxies.
    pub client: Option<IpAddr>,
    /// How many of them there are.
    pub trusted_hops: usize,
}

/// The hash of a request's key; `None` when the request lacks a part of it.
pub(super) fn of(parts: &[KeyPart], head: &RequestHead, from: From) -> Option<u64> {
    let mut hasher = seed().build_hasher();
    for part in parts {
        let text: &[u8] = match part {
            KeyPart::Header(name) => head.find(name.as_bytes())?,
            KeyPart::Cookie(name) => cookie(head, name.as_bytes())?,
            KeyPart::Query(name) => query(head, name.as_bytes())?,
            KeyPart::ClientAddress => {
                write_address(&mut hasher, from.client?);
                continue;
            }
            KeyPart::Identity => trust::identity(head, from.trusted_hops)?,
            KeyPart::Path => head.text(head.path),
            KeyPart::Host => head.text(head.host),
            KeyPart::Method => head.text(head.method_text),
            KeyPart::PathTemplate(templates) => {
                let path = head.text(head.path);
                templates.iter().map(String::as_bytes).find(|template| has_form(path, template))?
            }
            KeyPart::Generic(text) => text.as_bytes(),
        };
        write_text(&mut hasher, text);
    }
    Some(hasher.finish())
}

/// The hash of the requests' key whose parts have these values; what is wrong with the values otherwise.
pub(super) fn of_values(parts: &[KeyPart], values: &[String]) -> Result<u64, String> {
    if parts.len() != values.len() {
        return Err(format!("{} values for a key of {} parts", values.len(), parts.len()));
    }
    let mut hasher = seed().build_hasher();
    for (part, value) in parts.iter().zip(values) {
        match part {
            KeyPart::ClientAddress => {
                let address = value.parse().map_err(|_| format!("`{value}` is not an IP address"))?;
                write_address(&mut hasher, address);
            }
            _ => write_text(&mut hasher, value.as_bytes()),
        }
    }
    Ok(hasher.finish())
}

fn write_address(hasher: &mut impl Hasher, address: IpAddr) {
    match address {
        IpAddr::V4(ip) => hasher.write_u32(ip.to_bits()),
        IpAddr::V6(ip) => hasher.write_u128(ip.to_bits()),
    }
}

/// With its length, so that `a` + `bc` is not `ab` + `c`.
fn write_text(hasher: &mut impl Hasher, text: &[u8]) {
    hasher.write_usize(text.len());
    hasher.write(text);
}

/// Whether the path has the form of the template, segment by segment.
fn has_form(path: &[u8], template: &[u8]) -> bool {
    let mut segments = path.split(|byte| *byte == b'/');
    for wanted in template.split(|byte| *byte == b'/') {
        match (wanted, segments.next()) {
            (b"**", _) => return true,
            ([b'{', .., b'}'], Some(segment)) if !segment.is_empty() => {}
            (wanted, Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// The value of the first cookie of that name (RFC 6265 section 5.4).
fn cookie<'a>(head: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    let pairs = head.section().all(Known::Cookie).flat_map(|line| line.split(|byte| *byte == b';'));
    value_of(pairs.map(<[u8]>::trim_ascii), name)
}

/// The value of the first query parameter of that name, as it is written.
fn query<'a>(head: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    let query = head.text(head.query).strip_prefix(b"?")?;
    value_of(query.split(|byte| *byte == b'&'), name)
}

fn value_of<'a>(mut pairs: impl Iterator<Item = &'a [u8]>, name: &[u8]) -> Option<&'a [u8]> {
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse::{HeadLimits, parse_request};

    fn head(text: &str) -> RequestHead {
        let mut head = RequestHead::new();
        let limits = HeadLimits { max_bytes: 4096, max_fields: 100 };
        parse_request(format!("{text}\r\n\r\n").as_bytes(), limits, &mut head).unwrap();
        head
    }

    fn from(ip: &str) -> From {
        From { client: ip.parse().ok(), trusted_hops: 1 }
    }

    fn key(parts: &[KeyPart], text: &str) -> Option<u64> {
        of(parts, &head(text), from("10.0.0.1"))
    }

    #[test]
    fn a_request_that_lacks_a_part_has_no_key() {
        let parts = [KeyPart::Path, KeyPart::Header("x-user".into())];
        assert_eq!(key(&parts, "GET / HTTP/1.1\r\nHost: a"), None);
        assert!(key(&parts, "GET / HTTP/1.1\r\nHost: a\r\nX-User: b").is_some());
        assert_eq!(of(&[KeyPart::ClientAddress], &head("GET / HTTP/1.1\r\nHost: a"), from("")), None);
    }

    #[test]
    fn every_part_tells_requests_apart() {
        let base = "GET /a?u=1 HTTP/1.1\r\nHost: a\r\nX-User: b\r\nCookie: s=1; t=2\r\nX-Forwarded-Client-Cert: URI=spiffe://m/sa/a";
        for (part, other) in [
            (KeyPart::Header("x-user".into()), base.replace("User: b", "User: c")),
            (KeyPart::Cookie("t".into()), base.replace("t=2", "t=3")),
            (KeyPart::Query("u".into()), base.replace("u=1", "u=2")),
            (KeyPart::Path, base.replace("/a", "/b")),
            (KeyPart::Host, base.replace("Host: a", "Host: b")),
            (KeyPart::Identity, base.replace("sa/a", "sa/b")),
            (KeyPart::Method, base.replace("GET", "PUT")),
        ] {
            let parts = [part];
            assert_ne!(key(&parts, base), key(&parts, &other), "{parts:?}");
            assert_eq!(key(&parts, base), key(&parts, base));
        }
        let of_client = |ip: &str| of(&[KeyPart::ClientAddress], &head(base), from(ip));
        assert_ne!(of_client("10.0.0.1"), of_client("10.0.0.2"));
    }

    #[test]
    fn paths_of_one_form_are_one_key() {
        let parts = [KeyPart::PathTemplate(vec!["/users/{id}".into(), "/users/{id}/**".into(), "/".into()])];
        let of_path = |path: &str| key(&parts, &format!("GET {path} HTTP/1.1\r\nHost: a"));
        assert_eq!(of_path("/users/1"), of_path("/users/2?x=1"));
        assert_eq!(of_path("/users/1/orders"), of_path("/users/2/orders/7"));
        assert_ne!(of_path("/users/1"), of_path("/users/1/orders"));
        assert!(of_path("/").is_some());
        for other in ["/users/", "/users", "/user/1", "/x"] {
            assert_eq!(of_path(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_that_is_written_down_is_that_of_the_requests_with_its_values() {
        let parts = [KeyPart::Header("x-tier".into()), KeyPart::ClientAddress, KeyPart::Generic("api".into())];
        let values = ["gold", "10.0.0.1", "api"].map(String::from);
        let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Tier: gold";
        assert_eq!(of_values(&parts, &values).ok(), key(&parts, request));
        assert_eq!(of_values(&parts, &values[..2]).unwrap_err(), "2 values for a key of 3 parts");
        let wrong = ["gold", "10.0.0", "api"].map(String::from);
        assert_eq!(of_values(&parts, &wrong).unwrap_err(), "`10.0.0` is not an IP address");
    }

    #[test]
    fn neighbouring_parts_do_not_run_into_one_another() {
        let parts = [KeyPart::Header("x-a".into()), KeyPart::Header("x-b".into())];
        let of_values = |a: &str, b: &str| key(&parts, &format!("GET / HTTP/1.1\r\nHost: a\r\nX-A: {a}\r\nX-B: {b}"));
        assert_ne!(of_values("a", "bc"), of_values("ab", "c"));
    }
}
