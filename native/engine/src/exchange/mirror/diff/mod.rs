//! Response diff: the answers to a request and to its copy, compared by status, headers and body, JSON field by field.
//!
//! What differs by itself is learned, not configured: a request that may be repeated goes to its own cluster once more, and
//! a field that differs between those two answers is noise (the idea of Diffy, Twitter 2015). Comparing is the work of a
//! thread of its own; what it has no room for is not compared, and counted.

mod fields;
mod findings;
mod json;
mod thread;

use std::sync::Arc;

pub use fields::fields;
pub use findings::{Difference, Findings, Noise, Report};
pub(super) use thread::compare_later;

/// Header lines by their lower-case name; lines of one name in one value.
pub type Fields = Vec<(String, String)>;

/// An answer.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub fields: Fields,
    /// Its body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// It was longer than it may be.
    NotKept,
}

/// Answers that are to be compared.
pub struct Comparison {
    /// Where the outcome goes.
    pub findings: Arc<Findings>,
    /// Method and path.
    pub request: String,
    /// What the client got.
    pub primary: Seen,
    /// What the mirror answered.
    pub candidate: Seen,
    /// Another answer to the same from where the client's came.
    pub control: Option<Seen>,
    /// There could be a control.
    pub repeatable: bool,
}

/// How two answers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Another value of the same type.
    Value,
    /// A value of another type.
    Type,
    /// The mirror's answer has none.
    Missing,
    /// Only the mirror's answer has one.
    Added,
    /// A list of another length.
    Length,
}

/// One way in which two answers differ, with what stands there in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// `status`, `header NAME`, `body` or a path such as `$.items[].price`.
    pub field: String,
    /// How.
    pub way: Way,
    /// In the client's answer.
    pub primary: String,
    /// In the other one.
    pub candidate: String,
}

/// More differences of one pair of answers are not told.
const MAX_DIFFERENCES: usize = 64;

/// All ways in which two answers differ.
pub fn differences(primary: &Seen, candidate: &Seen) -> Vec<Differs> {
    let mut found = Vec::new();
    if primary.status != candidate.status {
        let (primary, candidate) = (primary.status.to_string(), candidate.status.to_string());
        found.push(Differs { field: "status".to_owned(), way: Way::Value, primary, candidate });
    }
    fields::compare(&primary.fields, &candidate.fields, &mut found);
    json::bodies(primary, candidate, &mut found);
    found.truncate(MAX_DIFFERENCES);
    found
}
