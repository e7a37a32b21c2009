//! A connected byte stream: TCP or unix on whichever runtime the thread has, or memory.
//!
//! Never leaves its thread. All methods are cancel safe: a byte is either still in the kernel or was returned.

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;

use crate::memory::Memory;
use crate::source::{Left, Side, Source, left_after};
use crate::{Addr, current, syscall};

/// A non-blocking stream socket; TCP_NODELAY is set on those that `connect` and `Listener` make. Or one of memory.
pub struct Stream {
    end: End,
}

enum End {
    Socket(Source),
    Memory(Memory),
}

impl Stream {
    /// Takes over a connected socket.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Stream> {
        Source::new(fd).map(Stream::from_source)
    }

    pub(crate) fn from_source(source: Source) -> Stream {
        Stream { end: End::Socket(source) }
    }

    pub(crate) fn from_memory(memory: Memory) -> Stream {
        Stream { end: End::Memory(memory) }
    }

    /// Reads what is there. `WouldBlock` when nothing is, and also when the task has used up its allowance:
    /// [`Stream::poll_readable`] tells one from the other. Ok(0) is the end of the stream.
    #[inline]
    pub fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if current::allowance_spent() {
            self.reader_gave_way();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let source = match &mut self.end {
            End::Socket(source) => source,
            End::Memory(memory) => return memory.try_read(buf),
        };
        source.attempt(Side::Read, |fd| {
            let count = syscall::read(fd, buf)?;
            current::charge_read(count);
            Ok((count, if count == 0 { Left::End } else { left_after(count, buf.len()) }))
        })
    }

    /// Writes what the kernel takes, without a signal when the other side is gone.
    #[inline]
    pub fn try_write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let source = match &mut self.end {
            End::Socket(source) => source,
            End::Memory(memory) => return memory.try_write(buf),
        };
        source.attempt(Side::Write, |fd| {
            let count = syscall::write(fd, buf)?;
            Ok((count, left_after(count, buf.len())))
        })
    }

    /// [`Stream::try_write`] of several slices in one system call.
    #[inline]
    pub fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let source = match &mut self.end {
            End::Socket(source) => source,
            End::Memory(memory) => return write_each(memory, slices),
        };
        source.attempt(Side::Write, |fd| {
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
            self.reader_gave_way();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match &mut self.end {
            End::Socket(source) => source.poll_ready(Side::Read, cx),
            End::Memory(memory) => memory.poll_readable(cx),
        }
    }

    /// The reader will be back without being woken by readiness.
    fn reader_gave_way(&mut self) {
        if let End::Socket(source) = &mut self.end {
            source.reader_gave_way();
        }
    }

    /// Ready when a write is worth trying.
    pub fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.end {
            End::Socket(source) => source.poll_ready(Side::Write, cx),
            End::Memory(memory) => memory.poll_writable(cx),
        }
    }

    /// Ready once the connection has failed (RST, timeout of the kernel's), noticed even while nobody reads.
    /// The end of the stream is no failure.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.end {
            End::Socket(source) => source.poll_failed(cx),
            End::Memory(memory) => memory.poll_failed(cx),
        }
    }

    /// Whether all was read and the other side has ended its half. Asks the system; takes nothing.
    pub fn is_at_end(&self) -> bool {
        match &self.end {
            End::Socket(source) => {
                let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                matches!(rustix::net::recv(source.fd(), &mut [0_u8; 1], flags), Ok((_, 0)))
            }
            End::Memory(memory) => memory.is_at_end(),
        }
    }

    /// Sends the end of our half (FIN).
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        match &self.end {
            End::Socket(source) => syscall::shutdown_write(source.fd()),
            End::Memory(memory) => {
                memory.shutdown_write();
                Ok(())
            }
        }
    }

    /// From now on dropping the stream aborts the connection: RST instead of FIN, unsent bytes are lost.
    pub fn set_abort_on_drop(&mut self) {
        match &mut self.end {
            // A socket that refuses is closed the ordinary way, which is all that is left to do.
            End::Socket(source) => {
                let _ = syscall::set_abort_on_close(source.fd());
            }
            End::Memory(memory) => memory.set_abort_on_drop(),
        }
    }

    /// Our side's address; a stream of memory has none.
    pub fn local_addr(&self) -> io::Result<Addr> {
        self.as_fd().map_or_else(no_socket, syscall::local_addr)
    }

    /// The other side's address; a stream of memory has none.
    pub fn peer_addr(&self) -> io::Result<Addr> {
        self.as_fd().map_or_else(no_socket, syscall::remote_addr)
    }

    /// The descriptor, for socket options and splice; `None` for a stream of memory. Reading or writing it elsewhere
    /// confuses the readiness flags.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.end {
            End::Socket(source) => Some(source.fd()),
            End::Memory(_) => None,
        }
    }
}

fn no_socket() -> io::Result<Addr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Stops at the slice for which there is not enough room.
fn write_each(memory: &Memory, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut written = 0;
    for slice in slices {
        match memory.try_write(slice) {
            Ok(count) => {
                written += count;
                if count < slice.len() {
                    break;
                }
            }
            Err(_) if written > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("fd", &self.as_fd()).finish()
    }
}
