//! Accepts connections from a listening socket that the process owns.

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;

use crate::source::{Left, Side, Source};
use crate::{Addr, Stream, Timer, clock, current, syscall};

/// Accepting more per readiness event would keep established connections waiting.
const MAX_ACCEPTS_PER_EVENT: u32 = 64;
/// How long accepting pauses when the process or the kernel has run out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket as one thread sees it: its own duplicate of a descriptor that others may hold too.
pub struct Listener {
    source: Source,
    accepted: u32,
    pause: Timer,
}

impl Listener {
    /// Takes over a descriptor that already listens. Dropping the listener closes this descriptor only: the socket
    /// goes on listening as long as another duplicate of it is open.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Listener> {
        // Accepted sockets inherit the option, which saves a call for each.
        if syscall::local_addr(&fd)?.is_tcp() {
            syscall::set_nodelay(std::os::fd::AsFd::as_fd(&fd))?;
        }
        Ok(Listener { source: Source::new(fd)?, accepted: 0, pause: Timer::new() })
    }

    /// The next connection and where it comes from. Out of descriptors it pauses for 100 ms, counts that and goes
    /// on; an error means that this socket cannot accept any more.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Addr)>> {
        loop {
            if self.pause.is_set() {
                ready!(self.pause.poll_expired(cx));
                self.pause.set(None);
            }
            if self.accepted >= MAX_ACCEPTS_PER_EVENT {
                self.accepted = 0;
                ready!(self.source.poll_next_event(cx));
            }
            match self.accept() {
                Ok(connection) => {
                    self.accepted += 1;
                    return Poll::Ready(Ok(connection));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accepted = 0;
                    ready!(self.source.poll_ready(Side::Read, cx));
                }
                Err(error) if is_exhaustion(&error) => self.start_pause(),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// How often accepting has paused on this thread because descriptors or memory ran out.
    pub fn accept_pauses() -> u64 {
        current::accept_pauses()
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> io::Result<Addr> {
        syscall::local_addr(self.source.fd())
    }

    /// The descriptor, for socket options.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.fd()
    }

    fn accept(&mut self) -> io::Result<(Stream, Addr)> {
        let accepted = self.source.attempt(Side::Read, |fd| match syscall::accept(fd) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            // An error of accept is never one of the listening socket's own connection: it has none.
            other => Ok((other, Left::More)),
        });
        let (fd, addr) = accepted??;
        Ok((Stream::from_fd(fd)?, addr))
    }

    fn start_pause(&mut self) {
        current::count_accept_pause();
        self.pause.set(Some(clock::now() + PAUSE));
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("fd", &self.as_fd()).finish()
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Errors of a connection that ended in the queue, not of the listening socket: accept(2), "Error handling".
fn is_of_one_connection(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(
        errno,
        Some(
            Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::PROTO
                | Errno::PERM
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NONET
                | Errno::OPNOTSUPP
        )
    )
}
