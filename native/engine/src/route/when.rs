//! What a condition in CEL may read of a request: the same facts that the rest of a rule looks at.
//!
//! Invariant: a recorded request is read like a live one, as far as its headers were kept.

use std::borrow::Cow;

use super::facts::RequestFacts;
use super::value::{cookie, parameter};
use crate::snapshot::cel::{Cel, Environment, Fault, Kind, Mistake, Type, Value, Variable, Variables};

const METHOD: u8 = 0;
const HOST: u8 = 1;
const PATH: u8 = 2;
const SIZE: u8 = 3;
const HEADERS: u8 = 4;
const QUERY: u8 = 5;
const COOKIES: u8 = 6;
const CLIENT: u8 = 7;

static REQUEST: Environment = Environment {
    variables: &[
        Variable { path: "request.method", kind: Kind::Value(Type::Text) },
        Variable { path: "request.host", kind: Kind::Value(Type::Text) },
        Variable { path: "request.path", kind: Kind::Value(Type::Text) },
        Variable { path: "request.size", kind: Kind::Value(Type::Int) },
        Variable { path: "request.headers", kind: Kind::LowerCaseMap },
        Variable { path: "request.query", kind: Kind::Map },
        Variable { path: "request.cookies", kind: Kind::Map },
        Variable { path: "source.address", kind: Kind::Value(Type::Text) },
    ],
};

/// A compiled expression over a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Expression(Cel);

impl Expression {
    /// Compiles the condition of a route.
    pub fn condition(source: &str) -> Result<Self, Mistake> {
        Cel::compile(source, &REQUEST, &[Type::Bool]).map(Self)
    }

    /// Compiles what keeps requests together.
    pub fn key(source: &str) -> Result<Self, Mistake> {
        Cel::compile(source, &REQUEST, &[Type::Text, Type::Int]).map(Self)
    }

    /// As written.
    pub fn source(&self) -> &str {
        self.0.source()
    }

    /// The headers that it reads; records must keep them, or nobody could say later what it saw.
    pub fn headers_read(&self) -> Vec<&str> {
        let mut names = self.0.keys(HEADERS);
        if self.0.reads(SIZE) {
            names.extend(["content-length", "transfer-encoding"]);
        }
        if !self.0.keys(COOKIES).is_empty() {
            names.push("cookie");
        }
        names
    }

    /// Whether a condition holds.
    pub(super) fn holds<F: RequestFacts + ?Sized>(&self, facts: &F) -> bool {
        self.0.holds(&Asked(facts))
    }

    /// Why a condition does not hold.
    pub(super) fn obstacle<F: RequestFacts + ?Sized>(&self, facts: &F) -> Option<String> {
        self.0.obstacle(&Asked(facts))
    }

    /// What is made `of` the text that keeps a request together with those of the same text; `None` when it has none.
    pub(super) fn key_of<F: RequestFacts + ?Sized, T>(&self, facts: &F, of: impl Fn(&[u8]) -> T) -> Option<T> {
        match self.0.value(&Asked(facts)).ok()? {
            Value::Text(text) => Some(of(&text)),
            Value::Int(number) => Some(of(itoa::Buffer::new().format(number).as_bytes())),
            Value::Bool(_) | Value::Double(_) => None, // the compiler refuses them
        }
    }
}

struct Asked<'a, F: ?Sized>(&'a F);

impl<F: RequestFacts + ?Sized> Variables for Asked<'_, F> {
    fn variable(&self, variable: u8) -> Result<Value<'_>, Fault> {
        let text = |bytes| Ok(Value::Text(Cow::Borrowed(bytes)));
        match variable {
            METHOD => text(self.0.method()),
            HOST => text(self.0.host()),
            PATH => text(self.0.path()),
            CLIENT => text(self.0.client()),
            SIZE => size(self.0).map(Value::Int).ok_or(Fault::Unknown),
            _ => Err(Fault::Unknown),
        }
    }

    fn entry(&self, map: u8, key: &str) -> Option<Value<'_>> {
        let found = match map {
            HEADERS => self.0.header(key.as_bytes()),
            QUERY => parameter(self.0.query(), key.as_bytes()),
            COOKIES => match self.0.header(b"cookie")? {
                Cow::Borrowed(header) => cookie(header, key.as_bytes()).map(Cow::Borrowed),
                Cow::Owned(header) => cookie(&header, key.as_bytes()).map(|value| Cow::Owned(value.to_vec())),
            },
            _ => None,
        };
        found.map(Value::Text)
    }
}

/// Bytes of the body as announced; 0 for none, unknown while it comes in chunks.
fn size<F: RequestFacts + ?Sized>(facts: &F) -> Option<i64> {
    if facts.header(b"transfer-encoding").is_some() {
        return None;
    }
    facts.header(b"content-length").map_or(Some(0), |length| std::str::from_utf8(&length).ok()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Post;

    impl RequestFacts for Post {
        fn method(&self) -> &[u8] {
            b"POST"
        }
        fn host(&self) -> &[u8] {
            b"reviews"
        }
        fn path(&self) -> &[u8] {
            b"/api/v1"
        }
        fn query(&self) -> &[u8] {
            b"user=a%20b"
        }
        fn header(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
            match name {
                b"x-tier" => Some(Cow::Borrowed(b"gold")),
                b"cookie" => Some(Cow::Borrowed(b"a=1; session=xyz")),
                b"content-length" => Some(Cow::Borrowed(b"2048")),
                _ => None,
            }
        }
        fn client(&self) -> &[u8] {
            b"192.0.2.7"
        }
    }

    #[test]
    fn everything_of_a_request_can_be_asked_for() {
        for source in [
            "request.method == 'POST' && request.host == 'reviews' && request.path == '/api/v1'",
            "request.headers['x-tier'] == 'gold' && request.query['user'] == 'a b' && request.cookies['session'] == 'xyz'",
            "request.size > 1024 && source.address.startsWith('192.0.2.')",
            "!('none' in request.query) && !has(request.cookies.none)",
        ] {
            assert!(Expression::condition(source).unwrap().holds(&Post), "{source}");
        }
    }

    #[test]
    fn a_key_is_a_text_or_a_whole_number() {
        let hash = |text: &[u8]| text.to_vec();
        let key = |source: &str| Expression::key(source).map(|key| key.key_of(&Post, hash)).map_err(drop);
        assert_eq!(key("request.host + request.path"), Ok(Some(b"reviews/api/v1".to_vec())));
        assert_eq!(key("request.size % 1000"), Ok(Some(b"48".to_vec())));
        assert_eq!(key("request.headers['none']"), Ok(None));
        assert_eq!(key("request.size > 1"), Err(()));
    }

    #[test]
    fn records_keep_the_headers_that_it_reads() {
        let expression =
            Expression::condition("request.headers['a'] == 'b' && request.cookies['c'] == 'd' && request.size > 1")
                .unwrap();
        assert_eq!(expression.headers_read(), ["a", "content-length", "transfer-encoding", "cookie"]);
    }
}
