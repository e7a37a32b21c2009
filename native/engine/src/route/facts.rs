//! What routing looks at in a request: the one view that a live head and a stored record both give.
//!
//! Invariant: whoever answers these questions the same way is routed the same way.

use std::borrow::Cow;

use crate::http::head::RequestHead;

/// A request as routes see it.
pub trait RequestFacts {
    /// The method as written.
    fn method(&self) -> &[u8];
    /// The host as matched: no port, lower case, no trailing dot. Empty when the request named none.
    fn host(&self) -> &[u8];
    /// The normalised path.
    fn path(&self) -> &[u8];
    /// The query without its `?`.
    fn query(&self) -> &[u8];
    /// A header's value by its lower-case name; lines of one name are one list, joined by a comma (RFC 9110 5.3).
    fn header(&self, name: &[u8]) -> Option<Cow<'_, [u8]>>;
    /// The client's address, as text.
    fn client(&self) -> &[u8];
}

/// A request that is being served.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// Its client's address, without the port.
    pub client: &'a str,
}

impl RequestFacts for Live<'_> {
    fn method(&self) -> &[u8] {
        self.head.text(self.head.method_text)
    }

    fn host(&self) -> &[u8] {
        self.head.text(self.head.host)
    }

    fn path(&self) -> &[u8] {
        self.head.text(self.head.path)
    }

    fn query(&self) -> &[u8] {
        self.head.text(self.head.query).get(1..).unwrap_or_default()
    }

    fn header(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut lines =
            self.head.section().iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let first = lines.next()?;
        let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
        let mut joined = [first, b",", second].concat();
        for value in lines {
            joined.push(b',');
            joined.extend_from_slice(value);
        }
        Some(Cow::Owned(joined))
    }

    fn client(&self) -> &[u8] {
        self.client.as_bytes()
    }
}
