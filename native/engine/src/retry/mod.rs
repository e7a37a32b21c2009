//! Whether an attempt that has ended is followed by another one. Pure.

mod backoff;

use std::time::Duration;

use backoff::backoff;

use crate::error::Kind;
use crate::snapshot::{GenerationRetry, RetryOn};

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: its outcome is the exchange's, and nobody wanted it tried again.
    Done,
    /// Nothing, though the policy would try again.
    Stop(Stop),
    /// The same request on a new connection: the old one turned out to be closed. No retry of the policy.
    Replay,
    /// Another attempt after this wait, if the budget has room for it.
    Retry(Duration),
}

/// Why an attempt that the policy would repeat is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// As many retries as the policy has were made.
    Spent,
    /// The request's body is no longer at hand.
    Body,
    /// The cluster has as many retries under way as it may have.
    Budget,
    /// The exchange would be over before the next attempt began.
    Time,
    /// A proxy nearer to the failure has retried already: one more layer of retries would multiply its attempts.
    Nearer,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered {
        /// Its status.
        status: u16,
        /// It says `x-envoy-ratelimited`.
        rate_limited: bool,
        /// It says that a proxy behind has spent its retries.
        spent: bool,
    },
    /// Without one.
    Failed {
        /// What happened.
        kind: Kind,
        /// Something of the request had been sent.
        sent: bool,
    },
}

/// How an exchange stands after an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The route's policy; without one nothing is retried.
    pub policy: Option<&'a GenerationRetry>,
    /// Retries made so far.
    pub made: u32,
    /// Sending the request again is the same as sending it once.
    pub repeatable: bool,
    /// The attempt was made on a connection that had served before.
    pub reused: bool,
    /// Everything of the request that was used up is at hand.
    pub at_hand: bool,
    /// Gives a number in 0..1 for the wait.
    pub random: fn() -> f64,
}

/// What follows an attempt that ended like this.
#[inline]
pub fn classify(outcome: &Outcome, standing: &Standing<'_>) -> Verdict {
    if is_stale(outcome, standing) {
        return Verdict::Replay;
    }
    let Some(policy) = standing.policy.filter(|policy| is_retriable(outcome, policy)) else { return Verdict::Done };
    if matches!(outcome, Outcome::Answered { spent: true, .. }) {
        Verdict::Stop(Stop::Nearer)
    } else if standing.made >= policy.retries {
        Verdict::Stop(Stop::Spent)
    } else if !standing.at_hand {
        Verdict::Stop(Stop::Body)
    } else {
        let nth = standing.made + 1;
        Verdict::Retry(backoff(nth, policy.backoff_base, policy.backoff_max, (standing.random)()))
    }
}

/// The endpoint had closed an idle connection before it saw the request: nothing came back.
fn is_stale(outcome: &Outcome, standing: &Standing<'_>) -> bool {
    let ended = matches!(outcome, Outcome::Failed { kind: Kind::UpstreamClosed | Kind::UpstreamReset, .. });
    ended && standing.reused && standing.repeatable
}

/// Whether the policy names what happened. Endings that the client or a clock of the whole exchange brought about are
/// never named.
fn is_retriable(outcome: &Outcome, policy: &GenerationRetry) -> bool {
    use RetryOn::*;
    let on = |any: &[RetryOn]| policy.on.has(any);
    match outcome {
        Outcome::Answered { status, rate_limited, .. } => {
            (*status >= 500 && on(&[ServerError]))
                || (matches!(status, 502..=504) && on(&[GatewayError]))
                || (*status == 409 && on(&[RetriableClientError]))
                || (*rate_limited && on(&[EnvoyRatelimited]))
                || (on(&[RetriableStatusCodes]) && policy.status_codes.contains(status))
        }
        Outcome::Failed { kind, sent } => match kind {
            Kind::ConnectFailed | Kind::ConnectTimeout => {
                on(&[ConnectFailure, ResetBeforeRequest, Reset, GatewayError, ServerError])
            }
            Kind::UpstreamClosed | Kind::UpstreamReset => {
                on(&[Reset, GatewayError, ServerError]) || (!sent && on(&[ResetBeforeRequest]))
            }
            Kind::UpstreamMalformed | Kind::FirstByteTimeout | Kind::TryTimeout => {
                on(&[Reset, GatewayError, ServerError])
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests;
