//! What can go wrong with an exchange: a closed list of kinds. Status, flag and wording belong to
//! [`respond`](crate::exchange::respond).

use std::io;

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The client.
    Downstream,
    /// The endpoint.
    Upstream,
    /// This proxy: its configuration or its limits.
    Internal,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be understood or is refused as written; carries its status.
    Refused(u16),
    /// The head did not come in time.
    HeadersTimeout,
    /// The client closed or reset the connection.
    DownstreamGone,
    /// No route takes the request.
    NoRoute,
    /// The cluster has no endpoint to send to.
    NoHealthyUpstream,
    /// No connection could be made.
    ConnectFailed,
    /// No connection could be made in time.
    ConnectTimeout,
    /// The endpoint closed the connection before its answer's head was whole.
    UpstreamClosed,
    /// The endpoint reset the connection before its answer's head was whole.
    UpstreamReset,
    /// The endpoint's answer breaks the protocol.
    UpstreamMalformed,
    /// The endpoint ended amid its answer's body.
    UpstreamTruncated,
    /// The answer's first byte did not come in time.
    FirstByteTimeout,
    /// The exchange as a whole took too long.
    ExchangeTimeout,
    /// No byte moved for too long.
    StreamIdle,
    /// A bound of this proxy is reached.
    Overflow,
    /// A panic or a broken invariant.
    Internal,
    /// A rate limit refuses the request; carries its status.
    RateLimited(u16),
    /// One attempt took longer than the retry policy gives it.
    TryTimeout,
    /// The name that stands for the cluster's endpoints has never resolved.
    DnsFailed,
    /// A filter failed, and its policy ends the exchange.
    FilterFailed,
    /// The cluster has no endpoint in the subset that is asked for.
    NoSubset,
    /// The proxy is overloaded.
    Overloaded,
    /// The cluster's adaptive bound on requests is reached.
    ConcurrencyLimited,
    /// The breakers of all endpoints are open.
    BreakersOpen,
    /// Fault injection answers; carries its status.
    FaultInjected(u16),
    /// The time that the caller gave the request is over.
    DeadlinePassed,
    /// An attempt beside it was answered first. Only in records: no exchange fails of it.
    Overtaken,
    /// What a caller says of its request's way cannot be followed.
    Override,
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 28] = [
        Self::Refused(400),
        Self::HeadersTimeout,
        Self::DownstreamGone,
        Self::NoRoute,
        Self::NoHealthyUpstream,
        Self::ConnectFailed,
        Self::ConnectTimeout,
        Self::UpstreamClosed,
        Self::UpstreamReset,
        Self::UpstreamMalformed,
        Self::UpstreamTruncated,
        Self::FirstByteTimeout,
        Self::ExchangeTimeout,
        Self::StreamIdle,
        Self::Overflow,
        Self::Internal,
        Self::RateLimited(429),
        Self::TryTimeout,
        Self::DnsFailed,
        Self::FilterFailed,
        Self::NoSubset,
        Self::Overloaded,
        Self::ConcurrencyLimited,
        Self::BreakersOpen,
        Self::FaultInjected(503),
        Self::DeadlinePassed,
        Self::Overtaken,
        Self::Override,
    ];

    /// The kind of a record's number; `None` for 0 and for numbers of no kind.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// What happened, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Refused(_) => "the request was refused as written",
            Self::HeadersTimeout => "the request's head did not come in time",
            Self::DownstreamGone => "the client gave up",
            Self::NoRoute => "no route took the request",
            Self::NoHealthyUpstream => "the cluster had no endpoint to send to",
            Self::ConnectFailed => "no connection could be made",
            Self::ConnectTimeout => "no connection could be made in time",
            Self::UpstreamClosed => "the endpoint closed the connection before its answer",
            Self::UpstreamReset => "the endpoint reset the connection before its answer",
            Self::UpstreamMalformed => "the endpoint's answer broke the protocol",
            Self::UpstreamTruncated => "the endpoint ended amid its answer",
            Self::FirstByteTimeout => "the answer's first byte did not come in time",
            Self::ExchangeTimeout => "the exchange took too long",
            Self::StreamIdle => "no byte moved for too long",
            Self::Overflow => "a limit was reached",
            Self::Internal => "the proxy failed",
            Self::RateLimited(_) => "a rate limit refused the request",
            Self::TryTimeout => "the attempt took longer than its retry policy gives it",
            Self::DnsFailed => "the name of the cluster has never resolved",
            Self::FilterFailed => "a filter failed",
            Self::NoSubset => "the cluster had no endpoint in the subset",
            Self::Overloaded => "the proxy was overloaded",
            Self::ConcurrencyLimited => "the cluster had as many requests as its latency allows",
            Self::BreakersOpen => "the breakers of all endpoints were open",
            Self::FaultInjected(_) => "a fault was injected",
            Self::DeadlinePassed => "the time that the caller gave the request was over",
            Self::Overtaken => "the attempt beside it was answered first",
            Self::Override => "what the caller says of the request's way cannot be followed",
        }
    }

    /// The number that stands for it in records; 0 means none.
    pub fn number(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::HeadersTimeout => 2,
            Self::DownstreamGone => 3,
            Self::NoRoute => 4,
            Self::NoHealthyUpstream => 5,
            Self::ConnectFailed => 6,
            Self::ConnectTimeout => 7,
            Self::UpstreamClosed => 8,
            Self::UpstreamReset => 9,
            Self::UpstreamMalformed => 10,
            Self::UpstreamTruncated => 11,
            Self::FirstByteTimeout => 12,
            Self::ExchangeTimeout => 13,
            Self::StreamIdle => 14,
            Self::Overflow => 15,
            Self::Internal => 16,
            Self::RateLimited(_) => 17,
            Self::TryTimeout => 18,
            Self::DnsFailed => 19,
            Self::FilterFailed => 20,
            Self::NoSubset => 32,
            Self::Overloaded => 21,
            Self::ConcurrencyLimited => 22,
            Self::BreakersOpen => 24,
            Self::FaultInjected(_) => 29,
            Self::DeadlinePassed => 26,
            Self::Overtaken => 27,
            Self::Override => 30,
        }
    }
}

/// A failed exchange or attempt.
#[derive(Clone, Copy, Debug)]
pub struct Error {
    /// What happened.
    pub kind: Kind,
    /// One plain sentence, lower case; shown to the client and in the log.
    pub detail: &'static str,
    /// The system's word for it.
    pub cause: Option<io::ErrorKind>,
}

impl Error {
    /// A request whose body is longer than its listener takes.
    pub const BODY_TOO_LARGE: Self =
        Self::new(Kind::Refused(413), "the request's body is longer than the listener's `maxRequestBytes`");

    /// A failure without a system error behind it.
    pub const fn new(kind: Kind, detail: &'static str) -> Self {
        Self { kind, detail, cause: None }
    }

    /// A failure that a system call reported.
    pub fn io(kind: Kind, detail: &'static str, error: &io::Error) -> Self {
        Self { kind, detail, cause: Some(error.kind()) }
    }

    /// Who is at fault.
    pub fn source(&self) -> Source {
        match self.kind {
            Kind::Refused(_) | Kind::HeadersTimeout | Kind::DownstreamGone | Kind::RateLimited(_) | Kind::Override => {
                Source::Downstream
            }
            Kind::NoRoute
            | Kind::NoHealthyUpstream
            | Kind::Overflow
            | Kind::Internal
            | Kind::Overtaken
            | Kind::DnsFailed
            | Kind::FilterFailed
            | Kind::NoSubset
            | Kind::Overloaded
            | Kind::ConcurrencyLimited
            | Kind::BreakersOpen
            | Kind::FaultInjected(_) => Source::Internal,
            Kind::ConnectFailed
            | Kind::ConnectTimeout
            | Kind::UpstreamClosed
            | Kind::UpstreamReset
            | Kind::UpstreamMalformed
            | Kind::UpstreamTruncated
            | Kind::FirstByteTimeout
            | Kind::TryTimeout
            | Kind::ExchangeTimeout
            | Kind::DeadlinePassed
            | Kind::StreamIdle => Source::Upstream,
        }
    }
}

impl From<crate::http::parse::Refusal> for Error {
    fn from(refusal: crate::http::parse::Refusal) -> Self {
        Self::new(Kind::Refused(refusal.status), refusal.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn a_kind_is_found_by_its_number() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_number(kind.number()), Some(kind));
        }
        assert_eq!((Kind::of_number(0), Kind::of_number(200)), (None, None));
    }
}
