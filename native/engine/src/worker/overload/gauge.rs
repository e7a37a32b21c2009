//! What a worker knows of pressure: its own loop's lag, read often, and the process's memory and CPU.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use weft_rt::Task;

use super::process;

/// How often a loop's lag is read.
const PACE: Duration = Duration::from_millis(10);

/// The pressure on one worker. Nothing is read while nobody asks for it.
#[derive(Default)]
pub struct Gauge {
    /// Grows with each reading.
    turn: Cell<u32>,
    lag: Cell<Duration>,
    task: RefCell<Option<Task>>,
}

impl Gauge {
    /// Reads from now on, or not any more.
    pub fn run(self: &Rc<Self>, wanted: bool) {
        let mut task = self.task.borrow_mut();
        if !wanted {
            *task = None;
        } else if task.is_none() {
            *task = Some(weft_rt::spawn(read(Rc::clone(self))));
        }
    }

    /// The number of the last reading.
    pub(super) fn turn(&self) -> u32 {
        self.turn.get()
    }

    /// How much later than it should the loop came to its timers.
    pub(super) fn lag(&self) -> Duration {
        self.lag.get()
    }

    /// Takes a reading.
    pub(super) fn note(&self, lag: Duration) {
        self.turn.set(self.turn.get().wrapping_add(1));
        self.lag.set(lag);
    }
}

/// A timer that is late by the length of the pass before it is the loop's lag.
async fn read(gauge: Rc<Gauge>) {
    let _counted = process::Reader::enter();
    loop {
        let due = weft_rt::now() + PACE;
        weft_rt::sleep(PACE).await;
        let now = weft_rt::now();
        process::refresh(now);
        gauge.note(now.saturating_duration_since(due));
    }
}
