//! Whether an attempt that has ended is followed by another one. Pure.

mod backoff;
mod said;

use std::time::Duration;

use backoff::{asked, backoff};
pub use said::Said;

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
    Retry(Wait),
}

/// A wait before another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// How long.
    pub time: Duration,
    /// Whether the endpoint had a say in it.
    pub asked: Asked,
}

/// What an answer asked about the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing, or the policy does not listen.
    Nothing,
    /// A wait, which it gets.
    Honoured,
    /// A longer wait than the policy grants: the usual one takes its place.
    TooLong,
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
    /// The request may cause no more retries, as its budget says.
    Allowance,
    /// A proxy nearer to the failure has retried already: one more layer of retries would multiply its attempts.
    Nearer,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered(Said),
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
    if matches!(outcome, Outcome::Answered(Said { spent: true, .. })) {
        Verdict::Stop(Stop::Nearer)
    } else if standing.made >= policy.retries {
        Verdict::Stop(Stop::Spent)
    } else if !standing.at_hand {
        Verdict::Stop(Stop::Body)
    } else {
        Verdict::Retry(wait(outcome, policy, standing))
    }
}

/// As long as the answer asks for, within the policy's bound; else the back-off.
fn wait(outcome: &Outcome, policy: &GenerationRetry, standing: &Standing<'_>) -> Wait {
    let random = (standing.random)();
    let said = if let Outcome::Answered(said) = outcome { said.wait } else { None };
    let fits = |wait: &Duration| policy.retry_after_max.is_some_and(|max| *wait <= max);
    if let Some(wanted) = said.filter(fits) {
        return Wait { time: asked(wanted, random), asked: Asked::Honoured };
    }
    let time = backoff(standing.made + 1, policy.backoff_base, policy.backoff_max, random);
    Wait { time, asked: if said.is_some() { Asked::TooLong } else { Asked::Nothing } }
}

/// The endpoint had closed an idle connection before it saw the request: nothing came back.
fn is_stale(outcome: &Outcome, standing: &Standing<'_>) -> bool {
    let ended = matches!(outcome, Outcome::Failed { kind: Kind::UpstreamClosed | Kind::UpstreamReset, .. });
    ended && standing.reused && standing.repeatable
}

/// Whether the policy names what happened. Endings that the client or a clock of the whole exchange brought about are
/// never named.
pub fn is_retriable(outcome: &Outcome, policy: &GenerationRetry) -> bool {
    use RetryOn::*;
    let on = |any: &[RetryOn]| policy.on.has(any);
    match outcome {
        Outcome::Answered(Said { status, rate_limited, grpc, header, .. }) => {
            (*status >= 500 && on(&[ServerError]))
                || (matches!(status, 502..=504) && on(&[GatewayError]))
                || (*status == 409 && on(&[RetriableClientError]))
                || (*rate_limited && on(&[EnvoyRatelimited]))
                || (on(&[RetriableStatusCodes]) && policy.status_codes.contains(status))
                || grpc.is_some_and(|word| on(&[word]))
                || (*header && on(&[RetriableHeaders]))
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
