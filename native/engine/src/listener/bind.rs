//! Listening sockets: made once for the process, polled by its workers.
//!
//! Each worker has a socket of its own (SO_REUSEPORT), so the kernel spreads connections. A replaced worker polls the
//! same one: what waits in its accept queue is not lost. Without a first bind that lacks SO_REUSEPORT, a second process
//! of the same user would share the port in silence.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// The sockets of one listener, one per worker: those of the process before this one first, which listen already.
pub fn bind(address: SocketAddr, workers: usize, inherited: Vec<OwnedFd>) -> io::Result<(SocketAddr, Vec<OwnedFd>)> {
    if !inherited.is_empty() {
        return extend(inherited, workers);
    }
    let probe = open(address, false)?;
    let bound = probe.local_addr()?.as_socket().unwrap_or(address);
    if workers <= 1 {
        probe.listen(BACKLOG)?;
        return Ok((bound, vec![probe.into()]));
    }
    drop(probe);
    let sockets: Vec<Socket> = (0..workers).map(|_| open(bound, true)).collect::<io::Result<_>>()?;
    sockets.iter().try_for_each(|socket| socket.listen(BACKLOG))?;
    Ok((bound, sockets.into_iter().map(OwnedFd::from).collect()))
}

/// Inherited sockets, and new ones beside them for further workers. A socket made for a single worker shares its port
/// with no other: then all workers accept from that one.
fn extend(inherited: Vec<OwnedFd>, workers: usize) -> io::Result<(SocketAddr, Vec<OwnedFd>)> {
    let mut sockets: Vec<Socket> = inherited.into_iter().map(Socket::from).collect();
    sockets.truncate(workers.max(1));
    let first = sockets.first().ok_or(io::ErrorKind::InvalidInput)?;
    let local = first.local_addr()?;
    let bound = local.as_socket().ok_or(io::ErrorKind::InvalidInput)?;
    let shared = first.reuse_port()?;
    while sockets.len() < workers {
        let next = if shared {
            let socket = open(bound, true)?;
            socket.listen(BACKLOG)?;
            socket
        } else {
            sockets.first().ok_or(io::ErrorKind::InvalidInput)?.try_clone()?
        };
        sockets.push(next);
    }
    Ok((bound, sockets.into_iter().map(OwnedFd::from).collect()))
}

/// The system's error with what to do about it.
pub fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose another port".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "not permitted: ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a port from 1024".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address".to_owned(),
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

    #[test]
    fn a_port_that_is_taken_is_refused_even_for_several_workers() {
        let (bound, _sockets) = bind("127.0.0.1:0".parse().unwrap(), 2, Vec::new()).unwrap();
        assert_eq!(bind(bound, 2, Vec::new()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(bind(bound, 1, Vec::new()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn each_worker_gets_a_socket_on_the_same_port() {
        let (bound, sockets) = bind("127.0.0.1:0".parse().unwrap(), 3, Vec::new()).unwrap();
        assert_ne!(bound.port(), 0);
        assert_eq!(sockets.len(), 3);
    }

    #[test]
    fn inherited_sockets_serve_more_workers_and_fewer() {
        for (before, after) in [(1, 1), (1, 3), (3, 1), (2, 4)] {
            let (bound, sockets) = bind("127.0.0.1:0".parse().unwrap(), before, Vec::new()).unwrap();
            let (again, taken) = bind("127.0.0.1:0".parse().unwrap(), after, sockets).unwrap();
            assert_eq!((again, taken.len()), (bound, after));
        }
    }
}
