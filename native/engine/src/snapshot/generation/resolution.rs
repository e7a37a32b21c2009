//! A name that stands for a cluster's endpoints, and what came of asking for it. Written by the cold thread.

use std::collections::HashSet;
use std::net::SocketAddr;

use parking_lot::Mutex;
use serde::Serialize;

use crate::snapshot::Dns;

/// A cluster's name and the state of its resolution. Stays the same one while the name is asked for in the same way.
pub struct Resolution {
    /// What is asked for.
    pub dns: Dns,
    /// Whom; empty: the system's name servers.
    pub resolvers: Vec<SocketAddr>,
    /// The sentence for a request that comes while nothing has been found yet.
    pub unresolved: &'static str,
    state: Mutex<ResolutionState>,
}

/// What came of asking.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolutionState {
    /// Lookups that ended.
    pub lookups: u64,
    /// Those that failed.
    pub failures: u64,
    /// Why the last one failed; none when it did not.
    pub error: Option<String>,
    /// Until the name is asked for again, ms, as of the last answer.
    pub next_ms: u64,
}

impl Resolution {
    /// A name that nobody has asked for yet.
    pub fn new(dns: Dns, resolvers: Vec<SocketAddr>) -> Self {
        let unresolved = interned(format!("the name {} of the cluster does not resolve", dns.name));
        Self { dns, resolvers, unresolved, state: Mutex::default() }
    }

    /// The state as of now.
    pub fn state(&self) -> ResolutionState {
        self.state.lock().clone()
    }

    /// A lookup has ended; `error` says why it failed.
    pub fn asked(&self, error: Option<String>, next_ms: u64) {
        let mut state = self.state.lock();
        state.lookups += 1;
        state.failures += u64::from(error.is_some());
        state.error = error;
        state.next_ms = next_ms;
    }
}

/// Errors carry sentences that live for ever: one for each name that was ever configured.
fn interned(text: String) -> &'static str {
    static KNOWN: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut guard = KNOWN.lock();
    let known = guard.get_or_insert_default();
    if let Some(found) = known.get(text.as_str()) {
        return found;
    }
    let kept: &'static str = text.leak();
    known.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_kept_once_however_often_it_is_made() {
        let first = interned("the same".to_owned());
        assert!(std::ptr::eq(first, interned("the same".to_owned())));
    }
}
