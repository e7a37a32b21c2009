//! The clocks of an exchange, on the connection's one timer.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use weft_rt::Timer;

use crate::error::{Error, Kind};
use crate::snapshot::GenerationRoute;

/// When an exchange is given up. Each clock is unset where it does not run.
pub struct Deadlines {
    total: Option<Instant>,
    /// When the caller stops waiting, as he has said.
    caller: Option<Instant>,
    /// The clock of what the exchange is at, or that of the whole attempt where it is the shorter one.
    step: Option<(Instant, Step)>,
    attempt: Option<Instant>,
    idle: Option<Instant>,
    idle_after: Option<Duration>,
    progress: u64,
}

/// What an attempt is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Waiting for a place among the cluster's connections.
    Queue,
    /// Connecting.
    Connect,
    /// Waiting for the answer.
    FirstByte,
    /// Any of them, in the time of one attempt.
    Attempt,
}

impl Deadlines {
    /// The clocks of a route. The whole exchange's runs from `started`, but not while a request streams: a slow upload
    /// is ended by silence only, and the clock starts when all of it is sent.
    pub fn start(route: &GenerationRoute, started: Instant, request_streams: bool) -> Self {
        Self {
            total: route.timeout.filter(|_| !request_streams).map(|after| started + after),
            caller: None,
            step: None,
            attempt: None,
            idle: route.idle_timeout.map(|after| started + after),
            idle_after: route.idle_timeout,
            progress: 0,
        }
    }

    /// The same, and the caller stops waiting at `ends`, whatever the request is at.
    pub fn ending(self, ends: Option<Instant>) -> Self {
        Self { caller: ends, ..self }
    }

    /// When the present attempt is of no use any more, as far as that is known.
    pub fn ends(&self) -> Option<Instant> {
        [self.total, self.caller, self.attempt].into_iter().flatten().min()
    }

    /// The clock of a body that is waited for: silence alone ends it.
    pub fn of_silence(idle_after: Duration) -> Self {
        let idle = Some(weft_rt::now() + idle_after);
        Self { total: None, caller: None, step: None, attempt: None, idle, idle_after: Some(idle_after), progress: 0 }
    }

    /// An attempt begins under a policy that gives it so much time, a streaming request not counted.
    pub fn attempt_begins(&mut self, per_try: Option<Duration>, request_streams: bool) {
        self.attempt = per_try.filter(|_| !request_streams).map(|after| weft_rt::now() + after);
        self.at(None);
    }

    /// The attempt waits for a place; where nothing else bounds that, the route's timeout does.
    pub fn queued(&mut self, route: &GenerationRoute) {
        let bound = route.timeout.filter(|_| self.total.is_none());
        self.at(bound.map(|after| (weft_rt::now() + after, Step::Queue)));
    }

    /// It has its place.
    pub fn admitted(&mut self) {
        self.at(None);
    }

    /// A connection to the endpoint is being made.
    pub fn connecting(&mut self, timeout: Duration) {
        self.at(Some((weft_rt::now() + timeout, Step::Connect)));
    }

    /// The connection stands, or will not.
    pub fn connected(&mut self) {
        self.at(None);
    }

    /// The request is sent: the endpoint's clock starts and the stream's waits for the answer.
    pub fn request_sent(&mut self, route: &GenerationRoute) {
        let now = weft_rt::now();
        self.total = self.total.or(route.timeout.map(|after| now + after));
        if let Some(retry) = &route.retry {
            self.attempt = self.attempt.or(retry.per_try_timeout.map(|after| now + after));
        }
        self.at(route.first_byte_timeout.map(|after| (now + after, Step::FirstByte)));
    }

    /// The attempt is over, and another one follows after a wait.
    pub fn attempt_ends(&mut self) {
        self.attempt = None;
        self.step = None;
        self.idle = self.idle_after.map(|after| weft_rt::now() + after);
    }

    /// Whether the exchange would still have time after a wait.
    pub fn leave(&self, wait: Duration) -> bool {
        let then = weft_rt::now() + wait;
        [self.total, self.caller].into_iter().flatten().all(|end| then < end)
    }

    /// The answer's head is here: from now on only silence ends the exchange, for an answer may stream.
    pub fn answer_began(&mut self) {
        self.total = None;
        self.caller = None;
        self.attempt = None;
        self.step = None;
    }

    /// Ready with the error of the clock that ran out. `progress` is any number that grows while bytes move.
    pub fn poll(&mut self, cx: &mut Context<'_>, timer: &mut Timer, progress: u64) -> Poll<Error> {
        if progress != self.progress {
            self.progress = progress;
            self.idle = self.idle_after.map(|after| weft_rt::now() + after);
        }
        loop {
            ready!(self.poll_next(cx, timer, None));
            if let Some(error) = self.ran_out(weft_rt::now()) {
                return Poll::Ready(error);
            }
        }
    }

    /// Ready at `until`, or with the error of a clock that ran out before.
    pub fn poll_pause(&self, cx: &mut Context<'_>, timer: &mut Timer, until: Instant) -> Poll<Result<(), Error>> {
        loop {
            ready!(self.poll_next(cx, timer, Some(until)));
            let now = weft_rt::now();
            match self.ran_out(now) {
                Some(error) => return Poll::Ready(Err(error)),
                None if now >= until => return Poll::Ready(Ok(())),
                None => {}
            }
        }
    }

    fn poll_next(&self, cx: &mut Context<'_>, timer: &mut Timer, until: Option<Instant>) -> Poll<()> {
        let step = self.step.map(|(at, _)| at);
        timer.set([self.total, self.caller, step, self.idle, until].into_iter().flatten().min());
        timer.poll_expired(cx)
    }

    /// The step that begins, with its own clock.
    fn at(&mut self, step: Option<(Instant, Step)>) {
        self.step = match (step, self.attempt) {
            (Some((at, _)), Some(attempt)) if at < attempt => step,
            (_, Some(attempt)) => Some((attempt, Step::Attempt)),
            (step, None) => step,
        };
    }

    fn ran_out(&self, now: Instant) -> Option<Error> {
        let passed = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if passed(self.caller) {
            let detail = "the time that the caller gave the request in `x-weft-budget` is over";
            return Some(Error::new(Kind::DeadlinePassed, detail));
        }
        if passed(self.total) {
            return Some(Error::new(Kind::ExchangeTimeout, "the exchange took longer than the route's timeout"));
        }
        if let Some((_, step)) = self.step.filter(|(at, _)| *at <= now) {
            return Some(step.error());
        }
        let silence = Error::new(Kind::StreamIdle, "no byte moved for the route's idle timeout");
        passed(self.idle).then_some(silence)
    }
}

impl Step {
    fn error(self) -> Error {
        match self {
            Self::Queue => {
                Error::new(Kind::ExchangeTimeout, "the cluster had no connection to spare within the route's timeout")
            }
            Self::Connect => Error::new(Kind::ConnectTimeout, "the endpoint did not accept the connection in time"),
            Self::FirstByte => Error::new(Kind::FirstByteTimeout, "the endpoint sent no answer in time"),
            Self::Attempt => Error::new(Kind::TryTimeout, "the attempt took longer than the retry policy gives it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::direct::Direct;
    use crate::route::Action;
    use crate::snapshot::GenerationRetry;

    const TIMEOUT: Duration = Duration::from_secs(15);
    const LATE: Duration = Duration::from_secs(20);

    fn route() -> GenerationRoute {
        GenerationRoute {
            index: 0,
            name: "all".to_owned(),
            action: Action::Respond(Box::new(Direct::new(200, &[], "", None).unwrap())),
            rewrite: None,
            request_headers: None,
            response_headers: None,
            fallback: None,
            timeout: Some(TIMEOUT),
            first_byte_timeout: None,
            idle_timeout: None,
            retry: None,
            filters: crate::filter::Chain::default(),
            fault: None,
            mirrors: Box::default(),
            switched: None,
        }
    }

    fn ran_out(deadlines: &Deadlines, after: Duration) -> Option<Kind> {
        deadlines.ran_out(weft_rt::now() + after).map(|error| error.kind)
    }

    #[test]
    fn an_exchange_without_a_body_is_timed_from_its_start() {
        let started = weft_rt::now();
        let mut deadlines = Deadlines::start(&route(), started, false);
        assert_eq!(ran_out(&deadlines, LATE), Some(Kind::ExchangeTimeout));
        let total = deadlines.total;
        deadlines.request_sent(&route());
        assert_eq!(deadlines.total, total, "a second attempt does not get more time");
    }

    #[test]
    fn a_slow_upload_is_timed_from_its_last_byte() {
        let mut deadlines = Deadlines::start(&route(), weft_rt::now(), true);
        assert_eq!(ran_out(&deadlines, LATE), None);
        deadlines.request_sent(&route());
        assert_eq!(ran_out(&deadlines, TIMEOUT / 2), None);
        assert_eq!(ran_out(&deadlines, LATE), Some(Kind::ExchangeTimeout));
        deadlines.answer_began();
        assert_eq!(ran_out(&deadlines, LATE), None, "an answer may stream");
    }

    #[test]
    fn a_caller_that_stops_waiting_ends_an_upload_too() {
        let now = weft_rt::now();
        let mut deadlines = Deadlines::start(&route(), now, true).ending(Some(now + TIMEOUT));
        assert_eq!((ran_out(&deadlines, TIMEOUT / 2), ran_out(&deadlines, LATE)), (None, Some(Kind::DeadlinePassed)));
        assert!(deadlines.leave(TIMEOUT / 2) && !deadlines.leave(TIMEOUT));
        deadlines.attempt_begins(Some(TIMEOUT / 3), false);
        assert!(deadlines.ends().is_some_and(|ends| ends < now + TIMEOUT / 2));
        deadlines.answer_began();
        assert_eq!(ran_out(&deadlines, LATE), None, "an answer may stream");
    }

    fn with_tries(of: Duration) -> GenerationRoute {
        let retry = GenerationRetry {
            retries: 1,
            on: [].into_iter().collect(),
            status_codes: Box::default(),
            retriable_headers: Box::default(),
            retry_after_max: None,
            per_try_timeout: Some(of),
            backoff_base: Duration::ZERO,
            backoff_max: Duration::ZERO,
            avoid_previous_endpoints: true,
            max_body_bytes: 0,
        };
        GenerationRoute { retry: Some(Box::new(retry)), ..route() }
    }

    #[test]
    fn an_attempt_is_timed_from_its_beginning_whatever_it_is_at() {
        let of = Duration::from_secs(2);
        let route = with_tries(of);
        let mut deadlines = Deadlines::start(&route, weft_rt::now(), false);
        deadlines.attempt_begins(Some(of), false);
        assert_eq!(ran_out(&deadlines, of), Some(Kind::TryTimeout));
        deadlines.connecting(of / 2);
        assert_eq!(ran_out(&deadlines, of), Some(Kind::ConnectTimeout));
        deadlines.connected();
        deadlines.request_sent(&route);
        assert_eq!((ran_out(&deadlines, of / 2), ran_out(&deadlines, of)), (None, Some(Kind::TryTimeout)));
        deadlines.attempt_ends();
        assert_eq!(ran_out(&deadlines, of), None, "a wait belongs to no attempt");
        assert!(deadlines.leave(of) && !deadlines.leave(TIMEOUT));
    }

    #[test]
    fn an_attempt_of_a_slow_upload_is_timed_from_its_last_byte() {
        let of = Duration::from_secs(2);
        let route = with_tries(of);
        let mut deadlines = Deadlines::start(&route, weft_rt::now(), true);
        deadlines.attempt_begins(Some(of), true);
        assert_eq!(ran_out(&deadlines, LATE), None);
        deadlines.request_sent(&route);
        assert_eq!(ran_out(&deadlines, of), Some(Kind::TryTimeout));
    }

    #[test]
    fn a_slow_upload_does_not_wait_for_a_place_longer_than_the_route_takes() {
        let mut deadlines = Deadlines::start(&route(), weft_rt::now(), true);
        deadlines.queued(&route());
        assert_eq!(ran_out(&deadlines, TIMEOUT), Some(Kind::ExchangeTimeout));
        deadlines.admitted();
        assert_eq!(ran_out(&deadlines, TIMEOUT), None);
    }
}
