//! A connected byte stream, TCP or unix, on whichever runtime the thread has.
//!
//! Never leaves its thread. All methods are cancel safe: a byte is either still in the kernel or was returned.

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use crate::source::{Left, Side, Source, left_after};
use crate::{Addr, current, syscall};

/// A non-blocking stream socket; TCP_NODELAY is set on those that `connect` and `Listener` make.
pub struct Stream {
    source: Source,
}

impl Stream {
    /// Takes over a connected socket.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Stream> {
        Source::new(fd).map(|source| Stream { source })
    }

    pub(crate) fn from_source(source: Source) -> Stream {
        Stream { source }
    }

    /// Reads what is there. `WouldBlock` when nothing is, and also when the task has used up its allowance:
    /// [`Stream::poll_readable`] tells one from the other. Ok(0) is the end of the stream.
    #[inline]
    pub fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if current::allowance_spent() {
            self.source.reader_gave_way();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.source.attempt(Side::Read, |fd| {
            let count = syscall::read(fd, buf)?;
            current::charge_read(count);
            Ok((count, if count == 0 { Left::End } else { left_after(count, buf.len()) }))
        })
    }

    /// Writes what the kernel takes, without a signal when the other side is gone.
    #[inline]
    pub fn try_write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.source.attempt(Side::Write, |fd| {
            let count = syscall::write(fd, buf)?;
            Ok((count, left_after(count, buf.len())))
        })
    }

    /// [`Stream::try_write`] of several slices in one system call.
    #[inline]
    pub fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.source.attempt(Side::Write, |fd| {
            let count = syscall::write_vectored(fd, slices)?;
            Ok((count, left_after(count, slices.iter().map(|slice| slice.len()).sum())))
        })
    }

    /// Reads as [`Stream::try_read`] does, or waits.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.try_read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.poll_readable(cx)),
                done => return Poll::Ready(done),
            }
        }
    }

    /// Writes as [`Stream::try_write`] does, or waits.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.try_write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.poll_writable(cx)),
                done => return Poll::Ready(done),
            }
        }
    }

    /// Writes as [`Stream::try_write_vectored`] does, or waits.
    pub fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            match self.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.poll_writable(cx)),
                done => return Poll::Ready(done),
            }
        }
    }

    /// Ready when a read is worth trying: data, the end or an error. A task that has read its share is woken again
    /// in the next pass.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if current::allowance_spent() {
            self.source.reader_gave_way();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.source.poll_ready(Side::Read, cx)
    }

    /// Ready when a write is worth trying.
    pub fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_ready(Side::Write, cx)
    }

    /// Ready once the connection has failed (RST, timeout of the kernel's), noticed even while nobody reads.
    /// The end of the stream is no failure.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_failed(cx)
    }

    /// Sends the end of our half (FIN).
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        syscall::shutdown_write(self.source.fd())
    }

    /// From now on dropping the stream aborts the connection: RST instead of FIN, unsent bytes are lost.
    pub fn set_abort_on_drop(&mut self) {
        // A socket that refuses is closed the ordinary way, which is all that is left to do.
        let _ = syscall::set_abort_on_close(self.source.fd());
    }

    /// Our side's address.
    pub fn local_addr(&self) -> io::Result<Addr> {
        syscall::local_addr(self.source.fd())
    }

    /// The other side's address.
    pub fn peer_addr(&self) -> io::Result<Addr> {
        syscall::remote_addr(self.source.fd())
    }

    /// The descriptor, for socket options and splice. Reading or writing it elsewhere confuses the readiness flags.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.fd()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("fd", &self.as_fd()).finish()
    }
}
