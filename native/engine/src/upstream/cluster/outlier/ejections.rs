//! The endpoints of one cluster that are out.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::rates::{by_failure_percentage, by_success_rate};
use crate::snapshot::{Endpoint, Membership, OutlierDetection, bit};
use crate::telemetry::events::{Event, Teller, Turn};
use crate::upstream::cluster::Spell;

/// What put an endpoint out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EjectionCause {
    /// 5xx in a row.
    Consecutive5xx,
    /// 502, 503, 504 in a row.
    ConsecutiveGatewayErrors,
    /// Attempts without an answer in a row.
    ConsecutiveLocalErrors,
    /// It succeeded much less often than the others.
    SuccessRate,
    /// It failed too often.
    FailurePercentage,
}

impl EjectionCause {
    const ALL: [Self; 5] = [
        Self::Consecutive5xx,
        Self::ConsecutiveGatewayErrors,
        Self::ConsecutiveLocalErrors,
        Self::SuccessRate,
        Self::FailurePercentage,
    ];

    /// The word for it in metrics.
    fn word(self) -> &'static str {
        match self {
            Self::Consecutive5xx => "consecutive-5xx",
            Self::ConsecutiveGatewayErrors => "consecutive-gateway-errors",
            Self::ConsecutiveLocalErrors => "consecutive-local-errors",
            Self::SuccessRate => "success-rate",
            Self::FailurePercentage => "failure-percentage",
        }
    }
}

/// The endpoints of one cluster that are out.
pub struct Ejections {
    inner: Mutex<Inner>,
    /// An endpoint was put out: the cold thread must know when to let it back.
    changed: Notify,
    counts: [AtomicU64; EjectionCause::ALL.len()],
    withheld: AtomicU64,
    teller: Teller,
}

#[derive(Default)]
struct Inner {
    /// Of the generation in force; exchanges of the one before may still be under way.
    policy: Option<Arc<OutlierDetection>>,
    out: Vec<Weak<Endpoint>>,
    /// When it was last told that too many are out already.
    withheld: Option<Instant>,
}

impl Ejections {
    /// Of a cluster that has none yet.
    pub fn new(teller: &Teller) -> Self {
        Self {
            inner: Mutex::default(),
            changed: Notify::new(),
            counts: Default::default(),
            withheld: AtomicU64::new(0),
            teller: teller.clone(),
        }
    }

    /// The policy of the generation that comes into force; without one, or with one that only tells, everybody returns.
    pub fn follow(&self, policy: Option<&Arc<OutlierDetection>>) {
        let mut inner = self.inner.lock();
        inner.policy = policy.cloned();
        inner.withheld = None;
        if policy.is_some_and(|policy| !policy.shadow) {
            return;
        }
        for endpoint in std::mem::take(&mut inner.out).iter().filter_map(Weak::upgrade) {
            self.let_back(&endpoint, "outlier detection was switched off");
        }
    }

    /// Puts an endpoint out, as far as the bounds allow.
    pub(super) fn eject(&self, membership: &Membership, endpoint: &Arc<Endpoint>, cause: EjectionCause, reason: &str) {
        let mut inner = self.inner.lock();
        let Some(policy) = inner.policy.clone() else { return };
        if endpoint.condition() & bit::EJECTED != 0 {
            return;
        }
        let now = weft_rt::now();
        if let Some(why_not) = bound(&policy, membership, endpoint) {
            self.withheld.fetch_add(1, Relaxed);
            let interval = Duration::from_millis(policy.interval_ms.into());
            if inner.withheld.is_none_or(|last| now.saturating_duration_since(last) >= interval) {
                inner.withheld = Some(now);
                let reason = format!("{reason}; {why_not}");
                self.teller.tell(Event::new(Turn::NotEjected, &endpoint.name, &reason));
            }
            return;
        }
        if let Some(count) = self.counts.get(cause as usize) {
            count.fetch_add(1, Relaxed);
        }
        let jitter = Duration::from_millis(u64::from(fastrand::u32(0..=policy.ejection_jitter_ms)));
        let mut ejection = endpoint.outlier().ejection.lock();
        if policy.shadow {
            let event = Event::new(Turn::WouldEject, &endpoint.name, reason);
            self.teller.tell(event.lasting(u64::from(policy.base_ejection_ms)));
            return;
        }
        ejection.times = ejection.times.saturating_add(1);
        let length = length(&policy, ejection.times) + jitter;
        let spell = Spell::begin(length, reason.to_owned());
        ejection.until = Some(now + length);
        ejection.spell = Some(spell.clone());
        drop(ejection);
        endpoint.set_ejected(true);
        inner.out.push(Arc::downgrade(endpoint));
        drop(inner);
        self.changed.notify_one();
        self.teller.tell(Event::new(Turn::Ejected, &endpoint.name, reason).lasting(spell.length_ms()));
    }

    /// A health check of the endpoint has succeeded.
    pub fn check_succeeded(&self, endpoint: &Endpoint) {
        if endpoint.condition() & bit::EJECTED == 0 {
            return;
        }
        let mut inner = self.inner.lock();
        if inner.policy.as_ref().is_some_and(|policy| policy.return_on_health_check) {
            inner.out.retain(|out| out.upgrade().is_some_and(|out| out.id != endpoint.id));
            self.let_back(endpoint, "its health check succeeds");
        }
    }

    /// Lets back whose time is over, and returns when the next one's is.
    pub fn let_back_due(&self) -> Option<Instant> {
        let mut inner = self.inner.lock();
        let now = weft_rt::now();
        let mut next: Option<Instant> = None;
        inner.out.retain(|out| {
            let Some(endpoint) = out.upgrade() else { return false };
            let until = endpoint.outlier().ejection.lock().until;
            match until.filter(|until| *until > now) {
                Some(until) => next = Some(next.map_or(until, |next| next.min(until))),
                None => self.let_back(&endpoint, "its time is over"),
            }
            until.is_some_and(|until| until > now)
        });
        next
    }

    /// Compares all endpoints of the cluster by what they were asked since the last time.
    pub fn compare(&self, membership: &Membership) {
        let Some(policy) = self.inner.lock().policy.clone() else { return };
        let now = weft_rt::now();
        let set = membership.set();
        let (mut compared, mut volumes) = (Vec::new(), Vec::new());
        for member in set.members() {
            let state = member.endpoint.outlier();
            let volume = state.take_volume();
            if member.endpoint.condition() & bit::EJECTED != 0 {
                continue;
            }
            let mut ejection = state.ejection.lock();
            let interval = Duration::from_millis(policy.interval_ms.into());
            if ejection.returned.is_some_and(|returned| now.saturating_duration_since(returned) >= interval) {
                ejection.times = ejection.times.saturating_sub(1);
            }
            compared.push(&member.endpoint);
            volumes.push(volume);
        }
        let by_rate = policy.success_rate.as_ref().map(|rule| by_success_rate(rule, &volumes));
        let by_percentage = policy.failure_percentage.as_ref().map(|rule| by_failure_percentage(rule, &volumes));
        let all = [(by_rate, EjectionCause::SuccessRate), (by_percentage, EjectionCause::FailurePercentage)];
        for (outliers, cause) in all {
            for (at, reason) in outliers.unwrap_or_default() {
                if let Some(endpoint) = compared.get(at) {
                    self.eject(membership, endpoint, cause, &reason);
                }
            }
        }
    }

    /// Resolves when an endpoint was put out since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How often endpoints were put out, by what put them out.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        EjectionCause::ALL.into_iter().zip(&self.counts).map(|(cause, count)| (cause.word(), count.load(Relaxed)))
    }

    /// How often an endpoint would have been put out, had not as many been out as may.
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Relaxed)
    }

    /// Under the lock, like every change of who is out.
    fn let_back(&self, endpoint: &Endpoint, why: &str) {
        let state = endpoint.outlier();
        state.forget_counts();
        let mut ejection = state.ejection.lock();
        ejection.until = None;
        ejection.returned = Some(weft_rt::now());
        let lasted = ejection.spell.as_mut().map_or(0, |spell| spell.end().length_ms());
        drop(ejection);
        endpoint.set_ejected(false);
        self.teller.tell(Event::new(Turn::Returned, &endpoint.name, why).lasting(lasted));
    }
}

/// Why an endpoint stays in all the same; `None`: it may be put out.
///
/// One may always be out, however few there are: a share of them below one would switch detection off unsaid.
fn bound(policy: &OutlierDetection, membership: &Membership, endpoint: &Endpoint) -> Option<String> {
    let len = membership.set().len();
    let tally = membership.tally();
    let percent = policy.max_ejection_percent;
    let most = (u64::from(len) * u64::from(percent) / 100).max(u64::from(percent > 0));
    if u64::from(tally.ejected()) >= most {
        return Some(format!("it stays: `maxEjectionPercent` is {percent}, and {} of {len} are out", tally.ejected()));
    }
    let up_beside = len.saturating_sub(tally.down()).saturating_sub(endpoint.is_up().into());
    let is_last = endpoint.is_up() && up_beside == 0;
    (is_last && !policy.eject_last).then(|| "it stays: no other endpoint is up".to_owned())
}

/// How long an endpoint is out for the so-manieth time in a row.
fn length(policy: &OutlierDetection, times: u32) -> Duration {
    let most = policy.max_ejection_ms.max(policy.base_ejection_ms);
    Duration::from_millis((u64::from(policy.base_ejection_ms) * u64::from(times)).min(most.into()))
}
