//! A listener: where connections are accepted, and what one of them may cost.

use serde::{Deserialize, Serialize};

use super::{Filter, Overload};

/// A socket that accepts connections.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// Unique name.
    pub name: String,
    /// `ip:port`, `[v6]:port`, `unix:/path`, `unix:@name`; port 0 takes a free one. `memory` for requests from within the
    /// process.
    pub address: String,
    /// Requests come through a door of TypeScript's: the engine keeps the address and accepts nothing.
    pub door: bool,
    /// Paths whose WebSockets the door serves itself: `/exact`, or `/prefix/*` for whatever begins so.
    pub sockets: Vec<String>,
    /// Header whose value is matched instead of the Host, lower case.
    pub service_header: Option<String>,
    /// Bounds per listener, connection and head.
    pub limits: ListenerLimits,
    /// Whose requests come in here.
    pub direction: Direction,
    /// Where and how exchanges are logged.
    pub access_log: Option<AccessLog>,
    /// A client that closes its sending side gives up its request.
    pub abort_on_close: bool,
    /// Proxies before this listener whose `x-forwarded-for` and `x-forwarded-proto` are believed.
    pub trusted_hops: u32,
    /// Permissions of a unix socket; none: as the process's mask has it.
    pub socket_mode: Option<u32>,
    /// In the order in which requests meet them.
    pub filters: Vec<Filter>,
    /// What callers may say of the way of their own requests.
    pub overrides: Overrides,
    /// When requests are shed; none: never.
    pub overload: Option<Overload>,
}

/// What callers may say of the way of their own requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Overrides {
    /// Callers are believed; else what they say is removed.
    pub trusted: bool,
    /// Header that names a request's lane, lower case.
    pub lane_header: String,
    /// `l5d-dtab` is followed, and who sends `l5d-add-context` is told where a request went.
    pub dtab: bool,
}

/// Whose requests a listener takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Others' requests to the application beside the proxy.
    Inbound,
    /// The application's own: the last ones to be refused when both end.
    Outbound,
    /// Anybody's, to services behind the proxy.
    Gateway,
}

/// Bounds on what clients may use.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerLimits {
    /// Connections open at once, over all workers.
    pub max_connections: u32,
    /// Bytes of one request head.
    pub max_header_bytes: u32,
    /// Header lines of one request.
    pub max_headers: u32,
    /// From the first byte of a head to its last, ms.
    pub headers_timeout_ms: u32,
    /// Between two requests of a connection, ms.
    pub idle_timeout_ms: u32,
    /// Requests after which a connection is closed; 0: no bound.
    pub max_requests_per_connection: u32,
    /// Bytes of one request's body; 0: no bound.
    pub max_request_bytes: u32,
}

/// An access log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessLog {
    /// File, appended to.
    pub path: String,
    /// `text`, `json` or a format string.
    pub format: String,
}
