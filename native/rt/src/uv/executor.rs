//! Runs this thread's ready tasks, in passes from `uv_prepare` and `uv_check` only.
//!
//! A wake on this thread pushes to the deque; callbacks never poll a task. A pass takes the queue as it stood at its
//! start, for at most a millisecond; while anything is left the idle handle keeps the loop from waiting in poll.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_task::{Builder, Runnable, Task};

use super::ffi::{self, Raw};
use super::group::{Group, Member};
use super::guard::guarded;
use super::local::with_local;
use super::remote::Remote;
use crate::{clock, current};

const MAX_PASS: Duration = Duration::from_millis(1);
/// The clock is read once per so many polls: reading costs 25 ns, a poll some microseconds.
const POLLS_PER_CLOCK_READING: usize = 16;

pub(crate) struct Executor {
    ready: RefCell<VecDeque<Runnable>>,
    /// Group and waker of each unfinished task, by the task's key: how they are found when they are to end.
    unfinished: RefCell<Vec<Option<(u32, Waker)>>>,
    /// Groups that have not ended.
    groups: RefCell<Vec<Rc<Group>>>,
    /// The group of the running task, or of who spawns.
    group: RefCell<Member>,
    free_keys: RefCell<Vec<usize>>,
    remote: Arc<Remote>,
    idle: Raw,
    idle_active: Cell<bool>,
    in_pass: Cell<bool>,
    /// The last pass left ready tasks for the next one.
    behind: Cell<bool>,
}

/// Starts the task of [`crate::spawn`]; None when the runtime is closing.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) -> Option<Task<()>> {
    with_local(|local| local.is_open().then(|| local.executor().spawn(future))).flatten()
}

impl Executor {
    /// `idle` is an initialised `uv_idle_t` that outlives the executor's use.
    pub(crate) fn new(remote: Arc<Remote>, idle: Raw) -> Executor {
        Executor {
            ready: RefCell::default(),
            unfinished: RefCell::default(),
            groups: RefCell::default(),
            group: RefCell::default(),
            free_keys: RefCell::default(),
            remote,
            idle,
            idle_active: Cell::new(false),
            in_pass: Cell::new(false),
            behind: Cell::new(false),
        }
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Task<()> {
        let key = self.reserve_key();
        let group = self.group.borrow().clone();
        let id = group.as_ref().map_or(NO_GROUP, |group| group.id);
        let remote = Arc::clone(&self.remote);
        let schedule = move |runnable| schedule(&remote, runnable);
        // SAFETY: the future is not Send, so it may be polled and dropped on this thread only. Runnables are run and
        // dropped by `pass` and `drop_tasks`; other threads hand them to `Remote`, which never drops one. A waker
        // that is dropped elsewhere as the last reference schedules the task instead of dropping the future. The
        // schedule function is Send and Sync, and both are 'static.
        let (runnable, task) =
            unsafe { Builder::new().spawn_unchecked(move |()| Tracked { future, key, group }, schedule) };
        if let Some(entry) = self.unfinished.borrow_mut().get_mut(key) {
            *entry = Some((id, runnable.waker()));
        }
        runnable.schedule();
        task
    }

    pub(crate) fn in_pass(&self) -> bool {
        self.in_pass.get()
    }

    pub(crate) fn pass(&self) {
        // A task that runs the loop itself would come back here.
        if self.in_pass.get() {
            return;
        }
        clock::refresh();
        self.remote.drain_into(&mut *self.ready.borrow_mut());
        let ready = self.ready.borrow().len();
        if ready > 0 {
            current::count_pass();
            self.in_pass.set(true);
            self.run(ready);
            self.in_pass.set(false);
            clock::refresh();
            // For calls from outside tasks.
            current::refill_allowance();
        }
        let behind = !self.ready.borrow().is_empty();
        self.behind.set(behind);
        self.keep_loop_awake(behind);
    }

    /// Whether tasks that were woken before the last look at the sockets have not run yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind.get()
    }

    fn run(&self, ready: usize) {
        let started = clock::now();
        for polled in 1..=ready {
            let next = self.ready.borrow_mut().pop_front();
            let Some(runnable) = next else { break };
            current::refill_allowance();
            guarded(|| {
                runnable.run();
            });
            self.set_group(None);
            if polled % POLLS_PER_CLOCK_READING == 0 && Instant::now() - started > MAX_PASS {
                break;
            }
        }
    }

    /// Drops all futures. Nothing is polled, nothing can be spawned any more.
    pub(crate) fn drop_tasks(&self) {
        self.remote.drain_into(&mut *self.ready.borrow_mut());
        self.remote.close();
        loop {
            self.wake_unfinished(|_| true);
            let ready = std::mem::take(&mut *self.ready.borrow_mut());
            if ready.is_empty() {
                break;
            }
            for runnable in ready {
                guarded(|| drop(runnable));
            }
        }
        self.keep_loop_awake(false);
    }

    /// What is spawned from now on belongs to this group. Returns the one before.
    pub(crate) fn enter_group(&self, id: u32) -> Member {
        let known = self.groups.borrow().iter().find(|group| group.id == id).cloned();
        let group = known.unwrap_or_else(|| {
            let group = Rc::new(Group { id, ended: Cell::new(false) });
            self.groups.borrow_mut().push(Rc::clone(&group));
            group
        });
        self.group.replace(Some(group))
    }

    pub(crate) fn set_group(&self, before: Member) {
        self.group.replace(before);
    }

    /// Whether tasks of the group are left, which are woken to end.
    pub(crate) fn end_group(&self, id: u32) -> bool {
        self.groups.borrow_mut().retain(|group| {
            if group.id == id {
                group.ended.set(true);
            }
            group.id != id
        });
        self.wake_unfinished(|of| of == id)
    }

    /// Whether there were any.
    fn wake_unfinished(&self, chosen: impl Fn(u32) -> bool) -> bool {
        let unfinished = self.unfinished.borrow();
        let wakers: Vec<Waker> =
            unfinished.iter().flatten().filter(|(of, _)| chosen(*of)).map(|(_, waker)| waker.clone()).collect();
        drop(unfinished);
        let any = !wakers.is_empty();
        wakers.into_iter().for_each(Waker::wake);
        any
    }

    fn push(&self, runnable: Runnable) {
        self.ready.borrow_mut().push_back(runnable);
        // Also outside a pass: another library's prepare callback may run after ours and wake a task just before
        // the loop waits.
        if !self.in_pass.get() {
            self.keep_loop_awake(true);
        }
    }

    fn keep_loop_awake(&self, awake: bool) {
        if self.idle_active.replace(awake) == awake {
            return;
        }
        // SAFETY: an initialised idle handle of this thread's loop, not closing while tasks can be woken.
        unsafe {
            if awake {
                ffi::uv_idle_start(self.idle, on_idle);
            } else {
                ffi::uv_idle_stop(self.idle);
            }
        }
    }

    fn reserve_key(&self) -> usize {
        self.free_keys.borrow_mut().pop().unwrap_or_else(|| {
            let mut unfinished = self.unfinished.borrow_mut();
            unfinished.push(None);
            unfinished.len() - 1
        })
    }

    fn release_key(&self, key: usize) {
        let waker = self.unfinished.borrow_mut().get_mut(key).and_then(Option::take);
        self.free_keys.borrow_mut().push(key);
        drop(waker);
    }
}

/// Puts a woken task where its own thread finds it.
fn schedule(remote: &Arc<Remote>, runnable: Runnable) {
    let mut runnable = Some(runnable);
    with_local(|local| {
        if Arc::ptr_eq(&local.executor().remote, remote)
            && let Some(runnable) = runnable.take()
        {
            local.executor().push(runnable);
        }
    });
    if let Some(runnable) = runnable {
        remote.push(runnable);
    }
}

unsafe extern "C" fn on_idle(_handle: Raw) {}

/// Of tasks that belong to the thread as a whole.
const NO_GROUP: u32 = 0;

/// A task's future, which signs off when it is dropped.
struct Tracked<F> {
    future: F,
    key: usize,
    group: Member,
}

impl<F: Future<Output = ()>> Future for Tracked<F> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(group) = &self.group {
            if group.ended.get() {
                return Poll::Ready(());
            }
            with_local(|local| local.executor().set_group(Some(Rc::clone(group))));
        }
        // SAFETY: `future` is pinned whenever `self` is: it is never moved out, and Drop does not touch it.
        unsafe { self.map_unchecked_mut(|tracked| &mut tracked.future) }.poll(cx)
    }
}

impl<F> Drop for Tracked<F> {
    fn drop(&mut self) {
        with_local(|local| local.executor().release_key(self.key));
    }
}
