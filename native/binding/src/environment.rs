//! One thread's environment: the engine's runtime on its loop, installed at the first attach, ended by a clean-up hook.
//!
//! The hook is asynchronous: Node keeps the loop going until the last close callback has removed it.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use napi::{Env, Result, sys};

use crate::error::failed;
use crate::{door, javascript};

thread_local! {
    static RUNTIME: RefCell<Option<weft_rt::uv::Runtime>> = const { RefCell::new(None) };
    static LOOP: Cell<*mut c_void> = const { Cell::new(ptr::null_mut()) };
}

/// Installs this thread's runtime unless it is there.
pub(crate) fn enter(env: &Env, heartbeat: Arc<AtomicU64>) -> Result<()> {
    if RUNTIME.with_borrow(Option::is_some) {
        return Ok(());
    }
    let mut uv_loop = ptr::null_mut();
    // SAFETY: `env` is the environment of the running call, on its own thread.
    let status = unsafe { sys::napi_get_uv_event_loop(env.raw(), &raw mut uv_loop) };
    if status != sys::Status::napi_ok {
        return Err(failed("no event loop", &status));
    }
    let uv_loop = uv_loop.cast::<c_void>();
    // SAFETY: the loop is this thread's own; the hook below closes the runtime before Node closes the loop, and the
    // addon is linked with `nodelete`.
    let runtime =
        unsafe { weft_rt::uv::Runtime::install(uv_loop) }.map_err(|error| failed("cannot use the loop", &error))?;
    runtime.set_heartbeat(heartbeat);
    let raw = env.raw();
    runtime.set_gate(move || is_running(raw));
    javascript::enter(env)?;
    runtime.set_after_pass(|| {
        door::tell_lost();
        javascript::end_pass();
    });
    LOOP.set(uv_loop);
    RUNTIME.set(Some(runtime));
    if !weft_rt::is_main_thread() {
        // A thread of ours. Refused, it runs as any other.
        let _ = weft_rt::ask_for_short_slices();
    }
    // SAFETY: `leave` needs no argument and removes itself; the environment is alive.
    let status = unsafe { sys::napi_add_async_cleanup_hook(env.raw(), Some(leave), ptr::null_mut(), ptr::null_mut()) };
    if status != sys::Status::napi_ok {
        RUNTIME.take();
        return Err(failed("cannot follow the environment's end", &status));
    }
    Ok(())
}

/// Whether the environment may still run JavaScript; it may not once its end, wanted or by force, has been decided.
///
/// Node-API has no question for that. Calls that could run JavaScript refuse before they look at their arguments, and
/// `napi_throw` without a value does nothing else.
pub(crate) fn is_running(env: sys::napi_env) -> bool {
    // SAFETY: passes run on the environment's own thread, and the runtime is closed before the environment is freed.
    let status = unsafe { sys::napi_throw(env, ptr::null_mut()) };
    !matches!(status, sys::Status::napi_pending_exception | sys::Status::napi_cannot_run_js)
}

/// Whether this thread is a worker: it must not wait for itself.
pub(crate) fn is_worker() -> bool {
    RUNTIME.with_borrow(Option::is_some)
}

/// The environment ends, wanted or by force.
unsafe extern "C" fn leave(hook: sys::napi_async_cleanup_hook_handle, _argument: *mut c_void) {
    let ended = std::panic::catch_unwind(|| {
        let uv_loop = LOOP.replace(ptr::null_mut());
        if !uv_loop.is_null() {
            // SAFETY: the loop of this thread, still running. What a uWebSockets.js app left open would abort the
            // process when its handles outlive their loop.
            unsafe { weft_rt::uv::close_foreign_polls(uv_loop) };
        }
        javascript::leave();
        door::leave();
        RUNTIME.take()
    });
    // SAFETY: the handle was given to this hook and is removed once.
    let remove = move || unsafe {
        sys::napi_remove_async_cleanup_hook(hook);
    };
    match ended {
        Ok(Some(runtime)) => runtime.close(remove),
        Ok(None) | Err(_) => remove(),
    }
}
