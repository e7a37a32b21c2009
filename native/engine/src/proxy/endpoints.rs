//! Changes of endpoints between two snapshots: from the registries, in the process or beside it, to the next pick.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::Proxy;
use crate::snapshot::compile::{MAX_NOUNS, address, too_many, wanted};
use crate::snapshot::{Changes, EndpointUpdate, Rejection, Wanted};

/// What came of an update of endpoints.
#[derive(Serialize)]
pub struct Updated {
    /// What it changed; nothing when it was refused.
    #[serde(flatten)]
    pub changes: Changes,
    /// Why it was refused; empty when it is in force.
    pub rejected: Vec<Rejection>,
}

impl Proxy {
    /// Puts an encoded [`EndpointUpdate`] in force, all of it or nothing.
    pub fn update_endpoints_encoded(&self, bytes: &[u8]) -> Updated {
        match rmp_serde::from_slice::<EndpointUpdate>(bytes) {
            Ok(update) => self.update_endpoints(&update),
            Err(error) => {
                let rejection = Rejection::new("", "WEFT_SNAPSHOT_MALFORMED", error.to_string());
                Updated { changes: Changes::default(), rejected: vec![rejection] }
            }
        }
    }

    /// Changes the endpoints of one cluster; see [`Proxy::change_endpoints`].
    pub fn update_endpoints(&self, update: &EndpointUpdate) -> Updated {
        let removed = update.removed.iter().map(|text| match address(text) {
            Ok(address) => address.to_string(),
            Err(_) => text.clone(),
        });
        match wanted(&update.endpoints) {
            Ok(endpoints) => {
                self.change_endpoints(&update.cluster, endpoints, &removed.collect::<Vec<_>>(), update.complete)
            }
            Err(rejected) => Updated { changes: Changes::default(), rejected },
        }
    }

    /// Changes the endpoints of one cluster with the next pick, without a new generation: `wanted` come or change, those
    /// named in `removed` go, and with `complete` everything that is not wanted. Any thread but a worker's.
    ///
    /// Endpoints that stay keep statistics, health and connections; exchanges under way keep the endpoint they have.
    /// Refused as a whole: an unknown cluster, too many endpoints, and what would leave none at all, for a registry that
    /// lost its memory must not end the traffic.
    pub fn change_endpoints(&self, cluster: &str, wanted: Vec<Wanted>, removed: &[String], complete: bool) -> Updated {
        match self.try_change(cluster, wanted, removed, complete) {
            Ok(changes) => {
                if changes != Changes::default() {
                    self.tell_changed(cluster);
                }
                if changes.removed > 0 {
                    self.releasable.store(true, Ordering::Relaxed);
                }
                Updated { changes, rejected: Vec::new() }
            }
            Err(rejection) => Updated { changes: Changes::default(), rejected: vec![rejection] },
        }
    }

    fn try_change(
        &self,
        cluster: &str,
        wanted: Vec<Wanted>,
        removed: &[String],
        complete: bool,
    ) -> Result<Changes, Rejection> {
        let clusters = &mut self.state.lock().books.clusters;
        let unknown = || Rejection::new("cluster", "WEFT_SNAPSHOT_CLUSTER", format!("no cluster is named {cluster}"));
        let len = clusters.len_after(cluster, &wanted, removed, complete).ok_or_else(unknown)?;
        if len == 0 {
            let message = format!("cluster {cluster} would have no endpoint left: those it has stay");
            return Err(Rejection::new("endpoints", "WEFT_ENDPOINTS_EMPTY", message));
        }
        if len >= MAX_NOUNS {
            return Err(too_many(len));
        }
        clusters.change(cluster, wanted, removed, complete).ok_or_else(unknown)
    }
}
