//! Idle connections of one worker, by endpoint; the one used last is used next.
//!
//! An idle connection that becomes readable has been closed (or speaks out of turn): it is dropped, never reused.
//! A keeper task per worker drops those and the ones past their idle time, and sleeps while the pool is empty. Where the
//! idle time is learned, one connection per endpoint that is past it stays as a witness: it serves nobody any more, and
//! its end tells when the endpoint closes idle connections. It makes way for a new connection.

use std::cell::{Cell, RefCell, RefMut};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;
use weft_rt::{Stream, Timer};

use super::connect::Upstream;
use super::spare::next_thread;
use crate::http::framing::announced_idle_seconds;
use crate::http::head::ResponseHead;
use crate::snapshot::{Endpoint, Idle, Keeping, LONGEST_WATCH};

/// How often the keeper looks for connections past their idle time.
const SWEEP: Duration = Duration::from_millis(500);

struct Waiting {
    upstream: Upstream,
    since: Instant,
    idle: Idle,
}

/// The pool of one worker.
pub struct Pool {
    by_endpoint: RefCell<Vec<Vec<Waiting>>>,
    idle: Cell<u32>,
    keeper: RefCell<Option<Waker>>,
    /// Connections on their way to somebody who waited for one, by his ticket.
    aside: RefCell<Vec<(u64, Upstream)>>,
    thread: u32,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            by_endpoint: RefCell::default(),
            idle: Cell::default(),
            keeper: RefCell::default(),
            aside: RefCell::default(),
            thread: next_thread(),
        }
    }
}

impl Pool {
    /// Its name among the pools of the process.
    pub fn thread(&self) -> u32 {
        self.thread
    }

    pub(super) fn aside(&self) -> RefMut<'_, Vec<(u64, Upstream)>> {
        self.aside.borrow_mut()
    }

    /// A connection that is still open as far as this end knows. A request that cannot be repeated is worth asking the
    /// system once more, with `probe`: the end may have come since the loop last looked.
    pub fn take(&self, endpoint: &Endpoint, probe: bool) -> Option<Upstream> {
        let keeper = self.keeper.borrow();
        let waker = keeper.as_ref().unwrap_or(Waker::noop());
        let now = weft_rt::now();
        let mut pools = self.by_endpoint.borrow_mut();
        let pool = pools.get_mut(endpoint.id as usize)?;
        // The keeper sweeps seldom: what is past its time may still be here.
        while let Some(mut waiting) = pool.pop_if(|waiting| waiting.is_reusable(now)) {
            self.idle.set(self.idle.get() - 1);
            let stream = &mut waiting.upstream.stream;
            match look(stream, &mut Context::from_waker(waker)) {
                Seen::Quiet if probe && has_ended(stream) => waiting.learn(Seen::End, now),
                Seen::Quiet => return Some(waiting.upstream),
                seen => waiting.learn(seen, now),
            }
        }
        self.idle.set(self.idle.get().saturating_sub(u32::try_from(pool.len()).unwrap_or(u32::MAX)));
        // An endpoint that serves one connection at a time would not come to the new one before these have ended.
        pool.drain(..).for_each(|waiting| waiting.outlived(now));
        None
    }

    /// Keeps a connection whose last answer is complete, as long as the cluster wants.
    pub fn give(&self, mut upstream: Upstream, keeping: &Keeping) {
        upstream.served = upstream.served.saturating_add(1);
        if keeping.max_requests.is_some_and(|max| upstream.served >= max) || keeping.idle == Idle::For(Duration::ZERO) {
            return;
        }
        let keeper = self.keeper.borrow();
        let Some(waker) = keeper.as_ref() else { return };
        let since = weft_rt::now();
        // Registers the keeper: it is woken when the endpoint closes the connection.
        let seen = look(&mut upstream.stream, &mut Context::from_waker(waker));
        if seen != Seen::Quiet {
            return Waiting { upstream, since, idle: keeping.idle }.learn(seen, since);
        }
        let Some(upstream) = self.part_with(upstream, waker) else { return };
        let waiting = Waiting { upstream, since, idle: keeping.idle };
        let id = waiting.upstream.endpoint.id as usize;
        let mut pools = self.by_endpoint.borrow_mut();
        if pools.len() <= id {
            pools.resize_with(id + 1, Vec::new);
        }
        if let Some(pool) = pools.get_mut(id) {
            pool.push(waiting);
            self.idle.set(self.idle.get() + 1);
            if self.idle.get() == 1 {
                waker.wake_by_ref();
            }
        }
    }

    /// The keeper. Runs as long as the worker.
    pub async fn keep(self: Rc<Self>) {
        let mut timer = Timer::new();
        poll_fn(|cx| {
            let known = self.keeper.borrow().as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
            if !known {
                *self.keeper.borrow_mut() = Some(cx.waker().clone());
            }
            let now = weft_rt::now();
            self.sweep(now, cx);
            timer.set((self.idle.get() > 0).then(|| now + SWEEP));
            while timer.poll_expired(cx).is_ready() {
                timer.set((self.idle.get() > 0).then(|| now + SWEEP));
            }
            Poll::<()>::Pending
        })
        .await;
    }

    fn sweep(&self, now: Instant, cx: &mut Context<'_>) {
        let mut kept = 0;
        for pool in self.by_endpoint.borrow_mut().iter_mut() {
            let mut watched = false;
            pool.retain_mut(|waiting| {
                let seen = look(&mut waiting.upstream.stream, cx);
                if seen != Seen::Quiet {
                    waiting.learn(seen, now);
                    return false;
                }
                // The oldest stands first: it is the witness.
                let member = waiting.upstream.endpoint.is_member() && !waiting.upstream.is_wanted();
                member
                    && (waiting.is_reusable(now)
                        || (!std::mem::replace(&mut watched, true) && waiting.is_worth_watching(now)))
            });
            kept += pool.len();
        }
        self.idle.set(u32::try_from(kept).unwrap_or(u32::MAX));
    }
}

impl Waiting {
    fn is_reusable(&self, now: Instant) -> bool {
        let limit = match self.idle {
            Idle::For(time) => time,
            Idle::Learned => self.upstream.endpoint.idle_age.limit(),
        };
        now.saturating_duration_since(self.since) < limit
    }

    /// Whether its end would tell something. One that outlives the watch has told that, too.
    fn is_worth_watching(&self, now: Instant) -> bool {
        let young = now.saturating_duration_since(self.since) < LONGEST_WATCH;
        if !young {
            self.outlived(now);
        }
        self.idle == Idle::Learned && young
    }

    /// It is given up although the endpoint still keeps it.
    fn outlived(&self, now: Instant) {
        if self.idle == Idle::Learned {
            self.upstream.endpoint.idle_age.outlived(now.saturating_duration_since(self.since));
        }
    }

    fn learn(&self, seen: Seen, now: Instant) {
        // Also where a fixed time is configured: what is known can be compared with it, and changes nothing.
        if seen == Seen::End {
            self.upstream.endpoint.idle_age.ended(now.saturating_duration_since(self.since));
        }
    }
}

/// What an endpoint says in its first answer on a connection about how long it keeps it.
pub fn hear(upstream: &Upstream, answer: &ResponseHead, keeping: &Keeping) {
    if upstream.served == 0
        && keeping.idle != Idle::For(Duration::ZERO)
        && let Some(seconds) = announced_idle_seconds(answer)
    {
        upstream.endpoint.idle_age.announced(seconds);
    }
}

/// What an idle connection shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nothing: it can be used.
    Quiet,
    /// The endpoint has closed it.
    End,
    /// Bytes that nobody asked for.
    Bytes,
}

/// Looks without waiting, and registers the waker where there is nothing to see.
fn look(stream: &mut Stream, cx: &mut Context<'_>) -> Seen {
    while stream.poll_readable(cx).is_ready() {
        // Readiness is optimistic after a read that filled its buffer: only the system knows.
        match stream.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return Seen::End,
            Ok(_) => return Seen::Bytes,
        }
    }
    Seen::Quiet
}

/// Asks the system whether anything, an end of stream included, waits to be read.
fn has_ended(stream: &Stream) -> bool {
    let Some(socket) = stream.as_fd() else { return stream.is_at_end() };
    !matches!(rustix::net::recv(socket, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT), Err(Errno::AGAIN))
}
