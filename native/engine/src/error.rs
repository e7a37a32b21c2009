//! What can go wrong with an exchange: a closed list of kinds. Status, flag and wording belong to [`crate::respond`].

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
}

impl Kind {
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
            Kind::Refused(_) | Kind::HeadersTimeout | Kind::DownstreamGone => Source::Downstream,
            Kind::NoRoute | Kind::NoHealthyUpstream | Kind::Overflow | Kind::Internal => Source::Internal,
            Kind::ConnectFailed
            | Kind::ConnectTimeout
            | Kind::UpstreamClosed
            | Kind::UpstreamReset
            | Kind::UpstreamMalformed
            | Kind::UpstreamTruncated
            | Kind::FirstByteTimeout
            | Kind::ExchangeTimeout
            | Kind::StreamIdle => Source::Upstream,
        }
    }
}

impl From<crate::http::parse::Refusal> for Error {
    fn from(refusal: crate::http::parse::Refusal) -> Self {
        Self::new(Kind::Refused(refusal.status), refusal.reason)
    }
}
