//! Why a transfer ended early, and what that means for the exchange.

use std::io;

use crate::error::{Error, Kind};

/// Why a transfer ended early.
#[derive(Debug)]
pub enum Broken {
    /// Reading failed.
    Source(io::Error),
    /// The source ended amid its body.
    Truncated,
    /// The source's framing is malformed.
    Malformed(&'static str),
    /// The body is longer than its bound.
    TooLarge,
    /// A filter failed, or ended the exchange.
    Filter(Error),
    /// Writing failed.
    Sink(io::Error),
}

impl Broken {
    /// The error of a request whose own bytes failed.
    pub fn in_request(&self) -> Error {
        match self {
            Self::Malformed(reason) => Error::new(Kind::Refused(400), reason),
            Self::TooLarge => Error::BODY_TOO_LARGE,
            Self::Filter(error) => *error,
            Self::Source(error) | Self::Sink(error) => {
                Error::io(Kind::DownstreamGone, "the client's connection failed", error)
            }
            Self::Truncated => Error::new(Kind::DownstreamGone, "the client closed amid its request"),
        }
    }

    /// The error of an answer on its way back.
    pub fn in_answer(&self) -> Error {
        match self {
            Self::Source(error) => {
                Error::io(Kind::UpstreamTruncated, "the endpoint's connection failed amid its answer", error)
            }
            Self::Truncated => Error::new(Kind::UpstreamTruncated, "the endpoint closed amid its answer"),
            Self::Malformed(reason) => Error::new(Kind::UpstreamMalformed, reason),
            Self::TooLarge => Error::new(Kind::Internal, "an answer has no bound"),
            Self::Filter(error) => *error,
            Self::Sink(error) => Error::io(Kind::DownstreamGone, "the client's connection failed", error),
        }
    }
}
