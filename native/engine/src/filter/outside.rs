//! What filters in other languages ask of an exchange: more than heads, and state that is not theirs alone.

use std::cell::RefCell;
use std::rc::Rc;

use super::script::Place;
use crate::worker::Worker;
use crate::worker::serving::View;

/// How far the exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No route is chosen.
    Listener,
    /// No cluster is chosen.
    Route,
    /// Everything is.
    Cluster,
    /// There is an answer.
    Answer,
}

/// What filters chose in place of the routes' table and of a route's split.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// Place of a route in the generation.
    pub route: Option<u16>,
    /// Place of a cluster in the generation.
    pub cluster: Option<u16>,
}

/// What an exchange keeps for such filters; empty, and without memory, where there are none.
#[derive(Default)]
pub struct Context {
    /// What they chose.
    pub choice: Choice,
    /// Its place among the scripts of the thread, from the first one it meets.
    place: Option<Place>,
    notes: Option<Notes>,
}

/// Sentences for the record of one exchange, from whatever part of it has one.
pub(super) type Notes = Rc<RefCell<String>>;

impl Context {
    /// What the record should say of their decisions.
    pub fn take_note(&mut self) -> Option<Box<str>> {
        let notes = self.notes.take()?;
        let sentences = notes.take();
        (!sentences.is_empty()).then(|| sentences.into())
    }

    /// The exchange's place among the scripts of its thread; `None` where no scripts run.
    pub fn place(&mut self, worker: &Worker) -> Option<&Place> {
        if self.place.is_none() {
            self.place = worker.scripts().map(|scripts| scripts.enter());
        }
        self.place.as_ref()
    }

    /// Adds a sentence to the record.
    pub fn note(&mut self, sentence: &str) {
        note(self.notes(), sentence);
    }

    /// Where sentences for the record are gathered.
    pub fn notes(&mut self) -> &Notes {
        self.notes.get_or_insert_default()
    }
}

/// What a filter in another language sees besides the heads.
pub struct Outside<'a> {
    /// The thread.
    pub worker: &'a Rc<Worker>,
    /// The configuration that the exchange runs under.
    pub view: &'a View,
    /// The client's address as text; `unknown` on a unix socket.
    pub client: &'a str,
    /// How far the exchange has come.
    pub stage: Stage,
    /// The filter's time is over: it must decide now.
    pub expired: bool,
    /// What belongs to the exchange.
    pub context: &'a mut Context,
}

impl Outside<'_> {
    /// The exchange's place among the scripts of the thread; `None` where no scripts run.
    pub fn place(&mut self) -> Option<&Place> {
        self.context.place(self.worker)
    }

    /// Adds a sentence to the record.
    pub fn note(&mut self, sentence: &str) {
        self.context.note(sentence);
    }
}

/// Adds a sentence to those of an exchange.
pub(super) fn note(notes: &Notes, sentence: &str) {
    let mut sentences = notes.borrow_mut();
    if !sentences.is_empty() {
        sentences.push_str("; ");
    }
    sentences.push_str(sentence);
}
