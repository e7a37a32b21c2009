//! An answer that a retry replaces is thrown away; its connection is kept when little is left to read.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use weft_rt::Timer;

use super::Answered;
use super::answer::ANSWER_LIMITS;
use crate::http::body::BodyDecoder;
use crate::http::framing::{Framing, response_keep_alive};
use crate::snapshot::Keeping;
use crate::transfer::buffer::Buffer;
use crate::upstream::connection::connect::Upstream;
use crate::worker::Worker;

/// A longer rest is not read: a new connection is cheaper.
const MAX_BYTES: usize = 64 * 1024;

/// A slower rest is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Throws an answer away. `request_sent`: the endpoint has the whole request. The connection is kept as `keeping` says.
pub fn discard(worker: &Rc<Worker>, answered: Answered, request_sent: bool, keeping: Keeping) {
    let Answered { answer, upstream } = answered;
    let short = !matches!(answer.framing, Framing::UntilClose)
        && !matches!(answer.framing, Framing::Length(length) if length > MAX_BYTES as u64);
    let reusable = request_sent && short && response_keep_alive(&answer.head);
    worker.heads.give_response(answer.head);
    let mut rest = Rest { decoder: BodyDecoder::new(answer.framing, ANSWER_LIMITS.max_bytes), read: 0 };
    let first = match &answer.rest {
        Some(buffer) => rest.take(buffer),
        None => rest.take(&Buffer::from_vec(Vec::new())),
    };
    if let Some(buffer) = answer.rest {
        worker.buffers.give(buffer);
    }
    match first {
        Taken::All if reusable => worker.pool.give(upstream, &keeping),
        Taken::Some if reusable => weft_rt::spawn(rest.drain(Rc::clone(worker), upstream, keeping)).detach(),
        _ => {}
    }
}

/// What is left of an answer.
struct Rest {
    decoder: BodyDecoder,
    read: usize,
}

enum Taken {
    /// The answer is over.
    All,
    /// There is more to come.
    Some,
    /// Its connection is of no further use.
    Broken,
}

impl Rest {
    fn take(&mut self, buffer: &Buffer) -> Taken {
        let bytes = buffer.unread();
        self.read += bytes.len();
        let mut at = 0;
        loop {
            let Ok(step) = self.decoder.decode(bytes.get(at..).unwrap_or_default()) else { return Taken::Broken };
            at += step.consumed;
            match (step.done, at == bytes.len()) {
                (true, true) => return Taken::All,
                (true, false) => return Taken::Broken,
                (false, true) => return if self.read > MAX_BYTES { Taken::Broken } else { Taken::Some },
                (false, false) => {}
            }
        }
    }

    async fn drain(mut self, worker: Rc<Worker>, mut upstream: Upstream, keeping: Keeping) {
        let mut timer = Timer::new();
        timer.set(Some(weft_rt::now() + PATIENCE));
        let whole = poll_fn(|cx| self.poll(cx, &worker, &mut upstream, &mut timer)).await;
        if whole {
            worker.pool.give(upstream, &keeping);
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        upstream: &mut Upstream,
        timer: &mut Timer,
    ) -> Poll<bool> {
        loop {
            let mut buffer = worker.buffers.take();
            let taken = match upstream.stream.poll_read(cx, buffer.spare()) {
                Poll::Pending => None,
                Poll::Ready(Ok(bytes)) if bytes > 0 => {
                    buffer.filled(bytes);
                    Some(self.take(&buffer))
                }
                Poll::Ready(_) => Some(Taken::Broken),
            };
            worker.buffers.give(buffer);
            match taken {
                None => return timer.poll_expired(cx).map(|()| false),
                Some(Taken::All) => return Poll::Ready(true),
                Some(Taken::Broken) => return Poll::Ready(false),
                Some(Taken::Some) => {}
            }
        }
    }
}
