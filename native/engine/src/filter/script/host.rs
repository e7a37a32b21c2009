//! Where scripts run: the thread's host, and a place in it for each exchange that meets one.
//!
//! Flow: a filter asks through its exchange's [`Place`] → [`ScriptHost::call`] → an answer at once, or a ticket under
//! which [`Scripts::resume`] brings it later and wakes the exchange. Invariants: a place's number is used again only
//! after its exchange has ended, and an answer is taken only under the ticket that its place waits for, so that what
//! comes late reaches nobody; nothing here is borrowed while a script runs.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What a script is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// The request's head.
    RequestHead = 0,
    /// Bytes of the request's body.
    RequestBody = 1,
    /// The answer's head.
    ResponseHead = 2,
    /// Bytes of the answer's body.
    ResponseBody = 3,
    /// Nothing: it is told that it has failed, and why. Its answer does not matter.
    Failed = 4,
}

impl Phase {
    /// Request and answer may be waited for at the same time.
    fn side(self) -> usize {
        usize::from(matches!(self, Self::ResponseHead | Self::ResponseBody))
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Number of the script in the process.
    pub script: u32,
    /// Number of the exchange's place, the key of what the script keeps for it.
    pub slot: u32,
    /// What it is about.
    pub phase: Phase,
    /// A head as text (Latin-1), or what has failed.
    pub text: Option<&'a [u8]>,
    /// Bytes of a body.
    pub bytes: Option<&'a [u8]>,
    /// No more bytes follow.
    pub last: bool,
}

/// What a script said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Everything stays as it is.
    Unchanged,
    /// Edits as text (see [`super::edits`]), and the body that belongs to them.
    Edits(Option<Vec<u8>>),
    /// It will be told under this ticket, which is not 0.
    Pending(u32),
    /// It failed; the text says why.
    Failed,
}

/// What a script said, with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The kind.
    pub said: Said,
    /// Edits or a message.
    pub text: Vec<u8>,
}

/// Runs the scripts of one thread. A call comes from inside a pass; `text` is empty and takes the answer's text.
pub trait ScriptHost {
    /// Calls a script. It must not resume a ticket before it has returned that ticket.
    fn call(&self, call: &Call<'_>, text: &mut Vec<u8>) -> Said;
}

/// The scripts of one thread.
pub struct Scripts {
    host: Box<dyn ScriptHost>,
    slots: RefCell<Slots>,
    /// Used again from call to call.
    question: Cell<Vec<u8>>,
    answer: Cell<Vec<u8>>,
}

#[derive(Default)]
struct Slots {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

/// What an exchange waits for.
#[derive(Default)]
struct Entry {
    waits: [Option<Wait>; 2],
    waker: Option<Waker>,
}

struct Wait {
    ticket: u32,
    /// Who was asked about what: a wait that was given up is not another call's.
    asked: (u32, Phase),
    outcome: Option<Outcome>,
}

impl Scripts {
    /// The scripts that this host runs.
    pub fn new(host: Box<dyn ScriptHost>) -> Rc<Self> {
        Rc::new(Self { host, slots: RefCell::default(), question: Cell::default(), answer: Cell::default() })
    }

    /// A place for one exchange.
    pub fn enter(self: &Rc<Self>) -> Place {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.free.pop().unwrap_or_else(|| {
            slots.entries.push(Entry::default());
            u32::try_from(slots.entries.len() - 1).unwrap_or(u32::MAX)
        });
        Place(Seat { scripts: Rc::clone(self), slot })
    }

    /// Brings an answer that was promised. False: nobody waits for it any more.
    pub fn resume(&self, slot: u32, ticket: u32, outcome: Outcome) -> bool {
        let mut slots = self.slots.borrow_mut();
        let Some(entry) = slots.entries.get_mut(slot as usize) else { return false };
        let waiting = entry.waits.iter_mut().flatten().find(|wait| wait.ticket == ticket && wait.outcome.is_none());
        let Some(wait) = waiting else { return false };
        wait.outcome = Some(outcome);
        let waker = entry.waker.clone();
        drop(slots);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Takes back the text of an outcome that was used.
    pub fn reuse(&self, outcome: Outcome) {
        self.answer.set(outcome.text);
    }
}

/// An exchange's place among the scripts of its thread; given back when the exchange ends.
pub struct Place(Seat);

impl Place {
    /// The same place for a part of the exchange, which ends before it.
    pub fn share(&self) -> Seat {
        Seat { scripts: Rc::clone(&self.0.scripts), slot: self.0.slot }
    }
}

impl Deref for Place {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        &self.0
    }
}

/// A place, as long as its exchange lasts.
pub struct Seat {
    scripts: Rc<Scripts>,
    slot: u32,
}

impl Seat {
    /// Asks a script, once: while it is waited for, this is the wait. `write` writes the text that the call is about.
    /// With `expired` the wait ends here.
    pub fn poll(
        &self,
        cx: &mut Context<'_>,
        call: Call<'_>,
        expired: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Poll<Outcome> {
        if let Some(waited) = self.poll_wait(cx, (call.script, call.phase), expired) {
            return waited;
        }
        let mut question = self.scripts.question.take();
        question.clear();
        write(&mut question);
        let text = (!question.is_empty()).then_some(&*question);
        let outcome = self.call(&Call { slot: self.slot, text, ..call });
        self.scripts.question.set(question);
        let Said::Pending(ticket) = outcome.said else { return Poll::Ready(outcome) };
        self.scripts.answer.set(outcome.text);
        if let Some(entry) = self.scripts.slots.borrow_mut().entries.get_mut(self.slot as usize) {
            entry.waker = Some(cx.waker().clone());
            if let Some(wait) = entry.waits.get_mut(call.phase.side()) {
                *wait = Some(Wait { ticket, asked: (call.script, call.phase), outcome: None });
            }
        }
        Poll::Pending
    }

    /// Tells a script that it has failed.
    pub fn tell_failure(&self, script: u32, message: &[u8]) {
        let call =
            Call { script, slot: self.slot, phase: Phase::Failed, text: Some(message), bytes: None, last: false };
        let told = self.call(&call);
        self.scripts.reuse(told);
    }

    /// See [`Scripts::reuse`].
    pub fn reuse(&self, outcome: Outcome) {
        self.scripts.reuse(outcome);
    }

    fn call(&self, call: &Call<'_>) -> Outcome {
        let mut text = self.scripts.answer.take();
        text.clear();
        let said = self.scripts.host.call(call, &mut text);
        Outcome { said, text }
    }

    /// `None`: nothing is waited for.
    fn poll_wait(&self, cx: &Context<'_>, asked: (u32, Phase), expired: bool) -> Option<Poll<Outcome>> {
        let mut slots = self.scripts.slots.borrow_mut();
        let entry = slots.entries.get_mut(self.slot as usize)?;
        let place = entry.waits.get_mut(asked.1.side())?;
        place.take_if(|wait| wait.asked != asked);
        let wait = place.as_mut()?;
        if let Some(outcome) = wait.outcome.take() {
            *place = None;
            return Some(Poll::Ready(outcome));
        }
        if expired {
            *place = None;
            let text = b"it took longer than its `timeBudget`".to_vec();
            return Some(Poll::Ready(Outcome { said: Said::Failed, text }));
        }
        if !entry.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            entry.waker = Some(cx.waker().clone());
        }
        Some(Poll::Pending)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut slots = self.0.scripts.slots.borrow_mut();
        if let Some(entry) = slots.entries.get_mut(self.0.slot as usize) {
            *entry = Entry::default();
        }
        slots.free.push(self.0.slot);
    }
}
