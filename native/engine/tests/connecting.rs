//! Several addresses of one endpoint, over real sockets: which is reached, how soon, and what becomes of the others.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use weft_engine::upstream::connection::race;
use weft_rt::Addr;

/// An address that never answers: a listener whose queue is full lets further connections wait.
struct Silent {
    listener: Socket,
    _queue: Vec<Socket>,
}

impl Silent {
    fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let fill = |_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _waits = socket.connect(&address);
            socket
        };
        let queue = (0..4).map(fill).collect();
        Self { listener, _queue: queue }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap().as_socket().unwrap()
    }
}

fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn connect(addresses: &[SocketAddr], first: usize) -> (std::io::Result<usize>, Duration) {
    let addresses: Vec<Addr> = addresses.iter().map(|address| Addr::Tcp(*address)).collect();
    let begun = Instant::now();
    let connected = weft_rt::tokio_rt::run(race::connect(&addresses, first));
    (connected.map(|(_, place)| place), begun.elapsed())
}

#[test]
fn an_address_that_is_silent_gets_a_quarter_of_a_second_before_the_next_is_tried_beside_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = Silent::new();
    let (place, took) = connect(&[silent.address(), listener.local_addr().unwrap()], 0);
    assert_eq!(place.unwrap(), 1);
    assert!(took >= Duration::from_millis(240) && took < Duration::from_millis(900), "{took:?}");
}

#[test]
fn an_address_that_refuses_makes_way_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (place, took) = connect(&[nobody(), nobody(), listener.local_addr().unwrap()], 0);
    assert_eq!(place.unwrap(), 2);
    assert!(took < Duration::from_millis(200), "{took:?}");
}

#[test]
fn the_address_that_was_reached_last_is_the_first_to_be_tried() {
    let listeners = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    assert_eq!(connect(&addresses, 1).0.unwrap(), 1);
    listeners[0].set_nonblocking(true).unwrap();
    assert!(listeners[0].accept().is_err(), "the other one was not tried");
}

#[test]
fn the_attempt_that_did_not_win_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = Silent::new();
    let before = waiting_for(silent.address());
    assert_eq!(connect(&[silent.address(), listener.local_addr().unwrap()], 0).0.unwrap(), 1);
    assert_eq!(waiting_for(silent.address()), before);
}

/// Sockets of this machine that have asked for a connection there and have no answer (proc(5), state 02).
fn waiting_for(address: SocketAddr) -> usize {
    let remote = format!(":{:04X} 02 ", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().filter(|line| line.get(25..).is_some_and(|rest| rest.contains(&remote))).count()
}

#[test]
fn when_every_address_refuses_the_last_reason_is_told() {
    let (place, took) = connect(&[nobody(), nobody()], 0);
    assert_eq!(place.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(took < Duration::from_millis(200), "{took:?}");
}
