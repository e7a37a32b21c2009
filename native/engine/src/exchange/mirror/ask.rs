//! One request of the proxy's own to an endpoint of a cluster, and its whole answer. Without a time limit.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::ready;

use crate::http::body::BodyDecoder;
use crate::http::framing::{Framing, response_framing, response_keep_alive};
use crate::http::head::Method;
use crate::http::parse::{Parsed, parse_response};
use crate::snapshot::{Endpoint, GenerationCluster, Moment, Subset};
use crate::transfer::buffer::Buffer;
use crate::upstream::attempt::answer::ANSWER_LIMITS;
use crate::upstream::cluster::{self, Wish};
use crate::upstream::connection::connect::{self, Upstream};
use crate::worker::Worker;

use super::diff::{Body, Fields, Seen, fields};

/// A longer answer is not read to its end: its connection is closed.
const MAX_READ: usize = 1024 * 1024;

/// What is asked.
pub(super) struct Asking<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) cluster: &'a GenerationCluster,
    /// The part of it that is asked.
    pub(super) subset: Option<&'a Subset>,
    pub(super) method: Method,
    /// The whole request.
    pub(super) message: &'a [u8],
    /// Bytes of the answer's body that are kept.
    pub(super) max_body: usize,
}

impl Asking<'_> {
    /// Asks; `None`: there is no answer.
    pub(super) async fn run(&self) -> Option<Seen> {
        let wish = Wish { subset: self.subset, now: Moment::now(), ..Wish::default() };
        let picked = cluster::pick(&self.worker.picker, self.cluster, &wish)?;
        let _busy = Busy::begin(&picked.endpoint);
        let mut upstream = self.obtain(&picked.endpoint).await?;
        write(&mut upstream, self.message).await.ok()?;
        let mut reading = Reading { worker: self.worker, upstream: &mut upstream, bytes: Vec::new() };
        let (status, fields, framing, keep) = reading.head(self.method).await?;
        let (body, clean) = reading.body(framing, self.max_body).await?;
        if keep && clean {
            self.worker.pool.give(upstream, &self.cluster.keeping);
        }
        Some(Seen { status, fields, body })
    }

    /// A connection, within the cluster's bound: nobody else waits for one because of a copy.
    async fn obtain(&self, endpoint: &Arc<Endpoint>) -> Option<Upstream> {
        let bound =
            self.cluster.limits.breaker.as_deref().and_then(|breaker| Some((breaker, breaker.max_connections?)));
        if let Some(used) = self.worker.pool.take(endpoint, true) {
            return Some(used);
        }
        let place = match bound {
            None => None,
            Some((breaker, max)) => Some(breaker.state.connections.take(max)?),
        };
        let mut upstream = connect::open(endpoint, self.cluster).await.ok()?;
        upstream.place = place;
        Some(upstream)
    }
}

/// An endpoint has one more request.
struct Busy(Arc<Endpoint>);

impl Busy {
    fn begin(endpoint: &Arc<Endpoint>) -> Self {
        endpoint.active.fetch_add(1, Relaxed);
        endpoint.requests.fetch_add(1, Relaxed);
        Self(Arc::clone(endpoint))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Relaxed);
    }
}

async fn write(upstream: &mut Upstream, mut bytes: &[u8]) -> io::Result<()> {
    poll_fn(|cx| {
        while !bytes.is_empty() {
            let sent = ready!(upstream.stream.poll_write(cx, bytes))?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(()).into()
    })
    .await
}

/// An answer being read.
struct Reading<'a> {
    worker: &'a Rc<Worker>,
    upstream: &'a mut Upstream,
    /// What has come and is not used.
    bytes: Vec<u8>,
}

impl Reading<'_> {
    /// Reads more; false at the end of the stream.
    async fn fill(&mut self) -> Option<bool> {
        let mut buffer: Buffer = self.worker.buffers.take();
        let read = poll_fn(|cx| self.upstream.stream.poll_read(cx, buffer.spare())).await;
        if let Ok(bytes) = read {
            buffer.filled(bytes);
            self.bytes.extend_from_slice(buffer.unread());
        }
        self.worker.buffers.give(buffer);
        read.ok().map(|bytes| bytes > 0)
    }

    /// The final answer's head.
    async fn head(&mut self, method: Method) -> Option<(u16, Fields, Framing, bool)> {
        let mut head = self.worker.heads.take_response();
        let read = loop {
            match parse_response(&self.bytes, ANSWER_LIMITS, &mut head) {
                Err(_) => break None,
                Ok(Parsed::Complete(length)) => {
                    self.bytes.drain(..length);
                    if head.status >= 200 {
                        let framing = response_framing(&head, method).ok();
                        break framing.map(|framing| (head.status, fields(&head), framing, response_keep_alive(&head)));
                    }
                    if head.status == 101 {
                        break None;
                    }
                }
                Ok(_) => match self.fill().await {
                    Some(true) => {}
                    _ => break None,
                },
            }
        };
        self.worker.heads.give_response(head);
        read
    }

    /// The body, and whether the connection is clean behind it.
    async fn body(&mut self, framing: Framing, max_body: usize) -> Option<(Body, bool)> {
        let mut decoder = BodyDecoder::new(framing, ANSWER_LIMITS.max_bytes);
        let (mut data, mut length) = (Vec::new(), 0);
        loop {
            let step = decoder.decode(&self.bytes).ok()?;
            let part = self.bytes.get(step.data.clone()).unwrap_or_default();
            length += part.len();
            if length <= max_body {
                data.extend_from_slice(part);
            }
            self.bytes.drain(..step.consumed);
            let kept = |data| if length <= max_body { Body::Whole(data) } else { Body::NotKept };
            if step.done {
                return Some((kept(data), self.bytes.is_empty() && framing != Framing::UntilClose));
            }
            if length > MAX_READ {
                return Some((Body::NotKept, false));
            }
            if step.consumed == 0 && !self.fill().await? {
                decoder.end_of_input().ok()?;
                return Some((kept(data), false));
            }
        }
    }
}
