//! The clocks of an exchange, on the connection's one timer.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use weft_rt::Timer;

use crate::error::{Error, Kind};
use crate::snapshot::GenerationRoute;

/// When an exchange is given up. Each clock is unset where it does not run.
pub struct Deadlines {
    connect: Option<Instant>,
    total: Option<Instant>,
    first_byte: Option<Instant>,
    idle: Option<Instant>,
    idle_after: Option<Duration>,
    progress: u64,
}

impl Deadlines {
    /// The clocks of a route. The whole exchange's runs from `started`, but not while a request streams: a slow upload
    /// is ended by silence only, and the clock starts when all of it is sent.
    pub fn start(route: &GenerationRoute, started: Instant, request_streams: bool) -> Self {
        Self {
            connect: None,
            total: route.timeout.filter(|_| !request_streams).map(|after| started + after),
            first_byte: None,
            idle: route.idle_timeout.map(|after| started + after),
            idle_after: route.idle_timeout,
            progress: 0,
        }
    }

    /// A connection to the endpoint is being made.
    pub fn connecting(&mut self, timeout: Duration) {
        self.connect = Some(weft_rt::now() + timeout);
    }

    /// The connection stands, or will not.
    pub fn connected(&mut self) {
        self.connect = None;
    }

    /// The request is sent: the endpoint's clock starts and the stream's waits for the answer.
    pub fn request_sent(&mut self, route: &GenerationRoute) {
        let now = weft_rt::now();
        self.first_byte = route.first_byte_timeout.map(|after| now + after);
        self.total = self.total.or(route.timeout.map(|after| now + after));
    }

    /// The answer's head is here: from now on only silence ends the exchange, for an answer may stream.
    pub fn answer_began(&mut self) {
        self.total = None;
        self.first_byte = None;
    }

    /// Ready with the error of the clock that ran out. `progress` is any number that grows while bytes move.
    pub fn poll(&mut self, cx: &mut Context<'_>, timer: &mut Timer, progress: u64) -> Poll<Error> {
        if progress != self.progress {
            self.progress = progress;
            self.idle = self.idle_after.map(|after| weft_rt::now() + after);
        }
        loop {
            let next = [self.connect, self.total, self.first_byte, self.idle].into_iter().flatten().min();
            timer.set(next);
            if timer.poll_expired(cx).is_pending() {
                return Poll::Pending;
            }
            if let Some(error) = self.ran_out(weft_rt::now()) {
                return Poll::Ready(error);
            }
        }
    }

    fn ran_out(&self, now: Instant) -> Option<Error> {
        let passed = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if passed(self.total) {
            Some(Error::new(Kind::ExchangeTimeout, "the exchange took longer than the route's timeout"))
        } else if passed(self.connect) {
            Some(Error::new(Kind::ConnectTimeout, "the endpoint did not accept the connection in time"))
        } else if passed(self.first_byte) {
            Some(Error::new(Kind::FirstByteTimeout, "the endpoint sent no answer in time"))
        } else if passed(self.idle) {
            Some(Error::new(Kind::StreamIdle, "no byte moved for the route's idle timeout"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(15);
    const LATE: Duration = Duration::from_secs(20);

    fn route() -> GenerationRoute {
        GenerationRoute {
            index: 0,
            name: "all".to_owned(),
            cluster: 0,
            timeout: Some(TIMEOUT),
            first_byte_timeout: None,
            idle_timeout: None,
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
}
