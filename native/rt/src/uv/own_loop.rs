//! A loop of one's own, for tests and benches: the libuv counterpart of `tokio_rt::run`.

use std::cell::Cell;
use std::ffi::c_int;
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
    fn uv_loop_close(uv_loop: Raw) -> c_int;
}

const UV_RUN_DEFAULT: c_int = 0;
const UV_RUN_ONCE: c_int = 1;

thread_local! {
    static LOOP: Cell<Raw> = const { Cell::new(std::ptr::null_mut()) };
}

/// The loop that [`run`] runs on this thread.
pub fn raw_loop() -> Raw {
    LOOP.get()
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
    let words = loop_words();
    let mut memory = vec![0u128; words];
    let uv_loop: Raw = memory.as_mut_ptr().cast();
    // SAFETY: zeroed memory of the loop's size, which outlives all use of it.
    assert_eq!(unsafe { uv_loop_init(uv_loop) }, 0, "libuv has a loop for us");
    LOOP.set(uv_loop);
    // SAFETY: the loop just made, run below until everything is closed.
    let runtime = match unsafe { Runtime::install(uv_loop) } {
        Ok(runtime) => runtime,
        Err(error) => resume_unwind(Box::new(error.to_string())),
    };
    let keeper = handle::allocate(Kind::Async, 0);
    // SAFETY: fresh memory of an async handle's size. Keeps the loop alive while only tasks wait.
    unsafe { ffi::uv_async_init(uv_loop, keeper, on_nothing) };

    let output = Rc::new(Cell::new(None));
    crate::spawn(caught(future, Rc::clone(&output))).detach();
    let result = loop {
        // SAFETY: an initialised loop of this thread.
        unsafe { uv_run(uv_loop, UV_RUN_ONCE) };
        if let Some(result) = output.take() {
            break result;
        }
    };
    runtime.close(|| {});
    // SAFETY: as above; the handle is freed after its callback has come.
    let left = unsafe {
        ffi::uv_close(keeper, Some(on_nothing));
        uv_run(uv_loop, UV_RUN_DEFAULT);
        handle::free(keeper, Kind::Async, 0);
        uv_loop_close(uv_loop)
    };
    LOOP.set(std::ptr::null_mut());
    match result {
        Ok(_) if left != 0 => resume_unwind(Box::new("a handle was left on the loop")),
        Ok(output) => output,
        Err(payload) => resume_unwind(payload),
    }
}

/// In words of 16 bytes, for alignment.
fn loop_words() -> usize {
    // SAFETY: a pure function.
    unsafe { uv_loop_size() }.div_ceil(size_of::<u128>())
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
