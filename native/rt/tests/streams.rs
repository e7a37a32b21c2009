//! Streams on both back-ends, against blocking sockets on the far side.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, wherever its code stands"
)]

mod kit;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use kit::{accept, listen, next_pass, pair, read, read_to_end, write_all, write_vectored};
use weft_rt::{Addr, connect, sleep, spawn};

/// Closes with RST.
fn abort(far: std::net::TcpStream) {
    rustix::net::sockopt::set_socket_linger(&far, Some(Duration::ZERO)).unwrap();
}

on_both! {
    async fn bytes_go_both_ways_between_connect_and_accept() {
        let (mut listener, addr) = listen();
        let echo = spawn(async move {
            let (mut stream, from) = accept(&mut listener).await;
            assert_eq!(stream.peer_addr().unwrap(), from);
            let mut buf = [0; 64];
            loop {
                match read(&mut stream, &mut buf).await.unwrap() {
                    0 => break,
                    count => write_all(&mut stream, &buf[..count]).await.unwrap(),
                }
            }
        });
        let mut stream = connect(&Addr::Tcp(addr)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), Addr::Tcp(addr));
        assert!(rustix::net::sockopt::tcp_nodelay(stream.as_fd().unwrap()).unwrap());
        for round in 0..100u8 {
            write_all(&mut stream, &[round; 40]).await.unwrap();
            let mut buf = [0; 64];
            assert_eq!(read(&mut stream, &mut buf).await.unwrap(), 40);
            assert_eq!(buf[39], round);
        }
        assert_eq!(write_vectored(&mut stream, &[IoSlice::new(b"a"), IoSlice::new(b"bc")]).await.unwrap(), 3);
        stream.shutdown_write().unwrap();
        assert_eq!(read_to_end(&mut stream).await.unwrap(), b"abc");
        echo.detach();
    }

    async fn a_short_read_clears_the_flag_so_that_no_second_read_is_made() {
        let (mut near, mut far) = pair();
        far.write_all(b"one").unwrap();
        let mut buf = [0; 64];
        assert_eq!(read(&mut near, &mut buf).await.unwrap(), 3);
        // Now in the kernel, but only an event can tell: a read made all the same would return it.
        far.write_all(b"two").unwrap();
        assert_eq!(near.try_read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(read(&mut near, &mut buf).await.unwrap(), 3);
        assert_eq!(&buf[..3], b"two");
    }

    async fn a_large_transfer_with_a_slow_reader_arrives_whole() {
        let (mut near, mut far) = pair();
        let sent: Vec<u8> = (0..32_000_000u32).map(|index| (index % 251) as u8).collect();
        let expected = sent.clone();
        let (go, gate) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            gate.recv().unwrap();
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        let mut rest = &sent[..];
        let mut stalled = false;
        poll_fn(|cx| loop {
            match near.poll_write(cx, rest) {
                Poll::Ready(count) => rest = &rest[count.unwrap()..],
                Poll::Pending => {
                    if !std::mem::replace(&mut stalled, true) {
                        go.send(()).unwrap();
                    }
                    return Poll::Pending;
                }
            }
            if rest.is_empty() {
                return Poll::Ready(());
            }
        })
        .await;
        assert!(stalled, "the kernel took it all at once");
        drop(near);
        assert!(reader.join().unwrap() == expected);
    }

    async fn a_reader_gives_way_after_its_share() {
        let (mut near, mut far) = pair();
        let writer = std::thread::spawn(move || far.write_all(&vec![7; 2_000_000]).unwrap());
        let others = Rc::new(Cell::new(0));
        let counting = Rc::clone(&others);
        let _counter = spawn(async move {
            loop {
                counting.set(counting.get() + 1);
                next_pass().await;
            }
        });
        let (mut total, mut most, mut most_reads, mut ended) = (0, 0, 0, false);
        let mut buf = vec![0; 8 * 1024];
        while !ended {
            let (mut bytes, mut reads) = (0, 0);
            poll_fn(|cx| {
                (bytes, reads) = (0, 0);
                while let Poll::Ready(count) = near.poll_read(cx, &mut buf) {
                    let count = count.unwrap();
                    ended |= count == 0;
                    (bytes, reads) = (bytes + count, reads + 1);
                    if ended {
                        break;
                    }
                }
                if ended || bytes > 0 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            total += bytes;
            most = most.max(bytes);
            most_reads = most_reads.max(reads);
            next_pass().await;
        }
        writer.join().unwrap();
        assert_eq!(total, 2_000_000);
        assert!(most < 64 * 1024 + 8 * 1024, "{most} bytes in one poll");
        assert!(most_reads <= 16, "{most_reads} reads in one poll");
        assert!(others.get() >= total / (64 * 1024), "others ran {} times", others.get());
    }

    async fn a_reader_gives_way_after_sixteen_reads() {
        let (mut near, mut far) = pair();
        far.write_all(&[1; 40]).unwrap();
        poll_fn(|cx| near.poll_readable(cx)).await;
        next_pass().await;
        let mut reads = 0;
        poll_fn(|cx| {
            let mut byte = [0];
            while near.poll_read(cx, &mut byte).is_ready() {
                reads += 1;
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(reads, 16);
        next_pass().await;
        assert_eq!(near.try_read(&mut [0; 64]).unwrap(), 24);
    }

    async fn a_half_closed_stream_still_writes() {
        let (mut near, mut far) = pair();
        far.write_all(b"question").unwrap();
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut near).await.unwrap(), b"question");
        assert_eq!(read(&mut near, &mut [0; 8]).await.unwrap(), 0, "the end stays the end");
        write_all(&mut near, b"answer").await.unwrap();
        drop(near);
        let mut answer = String::new();
        far.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }

    async fn a_fin_is_not_a_reset() {
        let (mut near, far) = pair();
        far.shutdown(Shutdown::Write).unwrap();
        poll_fn(|cx| near.poll_readable(cx)).await;
        let reset = poll_fn(|cx| Poll::Ready(near.poll_reset(cx).is_ready())).await;
        assert!(!reset);
        assert_eq!(read(&mut near, &mut [0; 8]).await.unwrap(), 0);
        sleep(Duration::from_millis(5)).await;
        assert!(!poll_fn(|cx| Poll::Ready(near.poll_reset(cx).is_ready())).await);
        abort(far);
        // Our half is still open, so the RST reaches us even after the FIN.
        poll_fn(|cx| near.poll_reset(cx)).await;
    }

    async fn a_reset_is_noticed_while_nobody_reads() {
        let (mut near, mut far) = pair();
        let mut buf = [0; 16];
        far.write_all(b"request").unwrap();
        assert_eq!(read(&mut near, &mut buf).await.unwrap(), 7);
        // Has READ armed and, with more to read than anybody wants, disarmed.
        assert!(poll_fn(|cx| Poll::Ready(near.poll_readable(cx).is_pending())).await);
        far.write_all(b"more, which nobody reads").unwrap();
        sleep(Duration::from_millis(5)).await;
        let aborting = std::thread::spawn(move || abort(far));
        poll_fn(|cx| near.poll_reset(cx)).await;
        aborting.join().unwrap();
        poll_fn(|cx| near.poll_reset(cx)).await;
    }

    async fn after_a_reset_the_end_is_never_reported_as_clean() {
        let (mut near, mut far) = pair();
        far.write_all(b"half an ans").unwrap();
        poll_fn(|cx| near.poll_readable(cx)).await;
        abort(far);
        poll_fn(|cx| near.poll_reset(cx)).await;
        // The writer takes the error away from the reader.
        assert!(near.try_write(b"x").is_err());
        let mut buf = [0; 4];
        let error = loop {
            match read(&mut near, &mut buf).await {
                Ok(count) => assert!(count > 0, "a clean end"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(read(&mut near, &mut buf).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    async fn a_waiting_reader_and_writer_are_both_woken_by_a_reset() {
        let (mut near, far) = pair();
        let block = vec![0; 1 << 20];
        while near.try_write(&block).is_ok() {}
        let aborting = std::thread::spawn(move || abort(far));
        let (mut read_side, mut write_side) = (false, false);
        poll_fn(|cx| {
            read_side |= near.poll_readable(cx).is_ready();
            write_side |= near.poll_writable(cx).is_ready();
            if read_side && write_side { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        aborting.join().unwrap();
        assert!(near.try_write(&block).is_err());
    }

    async fn dropping_with_abort_resets_the_far_side() {
        let (mut near, mut far) = pair();
        near.set_abort_on_drop();
        drop(near);
        assert_eq!(far.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    async fn dropping_without_abort_ends_cleanly_and_at_once() {
        let (near, mut far) = pair();
        drop(near);
        assert_eq!(far.read(&mut [0; 1]).unwrap(), 0);
    }

    async fn writing_to_a_closed_connection_is_an_error_and_no_signal() {
        let (mut near, far) = pair();
        near.shutdown_write().unwrap();
        assert_eq!(near.try_write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        // Our own shutdown is no failure of the connection.
        assert!(poll_fn(|cx| Poll::Ready(near.poll_reset(cx).is_pending())).await);
        drop(far);
    }

    async fn a_refused_connection_is_an_error() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = Addr::Tcp(socket.local_addr().unwrap());
        drop(socket);
        assert_eq!(connect(&addr).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }

    async fn a_connect_that_is_dropped_closes_its_socket() {
        // The queue of a listening socket that nobody accepts from fills up, then a connect waits for ever.
        let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let addr = Addr::Tcp(rustix::net::getsockname(&socket).unwrap().try_into().unwrap());
        let mut open = Vec::new();
        let waits = loop {
            let addr = addr.clone();
            let mut attempt = Box::pin(async move { connect(&addr).await });
            // Loopback decides within a few turns whether there was room.
            let mut turns = 0;
            let decided = poll_fn(|cx| {
                turns += 1;
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(stream) => Poll::Ready(Some(stream.unwrap())),
                    Poll::Pending if turns > 20 => Poll::Ready(None),
                    Poll::Pending => {
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                }
            })
            .await;
            match decided {
                Some(stream) => open.push(stream),
                None => break attempt,
            }
            assert!(open.len() < 10, "the queue never fills");
        };
        assert!(somebody_connects_to(&addr));
        drop(waits);
        assert!(!somebody_connects_to(&addr));
    }

    async fn a_unix_socket_works_like_any_other() {
        let path = std::env::temp_dir().join(format!("weft-rt-{}-{:p}", std::process::id(), &0u8 as *const u8));
        let path = path.with_extension(format!("{:?}", std::thread::current().id()).replace(['(', ')'], ""));
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut listener = weft_rt::Listener::from_fd(socket.into()).unwrap();
        let addr = Addr::Unix(path.clone());
        assert_eq!(listener.local_addr().unwrap(), addr);
        assert_eq!(addr.to_string(), format!("unix:{}", path.display()));
        let mut near = connect(&addr).await.unwrap();
        let (mut far, from) = accept(&mut listener).await;
        assert_eq!(from, Addr::Unix(std::path::PathBuf::new()));
        write_all(&mut near, b"hello").await.unwrap();
        near.shutdown_write().unwrap();
        assert_eq!(read_to_end(&mut far).await.unwrap(), b"hello");
        drop(far);
        assert_eq!(read(&mut near, &mut [0; 1]).await.unwrap(), 0);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(connect(&addr).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

/// Whether a socket waits for this address to accept it: state 02 of /proc/net/tcp is SYN_SENT. The file may list a
/// socket twice when the table changes while it is read.
fn somebody_connects_to(addr: &Addr) -> bool {
    let Addr::Tcp(addr) = addr else { panic!("a TCP address") };
    let remote = format!(":{:04X}", addr.port());
    let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let mut columns = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    columns.any(|columns| columns[2].ends_with(&remote) && columns[3] == "02")
}
