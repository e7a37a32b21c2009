//! Bodies as scripts see them: a part of one that streams, or all of one with the head that it belongs to.
//!
//! A part can only be replaced. With a whole body everything is still possible that is possible with its head. A script
//! that fails amid a stream has its policy applied there: `open` lets the rest pass unseen, `closed` breaks the stream
//! off, which is a 500 as long as no head has gone out to the client.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use weft_rt::Timer;

use super::super::body::{BodyMode, Direction, Joining, SeesBodies};
use super::super::outside::{Notes, note};
use super::{
    Call, NO_HOST, Outcome, Phase, Request, Response, Said, Script, ScriptCounts, Seat, Settings, Verdict,
    change_response, failure_sentence, scheme, text,
};
use crate::error::Error;
use crate::snapshot::ScriptBody;
use crate::transfer::{BodyFilter, BodyPart};

/// How a script with these settings sees bodies of one direction.
pub(super) fn mode(settings: &Settings, sees: ScriptBody) -> BodyMode {
    match sees {
        ScriptBody::None => BodyMode::None,
        ScriptBody::Stream => BodyMode::Stream,
        ScriptBody::Buffer => {
            BodyMode::Buffer { max_bytes: usize::try_from(settings.max_body_bytes).unwrap_or(usize::MAX) }
        }
    }
}

impl SeesBodies for Script {
    fn mode(&self, direction: Direction) -> BodyMode {
        match direction {
            Direction::Request => self.request_body,
            Direction::Response => self.response_body,
        }
    }

    fn stream(&self, joining: Joining<'_>) -> Box<dyn BodyFilter> {
        Box::new(Streaming {
            seat: joining.context.place(joining.worker).map(|place| place.share()),
            notes: Rc::clone(joining.context.notes()),
            script: self.id,
            name: Arc::clone(&self.name),
            phase: match joining.direction {
                Direction::Request => Phase::RequestBody,
                Direction::Response => Phase::ResponseBody,
            },
            open: self.open,
            passed_over: false,
            time_budget: self.time_budget,
            timer: Timer::new(),
            waits: false,
            failure: self.failure,
            counts: Arc::clone(&self.counts),
        })
    }

    fn poll_request(&self, cx: &mut Context<'_>, request: &mut Request<'_>, body: &mut Vec<u8>) -> Poll<Verdict> {
        let Some(outside) = request.outside.as_mut() else { return Poll::Ready(Verdict::Continue) };
        let (client, scheme, expired) = (outside.client, scheme(request.head, outside), outside.expired);
        let Some(place) = outside.place() else { return Poll::Ready(self.fail(outside, NO_HOST)) };
        let call = Call { bytes: Some(body), ..self.call(Phase::RequestBody) };
        let outcome = ready!(place.poll(cx, call, expired, |out| {
            text::write_request(request.head, client, scheme, out);
        }));
        Poll::Ready(match outcome.said {
            Said::Failed => self.fail(outside, &String::from_utf8_lossy(&outcome.text)),
            Said::Edits(_) if outcome.text.first() == Some(&b'!') => self.answer(outside, outcome),
            Said::Edits(replaced) => match self.change_request(request.head, outside, &outcome.text) {
                Err(nonsense) => self.fail(outside, &nonsense),
                Ok(()) => replace(body, replaced),
            },
            Said::Unchanged | Said::Pending(_) => Verdict::Continue,
        })
    }

    fn poll_response(&self, cx: &mut Context<'_>, response: &mut Response<'_>, body: &mut Vec<u8>) -> Poll<Verdict> {
        let Some(outside) = response.outside.as_mut() else { return Poll::Ready(Verdict::Continue) };
        let (client, scheme, expired) = (outside.client, scheme(response.request, outside), outside.expired);
        let Some(place) = outside.place() else { return Poll::Ready(self.fail(outside, NO_HOST)) };
        let call = Call { bytes: Some(body), ..self.call(Phase::ResponseBody) };
        let outcome = ready!(place.poll(cx, call, expired, |out| {
            text::write_response(response.head, out);
            // A script that saw the request has kept it.
            if !self.request_head {
                out.push(b'\n');
                text::write_request(response.request, client, scheme, out);
            }
        }));
        Poll::Ready(match outcome.said {
            Said::Failed => self.fail(outside, &String::from_utf8_lossy(&outcome.text)),
            Said::Edits(_) if outcome.text.first() == Some(&b'!') => self.answer(outside, outcome),
            Said::Edits(replaced) => match change_response(response.head, &outcome.text) {
                Err(nonsense) => self.fail(outside, &nonsense),
                Ok(()) => replace(body, replaced),
            },
            Said::Unchanged | Said::Pending(_) => Verdict::Continue,
        })
    }

    fn response_too_long(&self, response: &mut Response<'_>) -> Verdict {
        response.outside.as_mut().map_or(Verdict::Continue, |outside| self.fail(outside, TOO_LONG))
    }
}

const TOO_LONG: &str = "the answer's body is longer than its `maxBodyBytes`";

fn replace(body: &mut Vec<u8>, replaced: Option<Vec<u8>>) -> Verdict {
    if let Some(replaced) = replaced {
        *body = replaced;
    }
    Verdict::Continue
}

/// A script in the way of one body.
struct Streaming {
    seat: Option<Seat>,
    notes: Notes,
    script: u32,
    name: Arc<str>,
    phase: Phase,
    open: bool,
    /// It has failed, and the rest passes unseen.
    passed_over: bool,
    time_budget: Option<Duration>,
    timer: Timer,
    waits: bool,
    failure: Error,
    counts: Arc<ScriptCounts>,
}

impl BodyFilter for Streaming {
    fn poll(&mut self, cx: &mut Context<'_>, part: &mut BodyPart<'_>) -> Poll<Result<(), Error>> {
        if self.passed_over {
            return Poll::Ready(Ok(()));
        }
        let outcome = ready!(self.poll_call(cx, part));
        self.waits = false;
        Poll::Ready(match outcome.said {
            Said::Failed => self.fail(&String::from_utf8_lossy(&outcome.text)),
            Said::Edits(_) if !outcome.text.is_empty() => {
                self.fail("of a body that streams only the bytes can be changed: ask for `buffer`")
            }
            Said::Edits(Some(data)) => {
                part.replace(data);
                Ok(())
            }
            Said::Edits(None) | Said::Unchanged | Said::Pending(_) => Ok(()),
        })
    }
}

impl Streaming {
    fn poll_call(&mut self, cx: &mut Context<'_>, part: &BodyPart<'_>) -> Poll<Outcome> {
        let Some(seat) = &self.seat else {
            return Poll::Ready(Outcome { said: Said::Failed, text: NO_HOST.into() });
        };
        let (bytes, last) = (Some(part.data()), part.is_last());
        let call = Call { script: self.script, slot: 0, phase: self.phase, text: None, bytes, last };
        let polled = seat.poll(cx, call, false, |_| {});
        let Some(budget) = self.time_budget.filter(|_| polled.is_pending()) else { return polled };
        if !self.waits {
            self.waits = true;
            self.timer.set(Some(weft_rt::now() + budget));
        }
        ready!(self.timer.poll_expired(cx));
        seat.poll(cx, call, true, |_| {})
    }

    /// Counts, tells, notes, and applies the policy.
    fn fail(&mut self, message: &str) -> Result<(), Error> {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        if let Some(seat) = &self.seat {
            seat.tell_failure(self.script, message.as_bytes());
        }
        note(&self.notes, &failure_sentence(&self.name, self.open, message));
        self.passed_over = self.open;
        if self.open { Ok(()) } else { Err(self.failure) }
    }
}
