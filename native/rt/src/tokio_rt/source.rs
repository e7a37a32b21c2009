//! A socket on tokio's reactor, with tokio's edge-triggered flags behind the same three questions.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::source::{Left, Side, is_failure, reset_error};
use crate::syscall;

pub(crate) struct Source {
    /// Waits for tokio's error flag, which has no poll function. Made when first asked for; before `io`, whose
    /// registration it uses.
    failure: Option<Pin<Box<dyn Future<Output = ()>>>>,
    io: Rc<AsyncFd<OwnedFd>>,
    /// tokio's flags start clear, ours start set: until a call said otherwise, "try and see".
    untried: [bool; 2],
    failed: bool,
    ended: bool,
}

impl Source {
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Source> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "no runtime on this thread"));
        }
        syscall::set_nonblocking(fd.as_fd())?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: an OwnedFd stays open and the same until it is dropped, and AsyncFd drops it after deregistering.
        let io = unsafe { AsyncFd::register_with_interest(fd, interest) }?;
        Ok(Source { failure: None, io: Rc::new(io), untried: [true; 2], failed: false, ended: false })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }

    pub(crate) fn wait_for_write(&mut self) {
        *self.untried(Side::Write) = false;
    }

    pub(crate) fn attempt<R>(
        &mut self,
        side: Side,
        call: impl FnOnce(BorrowedFd<'_>) -> io::Result<(R, Left)>,
    ) -> io::Result<R> {
        let untried = std::mem::take(self.untried(side));
        let (outcome, left) = if untried || (side == Side::Read && self.ended) {
            split(call(self.io.as_fd()))
        } else {
            self.attempt_flagged(side, call)?
        };
        *self.untried(side) = untried && left == Left::More;
        self.ended |= left == Left::End;
        self.failed |= outcome.as_ref().is_err_and(is_failure);
        if self.failed && left == Left::End && outcome.is_ok() {
            return Err(reset_error());
        }
        outcome
    }

    /// Calls when tokio's flag is set, and clears the flag as of before the call when nothing is left.
    fn attempt_flagged<R>(
        &self,
        side: Side,
        call: impl FnOnce(BorrowedFd<'_>) -> io::Result<(R, Left)>,
    ) -> io::Result<(io::Result<R>, Left)> {
        let mut done = None;
        let flagged = self.io.try_io(interest(side), |fd| {
            let (outcome, left) = split(call(fd.as_fd()));
            done = Some((outcome, left));
            // WouldBlock is how a caller has tokio clear its flag.
            if left == Left::Nothing { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (done, flagged) {
            (Some(done), _) => Ok(done),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    pub(crate) fn poll_ready(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<()> {
        if *self.untried(side) || (side == Side::Read && self.ended) {
            return Poll::Ready(());
        }
        // An error means that the reactor has gone; the next call finds that out.
        match side {
            Side::Read => self.io.poll_read_ready(cx).map(drop),
            Side::Write => self.io.poll_write_ready(cx).map(drop),
        }
    }

    pub(crate) fn poll_failed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.failed {
            return Poll::Ready(());
        }
        let failure = self.failure.get_or_insert_with(|| {
            let io = Rc::clone(&self.io);
            Box::pin(async move { drop(io.ready(Interest::ERROR).await) })
        });
        ready!(failure.as_mut().poll(cx));
        self.failed = true;
        self.failure = None;
        Poll::Ready(())
    }

    /// tokio's flags are edge-triggered: clearing one would lose what is there already.
    pub(crate) fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    pub(crate) fn reader_gave_way(&mut self) {}

    fn untried(&mut self, side: Side) -> &mut bool {
        let [read, write] = &mut self.untried;
        match side {
            Side::Read => read,
            Side::Write => write,
        }
    }
}

fn interest(side: Side) -> Interest {
    match side {
        Side::Read => Interest::READABLE,
        Side::Write => Interest::WRITABLE,
    }
}

fn split<R>(called: io::Result<(R, Left)>) -> (io::Result<R>, Left) {
    match called {
        Ok((value, left)) => (Ok(value), left),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => (Err(error), Left::Nothing),
        Err(error) => (Err(error), Left::More),
    }
}
