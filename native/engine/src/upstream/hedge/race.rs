//! Two attempts in one task. The first answer that no policy would repeat wins; what fails while the other one is under
//! way counts for nothing. Who loses is given up: its connection ends.
//!
//! The second one begins when the first has its connection and the whole request is sent, so that nothing is sent twice
//! that could only be read once.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use weft_rt::Timer;

use super::Hedging;
use crate::error::{Error, Kind, Source};
use crate::exchange::account::Lost;
use crate::exchange::ongoing::Ongoing;
use crate::http::framing::wants_upgrade;
use crate::snapshot::{Endpoint, Moment, Subset};
use crate::telemetry::record::Mark;
use crate::upstream::attempt::answer::Answer;
use crate::upstream::attempt::beside::Beside;
use crate::upstream::attempt::discard::discard;
use crate::upstream::attempt::outgoing::Outgoing;
use crate::upstream::attempt::{Answered, Asking};
use crate::upstream::cluster::{self, Wish};
use crate::upstream::retry;

/// What happens next.
enum Event {
    /// The first attempt has had its time for itself.
    Due,
    First(Result<Answer, Error>),
    Second(Result<Answered, Error>),
    /// A clock of the exchange or of the first attempt, or the client, ends it.
    Over(Error),
}

struct Race<'a> {
    hedging: &'a Hedging,
    endpoint: Arc<Endpoint>,
    hash: Option<u64>,
    subset: Option<&'a Subset>,
    began: Instant,
    first: Option<Asking<'a>>,
    second: Option<(Beside<'a>, Instant)>,
    due: Option<Instant>,
    timer: Timer,
}

pub(super) async fn run<'a>(
    hedging: &'a Hedging,
    exchange: &mut Ongoing<'a>,
    outgoing: &mut Outgoing<'a>,
    endpoint: &Arc<Endpoint>,
    (hash, subset): (Option<u64>, Option<&'a Subset>),
) -> Result<Answered, Error> {
    if outgoing.is_first() {
        hedging.state.extra.pay(hedging.max_extra_percent);
    }
    let began = weft_rt::now();
    let first = Some(Asking::begin(exchange, outgoing, endpoint).await?);
    let due = hedging.delay(began).map(|delay| began + delay);
    let (endpoint, second, timer) = (Arc::clone(endpoint), None, Timer::new());
    let mut race = Race { hedging, endpoint, hash, subset, began, first, second, due, timer };
    loop {
        let over = match poll_fn(|cx| race.poll(cx, exchange, outgoing)).await {
            Event::Due => race.begin_second(exchange, outgoing),
            Event::First(answer) => race.first_ended(exchange, outgoing, answer),
            Event::Second(attempted) => race.second_ended(exchange, outgoing, attempted),
            Event::Over(error) => race.over(exchange, outgoing, error),
        };
        if let Some(attempted) = over {
            return attempted;
        }
    }
}

type Over = Option<Result<Answered, Error>>;

impl<'a> Race<'a> {
    fn poll(&mut self, cx: &mut Context<'_>, exchange: &mut Ongoing<'a>, outgoing: &mut Outgoing<'a>) -> Poll<Event> {
        if let Some(first) = &mut self.first
            && let Poll::Ready(answer) = first.poll(cx, exchange, outgoing)
        {
            return Poll::Ready(Event::First(answer));
        }
        if let Some((second, _)) = &mut self.second
            && let Poll::Ready(attempted) = second.poll(cx, exchange)
        {
            return Poll::Ready(Event::Second(attempted));
        }
        if self.due.is_some() {
            self.timer.set(self.due);
            if self.timer.poll_expired(cx).is_ready() {
                self.due = None;
                return Poll::Ready(Event::Due);
            }
        }
        outgoing.poll_over(cx, exchange).map(Event::Over)
    }

    /// Sends a second attempt, if there is anybody else to send it to and room for it.
    fn begin_second(&mut self, exchange: &mut Ongoing<'a>, outgoing: &mut Outgoing<'a>) -> Over {
        let may = exchange.is_idempotent() && outgoing.sending.could_go_again() && !wants_upgrade(exchange.head);
        if !may {
            return None;
        }
        let mut tried = outgoing.tried.clone();
        tried.push(self.endpoint.id);
        let wish = Wish { tried: &tried, subset: self.subset, hash: self.hash, now: Moment::now() };
        let picked = cluster::pick(&exchange.worker.picker, outgoing.cluster, &wish);
        let picked = picked.filter(|picked| !tried.contains(&picked.endpoint.id))?;
        let mut place = None;
        if let Some(breaker) = outgoing.cluster.limits.breaker.as_deref()
            && let Some(max) = breaker.max_connections
        {
            // Nobody waits in a queue for the sake of being sooner.
            place = Some(breaker.state.connections.take(max)?);
        }
        if exchange.allowance.as_mut().is_some_and(|allowance| !allowance.take_spare()) {
            return None;
        }
        if !self.hedging.state.extra.take() {
            exchange.account.mark(Mark::HedgeCapped);
            return None;
        }
        let endpoint = Arc::clone(&picked.endpoint);
        exchange.account.hedged(picked);
        self.second = Some((Beside::begin(exchange, outgoing, &endpoint, place), weft_rt::now()));
        outgoing.tried.push(endpoint.id);
        None
    }

    fn first_ended(
        &mut self,
        exchange: &mut Ongoing<'a>,
        outgoing: &mut Outgoing<'a>,
        answer: Result<Answer, Error>,
    ) -> Over {
        let attempted = self.first.take()?.end(exchange, outgoing, answer);
        self.learn(&attempted, self.began);
        if self.second.is_some() && loses(outgoing, &attempted) {
            exchange.account.first_lost(lost(&attempted));
            throw_away(exchange, outgoing, attempted);
            return None;
        }
        if self.second.take().is_some() {
            exchange.account.second_lost(Lost::Overtaken);
        }
        Some(attempted)
    }

    fn second_ended(
        &mut self,
        exchange: &mut Ongoing<'a>,
        outgoing: &mut Outgoing<'a>,
        attempted: Result<Answered, Error>,
    ) -> Over {
        let (_, began) = self.second.take()?;
        self.learn(&attempted, began);
        if self.first.is_some() && loses(outgoing, &attempted) {
            exchange.account.second_lost(lost(&attempted));
            throw_away(exchange, outgoing, attempted);
            return None;
        }
        if let Some(first) = self.first.take() {
            self.hedging.state.learned.count(weft_rt::now().saturating_duration_since(self.began));
            let overtaken = Error::new(Kind::Overtaken, "the attempt beside it was answered first");
            let _given_up = first.end(exchange, outgoing, Err(overtaken));
            exchange.account.first_lost(Lost::Overtaken);
            exchange.account.mark(Mark::HedgeWon);
        }
        // Whatever the first one's connection was, this one's was alive.
        outgoing.reused = false;
        Some(attempted)
    }

    fn over(&mut self, exchange: &mut Ongoing<'a>, outgoing: &mut Outgoing<'a>, error: Error) -> Over {
        let of_attempt = matches!(error.kind, Kind::TryTimeout | Kind::FirstByteTimeout);
        if of_attempt {
            self.hedging.state.learned.count(weft_rt::now().saturating_duration_since(self.began));
        }
        let first = self.first.take().map(|first| first.end(exchange, outgoing, Err(error)).map(drop));
        if first.is_some() && self.second.is_some() {
            if of_attempt {
                // The clock was the first one's: the second has as much from now on.
                exchange.account.first_lost(Lost::Failed(&error));
                outgoing.attempt_begins(exchange);
                outgoing.deadlines.request_sent(outgoing.route);
                return None;
            }
            exchange.account.second_lost(Lost::Failed(&error));
        }
        Some(Err(error))
    }

    /// Answers tell how long answers take; what failed at once does not.
    fn learn(&self, attempted: &Result<Answered, Error>, began: Instant) {
        if attempted.as_ref().is_ok_and(|answered| answered.answer.head.status < 500) {
            self.hedging.state.learned.count(weft_rt::now().saturating_duration_since(began));
        }
    }
}

/// Whether an attempt that ended like this leaves the other one to win.
fn loses(outgoing: &Outgoing<'_>, attempted: &Result<Answered, Error>) -> bool {
    match attempted {
        Err(error) => error.source() == Source::Upstream,
        Ok(answered) if answered.answer.head.status >= 500 => true,
        Ok(_) => {
            let policy = outgoing.route.retry.as_deref();
            policy.is_some_and(|policy| retry::is_retriable(&outgoing.outcome(attempted), policy))
        }
    }
}

fn lost(attempted: &Result<Answered, Error>) -> Lost<'_> {
    match attempted {
        Ok(answered) => Lost::Answered(&answered.answer.head),
        Err(error) => Lost::Failed(error),
    }
}

fn throw_away(exchange: &Ongoing<'_>, outgoing: &Outgoing<'_>, attempted: Result<Answered, Error>) {
    if let Ok(answered) = attempted {
        discard(exchange.worker, answered, true, outgoing.cluster.keeping);
    }
}
