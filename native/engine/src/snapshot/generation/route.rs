//! A route, compiled.

use std::sync::Arc;
use std::time::Duration;

use super::GenerationRetry;
use crate::exchange::fault::Fault;
use crate::exchange::mirror::Mirror;
use crate::filter::Chain;
use crate::http::changes::HeaderChanges;
use crate::route::{Action, Fallback, PathChange};

/// A route, compiled. A duration is `None` where there is no bound; what is not configured is `None`.
pub struct GenerationRoute {
    /// Its place in the generation.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// What becomes of its requests.
    pub action: Action,
    /// What the endpoint is asked instead.
    pub rewrite: Option<Box<GenerationRewrite>>,
    /// Lines changed on the way to the endpoint.
    pub request_headers: Option<Box<HeaderChanges>>,
    /// Lines changed on the way to the client.
    pub response_headers: Option<Box<HeaderChanges>>,
    /// What stands in for a failure.
    pub fallback: Option<Box<Fallback>>,
    /// Until the answer's head.
    pub timeout: Option<Duration>,
    /// From the request's last byte to the answer's first.
    pub first_byte_timeout: Option<Duration>,
    /// Without a byte in either direction.
    pub idle_timeout: Option<Duration>,
    /// What is tried again.
    pub retry: Option<Box<GenerationRetry>>,
    /// What looks at its requests before a cluster is chosen.
    pub filters: Chain,
    /// What goes wrong with its requests on purpose.
    pub fault: Option<Arc<Fault>>,
    /// Where copies of its requests go.
    pub mirrors: Box<[Mirror]>,
    /// It was switched since its configuration was applied, in words.
    pub switched: Option<Box<str>>,
}

/// What the endpoint is asked instead.
#[derive(Debug)]
pub struct GenerationRewrite {
    /// Another path.
    pub path: Option<PathChange>,
    /// Another authority.
    pub authority: Option<Box<[u8]>>,
}
