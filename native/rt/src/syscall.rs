//! The system calls of a socket, none of them blocking; each is repeated when a signal interrupts it.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType,
    acceptfrom_with, connect, getpeername, getsockname, recv, send, sendmsg, shutdown, socket_with, sockopt,
};

use crate::Addr;

/// The kernel takes no more slices than this in one call (`UIO_MAXIOV`).
const MAX_SLICES: usize = 1024;
const CREATION: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| recv(fd, &mut *buf, RecvFlags::empty()))?.1)
}

/// Without SIGPIPE: the process may not ignore it.
pub(crate) fn write(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| send(fd, buf, SendFlags::NOSIGNAL))?)
}

pub(crate) fn write_vectored(fd: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let slices = slices.get(..MAX_SLICES).unwrap_or(slices);
    Ok(retry_on_intr(|| sendmsg(fd, slices, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL))?)
}

pub(crate) fn accept(fd: BorrowedFd<'_>) -> io::Result<(OwnedFd, Addr)> {
    let (accepted, addr) = retry_on_intr(|| acceptfrom_with(fd, CREATION))?;
    Ok((accepted, Addr::from_kernel(addr)))
}

/// A socket on its way to `addr`. Done or still connecting alike: the socket becomes writable when it is decided.
pub(crate) fn start_connect(addr: &Addr) -> io::Result<OwnedFd> {
    let family = match addr {
        Addr::Tcp(addr) if addr.is_ipv4() => AddressFamily::INET,
        Addr::Tcp(_) => AddressFamily::INET6,
        Addr::Unix(_) => AddressFamily::UNIX,
    };
    let fd = socket_with(family, SocketType::STREAM, CREATION, None)?;
    let started = match addr {
        Addr::Tcp(addr) => {
            sockopt::set_tcp_nodelay(&fd, true)?;
            connect(&fd, addr)
        }
        Addr::Unix(path) => connect(&fd, &unix_addr(path)?),
    };
    match started {
        // An interrupted connect goes on by itself, as one in progress does.
        Ok(()) | Err(rustix::io::Errno::INPROGRESS | rustix::io::Errno::INTR) => Ok(fd),
        // Only unix sockets answer so; unlike "in progress" nothing will ever report the end of it.
        Err(rustix::io::Errno::AGAIN) => {
            Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the listening socket's queue is full"))
        }
        Err(error) => Err(error.into()),
    }
}

fn unix_addr(path: &std::path::Path) -> io::Result<SocketAddrUnix> {
    use std::os::unix::ffi::OsStrExt;
    match path.as_os_str().as_bytes().split_first() {
        Some((0, name)) => Ok(SocketAddrUnix::new_abstract_name(name)?),
        _ => Ok(SocketAddrUnix::new(path)?),
    }
}

/// The error that ended a connection or an attempt at one. Asking forgets it.
pub(crate) fn take_error(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(sockopt::socket_error(fd)??)
}

/// Whether an error is pending, without forgetting it.
#[cfg(feature = "uv")]
pub(crate) fn has_error(fd: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    let asked = retry_on_intr(|| poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })));
    asked.is_ok() && fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR))
}

pub(crate) fn shutdown_write(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(shutdown(fd, Shutdown::Write)?)
}

/// Makes the next close send RST and drop what is unsent.
pub(crate) fn set_abort_on_close(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(fd, Some(Duration::ZERO))?)
}

pub(crate) fn set_nodelay(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(sockopt::set_tcp_nodelay(fd, true)?)
}

#[cfg(feature = "tokio")]
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, true)?)
}

pub(crate) fn local_addr(fd: impl AsFd) -> io::Result<Addr> {
    Ok(Addr::from_kernel(Some(getsockname(fd)?)))
}

pub(crate) fn remote_addr(fd: impl AsFd) -> io::Result<Addr> {
    Ok(Addr::from_kernel(getpeername(fd)?))
}
