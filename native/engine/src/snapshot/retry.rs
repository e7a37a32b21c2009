//! A route's retries: which outcomes of an attempt are worth another one, how many, and how soon.

use serde::{Deserialize, Serialize};

use super::FieldMatch;

/// The retry policy of a route.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// Attempts after the first one.
    pub retries: u32,
    /// What is retried.
    pub on: Vec<RetryOn>,
    /// Statuses of an answer that `retriable-status-codes` means.
    pub status_codes: Vec<u16>,
    /// Of an answer's header lines; `retriable-headers` means an answer that passes one of them.
    pub retriable_headers: Vec<FieldMatch>,
    /// An answer that asks for a wait gets it, if that is no longer than this, ms; none: what it asks is not read.
    pub retry_after_max_ms: Option<u32>,
    /// Longest time of one attempt, ms; 0: no bound of its own.
    pub per_try_timeout_ms: u32,
    /// The wait before the first retry is random below this, ms.
    pub backoff_base_ms: u32,
    /// No wait is longer, ms.
    pub backoff_max_ms: u32,
    /// Another endpoint is preferred to one that was tried.
    pub avoid_previous_endpoints: bool,
    /// A longer body is not kept, and so not sent again, bytes.
    pub max_body_bytes: u32,
}

/// An outcome of an attempt that may be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum RetryOn {
    /// Any answer with a status of 500 and above, and no answer.
    #[serde(rename = "5xx")]
    ServerError,
    /// An answer with 502, 503 or 504, and no answer.
    GatewayError,
    /// No answer: no connection, a connection that ended, or time that ran out.
    Reset,
    /// No answer, and nothing of the request was sent.
    ResetBeforeRequest,
    /// No connection.
    ConnectFailure,
    /// An answer that says `x-envoy-ratelimited`.
    EnvoyRatelimited,
    /// An answer with 409.
    #[serde(rename = "retriable-4xx")]
    RetriableClientError,
    /// The endpoint refused the stream (HTTP/2).
    RefusedStream,
    /// An answer with one of the policy's statuses.
    RetriableStatusCodes,
    /// An answer with one of the policy's header lines.
    RetriableHeaders,
    /// An answer whose head says `grpc-status: 1`.
    Cancelled,
    /// An answer whose head says `grpc-status: 4`.
    DeadlineExceeded,
    /// An answer whose head says `grpc-status: 13`.
    Internal,
    /// An answer whose head says `grpc-status: 8`.
    ResourceExhausted,
    /// An answer whose head says `grpc-status: 14`.
    Unavailable,
}
