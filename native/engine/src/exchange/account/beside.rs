//! Two attempts at the same time: the one that the account knows as the present one, and a second beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::{Account, micros};
use crate::error::{Error, Kind, Source};
use crate::http::head::ResponseHead;
use crate::snapshot::Endpoint;
use crate::telemetry::metrics::{ClusterCounter, Counter};
use crate::telemetry::record::{Address, Attempt, Mark};
use crate::upstream::cluster::{Heard, Load, Picked, Probe};

/// The second attempt, as long as it is under way.
pub(super) struct Beside {
    endpoint: Arc<Endpoint>,
    index: u16,
    started: Instant,
    connect_us: u32,
    upstream: Address,
    load: Option<Load>,
    probe: Option<Probe>,
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.endpoint.active.fetch_sub(1, Relaxed);
    }
}

/// How an attempt ended that is not the exchange's outcome.
#[derive(Clone, Copy)]
pub enum Lost<'a> {
    /// With an answer that is no good.
    Answered(&'a ResponseHead),
    /// Without one.
    Failed(&'a Error),
    /// The other one was answered first.
    Overtaken,
}

impl Lost<'_> {
    fn status(self) -> u16 {
        if let Self::Answered(head) = self { head.status } else { 0 }
    }

    fn cause(self) -> u8 {
        match self {
            Self::Answered(_) => 0,
            Self::Failed(error) => error.kind.number(),
            Self::Overtaken => Kind::Overtaken.number(),
        }
    }
}

impl Account {
    /// A second attempt begins beside the present one.
    pub fn hedged(&mut self, picked: Picked) {
        self.weighed(&picked);
        self.record.attempts = self.record.attempts.saturating_add(1);
        let Picked { endpoint, index, load, probe, .. } = picked;
        endpoint.active.fetch_add(1, Relaxed);
        endpoint.requests.fetch_add(1, Relaxed);
        let (started, upstream) = (weft_rt::now(), endpoint.recorded);
        self.beside = Some(Box::new(Beside { endpoint, index, started, connect_us: 0, upstream, load, probe }));
        self.mark(Mark::Hedged);
    }

    /// The second attempt has a connection: a new one, or one that had served before.
    pub fn beside_connected(&mut self, address: Address, reused: bool) {
        let Some(beside) = &mut self.beside else { return };
        beside.upstream = address;
        if reused {
            self.count_both(Counter::UpstreamConnectionsReused, ClusterCounter::ConnectionsReused);
        } else {
            beside.connect_us = micros(beside.started, weft_rt::now()).max(1);
            self.count_both(Counter::UpstreamConnections, ClusterCounter::Connections);
        }
    }

    /// The present attempt is out of the race: the second one is the present one from now on.
    pub fn first_lost(&mut self, lost: Lost<'_>) {
        let now = weft_rt::now();
        self.hear_lost(lost, now);
        let cause = lost.cause();
        let attempt = self.present(micros(self.started, now), lost.status());
        self.past.push(Attempt { cause, ..attempt });
        self.promote();
    }

    /// The second attempt is out of the race.
    pub fn second_lost(&mut self, lost: Lost<'_>) {
        if self.beside.is_none() {
            return;
        }
        // What is heard is heard of the present attempt: for a moment it is this one.
        let now = weft_rt::now();
        let first = (self.endpoint.take(), self.load.take(), self.probe.take(), self.attempt_started, self.record);
        self.promote();
        self.hear_lost(lost, now);
        let cause = lost.cause();
        let attempt = self.present(micros(self.started, now), lost.status());
        self.after = Some(Attempt { cause, ..attempt });
        self.leave_endpoint();
        let (attempts, marks) = (self.record.attempts, self.record.marks);
        (self.endpoint, self.load, self.probe, self.attempt_started, self.record) = first;
        (self.record.attempts, self.record.marks) = (attempts, marks);
    }

    fn hear_lost(&mut self, lost: Lost<'_>, now: Instant) {
        match lost {
            Lost::Answered(head) => self.heard_answer(now, head),
            Lost::Failed(error) => {
                self.count_timeout(error);
                // Without a time to connect it had served before, and may have been closed for being idle.
                let was_idle = self.record.connect_us == 0;
                if was_idle && matches!(error.kind, Kind::UpstreamClosed | Kind::UpstreamReset) {
                    self.heard(&Heard::Stale);
                } else if error.source() == Source::Upstream {
                    self.heard_failure(now, error);
                }
            }
            Lost::Overtaken => self.heard(&Heard::Overtaken { after_us: micros(self.attempt_started, now) }),
        }
    }

    fn promote(&mut self) {
        let Some(mut beside) = self.beside.take() else { return };
        self.leave_endpoint();
        // It is left twice: by the one that goes here, and by whoever it is now.
        beside.endpoint.active.fetch_add(1, Relaxed);
        self.endpoint = Some(Arc::clone(&beside.endpoint));
        self.load = beside.load.take();
        self.probe = beside.probe.take();
        self.attempt_started = beside.started;
        self.record.connect_us = beside.connect_us;
        self.record.endpoint = beside.index;
        self.record.upstream = beside.upstream;
    }
}
