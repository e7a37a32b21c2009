//! One cluster as the cold thread follows it: its name's records, the checks of whatever endpoints it has, and who of
//! them is an outlier.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use weft_rt::Task;

use super::dns::{self, Resolvers};
use super::health::Checks;
use super::outlier;
use crate::proxy::Proxy;
use crate::snapshot::{GenerationCluster, HealthCheck, Membership, OutlierDetection, Resolution};

/// What is to be followed of a cluster.
pub struct Watch {
    /// Its name.
    pub cluster: String,
    membership: Arc<Membership>,
    resolution: Option<Arc<Resolution>>,
    check: Option<Arc<HealthCheck>>,
    outliers: Option<Arc<OutlierDetection>>,
}

impl Watch {
    /// What a cluster asks for; `None` when that is nothing.
    pub fn of(cluster: &GenerationCluster) -> Option<Self> {
        let (resolution, check) = (cluster.resolution.clone(), cluster.health_check.clone());
        let outliers = cluster.outlier_detection.clone();
        (resolution.is_some() || check.is_some() || outliers.is_some()).then(|| Self {
            cluster: cluster.name.clone(),
            membership: Arc::clone(&cluster.membership),
            resolution,
            check,
            outliers,
        })
    }
}

/// A cluster that is being followed. Dropping it ends that.
pub(super) struct Watched {
    membership: Arc<Membership>,
    resolving: Option<(Arc<Resolution>, Task)>,
    checks: Option<Checks>,
    detecting: Option<(Arc<OutlierDetection>, Task)>,
}

impl Watched {
    /// Follows a cluster as it is wanted now, and goes on with whatever of it was followed before.
    pub(super) fn begin(
        watch: Watch,
        before: Option<Self>,
        proxy: &Weak<Proxy>,
        resolvers: &Rc<RefCell<Resolvers>>,
    ) -> Self {
        let Watch { cluster, membership, resolution, check, outliers } = watch;
        let (resolving, checks, detecting) =
            before.map_or((None, None, None), |before| (before.resolving, before.checks, before.detecting));
        let same = |known: &Arc<Resolution>| resolution.as_ref().is_some_and(|wanted| Arc::ptr_eq(wanted, known));
        let resolving = resolving.filter(|(known, _)| same(known)).or_else(|| {
            let wanted = resolution?;
            let following = dns::follow(Weak::clone(proxy), cluster, Arc::clone(&wanted), Rc::clone(resolvers));
            Some((wanted, weft_rt::spawn(following)))
        });
        let checks = match (check, checks) {
            (Some(wanted), Some(known)) if known.are(&wanted) => Some(known),
            (Some(wanted), _) => Some(Checks::new(&wanted, &membership)),
            (None, Some(known)) => {
                known.end();
                None
            }
            (None, None) => None,
        };
        let same = |known: &Arc<OutlierDetection>| outliers.as_ref().is_some_and(|wanted| wanted == known);
        let detecting = detecting.filter(|(known, _)| same(known)).or_else(|| {
            let wanted = outliers?;
            Some((Arc::clone(&wanted), weft_rt::spawn(outlier::run(Arc::clone(&membership), wanted))))
        });
        let mut watched = Self { membership, resolving, checks, detecting };
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
