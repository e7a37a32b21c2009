//! The compiled table against a reference that reads the configuration anew for each request: over random tables and
//! requests both choose the same rule. And splits: shares are kept, and a growing share moves nobody back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use std::borrow::Cow;
use std::cmp::Reverse;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weft_engine::route::{RequestFacts, Split, Sticky, Target, choose, explain};
use weft_engine::snapshot::{FieldMatch, Generation, PathMatch, Route, RouteMatch, Snapshot, ValueTest, inspect};

/// A request in plain fields, as a stored record would give it.
#[derive(Clone, Debug, Default)]
struct Asked {
    method: String,
    host: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
}

impl RequestFacts for Asked {
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }
    fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }
    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }
    fn query(&self) -> &[u8] {
        self.query.as_bytes()
    }
    fn header(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        let found = self.headers.iter().find(|(known, _)| known.as_bytes() == name);
        found.map(|(_, value)| Cow::Borrowed(value.as_bytes()))
    }
    fn client(&self) -> &[u8] {
        b"127.0.0.1"
    }
}

/// The reference: every rule is tried, and of those that take the request the most specific one wins.
mod naive {
    use super::*;

    type Key = (usize, usize, usize, usize, bool, usize, usize, Reverse<usize>, Reverse<usize>);

    pub(crate) fn choose(routes: &[Takes], asked: &Asked) -> Option<(usize, usize)> {
        let every = RouteMatch {
            path: PathMatch::Prefix("/".to_owned()),
            method: None,
            headers: Vec::new(),
            query: Vec::new(),
        };
        let mut best: Option<Key> = None;
        for (at, (hosts, matches)) in routes.iter().enumerate() {
            let matches = if matches.is_empty() { vec![every.clone()] } else { matches.clone() };
            let hosts = if hosts.is_empty() { vec!["*".to_owned()] } else { hosts.clone() };
            for (place, wanted) in matches.iter().enumerate() {
                for pattern in &hosts {
                    let (Some(host), Some(path)) = (host(pattern, &asked.host), path(&wanted.path, &asked.path)) else {
                        continue;
                    };
                    if takes(wanted, asked) {
                        let (headers, query) = (wanted.headers.len(), wanted.query.len());
                        let method = wanted.method.is_some();
                        let places = (Reverse(at), Reverse(place));
                        let key = (host.0, host.1, path.0, path.1, method, headers, query, places.0, places.1);
                        best = best.max(Some(key));
                    }
                }
            }
        }
        best.map(|key| (key.7.0, key.8.0))
    }

    fn host(pattern: &str, host: &str) -> Option<(usize, usize)> {
        match pattern.strip_prefix('*') {
            None => (pattern == host).then_some((2, 0)),
            Some("") => Some((0, 0)),
            Some(suffix) => (host.ends_with(suffix) && host != suffix).then_some((1, suffix.len())),
        }
    }

    fn path(pattern: &PathMatch, path: &str) -> Option<(usize, usize)> {
        match pattern {
            PathMatch::Exact(exact) => (exact == path).then_some((2, 0)),
            PathMatch::Regex(text) => fits(text, path).then_some((1, text.len())),
            PathMatch::Prefix(prefix) => {
                let elements = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
                let prefix = prefix.trim_end_matches('/');
                elements(path).starts_with(&elements(prefix)).then_some((0, prefix.len()))
            }
        }
    }

    fn takes(wanted: &RouteMatch, asked: &Asked) -> bool {
        let header = |name: &str| asked.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let parameters: Vec<(&str, &str)> =
            asked.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        let query =
            |name: &str| parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        wanted.method.as_ref().is_none_or(|method| *method == asked.method)
            && wanted.headers.iter().all(|field| passes(&field.test, header(&field.name)))
            && wanted.query.iter().all(|field| passes(&field.test, query(&field.name)))
    }

    fn passes(test: &ValueTest, value: Option<String>) -> bool {
        match (test, value) {
            (ValueTest::Absent, value) => value.is_none(),
            (_, None) => false,
            (ValueTest::Present, _) => true,
            (ValueTest::Exact(text), Some(value)) => *text == value,
            (ValueTest::Prefix(text), Some(value)) => value.starts_with(text),
            (ValueTest::Suffix(text), Some(value)) => value.ends_with(text),
            (ValueTest::Regex(text), Some(value)) => fits(text, &value),
        }
    }

    fn fits(pattern: &str, text: &str) -> bool {
        let found = regex::Regex::new(pattern).unwrap().find_iter(text).any(|found| found.as_str() == text);
        // Leftmost-first alternation may stop short; the anchored form does not.
        found || regex::Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(text)
    }
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "ab", "aa"]).prop_map(str::to_owned)
}

fn host_name() -> impl Strategy<Value = String> {
    vec(word(), 1..4).prop_map(|labels| labels.join("."))
}

fn host_pattern() -> impl Strategy<Value = String> {
    prop_oneof![3 => host_name(), 2 => host_name().prop_map(|name| format!("*.{name}")), 1 => Just("*".to_owned())]
}

fn request_path() -> impl Strategy<Value = String> {
    (vec(word(), 0..4), any::<bool>()).prop_map(|(elements, slash)| {
        let path = format!("/{}", elements.join("/"));
        if slash && !elements.is_empty() { path + "/" } else { path }
    })
}

fn path_match() -> impl Strategy<Value = PathMatch> {
    let regex = prop::sample::select(vec!["/a.*", "/(a|ab)/.*", "/[ab]+", ".*"]).prop_map(str::to_owned);
    prop_oneof![
        3 => request_path().prop_map(PathMatch::Prefix),
        2 => request_path().prop_map(PathMatch::Exact),
        1 => regex.prop_map(PathMatch::Regex),
    ]
}

fn value_test() -> impl Strategy<Value = ValueTest> {
    prop_oneof![
        word().prop_map(ValueTest::Exact),
        word().prop_map(ValueTest::Prefix),
        word().prop_map(ValueTest::Suffix),
        Just(ValueTest::Regex("a+b?".to_owned())),
        Just(ValueTest::Present),
        Just(ValueTest::Absent),
    ]
}

fn fields() -> impl Strategy<Value = Vec<FieldMatch>> {
    let name = prop::sample::select(vec!["x-a", "x-b"]).prop_map(str::to_owned);
    vec((name, value_test()).prop_map(|(name, test)| FieldMatch { name, test }), 0..3)
}

fn method() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["GET", "POST"]).prop_map(str::to_owned)
}

fn route_match() -> impl Strategy<Value = RouteMatch> {
    (path_match(), option::of(method()), fields(), fields()).prop_map(|(path, method, headers, query)| RouteMatch {
        path,
        method,
        headers,
        query,
    })
}

/// What a route takes.
type Takes = (Vec<String>, Vec<RouteMatch>);

fn route() -> impl Strategy<Value = Takes> {
    (vec(host_pattern(), 0..3), vec(route_match(), 0..3))
}

fn asked() -> impl Strategy<Value = Asked> {
    let pairs = || vec((prop::sample::select(vec!["x-a", "x-b"]), word()), 0..3);
    (option::of(host_name()), request_path(), method(), pairs(), pairs()).prop_map(
        |(host, path, method, headers, query)| {
            let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut headers: Vec<(String, String)> =
                headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            headers.dedup_by(|one, other| one.0 == other.0);
            Asked { method, host: host.unwrap_or_default(), path, query: query.join("&"), headers }
        },
    )
}

/// A whole snapshot as it is compiled from the smallest configuration; the routes are put into it.
const MINIMAL: &str = include_str!("../../../test/golden/minimal/snapshot.json");

fn generation(taking: &[Takes]) -> Generation {
    let mut snapshot: Snapshot = serde_json::from_str(MINIMAL).unwrap();
    let template = snapshot.routes.remove(0);
    let route = |(hosts, matches): &Takes| Route { hosts: hosts.clone(), matches: matches.clone(), ..template.clone() };
    snapshot.routes = taking.iter().map(route).collect();
    let bytes = rmp_serde::to_vec_named(&snapshot).unwrap();
    inspect(&bytes).map_err(|rejected| format!("{rejected:?}")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_table_chooses_what_the_reference_chooses(routes in vec(route(), 0..12), requests in vec(asked(), 1..24)) {
        let generation = generation(&routes);
        let listener = &generation.listeners[0];
        for request in &requests {
            let chosen = choose(listener, request)
                .map(|chosen| (usize::from(chosen.route), usize::from(listener.table.rule(chosen.rule).unwrap().place)));
            prop_assert_eq!(chosen, naive::choose(&routes, request), "{:?}", request);
        }
    }

    #[test]
    fn an_explanation_names_the_rule_that_is_chosen_and_a_reason_for_each_other(
        routes in vec(route(), 0..6), request in asked(),
    ) {
        let generation = generation(&routes);
        let listener = &generation.listeners[0];
        let explained = explain(listener, &generation, &request, b"");
        let chosen = explained.chosen.and_then(|at| explained.rules.get(at));
        prop_assert_eq!(chosen.map(|rule| rule.route_index), choose(listener, &request).map(|chosen| chosen.route));
        prop_assert_eq!(explained.rules.len(), listener.table.rules().len());
        for (at, rule) in explained.rules.iter().enumerate() {
            prop_assert_eq!(rule.reason.is_empty(), Some(at) == explained.chosen, "{:?}", rule);
        }
    }

    #[test]
    fn a_share_that_grows_moves_nobody_away(before in 1_u32..100, more in 1_u32..100, others in vec(1_u32..100, 1..4), key in "[a-z]{1,12}") {
        let request = user(&key);
        let split = |first: u32| {
            let weights = std::iter::once(first).chain(others.iter().copied());
            let names = ["v2", "v1", "v3", "v4"];
            let targets = (0_u16..).zip(weights).zip(names).map(|((at, weight), name)| Target::new(at, name, weight, None));
            Split::new(targets.collect(), Some(Sticky::Header("end-user".into()))).unwrap()
        };
        let (first, then) = (pick(&split(before), &request), pick(&split(before + more), &request));
        prop_assert!(first == then || then == 0, "from {} to {}", first, then);
    }
}

fn user(name: &str) -> Asked {
    Asked { headers: vec![("end-user".to_owned(), name.to_owned())], ..Asked::default() }
}

/// Of a sticky split: chance is not asked.
fn pick(split: &Split, request: &Asked) -> u16 {
    let chosen = split.pick(request, |_| panic!("a request with a key is not left to chance"));
    chosen.unwrap().cluster
}

fn canary(percent: u32) -> Split {
    let targets = vec![Target::new(0, "reviews-v1", 100 - percent, None), Target::new(1, "reviews-v2", percent, None)];
    Split::new(targets, Some(Sticky::Header("end-user".into()))).unwrap()
}

#[test]
fn ten_to_twenty_percent_moves_no_user_back_and_keeps_both_shares() {
    let (ten, twenty) = (canary(10), canary(20));
    let users: Vec<Asked> = (0..20_000).map(|number| user(&format!("user-{number}"))).collect();
    let of = |split: &Split| users.iter().map(|user| pick(split, user)).collect::<Vec<_>>();
    let (before, after) = (of(&ten), of(&twenty));
    let back = before.iter().zip(&after).filter(|(before, after)| **before == 1 && **after == 0).count();
    assert_eq!(back, 0);
    let share = |picked: &[u16]| picked.iter().filter(|cluster| **cluster == 1).count();
    assert!((1_850..=2_150).contains(&share(&before)), "{} of 20,000 at 10 %", share(&before));
    assert!((3_800..=4_200).contains(&share(&after)), "{} of 20,000 at 20 %", share(&after));
}

#[test]
fn the_hash_of_a_split_never_changes() {
    // Another proxy, or the next version, must send these users where this one does.
    let picked: String = (0..32)
        .map(|number| if pick(&canary(50), &user(&format!("user-{number}"))) == 0 { '1' } else { '2' })
        .collect();
    assert_eq!(picked, "22112111221221112122221121212112");
}

#[test]
fn without_a_key_chance_decides_by_the_weights() {
    let split = canary(30);
    let mut counts = [0_u32; 2];
    for point in 0..100 {
        counts[usize::from(split.pick(&Asked::default(), |total| point % total).unwrap().cluster)] += 1;
    }
    assert_eq!(counts, [70, 30]);
}
