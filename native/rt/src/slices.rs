//! How long the kernel lets this thread run before another one gets its turn.
//!
//! A thread that asks for short slices is let in at once when it wakes, where it would have waited until the slice of
//! whoever has the core is over: 3 ms behind a busy application, a reload or a successor that starts. It is given no more
//! of the processor by that (EEVDF, Stoica and Abdel-Wahab 1995; per-thread slices since Linux 6.12).

use std::io;
use std::mem::{size_of, zeroed};

/// The shortest that the kernel takes, ns.
const SLICE_NS: u64 = 100_000;

/// Asks for short slices for this thread, and for threads that it will start. Kernels before 6.12 take no notice.
///
/// # Errors
/// When the thread is under a policy of real time, or the call is forbidden: everything stays as it was.
pub fn ask_for_short_slices() -> io::Result<()> {
    // SAFETY: plain numbers, for which zero is a value.
    let mut attributes: libc::sched_attr = unsafe { zeroed() };
    let size = size_of::<libc::sched_attr>() as u32;
    // SAFETY: the structure is as long as is said; the call writes no more.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if read != 0 {
        return Err(io::Error::last_os_error());
    }
    if !matches!(attributes.sched_policy as i32, libc::SCHED_OTHER | libc::SCHED_BATCH) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    attributes.size = size;
    attributes.sched_runtime = SLICE_NS;
    // SAFETY: the structure was filled by the kernel and is only read.
    let written = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if written == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether this is the thread that the process began with.
pub fn is_main_thread() -> bool {
    // SAFETY: both calls take nothing and cannot fail.
    unsafe { libc::gettid() == libc::getpid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_may_ask_for_short_slices() {
        std::thread::spawn(|| ask_for_short_slices().unwrap()).join().unwrap();
    }
}
