//! A stream without a socket: two bounded pipes between a task's [`Stream`] and whoever holds its other end.
//!
//! Both ends stay on one thread. The stream's side behaves as a socket does: it gives way after its allowance, sees the
//! end after the last byte and a reset before it. No borrow outlives a call, so that an end may be used from within
//! whatever the other end wakes.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::source::reset_error;
use crate::{Stream, current};

/// Bytes that a stream may write before the other end has taken some.
pub const PIPE_BYTES: usize = 64 * 1024;

/// Two ends: a stream for the task that serves, and its peer.
pub fn memory() -> (Stream, Peer) {
    let pipes = Rc::new(Pipes::default());
    let peer = Peer { pipes: Rc::clone(&pipes) };
    (Stream::from_memory(Memory { pipes, aborts: false }), peer)
}

#[derive(Default)]
struct Pipes {
    /// From the peer to the stream.
    inward: RefCell<Pipe>,
    /// From the stream to the peer.
    outward: RefCell<Pipe>,
    /// Who waits for the connection to fail.
    watcher: Cell<Option<Waker>>,
    /// The peer has gone without a word.
    reset: Cell<bool>,
    /// The stream was dropped with [`Stream::set_abort_on_drop`].
    aborted: Cell<bool>,
}

/// One direction. `waker` is the stream's: it waits for bytes in one, for room in the other.
#[derive(Default)]
struct Pipe {
    bytes: Vec<u8>,
    /// Bytes at the front that were taken.
    taken: usize,
    ended: bool,
    waker: Option<Waker>,
}

impl Pipe {
    fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    fn take(&mut self, buf: &mut [u8]) -> usize {
        let waiting = self.bytes.get(self.taken..).unwrap_or_default();
        let count = waiting.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..count), waiting.get(..count)) {
            to.copy_from_slice(from);
        }
        self.taken += count;
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        count
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.taken >= PIPE_BYTES {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }
}

/// Wakes whom `pipe` knows, once the borrow has ended.
fn wake(pipe: &RefCell<Pipe>) {
    let waker = pipe.borrow_mut().waker.take();
    waker.into_iter().for_each(Waker::wake);
}

fn wait(known: &mut Option<Waker>, cx: &Context<'_>) {
    if !known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
        *known = Some(cx.waker().clone());
    }
}

/// The stream's end.
pub(crate) struct Memory {
    pipes: Rc<Pipes>,
    aborts: bool,
}

impl Memory {
    pub(crate) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        if self.pipes.reset.get() {
            return Err(reset_error());
        }
        let mut pipe = self.pipes.inward.borrow_mut();
        match pipe.take(buf) {
            0 if pipe.ended => Ok(0),
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => {
                current::charge_read(count);
                Ok(count)
            }
        }
    }

    pub(crate) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        let mut pipe = self.pipes.outward.borrow_mut();
        if self.pipes.reset.get() || pipe.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = PIPE_BYTES.saturating_sub(pipe.len()).min(buf.len());
        if room == 0 && !buf.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.put(buf.get(..room).unwrap_or_default());
        Ok(room)
    }

    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pipe = self.pipes.inward.borrow_mut();
        if pipe.len() > 0 || pipe.ended || self.pipes.reset.get() {
            return Poll::Ready(());
        }
        wait(&mut pipe.waker, cx);
        Poll::Pending
    }

    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pipe = self.pipes.outward.borrow_mut();
        if pipe.len() < PIPE_BYTES || pipe.ended || self.pipes.reset.get() {
            return Poll::Ready(());
        }
        wait(&mut pipe.waker, cx);
        Poll::Pending
    }

    pub(crate) fn poll_failed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.pipes.reset.get() {
            return Poll::Ready(());
        }
        let mut known = self.pipes.watcher.take();
        wait(&mut known, cx);
        self.pipes.watcher.set(known);
        Poll::Pending
    }

    pub(crate) fn shutdown_write(&self) {
        self.pipes.outward.borrow_mut().ended = true;
    }

    pub(crate) fn set_abort_on_drop(&mut self) {
        self.aborts = true;
    }

    /// All that the peer sent was read, and it will send no more.
    pub(crate) fn is_at_end(&self) -> bool {
        let pipe = self.pipes.inward.borrow();
        pipe.ended && pipe.len() == 0
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.pipes.aborted.set(self.aborts);
        self.pipes.outward.borrow_mut().ended = true;
    }
}

/// The other end: for whoever is no task and is never kept waiting. What it sends is always taken; the answer to
/// [`Peer::send`] says when to stop. Dropping it is an end, not a reset.
pub struct Peer {
    pipes: Rc<Pipes>,
}

impl Peer {
    /// Gives bytes to the stream. False: there is more under way than a pipe should hold.
    pub fn send(&self, bytes: &[u8]) -> bool {
        let room = {
            let mut pipe = self.pipes.inward.borrow_mut();
            pipe.put(bytes);
            pipe.len() < PIPE_BYTES
        };
        wake(&self.pipes.inward);
        room
    }

    /// Nothing more is sent.
    pub fn end(&self) {
        self.pipes.inward.borrow_mut().ended = true;
        wake(&self.pipes.inward);
    }

    /// Ends both directions at once, as RST does.
    pub fn reset(&self) {
        self.pipes.reset.set(true);
        wake(&self.pipes.inward);
        wake(&self.pipes.outward);
        self.pipes.watcher.take().into_iter().for_each(Waker::wake);
    }

    /// Bytes that were sent and not read yet.
    pub fn unread(&self) -> usize {
        self.pipes.inward.borrow().len()
    }

    /// Whether the stream wrote something that was not received yet.
    pub fn has_received(&self) -> bool {
        self.pipes.outward.borrow().len() > 0
    }

    /// Puts all that the stream wrote behind what `to` holds. An empty vector is exchanged for the full one.
    pub fn receive(&self, to: &mut Vec<u8>) {
        {
            let mut pipe = self.pipes.outward.borrow_mut();
            if to.is_empty() {
                std::mem::swap(to, &mut pipe.bytes);
            } else {
                to.append(&mut pipe.bytes);
            }
        }
        wake(&self.pipes.outward);
    }

    /// The stream has ended its half, or was dropped.
    pub fn is_ended(&self) -> bool {
        self.pipes.outward.borrow().ended
    }

    /// The stream was dropped, and said that the connection is to be reset.
    pub fn is_aborted(&self) -> bool {
        self.pipes.aborted.get()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("unread", &self.unread()).finish()
    }
}
