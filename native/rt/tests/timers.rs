//! Timers on both back-ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, wherever its code stands"
)]

mod kit;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use kit::next_pass;
use kit::signal::Signal;
use weft_rt::{Timer, now, sleep, spawn};

const MS: Duration = Duration::from_millis(1);

on_both! {
    async fn a_sleep_is_never_early() {
        for millis in [0, 1, 2, 5, 20] {
            let start = Instant::now();
            sleep(millis * MS).await;
            let passed = start.elapsed();
            // The clock of the pass is at most as old as the pass.
            assert!(passed + MS > millis * MS, "{millis} ms slept as {passed:?}");
            assert!(passed < millis * MS + 2_000 * MS, "{millis} ms slept as {passed:?}");
        }
    }

    async fn a_timer_without_a_deadline_never_expires() {
        let mut timer = Timer::new();
        poll_fn(|cx| {
            assert!(timer.poll_expired(cx).is_pending());
            timer.set(Some(now() + MS));
            assert!(timer.poll_expired(cx).is_pending());
            timer.set(None);
            assert!(timer.poll_expired(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        sleep(5 * MS).await;
        poll_fn(|cx| {
            assert!(timer.poll_expired(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }

    async fn a_deadline_moved_back_expires_at_the_later_time() {
        let mut timer = Timer::new();
        let start = now();
        timer.set(Some(start + 2 * MS));
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            if polls == 1 {
                assert!(timer.poll_expired(cx).is_pending());
                timer.set(Some(start + 12 * MS));
            }
            timer.poll_expired(cx)
        })
        .await;
        assert!(now() >= start + 12 * MS);
        assert!(polls <= 4, "{polls} polls");
    }

    async fn a_deadline_moved_forward_expires_at_the_earlier_time() {
        let mut timer = Timer::new();
        let start = now();
        timer.set(Some(start + Duration::from_secs(600)));
        poll_fn(|cx| {
            assert!(timer.poll_expired(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        timer.set(Some(start + 3 * MS));
        poll_fn(|cx| timer.poll_expired(cx)).await;
        assert!(now() >= start + 3 * MS && now() < start + Duration::from_secs(60));
    }

    async fn an_expired_timer_stays_expired_until_it_is_set_again() {
        let mut timer = Timer::new();
        timer.set(Some(now() + MS));
        poll_fn(|cx| timer.poll_expired(cx)).await;
        poll_fn(|cx| {
            assert!(timer.poll_expired(cx).is_ready());
            timer.set(Some(now() + Duration::from_secs(600)));
            assert!(timer.poll_expired(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }

    async fn a_timer_that_changes_tasks_wakes_the_one_that_polled_last() {
        let timer = Rc::new(RefCell::new(Timer::new()));
        timer.borrow_mut().set(Some(now() + 5 * MS));
        let first = Rc::clone(&timer);
        let task = spawn(async move {
            poll_fn(|cx| first.borrow_mut().poll_expired(cx)).await;
        });
        next_pass().await;
        let done = Signal::default();
        let (second, signal) = (Rc::clone(&timer), done.clone());
        spawn(async move {
            poll_fn(|cx| second.borrow_mut().poll_expired(cx)).await;
            signal.set();
        })
        .detach();
        done.wait().await;
        drop(task);
    }

    async fn a_thousand_timers_expire_each_in_its_time() {
        let late = Rc::new(Cell::new(0));
        let left = Rc::new(Cell::new(1000));
        let done = Signal::default();
        for index in 0..1000u32 {
            let (late, left, done) = (Rc::clone(&late), Rc::clone(&left), done.clone());
            spawn(async move {
                let deadline = now() + (index * 7 % 90) * MS;
                let mut timer = Timer::new();
                timer.set(Some(deadline));
                poll_fn(|cx| timer.poll_expired(cx)).await;
                assert!(now() >= deadline);
                late.set(late.get().max((now() - deadline).as_millis()));
                left.set(left.get() - 1);
                if left.get() == 0 {
                    done.set();
                }
            })
            .detach();
        }
        done.wait().await;
        assert!(late.get() < 2_000, "{} ms late", late.get());
    }

    async fn dropping_timers_of_any_age_leaves_the_others_alone() {
        let mut kept = Timer::new();
        let deadline = now() + 20 * MS;
        kept.set(Some(deadline));
        let mut others: Vec<_> = (0..200u64).map(|_| Timer::new()).collect();
        poll_fn(|cx| {
            for (index, timer) in others.iter_mut().enumerate() {
                timer.set(Some(now() + MS + index as u32 * MS));
                assert!(timer.poll_expired(cx).is_pending());
            }
            assert!(kept.poll_expired(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        others.truncate(100);
        sleep(10 * MS).await;
        others.clear();
        poll_fn(|cx| kept.poll_expired(cx)).await;
        assert!(now() >= deadline);
    }
}
