//! What is answered in place of a failure.

use crate::error::Kind;
use crate::http::direct::Direct;
use crate::snapshot::FallbackCause;

/// What is answered in place of a failure that came before the answer began.
#[derive(Debug)]
pub struct Fallback {
    /// For these.
    pub on: Box<[FallbackCause]>,
    /// This.
    pub direct: Direct,
}

impl Fallback {
    /// Whether a failure is one that it stands in for.
    pub fn covers(&self, kind: Kind) -> bool {
        let cause = match kind {
            Kind::NoHealthyUpstream | Kind::DnsFailed => FallbackCause::NoHealthyUpstream,
            Kind::Overflow | Kind::ConcurrencyLimited => FallbackCause::Overflow,
            Kind::FirstByteTimeout | Kind::TryTimeout | Kind::ExchangeTimeout => FallbackCause::Timeout,
            Kind::ConnectFailed | Kind::ConnectTimeout => FallbackCause::ConnectFailure,
            Kind::UpstreamClosed | Kind::UpstreamReset => FallbackCause::Reset,
            _ => return false,
        };
        self.on.contains(&cause)
    }
}
