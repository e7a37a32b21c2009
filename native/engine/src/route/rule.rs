//! A rule: one match of one route, compiled, with its place in the one order of precedence.
//!
//! The order is Gateway API's: the more specific host, then exact path, regex, longest prefix, a method, more headers,
//! among which a `when` counts as one, more query parameters, and at last the place in the configuration. That API leaves the place of a regex open; here it
//! stands between exact and prefix, longer patterns first, as in the gateways built on Envoy.

use std::sync::LazyLock;

use std::cmp::Reverse;
use std::sync::Arc;

use super::facts::RequestFacts;
use super::lane::Lane;
use super::value::{Pattern, Test, parameter};
use super::when::Expression;

/// Which hosts a route takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostPattern {
    /// Every host, and requests without one.
    Any,
    /// Hosts that end in this, a dot first, and have something before it.
    Suffix(Box<str>),
    /// This host.
    Exact(Box<str>),
}

impl HostPattern {
    /// Reads `name`, `*.suffix` or `*`. Hosts are matched in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let (name, suffix) = match text.strip_prefix('*') {
            Some(suffix) => (suffix.strip_prefix('.')?, Some(suffix)),
            None => (text, None),
        };
        if crate::http::path::plain_host(name.as_bytes()).is_none_or(|plain| *plain != *name.as_bytes()) {
            return None;
        }
        Some(suffix.map_or_else(|| Self::Exact(text.into()), |suffix| Self::Suffix(suffix.into())))
    }

    /// Whether it takes a host.
    pub fn takes(&self, host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_bytes()),
            Self::Exact(name) => *host == *name.as_bytes(),
        }
    }

    /// The more specific, the greater.
    fn rank(&self) -> (u8, usize) {
        match self {
            Self::Any => (0, 0),
            Self::Suffix(suffix) => (1, suffix.len()),
            Self::Exact(_) => (2, 0),
        }
    }
}

/// What a path must be.
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// The whole path.
    Exact(Box<[u8]>),
    /// Its first elements, kept without a slash at the end: empty takes every path.
    Prefix(Box<[u8]>),
    /// The whole path.
    Regex(Pattern),
}

impl PathPattern {
    /// One that takes every path.
    pub fn any() -> &'static Self {
        static ANY: LazyLock<PathPattern> = LazyLock::new(|| PathPattern::Prefix(Box::default()));
        &ANY
    }

    /// Whether it takes a path.
    pub fn takes(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Prefix(prefix) => path
                .strip_prefix(&**prefix)
                .is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.first() == Some(&b'/')),
            Self::Regex(pattern) => pattern.matches(path),
        }
    }

    /// The more specific, the greater.
    fn rank(&self) -> (u8, usize) {
        match self {
            Self::Prefix(prefix) => (0, prefix.len()),
            Self::Regex(pattern) => (1, pattern.text().len()),
            Self::Exact(_) => (2, 0),
        }
    }
}

/// A test of a named value.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Of the header, in lower case, or of the parameter.
    pub name: Box<str>,
    /// Of its value.
    pub test: Test,
}

/// One match of one route.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Index of the route.
    pub route: u16,
    /// Which of the route's matches it is.
    pub place: u16,
    /// The hosts of its route; shared by its matches.
    pub hosts: Arc<[HostPattern]>,
    /// Of the path.
    pub path: PathPattern,
    /// The method; `None`: any.
    pub method: Option<Box<[u8]>>,
    /// Of headers.
    pub headers: Box<[Condition]>,
    /// Of the query.
    pub query: Box<[Condition]>,
    /// Of the whole request; shared by the matches of its route.
    pub when: Option<Arc<Expression>>,
    /// It takes requests of this lane alone.
    pub lane: Option<Lane>,
}

/// What decides between rules that take the same request; the greater one does. Its parts are the order of precedence.
pub(super) type Rank = ((u8, usize), (u8, usize), bool, usize, usize, Reverse<(u16, u16)>);

impl Rule {
    /// Its rank for requests that one of its hosts takes.
    pub(super) fn rank(&self, host: &HostPattern) -> Rank {
        (
            host.rank(),
            self.path.rank(),
            self.method.is_some(),
            self.headers.len() + usize::from(self.when.is_some()),
            self.query.len(),
            Reverse((self.route, self.place)),
        )
    }

    /// The most specific of its hosts that takes a host.
    pub fn host(&self, host: &[u8]) -> Option<&HostPattern> {
        self.hosts.iter().filter(|pattern| pattern.takes(host)).max_by_key(|pattern| pattern.rank())
    }

    /// Whether all but host and path hold.
    pub fn holds<F: RequestFacts + ?Sized>(&self, facts: &F) -> bool {
        self.method.as_deref().is_none_or(|method| method == facts.method())
            && self.headers.iter().all(|condition| condition.holds_for_header(facts))
            && self.query.iter().all(|condition| condition.holds_for_query(facts))
            && self.when.as_deref().is_none_or(|condition| condition.holds(facts))
    }
}

impl Condition {
    /// Whether it holds for the header of its name.
    pub fn holds_for_header<F: RequestFacts + ?Sized>(&self, facts: &F) -> bool {
        self.test.passes(facts.header(self.name.as_bytes()).as_deref())
    }

    /// Whether it holds for the parameter of its name.
    pub fn holds_for_query<F: RequestFacts + ?Sized>(&self, facts: &F) -> bool {
        self.test.passes(parameter(facts.query(), self.name.as_bytes()).as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_pattern_is_a_name_a_suffix_or_everything() {
        assert_eq!(HostPattern::parse("*"), Some(HostPattern::Any));
        assert_eq!(HostPattern::parse("*.a.b"), Some(HostPattern::Suffix(".a.b".into())));
        assert_eq!(HostPattern::parse("a.b"), Some(HostPattern::Exact("a.b".into())));
        assert_eq!(HostPattern::parse("[::1]"), Some(HostPattern::Exact("[::1]".into())));
        for malformed in ["", "*a", "*.", "a.*", "a:80", "A", "a..b", "a.", "*.*.a", "a b"] {
            assert_eq!(HostPattern::parse(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn a_suffix_takes_any_number_of_labels_and_not_itself() {
        let pattern = HostPattern::parse("*.example").unwrap();
        assert!(pattern.takes(b"a.example") && pattern.takes(b"a.b.example"));
        assert!(!pattern.takes(b"example") && !pattern.takes(b".example") && !pattern.takes(b"anexample"));
    }

    #[test]
    fn a_prefix_matches_whole_elements() {
        let prefix = PathPattern::Prefix(Box::from(&b"/a"[..]));
        assert!(prefix.takes(b"/a") && prefix.takes(b"/a/") && prefix.takes(b"/a/b"));
        assert!(!prefix.takes(b"/ab") && !prefix.takes(b"/") && !prefix.takes(b"/b/a"));
        let root = PathPattern::Prefix(Box::default());
        assert!(root.takes(b"/") && root.takes(b"/a") && root.takes(b"*"));
    }
}
