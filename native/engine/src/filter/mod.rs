//! Filters: what looks at a request on its way down and at its answer on the way up.
//!
//! Listeners, routes and clusters each have a [`Chain`]. The driver runs them downwards (listener → route → cluster, each
//! in its written order, once for an exchange however often it is attempted), and the answer passes those that ran in
//! reverse. A local reply passes them too. Where nothing is configured a chain costs the look at its length.
//!
//! A filter is one file here, made in one place: [`Chain::compile`]. It works on heads, in place and at once; what must
//! wait (a pool of workers, a remote authority) will wait in the driver, which is a task: a [`Verdict`] that says so
//! belongs here, its waiting there. What sees bodies as well says so in [`Filter::bodies`].

pub mod body;
pub mod bucket;
mod chain;
mod header_rewrite;
mod header_text;
mod key;
mod local_rate_limit;

use std::any::Any;
use std::net::IpAddr;
use std::time::Instant;

use smallvec::SmallVec;

use crate::error::Error;
use crate::http::forward::encode_local;
use crate::http::head::{RequestHead, ResponseHead};
use crate::http::parse::{HeadLimits, Parsed, parse_response};
use crate::ongoing::Ongoing;
use crate::record::Mark;

pub use body::{BodyMode, Direction, SeesBodies};
pub use chain::{Chain, FilterBook};

/// What a filter keeps from a request to its answer.
pub type State = Option<Box<dyn Any>>;

/// One filter, shared by all exchanges and workers: what belongs to one exchange it keeps in its [`State`].
pub trait Filter: Send + Sync {
    /// The request's head is here.
    fn request(&self, request: &mut Request<'_>) -> Verdict;

    /// The answer's head is here, the upstream's or a local reply's. Only after [`Filter::request`] ran.
    fn response(&self, response: &mut Response<'_>) {
        let _unchanged = response;
    }

    /// Itself, where it sees bodies as well.
    fn bodies(&self) -> Option<&dyn SeesBodies> {
        None
    }
}

/// What becomes of a request behind a filter.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// The next filter has its turn, in the end the upstream.
    Continue,
    /// It ends here, with the local reply to this error.
    Fail(Error),
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
}

/// What is known of an exchange besides its heads.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The client behind trusted proxies; `None` on a unix socket.
    pub client: Option<IpAddr>,
    /// The exchange's id where the client brought none.
    pub generated_id: Option<&'a str>,
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
pub fn request<'a>(chain: &'a Chain, exchange: &mut Ongoing<'a>) -> Result<(), Error> {
    if chain.is_empty() { Ok(()) } else { run(chain, exchange) }
}

fn run<'a>(chain: &'a Chain, exchange: &mut Ongoing<'a>) -> Result<(), Error> {
    for filter in chain.iter() {
        let mut state = None;
        let facts =
            Facts { client: exchange.client, generated_id: exchange.account.generated_id(), now: weft_rt::now() };
        let mut request = Request { head: &mut *exchange.head, facts, state: &mut state, mark: None };
        let verdict = filter.request(&mut request);
        if let Some(mark) = request.mark {
            exchange.account.mark(mark);
        }
        exchange.passed.push(Ran { filter, state });
        if let Verdict::Fail(error) = verdict {
            return Err(error);
        }
    }
    Ok(())
}

/// Has the filters that ran look at the answer, the last one first.
#[inline]
pub fn response(exchange: &mut Ongoing<'_>, head: &mut ResponseHead) {
    if !exchange.passed.is_empty() {
        run_back(exchange, head);
    }
}

fn run_back(exchange: &mut Ongoing<'_>, head: &mut ResponseHead) {
    let facts = Facts { client: exchange.client, generated_id: exchange.account.generated_id(), now: weft_rt::now() };
    for ran in exchange.passed.iter_mut().rev() {
        ran.filter.response(&mut Response { head, request: exchange.head, facts, state: &mut ran.state });
    }
}

/// Bounds on the head of a local reply: what configuration may put there.
const LOCAL_LIMITS: HeadLimits = HeadLimits { max_bytes: 64 * 1024, max_fields: 256 };

/// The same for a whole local reply. It is read back from its bytes, which is the price of filters on local replies and
/// nobody else's.
pub fn local_reply(exchange: &mut Ongoing<'_>, reply: &mut Vec<u8>) {
    if exchange.passed.is_empty() {
        return;
    }
    let worker = exchange.worker;
    let mut head = worker.heads.take_response();
    if let Ok(Parsed::Complete(bytes)) = parse_response(reply, LOCAL_LIMITS, &mut head) {
        run_back(exchange, &mut head);
        let mut changed = worker.buffers.take_output();
        encode_local(&head, &mut changed);
        changed.extend_from_slice(reply.get(bytes..).unwrap_or_default());
        std::mem::swap(reply, &mut changed);
        worker.buffers.give_output(changed);
    }
    worker.heads.give_response(head);
}
