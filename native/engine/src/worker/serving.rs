//! A listener as one worker serves it, and the configuration that an exchange runs under.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;

use crate::http::parse::HeadLimits;
use crate::snapshot::{Generation, GenerationListener, ListenerLimits};
use crate::telemetry::access_log::{DEFAULT_QUEUE_BYTES, LogQueue};
use crate::worker::overload::Shedder;

/// A listener as one worker serves it; it outlives generations, and its connections outlive its removal.
pub struct Serving {
    view: RefCell<View>,
    /// Connections open over all workers.
    pub connections: Arc<AtomicU32>,
    /// How many of its requests are shed here.
    pub shedder: Shedder,
    closing: Cell<bool>,
    /// The task that accepts.
    acceptor: RefCell<Option<Waker>>,
}

/// A generation, and which of its listeners is meant.
#[derive(Clone)]
pub struct View {
    /// The configuration.
    pub generation: Rc<Arc<Generation>>,
    /// Where its access log goes from this worker.
    pub log: Option<Rc<LogQueue>>,
    index: usize,
}

impl View {
    /// A listener of a generation; `None` when there is no such index.
    pub fn new(generation: &Rc<Arc<Generation>>, index: usize) -> Option<Self> {
        let listener = generation.listeners.get(index)?;
        let log = listener.access_log.as_ref().map(|log| Rc::new(log.sink.queue(DEFAULT_QUEUE_BYTES)));
        Some(Self { generation: Rc::clone(generation), log, index })
    }

    /// Place of the listener in its generation.
    pub fn index(&self) -> u16 {
        u16::try_from(self.index).unwrap_or(u16::MAX)
    }

    /// The listener.
    #[expect(clippy::indexing_slicing, reason = "the index was checked against this very generation by `new`")]
    pub fn listener(&self) -> &GenerationListener {
        &self.generation.listeners[self.index]
    }
}

impl Serving {
    /// A listener that starts to be served.
    pub fn new(view: View, connections: Arc<AtomicU32>) -> Self {
        Self {
            view: RefCell::new(view),
            connections,
            shedder: Shedder::default(),
            closing: Cell::new(false),
            acceptor: RefCell::default(),
        }
    }

    /// The configuration in force for a new exchange.
    pub fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// The listener's part of a newer generation.
    pub fn renew(&self, view: View) {
        *self.view.borrow_mut() = view;
    }

    /// Bounds for the next head.
    pub fn limits(&self) -> (ListenerLimits, HeadLimits) {
        let view = self.view.borrow();
        let listener = view.listener();
        (listener.limits, listener.head_limits)
    }

    /// The listener goes: what waits to be accepted still is, then accepting ends; connections end after their exchange.
    pub fn close(&self) {
        self.closing.set(true);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.wake();
        }
    }

    /// Whom to wake when the listener goes.
    pub fn listen(&self, waker: &Waker) {
        let mut known = self.acceptor.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Whether the listener goes.
    pub fn is_closing(&self) -> bool {
        self.closing.get()
    }
}

/// A connection's place in the listener's count; given back when it ends, however it ends.
pub struct Admitted {
    /// The listener.
    pub serving: Rc<Serving>,
    within: bool,
}

impl Admitted {
    /// A place for one more connection; see [`Admitted::is_within`].
    pub fn take(serving: &Rc<Serving>) -> Self {
        let max = serving.limits().0.max_connections;
        let within = serving.connections.fetch_add(1, Ordering::Relaxed) < max;
        if !within {
            // A connection that is being refused must not keep the place of one that could be served.
            serving.connections.fetch_sub(1, Ordering::Relaxed);
        }
        Self { serving: Rc::clone(serving), within }
    }

    /// For a request without a connection of the listener's.
    pub fn uncounted(serving: &Rc<Serving>) -> Self {
        Self { serving: Rc::clone(serving), within: false }
    }

    /// Whether the connection is within the listener's bound.
    pub fn is_within(&self) -> bool {
        self.within
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if self.within {
            self.serving.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
