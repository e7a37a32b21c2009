//! What of a request keeps it together with others: with a cluster of a split, with an endpoint of a cluster.

use std::borrow::Cow;
use std::sync::Arc;

use xxhash_rust::xxh64::xxh64;

use super::facts::RequestFacts;
use super::value::{cookie, parameter};
use super::when::Expression;

/// What of a request keeps it together with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// A header, by its lower-case name.
    Header(Box<str>),
    /// A cookie.
    Cookie(StickyCookie),
    /// A parameter of the query.
    Query(Box<str>),
    /// The client's address.
    ClientAddress,
    /// The value of an expression.
    Cel(Arc<Expression>),
}

/// A cookie, and whether a request without it is given one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickyCookie {
    /// Its name.
    pub name: Box<str>,
    /// Seconds that one is given for, 0: until the browser ends; `None`: none is given.
    pub ttl_s: Option<u32>,
    /// Of the URLs that one is given for.
    pub path: Box<str>,
}

impl Sticky {
    /// Its value; `None` when the request has none.
    pub fn value<'a, F: RequestFacts + ?Sized>(&self, facts: &'a F) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Header(name) => facts.header(name.as_bytes()),
            Self::Cookie(StickyCookie { name, .. }) => match facts.header(b"cookie")? {
                Cow::Borrowed(header) => cookie(header, name.as_bytes()).map(Cow::Borrowed),
                Cow::Owned(header) => cookie(&header, name.as_bytes()).map(|value| Cow::Owned(value.to_vec())),
            },
            Self::Query(name) => parameter(facts.query(), name.as_bytes()),
            Self::ClientAddress => Some(Cow::Borrowed(facts.client())).filter(|client| !client.is_empty()),
            Self::Cel(expression) => expression.key_of(facts, |text| Cow::Owned(text.to_vec())),
        }
    }

    /// The headers that an expression reads.
    pub fn headers_read(&self) -> Vec<&str> {
        if let Self::Cel(expression) = self { expression.headers_read() } else { Vec::new() }
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Header(name) => format!("header {name}"),
            Self::Cookie(StickyCookie { name, .. }) => format!("cookie {name}"),
            Self::Query(name) => format!("query {name}"),
            Self::ClientAddress => "the client's address".to_owned(),
            Self::Cel(expression) => format!("the value of {}", expression.source()),
        }
    }

    /// The cookie that a request without it is given.
    pub fn given(&self) -> Option<&StickyCookie> {
        match self {
            Self::Cookie(cookie) if cookie.ttl_s.is_some() => Some(cookie),
            _ => None,
        }
    }
}

/// The hash of a key's value, by which balancers look endpoints up; the same for ever and in each proxy.
pub fn key_hash(value: &[u8]) -> u64 {
    xxh64(value, 0)
}
