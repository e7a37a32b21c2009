//! What a route asks of a request.

use serde::{Deserialize, Serialize};

/// Everything that stands here must hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteMatch {
    /// Of the normalised path.
    pub path: PathMatch,
    /// Case-sensitive (RFC 9110 9.1); none: any.
    pub method: Option<String>,
    /// Of header lines; names in lower case.
    pub headers: Vec<FieldMatch>,
    /// Of the query's parameters.
    pub query: Vec<FieldMatch>,
}

/// Of a path.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum PathMatch {
    /// The whole path.
    Exact(String),
    /// Its first elements: `/a` takes `/a` and `/a/b`, not `/ab`. A slash at the end means nothing.
    Prefix(String),
    /// The whole path, in linear time.
    Regex(String),
}

/// Of a named value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldMatch {
    /// Of the header or the parameter.
    pub name: String,
    /// Of its value.
    pub test: ValueTest,
}

/// Of a value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ValueTest {
    /// The whole value.
    Exact(String),
    /// Its beginning.
    Prefix(String),
    /// Its end.
    Suffix(String),
    /// The whole value, in linear time.
    Regex(String),
    /// Any value.
    Present,
    /// None.
    Absent,
}
