//! The thread's timer wheel on one `uv_timer`, which is started anew only for a tick earlier than it is set for.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::ffi::{self, Raw};
use super::guard::guarded;
use super::local::with_local;
use super::wheel::{Key, Wheel};
use crate::clock;

pub(crate) const TICK: Duration = Duration::from_millis(1);

pub(crate) struct Timers {
    wheel: RefCell<Wheel>,
    /// Tick 0.
    epoch: Instant,
    /// The tick the `uv_timer` is set for, `u64::MAX` when it is not.
    set_for: Cell<u64>,
    /// Alive while `Timers` is: its data points here.
    handle: Raw,
}

impl Timers {
    /// `handle` is an initialised `uv_timer_t` that is closed before the Timers are dropped.
    pub(crate) fn new(handle: Raw) -> Timers {
        Timers { wheel: RefCell::new(Wheel::new()), epoch: Instant::now(), set_for: Cell::new(u64::MAX), handle }
    }

    /// Wakes `waker` at the end of the deadline's tick. Returns the entry and that moment.
    pub(crate) fn insert(&self, deadline: Instant, waker: &Waker) -> (Key, Instant) {
        let tick = self.tick_from(deadline);
        let waker = waker.clone();
        let key = self.wheel.borrow_mut().insert(tick, waker);
        self.set_for(tick);
        (key, self.moment(tick))
    }

    /// Moves an entry, fired or not. Returns the moment it is moved to.
    pub(crate) fn reset(&self, key: Key, deadline: Instant, waker: &Waker) -> Instant {
        let tick = self.tick_from(deadline);
        let waker = waker.clone();
        let old = self.wheel.borrow_mut().reset(key, tick, waker);
        drop(old);
        self.set_for(tick);
        self.moment(tick)
    }

    pub(crate) fn remove(&self, key: Key) {
        let old = self.wheel.borrow_mut().remove(key);
        drop(old);
    }

    /// Wakes all that is due and sets the `uv_timer` for what comes next.
    fn fire(&self) {
        clock::refresh();
        self.set_for.set(u64::MAX);
        let now = self.tick_now();
        loop {
            let due = self.wheel.borrow_mut().pop_due(now);
            let Some(waker) = due else { break };
            waker.wake();
        }
        let next = self.wheel.borrow().next_tick();
        if let Some(tick) = next {
            self.set_for(tick);
        }
    }

    fn set_for(&self, tick: u64) {
        if tick >= self.set_for.get() {
            return;
        }
        self.set_for.set(tick);
        // libuv counts from its own, older reading of the clock and may be early by that; then the wheel has nothing
        // due and the rest is waited for.
        let wait_ms = tick.saturating_sub(self.tick_now()).max(1);
        // SAFETY: the handle is an initialised timer of this thread's loop, not closing while Timers is in use.
        unsafe { ffi::uv_timer_start(self.handle, on_timer, wait_ms, 0) };
    }

    fn tick_now(&self) -> u64 {
        clock::now().saturating_duration_since(self.epoch).as_millis() as u64
    }

    /// The first tick that begins no earlier than `deadline`.
    fn tick_from(&self, deadline: Instant) -> u64 {
        deadline.saturating_duration_since(self.epoch).as_nanos().div_ceil(TICK.as_nanos()) as u64
    }

    fn moment(&self, tick: u64) -> Instant {
        self.epoch + Duration::from_millis(tick)
    }
}

unsafe extern "C" fn on_timer(_handle: Raw) {
    guarded(|| {
        with_local(|local| local.timers().fire());
    });
}
