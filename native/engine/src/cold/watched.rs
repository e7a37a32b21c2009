//! One cluster as the cold thread follows it: its name's records, and the checks of whatever endpoints it has.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use weft_rt::Task;

use super::dns::{self, Resolvers};
use super::health::Checks;
use crate::proxy::Proxy;
use crate::snapshot::{GenerationCluster, HealthCheck, Membership, Resolution};

/// What is to be followed of a cluster.
pub struct Watch {
    /// Its name.
    pub cluster: String,
    membership: Arc<Membership>,
    resolution: Option<Arc<Resolution>>,
    check: Option<Arc<HealthCheck>>,
}

impl Watch {
    /// What a cluster asks for; `None` when that is nothing.
    pub fn of(cluster: &GenerationCluster) -> Option<Self> {
        let (resolution, check) = (cluster.resolution.clone(), cluster.health_check.clone());
        (resolution.is_some() || check.is_some()).then(|| Self {
            cluster: cluster.name.clone(),
            membership: Arc::clone(&cluster.membership),
            resolution,
            check,
        })
    }
}

/// A cluster that is being followed. Dropping it ends that.
pub(super) struct Watched {
    membership: Arc<Membership>,
    resolving: Option<(Arc<Resolution>, Task)>,
    checks: Option<Checks>,
}

impl Watched {
    /// Follows a cluster as it is wanted now, and goes on with whatever of it was followed before.
    pub(super) fn begin(
        watch: Watch,
        before: Option<Self>,
        proxy: &Weak<Proxy>,
        resolvers: &Rc<RefCell<Resolvers>>,
    ) -> Self {
        let Watch { cluster, membership, resolution, check } = watch;
        let (resolving, checks) = before.map_or((None, None), |before| (before.resolving, before.checks));
        let same = |known: &Arc<Resolution>| resolution.as_ref().is_some_and(|wanted| Arc::ptr_eq(wanted, known));
        let resolving = resolving.filter(|(known, _)| same(known)).or_else(|| {
            let wanted = resolution?;
            let following = dns::follow(Weak::clone(proxy), cluster, Arc::clone(&wanted), Rc::clone(resolvers));
            Some((wanted, weft_rt::spawn(following)))
        });
        let checks = match (check, checks) {
            (Some(wanted), Some(known)) if known.are(&wanted) => Some(known),
            (Some(wanted), _) => Some(Checks::new(&wanted)),
            (None, Some(known)) => {
                known.end();
                None
            }
            (None, None) => None,
        };
        let mut watched = Self { membership, resolving, checks };
        watched.refresh();
        watched
    }

    /// The cluster's endpoints have changed.
    pub(super) fn refresh(&mut self) {
        if let Some(checks) = &mut self.checks {
            checks.follow(self.membership.set().members().map(|member| &member.endpoint));
        }
    }

    /// The cluster is not followed any more.
    pub(super) fn end(self) {
        if let Some(checks) = self.checks {
            checks.end();
        }
    }
}
