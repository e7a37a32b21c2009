//! A copy of a body as it comes from its source, for somebody who does not take part in the exchange.
//!
//! The body never waits for the copy. A body longer than the copy may be, or one that breaks off, leaves none.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Why there is no copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCopy {
    /// The body is longer than a copy may be.
    TooLong,
    /// The body did not come to its end.
    Broken,
}

/// The reader's end: the body, once it is whole.
pub struct Copied(Rc<RefCell<State>>);

/// The writer's end, in the way of the body.
pub(super) struct Copying(Rc<RefCell<State>>);

struct State {
    data: Vec<u8>,
    max_bytes: usize,
    /// `None` while it comes.
    end: Option<Result<(), NoCopy>>,
    waker: Option<Waker>,
}

/// Both ends of a copy.
pub(super) fn copy(max_bytes: usize) -> (Copying, Copied) {
    let state = State { data: Vec::new(), max_bytes, end: None, waker: None };
    let state = Rc::new(RefCell::new(state));
    (Copying(Rc::clone(&state)), Copied(state))
}

impl Copied {
    /// That of a body without bytes.
    pub fn empty() -> Self {
        let (copying, copied) = copy(0);
        copying.end();
        copied
    }

    /// Waits for the end of the body.
    pub async fn whole(self) -> Result<Vec<u8>, NoCopy> {
        poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            match state.end {
                Some(end) => Poll::Ready(end.map(|()| std::mem::take(&mut state.data))),
                None => {
                    state.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Copying {
    pub(super) fn add(&self, data: &[u8]) {
        let mut state = self.0.borrow_mut();
        if state.end.is_some() {
            return;
        }
        if state.data.len() + data.len() > state.max_bytes {
            state.data = Vec::new();
            state.finish(Err(NoCopy::TooLong));
        } else {
            state.data.extend_from_slice(data);
        }
    }

    pub(super) fn end(&self) {
        self.0.borrow_mut().finish(Ok(()));
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.0.borrow_mut().finish(Err(NoCopy::Broken));
    }
}

impl State {
    fn finish(&mut self, end: Result<(), NoCopy>) {
        if self.end.is_none() {
            self.end = Some(end);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(copied: Copied) -> Option<Result<Vec<u8>, NoCopy>> {
        let mut whole = std::pin::pin!(copied.whole());
        match whole.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())) {
            Poll::Ready(end) => Some(end),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_body_that_comes_to_its_end_leaves_its_bytes() {
        let (copying, copied) = copy(4);
        copying.add(b"ab");
        copying.add(b"cd");
        copying.end();
        drop(copying);
        assert_eq!(ended(copied), Some(Ok(b"abcd".to_vec())));
        assert_eq!(ended(Copied::empty()), Some(Ok(Vec::new())));
    }

    #[test]
    fn one_that_is_too_long_or_breaks_off_leaves_none() {
        let (copying, copied) = copy(3);
        copying.add(b"ab");
        copying.add(b"cd");
        copying.end();
        assert_eq!(ended(copied), Some(Err(NoCopy::TooLong)));
        let (copying, copied) = copy(3);
        copying.add(b"ab");
        drop(copying);
        assert_eq!(ended(copied), Some(Err(NoCopy::Broken)));
        let (_copying, copied) = copy(3);
        assert_eq!(ended(copied), None);
    }
}
