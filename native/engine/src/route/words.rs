//! What rules ask and why they do not take a request, in words.

use std::borrow::Cow;
use std::fmt::Write;

use super::facts::RequestFacts;
use super::rule::{Condition, HostPattern, PathPattern, Rank, Rule};
use super::value::{Test, parameter};

/// What a rule asks of a request, for a person: `host reviews, path prefix /, header end-user is tester`.
pub(super) fn asks(rule: &Rule) -> String {
    let mut words = hosts(rule);
    let _ = write!(words, ", {}", path(&rule.path));
    if let Some(method) = &rule.method {
        let _ = write!(words, ", method {}", text(method));
    }
    if let Some(lane) = &rule.lane {
        let _ = write!(words, ", lane {}", lane.name);
    }
    for (noun, conditions) in [("header", &rule.headers), ("query", &rule.query)] {
        for Condition { name, test } in conditions {
            let _ = write!(words, ", {noun} {name} {}", test_words(test));
        }
    }
    if let Some(when) = &rule.when {
        let _ = write!(words, ", when {}", when.source());
    }
    words
}

/// The first thing of a rule that does not hold; `None` when all does.
pub(super) fn obstacle(rule: &Rule, host: &[u8], facts: &dyn RequestFacts) -> Option<String> {
    if let Some(lane) = rule.lane.as_ref() {
        let asked = facts.header(lane.header.as_bytes());
        if asked.as_deref() != Some(lane.name.as_bytes()) {
            let is =
                asked.map_or_else(|| "the request is of no lane".to_owned(), |it| format!("lane is {}", text(&it)));
            return Some(format!("{is}, wanted {}", lane.name));
        }
    }
    if rule.host(host).is_none() {
        let wanted: Vec<String> = rule.hosts.iter().map(host_words).collect();
        let is = if host.is_empty() { "there is no host".to_owned() } else { format!("host is {}", text(host)) };
        return Some(format!("{is}, wanted {}", wanted.join(" or ")));
    }
    if !rule.path.takes(facts.path()) {
        return Some(format!("path is {}, wanted {}", text(facts.path()), path_words(&rule.path)));
    }
    if let Some(method) = rule.method.as_deref().filter(|method| *method != facts.method()) {
        return Some(format!("method is {}, wanted {}", text(facts.method()), text(method)));
    }
    let header = rule.headers.iter().find(|condition| !condition.holds_for_header(facts));
    if let Some(Condition { name, test }) = header {
        let value = facts.header(name.as_bytes());
        return Some(format!("header {name} {}, wanted one that {}", value_words(value.as_deref()), test_words(test)));
    }
    let query = rule.query.iter().find(|condition| !condition.holds_for_query(facts));
    if let Some(Condition { name, test }) = query {
        let value = parameter(facts.query(), name.as_bytes());
        return Some(format!("query {name} {}, wanted one that {}", value_words(value.as_deref()), test_words(test)));
    }
    let when = rule.when.as_deref().and_then(|condition| condition.obstacle(facts));
    when.map(|words| format!("when does not hold: {words}"))
}

/// Why a rank is greater than another one.
pub(super) fn advantage(winner: &Rank, loser: &Rank) -> &'static str {
    if winner.0 != loser.0 {
        "its host is more specific"
    } else if winner.1.0 != loser.1.0 {
        if winner.1.0 == 2 { "its path is exact" } else { "its path is a regex, which comes before prefixes" }
    } else if winner.1 != loser.1 {
        "its path is longer"
    } else if winner.2 != loser.2 {
        "it asks for a method"
    } else if winner.3 != loser.3 {
        "it asks for more headers, `when` counted as one"
    } else if winner.4 != loser.4 {
        "it asks for more of the query"
    } else {
        "it stands earlier in the configuration"
    }
}

/// Bytes as a person reads them.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn hosts(rule: &Rule) -> String {
    let names: Vec<String> = rule.hosts.iter().map(host_words).collect();
    if rule.hosts.contains(&HostPattern::Any) { "any host".to_owned() } else { format!("host {}", names.join(" or ")) }
}

fn host_words(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Any => "any".to_owned(),
        HostPattern::Suffix(suffix) => format!("*{suffix}"),
        HostPattern::Exact(name) => name.to_string(),
    }
}

fn path(pattern: &PathPattern) -> String {
    match pattern {
        PathPattern::Prefix(prefix) if prefix.is_empty() => "any path".to_owned(),
        _ => format!("path {}", path_words(pattern)),
    }
}

fn path_words(pattern: &PathPattern) -> String {
    match pattern {
        PathPattern::Exact(exact) => format!("exactly {}", text(exact)),
        PathPattern::Prefix(prefix) => format!("prefix {}", text(prefix)),
        PathPattern::Regex(pattern) => format!("regex {}", pattern.text()),
    }
}

fn test_words(test: &Test) -> String {
    match test {
        Test::Exact(value) => format!("is {}", quoted(value)),
        Test::Prefix(value) => format!("begins with {}", quoted(value)),
        Test::Suffix(value) => format!("ends with {}", quoted(value)),
        Test::Regex(pattern) => format!("fits {}", pattern.text()),
        Test::Present => "is present".to_owned(),
        Test::Absent => "is absent".to_owned(),
    }
}

fn value_words(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "is absent".to_owned(), |value| format!("is {}", quoted(value)))
}

fn quoted(value: &[u8]) -> String {
    format!("`{}`", text(value))
}
