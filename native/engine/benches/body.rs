//! What a filter in the way of a body costs: 64 KiB from a read buffer into a socket and out at its other end, in one
//! run of a `content-length` or in chunks of 1 KiB.
#![allow(clippy::unwrap_used, reason = "a benchmark stops at what it did not expect")]

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, Waker};

use divan::{Bencher, black_box};
use weft_engine::error::Error;
use weft_engine::http::framing::Framing;
use weft_engine::transfer::buffer::{Buffer, Buffers};
use weft_engine::transfer::{BodyFilter, BodyPart, Transfer};
use weft_rt::Stream;

fn main() {
    divan::main();
}

const BYTES: usize = 64 * 1024;

/// Looks, and leaves everything where it is.
struct Onlooker;

impl BodyFilter for Onlooker {
    fn poll(&mut self, _cx: &mut Context<'_>, part: &mut BodyPart<'_>) -> Poll<Result<(), Error>> {
        black_box(part.data().first());
        Poll::Ready(Ok(()))
    }
}

/// Puts a copy in the place of each part.
struct Copier;

impl BodyFilter for Copier {
    fn poll(&mut self, _cx: &mut Context<'_>, part: &mut BodyPart<'_>) -> Poll<Result<(), Error>> {
        let copy = part.data().to_vec();
        part.replace(copy);
        Poll::Ready(Ok(()))
    }
}

fn filter(kind: &str) -> Option<Box<dyn BodyFilter>> {
    match kind {
        "onlooker" => Some(Box::new(Onlooker)),
        "copier" => Some(Box::new(Copier)),
        _ => None,
    }
}

fn chunked() -> Vec<u8> {
    let chunk = [&b"400\r\n"[..], &[b'x'; 1024], b"\r\n"].concat();
    [chunk.repeat(BYTES / 1024), b"0\r\n\r\n".to_vec()].concat()
}

/// Lends the transfer a stream of this thread's runtime and reads what comes out.
fn pass(bencher: Bencher<'_, '_>, framing: Framing, body: &[u8], kind: &str) {
    weft_rt::tokio_rt::run(async {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (no_source, _silent) = UnixStream::pair().unwrap();
        [&ours, &theirs, &no_source].into_iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
        let mut sink = Stream::from_fd(ours.into()).unwrap();
        let mut source = Stream::from_fd(no_source.into()).unwrap();
        let (buffers, mut read) = (Buffers::default(), vec![0; 4 * BYTES]);
        let mut cx = Context::from_waker(Waker::noop());
        bencher.with_inputs(|| Buffer::from_vec(body.to_vec())).bench_local_values(|buffer| {
            let mut transfer = Transfer::new(framing, framing, 0, buffers.take_output(), Some(buffer));
            if let Some(filter) = filter(kind) {
                transfer.push_filter(filter);
                transfer.reframe(Framing::Chunked);
            }
            while transfer.poll(&mut cx, &buffers, &mut source, &mut sink).is_pending() {
                let _drained = theirs.read(&mut read).unwrap();
            }
            while theirs.read(&mut read).is_ok() {}
            transfer.finish(&buffers);
        });
    });
}

#[divan::bench(args = ["none", "onlooker", "copier"], sample_size = 50)]
fn one_run(bencher: Bencher<'_, '_>, kind: &str) {
    pass(bencher, Framing::Length(BYTES as u64), &vec![b'x'; BYTES], kind);
}

#[divan::bench(args = ["none", "onlooker", "copier"], sample_size = 50)]
fn chunks_of_1_kib(bencher: Bencher<'_, '_>, kind: &str) {
    pass(bencher, Framing::Chunked, &chunked(), kind);
}
