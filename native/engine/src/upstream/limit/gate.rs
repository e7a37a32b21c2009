//! A bound that lets wait: places, exact over all workers, and a queue before them.
//!
//! One packed word says how many places are taken and how many wait; as long as nobody waits a place is one
//! compare-and-swap, and the queue is not touched. Invariants: the number of those who wait changes under the queue's
//! lock only; while somebody waits, the whole word changes under the lock only, so whoever gives back a place sees the
//! queue; who came first is first, except that a connection may be handed to somebody further behind who can use it as it
//! is, and nobody is passed over more than [`MAX_PASSED_OVER`] times. No wake-up is lost: a place that is given back
//! while somebody waits is his before the lock is released.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::padded::Padded;

/// How often one who waits sees a connection go to somebody behind him.
const MAX_PASSED_OVER: u8 = 8;

/// How far back somebody is looked for who can use a connection as it is.
const LOOKED_AT: usize = 16;

/// Tickets differ over all gates: a connection is laid aside under its ticket alone. Drawn under the queue's lock, they
/// say who came first.
static NEXT_TICKET: AtomicU64 = AtomicU64::new(0);

/// One place taken, in the packed word; its upper half counts those who wait.
const PLACE: u64 = 1;
const WAITER: u64 = 1 << 32;

/// The gate.
#[derive(Debug, Default)]
pub struct Gate {
    word: Padded<AtomicU64>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<u64, Waiter>,
    granted: BTreeMap<u64, Grant>,
    /// Who holds places without using them, by thread: woken when somebody waits.
    keepers: Vec<(u32, Waker)>,
}

#[derive(Debug)]
struct Waiter {
    ask: Ask,
    passed_over: u8,
    waker: Waker,
}

#[derive(Debug)]
enum Grant {
    Place,
    Connection,
}

/// What somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Places there are.
    pub max: u32,
    /// How many may wait.
    pub max_waiting: u32,
    /// The thread that he waits on.
    pub thread: u32,
    /// The endpoint that he wants to reach.
    pub endpoint: u32,
}

/// What somebody who waited gets.
#[derive(Debug)]
pub enum Granted {
    /// A place.
    Place(Place),
    /// A connection with its place, laid aside for this ticket on his own thread.
    Connection(u64),
}

/// As many wait as may.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// A place; given back on drop.
#[derive(Debug)]
#[must_use = "dropping it gives it back"]
pub struct Place(Arc<Gate>);

/// Somebody in the queue; leaves it on drop.
#[derive(Debug)]
#[must_use = "dropping it leaves the queue"]
pub struct Waiting {
    gate: Arc<Gate>,
    ticket: u64,
    over: bool,
}

type Woken = SmallVec<[Waker; 2]>;

impl Gate {
    /// A place, if one is free and nobody waits for it.
    pub fn take(self: &Arc<Self>, max: u32) -> Option<Place> {
        self.take_free(max).then(|| Place(Arc::clone(self)))
    }

    /// Joins the queue; all who hold places without using them are told.
    pub fn wait(self: &Arc<Self>, ask: Ask, waker: &Waker) -> Result<Waiting, Full> {
        let mut queue = self.queue.lock();
        if waiting(self.word.load(SeqCst)) >= ask.max_waiting {
            return Err(Full);
        }
        let ticket = NEXT_TICKET.fetch_add(1, SeqCst);
        queue.waiting.insert(ticket, Waiter { ask, passed_over: 0, waker: waker.clone() });
        self.word.fetch_add(WAITER, SeqCst);
        // A place may have come free since he looked, or there may be more of them than those before him knew.
        let mut woken = self.admit(&mut queue);
        if queue.waiting.contains_key(&ticket) {
            woken.extend(queue.keepers.iter().map(|(_, waker)| waker.clone()));
        }
        drop(queue);
        woken.into_iter().for_each(Waker::wake);
        Ok(Waiting { gate: Arc::clone(self), ticket, over: false })
    }

    /// Whether somebody waits.
    pub fn is_wanted(&self) -> bool {
        waiting(self.word.load(SeqCst)) > 0
    }

    /// Places taken now, and how many wait.
    pub fn counts(&self) -> (u32, u32) {
        let word = self.word.load(SeqCst);
        (places(word), waiting(word))
    }

    /// Whom to wake when places are wanted that a thread holds without using them.
    pub fn keep_told(&self, thread: u32, waker: &Waker) {
        let mut queue = self.queue.lock();
        match queue.keepers.iter_mut().find(|(known, _)| *known == thread) {
            Some((_, known)) => known.clone_from(waker),
            None => queue.keepers.push((thread, waker.clone())),
        }
    }

    /// A thread ends, or holds no places any more.
    pub fn forget(&self, thread: u32) {
        self.queue.lock().keepers.retain(|(known, _)| *known != thread);
    }

    /// Somebody who waits on `thread` for a connection to `endpoint`, and gets one with its place now: lay it aside for
    /// the ticket. `None`: nobody near the front does, or it is another's turn.
    pub fn hand_over(&self, thread: u32, endpoint: u32) -> Option<u64> {
        if !self.is_wanted() {
            return None;
        }
        let mut queue = self.queue.lock();
        let fits = |waiter: &Waiter| waiter.ask.thread == thread && waiter.ask.endpoint == endpoint;
        let may_pass = |waiter: &Waiter| waiter.passed_over < MAX_PASSED_OVER;
        let mut found = None;
        for (ticket, waiter) in queue.waiting.iter().take(LOOKED_AT) {
            if fits(waiter) {
                found = Some(*ticket);
                break;
            }
            if !may_pass(waiter) {
                break;
            }
        }
        let ticket = found?;
        queue.waiting.range_mut(..ticket).for_each(|(_, passed)| passed.passed_over += 1);
        let waker = queue.grant(ticket, Grant::Connection);
        self.word.fetch_sub(WAITER, SeqCst);
        drop(queue);
        waker.into_iter().for_each(Waker::wake);
        Some(ticket)
    }

    fn take_free(&self, max: u32) -> bool {
        let free = |word: u64| (waiting(word) == 0 && places(word) < max).then_some(word + PLACE);
        self.word.fetch_update(SeqCst, SeqCst, free).is_ok()
    }

    fn give_back(&self) {
        let unwanted = |word: u64| (waiting(word) == 0).then(|| word - PLACE);
        if self.word.fetch_update(SeqCst, SeqCst, unwanted).is_ok() {
            return;
        }
        let mut queue = self.queue.lock();
        self.word.fetch_sub(PLACE, SeqCst);
        let woken = self.admit(&mut queue);
        drop(queue);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Gives free places to those who wait, in their order. Under the lock.
    fn admit(&self, queue: &mut Queue) -> Woken {
        let mut woken = Woken::new();
        while let Some((ticket, first)) = queue.waiting.first_key_value() {
            if places(self.word.load(SeqCst)) >= first.ask.max {
                break;
            }
            let ticket = *ticket;
            // One step: nobody may see fewer who wait and still as many places.
            self.word.fetch_add(PLACE.wrapping_sub(WAITER), SeqCst);
            woken.extend(queue.grant(ticket, Grant::Place));
        }
        woken
    }
}

impl Queue {
    fn grant(&mut self, ticket: u64, grant: Grant) -> Option<Waker> {
        let waiter = self.waiting.remove(&ticket)?;
        self.granted.insert(ticket, grant);
        Some(waiter.waker)
    }
}

impl Place {
    /// The gate that it belongs to.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl Waiting {
    /// Ready when it is his turn; call no more after that.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Granted> {
        let mut queue = self.gate.queue.lock();
        let Some(grant) = queue.granted.remove(&self.ticket) else {
            if let Some(waiter) = queue.waiting.get_mut(&self.ticket) {
                waiter.waker.clone_from(cx.waker());
            }
            return Poll::Pending;
        };
        self.over = true;
        Poll::Ready(match grant {
            Grant::Place => Granted::Place(Place(Arc::clone(&self.gate))),
            Grant::Connection => Granted::Connection(self.ticket),
        })
    }

    /// The number under which a connection may lie aside for him.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut queue = self.gate.queue.lock();
        if queue.waiting.remove(&self.ticket).is_some() {
            self.gate.word.fetch_sub(WAITER, SeqCst);
            // Those behind him may know of more places than he did.
            let woken = self.gate.admit(&mut queue);
            drop(queue);
            woken.into_iter().for_each(Waker::wake);
            return;
        }
        // It was his turn, but he has gone. A connection laid aside gives its own place back.
        let granted = queue.granted.remove(&self.ticket);
        drop(queue);
        if matches!(granted, Some(Grant::Place)) {
            self.gate.give_back();
        }
    }
}

fn places(word: u64) -> u32 {
    (word & (WAITER - 1)) as u32
}

fn waiting(word: u64) -> u32 {
    (word >> 32) as u32
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
