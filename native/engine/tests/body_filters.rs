//! Bodies through filters, over real sockets: whatever pieces a body comes in and however a filter waits, the same goes
//! out, framed so that its reader finds the end.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::future::poll_fn;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll};
use std::thread;

use proptest::prelude::*;
use weft_engine::error::{Error, Kind};
use weft_engine::http::body::BodyDecoder;
use weft_engine::http::framing::Framing;
use weft_engine::transfer::buffer::{Buffer, Buffers};
use weft_engine::transfer::{BodyFilter, BodyPart, Broken, Gathered, Transfer};
use weft_rt::Stream;

/// Says each byte twice, asks to be asked again first, and says good-bye at the end.
#[derive(Default)]
struct Stutter {
    asked: bool,
}

impl BodyFilter for Stutter {
    fn poll(&mut self, cx: &mut Context<'_>, part: &mut BodyPart<'_>) -> Poll<Result<(), Error>> {
        self.asked = !self.asked;
        if self.asked {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut said: Vec<u8> = part.data().iter().flat_map(|byte| [*byte, *byte]).collect();
        if part.is_last() {
            said.extend_from_slice(b"bye");
        }
        part.replace(said);
        Poll::Ready(Ok(()))
    }
}

/// Looks and changes nothing.
struct Onlooker;

impl BodyFilter for Onlooker {
    fn poll(&mut self, _cx: &mut Context<'_>, _part: &mut BodyPart<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }
}

/// Takes no more than so many bytes at once.
struct Sips(usize);

impl BodyFilter for Sips {
    fn poll(&mut self, _cx: &mut Context<'_>, part: &mut BodyPart<'_>) -> Poll<Result<(), Error>> {
        let within = part.data().len() <= self.0;
        Poll::Ready(if within { Ok(()) } else { Err(Error::new(Kind::Internal, "more than it takes")) })
    }

    fn longest_part(&self) -> usize {
        self.0
    }

    fn keeps_length(&self) -> bool {
        true
    }
}

/// Fails when it has seen so many bytes.
struct Fails(usize);

impl BodyFilter for Fails {
    fn poll(&mut self, _cx: &mut Context<'_>, part: &mut BodyPart<'_>) -> Poll<Result<(), Error>> {
        self.0 = self.0.saturating_sub(part.data().len());
        let failed = Error::new(Kind::Internal, "enough");
        Poll::Ready(if self.0 == 0 { Err(failed) } else { Ok(()) })
    }
}

fn stuttered(data: &[u8]) -> Vec<u8> {
    data.iter().flat_map(|byte| [*byte, *byte]).chain(*b"bye").collect()
}

/// The bytes of a body in that framing, in chunks of these sizes where it has chunks.
fn framed(data: &[u8], framing: Framing, sizes: &[usize], trailers: &str) -> Vec<u8> {
    if framing != Framing::Chunked {
        return data.to_vec();
    }
    let mut bytes = Vec::new();
    let (mut rest, mut sizes) = (data, sizes.iter().cycle());
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap_or(&1)));
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        rest = behind;
    }
    bytes.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    bytes
}

/// A connection into which a thread writes these pieces, and then closes it.
fn source(pieces: Vec<Vec<u8>>) -> (Stream, thread::JoinHandle<()>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let writer = thread::spawn(move || {
        for piece in pieces {
            if theirs.write_all(&piece).is_err() {
                return;
            }
            thread::yield_now();
        }
    });
    (Stream::from_fd(ours.into()).unwrap(), writer)
}

/// A connection whose other end is read to its end.
fn sink() -> (Stream, thread::JoinHandle<Vec<u8>>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        let _reset = theirs.read_to_end(&mut all);
        all
    });
    (Stream::from_fd(ours.into()).unwrap(), reader)
}

/// Data and trailers of a whole body in that framing.
fn read_back(bytes: &[u8], framing: Framing) -> (Vec<u8>, String) {
    let mut decoder = BodyDecoder::new(framing, 1024);
    let (mut at, mut data) = (0, Vec::new());
    loop {
        let step = decoder.decode(&bytes[at..]).unwrap();
        data.extend_from_slice(&bytes[at + step.data.start..at + step.data.end]);
        at += step.consumed;
        if step.done || at == bytes.len() {
            break;
        }
    }
    decoder.end_of_input().unwrap();
    (data, String::from_utf8(decoder.trailers().to_vec()).unwrap())
}

fn split(bytes: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let (mut pieces, mut rest, mut sizes) = (Vec::new(), bytes, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap_or(&1)));
        pieces.push(piece.to_vec());
        rest = behind;
    }
    pieces
}

/// Sends a body through the filters; what comes out, framed as `to`.
fn pass(
    from: Framing,
    to: Framing,
    pieces: Vec<Vec<u8>>,
    filters: Vec<Box<dyn BodyFilter>>,
) -> (Result<(), Broken>, Vec<u8>) {
    weft_rt::tokio_rt::run(async move {
        let ((mut source, writer), (mut sink, reader)) = (source(pieces), sink());
        let buffers = Buffers::default();
        let mut transfer = Transfer::new(from, from, 1024, Vec::new(), None);
        filters.into_iter().for_each(|filter| transfer.push_filter(filter));
        transfer.reframe(to);
        let passed = poll_fn(|cx| transfer.poll(cx, &buffers, &mut source, &mut sink)).await;
        drop((source, sink));
        writer.join().unwrap();
        (passed, reader.join().unwrap())
    })
}

fn framings() -> impl Strategy<Value = u8> {
    0_u8..3
}

fn framing(of: u8, length: usize) -> Framing {
    [Framing::Length(length as u64), Framing::Chunked, Framing::UntilClose][usize::from(of)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_out_does_not_depend_on_how_it_came_in(
        data in proptest::collection::vec(any::<u8>(), 1..40_000),
        chunks in proptest::collection::vec(1_usize..12_000, 1..6),
        pieces in proptest::collection::vec(1_usize..30_000, 1..6),
        of in framings(),
        onlooker_first in any::<bool>(),
    ) {
        let from = framing(of, data.len());
        let bytes = framed(&data, from, &chunks, "X-Sum: 1\r\n");
        let mut filters: Vec<Box<dyn BodyFilter>> = vec![Box::new(Stutter::default()), Box::new(Onlooker)];
        if onlooker_first {
            filters.reverse();
        }
        let (passed, out) = pass(from, Framing::Chunked, split(&bytes, &pieces), filters);
        prop_assert!(passed.is_ok(), "{passed:?}");
        let trailers = if from == Framing::Chunked { "X-Sum: 1\r\n" } else { "" };
        prop_assert_eq!(read_back(&out, Framing::Chunked), (stuttered(&data), trailers.to_owned()));
    }

    #[test]
    fn a_filter_that_takes_little_at_once_is_never_shown_more_and_the_body_keeps_its_framing(
        data in proptest::collection::vec(any::<u8>(), 1..40_000),
        chunks in proptest::collection::vec(1_usize..12_000, 1..6),
        pieces in proptest::collection::vec(1_usize..30_000, 1..6),
        of in framings(),
        longest in 1_usize..20_000,
    ) {
        let from = framing(of, data.len());
        let bytes = framed(&data, from, &chunks, "X-Sum: 1\r\n");
        let filters: Vec<Box<dyn BodyFilter>> = vec![Box::new(Sips(longest)), Box::new(Sips(usize::MAX))];
        let (passed, out) = pass(from, from, split(&bytes, &pieces), filters);
        prop_assert!(passed.is_ok(), "{passed:?}");
        let trailers = if from == Framing::Chunked { "X-Sum: 1\r\n" } else { "" };
        prop_assert_eq!(read_back(&out, from), (data, trailers.to_owned()));
    }

    #[test]
    fn a_body_that_is_gathered_is_the_body_that_streams(
        data in proptest::collection::vec(any::<u8>(), 0..40_000),
        chunks in proptest::collection::vec(1_usize..12_000, 1..6),
        pieces in proptest::collection::vec(1_usize..30_000, 1..6),
        of in framings(),
        late in any::<bool>(),
    ) {
        let from = framing(of, data.len());
        prop_assume!(from != Framing::Length(0));
        let bytes = framed(&data, from, &chunks, "");
        let (whole, body) = weft_rt::tokio_rt::run(async {
            let ((mut source, writer), (mut sink, reader)) = (source(split(&bytes, &pieces)), sink());
            let buffers = Buffers::default();
            let mut transfer = Transfer::new(from, from, 1024, Vec::new(), None);
            let mut filter: Option<Box<dyn BodyFilter>> = Some(Box::new(Stutter::default()));
            if !late {
                poll_fn(|cx| transfer.poll_add(cx, &mut filter)).await.unwrap();
            }
            let gathering = poll_fn(|cx| transfer.poll_gather(cx, &buffers, &mut source, 1 << 20)).await;
            assert_eq!(gathering.unwrap(), Gathered::Whole);
            if late {
                poll_fn(|cx| transfer.poll_add(cx, &mut filter)).await.unwrap();
            }
            transfer.reframe(Framing::Chunked);
            let length = transfer.framing();
            transfer.begin(|_| {});
            poll_fn(|cx| transfer.poll(cx, &buffers, &mut source, &mut sink)).await.unwrap();
            drop((source, sink));
            writer.join().unwrap();
            (length, reader.join().unwrap())
        });
        let expected = stuttered(&data);
        prop_assert_eq!(whole, Framing::Length(expected.len() as u64));
        prop_assert_eq!(body, expected);
    }

    #[test]
    fn a_body_too_long_to_be_gathered_goes_on_whole(
        data in proptest::collection::vec(any::<u8>(), 2_000..90_000),
        pieces in proptest::collection::vec(1_usize..30_000, 1..6),
        of in framings(),
    ) {
        let from = framing(of, data.len());
        let bytes = framed(&data, from, &[3_000], "");
        let out = weft_rt::tokio_rt::run(async {
            let ((mut source, writer), (mut sink, reader)) = (source(split(&bytes, &pieces)), sink());
            let buffers = Buffers::default();
            let mut transfer = Transfer::new(from, from, 1024, Vec::new(), None);
            let gathering = poll_fn(|cx| transfer.poll_gather(cx, &buffers, &mut source, 1_000)).await;
            assert_eq!(gathering.unwrap(), Gathered::Beyond);
            transfer.begin(|_| {});
            transfer.keep_no_more();
            poll_fn(|cx| transfer.poll(cx, &buffers, &mut source, &mut sink)).await.unwrap();
            drop((source, sink));
            writer.join().unwrap();
            reader.join().unwrap()
        });
        prop_assert_eq!(read_back(&out, from).0, data);
    }
}

#[test]
fn a_failing_filter_ends_the_body_before_its_end() {
    let data = vec![7_u8; 50_000];
    let bytes = framed(&data, Framing::Chunked, &[1_000], "");
    let (passed, out) =
        pass(Framing::Chunked, Framing::Chunked, split(&bytes, &[5_000]), vec![Box::new(Fails(20_000))]);
    assert!(matches!(passed, Err(Broken::Filter(Error { detail: "enough", .. }))), "{passed:?}");
    assert!(out.len() < 25_000 && !out.ends_with(b"0\r\n\r\n"));
}

#[test]
fn the_bound_on_a_body_counts_what_came_and_not_what_filters_made_of_it() {
    let doubled = |max: u64| {
        weft_rt::tokio_rt::run(async move {
            let ((mut source, _writer), (mut sink, _reader)) = (source(vec![vec![1; 1_000]]), sink());
            let buffers = Buffers::default();
            let mut transfer =
                Transfer::new(Framing::Length(1_000), Framing::Chunked, 0, Vec::new(), None).bounded(max);
            transfer.push_filter(Box::new(Stutter::default()));
            poll_fn(|cx| transfer.poll(cx, &buffers, &mut source, &mut sink)).await
        })
    };
    assert!(doubled(1_000).is_ok());
    assert!(matches!(doubled(999), Err(Broken::TooLarge)));
}

#[test]
fn a_body_is_sent_again_as_it_was_filtered_and_the_filter_runs_once() {
    let data = vec![9_u8; 30_000];
    let (first, second) = weft_rt::tokio_rt::run(async move {
        let (mut source, writer) = source(vec![data]);
        let buffers = Buffers::default();
        let mut transfer = Transfer::new(Framing::Length(30_000), Framing::Chunked, 0, Vec::new(), None);
        transfer.push_filter(Box::new(Stutter::default()));
        transfer.keep(1 << 20);
        let mut sent = Vec::new();
        for head in ["first\n", "second\n"] {
            let (mut sink, reader) = sink();
            assert!(transfer.is_at_hand());
            transfer.begin(|out| out.extend_from_slice(head.as_bytes()));
            poll_fn(|cx| transfer.poll(cx, &buffers, &mut source, &mut sink)).await.unwrap();
            drop(sink);
            sent.push(reader.join().unwrap().split_off(head.len()));
        }
        writer.join().unwrap();
        (sent.remove(0), sent.remove(0))
    });
    assert_eq!(read_back(&first, Framing::Chunked).0, stuttered(&[9; 30_000]));
    assert_eq!(read_back(&second, Framing::Chunked).0, stuttered(&[9; 30_000]));
}

#[test]
fn what_stands_behind_a_gathered_body_is_the_next_request() {
    weft_rt::tokio_rt::run(async {
        let (mut source, _writer) = source(vec![]);
        let buffers = Buffers::default();
        let rest = Buffer::from_vec(b"5\r\nabcde\r\n0\r\n\r\nGET /next".to_vec());
        let mut transfer = Transfer::new(Framing::Chunked, Framing::Chunked, 0, Vec::new(), Some(rest));
        let gathering = poll_fn(|cx| transfer.poll_gather(cx, &buffers, &mut source, 100)).await;
        assert_eq!(gathering.unwrap(), Gathered::Whole);
        assert_eq!(transfer.gathered(), b"abcde");
        assert_eq!(transfer.take_surplus().unwrap().unread(), b"GET /next");
        assert!(transfer.take_surplus().is_none());
    });
}
