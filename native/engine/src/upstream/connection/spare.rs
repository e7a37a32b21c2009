//! What the pool does where a cluster's connections are bounded: a connection that is not used goes to whoever waits for
//! one, be it on another thread.
//!
//! Nobody who waits is forgotten: he wakes the keeper of each thread that has ever had a connection to spare, and the
//! keeper runs on the thread that pools connections, so either the connection is in the pool when it looks, or whoever
//! pools it later sees that somebody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;

use super::connect::Upstream;
use super::pool::Pool;
use crate::upstream::limit::Gate;

/// Names the pools of a process.
static POOLS: AtomicU32 = AtomicU32::new(0);

/// A name for one more pool.
pub(super) fn next_thread() -> u32 {
    POOLS.fetch_add(1, Ordering::Relaxed)
}

impl Upstream {
    /// Whether somebody waits for a connection of this cluster.
    pub(super) fn is_wanted(&self) -> bool {
        self.gate().is_some_and(|gate| gate.is_wanted())
    }

    fn gate(&self) -> Option<&Arc<Gate>> {
        self.place.as_ref().map(|place| place.gate())
    }
}

impl Pool {
    /// A connection that would be pooled now: given back, unless somebody waits for one. Then it is handed to him if he
    /// can use it as it is, else closed, which makes room for his own.
    pub(super) fn part_with(&self, mut upstream: Upstream, keeper: &Waker) -> Option<Upstream> {
        let Some(gate) = upstream.gate().cloned() else { return Some(upstream) };
        if !upstream.keeper_told {
            gate.keep_told(self.thread(), keeper);
            upstream.keeper_told = true;
        }
        if !gate.is_wanted() {
            return Some(upstream);
        }
        if let Some(ticket) = gate.hand_over(self.thread(), upstream.endpoint.id) {
            self.aside().push((ticket, upstream));
        }
        None
    }

    /// What was laid aside for somebody.
    pub(in crate::upstream) fn claim(&self, ticket: u64) -> Option<Upstream> {
        let mut aside = self.aside();
        let place = aside.iter().position(|(of, _)| *of == ticket)?;
        Some(aside.swap_remove(place).1)
    }
}
