//! A socket on libuv: one `uv_poll_t` behind its readiness flags, in one block of memory.
//!
//! `uv_poll` is level-triggered and each change of interest costs two system calls, so interest changes seldom:
//! READABLE is armed when a reader first waits and stays; it is disarmed when two events in a row find no reader
//! (backpressure) and at the end of the stream. WRITABLE is armed after EAGAIN and disarmed in the same way. A socket
//! with neither is watched for failure only, by arming PRIORITIZED: epoll reports errors with any interest.
//!
//! libuv stops a handle that has an error and reports EBADF: from then on the socket counts as failed, both sides are
//! ready, and the next call returns the error (data that came before it first).

use std::cell::Cell;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::task::{Context, Poll};

use super::ffi::{self, Kind, PRIORITIZED, READABLE, Raw, WRITABLE};
use super::guard::guarded;
use super::handle;
use super::local::{Local, handle_closed, with_local};
use super::waiter::Waiter;
use crate::source::{Left, Side, is_failure, reset_error};
use crate::syscall;

/// The header of the block; the `uv_poll_t` follows it.
#[repr(align(16))]
pub(crate) struct State {
    local: *const Local,
    /// The `uv_poll_t` of this block.
    raw: Raw,
    reader: Waiter,
    writer: Waiter,
    watcher: Waiter,
    /// The owner's descriptor; open while the handle is.
    fd: RawFd,
    /// Its place in the runtime's list.
    place: Cell<usize>,
    /// What epoll has been asked for.
    armed: Cell<u8>,
    readable: Cell<bool>,
    writable: Cell<bool>,
    ended: Cell<bool>,
    failed: Cell<bool>,
    /// The reader will be back in the next pass, so the next event without one is not backpressure.
    reader_gave_way: Cell<bool>,
    /// PRIORITIZED has been reported without an error (urgent data, both halves ended): it would be again and again.
    unwatchable: Cell<bool>,
    /// Whether a `Source` points here, and how far the handle is.
    owned: Cell<bool>,
    handle: Cell<HandleState>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HandleState {
    Open,
    /// Between uv_close and its callback.
    Closing,
    Closed,
}

const HEADER: usize = size_of::<State>();

/// The owner of a State, and not Send as it holds a pointer.
pub(crate) struct Source {
    state: NonNull<State>,
    /// Closed after `drop` has taken it out of the loop.
    fd: OwnedFd,
}

impl Source {
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Source> {
        with_local(|local| {
            if !local.is_open() {
                return Err(closed_error());
            }
            let raw = handle::allocate(Kind::Poll, HEADER);
            // SAFETY: fresh memory with room for both; the loop is alive while its Local is.
            let initialised = ffi::check(unsafe { ffi::uv_poll_init(local.uv_loop(), raw, fd.as_raw_fd()) });
            if let Err(error) = initialised {
                // SAFETY: libuv did not take it.
                unsafe { handle::free(raw, Kind::Poll, HEADER) };
                return Err(error);
            }
            let state = State::of(raw);
            let place = local.sources.borrow().len();
            // SAFETY: the header's place in the block, not yet initialised; then the handle knows it.
            unsafe {
                state.write(State::new(local, raw, fd.as_raw_fd(), place));
                ffi::uv_handle_set_data(raw, state.as_ptr().cast());
            }
            local.sources.borrow_mut().push(state);
            local.handle_opened();
            Ok(Source { state, fd })
        })
        .unwrap_or_else(|| Err(closed_error()))
    }

    fn state(&self) -> &State {
        // SAFETY: freed only after the owner has gone; used through shared references only.
        unsafe { self.state.as_ref() }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Clears both flags, so that nothing is tried before the connection stands.
    pub(crate) fn wait_for_write(&mut self) {
        self.state().readable.set(false);
        self.state().writable.set(false);
    }

    #[inline]
    pub(crate) fn attempt<R>(
        &mut self,
        side: Side,
        call: impl FnOnce(BorrowedFd<'_>) -> io::Result<(R, Left)>,
    ) -> io::Result<R> {
        let state = self.state();
        if state.handle.get() != HandleState::Open {
            return Err(closed_error());
        }
        if !state.flag(side).get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if side == Side::Read {
            state.reader_gave_way.set(false);
        }
        match call(self.fd()) {
            Ok((value, Left::More)) => Ok(value),
            Ok((value, Left::Nothing)) => {
                state.flag(side).set(state.failed.get());
                Ok(value)
            }
            Ok((_, Left::End)) if state.failed.get() => Err(reset_error()),
            Ok((value, Left::End)) => {
                state.ended.set(true);
                state.arm(state.armed.get() & !READABLE);
                Ok(value)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if state.failed.get() {
                    return Err(reset_error());
                }
                state.flag(side).set(false);
                Err(error)
            }
            Err(error) => {
                if is_failure(&error) {
                    state.fail();
                }
                Err(error)
            }
        }
    }

    #[inline]
    pub(crate) fn poll_ready(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.state();
        if state.flag(side).get() || state.handle.get() != HandleState::Open {
            return Poll::Ready(());
        }
        state.waiter(side).wait(cx.waker());
        let wanted = interest(side);
        if state.armed.get() & wanted == 0 {
            // Since it costs the same, interest that nobody has any more goes.
            let other = state.armed.get() & !wanted & if state.writer.is_waiting() { u8::MAX } else { !WRITABLE };
            state.arm(other | wanted);
        }
        if state.failed.get() { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) fn poll_failed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.state();
        if state.failed.get() || state.handle.get() != HandleState::Open {
            return Poll::Ready(());
        }
        state.watcher.wait(cx.waker());
        if state.armed.get() == 0 {
            state.arm(0);
        }
        if state.failed.get() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// `uv_poll` is level-triggered, so what is there already is reported again.
    pub(crate) fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.state().readable.set(false);
        self.poll_ready(Side::Read, cx)
    }

    pub(crate) fn reader_gave_way(&mut self) {
        self.state().reader_gave_way.set(true);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let state = self.state();
        state.owned.set(false);
        state.reader.forget();
        state.writer.forget();
        state.watcher.forget();
        match state.handle.get() {
            // SAFETY: open, on its own thread: a Source is not Send.
            HandleState::Open => unsafe { State::close(self.state) },
            HandleState::Closing => {}
            // SAFETY: neither libuv nor an owner knows the block any more.
            HandleState::Closed => unsafe { State::free(self.state) },
        }
    }
}

impl State {
    fn new(local: &Local, raw: Raw, fd: RawFd, place: usize) -> State {
        State {
            local,
            raw,
            reader: Waiter::default(),
            writer: Waiter::default(),
            watcher: Waiter::default(),
            fd,
            place: Cell::new(place),
            armed: Cell::new(0),
            readable: Cell::new(true),
            writable: Cell::new(true),
            ended: Cell::new(false),
            failed: Cell::new(false),
            reader_gave_way: Cell::new(false),
            unwatchable: Cell::new(false),
            owned: Cell::new(true),
            handle: Cell::new(HandleState::Open),
        }
    }

    fn of(raw: Raw) -> NonNull<State> {
        // SAFETY: a handle of `Source::new`: the header precedes it in the same block.
        unsafe { NonNull::new_unchecked(raw.cast::<u8>().sub(HEADER).cast::<State>()) }
    }

    pub(crate) fn raw(&self) -> Raw {
        self.raw
    }

    fn flag(&self, side: Side) -> &Cell<bool> {
        match side {
            Side::Read => &self.readable,
            Side::Write => &self.writable,
        }
    }

    fn waiter(&self, side: Side) -> &Waiter {
        match side {
            Side::Read => &self.reader,
            Side::Write => &self.writer,
        }
    }

    /// Asks epoll for these events, or, for none of them, for errors when somebody waits for failure.
    fn arm(&self, events: u8) {
        let events = match events & (READABLE | WRITABLE) {
            _ if self.failed.get() => 0,
            0 if self.watcher.is_waiting() && !self.unwatchable.get() => PRIORITIZED,
            events => events,
        };
        if events == self.armed.replace(events) {
            return;
        }
        // SAFETY: an open handle: arm is called by its owner or its callback, and neither outlives it.
        let code = unsafe {
            if events == 0 {
                ffi::uv_poll_stop(self.raw)
            } else {
                ffi::uv_poll_start(self.raw, c_int::from(events), on_event)
            }
        };
        if code < 0 {
            self.armed.set(0);
            self.fail();
        }
    }

    /// The connection is over: nothing more to wait for, everybody looks for themselves.
    fn fail(&self) {
        self.failed.set(true);
        self.readable.set(true);
        self.writable.set(true);
        self.arm(0);
        self.reader.wake();
        self.writer.wake();
        self.watcher.wake();
    }

    fn on_event(&self, status: c_int, events: u8) {
        if status < 0 {
            // libuv has stopped the handle.
            self.armed.set(0);
            self.fail();
            return;
        }
        let mut keep = self.armed.get();
        // SAFETY: its Local counts this handle as open, so it is alive.
        let behind = unsafe { &*self.local }.executor().is_behind();
        for side in [Side::Read, Side::Write] {
            if events & interest(side) == 0 {
                continue;
            }
            // Giving way excuses one event: a reader that then waits for something else is backpressure like any other.
            let excused = side == Side::Read && self.reader_gave_way.replace(false);
            let expected = self.waiter(side).is_waiting() || excused;
            // Under load the task that the first event woke may not have had its turn: that is no backpressure, and
            // three changes of interest per request would be what overload needs least.
            if self.flag(side).replace(true) && !expected && !behind {
                keep &= !interest(side);
            }
            self.waiter(side).wake();
        }
        if events & PRIORITIZED != 0 {
            // SAFETY: open while its handle is.
            if syscall::has_error(unsafe { BorrowedFd::borrow_raw(self.fd) }) {
                self.fail();
                return;
            }
            self.unwatchable.set(true);
        }
        self.arm(keep);
    }

    /// Closes the handle. uv_close takes the descriptor out of epoll before it returns, so that the owner may close
    /// it at once.
    ///
    /// # Safety
    /// A State whose handle is open, on its own thread.
    pub(crate) unsafe fn close(this: NonNull<State>) {
        // SAFETY: the caller's; the block is freed in a later callback at the earliest.
        let state = unsafe { this.as_ref() };
        state.handle.set(HandleState::Closing);
        // SAFETY: its Local counts this handle as open, so it is alive.
        let mut sources = unsafe { &*state.local }.sources.borrow_mut();
        sources.swap_remove(state.place.get());
        if let Some(moved) = sources.get(state.place.get()) {
            // SAFETY: listed sources are alive.
            unsafe { moved.as_ref() }.place.set(state.place.get());
        }
        drop(sources);
        // SAFETY: an open handle, closed once.
        unsafe { ffi::uv_close(state.raw, Some(on_closed)) };
    }

    /// # Safety
    /// A State without owner whose handle is closed.
    unsafe fn free(this: NonNull<State>) {
        // SAFETY: the caller's; nothing points here any more.
        unsafe {
            let raw = this.as_ref().raw;
            this.drop_in_place();
            handle::free(raw, Kind::Poll, HEADER);
        }
    }
}

fn interest(side: Side) -> u8 {
    match side {
        Side::Read => READABLE,
        Side::Write => WRITABLE,
    }
}

fn closed_error() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the runtime of this thread is closed")
}

unsafe extern "C" fn on_event(raw: Raw, status: c_int, events: c_int) {
    // SAFETY: a handle of `Source::new`, open since it has events; blocks are freed in close callbacks only.
    let state = unsafe { &*ffi::uv_handle_get_data(raw).cast::<State>() };
    guarded(|| state.on_event(status, events as u8));
}

unsafe extern "C" fn on_closed(raw: Raw) {
    let state = State::of(raw);
    // SAFETY: the block is alive until here; what frees it comes last.
    guarded(|| unsafe {
        let local = state.as_ref().local;
        state.as_ref().handle.set(HandleState::Closed);
        if !state.as_ref().owned.get() {
            State::free(state);
        }
        handle_closed(local);
    });
}

#[cfg(all(test, feature = "link-uv"))]
mod tests {
    use super::*;

    #[test]
    fn a_socket_takes_at_most_304_bytes_with_its_poll_handle() {
        let own = crate::uv::OwnLoop::new();
        // SAFETY: a pure function.
        let handle = unsafe { ffi::uv_handle_size(Kind::Poll as c_int) };
        let bytes = (HEADER, handle, size_of::<Source>());
        assert!(HEADER + handle + size_of::<Source>() <= 304, "{bytes:?}");
        own.finish();
    }
}
