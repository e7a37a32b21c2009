//! Bodies in both directions: a decoder that finds the data in what was read, an encoder that frames what is written.
//!
//! Invariants: the decoder never holds data, only its place in the framing and the trailers; it takes chunks as RFC
//! 9112 7.1 writes them and nothing looser (no bare LF, no white space around a size, bounded extensions); the encoder
//! never writes a byte more than its framing announced.

use std::ops::{Deref, Range};

use super::framing::Framing;
use super::head::{Known, is_token, is_value};

/// Why a body is not taken, or could not be finished. The connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// Hex digits of a chunk size: up to 2^60 bytes, so that no sum overflows.
const MAX_SIZE_DIGITS: u8 = 15;
/// Bytes of chunk extensions in a whole body. They mean nothing to us, and endless ones are an attack.
const MAX_EXTENSION_BYTES: u16 = 16 * 1024;

/// The next byte that the decoder expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Data of that many bytes, the rest of the body.
    Length(u64),
    /// Data without end.
    UntilClose,
    /// A digit of a chunk's size, after so many digits.
    Size { digits: u8, size: u64 },
    /// A byte of an extension of a chunk of that size.
    Extension { size: u64 },
    /// The LF after a chunk's size.
    SizeLf { size: u64 },
    /// Data of that many bytes, the rest of the chunk.
    Chunk(u64),
    /// The CR after a chunk's data.
    DataCr,
    /// The LF after a chunk's data.
    DataLf,
    /// A byte of the trailer section.
    Trailer,
    /// The LF that ends a body without trailers; most have none, and allocate nothing.
    EndLf,
    /// Nothing: the body has ended.
    Done,
}

/// Finds the data of one body in the bytes of a connection.
#[derive(Debug)]
pub struct BodyDecoder {
    place: Place,
    extension_bytes: u16,
    max_trailer_bytes: usize,
    /// Raw trailer lines until done, then the ones that may be forwarded.
    trailers: Vec<u8>,
}

/// One step of a decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of the input that are used up, data included.
    pub consumed: usize,
    /// The data, as a range of the input; often empty.
    pub data: Range<usize>,
    /// The body has ended; what follows `consumed` is not part of it.
    pub done: bool,
}

impl BodyDecoder {
    /// A decoder for a body of that framing. Trailers (names, values and line ends) may take up `max_trailer_bytes`.
    pub fn new(framing: Framing, max_trailer_bytes: usize) -> Self {
        let place = match framing {
            Framing::None | Framing::Length(0) => Place::Done,
            Framing::Length(length) => Place::Length(length),
            Framing::Chunked => Place::Size { digits: 0, size: 0 },
            Framing::UntilClose => Place::UntilClose,
        };
        Self { place, extension_bytes: 0, max_trailer_bytes, trailers: Vec::new() }
    }

    /// Takes framing bytes and at most one run of data. Call again with the rest while something was consumed and the
    /// body is not done.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, Malformed> {
        let mut at = 0;
        loop {
            match self.place {
                Place::Done => return Ok(Decoded { consumed: at, data: at..at, done: true }),
                Place::Length(left) | Place::Chunk(left) => return Ok(self.take_data(input, at, left)),
                Place::UntilClose => return Ok(Decoded { consumed: input.len(), data: at..input.len(), done: false }),
                _ => {}
            }
            let Some(&byte) = input.get(at) else { return Ok(Decoded { consumed: at, data: at..at, done: false }) };
            at += 1;
            self.take_framing(byte)?;
        }
    }

    /// The connection has ended: fine for a body that ends with it, else the body is truncated.
    pub fn end_of_input(&self) -> Result<(), Malformed> {
        match self.place {
            Place::Done | Place::UntilClose => Ok(()),
            _ => Err(Malformed("the connection ended amid the body")),
        }
    }

    /// After `done`: the trailers that may be forwarded, as `name: value CRLF` lines.
    pub fn trailers(&self) -> &[u8] {
        if self.place == Place::Done { &self.trailers } else { &[] }
    }

    fn take_data(&mut self, input: &[u8], at: usize, left: u64) -> Decoded {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - at);
        let rest = left - taken as u64;
        let counted = matches!(self.place, Place::Length(_));
        self.place = match (rest, counted) {
            (0, true) => Place::Done,
            (0, false) => Place::DataCr,
            (_, true) => Place::Length(rest),
            (_, false) => Place::Chunk(rest),
        };
        Decoded { consumed: at + taken, data: at..at + taken, done: self.place == Place::Done }
    }

    fn take_framing(&mut self, byte: u8) -> Result<(), Malformed> {
        self.place = match (self.place, byte) {
            (Place::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < MAX_SIZE_DIGITS => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                Place::Size { digits: digits + 1, size: size * 16 + digit }
            }
            (Place::Size { digits: 1.., size }, b'\r') => Place::SizeLf { size },
            (Place::Size { digits: 1.., size }, b';') => Place::Extension { size },
            (Place::Size { .. }, _) => return Err(Malformed("a chunk size is malformed")),
            (Place::Extension { size }, b'\r') => Place::SizeLf { size },
            (Place::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) if self.extension_bytes < MAX_EXTENSION_BYTES => {
                self.extension_bytes += 1;
                Place::Extension { size }
            }
            (Place::Extension { .. }, _) => return Err(Malformed("a chunk extension is malformed or endless")),
            (Place::SizeLf { size: 0 }, b'\n') => Place::Trailer,
            (Place::SizeLf { size }, b'\n') => Place::Chunk(size),
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => Place::Size { digits: 0, size: 0 },
            (Place::Trailer, b'\r') if self.trailers.is_empty() => Place::EndLf,
            (Place::EndLf, b'\n') => Place::Done,
            (Place::Trailer, byte) => return self.take_trailer(byte),
            _ => return Err(Malformed("a chunk does not end in crlf")),
        };
        Ok(())
    }

    fn take_trailer(&mut self, byte: u8) -> Result<(), Malformed> {
        // The CRLF that ends the section is not part of the trailers.
        if self.trailers.len() >= self.max_trailer_bytes.saturating_add(2) {
            return Err(Malformed("the trailers are too large"));
        }
        self.trailers.push(byte);
        if byte != b'\n' {
            return Ok(());
        }
        if self.trailers.ends_with(b"\r\n\r\n") {
            self.trailers = forwardable_trailers(&self.trailers)?;
            self.place = Place::Done;
        } else if !self.trailers.ends_with(b"\r\n") {
            return Err(Malformed("a trailer line ends in a bare lf"));
        }
        Ok(())
    }
}

/// Checks the lines of a whole trailer section and keeps those that may stand there (RFC 9110 6.5.1).
fn forwardable_trailers(section: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut kept = Vec::new();
    let lines = section.strip_suffix(b"\r\n").unwrap_or_default();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\r\n").unwrap_or_default();
        let colon = memchr::memchr(b':', text).ok_or(Malformed("a trailer line has no colon"))?;
        let (name, value) = text.split_at_checked(colon).unwrap_or_default();
        if !is_token(name) || !is_value(value) {
            return Err(Malformed("a trailer line is malformed"));
        }
        if !forbidden_in_trailers(name) {
            kept.extend_from_slice(line);
        }
    }
    Ok(kept)
}

/// Fields that would change framing, routing, identity or the reading of what went before.
fn forbidden_in_trailers(name: &[u8]) -> bool {
    const OTHERS: [&[u8]; 13] = [
        b"accept-encoding",
        b"age",
        b"cache-control",
        b"content-encoding",
        b"content-range",
        b"content-type",
        b"forwarded",
        b"location",
        b"max-forwards",
        b"range",
        b"set-cookie",
        b"vary",
        b"www-authenticate",
    ];
    let plain = matches!(Known::of(name), Known::Other | Known::Server | Known::UserAgent);
    !plain || OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Frames one body on its way out.
#[derive(Debug)]
pub struct BodyEncoder {
    framing: Framing,
    /// Bytes that a `Length` still owes.
    left: u64,
    surplus: bool,
    in_chunk: bool,
}

/// The bytes that go before a piece of data: a chunk's size line, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Prefix {
    bytes: [u8; 18],
    start: u8,
}

impl Deref for Prefix {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(usize::from(self.start)..).unwrap_or_default()
    }
}

impl Prefix {
    const NONE: Self = Self { bytes: [0; 18], start: 18 };

    fn size_line(length: usize) -> Self {
        let mut prefix = Self { bytes: *b"                \r\n", start: 16 };
        let mut rest = length;
        for slot in prefix.bytes.iter_mut().rev().skip(2) {
            let digit = (rest % 16) as u8;
            *slot = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            prefix.start -= 1;
            rest /= 16;
            if rest == 0 {
                break;
            }
        }
        prefix
    }
}

impl BodyEncoder {
    /// An encoder for a body of that framing.
    pub fn new(framing: Framing) -> Self {
        let left = if let Framing::Length(length) = framing { length } else { 0 };
        Self { framing, left, surplus: false, in_chunk: false }
    }

    /// Appends a piece of data, framed. What a `Length` or a `None` did not announce is not written, and `finish` fails.
    pub fn encode(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if let Ok(prefix) = self.prefix(data.len()) {
            out.extend_from_slice(&prefix);
            out.extend_from_slice(data);
            out.extend_from_slice(self.suffix());
        }
    }

    /// What to write before a piece of that many bytes, when the piece itself goes out without a copy. An error means
    /// that the piece is more than was announced and must not be written.
    pub fn prefix(&mut self, length: usize) -> Result<Prefix, Malformed> {
        self.in_chunk = false;
        match self.framing {
            _ if length == 0 => {}
            Framing::UntilClose => {}
            Framing::Chunked => {
                self.in_chunk = true;
                return Ok(Prefix::size_line(length));
            }
            Framing::None | Framing::Length(_) if length as u64 > self.left => {
                self.surplus = true;
                return Err(Malformed("the body is longer than announced"));
            }
            Framing::None | Framing::Length(_) => self.left -= length as u64,
        }
        Ok(Prefix::NONE)
    }

    /// What to write after the piece that `prefix` announced.
    pub fn suffix(&self) -> &'static [u8] {
        if self.in_chunk { b"\r\n" } else { b"" }
    }

    /// Ends the body. Trailers are lines as [`BodyDecoder::trailers`] gives them; only chunks can carry them, elsewhere
    /// they are dropped. An error means that less or more was given than announced: the connection must be closed.
    pub fn finish(&mut self, trailers: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.surplus {
            return Err(Malformed("the body is longer than announced"));
        }
        if self.left > 0 {
            return Err(Malformed("the body is shorter than announced"));
        }
        if self.framing == Framing::Chunked {
            out.extend_from_slice(b"0\r\n");
            out.extend_from_slice(trailers);
            out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces as a connection would; gives the data and the bytes that were left over.
    fn decode(decoder: &mut BodyDecoder, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), Malformed> {
        let (mut data, mut left_over, mut done) = (Vec::new(), 0, false);
        for piece in pieces {
            let mut rest = *piece;
            while !done {
                let step = decoder.decode(rest)?;
                data.extend_from_slice(&rest[step.data]);
                rest = &rest[step.consumed..];
                done = step.done;
                if step.consumed == 0 || rest.is_empty() {
                    break;
                }
            }
            left_over += rest.len();
        }
        Ok((data, left_over, done))
    }

    fn chunked(input: &[u8]) -> Result<(Vec<u8>, usize, bool), Malformed> {
        decode(&mut BodyDecoder::new(Framing::Chunked, 256), &[input])
    }

    #[test]
    fn a_body_of_known_length_ends_there() {
        let mut decoder = BodyDecoder::new(Framing::Length(5), 0);
        assert_eq!(decode(&mut decoder, &[b"ab", b"cdeGET"]), Ok((b"abcde".to_vec(), 3, true)));
        assert!(decoder.end_of_input().is_ok());
        let empty = BodyDecoder::new(Framing::Length(0), 0).decode(b"GET").unwrap();
        assert!(empty.done && empty.consumed == 0);
    }

    #[test]
    fn a_truncated_body_is_told_from_a_complete_one() {
        for framing in [Framing::Length(5), Framing::Chunked] {
            let mut decoder = BodyDecoder::new(framing, 0);
            decode(&mut decoder, &[b"4\r\na"]).unwrap();
            assert!(decoder.end_of_input().is_err(), "{framing:?}");
        }
        let mut decoder = BodyDecoder::new(Framing::UntilClose, 0);
        assert_eq!(decode(&mut decoder, &[b"abc"]), Ok((b"abc".to_vec(), 0, false)));
        assert!(decoder.end_of_input().is_ok());
    }

    #[test]
    fn chunks_are_read_with_extensions_and_trailers() {
        let body = b"4;a=b;c=\"d e\"\r\nabcd\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nHost: b\r\nX-End:\r\n\r\nGET";
        let mut decoder = BodyDecoder::new(Framing::Chunked, 256);
        assert_eq!(decode(&mut decoder, &[body]), Ok((b"abcd0123456789".to_vec(), 3, true)));
        assert_eq!(decoder.trailers(), b"X-Sum: 1\r\nX-End:\r\n");
        assert_eq!(chunked(b"0\r\n\r\n"), Ok((vec![], 0, true)));
    }

    #[test]
    fn chunks_with_two_readings_are_refused() {
        let cases: [&[u8]; 25] = [
            b"\r\n",
            b"\n",
            b"g\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b" 1\r\na",
            b"1 \r\na",
            b"1\t;a\r\na",
            b"1\na\r\n",
            b"1\r\nab",
            b"1\r\na\n",
            b"1\r\na\r0",
            b"1\ra",
            b"1;a\n",
            b"1;a\rb",
            b"1;\0\r\n",
            b"1_0\r\n",
            b"1111111111111111\r\n",
            b"0\r\nX\r\n\r\n",
            b"0\r\n X: a\r\n\r\n",
            b"0\r\nX : a\r\n\r\n",
            b"0\r\nX: a\n",
            b"0\r\nX: a\rb\r\n\r\n",
            b"0\r\n\n",
        ];
        for case in cases {
            assert!(chunked(case).is_err(), "{}", case.escape_ascii());
        }
    }

    #[test]
    fn what_surrounds_the_data_is_bounded() {
        let lines = |count: usize| [&b"0\r\n"[..], &b"X: 123\r\n".repeat(count), b"\r\n"].concat();
        assert!(chunked(&lines(32)).is_ok());
        assert!(chunked(&lines(33)).is_err());
        assert!(chunked(&b"1;12345678\r\na\r\n".repeat(3000)).is_err());
    }

    #[test]
    fn the_encoder_writes_what_was_announced() {
        let mut out = Vec::new();
        let mut encoder = BodyEncoder::new(Framing::Length(3));
        encoder.encode(b"abc", &mut out);
        assert_eq!(encoder.finish(b"", &mut out), Ok(()));
        encoder.encode(b"d", &mut out);
        assert!(encoder.finish(b"", &mut out).is_err());
        assert_eq!(out, b"abc");
        assert!(BodyEncoder::new(Framing::Length(1)).finish(b"", &mut out).is_err());
        assert!(BodyEncoder::new(Framing::None).prefix(1).is_err());
    }

    #[test]
    fn an_empty_piece_does_not_end_a_chunked_body() {
        let (mut out, mut encoder) = (Vec::new(), BodyEncoder::new(Framing::Chunked));
        encoder.encode(b"", &mut out);
        encoder.encode(&[b'x'; 26], &mut out);
        encoder.finish(b"A: b\r\n", &mut out).unwrap();
        assert_eq!(out, b"1a\r\nxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n0\r\nA: b\r\n\r\n");
        assert_eq!(&*Prefix::size_line(usize::MAX), b"ffffffffffffffff\r\n");
    }
}
