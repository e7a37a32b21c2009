//! Bodies of two answers: JSON field by field, anything else as a whole.

use std::borrow::Cow;
use std::io::Read;

use serde_json::Value;

use super::fields::value;
use super::{Body, Differs, MAX_DIFFERENCES, Seen, Way};

/// An example of a value is cut to so many characters.
const EXAMPLE: usize = 120;

/// A compressed body is not read beyond this.
const MAX_UNPACKED: u64 = 4 * 1024 * 1024;

/// How the bodies differ.
pub(super) fn bodies(primary: &Seen, candidate: &Seen, found: &mut Vec<Differs>) {
    let (Body::Whole(before), Body::Whole(after)) = (&primary.body, &candidate.body) else {
        // Of what was not kept nothing can be said but whether the other one was as long.
        if matches!((&primary.body, &candidate.body), (Body::NotKept, Body::NotKept)) {
            return;
        }
        let word = |body: &Body| match body {
            Body::Whole(bytes) => format!("{} bytes", bytes.len()),
            Body::NotKept => "longer than is compared".to_owned(),
        };
        let (primary, candidate) = (word(&primary.body), word(&candidate.body));
        found.push(Differs { field: "body".to_owned(), way: Way::Length, primary, candidate });
        return;
    };
    if before == after {
        return;
    }
    let (before, after) = (unpacked(primary, before), unpacked(candidate, after));
    match (serde_json::from_slice::<Value>(&before), serde_json::from_slice::<Value>(&after)) {
        (Ok(before), Ok(after)) => values(&mut String::from("$"), &before, &after, found),
        _ if before == after => {}
        (before_json, after_json) => {
            let way = if before_json.is_ok() == after_json.is_ok() { Way::Value } else { Way::Type };
            let text = |bytes: &[u8]| shortened(&String::from_utf8_lossy(bytes));
            let (primary, candidate) = (text(&before), text(&after));
            found.push(Differs { field: "body".to_owned(), way, primary, candidate });
        }
    }
}

/// The bytes of a body without its compression, as far as that is known here.
fn unpacked<'a>(seen: &Seen, body: &'a [u8]) -> Cow<'a, [u8]> {
    if value(&seen.fields, "content-encoding") != Some("gzip") {
        return Cow::Borrowed(body);
    }
    let mut bytes = Vec::new();
    let read = flate2::read::GzDecoder::new(body).take(MAX_UNPACKED).read_to_end(&mut bytes);
    if read.is_ok() { Cow::Owned(bytes) } else { Cow::Borrowed(body) }
}

/// Goes down both values at once. Elements of lists share one path, so that what is said of one is learned for all.
fn values(path: &mut String, before: &Value, after: &Value, found: &mut Vec<Differs>) {
    if before == after || found.len() >= MAX_DIFFERENCES {
        return;
    }
    let length = path.len();
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, before) in one {
                path.extend([".", name]);
                match other.get(name) {
                    Some(after) => values(path, before, after, found),
                    None => found.push(differs(path, Way::Missing, Some(before), None)),
                }
                path.truncate(length);
            }
            for (name, after) in other.iter().filter(|(name, _)| !one.contains_key(*name)) {
                path.extend([".", name]);
                found.push(differs(path, Way::Added, None, Some(after)));
                path.truncate(length);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            path.push_str("[]");
            if one.len() != other.len() {
                let (primary, candidate) = (one.len().to_string(), other.len().to_string());
                found.push(Differs { field: path.clone(), way: Way::Length, primary, candidate });
            }
            for (before, after) in one.iter().zip(other) {
                values(path, before, after, found);
            }
            path.truncate(length);
        }
        _ => {
            let same_type = std::mem::discriminant(before) == std::mem::discriminant(after);
            let way = if same_type { Way::Value } else { Way::Type };
            found.push(differs(path, way, Some(before), Some(after)));
        }
    }
}

fn differs(path: &str, way: Way, primary: Option<&Value>, candidate: Option<&Value>) -> Differs {
    let text = |value: Option<&Value>| value.map(|value| shortened(&value.to_string())).unwrap_or_default();
    Differs { field: path.to_owned(), way, primary: text(primary), candidate: text(candidate) }
}

/// A text that is long is cut.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(EXAMPLE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::differences;
    use super::*;

    fn answer(body: &str) -> Seen {
        Seen { status: 200, fields: Vec::new(), body: Body::Whole(body.as_bytes().to_vec()) }
    }

    fn told(before: &str, after: &str) -> Vec<(String, Way)> {
        differences(&answer(before), &answer(after)).into_iter().map(|found| (found.field, found.way)).collect()
    }

    #[test]
    fn fields_are_compared_by_their_path_whatever_their_order() {
        assert_eq!(told(r#"{"a":1,"b":[1,2]}"#, r#"{ "b": [1, 2], "a": 1 }"#), []);
        let before = r#"{"id":1,"items":[{"price":5,"name":"x"},{"price":6}],"old":true,"n":1}"#;
        let after = r#"{"id":1,"items":[{"price":7,"name":"x"}],"new":null,"n":"1"}"#;
        let expected = [
            ("$.items[]", Way::Length),
            ("$.items[].price", Way::Value),
            ("$.n", Way::Type),
            ("$.old", Way::Missing),
            ("$.new", Way::Added),
        ];
        assert_eq!(told(before, after), expected.map(|(field, way)| (field.to_owned(), way)));
    }

    #[test]
    fn what_is_no_json_is_compared_as_a_whole() {
        assert_eq!(told("a", "b"), [("body".to_owned(), Way::Value)]);
        assert_eq!(told("{}", "<html>"), [("body".to_owned(), Way::Type)]);
        let long = Seen { body: Body::NotKept, ..answer("") };
        assert_eq!(differences(&long, &long), []);
        assert_eq!(differences(&long, &answer("x"))[0].way, Way::Length);
    }

    #[test]
    fn a_body_without_end_of_depth_is_no_json_and_does_not_crash() {
        let deep = "[".repeat(100_000);
        assert_eq!(told(&deep, "[]"), [("body".to_owned(), Way::Type)]);
    }

    #[test]
    fn status_and_headers_are_compared_but_for_those_of_one_moment() {
        let of = |fields: &[(&str, &str)], status| Seen {
            status,
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Body::Whole(Vec::new()),
        };
        let before = of(&[("date", "1"), ("etag", "a"), ("x-old", "1"), ("server", "s")], 200);
        let after = of(&[("date", "2"), ("etag", "b"), ("x-new", "1"), ("server", "s")], 404);
        let found = differences(&before, &after);
        let fields: Vec<&str> = found.iter().map(|found| found.field.as_str()).collect();
        assert_eq!(fields, ["status", "header etag", "header x-old", "header x-new"]);
    }
}
