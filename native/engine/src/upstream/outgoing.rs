//! A request on its way to a cluster, across all its attempts.

use crate::buffer::Buffer;
use crate::deadline::Deadlines;
use crate::error::Error;
use crate::http::forward::{ForwardRequest, encode_request};
use crate::http::framing::wants_upgrade;
use crate::ongoing::Ongoing;
use crate::retry::Standing;
use crate::snapshot::GenerationRoute;
use crate::transfer::Transfer;

/// A request on its way to a cluster, across all its attempts.
pub struct Outgoing<'a> {
    /// The route that it takes.
    pub route: &'a GenerationRoute,
    /// The exchange's clocks.
    pub deadlines: Deadlines,
    /// Its bytes.
    pub sending: Transfer,
    /// The next attempt is made on a new connection: one stale connection tells about the others of its age.
    pub fresh: bool,
    /// The last attempt was made on a connection that had served before.
    pub reused: bool,
    /// An attempt got as far as a connection.
    begun: bool,
}

impl<'a> Outgoing<'a> {
    /// A request of which nothing is sent; `rest` is what came behind its head.
    pub fn new(exchange: &Ongoing<'_>, route: &'a GenerationRoute, rest: Option<Buffer>) -> Self {
        let max_trailer_bytes = exchange.view.listener().head_limits.max_bytes;
        let out = exchange.worker.buffers.take_output();
        Self {
            route,
            deadlines: Deadlines::start(route, exchange.account.started, exchange.unread),
            sending: Transfer::new(exchange.body, exchange.body, max_trailer_bytes, out, rest),
            fresh: false,
            reused: false,
            begun: false,
        }
    }

    /// Begins an attempt on a connection: the head, then what is known of the body.
    pub fn begin(&mut self, exchange: &Ongoing<'_>) {
        self.begun = true;
        let forward = ForwardRequest {
            client: &exchange.downstream.client,
            scheme: "http",
            request_id: exchange.account.generated_id(),
            framing: exchange.body,
            upgrade: wants_upgrade(exchange.head),
            expect_continue: exchange.expects_continue(),
        };
        self.sending.begin(|out| encode_request(exchange.head, &forward, out));
    }

    /// How the exchange stands after an attempt.
    pub fn standing(&self, exchange: &Ongoing<'_>) -> Standing {
        Standing { repeatable: exchange.may_repeat(), reused: self.reused }
    }

    /// The last attempt met a closed connection; the next one gets a new one.
    pub fn replay<T>(&mut self, exchange: &mut Ongoing<'_>, attempted: &Result<T, Error>) {
        if let Err(error) = attempted {
            exchange.account.retried(error);
        }
        self.fresh = true;
    }

    /// The exchange fails. Behind a request that came whole stands the next one.
    pub fn abandon(self, exchange: &mut Ongoing<'_>, error: Error) -> Error {
        if let Some(next_request) = self.sending.finish(&exchange.worker.buffers).filter(|_| self.begun) {
            exchange.downstream.keep(next_request);
        }
        error
    }
}
