//! The routes of one listener, compiled so that a match costs a few look-ups however many there are.
//!
//! Hosts first, from the exact one to the most general; within a host paths, exact → regex → longest prefix; within a
//! path the rules by their rank. What is found first is therefore the rule of the greatest rank, and a request that a
//! more specific host or path does not take in the end goes on to the next. Invariant: a look-up allocates nothing and
//! hashes no more of a request than the longest host or path of the configuration.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::facts::RequestFacts;
use super::lane::{Lane, Lanes};
use super::rule::{HostPattern, PathPattern, Rule};
use crate::http::path::plain_host;

/// Texts of usual length lie in the entry itself: a look-up then touches one line of memory less.
type Text = SmallVec<[u8; 24]>;
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
    exact: Hosts,
    suffixes: Hosts,
    suffix_lengths: Lengths,
    any: Paths,
    /// The paths of all hosts.
    paths: HashTable<Path>,
    /// The regexes of the hosts that have some.
    regexes: HashMap<u32, Ranked>,
    service_header: Option<Box<str>>,
    /// Absent where no route has a lane.
    lanes: Option<Box<Lanes>>,
}

type Hosts = HashTable<Host>;

/// A host: one line of memory. All hosts share one table of paths, so that ten thousand routes are three tables and not
/// three for each of a thousand hosts.
#[derive(Debug)]
#[repr(align(64))]
struct Host {
    name: Text,
    paths: Paths,
}

/// What there is of paths for one host.
#[derive(Debug, Default)]
struct Paths {
    /// Lengths of its prefixes.
    prefix_lengths: Lengths,
    /// Tells its paths from those of other hosts.
    host: u32,
    /// It has exact paths.
    exact: bool,
    /// It has regexes.
    regexes: bool,
}

/// A path of a host: one line of memory.
#[derive(Debug)]
#[repr(align(64))]
struct Path {
    text: Text,
    ranked: Ranked,
    host: u32,
    exact: bool,
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
        let mut hosts = 0;
        for (index, rule) in (0_u32..).zip(&rules).filter(|(_, rule)| rule.lane.is_none()) {
            let unconditional =
                rule.method.is_none() && rule.headers.is_empty() && rule.query.is_empty() && rule.when.is_none();
            let candidate = Candidate { rule: index, route: rule.route, unconditional };
            for pattern in &*rule.hosts {
                let host = match pattern {
                    HostPattern::Any => &mut table.any,
                    HostPattern::Suffix(suffix) => host_named(&mut table.suffixes, suffix.as_bytes(), &mut hosts),
                    HostPattern::Exact(name) => host_named(&mut table.exact, name.as_bytes(), &mut hosts),
                };
                match &rule.path {
                    PathPattern::Exact(path) => {
                        host.exact = true;
                        ranked(&mut table.paths, host.host, true, path).push(candidate);
                    }
                    PathPattern::Prefix(prefix) => {
                        insert_length(&mut host.prefix_lengths, prefix);
                        ranked(&mut table.paths, host.host, false, prefix).push(candidate);
                    }
                    PathPattern::Regex(_) => {
                        host.regexes = true;
                        table.regexes.entry(host.host).or_default().push(candidate);
                    }
                }
            }
        }
        // The host is the same for all of a list.
        let rank = |candidate: &Candidate| {
            Reverse(rules.get(candidate.rule as usize).map(|rule| rule.rank(&HostPattern::Any)))
        };
        let lists = table.paths.iter_mut().map(|path| &mut path.ranked).chain(table.regexes.values_mut());
        lists.for_each(|ranked| ranked.sort_by_key(rank));
        for suffix in &table.suffixes {
            insert_length(&mut table.suffix_lengths, &suffix.name);
        }
        table.rules = rules;
        table
    }

    /// The table with the lanes of its rules, which this header names.
    pub fn with_lanes(mut self, header: &str) -> Self {
        for Lane { header: of, .. } in self.rules.iter_mut().filter_map(|rule| rule.lane.as_mut()) {
            *of = header.into();
        }
        self.lanes = Lanes::of(&self.rules, header, self.service_header.as_deref());
        self
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
        if let Some(found) = self.lanes.as_ref().and_then(|lanes| lanes.find(facts)) {
            return Some(found);
        }
        let found = match &self.service_header {
            None => self.find_for(facts.host(), facts),
            Some(_) => self.find_for(&self.host_of(facts), facts),
        };
        found.map(|Candidate { route, rule, .. }| Chosen { route, rule })
    }

    fn find_for<F: RequestFacts + ?Sized>(&self, host: &[u8], facts: &F) -> Option<Candidate> {
        if let Some(found) = paths_of(&self.exact, host).and_then(|paths| self.find_in(paths, facts)) {
            return Some(found);
        }
        for length in &self.suffix_lengths {
            let Some(start) = host.len().checked_sub(*length as usize).filter(|start| *start > 0) else { continue };
            let suffix = host.get(start..).filter(|suffix| suffix.first() == Some(&b'.'));
            let paths = suffix.and_then(|suffix| paths_of(&self.suffixes, suffix));
            if let Some(found) = paths.and_then(|paths| self.find_in(paths, facts)) {
                return Some(found);
            }
        }
        self.find_in(&self.any, facts)
    }

    fn find_in<F: RequestFacts + ?Sized>(&self, paths: &Paths, facts: &F) -> Option<Candidate> {
        let path = facts.path();
        if paths.exact
            && let Some(found) = self.find_path(paths.host, true, path, facts)
        {
            return Some(found);
        }
        let regexes = if paths.regexes { self.regexes.get(&paths.host) } else { None };
        for candidate in regexes.into_iter().flatten() {
            if self.rule(candidate.rule).is_some_and(|rule| rule.path.takes(path) && rule.holds(facts)) {
                return Some(*candidate);
            }
        }
        for length in &paths.prefix_lengths {
            let Some((prefix, rest)) = path.split_at_checked(*length as usize) else { continue };
            if !prefix.is_empty() && rest.first().is_some_and(|byte| *byte != b'/') {
                continue;
            }
            if let Some(found) = self.find_path(paths.host, false, prefix, facts) {
                return Some(found);
            }
        }
        None
    }

    fn find_path<F: RequestFacts + ?Sized>(&self, host: u32, exact: bool, text: &[u8], facts: &F) -> Option<Candidate> {
        let found = self.paths.find(path_hash(host, exact, text), |path| path.is(host, exact, text));
        found.and_then(|path| self.first(&path.ranked, facts))
    }

    fn first<F: RequestFacts + ?Sized>(&self, ranked: &[Candidate], facts: &F) -> Option<Candidate> {
        let holds = |candidate: &&Candidate| {
            candidate.unconditional || self.rule(candidate.rule).is_some_and(|rule| rule.holds(facts))
        };
        ranked.iter().find(holds).copied()
    }
}

impl Path {
    fn is(&self, host: u32, exact: bool, text: &[u8]) -> bool {
        self.host == host && self.exact == exact && self.text[..] == *text
    }
}

/// A fixed hash: only a configuration puts texts in, so nobody can pile them up.
fn hash(text: &[u8]) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(text);
    hasher.finish()
}

fn path_hash(host: u32, exact: bool, text: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(u64::from(host) << 1 | u64::from(exact)).build_hasher();
    hasher.write(text);
    hasher.finish()
}

fn paths_of<'a>(hosts: &'a Hosts, name: &[u8]) -> Option<&'a Paths> {
    hosts.find(hash(name), |host| host.name[..] == *name).map(|host| &host.paths)
}

/// The entry of a host, made on first use with the next number.
fn host_named<'a>(hosts: &'a mut Hosts, name: &[u8], last: &mut u32) -> &'a mut Paths {
    let entry = hosts.entry(hash(name), |host| host.name[..] == *name, |host| hash(&host.name));
    let made = || {
        *last += 1;
        Host { name: name.into(), paths: Paths { host: *last, ..Paths::default() } }
    };
    &mut entry.or_insert_with(made).into_mut().paths
}

/// The rules of a path, none on first use.
fn ranked<'a>(paths: &'a mut HashTable<Path>, host: u32, exact: bool, text: &[u8]) -> &'a mut Ranked {
    let hash = |path: &Path| path_hash(path.host, path.exact, &path.text);
    let entry = paths.entry(path_hash(host, exact, text), |path| path.is(host, exact, text), hash);
    let made = || Path { text: text.into(), ranked: Ranked::new(), host, exact };
    &mut entry.or_insert_with(made).into_mut().ranked
}

/// Adds to distinct lengths, the longest first.
fn insert_length(lengths: &mut Lengths, text: &[u8]) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    if let Err(place) = lengths.binary_search_by_key(&Reverse(length), |known| Reverse(*known)) {
        lengths.insert(place, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_path_fill_one_line_of_memory_each() {
        assert_eq!((size_of::<Host>(), size_of::<Path>()), (64, 64));
    }
}
