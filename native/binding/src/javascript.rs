//! Calls into JavaScript from a pass: a handle scope and a callback scope open at the first one and close when the pass
//! is over, which is when promises that were settled meanwhile go on.
//!
//! Invariants: on the environment's own thread, in a task or in the hook behind a pass; no borrow, lock or scratch slice
//! of the caller is alive across a call, for what is called may call back. What a call throws goes to the process as
//! an uncaught exception, as from any of Node's own callbacks.

use std::cell::Cell;
use std::ptr;

use napi::{Env, Result, sys};

use crate::error::failed;

#[derive(Clone, Copy)]
struct Here {
    env: sys::napi_env,
    context: sys::napi_async_context,
}

#[derive(Clone, Copy)]
struct Scopes {
    handles: sys::napi_handle_scope,
    callback: sys::napi_callback_scope,
}

thread_local! {
    static HERE: Cell<Option<Here>> = const { Cell::new(None) };
    static OPEN: Cell<Option<Scopes>> = const { Cell::new(None) };
}

/// Makes this thread's environment the one that is called into.
pub(crate) fn enter(env: &Env) -> Result<()> {
    let env = env.raw();
    let (mut name, mut context) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: inside a call from JavaScript on the environment's own thread; the text lives for ever.
    let status = unsafe {
        let named = sys::napi_create_string_utf8(env, c"weft".as_ptr(), 4, &raw mut name);
        if named == sys::Status::napi_ok {
            sys::napi_async_init(env, ptr::null_mut(), name, &raw mut context)
        } else {
            named
        }
    };
    if status != sys::Status::napi_ok {
        return Err(failed("cannot call back", &status));
    }
    HERE.set(Some(Here { env, context }));
    Ok(())
}

/// The environment ends; what it gave is freed with it.
pub(crate) fn leave() {
    HERE.set(None);
    OPEN.set(None);
}

/// Runs `call` where JavaScript may be called; `None` when it may not any more. An exception that is pending afterwards
/// is handed to the process.
pub(crate) fn within<R>(call: impl FnOnce(sys::napi_env) -> R) -> Option<R> {
    let here = HERE.get()?;
    if OPEN.get().is_none() {
        OPEN.set(Some(open(here)?));
    }
    let result = call(here.env);
    hand_over_exception(here.env);
    Some(result)
}

fn open(here: Here) -> Option<Scopes> {
    let (mut handles, mut callback) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the environment of this thread, not ended: `leave` would have been called. Both are closed by `end_pass`,
    // in reverse.
    unsafe {
        if sys::napi_open_handle_scope(here.env, &raw mut handles) != sys::Status::napi_ok {
            return None;
        }
        let status = sys::napi_open_callback_scope(here.env, ptr::null_mut(), here.context, &raw mut callback);
        if status != sys::Status::napi_ok {
            sys::napi_close_handle_scope(here.env, handles);
            return None;
        }
    }
    Some(Scopes { handles, callback })
}

/// The pass is over: what it called into is left.
pub(crate) fn end_pass() {
    let (Some(here), Some(scopes)) = (HERE.get(), OPEN.take()) else { return };
    // SAFETY: opened by `open` in this pass, on this thread. Closing the callback scope runs what promises and
    // `process.nextTick` have waiting; it may call the addon, which opens scopes of its own only in a later pass.
    unsafe {
        sys::napi_close_callback_scope(here.env, scopes.callback);
        sys::napi_close_handle_scope(here.env, scopes.handles);
    }
}

fn hand_over_exception(env: sys::napi_env) {
    let (mut pending, mut exception) = (false, ptr::null_mut());
    // SAFETY: the environment of this thread, inside the scopes of `within`.
    unsafe {
        sys::napi_is_exception_pending(env, &raw mut pending);
        if pending && sys::napi_get_and_clear_last_exception(env, &raw mut exception) == sys::Status::napi_ok {
            sys::napi_fatal_exception(env, exception);
        }
    }
}
