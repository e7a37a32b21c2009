//! What keeps a client's requests together: the hash of their key, and the cookie that is given where they have none.
//!
//! Two hashes, each fixed for ever: [`route::hash_of`] for splits, [`route::key_hash`] for endpoints.

use crate::route::{self, Live, Sticky, StickyCookie};

/// Digits of a cookie's value: 64 bits by chance.
const DIGITS: usize = 16;

/// The cookies that an exchange gives. Mostly none.
#[derive(Default)]
pub struct GivenCookies(Vec<Given>);

struct Given {
    cookie: StickyCookie,
    value: String,
}

impl GivenCookies {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hash by which a split keeps the request with a cluster.
    pub fn of_split(&mut self, key: &Sticky, facts: &Live<'_>) -> Option<u64> {
        self.hash(std::slice::from_ref(key), facts, route::hash_of)
    }

    /// The hash by which a balancer keeps the request with an endpoint, from the first of the keys that it has.
    pub fn of_endpoint(&mut self, keys: &[Sticky], facts: &Live<'_>) -> Option<u64> {
        self.hash(keys, facts, route::key_hash)
    }

    /// The lines that set them.
    pub fn lines(&self, scheme: &str) -> Vec<u8> {
        let mut lines = Vec::new();
        for Given { cookie: StickyCookie { name, ttl_s, path }, value } in &self.0 {
            let mut digits = itoa::Buffer::new();
            let age = ttl_s.filter(|ttl| *ttl > 0).map(|ttl| digits.format(ttl));
            let [label, age] = age.map_or(["", ""], |age| ["; Max-Age=", age]);
            let secure = if scheme == "https" { "; Secure" } else { "" };
            for part in ["set-cookie: ", name, "=", value, label, age, "; Path=", path, "; HttpOnly", secure, "\r\n"] {
                lines.extend_from_slice(part.as_bytes());
            }
        }
        lines
    }

    fn hash(&mut self, keys: &[Sticky], facts: &Live<'_>, hash: impl Fn(&[u8]) -> u64) -> Option<u64> {
        for key in keys {
            if let Some(value) = key.value(facts) {
                return Some(hash(&value));
            }
            if let Some(cookie) = key.given() {
                return Some(hash(self.give(cookie).as_bytes()));
            }
        }
        None
    }

    /// The value of a cookie that the request has not; a split and a balancer may share one.
    fn give(&mut self, cookie: &StickyCookie) -> &str {
        let at = self.0.iter().position(|given| given.cookie.name == cookie.name).unwrap_or_else(|| {
            let value = format!("{:0DIGITS$x}", fastrand::u64(..));
            self.0.push(Given { cookie: cookie.clone(), value });
            self.0.len() - 1
        });
        self.0.get(at).map_or("", |given| &given.value)
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh64::xxh64;

    use super::*;
    use crate::http::head::RequestHead;
    use crate::http::parse::parse_request;
    use crate::upstream::attempt::answer::ANSWER_LIMITS;

    fn head(lines: &str) -> RequestHead {
        let mut head = RequestHead::new();
        let text = format!("GET /?user=q HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
        assert!(parse_request(text.as_bytes(), ANSWER_LIMITS, &mut head).is_ok());
        head
    }

    fn cookie(name: &str, ttl_s: Option<u32>) -> Sticky {
        Sticky::Cookie(StickyCookie { name: name.into(), ttl_s, path: "/".into() })
    }

    #[test]
    fn the_first_key_that_the_request_has_counts() {
        let keys = [
            Sticky::Header("x-user".into()),
            cookie("session", None),
            Sticky::Query("user".into()),
            Sticky::ClientAddress,
        ];
        let hash = |lines: &str| {
            let head = head(lines);
            GivenCookies::default().of_endpoint(&keys, &Live { head: &head, client: "192.0.2.1" })
        };
        assert_eq!(hash("cookie: a=1; session=s\r\nx-user: h\r\n"), Some(xxh64(b"h", 0)));
        assert_eq!(hash("cookie: a=1; session=s\r\n"), Some(xxh64(b"s", 0)));
        assert_eq!(hash(""), Some(xxh64(b"q", 0)));
        let without =
            GivenCookies::default().of_endpoint(&[cookie("session", None)], &Live { head: &head(""), client: "" });
        assert_eq!(without, None);
    }

    #[test]
    fn a_given_cookie_hashes_as_it_will_when_it_comes_back() {
        let (key, mut given) = (cookie("lb", Some(60)), GivenCookies::default());
        let first = given.of_endpoint(std::slice::from_ref(&key), &Live { head: &head(""), client: "" });
        let split = given.of_split(&key, &Live { head: &head(""), client: "" });
        let line = String::from_utf8(given.lines("https")).unwrap();
        let value = line.strip_prefix("set-cookie: lb=").unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(line, format!("set-cookie: lb={value}; Max-Age=60; Path=/; HttpOnly; Secure\r\n"));
        let back = head(&format!("cookie: lb={value}\r\n"));
        let mut none = GivenCookies::default();
        assert_eq!(none.of_endpoint(std::slice::from_ref(&key), &Live { head: &back, client: "" }), first);
        assert_eq!(none.of_split(&key, &Live { head: &back, client: "" }), split);
        assert!(none.is_empty());
    }
}
