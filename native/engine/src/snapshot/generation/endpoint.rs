//! An endpoint with its state, shared by all workers, generations and endpoint sets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::destination::{Destination, Reach};
use super::health::{Finding, Health};
use super::idle_age::IdleAge;
use crate::record::Address;

use crate::telemetry::metrics::Latency;

/// An address with its statistics.
pub struct Endpoint {
    /// Dense and unique in the process: the index of its pool in each worker.
    pub id: u32,
    /// What its cluster knows it by: its address as text, or the name that stands for several.
    pub name: String,
    /// Where it listens.
    pub destination: Destination,
    /// The same for records, where it is one address.
    pub recorded: Address,
    /// What its health check says.
    pub health: Health,
    /// When it closes idle connections.
    pub idle_age: IdleAge,
    /// Exchanges under way.
    pub active: AtomicU32,
    /// Attempts so far.
    pub requests: AtomicU64,
    /// Attempts that ended without a whole answer.
    pub failures: AtomicU64,
    /// Connections open to it.
    pub connections: AtomicU32,
    /// Answers with a status of 500 or above.
    pub server_errors: AtomicU64,
    /// From the begin of an attempt to the answer's first byte.
    pub latency: Latency,
    condition: Condition,
}

impl Endpoint {
    pub(super) fn new(id: u32, name: &str, reach: Reach, counts: &Arc<Counts>) -> Self {
        let destination = Destination::from(reach);
        Self {
            id,
            name: name.to_owned(),
            recorded: destination.recorded(),
            destination,
            health: Health::default(),
            idle_age: IdleAge::default(),
            active: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            server_errors: AtomicU64::new(0),
            latency: Latency::default(),
            condition: Condition { bits: AtomicU8::new(0), counts: Arc::clone(counts) },
        }
    }

    /// What stands in `host` where the client named nothing. A path is no host.
    pub fn authority(&self) -> &str {
        if self.name.starts_with("unix:") { "localhost" } else { &self.name }
    }

    /// A health check found this.
    pub fn found(&self, finding: Finding) {
        self.health.set(finding);
        self.set_healthy(finding.is_usable());
    }

    /// Checks begin. What earlier ones found stays until the first result.
    pub fn begin_checks(&self) {
        if self.health.finding() == Finding::Unchecked {
            self.found(Finding::Pending);
        }
    }

    /// A connection was refused: nobody listens there. Where checks can tell when that is over, that is believed at once.
    pub fn refused(&self) {
        if self.health.finding() == Finding::Healthy {
            self.found(Finding::Unhealthy);
        }
    }

    /// Whether requests should go there.
    pub fn is_healthy(&self) -> bool {
        self.condition.bits.load(Ordering::Relaxed) & UNHEALTHY == 0
    }

    /// What a health check found. Any thread; in force with the next pick.
    pub fn set_healthy(&self, healthy: bool) {
        self.condition.set(UNHEALTHY, !healthy);
    }

    /// Whether its cluster has it now. An endpoint that went lives on while an exchange or a connection needs it.
    pub fn is_member(&self) -> bool {
        self.condition.bits.load(Ordering::Relaxed) & MEMBER != 0
    }

    pub(super) fn set_member(&self, member: bool) {
        self.condition.set(MEMBER, member);
    }
}

const MEMBER: u8 = 1;
const UNHEALTHY: u8 = 2;

/// What a cluster knows of its members' condition as a whole.
#[derive(Default)]
pub(super) struct Counts {
    /// Members that are not healthy.
    unhealthy: AtomicU32,
    /// Grows whenever that becomes one more or less.
    changes: AtomicU64,
}

impl Counts {
    pub(super) fn unhealthy(&self) -> u32 {
        self.unhealthy.load(Ordering::Relaxed)
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

/// Membership and health in one word, so that the cluster's count of unhealthy members is exact whoever changes which.
struct Condition {
    bits: AtomicU8,
    counts: Arc<Counts>,
}

impl Condition {
    fn set(&self, bit: u8, on: bool) {
        let before =
            if on { self.bits.fetch_or(bit, Ordering::AcqRel) } else { self.bits.fetch_and(!bit, Ordering::AcqRel) };
        let after = if on { before | bit } else { before & !bit };
        let counts = |bits: u8| bits == MEMBER | UNHEALTHY;
        match (counts(before), counts(after)) {
            (false, true) => self.counts.unhealthy.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.counts.unhealthy.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        // After the bits: who sees the number sees them.
        self.counts.changes.fetch_add(1, Ordering::Release);
    }
}

/// Where an endpoint runs, when its turn comes and what it is labelled. Endpoints of one place share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Empty where nothing was said.
    pub region: String,
    /// Empty where nothing was said.
    pub zone: String,
    /// 0 comes first; the others when those before are short of health.
    pub priority: u32,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_that_are_not_healthy_are_counted() {
        let counts = Arc::new(Counts::default());
        let endpoint =
            Endpoint::new(0, "127.0.0.1:80", Reach::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80))), &counts);
        let count = || counts.unhealthy();
        endpoint.set_healthy(false);
        assert_eq!((endpoint.is_healthy(), count()), (false, 0));
        endpoint.set_member(true);
        endpoint.set_healthy(false);
        assert_eq!(count(), 1);
        endpoint.set_member(false);
        assert_eq!((endpoint.is_member(), count()), (false, 0));
        endpoint.set_member(true);
        endpoint.set_healthy(true);
        assert_eq!((endpoint.is_healthy(), count()), (true, 0));
    }
}
