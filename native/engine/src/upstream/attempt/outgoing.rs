//! A request on its way to a cluster, across all its attempts.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use smallvec::SmallVec;

use super::Answered;
use super::discard::discard;
use crate::error::{Error, Kind};
use crate::exchange::deadline::Deadlines;
use crate::exchange::ongoing::Ongoing;
use crate::http::forward::{ForwardRequest, encode_request};
use crate::http::framing::{Framing, wants_upgrade};
use crate::snapshot::{Endpoint, GenerationCluster, GenerationRetry, GenerationRoute};
use crate::telemetry::record::Mark;
use crate::transfer::Transfer;
use crate::transfer::buffer::Buffer;
use crate::upstream::allowance;
use crate::upstream::limit::{self, Held};
use crate::upstream::retry::{Asked, Outcome, Said, Standing, Stop, Wait};

/// A request on its way to a cluster, across all its attempts.
pub struct Outgoing<'a> {
    /// The route that it takes.
    pub route: &'a GenerationRoute,
    /// Where it goes.
    pub cluster: &'a GenerationCluster,
    /// The exchange's clocks.
    pub deadlines: Deadlines,
    /// Its bytes.
    pub sending: Transfer,
    /// Ids of the endpoints that the next attempt should avoid.
    pub tried: SmallVec<[u32; 4]>,
    /// The next attempt is made on a new connection: one stale connection tells about the others of its age.
    pub fresh: bool,
    /// The last attempt was made on a connection that had served before.
    pub reused: bool,
    /// An attempt got as far as a connection.
    begun: bool,
    /// Retries of the policy so far.
    retries: u32,
    /// The present attempt's place among the cluster's retries.
    place: Option<Held<'a>>,
}

impl<'a> Outgoing<'a> {
    /// A request of which nothing is sent; `rest` is what came behind its head.
    pub fn new(
        exchange: &mut Ongoing<'_>,
        route: &'a GenerationRoute,
        cluster: &'a GenerationCluster,
        rest: Option<Buffer>,
    ) -> Self {
        let mut started = exchange.account.started;
        let mut sending = match exchange.intake.take().map(|intake| intake.transfer) {
            None => streaming(exchange, rest),
            Some(intake) => {
                // Until it was whole silence alone could end it.
                started = if intake.is_whole() { weft_rt::now() } else { started };
                filtered(intake)
            }
        };
        if let Some(retry) = &route.retry
            && !sending.is_whole()
            && may_fit(exchange.body, retry.max_body_bytes)
        {
            sending.keep(retry.max_body_bytes);
        }
        Self {
            route,
            cluster,
            deadlines: Deadlines::start(route, started, exchange.unread)
                .ending(exchange.allowance.as_ref().and_then(|allowance| allowance.ends)),
            sending,
            tried: SmallVec::new(),
            fresh: false,
            reused: false,
            begun: false,
            retries: 0,
            place: None,
        }
    }

    /// An attempt begins: from now on it is timed.
    pub fn attempt_begins(&mut self, exchange: &Ongoing<'_>) {
        if let Some(retry) = self.policy() {
            self.deadlines.attempt_begins(retry.per_try_timeout, exchange.unread);
        }
    }

    /// The attempt has its connection: the head goes out, then what is known of the body.
    pub fn begin(&mut self, exchange: &mut Ongoing<'_>) {
        self.begun = true;
        let (framing, expects) = (self.sending.framing(), exchange.expects_continue() && !self.sending.is_whole());
        let ends = self.deadlines.ends();
        let mut allowance = exchange.allowance.take();
        // Of a body that is here already nobody needs to be asked.
        self.sending.begin(|out| {
            encode(exchange, framing, expects, out);
            if let Some(allowance) = &mut allowance {
                let unix_ms = weft_rt::unix_micros() / 1_000;
                add_line(out, |out| allowance.write_line(weft_rt::now(), unix_ms, ends, out));
            }
        });
        exchange.allowance = allowance;
    }

    /// The same request for an attempt beside the present one.
    pub fn again(&self, exchange: &Ongoing<'_>) -> Transfer {
        let (framing, ends) = (self.sending.framing(), self.deadlines.ends());
        self.sending.again(exchange.worker.buffers.take_output(), |out| {
            encode(exchange, framing, false, out);
            if let Some(allowance) = &exchange.allowance {
                let unix_ms = weft_rt::unix_micros() / 1_000;
                add_line(out, |out| allowance.write_bare_line(weft_rt::now(), unix_ms, ends, out));
            }
        })
    }

    /// No attempt of the policy was made before the present one.
    pub fn is_first(&self) -> bool {
        self.retries == 0 && !self.fresh
    }

    /// Ready with the error that ends the exchange, or its attempt: the client is gone, or a clock has run out.
    pub fn poll_over(&mut self, cx: &mut Context<'_>, exchange: &mut Ongoing<'_>) -> Poll<Error> {
        let downstream = &mut *exchange.downstream;
        if downstream.poll_gone(cx).is_ready() {
            return Poll::Ready(Error::new(Kind::DownstreamGone, "the client gave up"));
        }
        let progress = self.sending.progress();
        self.deadlines.poll(cx, &mut downstream.timer, progress)
    }

    /// The attempt is over: what it has used of the request's budget is taken off.
    pub fn settle(&self, exchange: &mut Ongoing<'_>, endpoint: &Endpoint, attempted: &Result<Answered, Error>) {
        let Some(allowance) = &mut exchange.allowance else { return };
        match attempted {
            Ok(Answered { answer, .. }) => {
                let told = answer.head.find(allowance::LINE).and_then(allowance::used);
                if told.is_some() {
                    endpoint.tells_retries.store(true, Ordering::Relaxed);
                }
                allowance.answered(told);
            }
            Err(_) if self.sending.has_sent() => {
                allowance.lost(endpoint.tells_retries.load(Ordering::Relaxed));
            }
            Err(_) => {}
        }
    }

    /// How the last attempt ended, as far as it matters for another one.
    #[inline]
    pub fn outcome(&self, attempted: &Result<Answered, Error>) -> Outcome {
        match attempted {
            Ok(Answered { answer, .. }) => {
                Outcome::Answered(Said::of(&answer.head, self.policy(), weft_rt::unix_micros))
            }
            Err(error) => Outcome::Failed { kind: error.kind, sent: self.begun && self.sending.has_sent() },
        }
    }

    /// How the exchange stands after an attempt.
    #[inline]
    pub fn standing(&self, exchange: &Ongoing<'_>) -> Standing<'a> {
        Standing {
            policy: self.policy(),
            made: self.retries,
            repeatable: exchange.may_repeat(),
            reused: self.reused,
            at_hand: self.sending.is_at_hand(),
            random: fastrand::f64,
        }
    }

    /// The last attempt met a closed connection; the next one gets a new one.
    pub fn replay(&mut self, exchange: &mut Ongoing<'_>, attempted: Result<Answered, Error>) {
        self.deadlines.attempt_ends();
        if let Err(error) = attempted {
            exchange.account.replayed(&error);
        }
        self.fresh = true;
    }

    /// Takes a place among the cluster's retries, if the exchange has time for the wait.
    pub fn claim_retry(&mut self, exchange: &mut Ongoing<'_>, wait: Wait) -> Result<(), Stop> {
        if !self.deadlines.leave(wait.time) {
            return Err(Stop::Time);
        }
        if exchange.allowance.as_mut().is_some_and(|allowance| !allowance.take_retry()) {
            return Err(Stop::Allowance);
        }
        // The place of the retry that has just failed, if it was one: it would be counted twice.
        self.place = None;
        self.place = limit::retry(self.cluster);
        self.place.as_ref().map(|_| ()).ok_or(Stop::Budget)
    }

    /// Waits until the next attempt may begin, or the exchange is over.
    pub async fn pause(
        &mut self,
        exchange: &mut Ongoing<'_>,
        endpoint: &Endpoint,
        attempted: Result<Answered, Error>,
        wait: Wait,
    ) -> Result<(), Error> {
        match wait.asked {
            Asked::Nothing => {}
            Asked::Honoured => exchange.account.mark(Mark::RetryAfterHonoured),
            Asked::TooLong => exchange.account.mark(Mark::RetryAfterTooLong),
        }
        self.retries += 1;
        // Time has passed since a stale connection was met: a retry may use a pooled one again.
        self.fresh = false;
        if self.policy().is_some_and(|policy| policy.avoid_previous_endpoints) {
            self.tried.push(endpoint.id);
        }
        self.ended(exchange, attempted);
        let until = weft_rt::now() + wait.time;
        poll_fn(|cx| {
            let downstream = &mut *exchange.downstream;
            if downstream.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
            }
            self.deadlines.poll_pause(cx, &mut downstream.timer, until)
        })
        .await
    }

    /// The outcome of the last attempt is the exchange's, though the policy would try again.
    pub fn stop(
        &mut self,
        exchange: &mut Ongoing<'_>,
        why: Stop,
        attempted: Result<Answered, Error>,
    ) -> Result<Answered, Error> {
        exchange.account.retries_stopped(why);
        // A proxy nearer to the failure has said so itself.
        exchange.retries_spent = why != Stop::Nearer;
        attempted
    }

    /// The answer is the exchange's: no further attempt is made.
    pub fn answered(&mut self) {
        self.deadlines.answer_began();
        self.sending.keep_no_more();
        self.place = None;
    }

    /// The exchange fails. Behind a request that came whole stands the next one.
    pub fn abandon(mut self, exchange: &mut Ongoing<'_>, error: Error) -> Error {
        if let Some(next_request) = self.sending.finish(&exchange.worker.buffers).filter(|_| self.begun) {
            exchange.downstream.keep(next_request);
        }
        error
    }

    /// An attempt is over and another one follows: what came of it is noted and thrown away.
    fn ended(&mut self, exchange: &mut Ongoing<'_>, attempted: Result<Answered, Error>) {
        self.deadlines.attempt_ends();
        match attempted {
            Ok(answered) => {
                exchange.account.retried(Ok(&answered.answer.head));
                let whole = self.sending.is_done();
                discard(exchange.worker, answered, whole, self.cluster.keeping);
            }
            Err(error) => exchange.account.retried(Err(&error)),
        }
    }

    fn policy(&self) -> Option<&'a GenerationRetry> {
        self.route.retry.as_deref()
    }
}

/// Writes the head of an attempt.
fn encode(exchange: &Ongoing<'_>, framing: Framing, expect_continue: bool, out: &mut Vec<u8>) {
    let forward = ForwardRequest {
        client: &exchange.downstream.client,
        scheme: exchange.scheme(),
        request_id: exchange.account.generated_id(),
        framing,
        upgrade: wants_upgrade(exchange.head),
        expect_continue,
        changes: exchange.request_changes(),
    };
    encode_request(exchange.head, &forward, out);
}

/// Adds a line to a head that was just written.
fn add_line(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.truncate(out.len().saturating_sub(2));
    write(out);
    out.extend_from_slice(b"\r\n");
}

/// A body that goes on as it comes.
fn streaming(exchange: &Ongoing<'_>, rest: Option<Buffer>) -> Transfer {
    let listener = exchange.view.listener();
    let out = exchange.worker.buffers.take_output();
    let read_as = exchange.downstream.body_as_read(exchange.body);
    Transfer::new(read_as, exchange.body, listener.head_limits.max_bytes, out, rest).bounded(listener.max_request_bytes)
}

/// A body that filters see: its length is known again when it is whole.
fn filtered(mut intake: Transfer) -> Transfer {
    if intake.is_whole() || intake.is_tapped() {
        intake.reframe(Framing::Chunked);
    }
    intake
}

/// Whether a body may turn out to be short enough to be kept; what has none needs no room.
fn may_fit(body: Framing, max_bytes: usize) -> bool {
    match body {
        Framing::None | Framing::Length(0) => false,
        Framing::Length(length) => length <= max_bytes as u64,
        Framing::Chunked | Framing::UntilClose => max_bytes > 0,
    }
}
