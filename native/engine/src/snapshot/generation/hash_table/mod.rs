//! Tables from a key's hash to an endpoint, made when the set of endpoints is made, off the traffic's threads.
//!
//! Invariant: a table depends on the endpoints' names and weights alone, not on their order, the process or the time, so
//! that each worker and each proxy, before and after a restart, sends a key to the same endpoint.

mod maglev;
mod ring;

use maglev::Maglev;
use ring::Ring;
use xxhash_rust::xxh64::xxh64;

/// Which table a cluster's balancer looks up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableKind {
    /// None: it does not hash.
    #[default]
    None,
    /// A ring of hashes.
    Ring {
        /// Least hashes on it.
        min: u32,
        /// Most hashes on it.
        max: u32,
    },
    /// Maglev's table.
    Maglev {
        /// Places, a prime number.
        size: u32,
    },
}

/// A table of one set.
#[derive(Default)]
pub enum HashTable {
    /// None: the balancer does not hash, or there is nothing to choose from.
    #[default]
    None,
    /// A ring of hashes.
    Ring(Ring),
    /// Maglev's table.
    Maglev(Maglev),
}

impl HashTable {
    /// The table of members with these names and weights, which have these indexes by their order.
    pub(super) fn new<'a>(kind: TableKind, members: impl Iterator<Item = (&'a str, u32)>) -> Self {
        if kind == TableKind::None {
            return Self::None;
        }
        let mut slots: Vec<Slot<'a>> = (0..).zip(members).map(|(index, member)| Slot::new(index, member)).collect();
        if slots.len() < 2 {
            return Self::None;
        }
        slots.sort_unstable_by(|one, other| (one.hash, one.name).cmp(&(other.hash, other.name)));
        match kind {
            TableKind::None => Self::None,
            TableKind::Ring { min, max } => Self::Ring(Ring::new(&slots, min, max)),
            TableKind::Maglev { size } => Self::Maglev(Maglev::new(&slots, size)),
        }
    }

    /// The index of the member that a hash belongs to.
    #[inline]
    pub fn holder(&self, hash: u64) -> Option<u32> {
        match self {
            Self::None => None,
            Self::Ring(ring) => ring.holder(hash),
            Self::Maglev(maglev) => maglev.holder(hash),
        }
    }
}

/// A member, as tables are made of it.
struct Slot<'a> {
    index: u16,
    name: &'a str,
    weight: u32,
    /// Of its name.
    hash: u64,
}

impl<'a> Slot<'a> {
    fn new(index: u32, (name, weight): (&'a str, u32)) -> Self {
        // A set has fewer than 65,536 members.
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        Self { index, name, weight: weight.max(1), hash: xxh64(name.as_bytes(), 0) }
    }
}

fn total(slots: &[Slot<'_>]) -> f64 {
    slots.iter().map(|slot| f64::from(slot.weight)).sum()
}
