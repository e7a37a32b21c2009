//! Whether an attempt that has ended is followed by another one. Pure.

use crate::error::{Error, Kind};

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its outcome is the exchange's.
    Done,
    /// The same request on a new connection: the old one turned out to be closed.
    Replay,
}

/// How an exchange stands after an attempt.
pub struct Standing {
    /// Sending the request again is the same as sending it once.
    pub repeatable: bool,
    /// The attempt was made on a connection that had served before.
    pub reused: bool,
}

/// What follows an attempt that ended like this.
pub fn classify<T>(attempted: &Result<T, Error>, standing: &Standing) -> Verdict {
    match attempted {
        Err(error) if is_stale(error, standing) => Verdict::Replay,
        _ => Verdict::Done,
    }
}

/// The endpoint had closed an idle connection before it saw the request: nothing came back.
fn is_stale(error: &Error, standing: &Standing) -> bool {
    standing.reused && standing.repeatable && matches!(error.kind, Kind::UpstreamClosed | Kind::UpstreamReset)
}
