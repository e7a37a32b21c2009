//! The decision records as people ask for them: a list of those that fit, and everything about one.
//!
//! Flow: a question from outside → the workers' rings, newest first, in small portions → the names of the generation that
//! each record ran under. Invariants: a worker's ring is held for one portion at a time; answers are bounded; a name that
//! is no longer known is `null`, never another's.

mod records;
mod routing;
mod why;

pub use records::{Query, RecordList, Told, list};
pub use why::{Why, why};

use std::collections::HashMap;
use std::sync::Arc;

use crate::proxy::Proxy;
use crate::snapshot::Generation;

/// Generations by their number, each looked for once.
struct Generations<'a> {
    proxy: &'a Proxy,
    known: HashMap<u32, Option<Arc<Generation>>>,
}

impl<'a> Generations<'a> {
    fn of(proxy: &'a Proxy) -> Self {
        Self { proxy, known: HashMap::new() }
    }

    fn get(&mut self, number: u32) -> Option<Arc<Generation>> {
        let proxy = self.proxy;
        self.known.entry(number).or_insert_with(|| proxy.generation_numbered(number)).clone()
    }
}

#[cfg(test)]
mod tests;
