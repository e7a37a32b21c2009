//! An exchange under way: what its phases share.

use std::rc::Rc;

use crate::account::Account;
use crate::downstream::Downstream;
use crate::http::framing::{expects_continue, request_keep_alive};
use crate::http::head::RequestHead;
use crate::serving::View;
use crate::worker::Worker;

/// What the phases of one exchange share.
pub struct Ongoing<'a> {
    /// The client's side.
    pub downstream: &'a mut Downstream,
    /// The thread's state.
    pub worker: &'a Rc<Worker>,
    /// The configuration it runs under, whatever is applied meanwhile.
    pub view: &'a View,
    /// The request.
    pub head: &'a mut RequestHead,
    /// What it was, for record, log and metrics.
    pub account: &'a mut Account,
    /// Part of the request is still to be read.
    pub unread: bool,
    /// The answer's head went out: an error can no longer become a status.
    pub answering: bool,
}

impl Ongoing<'_> {
    /// Whether the client's connection may serve another request after this one.
    pub fn may_keep_alive(&self) -> bool {
        let limit = self.view.listener().limits.max_requests_per_connection;
        request_keep_alive(self.head)
            && (limit == 0 || self.downstream.served < limit)
            && !self.worker.is_draining()
            && !self.downstream.serving().is_closing()
    }

    /// Whether the client waits for a 100 before it sends its body.
    pub fn expects_continue(&self) -> bool {
        expects_continue(self.head)
    }
}
