//! Changes that a route makes to a head while it is written out: lines left out, lines put behind the others.
//!
//! Invariant: no line of the framing or of one connection is among them; those are the proxy's own.

use super::head::{Known, is_token, is_value};

/// Lines to leave out and lines to add.
#[derive(Clone, Debug, Default)]
pub struct HeaderChanges {
    /// Names whose lines do not pass: those that are set and those that are removed.
    dropped: Box<[Box<[u8]>]>,
    /// What is set and added, as it is written.
    lines: Box<[u8]>,
}

/// Why a line cannot stand among the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLine {
    /// Which of the lines, counted over the list that was given.
    pub place: usize,
    /// One sentence.
    pub reason: &'static str,
}

impl HeaderChanges {
    /// Changes that set, add and remove these; `place` of an error counts through them in this order.
    pub fn new(set: &[(&str, &str)], add: &[(&str, &str)], remove: &[&str]) -> Result<Self, InvalidLine> {
        let mut lines = Vec::new();
        for (place, (name, value)) in set.iter().chain(add).enumerate() {
            check(place, name, value)?;
            [*name, ": ", value.trim(), "\r\n"].iter().for_each(|part| lines.extend_from_slice(part.as_bytes()));
        }
        let first_removed = set.len() + add.len();
        for (place, name) in remove.iter().enumerate() {
            check(first_removed + place, name, "")?;
        }
        let dropped = set.iter().map(|(name, _)| name).chain(remove).map(|name| name.as_bytes().into()).collect();
        Ok(Self { dropped, lines: lines.into() })
    }

    /// Whether lines of this name, in any case, are left out.
    pub fn drops(&self, name: &[u8]) -> bool {
        self.dropped.iter().any(|dropped| dropped.eq_ignore_ascii_case(name))
    }

    /// The lines to add, each with its end.
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }
}

/// Refuses lines that could not stand in a head and those that the proxy writes itself.
pub(crate) fn check(place: usize, name: &str, value: &str) -> Result<(), InvalidLine> {
    let refuse = |reason| Err(InvalidLine { place, reason });
    if !is_token(name.as_bytes()) {
        return refuse("is not a header name");
    }
    if !is_value(value.as_bytes()) {
        return refuse("holds a control byte");
    }
    owned(name.as_bytes()).map_or(Ok(()), refuse)
}

/// Why lines of this name are not to be changed; `None` for all others.
pub(crate) fn owned(name: &[u8]) -> Option<&'static str> {
    match Known::of(name) {
        Known::Host => Some("the host is changed by a rewrite"),
        Known::Connection
        | Known::ContentLength
        | Known::TransferEncoding
        | Known::Te
        | Known::Trailer
        | Known::Upgrade
        | Known::Expect
        | Known::KeepAlive
        | Known::ProxyConnection => Some("belongs to the framing of the message, which is the proxy's own"),
        Known::Date | Known::Via | Known::XForwardedFor | Known::XForwardedProto | Known::XRequestId => {
            Some("is written by the proxy itself")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_or_removed_does_not_pass() {
        let changes = HeaderChanges::new(&[("x-env", "prod")], &[("X-More", " 1 ")], &["Server"]).unwrap();
        assert!(changes.drops(b"X-Env") && changes.drops(b"server") && !changes.drops(b"x-more"));
        assert_eq!(changes.lines(), b"x-env: prod\r\nX-More: 1\r\n");
    }

    #[test]
    fn lines_that_would_break_the_message_are_refused_by_their_place() {
        for (name, value) in [("a b", ""), ("a", "b\r\nc: d"), ("content-length", "1"), ("Host", "a"), ("via", "x")] {
            let refused = HeaderChanges::new(&[("x-ok", "1")], &[(name, value)], &[]).unwrap_err();
            assert_eq!(refused.place, 1, "{name}");
        }
        assert_eq!(HeaderChanges::new(&[], &[], &["x", "te"]).unwrap_err().place, 1);
    }
}
