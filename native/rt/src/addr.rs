//! Where a stream goes or came from: a TCP address or the path of a unix socket.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::net::{SocketAddrAny, SocketAddrUnix};

/// The address of one side of a connection, or of a listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Addr {
    /// An IPv4 or IPv6 address with its port.
    Tcp(SocketAddr),
    /// A path in the file system; empty for an unnamed socket, with a leading NUL for Linux's abstract names.
    Unix(PathBuf),
}

impl Addr {
    /// An address the kernel returned; one without a name is an unnamed unix socket.
    pub(crate) fn from_kernel(any: Option<SocketAddrAny>) -> Addr {
        let Some(any) = any else { return Addr::Unix(PathBuf::new()) };
        if let Ok(tcp) = SocketAddr::try_from(any.clone()) {
            return Addr::Tcp(tcp);
        }
        Addr::Unix(SocketAddrUnix::try_from(any).map_or_else(|_| PathBuf::new(), |unix| unix_path(&unix)))
    }

    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self, Addr::Tcp(_))
    }
}

fn unix_path(unix: &SocketAddrUnix) -> PathBuf {
    if let Some(path) = unix.path() {
        return PathBuf::from(OsStr::from_bytes(path.to_bytes()));
    }
    match unix.abstract_name() {
        // The kernel names an unnamed socket with no bytes at all, which reads as an abstract name without any.
        Some(name) if !name.is_empty() => PathBuf::from(OsStr::from_bytes(&[b"\0", name].concat())),
        _ => PathBuf::new(),
    }
}

impl fmt::Display for Addr {
    /// `127.0.0.1:80`, `[::1]:80`, `unix:/run/app.sock`, `unix:@name`, `unix:` for an unnamed one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addr::Tcp(addr) => addr.fmt(f),
            Addr::Unix(path) => match path.as_os_str().as_bytes().split_first() {
                Some((0, name)) => write!(f, "unix:@{}", String::from_utf8_lossy(name)),
                _ => write!(f, "unix:{}", path.display()),
            },
        }
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Self {
        Addr::Tcp(addr)
    }
}
