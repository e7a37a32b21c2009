//! `bandwidth-limit`: bodies go no faster than so many bytes a second, those of all exchanges and workers together.
//!
//! A body passes in parts of at most a window's bytes; each reserves its time on the common clock of its direction, one
//! compare-and-swap, and waits until that is at hand. What waits is not read: beyond its connection's buffer a body holds
//! one part. Bytes are counted as the body has them, without heads and framing.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use weft_rt::Timer;

use super::body::{BodyMode, Direction, Joining, SeesBodies};
use super::chain::FilterBook;
use super::{Filter, Request, Response, Verdict};
use crate::error::Error;
use crate::snapshot::{BandwidthLimit as Settings, LimitedDirection};
use crate::telemetry::metrics::Counter;
use crate::transfer::{BodyFilter, BodyPart};
use crate::worker::Worker;
use std::rc::Rc;

/// What may pass at once after a rest.
const WINDOW: Duration = Duration::from_millis(25);
/// The most of a body that passes at once.
const LONGEST_PART: u64 = 64 * 1024;

/// The filter.
pub(super) struct BandwidthLimit {
    request: Option<Arc<Flow>>,
    response: Option<Arc<Flow>>,
}

/// The bytes that go one way, of whatever bodies.
pub(super) struct Flow {
    bytes_per_second: u64,
    began: Instant,
    /// When all that was reserved will have passed, ns since `began`.
    free_at: AtomicU64,
}

impl BandwidthLimit {
    pub(super) fn new(settings: &Settings, owner: &str, place: usize, book: &mut FilterBook) -> Self {
        let Settings { bytes_per_second, direction } = *settings;
        let mut flow = |way: &str, is_limited: bool| {
            let id = format!("bandwidth-limit {owner} {place} {way} {bytes_per_second}");
            is_limited.then(|| book.keep(id, || Flow::new(bytes_per_second.into())))
        };
        Self {
            request: flow("request", direction != LimitedDirection::Response),
            response: flow("response", direction != LimitedDirection::Request),
        }
    }

    fn flow(&self, direction: Direction) -> Option<&Arc<Flow>> {
        match direction {
            Direction::Request => self.request.as_ref(),
            Direction::Response => self.response.as_ref(),
        }
    }
}

impl Flow {
    fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), began: weft_rt::now(), free_at: AtomicU64::new(0) }
    }

    /// Bytes that pass at once.
    fn part(&self) -> usize {
        let of_window = self.bytes_per_second * WINDOW.as_millis() as u64 / 1_000;
        usize::try_from(of_window.clamp(1, LONGEST_PART)).unwrap_or(1)
    }

    /// Reserves the time of so many bytes: when they may pass; `None` at once.
    fn reserve(&self, bytes: usize, now: Instant) -> Option<Instant> {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let now_ns = nanos(now.saturating_duration_since(self.began));
        let takes = u128::from(bytes as u64) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let takes = u64::try_from(takes).unwrap_or(u64::MAX);
        let next = |free_at: u64| free_at.max(now_ns).saturating_add(takes);
        let before = self.free_at.fetch_update(Relaxed, Relaxed, |free_at| Some(next(free_at)));
        let done = next(before.unwrap_or_default());
        let wait = done.saturating_sub(now_ns).saturating_sub(nanos(WINDOW));
        (wait > 0).then(|| now + Duration::from_nanos(wait))
    }
}

impl Filter for BandwidthLimit {
    fn request(&self, _request: &mut Request<'_>) -> Verdict {
        Verdict::Continue
    }

    fn bodies(&self) -> Option<&dyn SeesBodies> {
        Some(self)
    }
}

impl SeesBodies for BandwidthLimit {
    fn mode(&self, direction: Direction) -> BodyMode {
        if self.flow(direction).is_some() { BodyMode::Stream } else { BodyMode::None }
    }

    fn stream(&self, joining: Joining<'_>) -> Box<dyn BodyFilter> {
        let flow = self.flow(joining.direction).map(Arc::clone);
        // Only a limited direction is asked for.
        let flow = flow.unwrap_or_else(|| Arc::new(Flow::new(u64::MAX)));
        Box::new(Paced { flow, timer: Timer::new(), reserved: false, told: false, worker: Rc::clone(joining.worker) })
    }

    fn poll_request(&self, _cx: &mut Context<'_>, _: &mut Request<'_>, _: &mut Vec<u8>) -> Poll<Verdict> {
        Poll::Ready(Verdict::Continue)
    }

    fn poll_response(&self, _cx: &mut Context<'_>, _: &mut Response<'_>, _: &mut Vec<u8>) -> Poll<Verdict> {
        Poll::Ready(Verdict::Continue)
    }

    fn response_too_long(&self, _response: &mut Response<'_>) -> Verdict {
        Verdict::Continue
    }
}

/// A body on its way.
struct Paced {
    flow: Arc<Flow>,
    timer: Timer,
    /// The part under way has its time.
    reserved: bool,
    /// It was counted that the body had to wait.
    told: bool,
    worker: Rc<Worker>,
}

impl BodyFilter for Paced {
    fn poll(&mut self, cx: &mut Context<'_>, part: &mut BodyPart<'_>) -> Poll<Result<(), Error>> {
        if !self.reserved {
            let until = self.flow.reserve(part.data().len(), weft_rt::now());
            if until.is_none() {
                return Poll::Ready(Ok(()));
            }
            self.timer.set(until);
            self.reserved = true;
            if !std::mem::replace(&mut self.told, true) {
                self.worker.count(Counter::BandwidthLimited, 1);
            }
        }
        ready!(self.timer.poll_expired(cx));
        self.reserved = false;
        Poll::Ready(Ok(()))
    }

    fn longest_part(&self) -> usize {
        self.flow.part()
    }

    fn keeps_length(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// In virtual time: bodies that take whatever they are given, part by part, are given what was configured.
        #[test]
        fn a_second_carries_what_was_configured_however_many_share_it(
            bytes_per_second in 1_000_u64..500_000_000,
            bodies in 1_usize..20,
        ) {
            let flow = Flow::new(bytes_per_second);
            let part = flow.part();
            let start = flow.began + Duration::from_secs(5);
            let mut ready = vec![start; bodies];
            let (mut passed, end) = (0_u64, start + Duration::from_secs(2));
            // Whoever is ready first asks first, as on an event loop.
            while let Some(at) = ready.iter().copied().min().filter(|at| *at < end) {
                let who = ready.iter().position(|ready| *ready == at).unwrap();
                let until = flow.reserve(part, at);
                ready[who] = until.unwrap_or(at);
                passed += if until.is_none_or(|until| until < end) { part as u64 } else { 0 };
            }
            let expected = bytes_per_second * 2;
            prop_assert!(passed.abs_diff(expected) <= expected / 20 + part as u64, "{} of {}", passed, expected);
        }
    }
}
