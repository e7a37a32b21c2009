//! What holds on libuv only: how the loop turns, and how a runtime ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, wherever its code stands"
)]
#![cfg(feature = "link-uv")]

mod kit;

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::future::{pending, poll_fn};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::IntoRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use kit::{listen, pair, read};
use weft_rt::uv::{OwnLoop, Runtime, close_foreign_polls, end_group, in_group};
use weft_rt::{Timer, now, panics, sleep, spawn};

fn install() -> (OwnLoop, Runtime) {
    let own = OwnLoop::new();
    // SAFETY: finished by each test after the runtime was closed.
    let runtime = unsafe { Runtime::install(own.raw()) }.unwrap();
    (own, runtime)
}

/// Runs until `future` is done.
fn block_on(own: &OwnLoop, future: impl Future<Output = ()> + 'static) {
    let done = Rc::new(Cell::new(false));
    let inner = Rc::clone(&done);
    spawn(async move {
        future.await;
        inner.set(true);
    })
    .detach();
    let before = panics();
    while !done.get() {
        own.turn();
        assert!(done.get() || panics() == before, "the future has panicked");
    }
}

fn close(own: OwnLoop, runtime: Runtime) {
    let closed = Rc::new(Cell::new(false));
    let inner = Rc::clone(&closed);
    runtime.close(move || inner.set(true));
    own.finish();
    assert!(closed.get());
}

/// Turns of the loop within some milliseconds in which only the timer has something to do.
async fn turns_while_waiting(counter: &AtomicU64) -> u64 {
    let before = counter.load(Ordering::Relaxed);
    sleep(Duration::from_millis(30)).await;
    counter.load(Ordering::Relaxed) - before
}

#[test]
fn the_heart_beats_while_the_loop_is_idle() {
    let (own, runtime) = install();
    let counter = Arc::new(AtomicU64::new(0));
    runtime.set_heartbeat(Arc::clone(&counter));
    let before = counter.load(Ordering::Relaxed);
    // Nothing but the heartbeat's timer ends this wait.
    own.turn();
    assert!(counter.load(Ordering::Relaxed) > before);
    close(own, runtime);
}

/// Adds to a count when it is dropped.
struct Leaves(Rc<Cell<u32>>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A task that never ends, and one that it has spawned; both hold a `Leaves`.
fn spawn_two(count: &Rc<Cell<u32>>) {
    let (outer, inner) = (Leaves(Rc::clone(count)), Leaves(Rc::clone(count)));
    spawn(async move {
        let _outer = outer;
        sleep(Duration::ZERO).await;
        spawn(async move {
            let _inner = inner;
            pending::<()>().await;
        })
        .detach();
        pending::<()>().await;
    })
    .detach();
}

#[test]
fn a_group_ends_with_all_that_its_tasks_have_spawned_and_leaves_other_tasks_alone() {
    let (own, runtime) = install();
    let [ours, others, nobodys] = [(); 3].map(|()| Rc::new(Cell::new(0)));
    in_group(1, || spawn_two(&ours));
    in_group(2, || spawn_two(&others));
    spawn_two(&nobodys);
    block_on(&own, sleep(Duration::from_millis(5)));
    while end_group(1) {
        own.turn();
    }
    assert_eq!((ours.get(), others.get(), nobodys.get()), (2, 0, 0));
    assert!(!end_group(1));
    // The number may be used again.
    in_group(1, || spawn_two(&ours));
    block_on(&own, sleep(Duration::from_millis(5)));
    assert_eq!(ours.get(), 2);
    close(own, runtime);
    assert_eq!((ours.get(), others.get(), nobodys.get()), (4, 2, 2));
}

#[test]
fn a_group_that_ends_from_within_one_of_its_tasks_ends_that_task_too() {
    let (own, runtime) = install();
    let ended = Rc::new(Cell::new(0));
    let leaves = Leaves(Rc::clone(&ended));
    in_group(1, || {
        spawn(async move {
            let _leaves = leaves;
            assert!(end_group(1));
            pending::<()>().await;
        })
        .detach();
    });
    block_on(&own, sleep(Duration::from_millis(5)));
    assert_eq!(ended.get(), 1);
    close(own, runtime);
}

#[test]
fn a_closed_gate_leaves_connections_in_the_accept_queue() {
    let (own, runtime) = install();
    let open = Rc::new(Cell::new(true));
    let gate = Rc::clone(&open);
    runtime.set_gate(move || gate.get());
    let accepted = Rc::new(Cell::new(0));
    let inner = Rc::clone(&accepted);
    let (mut listener, address) = listen();
    spawn(async move {
        loop {
            kit::accept(&mut listener).await;
            inner.set(inner.get() + 1);
        }
    })
    .detach();
    let _first = std::net::TcpStream::connect(address).unwrap();
    while accepted.get() == 0 {
        own.turn();
    }
    open.set(false);
    let _second = std::net::TcpStream::connect(address).unwrap();
    (0..10).for_each(|_| own.turn());
    assert_eq!(accepted.get(), 1);
    open.set(true);
    while accepted.get() == 1 {
        own.turn();
    }
    close(own, runtime);
}

#[test]
fn a_listener_keeps_the_loop_alive_and_timers_do_not() {
    let (own, runtime) = install();
    runtime.set_heartbeat(Arc::default());
    spawn(sleep(Duration::from_secs(600))).detach();
    block_on(&own, async {});
    assert!(!own.is_alive());
    let mut listener = listen().0;
    let accepting = spawn(async move {
        let _ = poll_fn(|cx| listener.poll_accept(cx)).await;
    });
    assert!(own.is_alive(), "before its first poll");
    block_on(&own, async {});
    assert!(own.is_alive(), "while it waits");
    drop(accepting);
    block_on(&own, async {});
    assert!(!own.is_alive(), "after its end");
    close(own, runtime);
}

#[test]
fn data_that_nobody_reads_does_not_keep_the_loop_turning() {
    let (own, runtime) = install();
    let counter = Arc::new(AtomicU64::new(0));
    runtime.set_heartbeat(Arc::clone(&counter));
    block_on(&own, async move {
        let (mut near, mut far) = pair();
        far.write_all(b"x").unwrap();
        assert_eq!(read(&mut near, &mut [0; 8]).await.unwrap(), 1);
        assert!(poll_fn(|cx| Poll::Ready(near.poll_readable(cx).is_pending())).await);
        far.write_all(b"yz").unwrap();
        let turns = turns_while_waiting(&counter).await;
        assert!(turns <= 20, "{turns} turns");
        // And the reader finds it when it comes back.
        assert_eq!(read(&mut near, &mut [0; 8]).await.unwrap(), 2);
        far.write_all(b"end").unwrap();
        assert_eq!(read(&mut near, &mut [0; 8]).await.unwrap(), 3);
    });
    close(own, runtime);
}

#[test]
fn a_reader_that_gave_way_and_waits_for_something_else_does_not_keep_the_loop_turning() {
    let (own, runtime) = install();
    let counter = Arc::new(AtomicU64::new(0));
    runtime.set_heartbeat(Arc::clone(&counter));
    block_on(&own, async move {
        let (mut near, mut far) = pair();
        // Has READ armed.
        assert!(poll_fn(|cx| Poll::Ready(near.poll_read(cx, &mut [0; 1]).is_pending())).await);
        far.write_all(&[0; 64]).unwrap();
        poll_fn(|cx| near.poll_readable(cx)).await;
        let mut reads = 0;
        poll_fn(|cx| {
            while near.poll_read(cx, &mut [0; 1]).is_ready() {
                reads += 1;
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(reads, 16);
        let turns = turns_while_waiting(&counter).await;
        assert!(turns <= 20, "{turns} turns");
        assert_eq!(read(&mut near, &mut [0; 64]).await.unwrap(), 48);
    });
    close(own, runtime);
}

#[test]
fn outside_a_task_there_is_no_share_to_use_up() {
    let (own, runtime) = install();
    let (near, mut far) = pair();
    far.write_all(&[0; 64]).unwrap();
    let near = Rc::new(RefCell::new(near));
    let inner = Rc::clone(&near);
    block_on(
        &own,
        poll_fn(move |_| {
            while inner.borrow_mut().try_read(&mut [0; 1]).is_ok() {}
            Poll::Ready(())
        }),
    );
    assert_eq!(near.borrow_mut().try_read(&mut [0; 64]).unwrap(), 48);
    drop(near);
    close(own, runtime);
}

#[test]
fn an_ended_stream_and_a_writable_one_do_not_keep_the_loop_turning() {
    let (own, runtime) = install();
    let counter = Arc::new(AtomicU64::new(0));
    runtime.set_heartbeat(Arc::clone(&counter));
    block_on(&own, async move {
        let (mut near, mut far) = pair();
        let block = vec![0; 1 << 20];
        while near.try_write(&block).is_ok() {}
        assert!(poll_fn(|cx| Poll::Ready(near.poll_writable(cx).is_pending())).await);
        far.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(read(&mut near, &mut [0; 8]).await.unwrap(), 0);
        let reader = std::thread::spawn(move || {
            let mut rest = Vec::new();
            far.read_to_end(&mut rest).unwrap();
            rest.len()
        });
        poll_fn(|cx| near.poll_writable(cx)).await;
        near.shutdown_write().unwrap();
        assert!(reader.join().unwrap() > 0);
        // Both halves have ended: epoll reports HUP whatever it was asked for.
        assert!(poll_fn(|cx| Poll::Ready(near.poll_reset(cx).is_pending())).await);
        let turns = turns_while_waiting(&counter).await;
        assert!(turns <= 20, "{turns} turns");
    });
    close(own, runtime);
}

#[test]
fn urgent_data_neither_counts_as_a_reset_nor_keeps_the_loop_turning() {
    let (own, runtime) = install();
    let counter = Arc::new(AtomicU64::new(0));
    runtime.set_heartbeat(Arc::clone(&counter));
    block_on(&own, async move {
        let (mut near, far) = pair();
        assert!(poll_fn(|cx| Poll::Ready(near.poll_reset(cx).is_pending())).await);
        rustix::net::send(&far, b"!", rustix::net::SendFlags::OOB).unwrap();
        let turns = turns_while_waiting(&counter).await;
        assert!(turns <= 20, "{turns} turns");
        assert!(poll_fn(|cx| Poll::Ready(near.poll_reset(cx).is_pending())).await);
    });
    close(own, runtime);
}

#[test]
fn a_second_runtime_on_a_thread_is_refused_until_the_first_is_closed() {
    let (own, runtime) = install();
    // SAFETY: refused before the loop is touched.
    let error = unsafe { Runtime::install(own.raw()) }.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    close(own, runtime);
    let (own, runtime) = install();
    block_on(&own, sleep(Duration::from_millis(1)));
    close(own, runtime);
}

#[test]
fn closing_drops_tasks_then_sockets_and_then_calls_back_once() {
    let (own, runtime) = install();
    let order = Rc::new(RefCell::new(Vec::new()));
    struct Log(Rc<RefCell<Vec<&'static str>>>, &'static str);
    impl Drop for Log {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }
    let log = Log(Rc::clone(&order), "task");
    let (mut near, mut far) = pair();
    spawn(async move {
        let _log = log;
        let _ = read(&mut near, &mut [0; 1]).await;
    })
    .detach();
    let mut listener = listen().0;
    spawn(async move {
        let _timer = spawn(sleep(Duration::from_secs(600)));
        let _ = poll_fn(|cx| listener.poll_accept(cx)).await;
    })
    .detach();
    block_on(&own, sleep(Duration::from_millis(1)));
    let inner = Rc::clone(&order);
    runtime.close(move || inner.borrow_mut().push("closed"));
    assert_eq!(*order.borrow(), ["task"]);
    assert_eq!(far.read(&mut [0; 1]).unwrap(), 0, "the task's socket is closed");
    own.finish();
    assert_eq!(*order.borrow(), ["task", "closed"]);
}

#[test]
fn closing_from_within_a_task_waits_for_the_end_of_the_pass() {
    let (own, runtime) = install();
    let order = Rc::new(RefCell::new(Vec::new()));
    let inner = Rc::clone(&order);
    spawn(async move {
        let closed = Rc::clone(&inner);
        runtime.close(move || closed.borrow_mut().push("closed"));
        inner.borrow_mut().push("still running");
        spawn(async { unreachable!("a task spawned while closing") }).detach();
        pending::<()>().await;
    })
    .detach();
    own.finish();
    assert_eq!(*order.borrow(), ["still running", "closed"]);
}

#[test]
fn sockets_and_timers_that_outlive_their_runtime_fail_and_do_no_harm() {
    let (own, runtime) = install();
    let (mut near, _far) = pair();
    let timer = Rc::new(RefCell::new(Timer::new()));
    timer.borrow_mut().set(Some(now() + Duration::from_secs(600)));
    let inner = Rc::clone(&timer);
    block_on(&own, async move {
        poll_fn(|cx| Poll::Ready(inner.borrow_mut().poll_expired(cx).is_pending())).await;
    });
    close(own, runtime);
    assert!(near.try_read(&mut [0; 1]).is_err());
    assert!(near.try_write(b"x").is_err());
    drop(near);
    // Its entry was the first of the old wheel; it must not remove the first of this one.
    let (own, runtime) = install();
    let old = timer.take();
    block_on(&own, async move {
        let mut sleep = Box::pin(sleep(Duration::from_millis(5)));
        let mut old = Some(old);
        poll_fn(|cx| {
            let polled = sleep.as_mut().poll(cx);
            old = None;
            polled
        })
        .await;
    });
    close(own, runtime);
}

#[test]
fn a_waker_kept_by_another_thread_outlives_the_runtime() {
    let (own, runtime) = install();
    let kept = Rc::new(RefCell::new(None));
    let inner = Rc::clone(&kept);
    spawn(poll_fn(move |cx| {
        *inner.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }))
    .detach();
    block_on(&own, async {});
    close(own, runtime);
    let waker = kept.take().unwrap();
    std::thread::spawn(move || waker.wake()).join().unwrap();
}

#[test]
fn a_panic_in_a_callback_is_caught_and_counted() {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| RawWaker::new(std::ptr::null(), &VTABLE),
        |_| panic!("on purpose"),
        |_| panic!("on purpose"),
        |_| {},
    );
    let (own, runtime) = install();
    let before = panics();
    let (mut near, mut far) = pair();
    // SAFETY: the functions ignore the data.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) };
    let mut cx = std::task::Context::from_waker(&waker);
    let mut buf = [0; 1];
    assert!(near.poll_read(&mut cx, &mut buf).is_pending());
    far.write_all(b"x").unwrap();
    own.turn();
    assert_eq!(panics(), before + 1);
    // The socket goes on.
    block_on(&own, async move { assert_eq!(read(&mut near, &mut [0; 1]).await.unwrap(), 1) });
    close(own, runtime);
}

unsafe extern "C" {
    fn uv_handle_size(kind: c_int) -> usize;
    fn uv_poll_init(uv_loop: *mut c_void, handle: *mut c_void, fd: c_int) -> c_int;
    fn uv_poll_start(
        handle: *mut c_void,
        events: c_int,
        callback: unsafe extern "C" fn(*mut c_void, c_int, c_int),
    ) -> c_int;
}

#[test]
fn polls_of_others_are_closed_with_their_descriptors_and_ours_are_not() {
    unsafe extern "C" fn on_event(_: *mut c_void, _: c_int, _: c_int) {}
    let (own, runtime) = install();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut far = std::net::TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    let foreign = socket.accept().unwrap().0.into_raw_fd();
    // SAFETY: UV_POLL is 8.
    let mut memory = vec![0u128; unsafe { uv_handle_size(8) }.div_ceil(16)];
    let handle = memory.as_mut_ptr().cast();
    // SAFETY: memory of a poll handle's size that outlives the loop, and a descriptor given away.
    unsafe {
        assert_eq!(uv_poll_init(own.raw(), handle, foreign), 0);
        assert_eq!(uv_poll_start(handle, 1, on_event), 0);
    }
    let (mut near, mut near_far) = pair();
    // SAFETY: the loop of this thread; the handle's maker is this test, which does no more with it.
    assert_eq!(unsafe { close_foreign_polls(own.raw()) }, 1);
    assert_eq!(far.read(&mut [0; 1]).unwrap(), 0);
    near_far.write_all(b"x").unwrap();
    block_on(&own, async move { assert_eq!(read(&mut near, &mut [0; 1]).await.unwrap(), 1) });
    close(own, runtime);
    drop(memory);
}
