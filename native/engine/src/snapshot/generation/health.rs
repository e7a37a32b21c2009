//! What an endpoint's active health check has found. Written by the cold thread; each pick reads the one bit that comes
//! of it, [`super::Endpoint::is_healthy`].

use std::sync::atomic::{AtomicU8, Ordering};

/// What the check has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Finding {
    /// Nobody checks: it counts as healthy.
    Unchecked = 0,
    /// The checks succeed.
    Healthy = 1,
    /// The checks fail.
    Unhealthy = 2,
    /// No check has ended yet. One that is known to be healthy goes before it.
    Pending = 3,
}

impl Finding {
    /// Whether the endpoint should get requests.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Unchecked | Self::Healthy)
    }

    /// The word for it in statistics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Pending => "pending",
        }
    }
}

/// The state of an endpoint's health.
#[derive(Default)]
pub struct Health(AtomicU8);

impl Health {
    /// What is known.
    pub fn finding(&self) -> Finding {
        match self.0.load(Ordering::Relaxed) {
            0 => Finding::Unchecked,
            1 => Finding::Healthy,
            2 => Finding::Unhealthy,
            _ => Finding::Pending,
        }
    }

    /// Writes what was found.
    pub fn set(&self, finding: Finding) {
        self.0.store(finding as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_healthy_or_unchecked_gets_requests() {
        let health = Health::default();
        assert!(health.finding().is_usable());
        for (finding, usable) in [(Finding::Healthy, true), (Finding::Unhealthy, false), (Finding::Pending, false)] {
            health.set(finding);
            assert_eq!((health.finding(), health.finding().is_usable()), (finding, usable));
        }
    }
}
