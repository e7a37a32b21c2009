//! One test table for both back-ends, and the far side of a connection on plain blocking sockets.

#![allow(dead_code, unreachable_pub, reason = "each test file is a crate and uses a part")]

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::task::Poll;

use weft_rt::{Addr, Listener, Stream};

/// Makes of each async function a test on tokio and, where libuv is linked, one on libuv.
#[macro_export]
macro_rules! on_both {
    ($($(#[$attr:meta])* async fn $name:ident() $body:block)*) => {
        mod tokio {
            #[allow(unused_imports, reason = "as the tests need")]
            use super::*;
            $($(#[$attr])* #[test] fn $name() { weft_rt::tokio_rt::run(async { $body }) })*
        }
        #[cfg(feature = "link-uv")]
        mod uv {
            #[allow(unused_imports, reason = "as the tests need")]
            use super::*;
            $($(#[$attr])* #[test] fn $name() { weft_rt::uv::run(async { $body }) })*
        }
    };
}

pub fn listen() -> (Listener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    socket.set_nonblocking(true).unwrap();
    (Listener::from_fd(OwnedFd::from(socket)).unwrap(), addr)
}

/// A stream of the runtime and the blocking socket at its other end.
pub fn pair() -> (Stream, TcpStream) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    far.set_nodelay(true).unwrap();
    let (near, _) = socket.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    (Stream::from_fd(OwnedFd::from(near)).unwrap(), far)
}

pub async fn accept(listener: &mut Listener) -> (Stream, Addr) {
    poll_fn(|cx| listener.poll_accept(cx)).await.unwrap()
}

pub async fn read(stream: &mut Stream, buf: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, buf)).await
}

pub async fn read_to_end(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buf = [0; 16 * 1024];
    loop {
        match read(stream, &mut buf).await? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buf[..count]),
        }
    }
}

pub async fn write_all(stream: &mut Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|cx| stream.poll_write(cx, bytes)).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}

pub async fn write_vectored(stream: &mut Stream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_write_vectored(cx, slices)).await
}

/// Lets all that is ready run once more.
pub async fn next_pass() {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A one-shot signal between threads or tasks.
pub mod signal {
    use std::sync::{Arc, Mutex};
    use std::task::{Poll, Waker};

    #[derive(Clone, Default)]
    pub struct Signal(Arc<Mutex<(bool, Option<Waker>)>>);

    impl Signal {
        pub fn set(&self) {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            if let Some(waker) = state.1.take() {
                waker.wake();
            }
        }

        pub async fn wait(&self) {
            std::future::poll_fn(|cx| {
                let mut state = self.0.lock().unwrap();
                if state.0 {
                    return Poll::Ready(());
                }
                state.1 = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
        }
    }
}
