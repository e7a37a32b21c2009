//! A socket as the runtime sees it: a descriptor with two readiness flags and whoever waits for them.
//!
//! The same three questions for both back-ends: try a system call now, wait for a side, wait for failure. A flag
//! starts set ("try and see") and is cleared by EAGAIN and by a call that moved less than it could have, so a
//! keep-alive request costs exactly one read.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

/// Which of the two flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Read,
    Write,
}

/// What a system call left behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// The kernel may have more, or room for more.
    More,
    /// It moved less than it could have: the next call would not move anything.
    Nothing,
    /// The other side has ended its half; there is nothing to wait for any more.
    End,
}

pub(crate) enum Source {
    #[cfg(feature = "uv")]
    Uv(crate::uv::Source),
    #[cfg(feature = "tokio")]
    Tokio(crate::tokio_rt::Source),
}

macro_rules! each {
    ($self:ident, $source:ident => $call:expr) => {
        match $self {
            #[cfg(feature = "uv")]
            Source::Uv($source) => $call,
            #[cfg(feature = "tokio")]
            Source::Tokio($source) => $call,
        }
    };
}

impl Source {
    /// Hands a non-blocking descriptor to this thread's runtime.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Source> {
        #[cfg(feature = "uv")]
        if crate::uv::installed() {
            return crate::uv::Source::new(fd).map(Source::Uv);
        }
        #[cfg(feature = "tokio")]
        return crate::tokio_rt::Source::new(fd).map(Source::Tokio);
        #[cfg(not(feature = "tokio"))]
        {
            drop(fd);
            Err(io::Error::new(io::ErrorKind::NotConnected, "no runtime on this thread"))
        }
    }

    /// A socket that becomes writable when its connection stands or has failed, and not before.
    pub(crate) fn connecting(fd: OwnedFd) -> io::Result<Source> {
        let mut source = Source::new(fd)?;
        source.wait_for_write();
        Ok(source)
    }

    fn wait_for_write(&mut self) {
        each!(self, source => source.wait_for_write());
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        each!(self, source => source.fd())
    }

    /// Runs a system call unless the flag is known to be clear, in which case it would only answer WouldBlock.
    #[inline]
    pub(crate) fn attempt<R>(
        &mut self,
        side: Side,
        call: impl FnOnce(BorrowedFd<'_>) -> io::Result<(R, Left)>,
    ) -> io::Result<R> {
        each!(self, source => source.attempt(side, call))
    }

    /// Ready when a system call on that side is worth trying; else registers the waker.
    #[inline]
    pub(crate) fn poll_ready(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<()> {
        each!(self, source => source.poll_ready(side, cx))
    }

    /// Ready when the connection has failed; a FIN is no failure.
    pub(crate) fn poll_failed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        each!(self, source => source.poll_failed(cx))
    }

    /// Has the reader come back after the next look at all sockets, whatever the kernel has for it now.
    pub(crate) fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        each!(self, source => source.poll_next_event(cx))
    }

    /// Tells that a reader will be back without being woken by readiness: its task gave way to others.
    pub(crate) fn reader_gave_way(&mut self) {
        each!(self, source => source.reader_gave_way());
    }
}

/// The readiness a call that moved `moved` of `wanted` bytes leaves.
#[inline]
pub(crate) fn left_after(moved: usize, wanted: usize) -> Left {
    if moved < wanted { Left::Nothing } else { Left::More }
}

/// What is read after a connection has failed and its error was taken by somebody else: never a clean end.
pub(crate) fn reset_error() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// Whether an error is the end of the connection: not a shortage of memory, not a consequence of our own shutdown.
pub(crate) fn is_failure(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut};
    matches!(error.kind(), ConnectionReset | ConnectionAborted | TimedOut | HostUnreachable | NetworkUnreachable)
}
