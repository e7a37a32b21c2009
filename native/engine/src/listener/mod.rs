//! From a listening socket to connections, within the listener's bounds.
//!
//! A [`connection`] reads one head after the other, a [`door`] takes requests of TypeScript's; both hand them to the
//! [driver](crate::exchange::driver). May use [`exchange`](crate::exchange), [`worker`](crate::worker) and the ground
//! floor, and in this room what stands below.

// Each module uses what stands below it. `scripts/check-structure` holds this order.
pub mod handover;

pub mod bind;
mod unix;

pub mod connection;
pub mod door;

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use weft_rt::Addr;

use crate::exchange::downstream::{Downstream, Next};
use crate::exchange::reply;
use crate::snapshot::Direction;
use crate::telemetry::metrics::Counter;
use crate::worker::Worker;
use crate::worker::serving::{Admitted, Serving};

/// How long a listening socket rests after an error of its own.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long the last connections have to show their request before a drain may take the worker for idle, and how often
/// it is then asked whether all are gone.
const SETTLE: Duration = Duration::from_millis(20);

/// Accepts until the listener goes and nobody waits at its door any more.
pub async fn accept(mut socket: weft_rt::Listener, serving: Rc<Serving>, worker: Rc<Worker>) {
    let _accepting = Accepting::begin(&worker, serving.view().listener().direction);
    while let Some(accepted) = poll_fn(|cx| poll_next(cx, &mut socket, &serving, &worker)).await {
        let Ok((stream, address)) = accepted else {
            // Not one connection's fault: asked again at once, it would fail again, and nothing else would run.
            weft_rt::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        worker.count(Counter::DownstreamConnections, 1);
        let admitted = Admitted::take(&serving);
        let within = admitted.is_within();
        let abort_on_close = serving.view().listener().abort_on_close;
        let downstream = Downstream::new(stream, &address, admitted, abort_on_close);
        let worker = Rc::clone(&worker);
        if within {
            weft_rt::spawn(connection::serve(downstream, worker)).detach();
        } else {
            weft_rt::spawn(turn_away(downstream, worker)).detach();
        }
    }
    drop(socket);
    // The last ones let in become exchanges, which a drain waits for, only when their request has been seen.
    let begun = weft_rt::now();
    loop {
        weft_rt::sleep(SETTLE).await;
        let silent = worker.slot.sum(Counter::DownstreamConnectionsActive) == 0;
        if silent || begun.elapsed() > connection::QUIET {
            return;
        }
    }
}

/// Counts a socket that is accepted from: a drain waits for the last of them.
struct Accepting {
    worker: Rc<Worker>,
    direction: Direction,
}

impl Accepting {
    fn begin(worker: &Rc<Worker>, direction: Direction) -> Self {
        let accepting = Self { worker: Rc::clone(worker), direction };
        accepting.count().fetch_add(1, Ordering::AcqRel);
        accepting
    }

    fn count(&self) -> &AtomicU32 {
        let slot = &self.worker.slot;
        if self.direction == Direction::Outbound { &slot.accepting_outbound } else { &slot.accepting }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.count().fetch_sub(1, Ordering::AcqRel);
    }
}

type Accepted = std::io::Result<(weft_rt::Stream, Addr)>;

/// The next connection; `None` when the listener goes and its queue is empty. A client whose connection was taken into
/// the queue believes that it was let in, and closing the socket over it would be a reset.
fn poll_next(
    cx: &mut Context<'_>,
    socket: &mut weft_rt::Listener,
    serving: &Serving,
    worker: &Worker,
) -> Poll<Option<Accepted>> {
    serving.listen(cx.waker());
    let before = weft_rt::Listener::accept_pauses();
    let accepted = socket.poll_accept(cx);
    worker.count(Counter::AcceptPauses, weft_rt::Listener::accept_pauses() - before);
    match accepted {
        Poll::Pending if serving.is_closing() && !is_awaited(socket) => Poll::Ready(None),
        accepted => accepted.map(Some),
    }
}

/// Whether a connection waits in the queue: accepting may also have stopped to let others have their turn.
fn is_awaited(socket: &weft_rt::Listener) -> bool {
    let mut sockets = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
    matches!(poll(&mut sockets, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
}

async fn turn_away(mut downstream: Downstream, worker: Rc<Worker>) {
    if reply::turn_away(&mut downstream, &worker).await == Next::Linger {
        connection::linger(&mut downstream, &worker).await;
    }
}
