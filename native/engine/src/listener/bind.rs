//! Listening sockets: made once for the process, polled by its workers.
//!
//! Each worker has a TCP socket of its own (SO_REUSEPORT), so the kernel spreads connections. A replaced worker polls the
//! same one: what waits in its accept queue is not lost. For a listener that uWebSockets.js accepts for, a bound socket
//! that does not listen keeps the address. Without a first bind that lacks SO_REUSEPORT, a second process
//! of the same user would share the port in silence. A unix socket is one for all workers.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use socket2::{Domain, Protocol, Socket, Type};
use weft_rt::Addr;

use super::unix::{self, SocketFile};

/// Connections that may wait to be accepted.
pub(super) const BACKLOG: i32 = 4096;

/// A bound address.
pub struct Bound {
    /// Where; a port 0 has become one.
    pub address: Addr,
    /// One per worker.
    pub sockets: Vec<OwnedFd>,
    /// The file of a unix socket; it goes with this.
    file: Option<SocketFile>,
}

impl Bound {
    /// Permissions of a unix socket's file that was there before this configuration. The file is our own, so that this
    /// fails only when somebody has taken it away, and then there is nothing to protect.
    pub fn permit(&self, mode: u32) {
        if let Addr::Unix(path) = &self.address
            && self.file.is_some()
        {
            let _ = unix::permit(path, mode);
        }
    }

    /// The file of a unix socket belongs to the process that follows this one.
    pub fn leave_file(&mut self) {
        self.file.take().into_iter().for_each(SocketFile::leave);
    }
}

/// The sockets of one listener, one per worker: those of the process before this one first, which listen already.
/// `mode` is for the file of a unix socket.
pub fn bind(address: &Addr, mode: Option<u32>, workers: usize, inherited: Vec<OwnedFd>) -> io::Result<Bound> {
    let inherited = inherited.into_iter().map(Socket::from).collect::<Vec<_>>();
    let (address, sockets, file) = match (address, inherited.is_empty()) {
        (Addr::Tcp(socket), true) => bind_tcp(*socket, workers)?,
        (Addr::Tcp(_), false) => extend(inherited, workers)?,
        (Addr::Unix(path), true) => {
            let (socket, file) = unix::bind(path, mode)?;
            (address.clone(), shared_by_all(vec![socket], workers)?, file)
        }
        (Addr::Unix(path), false) => (address.clone(), shared_by_all(inherited, workers)?, SocketFile::of(path)),
    };
    Ok(Bound { address, sockets: sockets.into_iter().map(OwnedFd::from).collect(), file })
}

/// Keeps an address for sockets that others open on it, with SO_REUSEPORT: bound, but never listening, so that no
/// connection is sent to it. `inherited` is what the process before this one kept.
pub fn reserve(address: SocketAddr, inherited: Vec<OwnedFd>) -> io::Result<Bound> {
    let kept = match inherited.into_iter().map(Socket::from).next() {
        // Nobody would accept what the system puts into its queue.
        Some(socket) if socket.is_listener()? => return Err(io::Error::other("it was handed over listening")),
        Some(socket) => socket,
        None => {
            let bound = open(address, false)?.local_addr()?.as_socket().unwrap_or(address);
            open(bound, true)?
        }
    };
    let address = kept.local_addr()?.as_socket().unwrap_or(address);
    Ok(Bound { address: Addr::Tcp(address), sockets: vec![kept.into()], file: None })
}

/// The address of requests from within the process.
pub fn nothing() -> Bound {
    Bound { address: Addr::Unix(PathBuf::new()), sockets: Vec::new(), file: None }
}

type Opened = (Addr, Vec<Socket>, Option<SocketFile>);

/// The first socket, once for each worker.
fn shared_by_all(mut sockets: Vec<Socket>, workers: usize) -> io::Result<Vec<Socket>> {
    sockets.truncate(workers.max(1));
    while sockets.len() < workers {
        sockets.push(sockets.first().ok_or(io::ErrorKind::InvalidInput)?.try_clone()?);
    }
    Ok(sockets)
}

fn bind_tcp(address: SocketAddr, workers: usize) -> io::Result<Opened> {
    let probe = open(address, false)?;
    let bound = probe.local_addr()?.as_socket().unwrap_or(address);
    let sockets = if workers <= 1 {
        vec![probe]
    } else {
        drop(probe);
        (0..workers).map(|_| open(bound, true)).collect::<io::Result<_>>()?
    };
    sockets.iter().try_for_each(|socket| socket.listen(BACKLOG))?;
    Ok((Addr::Tcp(bound), sockets, None))
}

/// Inherited sockets, and new ones beside them for further workers. A socket made for a single worker shares its port
/// with no other: then all workers accept from that one.
fn extend(mut sockets: Vec<Socket>, workers: usize) -> io::Result<Opened> {
    sockets.truncate(workers.max(1));
    let first = sockets.first().ok_or(io::ErrorKind::InvalidInput)?;
    let local = first.local_addr()?;
    let bound = local.as_socket().ok_or(io::ErrorKind::InvalidInput)?;
    if !first.reuse_port()? {
        return Ok((Addr::Tcp(bound), shared_by_all(sockets, workers)?, None));
    }
    while sockets.len() < workers {
        let socket = open(bound, true)?;
        socket.listen(BACKLOG)?;
        sockets.push(socket);
    }
    Ok((Addr::Tcp(bound), sockets, None))
}

/// The system's error with what to do about it.
pub fn explain(error: &io::Error) -> String {
    match error.kind() {
        _ if error.get_ref().is_some() => error.to_string(),
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose another address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "not permitted: ports below 1024 need root or CAP_NET_BIND_SERVICE (choose a port from 1024), and the folder \
             of a unix socket must be writable"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address".to_owned(),
        io::ErrorKind::NotFound => "the folder of the unix socket does not exist: make it first".to_owned(),
        _ => error.to_string(),
    }
}

fn open(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback(port: u16) -> Addr {
        Addr::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[test]
    fn a_port_that_is_taken_is_refused_even_for_several_workers() {
        let bound = bind(&loopback(0), None, 2, Vec::new()).unwrap();
        for workers in [2, 1] {
            let again = bind(&bound.address, None, workers, Vec::new());
            assert_eq!(again.err().unwrap().kind(), io::ErrorKind::AddrInUse);
        }
    }

    #[test]
    fn each_worker_gets_a_socket_on_the_same_port() {
        let bound = bind(&loopback(0), None, 3, Vec::new()).unwrap();
        assert_ne!(bound.address, loopback(0));
        assert_eq!(bound.sockets.len(), 3);
    }

    #[test]
    fn a_kept_address_gets_no_connection_and_is_taken_once_a_door_listens() {
        let Addr::Tcp(any) = loopback(0) else { unreachable!() };
        let kept = reserve(any, Vec::new()).unwrap();
        let Addr::Tcp(address) = kept.address else { unreachable!() };
        assert_eq!(std::net::TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let door = open(address, true).unwrap();
        door.listen(BACKLOG).unwrap();
        for _ in 0..20 {
            std::net::TcpStream::connect(address).unwrap();
            door.accept().unwrap();
        }
        assert_eq!(bind(&kept.address, None, 1, Vec::new()).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(reserve(address, Vec::new()).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        assert!(reserve(address, vec![door.into()]).is_err());
        let again = reserve(address, kept.sockets).unwrap();
        assert_eq!(again.address, Addr::Tcp(address));
    }

    #[test]
    fn inherited_sockets_serve_more_workers_and_fewer() {
        for (before, after) in [(1, 1), (1, 3), (3, 1), (2, 4)] {
            let bound = bind(&loopback(0), None, before, Vec::new()).unwrap();
            let again = bind(&loopback(0), None, after, bound.sockets).unwrap();
            assert_eq!((again.address, again.sockets.len()), (bound.address, after));
        }
    }
}
