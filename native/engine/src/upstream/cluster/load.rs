//! How much is under way at a whole cluster, where a balancer bounds what each endpoint may have of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::snapshot::Membership;

/// One exchange of a cluster's load; taken back on drop.
#[derive(Debug)]
pub struct Load(Arc<AtomicU32>);

impl Load {
    pub(super) fn of(membership: &Membership) -> Self {
        membership.load().fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(membership.load()))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
