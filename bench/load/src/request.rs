//! The upstream's reading side: turns bytes, in whatever pieces they come, into complete requests with their bodies
//! skipped.
//!
//! It trusts its clients no further than memory: a head or line over 64 KiB is refused, bodies are never kept.

use memchr::{memchr, memmem};

const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What the answer depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Request {
    /// The N of `/bytes/N`.
    pub(crate) bytes: Option<usize>,
    /// A HEAD request: the answer has no body.
    pub(crate) head_only: bool,
    /// The client asked for the connection's end.
    pub(crate) close: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Malformed;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Head,
    /// Bytes of a body with a length still to skip.
    Body(u64),
    ChunkSize,
    /// Bytes of a chunk and its line end still to skip.
    Chunk(u64),
    Trailers,
}

pub(crate) struct RequestReader {
    state: State,
    current: Request,
    /// An unfinished head or line; empty while requests come whole.
    partial: Vec<u8>,
}

impl RequestReader {
    pub(crate) fn new() -> Self {
        Self { state: State::Head, current: Request::default(), partial: Vec::new() }
    }

    /// Takes the next bytes and appends each request they complete.
    pub(crate) fn feed(&mut self, input: &[u8], requests: &mut Vec<Request>) -> Result<(), Malformed> {
        if self.partial.is_empty() {
            let used = self.consume(input, requests)?;
            self.partial.extend_from_slice(input.get(used..).unwrap_or_default());
        } else {
            let mut joined = std::mem::take(&mut self.partial);
            joined.extend_from_slice(input);
            let used = self.consume(&joined, requests)?;
            joined.drain(..used);
            self.partial = joined;
        }
        if self.partial.len() > MAX_HEAD_BYTES { Err(Malformed) } else { Ok(()) }
    }

    fn consume(&mut self, input: &[u8], requests: &mut Vec<Request>) -> Result<usize, Malformed> {
        let mut rest = input;
        while !rest.is_empty() {
            let used = match self.state {
                State::Head => self.head(rest, requests)?,
                State::Body(left) => self.skip(left, rest, State::Body, requests),
                State::Chunk(left) => self.skip(left, rest, State::Chunk, requests),
                State::ChunkSize => self.chunk_size(rest)?,
                State::Trailers => self.trailer(rest, requests),
            };
            if used == 0 {
                break;
            }
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(input.len() - rest.len())
    }

    fn head(&mut self, input: &[u8], requests: &mut Vec<Request>) -> Result<usize, Malformed> {
        let Some(end) = memmem::find(input, b"\r\n\r\n") else { return Ok(0) };
        let mut lines = Lines(input.get(..end + 2).unwrap_or_default());
        let first = lines.next().ok_or(Malformed)?;
        self.current = request_line(first)?;
        self.state = State::Body(0);
        for line in lines {
            if let Some(value) = value_of(line, b"content-length") {
                self.state = State::Body(decimal(value).ok_or(Malformed)?);
            } else if let Some(value) = value_of(line, b"transfer-encoding") {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed);
                }
                self.state = State::ChunkSize;
            } else if let Some(value) = value_of(line, b"connection") {
                self.current.close |= value.eq_ignore_ascii_case(b"close");
            }
        }
        if self.state == State::Body(0) {
            self.complete(requests);
        }
        Ok(end + 4)
    }

    fn skip(&mut self, left: u64, input: &[u8], state: fn(u64) -> State, requests: &mut Vec<Request>) -> usize {
        let used = left.min(input.len() as u64);
        self.state = state(left - used);
        match self.state {
            State::Body(0) => self.complete(requests),
            State::Chunk(0) => self.state = State::ChunkSize,
            _ => {}
        }
        used as usize
    }

    fn chunk_size(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let Some(end) = memchr(b'\n', input) else { return Ok(0) };
        let line = input.get(..end).unwrap_or_default();
        let digits = line.split(|byte| matches!(byte, b';' | b'\r')).next().unwrap_or_default();
        let size = hexadecimal(digits).ok_or(Malformed)?;
        self.state = if size == 0 { State::Trailers } else { State::Chunk(size + 2) };
        Ok(end + 1)
    }

    fn trailer(&mut self, input: &[u8], requests: &mut Vec<Request>) -> usize {
        let Some(end) = memchr(b'\n', input) else { return 0 };
        if end <= 1 {
            self.complete(requests);
        }
        end + 1
    }

    fn complete(&mut self, requests: &mut Vec<Request>) {
        requests.push(std::mem::take(&mut self.current));
        self.state = State::Head;
    }
}

fn request_line(line: &[u8]) -> Result<Request, Malformed> {
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(path), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(Malformed);
    };
    Ok(Request {
        bytes: path.strip_prefix(b"/bytes/").and_then(decimal).and_then(|bytes| usize::try_from(bytes).ok()),
        head_only: method == b"HEAD",
        close: version == b"HTTP/1.0",
    })
}

/// The lines of a head, without their ends.
pub(crate) struct Lines<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\n', self.0)?;
        let line = self.0.get(..end)?;
        self.0 = self.0.get(end + 1..)?;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// The trimmed value when `line` is the header `name`.
pub(crate) fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    rest.strip_prefix(b":").map(<[u8]>::trim_ascii)
}

/// A decimal number of at most 18 digits.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    text.iter().try_fold(0, |sum, &byte| char::from(byte).to_digit(16).map(|digit| sum * 16 + u64::from(digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Request = Request { bytes: None, head_only: false, close: false };

    fn read_in_pieces(input: &[u8], size: usize) -> Result<Vec<Request>, Malformed> {
        let mut reader = RequestReader::new();
        let mut requests = Vec::new();
        for piece in input.chunks(size) {
            reader.feed(piece, &mut requests)?;
        }
        assert!(reader.partial.is_empty() && reader.state == State::Head, "bytes were left over");
        Ok(requests)
    }

    #[test]
    fn requests_are_the_same_in_pieces_of_any_size() {
        let input = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n\
            POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
            POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
            5;a=b\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nsum: 1\r\n\r\n\
            HEAD /bytes/65536 HTTP/1.1\r\nhost: a\r\nconnection: Close\r\n\r\n";
        let expected = [PLAIN, PLAIN, PLAIN, Request { bytes: Some(65536), head_only: true, close: true }];
        for size in 1..=input.len() {
            assert_eq!(read_in_pieces(input, size).as_deref(), Ok(&expected[..]), "pieces of {size}");
        }
    }

    #[test]
    fn http_1_0_closes() {
        let requests = read_in_pieces(b"GET / HTTP/1.0\r\n\r\n", 64);
        assert_eq!(requests, Ok(vec![Request { close: true, ..PLAIN }]));
    }

    #[test]
    fn what_it_cannot_frame_is_refused() {
        for input in [
            &b"GET\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: 9999999999999999999\r\n\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        ] {
            let mut requests = Vec::new();
            assert_eq!(RequestReader::new().feed(input, &mut requests), Err(Malformed), "{input:?}");
        }
    }

    #[test]
    fn an_endless_head_is_refused_at_64_kib() {
        let mut reader = RequestReader::new();
        let mut requests = Vec::new();
        let fed = (0..100).take_while(|_| reader.feed(&[b'a'; 1024], &mut requests).is_ok()).count();
        assert_eq!(fed, 64);
    }
}
