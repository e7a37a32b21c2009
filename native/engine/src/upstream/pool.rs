//! Idle connections of one worker, by endpoint; the one used last is used next.
//!
//! An idle connection that becomes readable has been closed (or speaks out of turn): it is dropped, never reused.
//! A keeper task per worker drops those and the ones past their idle time, and sleeps while the pool is empty.

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
use crate::snapshot::Endpoint;

/// How often the keeper looks for connections past their idle time.
const SWEEP: Duration = Duration::from_millis(500);

struct Idle {
    upstream: Upstream,
    until: Instant,
}

/// The pool of one worker.
pub struct Pool {
    by_endpoint: RefCell<Vec<Vec<Idle>>>,
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
        while let Some(mut idle) = pool.pop() {
            self.idle.set(self.idle.get() - 1);
            let stream = &mut idle.upstream.stream;
            // The keeper sweeps seldom: what is past its time may still be here.
            if idle.until > now && is_quiet(stream, &mut Context::from_waker(waker)) && !(probe && has_ended(stream)) {
                return Some(idle.upstream);
            }
        }
        None
    }

    /// Keeps a connection whose last answer is complete; not at all when `keep` is zero.
    pub fn give(&self, mut upstream: Upstream, keep: Duration) {
        let keeper = self.keeper.borrow();
        let Some(waker) = keeper.as_ref().filter(|_| !keep.is_zero()) else { return };
        // Registers the keeper: it is woken when the endpoint closes the connection.
        if !is_quiet(&mut upstream.stream, &mut Context::from_waker(waker)) {
            return;
        }
        let Some(upstream) = self.part_with(upstream, waker) else { return };
        let id = upstream.endpoint.id as usize;
        let mut pools = self.by_endpoint.borrow_mut();
        if pools.len() <= id {
            pools.resize_with(id + 1, Vec::new);
        }
        if let Some(pool) = pools.get_mut(id) {
            pool.push(Idle { upstream, until: weft_rt::now() + keep });
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
            self.retain(|idle| {
                let endpoint = &idle.upstream.endpoint;
                idle.until > now
                    && endpoint.is_member()
                    && !idle.upstream.is_wanted()
                    && is_quiet(&mut idle.upstream.stream, cx)
            });
            timer.set((self.idle.get() > 0).then(|| now + SWEEP));
            while timer.poll_expired(cx).is_ready() {
                timer.set((self.idle.get() > 0).then(|| now + SWEEP));
            }
            Poll::<()>::Pending
        })
        .await;
    }

    fn retain(&self, mut keep: impl FnMut(&mut Idle) -> bool) {
        let mut kept = 0;
        for pool in self.by_endpoint.borrow_mut().iter_mut() {
            pool.retain_mut(&mut keep);
            kept += pool.len();
        }
        self.idle.set(u32::try_from(kept).unwrap_or(u32::MAX));
    }
}

/// Whether nothing can be read: neither an end of stream nor bytes that nobody asked for. Registers the waker.
fn is_quiet(stream: &mut Stream, cx: &mut Context<'_>) -> bool {
    while stream.poll_readable(cx).is_ready() {
        // Readiness is optimistic after a read that filled its buffer: only the system knows.
        match stream.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return false,
        }
    }
    true
}

/// Asks the system whether anything, an end of stream included, waits to be read.
fn has_ended(stream: &Stream) -> bool {
    !matches!(
        rustix::net::recv(stream.as_fd(), &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT),
        Err(Errno::AGAIN)
    )
}
