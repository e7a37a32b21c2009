//! The part of libuv's C interface that is used, looked up in the running process.
//!
//! Looked up rather than linked: the same object file then links into the addon (libuv is inside Node's binary), into
//! a test linked with the system's libuv, and into the agent, which has none. All handles are opaque; their sizes are
//! asked of libuv, so no struct layout is assumed. Source: libuv 1.46 (Node 20), `include/uv.h`.

use std::ffi::{c_char, c_int, c_void};
use std::sync::OnceLock;

/// A `uv_loop_t` or any `uv_*_t` handle.
pub(crate) type Raw = *mut c_void;
pub(crate) type Callback = unsafe extern "C" fn(Raw);
pub(crate) type PollCallback = unsafe extern "C" fn(Raw, c_int, c_int);
pub(crate) type WalkCallback = unsafe extern "C" fn(Raw, Raw);

/// `uv_handle_type`; the numbers are part of libuv's ABI.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Kind {
    Async = 1,
    Check = 2,
    Idle = 6,
    Poll = 8,
    Prepare = 9,
    Timer = 13,
}

/// `uv_poll_event`.
pub(crate) const READABLE: u8 = 1;
pub(crate) const WRITABLE: u8 = 2;
pub(crate) const PRIORITIZED: u8 = 8;

macro_rules! libuv {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) $(-> $ret:ty)?;)*) => {
        struct Api { $($name: unsafe extern "C" fn($($type),*) $(-> $ret)?,)* }

        fn look_up() -> Option<Api> {
            Some(Api { $($name: {
                let address = symbol(concat!(stringify!($name), "\0"))?;
                // SAFETY: libuv's function of this name has this signature since 1.19, and code is never unloaded.
                unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) $(-> $ret)?>(address) }
            },)* })
        }

        $(
            $(#[$doc])*
            /// # Safety
            /// As libuv documents: pointers to a live loop and live handles of it, on the loop's thread.
            pub(crate) unsafe fn $name($($arg: $type),*) $(-> $ret)? {
                // SAFETY: the caller's.
                unsafe { (api().$name)($($arg),*) }
            }
        )*
    };
}

libuv! {
    fn uv_handle_size(kind: c_int) -> usize;
    fn uv_handle_get_type(handle: Raw) -> c_int;
    fn uv_handle_get_data(handle: Raw) -> Raw;
    fn uv_handle_set_data(handle: Raw, data: Raw);
    fn uv_is_closing(handle: Raw) -> c_int;
    fn uv_close(handle: Raw, closed: Option<Callback>);
    fn uv_unref(handle: Raw);
    fn uv_walk(uv_loop: Raw, visit: WalkCallback, arg: Raw);
    fn uv_fileno(handle: Raw, fd: *mut c_int) -> c_int;
    fn uv_poll_init(uv_loop: Raw, handle: Raw, fd: c_int) -> c_int;
    fn uv_poll_start(handle: Raw, events: c_int, callback: PollCallback) -> c_int;
    fn uv_poll_stop(handle: Raw) -> c_int;
    fn uv_prepare_init(uv_loop: Raw, handle: Raw) -> c_int;
    fn uv_prepare_start(handle: Raw, callback: Callback) -> c_int;
    fn uv_check_init(uv_loop: Raw, handle: Raw) -> c_int;
    fn uv_check_start(handle: Raw, callback: Callback) -> c_int;
    fn uv_idle_init(uv_loop: Raw, handle: Raw) -> c_int;
    fn uv_idle_start(handle: Raw, callback: Callback) -> c_int;
    fn uv_idle_stop(handle: Raw) -> c_int;
    fn uv_timer_init(uv_loop: Raw, handle: Raw) -> c_int;
    fn uv_timer_start(handle: Raw, callback: Callback, timeout_ms: u64, repeat_ms: u64) -> c_int;
    fn uv_async_init(uv_loop: Raw, handle: Raw, callback: Callback) -> c_int;
    /// The one function that any thread may call.
    fn uv_async_send(handle: Raw) -> c_int;
}

static API: OnceLock<Option<Api>> = OnceLock::new();

/// Whether the process contains libuv. Must have answered true before any other function of this module is called.
pub(crate) fn available() -> bool {
    API.get_or_init(look_up).is_some()
}

#[expect(clippy::expect_used, reason = "every path to libuv starts at Runtime::install, which asks available()")]
fn api() -> &'static Api {
    API.get().and_then(Option::as_ref).expect("libuv is in the process")
}

fn symbol(name_with_nul: &'static str) -> Option<*mut c_void> {
    // SAFETY: a static string that ends with NUL; RTLD_DEFAULT searches what is loaded already.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name_with_nul.as_ptr().cast::<c_char>()) };
    (!address.is_null()).then_some(address)
}

/// libuv's negative errno as an error.
pub(crate) fn check(code: c_int) -> std::io::Result<()> {
    if code < 0 { Err(std::io::Error::from_raw_os_error(-code)) } else { Ok(()) }
}
