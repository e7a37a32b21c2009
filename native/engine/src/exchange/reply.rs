//! Answers that the proxy makes itself, and the connection's fate after them.

use std::rc::Rc;

use crate::error::{Error, Kind};
use crate::exchange::account::Account;
use crate::exchange::downstream::{Downstream, Next};
use crate::exchange::ongoing::Ongoing;
use crate::exchange::relay;
use crate::exchange::respond::{self, Reply, Verdict};
use crate::filter::{self, Stop};
use crate::http::direct::Direct;
use crate::http::head::Version;
use crate::telemetry::metrics::Counter;
use crate::telemetry::record::{Address, Mark};
use crate::worker::Worker;

/// To an exchange that did not come to its end. A filter that sees the reply may put another one in its place; those
/// behind it have seen theirs.
pub async fn stopped(exchange: &mut Ongoing<'_>, mut stop: Stop) -> Next {
    loop {
        let replied = match stop {
            Stop::Failed(error) => fail(exchange, error).await,
            Stop::Answered(_) if exchange.answering => return Next::Close,
            // The record has the filter's name: it is not the route that answered.
            Stop::Answered(answer) => fixed(exchange, &answer, b"").await,
        };
        match replied {
            Ok(next) => return next,
            Err(again) => stop = again,
        }
    }
}

/// To an exchange that failed: a local reply where one is still possible, else the end of the connection.
async fn fail(exchange: &mut Ongoing<'_>, error: Error) -> Result<Next, Stop> {
    let verdict = respond::verdict(&error);
    exchange.account.failed(&error, &verdict);
    if error.kind == Kind::DownstreamGone || exchange.answering {
        return Ok(Next::Close);
    }
    let fallback = exchange.routed.and_then(|routed| routed.route.fallback.as_deref());
    if let Some(fallback) = fallback.filter(|fallback| fallback.covers(error.kind)) {
        exchange.account.mark(Mark::Fallback);
        return fixed(exchange, &fallback.direct, b"").await;
    }
    own(exchange, |reply, out| (verdict.status, respond::local_reply(&error, &verdict, reply, out))).await
}

/// What a route answers itself. `location` is empty where the answer is no redirect.
pub async fn direct(exchange: &mut Ongoing<'_>, direct: &Direct, location: &[u8]) -> Result<Next, Stop> {
    exchange.account.mark(Mark::Answered);
    fixed(exchange, direct, location).await
}

async fn fixed(exchange: &mut Ongoing<'_>, direct: &Direct, location: &[u8]) -> Result<Next, Stop> {
    own(exchange, |reply, out| (direct.status, respond::direct_reply(direct, location, reply, out))).await
}

/// Sends a whole answer of the proxy's own; `write` says its status and the bytes of its body.
async fn own(
    exchange: &mut Ongoing<'_>,
    write: impl FnOnce(&Reply<'_>, &mut Vec<u8>) -> (u16, usize),
) -> Result<Next, Stop> {
    let close = exchange.unread || !exchange.may_keep_alive();
    let reply = Reply {
        date: &exchange.worker.date(),
        request_id: exchange.account.request_id(exchange.head),
        next_hop: exchange.account.upstream(),
        received_status: exchange.account.upstream_status(),
        retries_spent: exchange.retries_spent,
        close,
        announce_keep_alive: exchange.head.version == Version::Http10,
        head_only: exchange.head.method_str() == "HEAD",
    };
    let mut out = exchange.worker.buffers.take_output();
    let (status, length) = write(&reply, &mut out);
    let status = match filter::local_reply(exchange, &mut out).await {
        Ok(changed) => changed.unwrap_or(status),
        Err(stop) => {
            exchange.worker.buffers.give_output(out);
            return Err(stop);
        }
    };
    exchange.account.replied(status, length);
    let sent = relay::send(exchange.downstream, exchange.worker, out).await;
    Ok(match (sent, close) {
        (false, _) => Next::Close,
        (true, true) => Next::Linger,
        (true, false) => Next::Request,
    })
}

/// To a request whose head could not be read.
pub async fn refuse(downstream: &mut Downstream, worker: &Rc<Worker>, error: Error) -> Next {
    let view = downstream.serving().view();
    let mut account = Account::open(worker, &view, downstream, weft_rt::now());
    account.request_unread();
    let verdict = respond::verdict(&error);
    account.failed(&error, &verdict);
    let mut next = Next::Close;
    if error.kind != Kind::DownstreamGone {
        let (length, sent) = last_words(downstream, worker, &error, &verdict, account.own_id()).await;
        account.replied(verdict.status, length);
        next = sent;
    }
    account.close(None);
    next
}

/// To a connection beyond the listener's bound: the client does not see a mere reset.
pub async fn turn_away(downstream: &mut Downstream, worker: &Rc<Worker>) -> Next {
    worker.count(Counter::DownstreamConnectionsRefused, 1);
    let error = Error::new(Kind::Overflow, "the listener has as many connections as it may have");
    last_words(downstream, worker, &error, &respond::verdict(&error), b"").await.1
}

/// A reply after which the connection ends; its body's length, and how to end.
async fn last_words(
    downstream: &mut Downstream,
    worker: &Rc<Worker>,
    error: &Error,
    verdict: &Verdict,
    request_id: &[u8],
) -> (usize, Next) {
    let date = worker.date();
    let reply = Reply {
        date: &date,
        request_id,
        next_hop: Address::NONE,
        received_status: 0,
        retries_spent: false,
        close: true,
        announce_keep_alive: false,
        head_only: false,
    };
    let mut out = worker.buffers.take_output();
    let length = respond::local_reply(error, verdict, &reply, &mut out);
    let sent = relay::send(downstream, worker, out).await;
    (length, if sent { Next::Linger } else { Next::Close })
}
