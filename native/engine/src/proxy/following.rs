//! What a proxy has the cold thread do: decided with each generation, told with each change of endpoints.

use std::sync::Weak;

use super::Proxy;
use crate::proxy::cold::{Following, Watch};
use crate::snapshot::{Generation, Rejection};

impl Proxy {
    /// What a generation wants followed. The thread is started before anything of the generation is in force: a proxy
    /// that cannot have it must not serve as if it had.
    pub(super) fn prepare_following(&self, generation: &Generation) -> Result<Vec<Watch>, Vec<Rejection>> {
        let watches: Vec<Watch> = generation.clusters.iter().filter_map(|cluster| Watch::of(cluster)).collect();
        let mut following = self.following.lock();
        if let Some(first) = watches.first().filter(|_| following.is_none()) {
            let begun = Following::begin().map_err(|error| {
                let message = format!("cannot start the thread that follows cluster {}: {error}", first.cluster);
                vec![Rejection::new("clusters", "WEFT_THREAD", message)]
            })?;
            *following = Some(begun);
        }
        Ok(watches)
    }

    /// Has this followed from now on, and nothing else; nobody at all when it is nothing.
    pub(super) fn follow(&self, watches: Vec<Watch>) {
        let mut following = self.following.lock();
        if watches.is_empty() {
            *following = None;
        } else if let Some(following) = &*following {
            following.follow(Weak::clone(&self.itself), watches);
        }
    }

    /// A cluster has other endpoints.
    pub(super) fn tell_changed(&self, cluster: &str) {
        if let Some(following) = &*self.following.lock() {
            following.changed(cluster);
        }
    }
}
