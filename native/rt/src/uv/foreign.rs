//! The last resort at a worker's end: closes the sockets that another library has left on the loop.
//!
//! uWebSockets.js polls its sockets with `uv_poll_t` and aborts the process when its loop is closed under them.

use std::collections::HashSet;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::NonNull;

use super::ffi::{self, Kind, Raw};
use super::local::with_local;
use super::source::State;

/// Closes each poll handle on the loop that is not this runtime's, together with its descriptor. The handles' memory
/// stays with whoever allocated it. Returns how many there were.
///
/// # Safety
/// The live loop of this thread; whoever made those handles runs no more.
pub unsafe fn close_foreign_polls(uv_loop: Raw) -> usize {
    if !ffi::available() {
        return 0;
    }
    // SAFETY: listed sources are alive.
    let raw = |source: &NonNull<State>| unsafe { source.as_ref() }.raw();
    let ours = with_local(|local| local.sources.borrow().iter().map(raw).collect());
    let mut walk = Walk { ours: ours.unwrap_or_default(), closed: 0 };
    // SAFETY: the caller's loop; `visit` gets what is passed here.
    unsafe { ffi::uv_walk(uv_loop, visit, (&raw mut walk).cast()) };
    walk.closed
}

struct Walk {
    ours: HashSet<Raw>,
    closed: usize,
}

unsafe extern "C" fn visit(handle: Raw, walk: Raw) {
    super::guard::guarded(|| {
        // SAFETY: from `close_foreign_polls`, which waits for the walk to end.
        let walk = unsafe { &mut *walk.cast::<Walk>() };
        // SAFETY: libuv hands out live handles only.
        let foreign =
            unsafe { ffi::uv_handle_get_type(handle) == Kind::Poll as i32 && ffi::uv_is_closing(handle) == 0 };
        if !foreign || walk.ours.contains(&handle) {
            return;
        }
        let mut fd = -1;
        // SAFETY: an open poll handle. Its maker runs no more, so the descriptor has no other owner.
        unsafe {
            let known = ffi::uv_fileno(handle, &raw mut fd) == 0;
            ffi::uv_close(handle, None);
            if known && fd >= 0 {
                drop(OwnedFd::from_raw_fd(fd));
            }
        }
        walk.closed += 1;
    });
}
