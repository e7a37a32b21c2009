//! What an attempt tells about its endpoint. The one place where everything that learns from traffic hears of it.

use std::sync::atomic::Ordering;

use crate::error::Kind;
use crate::snapshot::Endpoint;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// With the head of an answer.
    Answer {
        /// Its status.
        status: u16,
        /// From the begin of the attempt to its first byte, µs.
        first_byte_us: u32,
    },
    /// Without a whole answer, by a fault of the endpoint's.
    Failure(Kind),
}

/// An attempt at this endpoint has ended like this.
#[inline]
pub fn heard(endpoint: &Endpoint, heard: &Heard) {
    match *heard {
        Heard::Answer { status, first_byte_us } => {
            endpoint.latency.count_shared(first_byte_us);
            let is_overload = status >= 500 || status == 429;
            at_once(endpoint, (!is_overload).then_some(first_byte_us));
            if status >= 500 {
                endpoint.server_errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        Heard::Failure(_) => {
            endpoint.failures.fetch_add(1, Ordering::Relaxed);
            at_once(endpoint, None);
        }
    }
}

fn at_once(endpoint: &Endpoint, first_byte_us: Option<u32>) {
    let (count, active) = (endpoint.requests.load(Ordering::Relaxed), endpoint.active.load(Ordering::Relaxed));
    endpoint.concurrency.heard(count, active, first_byte_us);
}
