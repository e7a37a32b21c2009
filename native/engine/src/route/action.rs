//! What becomes of a request that a route takes.

use super::facts::RequestFacts;
use super::path_change::PathChange;
use super::rule::PathPattern;
use super::split::Split;
use crate::http::direct::Direct;

/// What becomes of a request.
#[derive(Debug)]
pub enum Action {
    /// A cluster answers it.
    Forward(Split),
    /// The client is sent elsewhere.
    Redirect(Box<Redirect>),
    /// The proxy answers it.
    Respond(Box<Direct>),
}

/// Where a client is sent; what is `None` stays as it was asked for.
#[derive(Debug)]
pub struct Redirect {
    /// Status and lines of the answer.
    pub direct: Direct,
    /// `http` or `https`.
    pub scheme: Option<Box<str>>,
    /// Without a port.
    pub host: Option<Box<str>>,
    /// None: the scheme's own when the scheme is set, else the one that was asked for.
    pub port: Option<u16>,
    /// The query always stays.
    pub path: Option<PathChange>,
}

impl Redirect {
    /// The value of the Location field: an absolute URI. `authority` is the request's own.
    pub fn location<F: RequestFacts + ?Sized>(
        &self,
        facts: &F,
        authority: &[u8],
        scheme: &str,
        matched: &PathPattern,
    ) -> Vec<u8> {
        let (own_host, own_port) = split_port(authority);
        let scheme = self.scheme.as_deref().unwrap_or(scheme);
        let mut number = itoa::Buffer::new();
        let port = match self.port {
            Some(port) => number.format(port).as_bytes(),
            None if self.scheme.is_some() => b"",
            None => own_port,
        };
        let port = if is_default(scheme, port) { b"" } else { port };
        let path = facts.path();
        let path = if path.first() == Some(&b'/') { path } else { b"/" };
        let changed = self.path.as_ref().and_then(|change| change.apply(path, matched));
        let host = self.host.as_deref().map_or(own_host, str::as_bytes);
        let colon: &[u8] = if port.is_empty() { b"" } else { b":" };
        let [first, second] = changed.unwrap_or([path, b""]);
        let query = facts.query();
        let mark: &[u8] = if query.is_empty() { b"" } else { b"?" };
        [scheme.as_bytes(), b"://", host, colon, port, first, second, mark, query].concat()
    }
}

fn is_default(scheme: &str, port: &[u8]) -> bool {
    matches!((scheme, port), ("http", b"80") | ("https", b"443"))
}

/// Host and port of an authority; the port is empty when there is none.
fn split_port(authority: &[u8]) -> (&[u8], &[u8]) {
    let behind_brackets = memchr::memrchr(b']', authority).map_or(0, |at| at + 1);
    let colon = memchr::memchr(b':', authority.get(behind_brackets..).unwrap_or_default());
    let Some(colon) = colon.map(|at| at + behind_brackets) else { return (authority, b"") };
    let (host, port) = authority.split_at_checked(colon).unwrap_or_default();
    (host, port.get(1..).unwrap_or_default())
}
