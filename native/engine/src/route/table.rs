//! The routes of one listener, compiled so that a match costs a few look-ups however many there are.
//!
//! Hosts first, from the exact one to the most general; within a host paths, exact → regex → longest prefix; within a
//! path the rules by their rank. What is found first is therefore the rule of the greatest rank, and a request that a
//! more specific host or path does not take in the end goes on to the next. Invariant: a look-up allocates nothing and
//! hashes no more of a request than the longest host or path of the configuration.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::{FixedState, FoldHasher};
use smallvec::SmallVec;

use super::facts::RequestFacts;
use super::rule::{HostPattern, PathPattern, Rule};
use crate::http::path::plain_host;

/// Texts of usual length lie in the map itself: a look-up then touches one line of memory less.
type Text = SmallVec<[u8; 24]>;
type Map<V> = HashMap<Text, V, Hashing>;

/// A fixed hash without a state of its own: only a configuration puts texts in, so nobody can pile them up.
#[derive(Clone, Copy, Debug, Default)]
struct Hashing;

impl BuildHasher for Hashing {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> Self::Hasher {
        FixedState::default().build_hasher()
    }
}

/// Lengths of texts, the longest first.
type Lengths = SmallVec<[u32; 4]>;
/// Rules of one host and path, the greatest rank first.
type Ranked = SmallVec<[Candidate; 1]>;

/// A rule whose host and path fit. All that most requests need of it stands here.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    rule: u32,
    route: u16,
    /// It asks for nothing else.
    unconditional: bool,
}

/// The routes of one listener.
#[derive(Debug, Default)]
pub struct Table {
    rules: Vec<Rule>,
    exact: Map<Paths>,
    suffixes: Map<Paths>,
    suffix_lengths: Lengths,
    any: Paths,
    service_header: Option<Box<str>>,
}

/// The paths of one host.
#[derive(Debug, Default)]
struct Paths {
    prefixes: Map<Ranked>,
    prefix_lengths: Lengths,
    exact: Map<Ranked>,
    regexes: Ranked,
}

/// A rule that takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Index of its route in the generation.
    pub route: u16,
    /// Index of the rule in its table.
    pub rule: u32,
}

impl Table {
    /// The table of these rules. `service_header` names the header whose value stands for the host.
    pub fn new(rules: Vec<Rule>, service_header: Option<&str>) -> Self {
        let mut table = Self { service_header: service_header.map(Box::from), ..Self::default() };
        for (index, rule) in (0_u32..).zip(&rules) {
            let unconditional = rule.method.is_none() && rule.headers.is_empty() && rule.query.is_empty();
            let candidate = Candidate { rule: index, route: rule.route, unconditional };
            for pattern in &*rule.hosts {
                let paths = match pattern {
                    HostPattern::Any => &mut table.any,
                    HostPattern::Suffix(suffix) => table.suffixes.entry(suffix.as_bytes().into()).or_default(),
                    HostPattern::Exact(name) => table.exact.entry(name.as_bytes().into()).or_default(),
                };
                paths.insert(&rule.path, candidate);
            }
        }
        let every = table.exact.values_mut().chain(table.suffixes.values_mut()).chain([&mut table.any]);
        every.for_each(|paths| paths.settle(&rules));
        table.suffix_lengths = lengths(table.suffixes.keys());
        table.rules = rules;
        table
    }

    /// Its rules, in the order of the configuration.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// A rule of it.
    pub fn rule(&self, index: u32) -> Option<&Rule> {
        self.rules.get(index as usize)
    }

    /// The header whose value stands for the host, lower case.
    pub fn service_header(&self) -> Option<&str> {
        self.service_header.as_deref()
    }

    /// The host that a request is matched by: what its service header names, else its own.
    pub fn host_of<'a, F: RequestFacts + ?Sized>(&self, facts: &'a F) -> Cow<'a, [u8]> {
        let Some(named) = self.service_header.as_deref().and_then(|name| facts.header(name.as_bytes())) else {
            return Cow::Borrowed(facts.host());
        };
        // A name that is no host is nobody's.
        match named {
            Cow::Borrowed(named) => plain_host(named).unwrap_or_default(),
            Cow::Owned(named) => Cow::Owned(plain_host(&named).unwrap_or_default().into_owned()),
        }
    }

    /// The rule of the greatest rank that takes a request.
    pub fn find<F: RequestFacts + ?Sized>(&self, facts: &F) -> Option<Chosen> {
        let found = match &self.service_header {
            None => self.find_for(facts.host(), facts),
            Some(_) => self.find_for(&self.host_of(facts), facts),
        };
        found.map(|Candidate { route, rule, .. }| Chosen { route, rule })
    }

    fn find_for<F: RequestFacts + ?Sized>(&self, host: &[u8], facts: &F) -> Option<Candidate> {
        if let Some(found) = self.exact.get(host).and_then(|paths| self.find_in(paths, facts)) {
            return Some(found);
        }
        for length in &self.suffix_lengths {
            let Some(start) = host.len().checked_sub(*length as usize).filter(|start| *start > 0) else { continue };
            let suffix = host.get(start..).filter(|suffix| suffix.first() == Some(&b'.'));
            let paths = suffix.and_then(|suffix| self.suffixes.get(suffix));
            if let Some(found) = paths.and_then(|paths| self.find_in(paths, facts)) {
                return Some(found);
            }
        }
        self.find_in(&self.any, facts)
    }

    fn find_in<F: RequestFacts + ?Sized>(&self, paths: &Paths, facts: &F) -> Option<Candidate> {
        let path = facts.path();
        if let Some(found) = paths.exact.get(path).and_then(|ranked| self.first(ranked, facts)) {
            return Some(found);
        }
        for candidate in &paths.regexes {
            if self.rule(candidate.rule).is_some_and(|rule| rule.path.takes(path) && rule.holds(facts)) {
                return Some(*candidate);
            }
        }
        for length in &paths.prefix_lengths {
            let Some((prefix, rest)) = path.split_at_checked(*length as usize) else { continue };
            if !prefix.is_empty() && rest.first().is_some_and(|byte| *byte != b'/') {
                continue;
            }
            if let Some(found) = paths.prefixes.get(prefix).and_then(|ranked| self.first(ranked, facts)) {
                return Some(found);
            }
        }
        None
    }

    fn first<F: RequestFacts + ?Sized>(&self, ranked: &[Candidate], facts: &F) -> Option<Candidate> {
        let holds = |candidate: &&Candidate| {
            candidate.unconditional || self.rule(candidate.rule).is_some_and(|rule| rule.holds(facts))
        };
        ranked.iter().find(holds).copied()
    }
}

impl Paths {
    fn insert(&mut self, path: &PathPattern, candidate: Candidate) {
        match path {
            PathPattern::Exact(path) => self.exact.entry(path[..].into()).or_default().push(candidate),
            PathPattern::Prefix(prefix) => self.prefixes.entry(prefix[..].into()).or_default().push(candidate),
            PathPattern::Regex(_) => self.regexes.push(candidate),
        }
    }

    /// Sorts each list by rank; the host is the same for all of them.
    fn settle(&mut self, rules: &[Rule]) {
        let rank = |candidate: &Candidate| {
            let rule = rules.get(candidate.rule as usize);
            Reverse(rule.map(|rule| rule.rank(&HostPattern::Any)))
        };
        let every = self.exact.values_mut().chain(self.prefixes.values_mut()).chain([&mut self.regexes]);
        every.for_each(|ranked| ranked.sort_by_key(rank));
        self.prefix_lengths = lengths(self.prefixes.keys());
    }
}

/// The distinct lengths, the longest first.
fn lengths<'a>(texts: impl Iterator<Item = &'a Text>) -> Lengths {
    let mut lengths: Lengths = texts.map(|text| u32::try_from(text.len()).unwrap_or(u32::MAX)).collect();
    lengths.sort_unstable_by_key(|length| Reverse(*length));
    lengths.dedup();
    lengths
}
