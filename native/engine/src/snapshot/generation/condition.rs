//! What speaks for and against sending requests to an endpoint, in one byte, and how many members of a cluster each of it
//! concerns: exact, whoever changes what.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering};

/// Bits of a condition.
pub mod bit {
    /// Its cluster has it.
    pub const MEMBER: u8 = 1;
    /// Its health check fails.
    pub const UNHEALTHY: u8 = 2;
    /// Outlier detection has put it out for a time.
    pub const EJECTED: u8 = 4;
    /// Its breaker is open.
    pub const TRIPPED: u8 = 8;
    /// It says itself that others should be asked first.
    pub const DEGRADED: u8 = 16;

    /// Each of these keeps requests away.
    pub const DOWN: u8 = UNHEALTHY | EJECTED | TRIPPED;
}

use bit::{DEGRADED, DOWN, EJECTED, MEMBER, TRIPPED};

/// How many of some endpoints are in which condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headcount {
    /// Get no requests.
    pub down: u32,
    /// Are degraded and not down.
    pub degraded: u32,
    /// Have an open breaker.
    pub tripped: u32,
}

impl Headcount {
    /// One more, with this condition.
    pub fn add(&mut self, bits: u8) {
        self.down += u32::from(bits & DOWN != 0);
        self.degraded += u32::from(bits & (DOWN | DEGRADED) == DEGRADED);
        self.tripped += u32::from(bits & TRIPPED != 0);
    }

    /// Of so many, those with nothing against them.
    pub fn healthy(&self, total: u32) -> u32 {
        total.saturating_sub(self.down + self.degraded)
    }
}

/// How many members of a cluster are in which condition.
#[derive(Default)]
pub struct Tally {
    down: AtomicI32,
    ejected: AtomicI32,
    tripped: AtomicI32,
    degraded: AtomicI32,
    changes: AtomicU64,
}

impl Tally {
    /// The counts that a pick asks for.
    pub fn headcount(&self) -> Headcount {
        Headcount { down: self.down(), degraded: self.degraded(), tripped: self.tripped() }
    }

    /// Members that get no requests: unhealthy, ejected or tripped.
    pub fn down(&self) -> u32 {
        read(&self.down)
    }

    /// Members that outlier detection has put out.
    pub fn ejected(&self) -> u32 {
        read(&self.ejected)
    }

    /// Members whose breaker is open.
    pub fn tripped(&self) -> u32 {
        read(&self.tripped)
    }

    /// Members that are degraded and not down.
    pub fn degraded(&self) -> u32 {
        read(&self.degraded)
    }

    /// Grows with each change of a condition, after it.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// A condition has changed from one to another.
    fn turned(&self, before: u8, after: u8) {
        let turn = |count: &AtomicI32, was: bool, is: bool| match (was, is) {
            (false, true) => count.fetch_add(1, Ordering::Relaxed),
            (true, false) => count.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        let is = |bits: u8, any: u8| bits & MEMBER != 0 && bits & any != 0;
        for (count, any) in [(&self.down, DOWN), (&self.ejected, EJECTED), (&self.tripped, TRIPPED)] {
            turn(count, is(before, any), is(after, any));
        }
        let is_degraded = |bits: u8| is(bits, DEGRADED) && bits & DOWN == 0;
        turn(&self.degraded, is_degraded(before), is_degraded(after));
        self.changes.fetch_add(1, Ordering::Release);
    }
}

/// Two who turn the same bit at once may count in the other order: for that moment there would be fewer than none.
fn read(count: &AtomicI32) -> u32 {
    u32::try_from(count.load(Ordering::Relaxed)).unwrap_or(0)
}

/// The condition of an endpoint.
pub(super) struct Condition {
    bits: AtomicU8,
    /// Of its cluster.
    tally: Arc<Tally>,
}

impl Condition {
    pub(super) fn new(tally: &Arc<Tally>) -> Self {
        Self { bits: AtomicU8::new(0), tally: Arc::clone(tally) }
    }

    pub(super) fn bits(&self) -> u8 {
        self.bits.load(Ordering::Relaxed)
    }

    /// Something has changed that no bit says.
    pub(super) fn turned(&self) {
        self.tally.changes.fetch_add(1, Ordering::Release);
    }

    /// Whether that was not so before.
    pub(super) fn set(&self, bit: u8, on: bool) -> bool {
        let before =
            if on { self.bits.fetch_or(bit, Ordering::AcqRel) } else { self.bits.fetch_and(!bit, Ordering::AcqRel) };
        let after = if on { before | bit } else { before & !bit };
        if before != after {
            self.tally.turned(before, after);
        }
        before != after
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::bit::UNHEALTHY;
    use super::*;

    proptest! {
        #[test]
        fn members_are_counted_by_their_conditions_whatever_happened_before(
            turns in prop::collection::vec((0..3_usize, 0..5_u8, any::<bool>()), 0..60),
        ) {
            let tally = Arc::new(Tally::default());
            let all: Vec<Condition> = (0..3).map(|_| Condition::new(&tally)).collect();
            for (who, bit, on) in turns {
                let (before, changes) = (all[who].bits(), tally.changes());
                prop_assert_eq!(all[who].set(1 << bit, on), all[who].bits() != before);
                prop_assert_eq!(tally.changes() > changes, all[who].bits() != before);
            }
            let count = |wanted: fn(u8) -> bool| {
                let members = all.iter().map(Condition::bits).filter(|bits| bits & MEMBER != 0);
                members.filter(|bits| wanted(*bits)).count() as u32
            };
            prop_assert_eq!(tally.down(), count(|bits| bits & (UNHEALTHY | EJECTED | TRIPPED) != 0));
            prop_assert_eq!(tally.ejected(), count(|bits| bits & EJECTED != 0));
            prop_assert_eq!(tally.tripped(), count(|bits| bits & TRIPPED != 0));
            prop_assert_eq!(tally.degraded(), count(|bits| bits & DEGRADED != 0 && bits & DOWN == 0));
        }
    }
}
