//! `script`: a filter in TypeScript, which this thread's [`ScriptHost`] runs.
//!
//! It is asked with a head as text and says what to change as text: one crossing for each phase. A script that fails,
//! says nonsense or takes too long has its policy applied: `closed` ends the exchange with a 500, `open` passes it over
//! as if it were not there; both are counted, told to the script's host for its log, and noted in the record.

mod body;
mod edits;
mod host;
mod text;

pub use host::{Call, Outcome, Phase, Place, Said, ScriptHost, Scripts, Seat};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use edits::{Edit, Edits, Nonsense};
use parking_lot::Mutex;

use super::chain::FilterBook;
use super::{BodyMode, Filter, Outside, Request, Response, SeesBodies, Stage, Verdict};
use crate::error::{Error, Kind};
use crate::http::head::{RequestHead, ResponseHead};
use crate::http::trust;
use crate::snapshot::{OnFailure, Script as Settings};

/// What is counted about the filters of one name.
#[derive(Default)]
pub struct ScriptCounts {
    /// Calls whose policy had to be applied.
    pub failures: AtomicU64,
    /// Requests that it answered itself.
    pub answers: AtomicU64,
}

/// The filter.
pub(in crate::filter) struct Script {
    id: u32,
    name: Arc<str>,
    request_head: bool,
    response_head: bool,
    request_body: BodyMode,
    response_body: BodyMode,
    open: bool,
    time_budget: Option<Duration>,
    failure: Error,
    counts: Arc<ScriptCounts>,
}

impl Script {
    pub(in crate::filter) fn new(settings: &Settings, book: &mut FilterBook) -> Self {
        let detail = sentence(format!("the filter `{}` failed", settings.name.escape_default()));
        Self {
            id: settings.id,
            name: settings.name.as_str().into(),
            request_head: settings.request_head,
            response_head: settings.response_head,
            request_body: body::mode(settings, settings.request_body),
            response_body: body::mode(settings, settings.response_body),
            open: settings.on_failure == OnFailure::Open,
            time_budget: settings.time_budget_ms.map(|ms| Duration::from_millis(ms.into())),
            failure: Error::new(Kind::FilterFailed, detail),
            counts: book.script_counts(&settings.name),
        }
    }

    fn call(&self, phase: Phase) -> Call<'static> {
        Call { script: self.id, slot: 0, phase, text: None, bytes: None, last: true }
    }

    /// Counts, tells, notes, and applies the policy.
    fn fail(&self, outside: &mut Outside<'_>, message: &str) -> Verdict {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        if let Some(place) = outside.place() {
            place.tell_failure(self.id, message.as_bytes());
        }
        outside.note(&failure_sentence(&self.name, self.open, message));
        if self.open { Verdict::Skip } else { Verdict::Break(self.failure) }
    }

    fn answer(&self, outside: &mut Outside<'_>, outcome: Outcome) -> Verdict {
        let Outcome { said: Said::Edits(body), text } = outcome else { return Verdict::Continue };
        match edits::direct(&text, body) {
            Ok(direct) => {
                self.counts.answers.fetch_add(1, Ordering::Relaxed);
                outside.note(&format!("the filter `{}` answered", self.name));
                Verdict::Answer(Box::new(direct))
            }
            Err(nonsense) => self.fail(outside, &nonsense),
        }
    }

    fn chose(&self, noun: &str, name: &[u8]) -> String {
        format!("the filter `{}` chose the {noun} `{}`", self.name, name.escape_ascii())
    }

    fn change_request(&self, head: &mut RequestHead, outside: &mut Outside<'_>, text: &[u8]) -> Result<(), Nonsense> {
        let edits = Edits::read(text, |edit| allow_request(edit, outside))?;
        for edit in edits.iter() {
            match edit {
                Edit::Route(name) => {
                    outside.context.choice.route = outside.view.generation.route_named(name);
                    outside.note(&self.chose("route", name));
                }
                Edit::Cluster(name) => {
                    outside.context.choice.cluster = outside.view.generation.cluster_named(name);
                    outside.note(&self.chose("cluster", name));
                }
                Edit::Target(written) => {
                    if let Ok((path, query)) = edits::target(written) {
                        head.set_target(&path, query);
                    }
                }
                edit => edits::edit_lines(head, edit),
            }
        }
        Ok(())
    }
}

fn failure_sentence(name: &str, open: bool, message: &str) -> String {
    let passed = if open { ", and was passed over" } else { "" };
    format!("the filter `{name}` failed{passed}: {message}")
}

/// What only the exchange can tell of an edit.
fn allow_request(edit: Edit<'_>, outside: &Outside<'_>) -> Result<(), Nonsense> {
    let generation = &outside.view.generation;
    match edit {
        Edit::Route(_) if outside.stage != Stage::Listener => {
            Err("only a listener's filter can choose the route".to_owned())
        }
        Edit::Cluster(_) if outside.stage == Stage::Cluster => {
            Err("a cluster's filter comes too late to choose the cluster".to_owned())
        }
        Edit::Route(name) if generation.route_named(name).is_none() => {
            Err(format!("there is no route `{}`", name.escape_ascii()))
        }
        Edit::Cluster(name) if generation.cluster_named(name).is_none() => {
            Err(format!("there is no cluster `{}`", name.escape_ascii()))
        }
        Edit::Target(written) => edits::target(written).map(|_| ()),
        Edit::Status(_) => Err("a request has no status".to_owned()),
        _ => Ok(()),
    }
}

/// A status can be another one of its like: with a body, or without.
fn allow_response(edit: Edit<'_>, present: u16) -> Result<(), Nonsense> {
    let bodiless = |status: u16| matches!(status, 204 | 304);
    match edit {
        Edit::Status(_) if present < 200 => Err(format!("the status {present} cannot be changed")),
        Edit::Status(status) if bodiless(status) != bodiless(present) => {
            Err(format!("the status {present} cannot become {status}: only one of them has a body"))
        }
        Edit::Target(_) | Edit::Route(_) | Edit::Cluster(_) => {
            Err("it is too late to send the request elsewhere".into())
        }
        _ => Ok(()),
    }
}

fn change_response(head: &mut ResponseHead, text: &[u8]) -> Result<(), Nonsense> {
    let present = head.status;
    let edits = Edits::read(text, |edit| allow_response(edit, present))?;
    for edit in edits.iter() {
        match edit {
            Edit::Status(status) => head.set_status(status),
            edit => edits::edit_lines(head, edit),
        }
    }
    Ok(())
}

/// A sentence that errors can carry: kept once for the life of the process, one for each name that a filter ever had.
fn sentence(text: String) -> &'static str {
    static SENTENCES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut sentences = SENTENCES.lock();
    if let Some(known) = sentences.get(text.as_str()) {
        return known;
    }
    let kept: &'static str = Box::leak(text.into_boxed_str());
    sentences.insert(kept);
    kept
}

const NO_HOST: &str = "this process runs no filters in TypeScript";

impl Filter for Script {
    fn poll_request(&self, cx: &mut Context<'_>, request: &mut Request<'_>) -> Poll<Verdict> {
        let Some(outside) = request.outside.as_mut().filter(|_| self.request_head) else {
            return Poll::Ready(Verdict::Continue);
        };
        let (client, scheme, expired) = (outside.client, scheme(request.head, outside), outside.expired);
        let Some(place) = outside.place() else { return Poll::Ready(self.fail(outside, NO_HOST)) };
        let outcome = ready!(place.poll(cx, self.call(Phase::RequestHead), expired, |out| {
            text::write_request(request.head, client, scheme, out);
        }));
        Poll::Ready(match &outcome.said {
            Said::Failed => self.fail(outside, &String::from_utf8_lossy(&outcome.text)),
            Said::Edits(_) if outcome.text.first() == Some(&b'!') => self.answer(outside, outcome),
            Said::Edits(_) => {
                let changed = self.change_request(request.head, outside, &outcome.text);
                reuse(outside, outcome);
                changed.map_or_else(|nonsense| self.fail(outside, &nonsense), |()| Verdict::Continue)
            }
            Said::Unchanged | Said::Pending(_) => {
                reuse(outside, outcome);
                Verdict::Continue
            }
        })
    }

    fn poll_response(&self, cx: &mut Context<'_>, response: &mut Response<'_>) -> Poll<Verdict> {
        let Some(outside) = response.outside.as_mut().filter(|_| self.response_head) else {
            return Poll::Ready(Verdict::Continue);
        };
        let (client, scheme, expired) = (outside.client, scheme(response.request, outside), outside.expired);
        let Some(place) = outside.place() else { return Poll::Ready(self.fail(outside, NO_HOST)) };
        let outcome = ready!(place.poll(cx, self.call(Phase::ResponseHead), expired, |out| {
            text::write_response(response.head, out);
            // A script that saw the request has kept it.
            if !self.request_head {
                out.push(b'\n');
                text::write_request(response.request, client, scheme, out);
            }
        }));
        Poll::Ready(match &outcome.said {
            Said::Failed => self.fail(outside, &String::from_utf8_lossy(&outcome.text)),
            Said::Edits(_) if outcome.text.first() == Some(&b'!') => self.answer(outside, outcome),
            Said::Edits(_) => {
                let changed = change_response(response.head, &outcome.text);
                reuse(outside, outcome);
                changed.map_or_else(|nonsense| self.fail(outside, &nonsense), |()| Verdict::Continue)
            }
            Said::Unchanged | Said::Pending(_) => {
                reuse(outside, outcome);
                Verdict::Continue
            }
        })
    }

    fn time_budget(&self) -> Option<Duration> {
        self.time_budget
    }

    fn bodies(&self) -> Option<&dyn SeesBodies> {
        let sees = self.request_body != BodyMode::None || self.response_body != BodyMode::None;
        sees.then_some(self)
    }
}

fn scheme(head: &RequestHead, outside: &Outside<'_>) -> &'static str {
    trust::scheme(head, outside.view.listener().trusted_hops).unwrap_or("http")
}

fn reuse(outside: &mut Outside<'_>, outcome: Outcome) {
    if let Some(place) = outside.place() {
        place.reuse(outcome);
    }
}

#[cfg(test)]
mod tests;
