//! `upstream`: the cheap HTTP/1.1 end behind the proxy. Any request gets 200 and a body of `--bytes`, `/bytes/N` one
//! of N; one read and one write per request, under 3 µs.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;

use crate::arguments::{Arguments, Fault};
use crate::poller::{Interest, Poller, Ready};
use crate::request::{Request, RequestReader};
use crate::socket::{self, Address};

const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
const MAX_SIZES: usize = 64;
const READ_BYTES: usize = 64 * 1024;
const ACCEPTS_PER_EVENT: usize = 64;
/// Answers a client may leave unread before its requests stay unread too.
const MAX_UNSENT: usize = 64;
const LISTENER: usize = usize::MAX;

pub(crate) fn run(mut arguments: Arguments) -> Result<(), Fault> {
    let host = arguments.take::<Ipv4Addr>("host")?.unwrap_or(Ipv4Addr::LOCALHOST);
    let address = match (arguments.take::<u16>("port")?, arguments.take::<PathBuf>("unix")?) {
        (Some(port), None) if host.is_loopback() => Address::Tcp((host, port).into()),
        (None, Some(path)) => Address::Unix(path),
        _ => return Err(Fault::Usage("give either --port, with a --host of 127.0.0.0/8, or --unix".into())),
    };
    let bytes = arguments.take("bytes")?.unwrap_or(1024);
    arguments.finish()?;
    if bytes > MAX_BODY_BYTES {
        return Err(Fault::Usage(format!("--bytes is over {MAX_BODY_BYTES}")));
    }
    let listener = socket::listen(&address)?;
    let poller = Poller::new()?;
    poller.add(&listener, LISTENER, Interest::IN)?;
    let mut upstream = Upstream {
        poller,
        listener,
        answers: Answers::new(bytes),
        connections: Vec::new(),
        free: Vec::new(),
        scratch: vec![0; READ_BYTES],
        requests: Vec::new(),
    };
    println!("listening {}", socket::local_address(&upstream.listener)?);
    let mut ready = Ready::new();
    // Serves until it is ended by a signal.
    loop {
        upstream.poller.wait(&mut ready, None)?;
        for token in ready.tokens() {
            if token == LISTENER { upstream.accept()? } else { upstream.serve(token) }
        }
    }
}

struct Upstream {
    poller: Poller,
    listener: OwnedFd,
    answers: Answers,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    scratch: Vec<u8>,
    requests: Vec<Request>,
}

struct Connection {
    socket: OwnedFd,
    reader: RequestReader,
    unsent: VecDeque<Unsent>,
    interest: Interest,
    /// No further request is read; ends when the answers are out.
    closing: bool,
}

struct Unsent {
    answer: Rc<[u8]>,
    from: usize,
    to: usize,
}

impl Upstream {
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS_PER_EVENT {
            let Some(socket) = socket::accept(&self.listener)? else { break };
            let token = self.free.pop().unwrap_or(self.connections.len());
            self.poller.add(&socket, token, Interest::IN)?;
            let connection = Connection {
                socket,
                reader: RequestReader::new(),
                unsent: VecDeque::new(),
                interest: Interest::IN,
                closing: false,
            };
            match self.connections.get_mut(token) {
                Some(slot) => *slot = Some(connection),
                None => self.connections.push(Some(connection)),
            }
        }
        Ok(())
    }

    /// Reads once, answers what is complete, and waits for what is missing; a broken connection ends here.
    fn serve(&mut self, token: usize) {
        let Some(slot) = self.connections.get_mut(token) else { return };
        let Some(connection) = slot else { return };
        let served = connection
            .read(&mut self.scratch, &mut self.requests, &mut self.answers)
            .and_then(|()| connection.write())
            .and_then(|()| connection.rearm(&self.poller, token));
        let ended = connection.closing && connection.unsent.is_empty();
        if served.is_err() || ended {
            *slot = None;
            self.free.push(token);
        }
    }
}

impl Connection {
    fn read(&mut self, scratch: &mut [u8], requests: &mut Vec<Request>, answers: &mut Answers) -> io::Result<()> {
        if self.closing || self.unsent.len() >= MAX_UNSENT {
            return Ok(());
        }
        let Some(count) = socket::receive(&self.socket, scratch)? else { return Ok(()) };
        if count == 0 {
            self.closing = true;
            return Ok(());
        }
        let input = scratch.get(..count).unwrap_or_default();
        requests.clear();
        self.reader.feed(input, requests).map_err(|_| io::ErrorKind::InvalidData)?;
        for request in requests.iter() {
            let (answer, head_bytes) = answers.of(request.bytes);
            let to = if request.head_only { head_bytes } else { answer.len() };
            self.unsent.push_back(Unsent { answer, from: 0, to });
            if request.close {
                self.closing = true;
                break;
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(unsent) = self.unsent.front_mut() {
            let bytes = unsent.answer.get(unsent.from..unsent.to).unwrap_or_default();
            let sent = socket::send(&self.socket, bytes)?;
            unsent.from += sent;
            if unsent.from < unsent.to {
                break;
            }
            self.unsent.pop_front();
        }
        Ok(())
    }

    fn rearm(&mut self, poller: &Poller, token: usize) -> io::Result<()> {
        let mut wanted = Interest::empty();
        wanted.set(Interest::IN, !self.closing && self.unsent.len() < MAX_UNSENT);
        wanted.set(Interest::OUT, !self.unsent.is_empty());
        if wanted != self.interest {
            poller.change(&self.socket, token, wanted)?;
            self.interest = wanted;
        }
        Ok(())
    }
}

/// Ready-made answers by body length; the first is the default.
struct Answers {
    default: (Rc<[u8]>, usize),
    by_size: HashMap<usize, (Rc<[u8]>, usize)>,
}

impl Answers {
    fn new(bytes: usize) -> Self {
        Self { default: answer(bytes), by_size: HashMap::new() }
    }

    /// The answer and the length of its head. Sizes over 16 MiB, or beyond the 64th different one, get the default.
    fn of(&mut self, bytes: Option<usize>) -> (Rc<[u8]>, usize) {
        let Some(bytes) = bytes.filter(|&bytes| bytes <= MAX_BODY_BYTES) else { return self.default.clone() };
        if let Some(known) = self.by_size.get(&bytes) {
            return known.clone();
        }
        if self.by_size.len() == MAX_SIZES {
            return self.default.clone();
        }
        self.by_size.entry(bytes).or_insert_with(|| answer(bytes)).clone()
    }
}

/// The head an ordinary application would send; the date is fixed, a clock has no part in the measurement.
fn answer(bytes: usize) -> (Rc<[u8]>, usize) {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nserver: weft-load\r\ndate: Fri, 20 Nov 2026 12:00:00 GMT\r\n\
         content-type: text/plain\r\ncontent-length: {bytes}\r\n\r\n"
    )
    .into_bytes();
    let head_bytes = answer.len();
    answer.resize(head_bytes + bytes, b'x');
    (answer.into(), head_bytes)
}
