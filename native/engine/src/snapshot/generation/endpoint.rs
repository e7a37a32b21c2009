//! An endpoint with its state, shared by all workers, generations and endpoint sets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use weft_rt::Addr;

use crate::telemetry::metrics::Latency;

/// An address with its statistics.
pub struct Endpoint {
    /// Dense and unique in the process: the index of its pool in each worker.
    pub id: u32,
    /// What its cluster knows it by: its address as text.
    pub name: String,
    /// Where it listens.
    pub address: Addr,
    /// The same for records.
    pub socket: SocketAddr,
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
    pub(super) fn new(id: u32, name: &str, socket: SocketAddr, unhealthy: &Arc<AtomicU32>) -> Self {
        Self {
            id,
            name: name.to_owned(),
            address: Addr::Tcp(socket),
            socket,
            active: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            server_errors: AtomicU64::new(0),
            latency: Latency::default(),
            condition: Condition { bits: AtomicU8::new(0), unhealthy: Arc::clone(unhealthy) },
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

/// Membership and health in one word, so that the cluster's count of unhealthy members is exact whoever changes which.
struct Condition {
    bits: AtomicU8,
    /// Of the cluster: members that are not healthy.
    unhealthy: Arc<AtomicU32>,
}

impl Condition {
    fn set(&self, bit: u8, on: bool) {
        let before =
            if on { self.bits.fetch_or(bit, Ordering::AcqRel) } else { self.bits.fetch_and(!bit, Ordering::AcqRel) };
        let after = if on { before | bit } else { before & !bit };
        let counts = |bits: u8| bits == MEMBER | UNHEALTHY;
        match (counts(before), counts(after)) {
            (false, true) => self.unhealthy.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.unhealthy.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

/// Where an endpoint runs and what it is labelled. Endpoints of one place share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Empty where nothing was said.
    pub region: String,
    /// Empty where nothing was said.
    pub zone: String,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_that_are_not_healthy_are_counted() {
        let unhealthy = Arc::new(AtomicU32::new(0));
        let endpoint = Endpoint::new(0, "127.0.0.1:80", ([127, 0, 0, 1], 80).into(), &unhealthy);
        let count = || unhealthy.load(Ordering::Relaxed);
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
