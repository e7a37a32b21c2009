//! Memory for libuv's handles: their size is asked of libuv, and a header of ours may stand before one.
//!
//! A handle's memory is freed in or after its close callback, never before: libuv links handles into its loop.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use super::ffi::{self, Kind, Raw};

/// No libuv handle needs more.
const ALIGN: usize = 16;

/// Memory for an uninitialised handle behind `header` zeroed bytes (a multiple of 16).
pub(crate) fn allocate(kind: Kind, header: usize) -> Raw {
    let layout = layout(kind, header);
    // SAFETY: the layout is not empty: no handle is.
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    // SAFETY: within the allocation, or at its start.
    unsafe { memory.add(header) }.cast()
}

/// # Safety
/// `handle` came from `allocate` with the same arguments and is closed or was never initialised.
pub(crate) unsafe fn free(handle: Raw, kind: Kind, header: usize) {
    // SAFETY: the caller's; the same layout as in `allocate`.
    unsafe { dealloc(handle.cast::<u8>().sub(header), layout(kind, header)) };
}

#[expect(clippy::expect_used, reason = "a handle has some hundred bytes")]
fn layout(kind: Kind, header: usize) -> Layout {
    // SAFETY: a pure function of libuv.
    let size = unsafe { ffi::uv_handle_size(kind as i32) };
    Layout::from_size_align(header + size, ALIGN).expect("a size that fits")
}
