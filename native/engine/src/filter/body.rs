//! Filters that see bodies: where the ones of a request and of an answer join its transfer, and the waiting for a body
//! that a filter wants whole.
//!
//! A body meets the filters in the order in which its head met them. One that takes it as it streams joins the transfer;
//! one that wants all of it has the body gathered up to itself and its verdict awaited. A request is gathered before the
//! next choice is made (route, cluster, endpoint), so that its filter may still decide them or answer itself; an answer
//! before its head goes out. Bodies reach filters in whatever coding they have: nothing is decompressed.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{
    Chain, Filter, OutsideContext, Patience, Ran, Request, Response, Stage, Stop, Verdict, ask_back, show_request,
    show_response,
};
use crate::error::{Error, Kind};
use crate::exchange::deadline::Deadlines;
use crate::exchange::ongoing::Ongoing;
use crate::http::framing::Framing;
use crate::http::head::ResponseHead;
use crate::transfer::buffer::Buffer;
use crate::transfer::{BodyFilter, Gathered, Transfer};
use crate::worker::Worker;

/// What a filter wants of bodies in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMode {
    /// Nothing.
    None,
    /// Each part as it comes.
    Stream,
    /// All of it at once.
    Buffer {
        /// More than this is too much: 413 to a request; of an answer the filter decides.
        max_bytes: usize,
    },
}

/// Which way a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the endpoint.
    Request,
    /// To the client.
    Response,
}

/// A filter that sees the bodies of an exchange besides its heads.
pub trait SeesBodies: Send + Sync {
    /// What it wants of bodies that go that way.
    fn mode(&self, direction: Direction) -> BodyMode;

    /// What sees one body as it streams. Only where the mode is [`BodyMode::Stream`].
    fn stream(&self, joining: Joining<'_>) -> Box<dyn BodyFilter>;

    /// The whole body of a request is here. Pending: the same is asked again once the task is woken.
    fn poll_request(&self, cx: &mut Context<'_>, request: &mut Request<'_>, body: &mut Vec<u8>) -> Poll<Verdict>;

    /// The whole body of an answer is here, its head not yet sent.
    fn poll_response(&self, cx: &mut Context<'_>, response: &mut Response<'_>, body: &mut Vec<u8>) -> Poll<Verdict>;

    /// The body of an answer is longer than the filter's bound. It sees none of it.
    fn response_too_long(&self, response: &mut Response<'_>) -> Verdict;
}

/// What a filter that joins a body is told.
pub struct Joining<'a> {
    /// Which way the body goes.
    pub direction: Direction,
    /// The thread.
    pub worker: &'a Rc<Worker>,
    /// What the exchange keeps for filters in other languages.
    pub context: &'a mut OutsideContext,
}

/// A request's body on its way in, before it is known where it goes.
pub struct Intake {
    /// Its bytes.
    pub transfer: Transfer,
    /// Filters that have had their turn.
    asked: usize,
}

/// What a filter wants of bodies that go that way.
pub(super) fn mode(filter: &dyn Filter, direction: Direction) -> BodyMode {
    filter.bodies().map_or(BodyMode::None, |bodies| bodies.mode(direction))
}

/// Has the filters of a chain, which have seen the request's head, see its body.
#[inline]
pub async fn request<'a>(
    chain: &'a Chain,
    stage: Stage,
    exchange: &mut Ongoing<'a>,
    rest: &mut Option<Buffer>,
) -> Result<(), Stop> {
    if !chain.sees_requests() || matches!(exchange.body, Framing::None | Framing::Length(0)) {
        return Ok(());
    }
    let mut intake = exchange.intake.take().unwrap_or_else(|| Box::new(begin(exchange, rest.take())));
    let taken = Box::pin(intake.take_in(stage, exchange)).await;
    exchange.intake = Some(intake);
    taken
}

fn begin(exchange: &Ongoing<'_>, rest: Option<Buffer>) -> Intake {
    let listener = exchange.view.listener();
    let out = exchange.worker.buffers.take_output();
    let read_as = exchange.downstream.body_as_read(exchange.body);
    let transfer = Transfer::new(read_as, exchange.body, listener.head_limits.max_bytes, out, rest);
    Intake { transfer: transfer.bounded(listener.max_request_bytes), asked: 0 }
}

impl Intake {
    async fn take_in(&mut self, stage: Stage, exchange: &mut Ongoing<'_>) -> Result<(), Stop> {
        while let Some(ran) = exchange.passed.get(self.asked) {
            let (filter, place) = (ran.filter, self.asked);
            self.asked += 1;
            match mode(filter, Direction::Request) {
                BodyMode::None => {}
                BodyMode::Stream => {
                    let mut joins = join(exchange, filter, Direction::Request);
                    let mut clock = silence(exchange);
                    poll_fn(|cx| match self.transfer.poll_add(cx, &mut joins) {
                        Poll::Pending => poll_client(cx, exchange, &mut clock, 0),
                        added => added,
                    })
                    .await?;
                }
                BodyMode::Buffer { max_bytes } => {
                    gather(exchange, &mut self.transfer, max_bytes).await?;
                    let verdict = ask(exchange, stage, place, self.transfer.gathered()).await?;
                    if !matches!(verdict, Verdict::Continue | Verdict::Fail(_)) {
                        exchange.passed.remove(place);
                        self.asked = place;
                    }
                    verdict.stop()?;
                }
            }
        }
        Ok(())
    }
}

fn join(exchange: &mut Ongoing<'_>, filter: &dyn Filter, direction: Direction) -> Option<Box<dyn BodyFilter>> {
    let joining = Joining { direction, worker: exchange.worker, context: &mut exchange.outside };
    filter.bodies().map(|bodies| bodies.stream(joining))
}

/// Waits for the whole body of the request.
async fn gather(exchange: &mut Ongoing<'_>, sending: &mut Transfer, max_bytes: usize) -> Result<(), Error> {
    if sending.is_whole() {
        return if sending.gathered().len() > max_bytes { Err(TOO_LONG) } else { Ok(()) };
    }
    if sending.announced().is_some_and(|bytes| bytes > max_bytes as u64) && !sending.is_tapped() {
        return Err(TOO_LONG);
    }
    if exchange.expects_continue() && sending.body_bytes == 0 {
        exchange.downstream.ahead.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let mut clock = silence(exchange);
    let gathered = poll_fn(|cx| {
        let downstream = &mut *exchange.downstream;
        if let Poll::Ready(Err(error)) = downstream.poll_ahead(cx) {
            return Poll::Ready(Err(error));
        }
        match sending.poll_gather(cx, &exchange.worker.buffers, &mut downstream.stream, max_bytes) {
            Poll::Ready(Ok(Gathered::Whole)) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(Gathered::Beyond)) => Poll::Ready(Err(TOO_LONG)),
            Poll::Ready(Err(broken)) => Poll::Ready(Err(broken.in_request())),
            Poll::Pending => poll_client(cx, exchange, &mut clock, sending.progress()),
        }
    })
    .await;
    exchange.account.request_bytes(sending.body_bytes);
    exchange.unread = !sending.is_decoded();
    if let Some(next_request) = sending.take_surplus() {
        exchange.downstream.keep(next_request);
    }
    gathered
}

const TOO_LONG: Error = Error::new(Kind::Refused(413), "the request's body is longer than a filter's `maxBodyBytes`");

/// Waits for a filter's verdict on the whole body of the request.
async fn ask(exchange: &mut Ongoing<'_>, stage: Stage, place: usize, body: &mut Vec<u8>) -> Result<Verdict, Error> {
    let mut patience = Patience::default();
    poll_fn(|cx| {
        while let Some(Ran { filter, state }) = exchange.passed.get_mut(place) {
            let (filter, mut state, expired) = (*filter, state.take(), patience.over);
            let Some(bodies) = filter.bodies() else { break };
            let look = |request: &mut Request<'_>| bodies.poll_request(cx, request, body);
            let polled = show_request(stage, exchange, &mut state, expired, look);
            if let Some(ran) = exchange.passed.get_mut(place) {
                ran.state = state;
            }
            if polled.is_ready() || expired {
                return polled.map(Ok);
            }
            ready!(patience.poll(filter, exchange.downstream, cx))?;
        }
        Poll::Ready(Ok(Verdict::Continue))
    })
    .await
}

/// The clock of a client that is waited for: the route's, where one is chosen already, else the listener's.
fn silence(exchange: &Ongoing<'_>) -> Deadlines {
    let of_route = exchange.routed.and_then(|routed| routed.route.idle_timeout);
    let of_listener = Duration::from_millis(exchange.view.listener().limits.idle_timeout_ms.into());
    Deadlines::of_silence(of_route.unwrap_or(of_listener))
}

/// Ready with an error when the client has gone or was silent for too long; never with success.
fn poll_client(
    cx: &mut Context<'_>,
    exchange: &mut Ongoing<'_>,
    clock: &mut Deadlines,
    progress: u64,
) -> Poll<Result<(), Error>> {
    let downstream = &mut *exchange.downstream;
    if downstream.poll_gone(cx).is_ready() {
        return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
    }
    clock.poll(cx, &mut downstream.timer, progress).map(Err)
}

/// Whether a filter that ran wants to see the body of the answer.
pub fn sees_answer(exchange: &Ongoing<'_>) -> bool {
    exchange.passed.iter().any(|ran| mode(ran.filter, Direction::Response) != BodyMode::None)
}

/// What the filter that ran as number `place` puts in the way of the answer's body, if it wants to see it as it streams.
pub fn answer_stream(exchange: &mut Ongoing<'_>, place: usize) -> Option<Box<dyn BodyFilter>> {
    let filter = exchange.passed.get(place)?.filter;
    let streams = mode(filter, Direction::Response) == BodyMode::Stream;
    if streams { join(exchange, filter, Direction::Response) } else { None }
}

/// How much of an answer the filter that ran as number `place` wants at once.
pub fn answer_limit(exchange: &Ongoing<'_>, place: usize) -> Option<usize> {
    match mode(exchange.passed.get(place)?.filter, Direction::Response) {
        BodyMode::Buffer { max_bytes } => Some(max_bytes),
        BodyMode::None | BodyMode::Stream => None,
    }
}

/// Waits for what the filter that ran as number `place` makes of the whole answer. Where it stops it, the filters before
/// it see what takes its place.
pub async fn ask_answer(
    exchange: &mut Ongoing<'_>,
    place: usize,
    head: &mut ResponseHead,
    body: &mut Vec<u8>,
) -> Result<(), Stop> {
    ask_back(place, exchange, head, |cx, filter, answer| {
        let bodies = filter.bodies();
        bodies.map_or(Poll::Ready(Verdict::Continue), |bodies| bodies.poll_response(cx, answer, body))
    })
    .await
}

/// Has the filter that ran as number `place` say what becomes of an answer that is too long for it.
pub fn answer_too_long(exchange: &mut Ongoing<'_>, place: usize, head: &mut ResponseHead) -> Result<(), Stop> {
    let asked = show_response(place, exchange, head, false, |filter, answer| {
        Poll::Ready(filter.bodies().map_or(Verdict::Continue, |bodies| bodies.response_too_long(answer)))
    });
    let Poll::Ready(verdict) = asked else { return Ok(()) };
    verdict.stop().inspect_err(|_| exchange.passed.truncate(place))
}
