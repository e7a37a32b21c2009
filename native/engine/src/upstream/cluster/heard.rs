//! What an attempt tells about its endpoint. The one place where everything that learns from traffic hears of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Probe, breaker, outlier, peak_ewma};
use crate::error::Kind;
use crate::snapshot::{Endpoint, GenerationCluster, LoadBalancer, Moment};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// With the head of an answer.
    Answer {
        /// Its status.
        status: u16,
        /// From the begin of the attempt to its first byte, µs.
        first_byte_us: u32,
        /// How long its `retry-after` asks to wait, s; looked for where the status is 429 or 503.
        retry_after_s: Option<u32>,
    },
    /// Without a whole answer, by a fault of the endpoint's.
    Failure {
        /// What happened.
        kind: Kind,
        /// From the begin of the attempt, µs.
        took_us: u32,
    },
    /// On a connection that the endpoint had closed for being idle: the request goes out again, and tells more.
    Stale,
    /// Without an answer so far: another attempt was answered first, and nobody waits for this one any more.
    Overtaken {
        /// From the begin of the attempt, µs. The answer would have taken longer.
        after_us: u32,
    },
}

/// An attempt at this endpoint of this cluster has ended like this. `probe` is what its pick came with.
#[inline]
pub fn heard(cluster: &GenerationCluster, endpoint: &Arc<Endpoint>, heard: &Heard, probe: Option<Probe>) {
    learn(&cluster.load_balancer, endpoint, heard, Moment::now);
    match *heard {
        Heard::Answer { status, first_byte_us, .. } => {
            endpoint.latency.count_shared(first_byte_us);
            let is_overload = status >= 500 || status == 429;
            at_once(endpoint, (!is_overload).then_some(first_byte_us));
            if status >= 500 {
                endpoint.server_errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        Heard::Overtaken { after_us } => endpoint.latency.count_shared(after_us),
        Heard::Failure { .. } | Heard::Stale => {
            endpoint.failures.fetch_add(1, Ordering::Relaxed);
            at_once(endpoint, None);
        }
    }
    if let Some(policy) = &cluster.outlier_detection {
        outlier::heard(policy, &cluster.membership, endpoint, heard);
    }
    if let Some(trip) = &cluster.trip {
        breaker::heard((trip, cluster.trip_when.as_deref()), &cluster.membership, endpoint, heard, probe);
    }
}

fn at_once(endpoint: &Endpoint, first_byte_us: Option<u32>) {
    let (count, active) = (endpoint.requests.load(Ordering::Relaxed), endpoint.active.load(Ordering::Relaxed));
    endpoint.concurrency.heard(count, active, first_byte_us);
}

/// What the balancer learns of it. `now` is only asked for where one learns.
#[inline]
pub fn learn(load_balancer: &LoadBalancer, endpoint: &Endpoint, heard: &Heard, now: impl FnOnce() -> Moment) {
    if let LoadBalancer::PeakEwma { decay_ms, default_rtt_ms, penalty_ms, .. } = *load_balancer {
        peak_ewma::hear(endpoint, heard, now(), peak_ewma::Settings { decay_ms, default_rtt_ms, penalty_ms });
    }
}
