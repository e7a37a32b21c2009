use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::*;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn this_thread() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// Waits on this thread; a wake-up that is lost fails the test instead of hanging it.
fn block_on(waiting: &mut Waiting) -> Granted {
    let waker = this_thread();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Poll::Ready(granted) = waiting.poll(&mut Context::from_waker(&waker)) {
            return granted;
        }
        assert!(Instant::now() < end, "a wake-up was lost: {:?}", waiting.gate.counts());
        thread::park_timeout(Duration::from_secs(20));
    }
}

fn ask(max: u32, thread: u32) -> Ask {
    Ask { max, max_waiting: 100, thread, endpoint: 7 }
}

fn poll(waiting: &mut Waiting) -> Poll<Granted> {
    waiting.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_place_is_free_again_when_it_is_given_back() {
    let gate = Arc::new(Gate::default());
    let place = gate.take(1).unwrap();
    assert!(gate.take(1).is_none());
    drop(place);
    assert!(gate.take(1).is_some());
    assert_eq!(gate.counts(), (0, 0));
}

#[test]
fn who_came_first_is_first_and_nobody_slips_in() {
    let gate = Arc::new(Gate::default());
    let place = gate.take(1).unwrap();
    let mut first = gate.wait(ask(1, 1), Waker::noop()).unwrap();
    let mut second = gate.wait(ask(1, 2), Waker::noop()).unwrap();
    assert!(poll(&mut first).is_pending());
    drop(place);
    assert!(gate.take(1).is_none(), "it is the first one's already");
    assert!(poll(&mut second).is_pending());
    let Poll::Ready(Granted::Place(place)) = poll(&mut first) else { panic!("not granted") };
    drop(place);
    assert!(poll(&mut second).is_ready());
    assert_eq!(gate.counts(), (0, 0));
}

#[test]
fn only_so_many_wait() {
    let gate = Arc::new(Gate::default());
    let _place = gate.take(1).unwrap();
    let few = Ask { max_waiting: 1, ..ask(1, 1) };
    let _first = gate.wait(few, Waker::noop()).unwrap();
    assert_eq!(gate.wait(few, Waker::noop()).unwrap_err(), Full);
    assert_eq!(gate.counts(), (1, 1));
}

#[test]
fn who_leaves_the_queue_takes_nothing_with_him() {
    let gate = Arc::new(Gate::default());
    let place = gate.take(1).unwrap();
    let waits = gate.wait(ask(1, 1), Waker::noop()).unwrap();
    let granted = gate.wait(ask(1, 1), Waker::noop()).unwrap();
    let mut last = gate.wait(ask(1, 1), Waker::noop()).unwrap();
    drop(waits);
    drop(place);
    // His turn has come, and he goes without having seen it.
    drop(granted);
    assert!(poll(&mut last).is_ready());
    assert_eq!(gate.counts(), (0, 0));
}

#[test]
fn more_places_after_a_reload_are_given_out_in_order() {
    let gate = Arc::new(Gate::default());
    let _place = gate.take(1).unwrap();
    let mut old = gate.wait(ask(1, 1), Waker::noop()).unwrap();
    let mut new = gate.wait(ask(3, 1), Waker::noop()).unwrap();
    assert!(poll(&mut old).is_pending(), "he knows of one place only");
    drop(old);
    assert!(poll(&mut new).is_ready());
}

#[test]
fn fewer_places_after_a_reload_are_reached_as_they_come_back() {
    let gate = Arc::new(Gate::default());
    let mut places: Vec<_> = (0..3).map(|_| gate.take(3).unwrap()).collect();
    let mut waiting = gate.wait(ask(1, 1), Waker::noop()).unwrap();
    places.pop();
    places.pop();
    assert!(poll(&mut waiting).is_pending());
    places.pop();
    assert!(poll(&mut waiting).is_ready());
}

#[test]
fn a_connection_goes_to_who_can_use_it_but_not_past_the_same_one_for_ever() {
    let gate = Arc::new(Gate::default());
    let place = gate.take(1).unwrap();
    let mut other = gate.wait(ask(1, 1), Waker::noop()).unwrap();
    let mut handed = 0;
    let mut own: Vec<_> = (0..20).map(|_| gate.wait(ask(1, 2), Waker::noop()).unwrap()).collect();
    while let Some(ticket) = gate.hand_over(2, 7) {
        assert_eq!(ticket, own[handed].ticket());
        assert!(matches!(poll(&mut own[handed]), Poll::Ready(Granted::Connection(_))));
        handed += 1;
    }
    assert_eq!(handed, usize::from(MAX_PASSED_OVER));
    assert_eq!(gate.hand_over(2, 8), None, "nobody wants that endpoint");
    drop(place);
    assert!(poll(&mut other).is_ready());
    drop(own);
    assert_eq!(gate.counts(), (0, 0));
}

#[test]
fn who_holds_places_without_using_them_is_told_when_somebody_waits() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let gate = Arc::new(Gate::default());
    let told = Arc::new(Count(AtomicUsize::new(0)));
    for _ in 0..3 {
        gate.keep_told(1, &Waker::from(Arc::clone(&told)));
    }
    let _place = gate.take(1).unwrap();
    assert_eq!(told.0.load(SeqCst), 0);
    let _waiting = gate.wait(ask(1, 2), Waker::noop()).unwrap();
    assert_eq!(told.0.load(SeqCst), 1);
    gate.forget(1);
    let _waiting = gate.wait(ask(1, 2), Waker::noop()).unwrap();
    assert_eq!(told.0.load(SeqCst), 1);
}

#[test]
fn eight_threads_that_come_wait_leave_and_go_lose_no_wake_up_and_no_place() {
    const MAX: u32 = 2;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let gate = Arc::new(Gate::default());
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        for worker in 0..8_u32 {
            let (gate, inside) = (Arc::clone(&gate), &inside);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed ^ u64::from(worker));
                for _ in 0..5_000 {
                    let place = gate.take(MAX).or_else(|| {
                        let mut waiting = gate.wait(ask(MAX, worker), &this_thread()).ok()?;
                        if random.u8(..4) == 0 {
                            return None;
                        }
                        match block_on(&mut waiting) {
                            Granted::Place(place) => Some(place),
                            Granted::Connection(_) => unreachable!("nobody hands connections over here"),
                        }
                    });
                    if place.is_some() {
                        assert!(inside.fetch_add(1, SeqCst) < MAX);
                        if random.bool() {
                            thread::yield_now();
                        }
                        inside.fetch_sub(1, SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(gate.counts(), (0, 0));
    assert!(gate.queue.lock().granted.is_empty());
}
