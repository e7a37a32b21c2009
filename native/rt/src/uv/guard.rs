//! The boundary to C: a panic must not unwind into libuv, and must not take Node's process along.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of a callback; a panic ends it there and is counted.
pub(crate) fn guarded(body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        crate::current::count_panic();
        // A payload may panic when dropped, and with a payload that may; that one is leaked.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
    }
}
