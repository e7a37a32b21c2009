//! Tasks, passes and the clock, on both back-ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, wherever its code stands"
)]

mod kit;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kit::next_pass;
use kit::signal::Signal;
use weft_rt::{now, panics, pass, spawn, unix_micros};

struct SetOnDrop(Rc<Cell<bool>>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

on_both! {
    async fn a_spawned_task_is_first_polled_after_spawn_has_returned() {
        let (polled, done) = (Rc::new(Cell::new(false)), Signal::default());
        let (inner, signal) = (Rc::clone(&polled), done.clone());
        spawn(async move {
            inner.set(true);
            signal.set();
        })
        .detach();
        assert!(!polled.get());
        done.wait().await;
        assert!(polled.get());
    }

    async fn a_dropped_task_is_cancelled_and_its_future_dropped() {
        let dropped = Rc::new(Cell::new(false));
        let guard = SetOnDrop(Rc::clone(&dropped));
        let task = spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        next_pass().await;
        drop(task);
        next_pass().await;
        next_pass().await;
        assert!(dropped.get());
    }

    async fn a_task_dropped_before_its_first_poll_is_never_polled() {
        let polled = Rc::new(Cell::new(false));
        let inner = Rc::clone(&polled);
        drop(spawn(async move { inner.set(true) }));
        next_pass().await;
        next_pass().await;
        assert!(!polled.get());
    }

    async fn a_panic_ends_its_task_only_and_is_counted() {
        let before = panics();
        let dropped = Rc::new(Cell::new(false));
        let guard = SetOnDrop(Rc::clone(&dropped));
        spawn(async move {
            let _guard = guard;
            panic!("on purpose");
        })
        .detach();
        while !dropped.get() {
            next_pass().await;
        }
        assert_eq!(panics(), before + 1);
        let done = Signal::default();
        let signal = done.clone();
        spawn(async move { signal.set() }).detach();
        done.wait().await;
    }

    async fn another_thread_can_wake_a_task() {
        let done = Signal::default();
        let signal = done.clone();
        let (started, thread) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            thread.recv().unwrap();
            signal.set();
        });
        spawn(async move { started.send(()).unwrap() }).detach();
        done.wait().await;
        other.join().unwrap();
    }

    async fn ten_thousand_wakes_from_four_threads_all_arrive() {
        let signals: Vec<_> = (0..10_000).map(|_| Signal::default()).collect();
        let left = Rc::new(Cell::new(signals.len()));
        let all = Signal::default();
        for signal in &signals {
            let (signal, left, all) = (signal.clone(), Rc::clone(&left), all.clone());
            spawn(async move {
                signal.wait().await;
                left.set(left.get() - 1);
                if left.get() == 0 {
                    all.set();
                }
            })
            .detach();
        }
        let threads: Vec<_> = signals
            .chunks(2_500)
            .map(|chunk| {
                let chunk = chunk.to_vec();
                std::thread::spawn(move || chunk.iter().for_each(Signal::set))
            })
            .collect();
        all.wait().await;
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    async fn a_wake_never_polls_inside_the_waking_task() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let (wake_me, done) = (Signal::default(), Signal::default());
        let (inner, waiting, signal) = (Rc::clone(&order), wake_me.clone(), done.clone());
        spawn(async move {
            waiting.wait().await;
            inner.borrow_mut().push("woken");
            signal.set();
        })
        .detach();
        next_pass().await;
        order.borrow_mut().push("waking");
        wake_me.set();
        order.borrow_mut().push("has woken");
        done.wait().await;
        assert_eq!(*order.borrow(), ["waking", "has woken", "woken"]);
    }

    async fn a_task_that_wakes_itself_is_polled_once_per_pass() {
        let first = pass();
        let mut seen = Vec::new();
        poll_fn(|cx| {
            seen.push(pass());
            cx.waker().wake_by_ref();
            cx.waker().wake_by_ref();
            if seen.len() == 100 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert_eq!(seen[0], first);
        assert!(seen.windows(2).all(|pair| pair[1] > pair[0]), "{seen:?}");
    }

    async fn tasks_left_over_are_dropped_with_the_runtime() {
        // Dropping a future may itself wake and spawn.
        struct SpawnOnDrop(Signal);
        impl Drop for SpawnOnDrop {
            fn drop(&mut self) {
                self.0.set();
                let _ = std::panic::catch_unwind(|| spawn(async {}).detach());
            }
        }
        let signal = Signal::default();
        for _ in 0..3 {
            let (guard, waits) = (SpawnOnDrop(signal.clone()), signal.clone());
            spawn(async move {
                waits.wait().await;
                let _guard = guard;
                pending::<()>().await;
            })
            .detach();
        }
        next_pass().await;
    }

    async fn the_wall_clock_agrees_with_the_systems() {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
        let ours = unix_micros();
        assert!(ours.abs_diff(system) < 1_000_000, "{ours} {system}");
        let (then, start) = (ours, now());
        weft_rt::sleep(Duration::from_millis(5)).await;
        let (micros, passed) = (unix_micros() - then, (now() - start).as_micros() as u64);
        assert!(micros.abs_diff(passed) <= 1_000, "{micros} {passed}");
    }
}

#[cfg(feature = "link-uv")]
#[test]
fn on_libuv_time_stands_still_during_a_pass_and_goes_on_after_it() {
    weft_rt::uv::run(async {
        let (first, real) = (now(), std::time::Instant::now());
        while real.elapsed() < Duration::from_millis(2) {
            assert_eq!(now(), first);
        }
        next_pass().await;
        assert!(now() >= first + Duration::from_millis(2));
    });
}

#[cfg(feature = "link-uv")]
#[test]
fn on_libuv_a_pass_ends_after_a_millisecond() {
    weft_rt::uv::run(async {
        let passes = Rc::new(RefCell::new(Vec::new()));
        let left = Rc::new(Cell::new(320));
        let done = Signal::default();
        for _ in 0..320 {
            let (passes, left, done) = (Rc::clone(&passes), Rc::clone(&left), done.clone());
            spawn(async move {
                let start = std::time::Instant::now();
                while start.elapsed() < Duration::from_micros(50) {}
                passes.borrow_mut().push(pass());
                left.set(left.get() - 1);
                if left.get() == 0 {
                    done.set();
                }
            })
            .detach();
        }
        done.wait().await;
        let passes = passes.borrow();
        // 16 ms of work: at most 1 ms and the rest of a batch of 16 (0.8 ms) in one pass.
        assert!(passes.last().unwrap() - passes.first().unwrap() >= 5, "{passes:?}");
    });
}
