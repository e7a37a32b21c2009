//! A retry policy, compiled.

use std::time::Duration;

use crate::route::Condition;
use crate::snapshot::RetryOn;

/// A retry policy, compiled.
#[derive(Clone, Debug)]
pub struct GenerationRetry {
    /// Attempts after the first one.
    pub retries: u32,
    /// What is retried.
    pub on: RetryConditions,
    /// Statuses that [`RetryOn::RetriableStatusCodes`] means.
    pub status_codes: Box<[u16]>,
    /// What [`RetryOn::RetriableHeaders`] means: one of them passes.
    pub retriable_headers: Box<[Condition]>,
    /// The longest wait that an answer may ask for; `None`: it is not read.
    pub retry_after_max: Option<Duration>,
    /// Longest time of one attempt.
    pub per_try_timeout: Option<Duration>,
    /// The wait before the first retry is random below this.
    pub backoff_base: Duration,
    /// No wait is longer.
    pub backoff_max: Duration,
    /// Another endpoint is preferred to one that was tried.
    pub avoid_previous_endpoints: bool,
    /// A longer body is not kept.
    pub max_body_bytes: usize,
}

/// A set of [`RetryOn`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryConditions(u16);

impl RetryConditions {
    /// Whether one of them is in the set.
    pub fn has(self, any: &[RetryOn]) -> bool {
        any.iter().any(|one| self.0 & Self::bit(*one) != 0)
    }

    fn bit(one: RetryOn) -> u16 {
        1 << one as u16
    }
}

impl FromIterator<RetryOn> for RetryConditions {
    fn from_iter<I: IntoIterator<Item = RetryOn>>(all: I) -> Self {
        Self(all.into_iter().map(Self::bit).fold(0, |set, bit| set | bit))
    }
}
