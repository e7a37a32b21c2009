//! The task of one copy: the request's body is awaited, the copy sent, its answer compared or dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use weft_rt::Timer;

use super::ask::Asking;
use super::diff::{Comparison, Seen, compare_later};
use super::message::announce;
use super::witness::Testimony;
use super::{Mirror, Place};
use crate::http::head::Method;
use crate::snapshot::{GenerationCluster, Subset};
use crate::telemetry::metrics::Counter;
use crate::transfer::Copied;
use crate::worker::Worker;
use crate::worker::serving::View;

/// How long after an answer the same is asked again: what shows the time in seconds has changed by then.
const LAG: Duration = Duration::from_millis(1_100);

/// Requests that wait so long at once. Others are asked again without a wait.
const LAGGING: u32 = 8;

static LAGS: AtomicU32 = AtomicU32::new(0);

/// A copy of one request.
pub(super) struct Copy {
    pub(super) worker: Rc<Worker>,
    pub(super) view: View,
    pub(super) route: u16,
    /// Which of the route's mirrors it is for.
    pub(super) mirror: usize,
    /// Where the request itself goes.
    pub(super) cluster: u16,
    /// To which part of that.
    pub(super) subset: Option<Subset>,
    pub(super) method: Method,
    /// Method and path, to tell of.
    pub(super) request: Vec<u8>,
    pub(super) head: Vec<u8>,
    /// The head says how long the body is.
    pub(super) framed: bool,
    pub(super) body: Copied,
    /// The answer that the client gets, where answers are compared.
    pub(super) testimony: Option<Testimony>,
    /// The request itself, where it may be asked again.
    pub(super) again: Option<Vec<u8>>,
    /// Held for as long as the copy lasts.
    pub(super) _place: Place,
}

impl Copy {
    pub(super) async fn run(mut self) {
        let generation = Rc::clone(&self.view.generation);
        let Some(mirror) =
            generation.routes.get(usize::from(self.route)).and_then(|route| route.mirrors.get(self.mirror))
        else {
            return;
        };
        let (worker, state) = (Rc::clone(&self.worker), &mirror.state);
        let body = match std::mem::replace(&mut self.body, Copied::empty()).whole().await {
            Ok(body) => body,
            Err(_) => {
                state.dropped.fetch_add(1, Relaxed);
                return worker.count(Counter::MirrorsDropped, 1);
            }
        };
        if !self.framed {
            announce(&mut self.head, body.len());
        }
        let mut message = std::mem::take(&mut self.head);
        message.extend_from_slice(&body);
        worker.count(Counter::Mirrors, 1);
        let answer = self.ask(mirror, (mirror.cluster, mirror.subset.as_ref()), &message).await;
        let ended = if answer.is_some() { &state.answered } else { &state.failed };
        ended.fetch_add(1, Relaxed);
        if let (Some(candidate), Some(testimony)) = (answer, self.testimony.take()) {
            self.compare(mirror, candidate, testimony).await;
        }
    }

    /// Has the answer compared with the one that the client got and, where that is harmless, with another one to the same
    /// question: what differs between those says nothing about the mirror.
    async fn compare(&self, mirror: &Mirror, candidate: Seen, testimony: Testimony) {
        let Some(findings) = mirror.state.findings.clone() else { return };
        let Some(primary) = within(Duration::from_secs(60), testimony.wait()).await.flatten() else { return };
        let mut control = None;
        if let Some(message) = &self.again {
            lag(LAGGING.min(mirror.settings.max_concurrent / 4)).await;
            control = self.ask(mirror, (self.cluster, self.subset.as_ref()), message).await;
        }
        let request = String::from_utf8_lossy(&self.request).into_owned();
        let repeatable = self.again.is_some();
        compare_later(Comparison { findings, request, primary, candidate, control, repeatable });
    }

    async fn ask(&self, mirror: &Mirror, (cluster, subset): (u16, Option<&Subset>), message: &[u8]) -> Option<Seen> {
        let cluster: &GenerationCluster = self.view.generation.clusters.get(usize::from(cluster))?;
        let max_body = mirror.settings.diff.as_ref().map_or(0, |diff| diff.max_body_bytes as usize);
        let asking = Asking { worker: &self.worker, cluster, subset, method: self.method, message, max_body };
        within(Duration::from_millis(mirror.settings.timeout_ms.into()), asking.run()).await.flatten()
    }
}

/// Waits, unless enough do already.
async fn lag(most: u32) {
    let free = |lagging: u32| (lagging < most).then_some(lagging + 1);
    if LAGS.fetch_update(Relaxed, Relaxed, free).is_ok() {
        weft_rt::sleep(LAG).await;
        LAGS.fetch_sub(1, Relaxed);
    }
}

/// What comes of it in this time.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut timer = Timer::new();
    timer.set(Some(weft_rt::now() + limit));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => timer.poll_expired(cx).map(|()| None),
    })
    .await
}
