//! A request that came through a door of TypeScript's: it enters the pipeline by a stream of memory, and what the
//! pipeline writes there goes out as events.
//!
//! One task per request. Its head is parsed as strictly as that of a connection; bodies go unframed both ways. Events are
//! told from within the task, and whoever hears them may call back at once: no borrow is held meanwhile.

mod answer;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use weft_rt::{PIPE_BYTES, Peer};

use crate::error::{Error, Kind};
use crate::exchange::downstream::{Downstream, Request};
use crate::exchange::driver;
use crate::exchange::reply;
use crate::http::head::Method;
use crate::http::parse::{Parsed, parse_request};
use crate::worker::Worker;
use crate::worker::serving::Serving;

use answer::Answering;

/// Unread bytes of a request below which a door that was told to stop may go on.
const GO_ON_BELOW: usize = PIPE_BYTES / 4;

/// What a door is told of a request. Heads are the status with its reason and the header lines, each with its CRLF,
/// without those that say how a body is framed.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A 1xx answer.
    Informational {
        /// Its head.
        head: &'a [u8],
    },
    /// The answer's head and what is known of its body.
    Answer {
        /// Its head.
        head: &'a [u8],
        /// The body's announced length; also where no body follows, as after HEAD.
        length: Option<u64>,
        /// The first bytes of the body.
        body: &'a [u8],
        /// That is all of it: the exchange is over.
        whole: bool,
    },
    /// More of the body.
    Body {
        /// Its bytes.
        bytes: &'a [u8],
        /// The last of it: the exchange is over.
        last: bool,
    },
    /// The request is for a WebSocket that the door serves itself. The door answers it, and says the status by which it
    /// did as three digits and the last of the request's body.
    Socket {
        /// The request's head as the filters left it, with its request line.
        head: &'a [u8],
    },
    /// The request's body may go on.
    Drain,
    /// There will be no more of the answer: what was sent of it must not look whole. The exchange is over.
    Broken,
}

impl Event<'_> {
    /// Whether the exchange is over with it.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Answer { whole: true, .. } | Self::Body { last: true, .. } | Self::Broken)
    }
}

/// Who is told.
pub trait Outside {
    /// Something came of a request. Called from within the request's task; may call back at once.
    fn tell(&self, number: u32, event: Event<'_>);
    /// A request's task ended without a last event, by a panic. Must not call back.
    fn lost(&self, number: u32);
}

/// A request on its way in.
pub struct Entering<'a> {
    /// The listener that takes it.
    pub serving: Rc<Serving>,
    /// The client; `None` when it has no address.
    pub client: Option<SocketAddr>,
    /// The whole head as HTTP/1.1 writes it, the empty line included.
    pub head: &'a [u8],
    /// A body follows.
    pub more: bool,
    /// The outside writes a `date` of its own: the answer's is left out.
    pub own_date: bool,
    /// What the outside calls it.
    pub number: u32,
}

/// What the outside holds of a request until its last event.
pub struct Entered {
    peer: Peer,
    paused: Cell<bool>,
    gone: Cell<bool>,
    /// The outside was told to stop sending.
    full: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Entered {
    /// Bytes of the request's body. False: no more, please, until [`Event::Drain`].
    pub fn send(&self, bytes: &[u8], last: bool) -> bool {
        let room = self.peer.send(bytes);
        if last {
            self.peer.end();
        }
        if !room {
            self.full.set(true);
        }
        room
    }

    /// No more of the answer for now.
    pub fn pause(&self) {
        self.paused.set(true);
    }

    /// The answer may go on.
    pub fn resume(&self) {
        if self.paused.replace(false) {
            self.wake();
        }
    }

    /// The client has gone; nothing more is told.
    pub fn abort(&self) {
        self.gone.set(true);
        self.peer.reset();
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.borrow().clone();
        waker.into_iter().for_each(Waker::wake);
    }

    fn attend(&self, cx: &Context<'_>) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *known = Some(cx.waker().clone());
        }
    }
}

/// Takes a request in. It is first looked at in the next pass.
pub fn enter(worker: &Rc<Worker>, entering: &Entering<'_>, outside: Rc<dyn Outside>) -> Rc<Entered> {
    let (stream, peer) = weft_rt::memory();
    let downstream = Downstream::behind_door(stream, entering.client, &entering.serving);
    let request = read_head(worker, entering);
    let head_only = request.as_ref().is_ok_and(|request| request.head.method == Method::Head);
    if !entering.more {
        peer.end();
    }
    let entered = Rc::new(Entered {
        peer,
        paused: Cell::new(false),
        gone: Cell::new(false),
        full: Cell::new(false),
        waker: RefCell::default(),
    });
    let door = Door {
        entered: Rc::clone(&entered),
        outside,
        number: entering.number,
        answering: Answering::new(head_only, entering.own_date),
        waiting: Some(Waiting::begin(worker)),
        ended: false,
    };
    weft_rt::spawn(serve(door, downstream, Rc::clone(worker), request)).detach();
    entered
}

fn read_head(worker: &Worker, entering: &Entering<'_>) -> Result<Request, Error> {
    let (_, limits) = entering.serving.limits();
    let mut head = worker.heads.take_request();
    match parse_request(entering.head, limits, &mut head)? {
        Parsed::Complete(bytes) if bytes == entering.head.len() => {}
        _ => return Err(Error::new(Kind::Refused(400), "the request's head does not end where it should")),
    }
    Ok(Request { head, rest: None, started: weft_rt::now() })
}

async fn serve(mut door: Door, mut downstream: Downstream, worker: Rc<Worker>, request: Result<Request, Error>) {
    {
        let mut exchange = pin!(async {
            match request {
                Ok(request) => driver::run(&mut downstream, &worker, request).await,
                Err(error) => reply::refuse(&mut downstream, &worker, error).await,
            }
        });
        poll_fn(|cx| {
            door.entered.attend(cx);
            let polled = exchange.as_mut().poll(cx);
            door.waiting = None;
            if polled.is_pending() {
                door.pass_on();
            }
            polled
        })
        .await;
    }
    // Its end, clean or not, tells whether the answer is whole.
    drop(downstream);
    poll_fn(|cx| door.poll_finish(cx)).await;
}

/// The task's side of a request.
struct Door {
    entered: Rc<Entered>,
    outside: Rc<dyn Outside>,
    number: u32,
    answering: Answering,
    /// Until the exchange has begun and is counted as such.
    waiting: Option<Waiting>,
    ended: bool,
}

impl Door {
    /// Tells what has come of it.
    fn pass_on(&mut self) {
        if self.entered.full.get() && self.entered.peer.unread() <= GO_ON_BELOW {
            self.entered.full.set(false);
            self.tell(Event::Drain);
        }
        if self.entered.paused.get() || !self.entered.peer.has_received() {
            return;
        }
        self.entered.peer.receive(self.answering.bytes());
        self.advance();
    }

    fn advance(&mut self) {
        let Self { entered, outside, number, answering, .. } = self;
        answering.advance(|event| {
            if !entered.gone.get() {
                outside.tell(*number, event);
            }
        });
    }

    fn tell(&self, event: Event<'_>) {
        if !self.entered.gone.get() && !self.answering.is_over() {
            self.outside.tell(self.number, event);
        }
    }

    /// The exchange has ended: tells the rest, once the outside takes it.
    fn poll_finish(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.entered.attend(cx);
        if self.entered.paused.get() && !self.entered.gone.get() && !self.answering.is_over() {
            return Poll::Pending;
        }
        self.ended = true;
        self.entered.peer.receive(self.answering.bytes());
        self.answering.end(self.entered.peer.is_aborted());
        self.advance();
        Poll::Ready(())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if !self.ended && !self.entered.gone.get() && !self.answering.is_over() {
            self.outside.lost(self.number);
        }
    }
}

/// Counts a request that no exchange stands for yet: a drain waits for it as for a connection in an accept queue.
struct Waiting(Rc<Worker>);

impl Waiting {
    fn begin(worker: &Rc<Worker>) -> Self {
        worker.slot.accepting.fetch_add(1, Ordering::AcqRel);
        Self(Rc::clone(worker))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.slot.accepting.fetch_sub(1, Ordering::AcqRel);
    }
}
