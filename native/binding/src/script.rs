//! Filters in TypeScript: one function per thread, called once for each phase of each filter.
//!
//! `call(script, slot, phase, text, bytes, last)`:
//! - `script`: the filter's number in the snapshot; `slot`: a small number that belongs to one exchange while it lives,
//!   the key of what filters keep for it.
//! - `phase`: 0 request head, 1 request body, 2 response head, 3 response body, 4 the filter has failed (`text` says
//!   how; told for the log, the result does not matter). Head phases come without `bytes` and `last`.
//! - `text`: a head in Latin-1, or null. Request: `METHOD target`, client address, scheme, then `name: value` lines with
//!   lower-case names, each line with its LF. Answer: the status, then the lines; behind an empty line the request, when
//!   the filter does not look at requests' heads.
//! - `bytes`: a copy of a part of a body, or null; `last`: nothing follows it.
//!
//! It returns
//! - `undefined`: everything stays as it is;
//! - a string of Latin-1: edits, one for each line (`=name: value` set, `+name: value` append, `-name` remove, `p/a?b`
//!   another target, `r name` that route, `c name` that cluster, `s 418` another status); or `!STATUS` and header lines: a
//!   direct answer; or `?message`: it failed;
//! - `[string, Uint8Array]`: the same with the body of a direct answer, or with the bytes that take the place of a body's;
//! - a number from 1 up, never used before in this thread: it is told later, by `scriptResume(slot, number, result)`, and
//!   not from within this very call.
//!
//! Invariants: the function is called from passes only, and from nothing that the engine holds borrowed; an exception that
//! comes out of it all the same is cleared and counts as the filter's failure.

use std::cell::{Cell, OnceCell};
use std::ptr;
use std::rc::Rc;

use napi::bindgen_prelude::Unknown;
use napi::{Env, JsValue, Result, sys};
use napi_derive::napi;
use weft_engine::filter::script::{Call, Outcome, Said, ScriptHost, Scripts};

use crate::error::{failed, guarded};
use crate::{environment, javascript};

thread_local! {
    static SCRIPTS: OnceCell<Rc<Scripts>> = const { OnceCell::new() };
    static FUNCTION: Cell<sys::napi_ref> = const { Cell::new(ptr::null_mut()) };
}

/// The scripts of this thread.
pub(crate) fn scripts() -> Rc<Scripts> {
    SCRIPTS.with(|scripts| Rc::clone(scripts.get_or_init(|| Scripts::new(Box::new(NodeHost)))))
}

/// Has this thread's filters run by `call`, see above. A later call replaces it.
#[napi(
    ts_args_type = "call: (script: number, slot: number, phase: number, text: string | null, bytes: Uint8Array | null, last: boolean) => undefined | string | [string, Uint8Array] | number"
)]
pub fn script_host(env: Env, call: Unknown<'_>) -> Result<()> {
    guarded("scriptHost", || {
        let mut reference = ptr::null_mut();
        // SAFETY: the environment of the running call and a value of it.
        let status = unsafe { sys::napi_create_reference(env.raw(), call.raw(), 1, &raw mut reference) };
        if status != sys::Status::napi_ok {
            return Err(failed("scriptHost", &status));
        }
        let before = FUNCTION.replace(reference);
        if !before.is_null() {
            // SAFETY: a reference of this thread's environment, deleted once.
            unsafe { sys::napi_delete_reference(env.raw(), before) };
        }
        Ok(())
    })
}

/// Brings the result that a call promised under `ticket`. False: its exchange is over, or did not wait as long.
#[napi(ts_args_type = "slot: number, ticket: number, result: undefined | string | [string, Uint8Array]")]
pub fn script_resume(env: Env, slot: u32, ticket: u32, result: Unknown<'_>) -> Result<bool> {
    guarded("scriptResume", || {
        let mut text = Vec::new();
        // SAFETY: the environment of the running call and a value of it.
        let said = unsafe { read_result(env.raw(), result.raw(), &mut text) };
        Ok(scripts().resume(slot, ticket, Outcome { said, text }))
    })
}

/// Calls the thread's function.
struct NodeHost;

impl ScriptHost for NodeHost {
    fn call(&self, call: &Call<'_>, text: &mut Vec<u8>) -> Said {
        let function = FUNCTION.get();
        if function.is_null() {
            return refuse(text, b"this thread has loaded no filters");
        }
        let mut ending = false;
        let said = javascript::within(|env| {
            let mut scope = ptr::null_mut();
            // SAFETY: on the environment's own thread, which may run JavaScript. The scope keeps a pass with many calls
            // from holding all their texts; it is closed whatever the call did. What was thrown must not be found by
            // whoever calls next.
            unsafe {
                if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
                    return None;
                }
                let said = call_function(env, function, call, text);
                if said.is_none() {
                    let mut thrown = ptr::null_mut();
                    sys::napi_get_and_clear_last_exception(env, &raw mut thrown);
                    ending = !environment::is_running(env);
                }
                sys::napi_close_handle_scope(env, scope);
                said
            }
        });
        match said {
            Some(Some(said)) => said,
            Some(None) if ending => refuse(text, ENDED),
            Some(None) => refuse(text, b"the call of the filter failed"),
            None => refuse(text, b"the thread is ending"),
        }
    }
}

const ENDED: &[u8] = b"it did not return, and held its loop until its thread was ended";

fn refuse(text: &mut Vec<u8>, message: &[u8]) -> Said {
    text.clear();
    text.extend_from_slice(message);
    Said::Failed
}

/// `None`: something was thrown, or the environment no longer runs JavaScript.
///
/// # Safety
/// On the environment's thread, within an open handle scope; `function` is a reference of the environment.
unsafe fn call_function(
    env: sys::napi_env,
    function: sys::napi_ref,
    call: &Call<'_>,
    text: &mut Vec<u8>,
) -> Option<Said> {
    // SAFETY: the caller's, for all of it; out parameters are locals.
    unsafe {
        let (mut callee, mut this) = (ptr::null_mut(), ptr::null_mut());
        taken(sys::napi_get_reference_value(env, function, &raw mut callee))?;
        taken(sys::napi_get_undefined(env, &raw mut this))?;
        let mut arguments = [ptr::null_mut(); 6];
        let [script, slot, phase, head, bytes, last] = &mut arguments;
        taken(sys::napi_create_uint32(env, call.script, script))?;
        taken(sys::napi_create_uint32(env, call.slot, slot))?;
        taken(sys::napi_create_uint32(env, call.phase as u32, phase))?;
        match call.text {
            Some(text) => {
                let length = isize::try_from(text.len()).ok()?;
                taken(sys::napi_create_string_latin1(env, text.as_ptr().cast(), length, head))?;
            }
            None => taken(sys::napi_get_null(env, head))?,
        }
        let mut count = 4;
        if let Some(part) = call.bytes {
            *bytes = uint8_array(env, part)?;
            taken(sys::napi_get_boolean(env, call.last, last))?;
            count = 6;
        }
        let mut result = ptr::null_mut();
        taken(sys::napi_call_function(env, this, callee, count, arguments.as_ptr(), &raw mut result))?;
        Some(read_result(env, result, text))
    }
}

/// A copy of the bytes, in memory of JavaScript's own.
///
/// # Safety
/// As of [`call_function`].
unsafe fn uint8_array(env: sys::napi_env, bytes: &[u8]) -> Option<sys::napi_value> {
    // SAFETY: the caller's; the new buffer has room for all of the bytes.
    unsafe {
        let (mut data, mut buffer, mut array) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        taken(sys::napi_create_arraybuffer(env, bytes.len(), &raw mut data, &raw mut buffer))?;
        if !bytes.is_empty() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast(), bytes.len());
        }
        let kind = sys::TypedarrayType::uint8_array;
        taken(sys::napi_create_typedarray(env, kind, bytes.len(), buffer, 0, &raw mut array))?;
        Some(array)
    }
}

/// What a filter said. What is none of the forms is a failure.
///
/// # Safety
/// On the environment's thread, within a handle scope in which `result` is alive.
unsafe fn read_result(env: sys::napi_env, result: sys::napi_value, text: &mut Vec<u8>) -> Said {
    let mut kind = 0;
    // SAFETY: the caller's, for all of it.
    unsafe {
        if sys::napi_typeof(env, result, &raw mut kind) != sys::Status::napi_ok {
            return refuse(text, b"its result cannot be read");
        }
        let said = match kind {
            sys::ValueType::napi_undefined => return Said::Unchanged,
            sys::ValueType::napi_string => read_text(env, result, text).map(|()| Said::Edits(None)),
            sys::ValueType::napi_number => {
                let mut ticket = 0;
                let read = sys::napi_get_value_uint32(env, result, &raw mut ticket);
                taken(read).filter(|()| ticket > 0).map(|()| Said::Pending(ticket))
            }
            _ => read_pair(env, result, text),
        };
        match said {
            Some(Said::Edits(_)) if text.first() == Some(&b'?') => {
                text.remove(0);
                Said::Failed
            }
            Some(said) => said,
            None => refuse(text, b"its result has none of the known forms"),
        }
    }
}

/// # Safety
/// As of [`read_result`].
unsafe fn read_pair(env: sys::napi_env, pair: sys::napi_value, text: &mut Vec<u8>) -> Option<Said> {
    // SAFETY: the caller's. The bytes are copied before anything else can run.
    unsafe {
        let (mut first, mut second) = (ptr::null_mut(), ptr::null_mut());
        taken(sys::napi_get_element(env, pair, 0, &raw mut first))?;
        taken(sys::napi_get_element(env, pair, 1, &raw mut second))?;
        read_text(env, first, text)?;
        let (mut kind, mut length, mut data, mut buffer, mut offset) = (0, 0, ptr::null_mut(), ptr::null_mut(), 0);
        let info = sys::napi_get_typedarray_info(
            env,
            second,
            &raw mut kind,
            &raw mut length,
            &raw mut data,
            &raw mut buffer,
            &raw mut offset,
        );
        taken(info).filter(|()| kind == sys::TypedarrayType::uint8_array)?;
        let bytes = if length == 0 { &[] } else { std::slice::from_raw_parts(data.cast::<u8>(), length) };
        Some(Said::Edits(Some(bytes.to_vec())))
    }
}

/// # Safety
/// As of [`read_result`].
unsafe fn read_text(env: sys::napi_env, value: sys::napi_value, text: &mut Vec<u8>) -> Option<()> {
    /// Most texts fit at the first try.
    const USUAL: usize = 512;
    text.clear();
    text.reserve(USUAL);
    loop {
        let room = text.capacity();
        let mut length = 0;
        // SAFETY: the caller's; the buffer has `room` bytes, of which the call fills at most one less and a NUL, and
        // says how many it has written.
        unsafe {
            let read = sys::napi_get_value_string_latin1(env, value, text.as_mut_ptr().cast(), room, &raw mut length);
            taken(read)?;
            text.set_len(length);
        }
        if length + 1 < room {
            return Some(());
        }
        text.clear();
        text.reserve(room * 4);
    }
}

fn taken(status: sys::napi_status) -> Option<()> {
    (status == sys::Status::napi_ok).then_some(())
}
