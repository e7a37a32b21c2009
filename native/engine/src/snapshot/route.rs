//! A route: which requests it takes, what becomes of them, how long they may last.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::respond::{Fallback, HeaderChanges, Respond};
use super::route_match::RouteMatch;
use super::{Fault, Filter, Mirror, Retry};

/// One route.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Unique name.
    pub name: String,
    /// Indexes of the listeners it serves.
    pub listeners: Vec<u32>,
    /// Lower case: `name`, `*.suffix` or `*`; empty: every host.
    pub hosts: Vec<String>,
    /// It takes a request that fits one of these; empty: every request.
    pub matches: Vec<RouteMatch>,
    /// A condition in CEL that must hold besides; none: no more is asked.
    pub when: Option<String>,
    /// What becomes of the request.
    pub action: RouteAction,
    /// Another path or host for the endpoint.
    pub rewrite: Option<Rewrite>,
    /// Lines changed on the way to the endpoint.
    pub request_headers: Option<HeaderChanges>,
    /// Lines changed on the way to the client.
    pub response_headers: Option<HeaderChanges>,
    /// What is answered when forwarding failed.
    pub fallback: Option<Fallback>,
    /// Whole exchange from the request's last byte to the answer's head, ms; 0: no bound.
    pub timeout_ms: u32,
    /// From the request's last byte to the answer's first, ms; 0: no bound.
    pub first_byte_timeout_ms: u32,
    /// Without a byte in either direction, ms; 0: no bound.
    pub idle_timeout_ms: u32,
    /// What is tried again.
    pub retry: Option<Retry>,
    /// In the order in which requests meet them.
    pub filters: Vec<Filter>,
    /// What goes wrong with its requests on purpose.
    pub fault: Option<Fault>,
    /// Where copies of its requests go.
    pub mirrors: Vec<Mirror>,
    /// It takes requests of this lane only, before routes without one; none: requests of every lane and of none.
    pub lane: Option<String>,
}

/// What becomes of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum RouteAction {
    /// A cluster answers it.
    Forward(Forward),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// The proxy answers it.
    Respond(Respond),
}

/// Clusters that share the requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forward {
    /// At least one.
    pub targets: Vec<ForwardTarget>,
    /// Requests that agree in this go to the same target; none: by chance.
    pub sticky: Option<StickyKey>,
}

/// A cluster with its share.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForwardTarget {
    /// Index of the cluster.
    pub cluster: u32,
    /// Share among the targets, at least 1.
    pub weight: u32,
    /// Only endpoints with these labels; none: all.
    pub subset: Option<BTreeMap<String, String>>,
}

/// What of a request keeps it with one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum StickyKey {
    /// A header, lower case.
    Header(String),
    /// A cookie.
    Cookie(CookieKey),
    /// A parameter of the query.
    Query(String),
    /// The client's address.
    ClientAddress,
    /// The value of an expression in CEL.
    Cel(String),
}

/// A cookie that keeps requests together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CookieKey {
    /// Its name.
    pub name: String,
    /// A request without it is given one for so long, s; 0: until the browser ends. None: it is left to chance.
    pub ttl_s: Option<u32>,
    /// Of the URLs that a cookie is given for.
    pub path: String,
}

/// Where a client is sent. What is none stays as it was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// Without a port.
    pub host: Option<String>,
    /// None: the scheme's own when the scheme changes, else the one asked for.
    pub port: Option<u16>,
    /// The query always stays.
    pub path: Option<PathChange>,
}

/// What the endpoint is asked instead.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rewrite {
    /// The query always stays.
    pub path: Option<PathChange>,
    /// The whole authority, with a port where one is wanted.
    pub host: Option<String>,
}

/// Another path.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum PathChange {
    /// Instead of the whole path.
    Full(String),
    /// Instead of the prefix that the route matched.
    Prefix(String),
}
