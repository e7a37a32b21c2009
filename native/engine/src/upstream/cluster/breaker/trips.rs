//! The open breakers of one cluster.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::snapshot::Endpoint;
use crate::telemetry::events::{Event, Teller, Turn};
use crate::upstream::cluster::Spell;

/// What opened a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TripCause {
    /// Failures in a row.
    ConsecutiveFailures,
    /// Too few requests succeeded.
    SuccessRate,
    /// Too many requests were slow.
    SlowCalls,
    /// The condition of `when` held.
    Condition,
    /// It was open already, and the probe failed.
    Probe,
}

impl TripCause {
    const ALL: [Self; 5] =
        [Self::ConsecutiveFailures, Self::SuccessRate, Self::SlowCalls, Self::Condition, Self::Probe];

    /// The word for it in metrics.
    fn word(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "consecutive-failures",
            Self::SuccessRate => "success-rate",
            Self::SlowCalls => "slow-calls",
            Self::Condition => "condition",
            Self::Probe => "probe",
        }
    }
}

/// The open breakers of one cluster.
pub struct Trips {
    inner: Mutex<Inner>,
    counts: [AtomicU64; TripCause::ALL.len()],
    teller: Teller,
}

#[derive(Default)]
struct Inner {
    /// The generation in force has breakers; exchanges of the one before may still be under way.
    wanted: bool,
    open: Vec<Weak<Endpoint>>,
}

impl Trips {
    /// Of a cluster that has none yet.
    pub fn new(teller: &Teller) -> Self {
        Self { inner: Mutex::default(), counts: Default::default(), teller: teller.clone() }
    }

    /// Whether the generation that comes into force has breakers; without them every one closes.
    pub fn want(&self, wanted: bool) {
        let open = {
            let mut inner = self.inner.lock();
            inner.wanted = wanted;
            if wanted {
                return;
            }
            std::mem::take(&mut inner.open)
        };
        for endpoint in open.iter().filter_map(Weak::upgrade) {
            endpoint.breaker().remove(&endpoint);
        }
    }

    /// A breaker is about to open; false when nobody wants any.
    pub(super) fn enter(&self, endpoint: &Arc<Endpoint>) -> bool {
        let mut inner = self.inner.lock();
        if inner.wanted {
            let is_other = |known: &Weak<Endpoint>| known.upgrade().is_some_and(|known| known.id != endpoint.id);
            inner.open.retain(is_other);
            inner.open.push(Arc::downgrade(endpoint));
        }
        inner.wanted
    }

    /// A breaker is about to close.
    pub(super) fn leave(&self, endpoint: &Endpoint) {
        self.inner.lock().open.retain(|known| known.upgrade().is_some_and(|known| known.id != endpoint.id));
    }

    pub(super) fn tell_opened(&self, endpoint: &Endpoint, cause: TripCause, spell: &Spell) {
        if let Some(count) = self.counts.get(cause as usize) {
            count.fetch_add(1, Relaxed);
        }
        let turn = if cause == TripCause::Probe { Turn::StayedOpen } else { Turn::Opened };
        self.teller.tell(Event::new(turn, &endpoint.name, &spell.reason).lasting(spell.length_ms()));
    }

    pub(super) fn tell_closed(&self, endpoint: &Endpoint, spell: Option<&Spell>) {
        let open_ms = spell.map_or(0, Spell::length_ms);
        let event = Event::new(Turn::Closed, &endpoint.name, "the request that tried it succeeded");
        self.teller.tell(event.lasting(open_ms));
    }

    /// How often breakers opened, by what opened them.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        TripCause::ALL.into_iter().zip(&self.counts).map(|(cause, count)| (cause.word(), count.load(Relaxed)))
    }
}
