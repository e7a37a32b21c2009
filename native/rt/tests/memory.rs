//! Streams of memory: they behave as sockets do, on both back-ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, wherever its code stands"
)]

mod kit;

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::rc::Rc;
use std::task::Poll;

use kit::{next_pass, read, read_to_end, write_all, write_vectored};
use weft_rt::{PIPE_BYTES, memory, spawn};

on_both! {
    async fn bytes_go_both_ways_and_each_half_ends_for_itself() {
        let (mut stream, peer) = memory();
        assert!(peer.send(b"ab"));
        assert!(peer.send(b"c"));
        let mut buf = [0; 2];
        assert_eq!(read(&mut stream, &mut buf).await.unwrap(), 2);
        assert_eq!((&buf, peer.unread()), (b"ab", 1));
        assert!(!stream.is_at_end());
        peer.end();
        assert!(!stream.is_at_end(), "a byte is left");
        assert_eq!(read_to_end(&mut stream).await.unwrap(), b"c");
        assert!(stream.is_at_end());
        write_all(&mut stream, b"de").await.unwrap();
        assert_eq!(write_vectored(&mut stream, &[IoSlice::new(b"f"), IoSlice::new(b""), IoSlice::new(b"gh")]).await.unwrap(), 3);
        let mut got = Vec::new();
        peer.receive(&mut got);
        assert_eq!((got.as_slice(), peer.is_ended()), (&b"defgh"[..], false));
        stream.shutdown_write().unwrap();
        assert!(peer.is_ended() && !peer.is_aborted());
        assert_eq!(stream.try_write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    async fn a_reader_is_woken_by_bytes_by_the_end_and_by_a_reset() {
        for what in 0..3 {
            let (mut stream, peer) = memory();
            let done = Rc::new(std::cell::Cell::new(None));
            let told = Rc::clone(&done);
            let reader = spawn(async move {
                let mut buf = [0; 8];
                told.set(Some(read(&mut stream, &mut buf).await.map_err(|error| error.kind())));
            });
            next_pass().await;
            next_pass().await;
            assert_eq!(done.get(), None);
            match what {
                0 => drop(peer.send(b"abc")),
                1 => peer.end(),
                _ => peer.reset(),
            }
            next_pass().await;
            next_pass().await;
            assert_eq!(done.get(), Some([Ok(3), Ok(0), Err(ErrorKind::ConnectionReset)][what]));
            drop(reader);
        }
    }

    async fn a_writer_waits_for_room_and_both_sides_are_told_of_the_bound() {
        let (mut stream, peer) = memory();
        let all = vec![7; PIPE_BYTES * 3];
        let expected = all.len();
        let writer = spawn(async move {
            write_all(&mut stream, &all).await.unwrap();
        });
        let (mut got, mut most) = (Vec::new(), 0);
        while !peer.is_ended() || peer.has_received() {
            next_pass().await;
            let mut piece = Vec::new();
            peer.receive(&mut piece);
            most = most.max(piece.len());
            got.append(&mut piece);
        }
        assert_eq!((got.len(), most), (expected, PIPE_BYTES));
        drop(writer);

        let (mut stream, peer) = memory();
        assert!(peer.send(&vec![1; PIPE_BYTES - 1]));
        assert!(!peer.send(b"1"), "the pipe is full");
        let mut buf = vec![0; PIPE_BYTES];
        assert_eq!(read(&mut stream, &mut buf).await.unwrap(), PIPE_BYTES);
        assert!(peer.send(b"1"));
    }

    async fn a_busy_stream_gives_its_task_up() {
        let (mut stream, peer) = memory();
        peer.send(&vec![1; PIPE_BYTES * 2]);
        let mut buf = [0; 1024];
        let mut before = 0;
        poll_fn(|cx| {
            while let Poll::Ready(count) = stream.poll_read(cx, &mut buf) {
                before += count.unwrap();
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(before, 16 * 1024, "16 reads");
        assert_eq!(read(&mut stream, &mut buf).await.unwrap(), 1024);
    }

    async fn a_reset_is_noticed_while_nobody_reads() {
        let (mut stream, peer) = memory();
        peer.send(b"unread");
        let watching = Rc::new(std::cell::Cell::new(true));
        let told = Rc::clone(&watching);
        let watcher = spawn(async move {
            poll_fn(|cx| stream.poll_reset(cx)).await;
            assert_eq!(stream.try_read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(stream.try_write(b"a").unwrap_err().kind(), ErrorKind::BrokenPipe);
            told.set(false);
        });
        next_pass().await;
        next_pass().await;
        assert!(watching.get());
        peer.reset();
        next_pass().await;
        next_pass().await;
        assert!(!watching.get());
        drop(watcher);
    }

    async fn a_stream_that_is_dropped_tells_an_end_from_an_abort() {
        let (stream, peer) = memory();
        drop(stream);
        assert!(peer.is_ended() && !peer.is_aborted());
        let (mut stream, peer) = memory();
        stream.set_abort_on_drop();
        drop(stream);
        assert!(peer.is_ended() && peer.is_aborted());
        let (mut stream, peer) = memory();
        drop(peer);
        assert_eq!(read_to_end(&mut stream).await.unwrap(), b"");
        assert!(stream.peer_addr().is_err() && stream.as_fd().is_none());
    }
}
