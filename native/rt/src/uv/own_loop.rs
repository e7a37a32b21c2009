//! A libuv loop of one's own, for tests and benches: with it `run` is the counterpart of `tokio_rt::run`.

use std::cell::Cell;
use std::ffi::c_int;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::task::Poll;

use super::ffi::{self, Kind, Raw};
use super::{Runtime, handle};

#[link(name = "uv")]
unsafe extern "C" {
    fn uv_loop_size() -> usize;
    fn uv_loop_init(uv_loop: Raw) -> c_int;
    fn uv_run(uv_loop: Raw, mode: c_int) -> c_int;
    fn uv_loop_alive(uv_loop: Raw) -> c_int;
    fn uv_ref(handle: Raw);
    fn uv_loop_close(uv_loop: Raw) -> c_int;
}

const UV_RUN_DEFAULT: c_int = 0;
const UV_RUN_ONCE: c_int = 1;

/// A loop that waits even while nothing on it is alive.
pub struct OwnLoop {
    /// The `uv_loop_t`, aligned to 16.
    _memory: Vec<u128>,
    raw: Raw,
    keeper: Raw,
}

impl OwnLoop {
    /// # Panics
    /// When libuv has no loop for us.
    #[allow(clippy::new_without_default, reason = "it asks the kernel for descriptors")]
    pub fn new() -> OwnLoop {
        // SAFETY: a pure function.
        let words = unsafe { uv_loop_size() }.div_ceil(size_of::<u128>());
        let mut memory = vec![0u128; words];
        let raw: Raw = memory.as_mut_ptr().cast();
        // SAFETY: memory of the loop's size that neither moves nor goes before the loop is closed.
        assert_eq!(unsafe { uv_loop_init(raw) }, 0, "libuv has no loop for us");
        assert!(ffi::available(), "libuv is linked");
        let keeper = handle::allocate(Kind::Async, 0);
        // SAFETY: fresh memory of an async handle's size.
        unsafe { ffi::uv_async_init(raw, keeper, on_nothing) };
        OwnLoop { _memory: memory, raw, keeper }
    }

    /// The `uv_loop_t`.
    pub fn raw(&self) -> Raw {
        self.raw
    }

    /// One turn, which waits for an event.
    pub fn turn(&self) {
        // SAFETY: an initialised loop of this thread: an OwnLoop is not Send.
        unsafe { uv_run(self.raw, UV_RUN_ONCE) };
    }

    /// Whether anything but the OwnLoop itself keeps the loop alive.
    pub fn is_alive(&self) -> bool {
        // SAFETY: as above; the keeper is open.
        unsafe {
            ffi::uv_unref(self.keeper);
            let alive = uv_loop_alive(self.raw) != 0;
            uv_ref(self.keeper);
            alive
        }
    }

    /// Runs until nothing is alive and closes the loop.
    ///
    /// # Panics
    /// When a handle is left on it.
    pub fn finish(self) {
        // SAFETY: as above; the keeper is closed once and freed after its callback.
        let left = unsafe {
            ffi::uv_close(self.keeper, Some(on_nothing));
            uv_run(self.raw, UV_RUN_DEFAULT);
            handle::free(self.keeper, Kind::Async, 0);
            uv_loop_close(self.raw)
        };
        assert_eq!(left, 0, "a handle is left on the loop");
    }
}

impl fmt::Debug for OwnLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnLoop")
    }
}

/// Runs `future` and everything it spawns on a new loop of this thread; tasks still running when it ends are dropped.
///
/// # Panics
/// When `future` panics, and when closing everything leaves a handle on the loop.
pub fn run<F>(future: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    let own = OwnLoop::new();
    // SAFETY: the loop just made, run until everything is closed.
    let runtime = match unsafe { Runtime::install(own.raw()) } {
        Ok(runtime) => runtime,
        Err(error) => resume_unwind(Box::new(error.to_string())),
    };
    let outcome = Rc::new(Cell::new(None));
    crate::spawn(caught(future, Rc::clone(&outcome))).detach();
    let result = loop {
        own.turn();
        if let Some(result) = outcome.take() {
            break result;
        }
    };
    runtime.close(|| {});
    match result {
        Ok(output) => {
            own.finish();
            output
        }
        Err(payload) => resume_unwind(payload),
    }
}

type Outcome<T> = Rc<Cell<Option<std::thread::Result<T>>>>;

/// Stores what `future` returns or panics with.
async fn caught<F: Future>(future: F, outcome: Outcome<F::Output>) {
    let mut future = Box::pin(future);
    poll_fn(move |cx| {
        let result = match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        outcome.set(Some(result));
        Poll::Ready(())
    })
    .await;
}

unsafe extern "C" fn on_nothing(_handle: Raw) {}
