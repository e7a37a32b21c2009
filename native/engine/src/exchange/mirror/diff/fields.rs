//! Headers of two answers.

use super::{Differs, Fields, Way};
use crate::http::head::ResponseHead;

/// Headers that belong to one connection or to one moment, and those that follow from the body.
const NEVER: [&str; 14] = [
    "age",
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server-timing",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-envoy-upstream-service-time",
    "x-request-id",
    "traceparent",
    "x-runtime",
];

/// The headers of an answer.
pub fn fields(head: &ResponseHead) -> Fields {
    let mut fields: Fields = Vec::new();
    for (name, value) in head.section().iter() {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let value = String::from_utf8_lossy(value);
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.extend([", ", &value]),
            None => fields.push((name, value.into_owned())),
        }
    }
    fields
}

/// The value of a header.
pub(super) fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// How they differ.
pub(super) fn compare(primary: &Fields, candidate: &Fields, found: &mut Vec<Differs>) {
    let compared = |name: &str| !NEVER.contains(&name);
    for (name, before) in primary.iter().filter(|(name, _)| compared(name)) {
        match value(candidate, name) {
            Some(after) if after == before => {}
            Some(after) => found.push(differs(name, Way::Value, before, after)),
            None => found.push(differs(name, Way::Missing, before, "")),
        }
    }
    for (name, after) in candidate.iter().filter(|(name, _)| compared(name) && value(primary, name).is_none()) {
        found.push(differs(name, Way::Added, "", after));
    }
}

fn differs(name: &str, way: Way, primary: &str, candidate: &str) -> Differs {
    let field = format!("header {name}");
    Differs { field, way, primary: super::json::shortened(primary), candidate: super::json::shortened(candidate) }
}
