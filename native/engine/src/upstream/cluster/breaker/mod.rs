//! The breaker of each endpoint: opens when its endpoint fails, lets exactly one request try it, closes when that one
//! succeeds (Nygard, "Release It!"; names and defaults of Linkerd's failure accrual).
//!
//! What is counted stands at the endpoint and is shared by all workers and generations, under one short lock; nothing of
//! it exists where no breaker is configured. Invariants: the bit of the endpoint's condition and the position of its
//! machine change together, under the machine's lock; the cluster's own lock is only ever taken inside that one; who holds
//! the [`Probe`] is the only one to try, and gives it back when nothing came of it.

mod condition;
mod probe;
mod state;
mod trips;
mod window;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

pub use condition::TripCondition;
pub use probe::{Looked, Probe};
pub use trips::Trips;

use trips::TripCause;

pub(super) use probe::claim;

use super::Heard;
use super::spell::Spell;
use crate::error::Kind;
use crate::snapshot::{Endpoint, Membership, Trip};
use state::{Machine, Position, Reason, Sample};

/// The breaker of one endpoint.
#[derive(Default)]
pub struct EndpointBreaker(Mutex<Guarded>);

#[derive(Default)]
struct Guarded {
    machine: Machine,
    /// Its last opening.
    spell: Option<Spell>,
}

/// What is shown of a breaker that is open.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    /// A request is trying the endpoint now.
    pub probing: bool,
    /// Since when, until when, why.
    #[serde(flatten)]
    pub spell: Spell,
}

/// An attempt has ended like this. `probe` is that of the attempt, if it was one.
pub(super) fn heard(
    (trip, condition): (&Trip, Option<&TripCondition>),
    membership: &Membership,
    endpoint: &Arc<Endpoint>,
    heard: &Heard,
    probe: Option<Probe>,
) {
    let Some(sample) = sample(heard) else { return };
    let probed = probe.is_some();
    if let Some(probe) = probe {
        probe.settle();
    }
    let now = weft_rt::now();
    let mut guarded = endpoint.breaker().0.lock();
    let reason = match (guarded.machine.position, probed) {
        (Position::Closed, false) => {
            let ruled = guarded.machine.count(trip, sample, now);
            // Counted whatever the rules say.
            let held = condition.and_then(|condition| guarded.machine.count_for(condition, sample, now));
            ruled.or(held)
        }
        (Position::HalfOpen, true) => match Machine::judge(trip, sample) {
            None => {
                guarded.machine.close();
                let spell = guarded.spell.as_mut().map(|spell| spell.end().clone());
                membership.trips().leave(endpoint);
                endpoint.set_tripped(false);
                drop(guarded);
                membership.trips().tell_closed(endpoint, spell.as_ref());
                return;
            }
            reason => reason,
        },
        // What began before the breaker opened tells nothing new.
        _ => None,
    };
    let Some(reason) = reason.filter(|_| membership.trips().enter(endpoint)) else { return };
    let open = guarded.machine.open(trip, now, fastrand::f64());
    let spell = Spell::begin(open, reason.to_string());
    guarded.spell = Some(spell.clone());
    endpoint.set_tripped(true);
    drop(guarded);
    membership.trips().tell_opened(endpoint, cause(reason), &spell);
}

/// What an ending says; `None` where the endpoint may not be to blame.
fn sample(heard: &Heard) -> Option<Sample> {
    match *heard {
        Heard::Answer { status, first_byte_us, .. } => {
            Some(Sample { failed: status >= 500, refused: status >= 500 || status == 429, took_us: first_byte_us })
        }
        // The one that did not read or write may have been the client.
        Heard::Failure { kind: Kind::StreamIdle, .. } | Heard::Stale | Heard::Overtaken { .. } => None,
        Heard::Failure { took_us, .. } => Some(Sample { failed: true, refused: true, took_us }),
    }
}

fn cause(reason: Reason) -> TripCause {
    match reason {
        Reason::Consecutive(_) => TripCause::ConsecutiveFailures,
        Reason::SuccessRate { .. } => TripCause::SuccessRate,
        Reason::SlowCalls { .. } => TripCause::SlowCalls,
        Reason::Condition(_) => TripCause::Condition,
        Reason::Probe { .. } => TripCause::Probe,
    }
}

impl EndpointBreaker {
    /// Whether it is open, and why.
    pub fn opened(&self) -> Option<Opened> {
        let guarded = self.0.lock();
        let probing = match guarded.machine.position {
            Position::Closed => return None,
            Position::Open(_) => false,
            Position::HalfOpen => true,
        };
        guarded.spell.clone().map(|spell| Opened { probing, spell })
    }

    /// Its last opening, be it over or not.
    pub fn last(&self) -> Option<Spell> {
        self.0.lock().spell.clone()
    }

    /// Closes it: nobody wants a breaker any more.
    pub(super) fn remove(&self, endpoint: &Endpoint) {
        let mut guarded = self.0.lock();
        guarded.machine.close();
        if let Some(spell) = &mut guarded.spell {
            spell.end();
        }
        endpoint.set_tripped(false);
    }

    /// When one may try: `None` when one does, or nobody needs to.
    fn due(&self) -> Option<Instant> {
        match self.0.lock().machine.position {
            Position::Open(until) => Some(until),
            Position::Closed | Position::HalfOpen => None,
        }
    }

    /// Takes the one place of the request that tries; false when another one was faster.
    fn take(&self, now: Instant) -> bool {
        let position = &mut self.0.lock().machine.position;
        let is_due = matches!(position, Position::Open(until) if *until <= now);
        if is_due {
            *position = Position::HalfOpen;
        }
        is_due
    }

    /// Gives the place back: the next request may try.
    fn give_back(&self) {
        let position = &mut self.0.lock().machine.position;
        if *position == Position::HalfOpen {
            *position = Position::Open(weft_rt::now());
        }
    }
}
