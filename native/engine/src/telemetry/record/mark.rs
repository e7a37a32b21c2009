//! What policies decided about an exchange: one bit for each, for `why` to put in words.

use serde::{Serialize, Serializer};

macro_rules! marks {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $words:literal;)*) => {
        /// A decision of a policy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Mark { $($(#[$doc])* $variant),* }

        impl Mark {
            /// Every mark, in the order of their bits.
            pub const ALL: &'static [Mark] = &[$(Mark::$variant),*];

            /// The name in JSON.
            pub const fn name(self) -> &'static str { match self { $(Mark::$variant => $name),* } }

            /// The decision in words.
            pub const fn words(self) -> &'static str { match self { $(Mark::$variant => $words),* } }
        }
    };
}

marks! {
    /// The ring's own: a text was cut or a header left out for room.
    Cut, "cut", "a text of this record was too long and was cut";
    /// An attempt was made again on a fresh connection, because the reused one turned out to be closed.
    Replayed, "replayed", "a reused connection turned out to be closed, so the request went out again on a fresh one";
    /// The retry policy asked for another attempt and had none left.
    RetriesSpent, "retries-spent", "the route's retries were spent";
    /// The retry budget refused another attempt.
    RetryBudgetSpent, "retry-budget-spent", "the cluster's retry budget had no room for another attempt";
    /// The request's body was too long to be sent again.
    BodyNotRepeatable, "body-not-repeatable", "the request's body could not be sent again: it was longer than `maxBodyBytes`";
    /// The exchange would have been over before another attempt began.
    RetryTooLate, "retry-too-late", "the route's `timeout` would have been over before another attempt began";
    /// A proxy nearer to the failure had retried already.
    RetriedNearer, "retried-nearer", "a proxy nearer to the failure had retried already, so it was not retried here";
    /// `maxRequests` of the circuit breaker was reached.
    RequestsOverflow, "requests-overflow", "the circuit breaker's `maxRequests` was reached";
    /// `maxPending` of the circuit breaker was reached.
    PendingOverflow, "pending-overflow", "the circuit breaker's `maxPending` was reached";
    /// `maxConnections` of the circuit breaker was reached.
    ConnectionsOverflow, "connections-overflow", "the circuit breaker's `maxConnections` was reached";
    /// A rate limit refused the request.
    RateLimited, "rate-limited", "a rate limit refused the request";
    /// A rate limit in shadow mode would have refused the request.
    RateLimitShadowed, "rate-limit-shadowed", "a rate limit in shadow mode would have refused the request";
    /// A rate limit had the request wait for its turn.
    RateLimitPaced, "rate-limit-paced", "a rate limit had the request wait for its turn";
    /// The adaptive bound on the cluster's requests was reached.
    ConcurrencyLimited, "concurrency-limited", "the cluster's adaptive concurrency allowed no more requests at that moment";
    /// The proxy was overloaded, and the request one of those that go first.
    Shed, "shed", "the proxy was overloaded and refused the request";
    /// The route's fallback answered.
    Fallback, "fallback", "the route's fallback answered in place of the failure";
    /// The route answered by itself: a direct response or a redirect.
    Answered, "answered", "the route answered by itself, without a cluster";
    /// The balancer used endpoints that it holds for unhealthy, for want of healthy ones.
    Panic, "panic", "too few endpoints were healthy, so unhealthy ones were used as well";
    /// An endpoint of a lower priority was picked.
    LowerPriority, "lower-priority", "endpoints of the first priority were short of health, or all tried, so a lower priority took it";
    /// An endpoint outside of the own zone was picked.
    CrossZone, "cross-zone", "the proxy's own zone has too few healthy endpoints, so another zone took it";
    /// The subset that was asked for has no endpoint.
    SubsetFallback, "subset-fallback", "no endpoint is in the subset that the route asks for, so `subsets.fallback` decided";
    /// Nobody was up but degraded endpoints.
    Degraded, "degraded", "no endpoint was up but degraded ones, so one of them was used";
    /// The endpoint of the request's key had its bounded load.
    LoadBounded, "load-bounded", "the endpoint that the request's key belongs to was over `boundedLoad`, so another one took it";
    /// The request got a cookie that keeps the ones after it together.
    CookieIssued, "cookie-issued", "the request had no cookie to be kept together by, so its answer sets one";
    /// The breaker of the endpoint is open, and this request tried it.
    Probe, "probe", "the endpoint's breaker was open, and this request was the one that tried whether it may close";
    /// The breakers of all endpoints are open.
    BreakersOpen, "breakers-open", "the breakers of all endpoints were open, so the request was refused at once";
    /// The trace is sampled.
    Sampled, "sampled", "the trace is sampled";
    /// A retry waited for as long as the endpoint had asked.
    RetryAfterHonoured, "retry-after-honoured", "the endpoint said when to come back, and the retry waited for that";
    /// The endpoint asked for a longer wait than the policy grants.
    RetryAfterTooLong, "retry-after-too-long", "the endpoint asked for a longer wait than `retryAfter.max`, so the retry waited as usual";
    /// The caller said where its request goes.
    Overridden, "overridden", "the caller's `l5d-dtab` said where the request goes";
    /// What the caller said of its request's way was removed.
    OverrideIgnored, "override-ignored", "a lane or an `l5d-dtab` of a caller that is not trusted was removed";
    /// A copy of the request went to a mirror.
    Mirrored, "mirrored", "a copy of the request went to a mirror of the route";
    /// Fault injection let the request wait.
    FaultDelayed, "fault-delayed", "the route's `fault` let the request wait";
    /// Fault injection answered.
    FaultAborted, "fault-aborted", "the route's `fault` answered in the place of the service";
    /// Fault injection slowed the answer down.
    FaultThrottled, "fault-throttled", "the route's `fault` slowed the answer down";
    /// The fault has outlived its time to live.
    FaultOver, "fault-over", "the route's `fault` was not injected: its `ttl` is over";
    /// The hop before has said what the request may cost.
    BudgetHonoured, "budget-honoured", "the hop before said in `x-weft-budget` how long it waits and how many retries are left";
    /// A budget that no key signs.
    BudgetForged, "budget-forged", "an `x-weft-budget` that no known key has signed was ignored";
    /// A budget that was seen before.
    BudgetReplayed, "budget-replayed", "an `x-weft-budget` that had been used before was ignored";
    /// A budget of another time.
    BudgetExpired, "budget-expired", "an `x-weft-budget` that was written too long ago was ignored";
    /// A second attempt was made beside the first.
    Hedged, "hedged", "the answer took longer than most of the cluster's do, so a second attempt went out beside the first";
    /// The second attempt was answered first.
    HedgeWon, "hedge-won", "the second attempt was answered first";
    /// There was no room for a second attempt.
    HedgeCapped, "hedge-capped", "no second attempt went out: the cluster had made as many as `hedge.maxExtraPercent` allows";
    /// The request may cause no more retries.
    AllowanceSpent, "allowance-spent", "the budget that goes along with the request had no retry left";
}

/// The decisions about one exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u64);

const _: () = assert!(Mark::ALL.len() <= 64, "marks are bits of a u64");

impl Marks {
    /// Adds one.
    pub fn set(&mut self, mark: Mark) {
        self.0 |= 1 << mark as u8;
    }

    /// Whether it is among them.
    pub fn has(self, mark: Mark) -> bool {
        self.0 >> mark as u8 & 1 == 1
    }

    /// All that are set.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        Mark::ALL.iter().copied().filter(move |mark| self.has(*mark))
    }
}

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Mark::name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_written_as_their_names_in_one_order() {
        let mut marks = Marks::default();
        marks.set(Mark::Fallback);
        marks.set(Mark::Replayed);
        assert_eq!(serde_json::to_value(marks).unwrap(), serde_json::json!(["replayed", "fallback"]));
        assert!(marks.has(Mark::Fallback) && !marks.has(Mark::Cut));
    }
}
