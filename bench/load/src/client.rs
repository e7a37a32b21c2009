//! One keep-alive client connection: one request out, one answer in, checked. Below `closed`, `open` and `idle`.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use crate::answer::{AnswerReader, Wrong};
use crate::arguments::{Arguments, Fault};
use crate::socket::{self, Address};

/// What every client command asks for, and of whom.
pub(crate) struct Plan {
    pub(crate) address: Address,
    request: Vec<u8>,
    answer_bytes: u64,
}

impl Plan {
    pub(crate) fn take(arguments: &mut Arguments) -> Result<Self, Fault> {
        let address = arguments.require("addr")?;
        let path = arguments.take("path")?.unwrap_or_else(|| "/".to_owned());
        let answer_bytes = arguments.take("bytes")?.unwrap_or(1024);
        let request = format!("GET {path} HTTP/1.1\r\nhost: app\r\nuser-agent: weft-load\r\naccept: */*\r\n\r\n");
        Ok(Self { address, request: request.into_bytes(), answer_bytes })
    }
}

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Wrong(Wrong),
    Closed,
    Stalled,
    Io(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(wrong) => wrong.fmt(f),
            Self::Closed => f.write_str("closed before the answer was complete"),
            Self::Stalled => f.write_str("no answer in time"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// How far the current request is.
#[derive(Debug, PartialEq)]
pub(crate) enum Progress {
    Waiting,
    Answered,
    /// Answered, and the connection is over by agreement.
    AnsweredAndClosed,
}

pub(crate) struct Client {
    pub(crate) socket: OwnedFd,
    reader: AnswerReader,
    /// When the request under way was sent, or was meant to be; `None` between requests.
    pub(crate) since: Option<Instant>,
}

impl Client {
    pub(crate) fn connect(plan: &Plan) -> io::Result<Self> {
        let socket = socket::connect(&plan.address)?;
        Ok(Self { socket, reader: AnswerReader::new(plan.answer_bytes), since: None })
    }

    /// Sends a request whose latency counts from `since`. It is a hundred bytes into an empty buffer: a short write
    /// is a failure, not a state.
    pub(crate) fn ask(&mut self, plan: &Plan, since: Instant) -> Result<(), Failure> {
        self.since = Some(since);
        match socket::send(&self.socket, &plan.request) {
            Ok(sent) if sent == plan.request.len() => Ok(()),
            Ok(_) => Err(Failure::Stalled),
            Err(error) => Err(Failure::Io(error)),
        }
    }

    /// Reads once.
    pub(crate) fn listen(&mut self, scratch: &mut [u8]) -> Result<Progress, Failure> {
        let count = match socket::receive(&self.socket, scratch) {
            Ok(None) => return Ok(Progress::Waiting),
            Ok(Some(0)) if self.since.is_none() => return Ok(Progress::AnsweredAndClosed),
            Ok(Some(0)) => return Err(Failure::Closed),
            Ok(Some(count)) => count,
            Err(error) => return Err(Failure::Io(error)),
        };
        if self.since.is_none() {
            return Err(Failure::Wrong(Wrong::Surplus));
        }
        match self.reader.feed(scratch.get(..count).unwrap_or_default()).map_err(Failure::Wrong)? {
            None => Ok(Progress::Waiting),
            Some(answer) if answer.close => Ok(Progress::AnsweredAndClosed),
            Some(_) => Ok(Progress::Answered),
        }
    }
}

/// Failures of a run: how many, and what the first one was.
#[derive(Default)]
pub(crate) struct Failures {
    pub(crate) count: u64,
    first: Option<String>,
}

/// So many failures end a run: it measures nothing any more.
const MAX_FAILURES: u64 = 1000;

impl Failures {
    pub(crate) fn add(&mut self, failure: &Failure) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some(format!("{failure}").replace(['"', '\\'], "'"));
        }
    }

    pub(crate) fn too_many(&self) -> bool {
        self.count >= MAX_FAILURES
    }

    /// Two members of the JSON line.
    pub(crate) fn json(&self) -> String {
        let first = self.first.as_ref().map_or("null".to_owned(), |first| format!("\"{first}\""));
        format!("\"errors\":{},\"first_error\":{first}", self.count)
    }
}
