//! The clients' reading side: follows one answer at a time and finds it right or wrong.
//!
//! Right means status 200, a Content-Length equal to the expected one, exactly that many bytes, and nothing after.

use std::fmt;

use memchr::memmem;

use crate::request::{Lines, decimal, value_of};

const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wrong {
    Head,
    Status(u64),
    Length(u64),
    /// No Content-Length: a proxy that re-frames a sized answer is measured at something else.
    Framing,
    Surplus,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("not an HTTP/1.1 head"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Length(length) => write!(f, "a body of {length} bytes"),
            Self::Framing => f.write_str("no content-length"),
            Self::Surplus => f.write_str("bytes after the answer"),
        }
    }
}

/// A complete answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Answer {
    /// The other side ends the connection after it.
    pub(crate) close: bool,
}

pub(crate) struct AnswerReader {
    expected_bytes: u64,
    /// Body bytes still to come; `None` within the head.
    left: Option<u64>,
    close: bool,
    partial: Vec<u8>,
}

impl AnswerReader {
    pub(crate) fn new(expected_bytes: u64) -> Self {
        Self { expected_bytes, left: None, close: false, partial: Vec::new() }
    }

    /// Takes the next bytes; `Some` when they complete the answer.
    pub(crate) fn feed(&mut self, input: &[u8]) -> Result<Option<Answer>, Wrong> {
        if let Some(left) = self.left {
            return self.body(left, input.len() as u64);
        }
        if self.partial.is_empty() && !input.is_empty() {
            let Some(end) = memmem::find(input, b"\r\n\r\n") else {
                self.partial.extend_from_slice(input);
                return self.bounded();
            };
            return self.head(input, end);
        }
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(input);
        match memmem::find(&joined, b"\r\n\r\n") {
            Some(end) => self.head(&joined, end),
            None => {
                self.partial = joined;
                self.bounded()
            }
        }
    }

    fn bounded(&self) -> Result<Option<Answer>, Wrong> {
        if self.partial.len() > MAX_HEAD_BYTES { Err(Wrong::Head) } else { Ok(None) }
    }

    fn head(&mut self, input: &[u8], end: usize) -> Result<Option<Answer>, Wrong> {
        let mut lines = Lines(input.get(..end + 2).unwrap_or_default());
        let status = lines.next().and_then(|line| line.strip_prefix(b"HTTP/1.1 ")).and_then(|rest| rest.get(..3));
        let status = status.and_then(decimal).ok_or(Wrong::Head)?;
        if status != 200 {
            return Err(Wrong::Status(status));
        }
        let mut length = None;
        self.close = false;
        for line in lines {
            if let Some(value) = value_of(line, b"content-length") {
                length = decimal(value);
            } else if let Some(value) = value_of(line, b"connection") {
                self.close = value.eq_ignore_ascii_case(b"close");
            }
        }
        let length = length.ok_or(Wrong::Framing)?;
        if length != self.expected_bytes {
            return Err(Wrong::Length(length));
        }
        self.body(length, (input.len() - end - 4) as u64)
    }

    fn body(&mut self, left: u64, count: u64) -> Result<Option<Answer>, Wrong> {
        let left = left.checked_sub(count).ok_or(Wrong::Surplus)?;
        if left > 0 {
            self.left = Some(left);
            return Ok(None);
        }
        self.left = None;
        Ok(Some(Answer { close: self.close }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\nhello";

    fn read_in_pieces(input: &[u8], size: usize) -> Result<Vec<Answer>, Wrong> {
        let mut reader = AnswerReader::new(5);
        let mut answers = Vec::new();
        for piece in input.chunks(size) {
            answers.extend(reader.feed(piece)?);
        }
        Ok(answers)
    }

    #[test]
    fn an_answer_is_right_in_pieces_of_any_size() {
        for size in 1..=RIGHT.len() {
            assert_eq!(read_in_pieces(RIGHT, size), Ok(vec![Answer { close: false }]), "pieces of {size}");
        }
    }

    #[test]
    fn answers_follow_each_other() {
        let mut reader = AnswerReader::new(5);
        for _ in 0..3 {
            assert_eq!(reader.feed(RIGHT), Ok(Some(Answer { close: false })));
        }
    }

    #[test]
    fn a_closing_answer_says_so() {
        let input = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: close\r\n\r\nhello";
        assert_eq!(read_in_pieces(input, 100), Ok(vec![Answer { close: true }]));
    }

    #[test]
    fn wrong_answers_are_named() {
        for (input, wrong) in [
            (&b"HTTP/1.1 503 No\r\ncontent-length: 5\r\n\r\nhello"[..], Wrong::Status(503)),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhell", Wrong::Length(4)),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", Wrong::Framing),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello!", Wrong::Surplus),
            (b"ICY 200 OK\r\n\r\n", Wrong::Head),
        ] {
            assert_eq!(read_in_pieces(input, 1000), Err(wrong));
        }
    }
}
