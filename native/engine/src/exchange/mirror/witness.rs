//! What a client was answered, seen for the copy of its request.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::http::head::ResponseHead;
use crate::transfer::{Copied, Transfer};

use super::diff::{Body, Seen, fields};

/// The exchange's end: sees the answer that is passed on, and by its own end that there is none.
pub struct Witness(Rc<State>);

/// The end of the copy, which waits.
pub(super) struct Testimony(Rc<State>);

struct State {
    max_body: usize,
    seen: RefCell<Option<(u16, super::diff::Fields, Copied)>>,
    waker: RefCell<Option<Waker>>,
}

/// Both ends; of the body so many bytes are kept.
pub(super) fn witness(max_body: usize) -> (Witness, Testimony) {
    let state = Rc::new(State { max_body, seen: RefCell::default(), waker: RefCell::default() });
    (Witness(Rc::clone(&state)), Testimony(state))
}

impl Witness {
    /// The endpoint's answer is here, and its body is about to go on.
    pub fn answer(&self, head: &ResponseHead, answering: &mut Transfer) {
        let body = if answering.is_bodiless() { Copied::empty() } else { answering.copy(self.0.max_body) };
        *self.0.seen.borrow_mut() = Some((head.status, fields(head), body));
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.wake();
    }
}

impl Testimony {
    /// Waits for the whole answer; `None` when there was none.
    pub(super) async fn wait(self) -> Option<Seen> {
        let (status, fields, body) = poll_fn(|cx| {
            if let Some(seen) = self.0.seen.take() {
                return Poll::Ready(Some(seen));
            }
            // Whoever drops the other end wakes this one, which is polled after that.
            if Rc::strong_count(&self.0) == 1 {
                return Poll::Ready(None);
            }
            *self.0.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await?;
        let body = body.whole().await.map_or(Body::NotKept, Body::Whole);
        Some(Seen { status, fields, body })
    }
}
