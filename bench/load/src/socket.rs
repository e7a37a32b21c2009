//! Sockets by address, TCP or Unix alike: opened by the standard library, used as plain non-blocking descriptors.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketAddrUnix, SocketFlags};

const BACKLOG: i32 = 4096;
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp),
        }
    }
}

pub(crate) fn listen(address: &Address) -> io::Result<OwnedFd> {
    let listener: OwnedFd = match address {
        Address::Tcp(address) => {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            listener.into()
        }
        Address::Unix(path) => {
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            listener.into()
        }
    };
    // The standard library's backlog is too short for a thousand connections at once; listening again lengthens it.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// The address a listener got, where it asked for port 0; as `--addr` takes it.
pub(crate) fn local_address(listener: &OwnedFd) -> io::Result<String> {
    let address = rustix::net::getsockname(listener)?;
    if let Ok(address) = SocketAddr::try_from(address.clone()) {
        return Ok(address.to_string());
    }
    let address = SocketAddrUnix::try_from(address)?;
    let path = address.path().unwrap_or_default();
    Ok(format!("unix:{}", path.to_string_lossy()))
}

/// The next waiting connection, or `None` when there is none.
pub(crate) fn accept(listener: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    match rustix::net::accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
        Ok(socket) => {
            // Refused on a Unix socket, where there is nothing to switch off.
            let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
            Ok(Some(socket))
        }
        Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Connects within five seconds; the handshake itself blocks, on loopback the kernel answers it at once.
pub(crate) fn connect(address: &Address) -> io::Result<OwnedFd> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, CONNECT_LIMIT)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(stream.into())
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            Ok(stream.into())
        }
    }
}

/// Reads what is there: `None` when nothing is, `Some(0)` at the end of the stream.
pub(crate) fn receive(socket: &OwnedFd, into: &mut [u8]) -> io::Result<Option<usize>> {
    match rustix::net::recv(socket, into, RecvFlags::empty()) {
        Ok((_, count)) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes what fits: zero when nothing does.
pub(crate) fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
        Ok(count) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
