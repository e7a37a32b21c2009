//! Heads of finished exchanges, to be used again: a request in steady state allocates none.

use std::cell::RefCell;

use crate::http::head::{RequestHead, ResponseHead};

/// Heads of finished exchanges: their memory is used again.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "a head moves between owners many times: a pointer, not 150 bytes")]
pub struct Heads {
    requests: RefCell<Vec<Box<RequestHead>>>,
    responses: RefCell<Vec<Box<ResponseHead>>>,
}

/// Heads kept for reuse per worker, and the largest buffer one of them may keep.
const HEADS_KEPT: usize = 64;
const HEAD_BYTES_KEPT: usize = 8 * 1024;

impl Heads {
    /// A cleared head.
    pub fn take_request(&self) -> Box<RequestHead> {
        self.requests.borrow_mut().pop().unwrap_or_else(|| Box::new(RequestHead::new()))
    }

    /// Gives a head back.
    pub fn give_request(&self, mut head: Box<RequestHead>) {
        let mut kept = self.requests.borrow_mut();
        if kept.len() < HEADS_KEPT && head.bytes.capacity() <= HEAD_BYTES_KEPT {
            head.clear();
            kept.push(head);
        }
    }

    /// A cleared head.
    pub fn take_response(&self) -> Box<ResponseHead> {
        self.responses.borrow_mut().pop().unwrap_or_else(|| Box::new(ResponseHead::new()))
    }

    /// Gives a head back.
    pub fn give_response(&self, mut head: Box<ResponseHead>) {
        let mut kept = self.responses.borrow_mut();
        if kept.len() < HEADS_KEPT && head.bytes.capacity() <= HEAD_BYTES_KEPT {
            head.clear();
            kept.push(head);
        }
    }
}
