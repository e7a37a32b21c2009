//! An endpoint with its state, shared by all workers, generations and endpoint sets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::concurrency::Concurrency;
use super::condition::{Condition, Tally, bit};
use super::cost::Cost;
use super::destination::{Destination, Reach};
use super::health::{Finding, Health};
use super::idle_age::IdleAge;
use super::moment::Moment;
use crate::telemetry::record::Address;
use crate::upstream::cluster::{EndpointBreaker, OutlierState};

use crate::telemetry::metrics::Latency;

/// An address with its statistics. In this order, so that what a pick reads of each endpoint that it compares is one cache
/// line.
#[repr(C, align(64))]
pub struct Endpoint {
    /// Dense and unique in the process: the index of its pool in each worker.
    pub id: u32,
    /// Exchanges under way.
    pub active: AtomicU32,
    /// Latency as `peak-ewma` sees it; written only where that balances.
    pub cost: Cost,
    /// Milliseconds of the [`Moment`] since which requests may go there; 0: it needs no slow start.
    usable_since: AtomicU64,
    condition: Condition,
    /// Attempts so far.
    pub requests: AtomicU64,
    /// What its cluster knows it by: its address as text, or the name that stands for several.
    pub name: String,
    /// Where it listens.
    pub destination: Destination,
    /// The same for records, where it is one address.
    pub recorded: Address,
    /// What its health check says.
    pub health: Health,
    /// When it closes idle connections.
    pub idle_age: IdleAge,
    /// Attempts that ended without a whole answer.
    pub failures: AtomicU64,
    /// Connections open to it.
    pub connections: AtomicU32,
    /// Answers with a status of 500 or above.
    pub server_errors: AtomicU64,
    /// From the begin of an attempt to the answer's first byte.
    pub latency: Latency,
    /// How it answers by what it has to do at once.
    pub concurrency: Concurrency,
    /// Its answers say how many retries they have used: it passes budgets on.
    pub tells_retries: AtomicBool,
    breaker: OnceLock<Box<EndpointBreaker>>,
    outlier: OnceLock<Box<OutlierState>>,
}

impl Endpoint {
    pub(super) fn new(id: u32, name: &str, reach: Reach, tally: &Arc<Tally>) -> Self {
        let destination = Destination::from(reach);
        Self {
            id,
            name: name.to_owned(),
            recorded: destination.recorded(),
            destination,
            health: Health::default(),
            idle_age: IdleAge::default(),
            active: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            server_errors: AtomicU64::new(0),
            latency: Latency::default(),
            concurrency: Concurrency::default(),
            cost: Cost::default(),
            usable_since: AtomicU64::new(0),
            condition: Condition::new(tally),
            tells_retries: AtomicBool::new(false),
            breaker: OnceLock::new(),
            outlier: OnceLock::new(),
        }
    }

    /// What stands in `host` where the client named nothing. A path is no host.
    pub fn authority(&self) -> &str {
        if self.name.starts_with("unix:") { "localhost" } else { &self.name }
    }

    /// A health check found this.
    pub fn found(&self, finding: Finding) {
        self.health.set(finding);
        self.set_healthy(finding.is_usable());
    }

    /// Checks begin. What earlier ones found stays until the first result.
    pub fn begin_checks(&self) {
        if self.health.finding() == Finding::Unchecked {
            self.found(Finding::Pending);
        }
    }

    /// Nobody listens there, or the endpoint itself says that it is to get no requests. Where checks can tell when that
    /// is over, that is believed at once; whether it was news.
    pub fn refused(&self) -> bool {
        let news = self.health.finding() == Finding::Healthy;
        if news {
            self.found(Finding::Unhealthy);
        }
        news
    }

    /// Bits of [`bit`].
    pub fn condition(&self) -> u8 {
        self.condition.bits()
    }

    /// Whether nothing keeps requests from it.
    pub fn is_up(&self) -> bool {
        self.condition() & bit::DOWN == 0
    }

    /// Whether its health check has nothing against it.
    pub fn is_healthy(&self) -> bool {
        self.condition() & bit::UNHEALTHY == 0
    }

    /// What a health check found. Any thread; in force with the next pick.
    pub fn set_healthy(&self, healthy: bool) {
        if healthy && !self.is_healthy() {
            self.warms_since(Moment::now());
        }
        self.condition.set(bit::UNHEALTHY, !healthy);
    }

    /// Whether others should be asked first. Any thread; in force with the next pick.
    pub fn set_degraded(&self, degraded: bool) {
        self.condition.set(bit::DEGRADED, degraded);
    }

    /// Since when requests may go there; `None` where it needs no slow start.
    #[inline]
    pub fn usable_since(&self) -> Option<Moment> {
        Some(Moment(self.usable_since.load(Ordering::Relaxed))).filter(|moment| moment.0 != 0)
    }

    /// It needs a slow start as if it had come at this moment.
    pub fn warms_since(&self, moment: Moment) {
        self.usable_since.store(moment.0, Ordering::Relaxed);
    }

    /// It needs no slow start.
    pub fn has_warmed(&self) {
        self.warms_since(Moment::default());
    }

    /// Whether outlier detection puts it out. Under its cluster's [`crate::upstream::cluster::Ejections`].
    pub fn set_ejected(&self, ejected: bool) {
        if self.condition.set(bit::EJECTED, ejected) && !ejected {
            self.warms_since(Moment::now());
        }
    }

    /// Whether its breaker is open. Under the breaker's lock.
    pub fn set_tripped(&self, tripped: bool) {
        if !self.condition.set(bit::TRIPPED, tripped) {
            self.turned();
        } else if !tripped {
            self.warms_since(Moment::now());
        }
    }

    /// Something has changed about its condition that no bit of it says.
    pub fn turned(&self) {
        self.condition.turned();
    }

    /// Its breaker, made on first use.
    pub fn breaker(&self) -> &EndpointBreaker {
        self.breaker.get_or_init(Box::default)
    }

    /// Its breaker, if there ever was one.
    pub fn known_breaker(&self) -> Option<&EndpointBreaker> {
        self.breaker.get().map(|known| &**known)
    }

    /// What outlier detection knows of it, made on first use.
    pub fn outlier(&self) -> &OutlierState {
        self.outlier.get_or_init(Box::default)
    }

    /// What outlier detection knows of it, if it ever counted.
    pub fn known_outlier(&self) -> Option<&OutlierState> {
        self.outlier.get().map(|known| &**known)
    }

    /// Whether its cluster has it now. An endpoint that went lives on while an exchange or a connection needs it.
    pub fn is_member(&self) -> bool {
        self.condition() & bit::MEMBER != 0
    }

    pub(super) fn set_member(&self, member: bool) {
        if member && !self.is_member() {
            self.warms_since(Moment::now());
        }
        self.condition.set(bit::MEMBER, member);
    }
}

/// Where an endpoint runs, when its turn comes and what it is labelled. Endpoints of one place share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Empty where nothing was said.
    pub region: String,
    /// Empty where nothing was said.
    pub zone: String,
    /// 0 comes first; the others when those before are short of health.
    pub priority: u32,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}
