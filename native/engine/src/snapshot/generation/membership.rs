//! A cluster's endpoints as of now: the place where a new [`EndpointSet`] is put and from which workers take it.
//!
//! Process-wide and keyed by the cluster's name, so that a set changes without a new generation. Workers keep the set
//! they took and compare one number per pick; nothing is locked or counted while nothing changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::condition::Tally;
use super::endpoint_set::EndpointSet;
use crate::telemetry::events::Teller;
use crate::upstream::cluster::{Ejections, Trips};

/// The endpoints of a cluster as of now.
pub struct Membership {
    /// Dense and unique in the proxy: the place of its set in each worker.
    pub id: u32,
    number: AtomicU64,
    current: Mutex<Arc<EndpointSet>>,
    tally: Arc<Tally>,
    ejections: Ejections,
    trips: Trips,
    teller: Teller,
    /// Of a set that is not divided.
    pub turns: Turns,
    /// Exchanges under way, where a balancer bounds them by their sum.
    load: Arc<AtomicU32>,
    changed_unix_us: AtomicU64,
}

/// Whose turn it is, over all workers. Written with each pick in turn: on a cache line of its own, or every reader of the
/// numbers beside it would lose theirs.
#[derive(Default)]
#[repr(align(128))]
pub struct Turns(AtomicU64);

impl Turns {
    /// The next one.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Membership {
    pub(super) fn new(id: u32, tally: Arc<Tally>, teller: Teller) -> Self {
        Self {
            id,
            number: AtomicU64::new(0),
            current: Mutex::default(),
            tally,
            ejections: Ejections::new(&teller),
            trips: Trips::new(&teller),
            teller,
            turns: Turns::default(),
            load: Arc::default(),
            changed_unix_us: AtomicU64::new(0),
        }
    }

    /// The number of the set in force; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// The set in force.
    pub fn set(&self) -> Arc<EndpointSet> {
        Arc::clone(&self.current.lock())
    }

    pub(super) fn publish(&self, set: EndpointSet) {
        let number = set.number;
        let before = std::mem::replace(&mut *self.current.lock(), Arc::new(set));
        self.changed_unix_us.store(weft_rt::unix_micros(), Ordering::Relaxed);
        self.number.store(number, Ordering::Release);
        drop(before);
    }

    /// How many members are in which condition.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Exchanges under way at all its endpoints, over all workers. Counted by picks whose balancer asks for it.
    pub fn load(&self) -> &Arc<AtomicU32> {
        &self.load
    }

    /// Who of its endpoints was put out.
    pub fn ejections(&self) -> &Ejections {
        &self.ejections
    }

    /// Whose breaker is open.
    pub fn trips(&self) -> &Trips {
        &self.trips
    }

    /// Tells what happens to its endpoints.
    pub fn teller(&self) -> &Teller {
        &self.teller
    }

    /// When the set in force came, µs since 1970: indexes noted before that may mean others now.
    pub fn changed_unix_us(&self) -> u64 {
        self.changed_unix_us.load(Ordering::Relaxed)
    }
}
