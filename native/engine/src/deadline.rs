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
    /// The clocks of a route, the whole exchange's already running.
    pub fn start(route: &GenerationRoute, started: Instant) -> Self {
        Self {
            connect: None,
            total: route.timeout.map(|after| started + after),
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
        self.first_byte = route.first_byte_timeout.map(|after| weft_rt::now() + after);
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
