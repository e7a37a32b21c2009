//! How attempts end, for the account and for whoever learns from it.

use std::time::Instant;

use super::{Account, micros};
use crate::error::Error;
use crate::http::head::ResponseHead;
use crate::http::health::IMMEDIATE_FAIL;
use crate::http::retry_after::retry_after;
use crate::snapshot::GenerationCluster;
use crate::telemetry::events::{Event, Turn};
use crate::telemetry::metrics::{ClusterCounter, Counter};
use crate::telemetry::record::Mark;
use crate::upstream::cluster::{self, Heard};

impl Account {
    /// The attempt ended with an answer's head, or with an error, and another one follows.
    pub fn retried(&mut self, ended: Result<&ResponseHead, &Error>) {
        let now = weft_rt::now();
        match ended {
            Ok(head) => self.heard_answer(now, head),
            Err(error) => self.heard_failure(now, error),
        }
        self.another_follows(now, ended.map(|head| head.status));
    }

    /// The attempt met a connection that had been closed for being idle, and another one follows.
    pub fn replayed(&mut self, error: &Error) {
        self.mark(Mark::Replayed);
        self.heard(&Heard::Stale);
        self.another_follows(weft_rt::now(), Err(error));
    }

    fn another_follows(&mut self, now: Instant, ended: Result<u16, &Error>) {
        self.count_both(Counter::Retries, ClusterCounter::Retries);
        if let Err(error) = ended {
            self.count_timeout(error);
            self.record.cause = error.kind.number();
        }
        let attempt = self.present(micros(self.started, now), ended.unwrap_or(0));
        self.past.push(attempt);
        self.past.extend(self.after.take());
    }

    pub(super) fn heard_answer(&mut self, now: Instant, head: &ResponseHead) {
        let retry_after_s = matches!(head.status, 429 | 503).then(|| retry_after(head)).flatten();
        if let (Some(cluster), Some(endpoint)) = (self.cluster(), &self.endpoint)
            && cluster.health_check.is_some()
            && head.find(IMMEDIATE_FAIL).is_some()
            && endpoint.refused()
        {
            let event = Event::new(Turn::Unhealthy, &endpoint.name, "its answer says that its health check fails");
            cluster.membership.teller().tell(event);
        }
        let first_byte_us = micros(self.attempt_started, now);
        self.heard(&Heard::Answer { status: head.status, first_byte_us, retry_after_s });
    }

    pub(super) fn heard_failure(&mut self, now: Instant, error: &Error) {
        self.heard(&Heard::Failure { kind: error.kind, took_us: micros(self.attempt_started, now) });
    }

    pub(super) fn heard(&mut self, heard: &Heard) {
        let probe = self.probe.take();
        if let (Some(cluster), Some(endpoint)) = (self.cluster(), &self.endpoint) {
            cluster::heard(cluster, endpoint, heard, probe);
        }
    }

    fn cluster(&self) -> Option<&GenerationCluster> {
        self.view.generation.clusters.get(usize::from(self.record.cluster)).map(|cluster| &**cluster)
    }
}
