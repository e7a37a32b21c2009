//! The runtime of one libuv loop: its handles, its tasks and its sockets, from install to the last close callback.
//!
//! Invariants: used by the loop's thread only; freed by the close callback of its last handle, so a reference taken
//! outside the loop's close phase stays good for the whole call; a ready task means that the idle handle is active,
//! so the loop never waits in poll with work to do.

use std::cell::{Cell, OnceCell, RefCell};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::executor::Executor;
use super::ffi::{self, Kind, Raw};
use super::guard::guarded;
use super::source::State;
use super::timers::Timers;
use super::{handle, remote::Remote};
use crate::current;

/// Where a runtime stands on its way to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Asked to close from within a pass: done when the pass is over, for a running task cannot be dropped.
    Asked,
    Closing,
}

pub(crate) struct Local {
    id: u64,
    uv_loop: Raw,
    phase: Cell<Phase>,
    executor: Executor,
    timers: Timers,
    /// All sockets of this runtime, each of which knows its place here.
    pub(crate) sources: RefCell<Vec<NonNull<State>>>,
    /// Prepare, check, idle, async and timer.
    handles: RefCell<Vec<(Raw, Kind)>>,
    /// Handles whose close callback is still to come, sockets included.
    open_handles: Cell<usize>,
    heartbeat: OnceCell<Arc<AtomicU64>>,
    gate: OnceCell<Gate>,
    after_pass: OnceCell<Box<dyn Fn()>>,
    closed: Cell<Option<Box<dyn FnOnce()>>>,
}

/// Says whether passes may run.
pub(crate) type Gate = Box<dyn Fn() -> bool>;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
const HEARTBEAT_MS: u64 = 250;

/// This thread's runtime, if it is libuv's.
#[inline]
pub(crate) fn with_local<R>(f: impl FnOnce(&Local) -> R) -> Option<R> {
    current::with(|current| {
        // SAFETY: non-null from install until the runtime closes, and freed only by a later close callback, which
        // cannot run inside `f`: nothing that calls this runs the loop.
        unsafe { current.uv.get().as_ref() }.map(f)
    })
}

impl Local {
    /// Builds the runtime of `uv_loop` and makes it this thread's.
    ///
    /// # Safety
    /// A live `uv_loop_t` of this thread, which will run until the close callbacks have been called.
    pub(crate) unsafe fn install(uv_loop: Raw) -> std::io::Result<NonNull<Local>> {
        let kinds = [Kind::Prepare, Kind::Check, Kind::Idle, Kind::Async, Kind::Timer];
        let [prepare, check, idle, wake, timer] = kinds.map(|kind| handle::allocate(kind, 0));
        // SAFETY: fresh memory of the right size, the caller's loop. All but async's cannot fail.
        let code = unsafe {
            ffi::uv_prepare_init(uv_loop, prepare);
            ffi::uv_check_init(uv_loop, check);
            ffi::uv_idle_init(uv_loop, idle);
            ffi::uv_timer_init(uv_loop, timer);
            ffi::uv_async_init(uv_loop, wake, on_nothing)
        };
        let mut handles =
            vec![(prepare, Kind::Prepare), (check, Kind::Check), (idle, Kind::Idle), (timer, Kind::Timer)];
        if code == 0 {
            handles.push((wake, Kind::Async));
        } else {
            // SAFETY: libuv did not take it.
            unsafe { handle::free(wake, Kind::Async, 0) };
        }
        let local = NonNull::from(Box::leak(Box::new(Local {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            uv_loop,
            phase: Cell::new(Phase::Open),
            executor: Executor::new(Arc::new(Remote::new(wake)), idle),
            timers: Timers::new(timer),
            sources: RefCell::default(),
            open_handles: Cell::new(handles.len()),
            handles: RefCell::new(handles),
            heartbeat: OnceCell::new(),
            gate: OnceCell::new(),
            after_pass: OnceCell::new(),
            closed: Cell::new(None),
        })));
        // SAFETY: just leaked; handles are initialised.
        let this = unsafe { local.as_ref() };
        for (raw, kind) in this.handles.borrow().iter() {
            // SAFETY: as above. What keeps a loop alive is sockets and, through the idle handle, ready tasks: the
            // first pass is what arms a new listener.
            unsafe {
                ffi::uv_handle_set_data(*raw, local.as_ptr().cast());
                if *kind != Kind::Idle {
                    ffi::uv_unref(*raw);
                }
            }
        }
        current::with(|current| current.uv.set(local.as_ptr()));
        if let Err(error) = ffi::check(code) {
            Local::close(local, Box::new(|| {}));
            return Err(error);
        }
        // SAFETY: initialised handles of this loop.
        unsafe {
            ffi::uv_prepare_start(prepare, on_pass);
            ffi::uv_check_start(check, on_pass);
        }
        Ok(local)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn uv_loop(&self) -> Raw {
        self.uv_loop
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    pub(crate) fn executor(&self) -> &Executor {
        &self.executor
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase.get() == Phase::Open
    }

    pub(crate) fn handle_opened(&self) {
        self.open_handles.set(self.open_handles.get() + 1);
    }

    /// Counts each pass in `counter`, and a tick of a timer so that an idle loop is seen to live. The first call wins.
    pub(crate) fn set_heartbeat(&self, counter: Arc<AtomicU64>) {
        if self.heartbeat.set(counter).is_err() || !self.is_open() {
            return;
        }
        let timer = handle::allocate(Kind::Timer, 0);
        self.handle_opened();
        self.handles.borrow_mut().push((timer, Kind::Timer));
        // SAFETY: fresh memory of a timer's size; it lives until its close callback.
        unsafe {
            ffi::uv_timer_init(self.uv_loop, timer);
            ffi::uv_handle_set_data(timer, std::ptr::from_ref(self).cast_mut().cast());
            ffi::uv_timer_start(timer, on_nothing, HEARTBEAT_MS, HEARTBEAT_MS);
            ffi::uv_unref(timer);
        }
    }

    /// Asks `gate` before each pass. The first call wins.
    pub(crate) fn set_gate(&self, gate: Gate) {
        let _known = self.gate.set(gate);
    }

    /// Calls `hook` after each pass. The first call wins.
    pub(crate) fn set_after_pass(&self, hook: Box<dyn Fn()>) {
        let _known = self.after_pass.set(hook);
    }

    fn pass(&self) {
        if self.gate.get().is_some_and(|is_open| !is_open()) {
            return;
        }
        if let Some(heartbeat) = self.heartbeat.get() {
            heartbeat.fetch_add(1, Ordering::Relaxed);
        }
        self.executor.pass();
        if let Some(hook) = self.after_pass.get() {
            hook();
        }
    }

    /// Ends the runtime: tasks, then sockets, then handles; `closed` is called by the last close callback.
    pub(crate) fn close(this: NonNull<Local>, closed: Box<dyn FnOnce()>) {
        // SAFETY: the caller holds the Runtime, which exists once; the Local is freed only after Closing.
        let local = unsafe { this.as_ref() };
        local.closed.set(Some(closed));
        if local.executor.in_pass() {
            local.phase.set(Phase::Asked);
        } else {
            local.tear_down();
        }
    }

    fn tear_down(&self) {
        self.phase.set(Phase::Closing);
        self.executor.drop_tasks();
        loop {
            let source = self.sources.borrow().last().copied();
            let Some(source) = source else { break };
            // SAFETY: registered sources are alive: they leave the list before they are freed.
            unsafe { State::close(source) };
        }
        current::with(|current| current.uv.set(std::ptr::null()));
        for (raw, _) in self.handles.borrow().iter() {
            // SAFETY: open handles of this loop, closed once: the phase is left only here.
            unsafe { ffi::uv_close(*raw, Some(on_closed)) };
        }
    }
}

/// One handle's close callback has come; the last one frees the runtime.
///
/// # Safety
/// `local` has counted the handle as open.
pub(crate) unsafe fn handle_closed(local: *const Local) {
    // SAFETY: alive while it counts an open handle.
    let this = unsafe { &*local };
    let left = this.open_handles.get() - 1;
    this.open_handles.set(left);
    if left == 0 {
        // SAFETY: leaked by `install`; nothing points to it any more: the thread's pointer is cleared, tasks and
        // handles are gone. Sources still held have left the list and look at their own flag.
        let local = unsafe { Box::from_raw(local.cast_mut()) };
        let closed = local.closed.take();
        drop(local);
        if let Some(closed) = closed {
            closed();
        }
    }
}

unsafe extern "C" fn on_pass(raw: Raw) {
    // SAFETY: set by `install`; the handle is closed before the Local is freed.
    let local = unsafe { &*ffi::uv_handle_get_data(raw).cast::<Local>() };
    guarded(|| local.pass());
    if local.phase.get() == Phase::Asked {
        guarded(|| local.tear_down());
    }
}

/// For handles that only have to make the loop go round.
unsafe extern "C" fn on_nothing(_raw: Raw) {}

unsafe extern "C" fn on_closed(raw: Raw) {
    // SAFETY: one of `handles`, whose data is the Local and which libuv has let go of.
    guarded(|| unsafe {
        let local = ffi::uv_handle_get_data(raw).cast::<Local>();
        let kind = (*local).handles.borrow().iter().find(|(known, _)| *known == raw).map(|(_, kind)| *kind);
        if let Some(kind) = kind {
            handle::free(raw, kind, 0);
        }
        handle_closed(local);
    });
}
