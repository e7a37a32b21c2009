//! A worker's own part in picking: the endpoint sets it took last, and its random numbers.

use std::cell::RefCell;
use std::sync::Arc;

use fastrand::Rng;

use crate::snapshot::{EndpointSet, Membership};

/// A worker's endpoint sets and random numbers.
pub struct Picker {
    state: RefCell<State>,
}

struct State {
    /// By [`Membership::id`].
    sets: Vec<Arc<EndpointSet>>,
    none: Arc<EndpointSet>,
    random: Rng,
}

impl Picker {
    /// With random numbers of its own.
    pub fn new() -> Self {
        Self::with_seed(fastrand::u64(..))
    }

    /// With random numbers that can be repeated.
    pub fn with_seed(seed: u64) -> Self {
        Self { state: RefCell::new(State { sets: Vec::new(), none: Arc::default(), random: Rng::with_seed(seed) }) }
    }

    /// Lets go of every set: some may be of clusters that are gone.
    pub fn forget(&self) {
        self.state.borrow_mut().sets = Vec::new();
    }

    /// The set in force. It is taken anew only when its number says so: numbers are unique among all sets of a proxy.
    pub(super) fn with_set<T>(&self, membership: &Membership, run: impl FnOnce(&EndpointSet, &mut Rng) -> T) -> T {
        let State { sets, none, random } = &mut *self.state.borrow_mut();
        let at = membership.id as usize;
        if sets.get(at).is_none_or(|set| set.number != membership.number()) {
            if sets.len() <= at {
                sets.resize(at + 1, Arc::clone(none));
            }
            if let Some(slot) = sets.get_mut(at) {
                *slot = membership.set();
            }
        }
        run(sets.get(at).unwrap_or(none), random)
    }
}

impl Default for Picker {
    fn default() -> Self {
        Self::new()
    }
}
