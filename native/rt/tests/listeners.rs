//! Listeners on both back-ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, wherever its code stands"
)]

mod kit;

use std::future::poll_fn;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::task::Poll;

use kit::{accept, listen, next_pass};
use weft_rt::{Addr, Listener};

on_both! {
    async fn accepted_streams_do_not_block_and_do_not_delay() {
        let (mut listener, addr) = listen();
        let far = TcpStream::connect(addr).unwrap();
        let (near, from) = accept(&mut listener).await;
        assert_eq!(from, Addr::Tcp(far.local_addr().unwrap()));
        assert!(rustix::fs::fcntl_getfl(near.as_fd().unwrap()).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
        assert!(rustix::io::fcntl_getfd(near.as_fd().unwrap()).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        assert!(rustix::net::sockopt::tcp_nodelay(near.as_fd().unwrap()).unwrap());
    }

    async fn at_most_64_connections_are_accepted_before_others_get_their_turn() {
        let (mut listener, addr) = listen();
        // Beyond a backlog of 128 connecting would block.
        let far: Vec<_> = (0..100).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let mut accepted = Vec::new();
        let mut batches = Vec::new();
        while accepted.len() < far.len() {
            let before = accepted.len();
            poll_fn(|cx| {
                while let Poll::Ready(connection) = listener.poll_accept(cx) {
                    accepted.push(connection.unwrap());
                }
                if accepted.len() > before { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            batches.push(accepted.len() - before);
        }
        assert_eq!(batches, [64, 36]);
    }

    async fn connections_that_come_later_wake_the_listener() {
        let (mut listener, addr) = listen();
        for _ in 0..3 {
            assert!(poll_fn(|cx| Poll::Ready(listener.poll_accept(cx).is_pending())).await);
            let thread = std::thread::spawn(move || TcpStream::connect(addr).unwrap());
            accept(&mut listener).await;
            thread.join().unwrap();
        }
    }

    async fn a_dropped_listener_closes_its_own_duplicate_only() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        socket.set_nonblocking(true).unwrap();
        let duplicate = || Listener::from_fd(OwnedFd::from(socket.try_clone().unwrap())).unwrap();
        let mut first = duplicate();
        assert!(poll_fn(|cx| Poll::Ready(first.poll_accept(cx).is_pending())).await);
        drop(first);
        next_pass().await;
        // What came while nobody listened is in the queue still.
        let _far = TcpStream::connect(addr).unwrap();
        accept(&mut duplicate()).await;
    }
}
