//! Filters: what looks at a request on its way down and at its answer on the way up.
//!
//! Listeners, routes and clusters each have a [`Chain`]. The driver runs them downwards (listener → route → cluster, each
//! in its written order, once for an exchange however often it is attempted), and the answer passes those that ran in
//! reverse. A local reply passes them too. Where nothing is configured a chain costs the look at its length.
//!
//! A filter is one file here, made in one place: [`Chain::compile`]. Most work on heads, in place and at once; one that
//! must wait is polled, by [`request`] and [`response`], until it has decided, its time is over, or the client is gone.
//! What sees bodies as well says so in [`Filter::bodies`]. May use [`worker`](crate::worker) and the ground floor.

mod bandwidth_limit;
pub mod body;
pub mod bucket;
mod budget;
mod chain;
mod header_rewrite;
mod header_text;
mod key;
mod lines;
mod local_rate_limit;
mod outside;
pub mod script;

use std::any::Any;
use std::future::poll_fn;
use std::net::IpAddr;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::error::{Error, Kind};
use crate::exchange::account::Account;
use crate::exchange::downstream::Downstream;
use crate::exchange::ongoing::Ongoing;
use crate::http::direct::Direct;
use crate::http::forward::encode_local;
use crate::http::head::{RequestHead, ResponseHead};
use crate::http::parse::{HeadLimits, Parsed, parse_response};
use crate::telemetry::record::Mark;
use crate::upstream::allowance::Allowance;
use crate::worker::serving::View;

pub use body::{BodyMode, Direction, SeesBodies};
pub use chain::{Chain, FilterBook};
pub use outside::{Choice, Context as OutsideContext, Outside, Stage};

/// What a filter keeps from a request to its answer.
pub type State = Option<Box<dyn Any>>;

/// One filter, shared by all exchanges and workers: what belongs to one exchange it keeps in its [`State`].
pub trait Filter: Send + Sync {
    /// The request's head is here.
    fn request(&self, request: &mut Request<'_>) -> Verdict {
        let _unchanged = request;
        Verdict::Continue
    }

    /// The answer's head is here, the upstream's or a local reply's. Only after [`Filter::request`] ran.
    fn response(&self, response: &mut Response<'_>) {
        let _unchanged = response;
    }

    /// Itself, where it sees bodies as well.
    fn bodies(&self) -> Option<&dyn SeesBodies> {
        None
    }

    /// [`Filter::request`] of a filter that may have to wait: called until it is ready, each time with the same request.
    fn poll_request(&self, _cx: &mut Context<'_>, request: &mut Request<'_>) -> Poll<Verdict> {
        Poll::Ready(self.request(request))
    }

    /// [`Filter::response`] of a filter that may have to wait, or that may refuse an answer.
    fn poll_response(&self, _cx: &mut Context<'_>, response: &mut Response<'_>) -> Poll<Verdict> {
        self.response(response);
        Poll::Ready(Verdict::Continue)
    }

    /// How long an exchange waits for it; then it is polled once more, with [`Outside::expired`] set, and must decide.
    fn time_budget(&self) -> Option<Duration> {
        None
    }
}

/// What becomes of a request, or of an answer, behind a filter.
#[derive(Debug)]
pub enum Verdict {
    /// The next filter has its turn, in the end the upstream or the client.
    Continue,
    /// The filter refuses: the local reply to this error takes its place, and the filter sees that reply.
    Fail(Error),
    /// The filter itself failed: the same, but it sees no reply.
    Break(Error),
    /// The filter failed and does not matter: on as if it were not there.
    Skip,
    /// The filter answers, and does not see its own answer.
    Answer(Box<Direct>),
}

/// Why an exchange does not take its way to the end.
#[derive(Debug)]
pub enum Stop {
    /// It failed.
    Failed(Error),
    /// A filter answered.
    Answered(Box<Direct>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A request as a filter sees it.
pub struct Request<'a> {
    /// Its head. What it says of host, path and headers from here on is what routes match.
    pub head: &'a mut RequestHead,
    /// The circumstances.
    pub facts: Facts<'a>,
    /// Empty, to be filled for the answer.
    pub state: &'a mut State,
    /// What the record should tell of the decision.
    pub mark: Option<Mark>,
    /// What the request may still cost, where the filter knows.
    pub allowance: Option<Box<Allowance>>,
    /// What filters in other languages ask for.
    pub outside: Option<Outside<'a>>,
}

/// An answer as a filter sees it.
pub struct Response<'a> {
    /// Its head.
    pub head: &'a mut ResponseHead,
    /// The request that it answers, as it was forwarded.
    pub request: &'a RequestHead,
    /// The circumstances.
    pub facts: Facts<'a>,
    /// What the filter left in [`Request::state`].
    pub state: &'a mut State,
    /// What filters in other languages ask for.
    pub outside: Option<Outside<'a>>,
}

/// What is known of an exchange besides its heads.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The client behind trusted proxies; `None` on a unix socket.
    pub client: Option<IpAddr>,
    /// How many proxies before this one are believed.
    pub trusted_hops: usize,
    /// The exchange's id where the client brought none.
    pub generated_id: Option<&'a str>,
    /// Retries that were used, where the caller is told.
    pub retries_told: Option<u32>,
    /// Now.
    pub now: Instant,
}

/// The filters that have seen a request, in their order.
pub type Passed<'a> = SmallVec<[Ran<'a>; 4]>;

/// A filter that has seen the request, and what it keeps.
pub struct Ran<'a> {
    filter: &'a dyn Filter,
    state: State,
}

/// Has a chain look at the request.
#[inline]
pub async fn request<'a>(chain: &'a Chain, stage: Stage, exchange: &mut Ongoing<'a>) -> Result<(), Stop> {
    if chain.is_empty() { Ok(()) } else { run(chain, stage, exchange).await }
}

async fn run<'a>(chain: &'a Chain, stage: Stage, exchange: &mut Ongoing<'a>) -> Result<(), Stop> {
    for filter in chain.iter() {
        let mut state = None;
        let mut patience = Patience::default();
        let verdict = poll_fn(|cx| {
            loop {
                let expired = patience.over;
                let ask = |request: &mut Request<'_>| filter.poll_request(cx, request);
                let polled = show_request(stage, exchange, &mut state, expired, ask);
                if polled.is_ready() || expired {
                    return polled.map(Ok);
                }
                ready!(patience.poll(filter, exchange.downstream, cx))?;
            }
        })
        .await
        .map_err(Stop::Failed)?;
        if matches!(verdict, Verdict::Continue | Verdict::Fail(_)) {
            exchange.passed.push(Ran { filter, state });
        }
        verdict.stop()?;
    }
    Ok(())
}

/// Shows the request to a filter.
fn show_request(
    stage: Stage,
    exchange: &mut Ongoing<'_>,
    state: &mut State,
    expired: bool,
    ask: impl FnOnce(&mut Request<'_>) -> Poll<Verdict>,
) -> Poll<Verdict> {
    let facts = facts(exchange.client, exchange.view, exchange.account, exchange.allowance.as_deref());
    let client = exchange.named.as_deref().unwrap_or(&exchange.downstream.client);
    let (worker, view) = (exchange.worker, exchange.view);
    let outside = Outside { worker, view, client, stage, expired, context: &mut exchange.outside };
    let (mark, allowance, outside) = (None, None, Some(outside));
    let mut request = Request { head: &mut *exchange.head, facts, state, mark, allowance, outside };
    let verdict = ask(&mut request);
    let Request { mark, allowance, .. } = request;
    if let Some(mark) = mark {
        exchange.account.mark(mark);
    }
    if allowance.is_some() {
        exchange.allowance = allowance;
    }
    verdict
}

fn facts<'a>(client: Option<IpAddr>, view: &View, account: &'a Account, allowance: Option<&Allowance>) -> Facts<'a> {
    let trusted_hops = view.listener().trusted_hops;
    let retries_told = allowance.and_then(|allowance| allowance.told.then(|| allowance.used()));
    Facts { client, trusted_hops, generated_id: account.generated_id(), retries_told, now: weft_rt::now() }
}

impl Verdict {
    fn stop(self) -> Result<(), Stop> {
        match self {
            Self::Continue | Self::Skip => Ok(()),
            Self::Fail(error) | Self::Break(error) => Err(Stop::Failed(error)),
            Self::Answer(direct) => Err(Stop::Answered(direct)),
        }
    }
}

/// The wait for one filter.
#[derive(Default)]
struct Patience {
    begun: bool,
    over: bool,
}

impl Patience {
    /// Ready when the filter's time is over, with an error when the client is gone.
    fn poll(
        &mut self,
        filter: &dyn Filter,
        downstream: &mut Downstream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if downstream.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
        }
        let Some(budget) = filter.time_budget() else { return Poll::Pending };
        if !std::mem::replace(&mut self.begun, true) {
            downstream.timer.set(Some(weft_rt::now() + budget));
        }
        ready!(downstream.timer.poll_expired(cx));
        self.over = true;
        Poll::Ready(Ok(()))
    }
}

/// Has the filters that ran look at the answer, the last one first. Where one stops it, those before it are left to see
/// what takes its place.
#[inline]
pub async fn response(exchange: &mut Ongoing<'_>, head: &mut ResponseHead) -> Result<(), Stop> {
    if exchange.passed.is_empty() { Ok(()) } else { run_back(exchange, head).await }
}

async fn run_back(exchange: &mut Ongoing<'_>, head: &mut ResponseHead) -> Result<(), Stop> {
    for place in (0..exchange.passed.len()).rev() {
        ask_back(place, exchange, head, |cx, filter, answer| filter.poll_response(cx, answer)).await?;
    }
    Ok(())
}

/// Waits for what the filter that ran as number `place` says of the answer. Where it stops it, the filters before it see
/// what takes its place.
async fn ask_back(
    place: usize,
    exchange: &mut Ongoing<'_>,
    head: &mut ResponseHead,
    mut ask: impl FnMut(&mut Context<'_>, &dyn Filter, &mut Response<'_>) -> Poll<Verdict>,
) -> Result<(), Stop> {
    let mut patience = Patience::default();
    let verdict = poll_fn(|cx| {
        loop {
            let expired = patience.over;
            let polled = show_response(place, exchange, head, expired, |filter, answer| ask(cx, filter, answer));
            if polled.is_ready() || expired {
                return polled.map(Ok);
            }
            let Some(filter) = exchange.passed.get(place).map(|ran| ran.filter) else { return Poll::Pending };
            ready!(patience.poll(filter, exchange.downstream, cx))?;
        }
    })
    .await
    .map_err(Stop::Failed)?;
    verdict.stop().inspect_err(|_| exchange.passed.truncate(place))
}

/// Shows the answer to the filter that ran as number `place`.
fn show_response(
    place: usize,
    exchange: &mut Ongoing<'_>,
    head: &mut ResponseHead,
    expired: bool,
    ask: impl FnOnce(&dyn Filter, &mut Response<'_>) -> Poll<Verdict>,
) -> Poll<Verdict> {
    let facts = facts(exchange.client, exchange.view, exchange.account, exchange.allowance.as_deref());
    let client = exchange.named.as_deref().unwrap_or(&exchange.downstream.client);
    let (worker, view, stage) = (exchange.worker, exchange.view, Stage::Answer);
    let outside = Outside { worker, view, client, stage, expired, context: &mut exchange.outside };
    let Some(ran) = exchange.passed.get_mut(place) else { return Poll::Ready(Verdict::Continue) };
    let (request, state) = (&*exchange.head, &mut ran.state);
    ask(ran.filter, &mut Response { head, request, facts, state, outside: Some(outside) })
}

/// Bounds on the head of a local reply: what configuration may put there.
const LOCAL_LIMITS: HeadLimits = HeadLimits { max_bytes: 64 * 1024, max_fields: 256 };

/// The same for a whole local reply. It is read back from its bytes, which is the price of filters on local replies and
/// nobody else's. Says the status that it has then.
pub async fn local_reply(exchange: &mut Ongoing<'_>, reply: &mut Vec<u8>) -> Result<Option<u16>, Stop> {
    if exchange.passed.is_empty() {
        return Ok(None);
    }
    let worker = exchange.worker;
    let mut head = worker.heads.take_response();
    let mut seen = Ok(None);
    if let Ok(Parsed::Complete(bytes)) = parse_response(reply, LOCAL_LIMITS, &mut head) {
        seen = run_back(exchange, &mut head).await.map(|()| Some(head.status));
        let mut changed = worker.buffers.take_output();
        encode_local(&head, &mut changed);
        changed.extend_from_slice(reply.get(bytes..).unwrap_or_default());
        std::mem::swap(reply, &mut changed);
        worker.buffers.give_output(changed);
    }
    worker.heads.give_response(head);
    seen
}
