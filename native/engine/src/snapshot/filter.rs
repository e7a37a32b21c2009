//! Filters as they are configured: on a listener, a route or a cluster, each with its type and its settings.

use serde::{Deserialize, Serialize};

use super::HeaderLine;

/// One filter. A type is named as its file in `native/engine/src/filter`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Filter {
    /// Refuses what comes faster than token buckets fill.
    LocalRateLimit(LocalRateLimit),
    /// Has bodies pass no faster than so many bytes a second.
    BandwidthLimit(BandwidthLimit),
    /// Carries time and retries that are left from hop to hop.
    Budget(Budget),
    /// Changes header lines of requests and answers.
    HeaderRewrite(HeaderRewrite),
    /// A filter in TypeScript.
    Script(Script),
}

/// A filter that the traffic threads run, each with its own instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Script {
    /// Its number in the process. Never used again for another one.
    pub id: u32,
    /// What records, counts and logs call it.
    pub name: String,
    /// It looks at requests' heads.
    pub request_head: bool,
    /// It looks at answers' heads.
    pub response_head: bool,
    /// How it sees requests' bodies.
    pub request_body: ScriptBody,
    /// How it sees answers' bodies.
    pub response_body: ScriptBody,
    /// Bytes of a body that is gathered for it.
    pub max_body_bytes: u32,
    /// What becomes of an exchange in which it fails.
    pub on_failure: OnFailure,
    /// How long an exchange waits for it; none: as long as it takes.
    pub time_budget_ms: Option<u32>,
    /// It runs in a pool of threads of its own.
    pub pool: bool,
}

/// How a filter sees a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ScriptBody {
    /// Not at all.
    None,
    /// As it comes.
    Stream,
    /// Whole.
    Buffer,
}

/// What becomes of an exchange in which a filter fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// It goes on without the filter.
    Open,
    /// It ends with a 500.
    Closed,
}

/// Token buckets, all of which a request must get a token from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalRateLimit {
    /// In the order in which they are asked.
    pub buckets: Vec<RateBucket>,
    /// Status of the answer to a request that gets none.
    pub status: u16,
    /// Answers tell limit, remaining tokens and time to a full bucket.
    pub headers: bool,
    /// Requests that get no token are counted and recorded, and go on.
    pub shadow: bool,
}

/// A bucket, or one for each key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateBucket {
    /// Unique among the buckets of the listener, route or cluster.
    pub name: String,
    /// What requests are told apart by; empty: one bucket for all.
    pub key: Vec<KeyPart>,
    /// Tokens when full.
    pub tokens: u32,
    /// Tokens that come back in each `every_ms`, evenly spread.
    pub refill: u32,
    /// See `refill`.
    pub every_ms: u32,
    /// Keys that there is room for; 0: only those of `keys` are limited.
    pub max_keys: u32,
    /// All keys share the tokens of one bucket, fairly.
    pub fair: bool,
    /// Tokens come slowly at first and after a rest.
    pub warm_up: Option<WarmUp>,
    /// How long a request waits for its token; none: it does not.
    pub max_wait_ms: Option<u32>,
    /// Keys with a bucket of their own.
    pub keys: Vec<RateKey>,
}

/// How a bucket gets to its speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WarmUp {
    /// From cold to full speed, ms.
    pub over_ms: u32,
    /// How many times slower tokens come to a cold one.
    pub cold_factor: u32,
}

/// A key with a bucket of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateKey {
    /// A value for each part of the key.
    pub values: Vec<String>,
    /// As the bucket's.
    pub tokens: u32,
    /// As the bucket's.
    pub refill: u32,
    /// As the bucket's.
    pub every_ms: u32,
}

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum KeyPart {
    /// Value of the first header line of that name.
    Header(String),
    /// Value of a cookie.
    Cookie(String),
    /// Value of a query parameter, as written.
    Query(String),
    /// The client's IP address, behind trusted proxies where they are configured.
    ClientAddress,
    /// The URI of the client's certificate, as trusted proxies say.
    Identity,
    /// The path without the query.
    Path,
    /// The host without the port.
    Host,
    /// The method.
    Method,
    /// The first of these templates that the path has the form of: `/users/{id}` takes any one segment for the braces,
    /// `/files/**` whatever follows.
    PathTemplate(Vec<String>),
    /// The same text for every request: it tells the bucket's key from others' in what they share.
    Generic(String),
}

/// What a request may still cost, from hop to hop.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// Absolute path of the keys, one a line; the first signs.
    pub key_file: String,
    /// Retries that a request without a budget may cause, over all hops.
    pub retries: u32,
}

/// A bound on the bytes of bodies.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BandwidthLimit {
    /// Bytes a second each way, of all bodies that pass the filter.
    pub bytes_per_second: u32,
    /// Which bodies.
    pub direction: LimitedDirection,
}

/// Which bodies a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum LimitedDirection {
    /// Those of requests.
    Request,
    /// Those of answers.
    Response,
    /// Both, each by itself.
    Both,
}

/// Changes to the header lines of requests and of answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderRewrite {
    /// Before the request goes on.
    pub request: HeaderEdits,
    /// Before the answer goes back.
    pub response: HeaderEdits,
}

/// Changes to one head, in the order of the fields. Operators such as `%REQ(X-NAME)%` in values are replaced by what they
/// stand for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderEdits {
    /// Text of values is replaced.
    pub replace: Vec<HeaderReplace>,
    /// Every line of the name goes.
    pub remove: Vec<String>,
    /// One line takes the place of all of the name.
    pub set: Vec<HeaderLine>,
    /// A line comes behind those of the name.
    pub add: Vec<HeaderLine>,
}

/// A replacement in the values of a name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderReplace {
    /// Name of the lines.
    pub name: String,
    /// What is looked for, everywhere in the value.
    pub regex: String,
    /// What takes its place; `$1` or `${name}` is a group of the match, `$$` a dollar sign.
    pub with: String,
}
