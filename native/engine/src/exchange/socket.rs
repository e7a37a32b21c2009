//! A WebSocket that its door serves itself: the pipeline lets the request in, the door answers it and says with what
//! status, which is what is recorded.
//!
//! On the stream of memory the request's head goes out as the filters left it; the status comes in as three digits.

use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::Duration;

use crate::error::{Error, Kind};
use crate::exchange::downstream::{Downstream, Next, gone};
use crate::exchange::ongoing::Ongoing;
use crate::exchange::relay;
use crate::http::framing::wants_upgrade;
use crate::http::head::RequestHead;
use crate::telemetry::record::Mark;

/// How long the door may take to decide.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the request is for a WebSocket of its door.
pub fn is_asked_for(exchange: &Ongoing<'_>) -> bool {
    let listener = exchange.view.listener();
    !listener.sockets.is_empty()
        && wants_upgrade(exchange.head)
        && listener.serves_socket(exchange.head.text(exchange.head.path))
}

/// Hands the request to the door.
pub async fn run(exchange: &mut Ongoing<'_>) -> Result<Next, Error> {
    let mut out = exchange.worker.buffers.take_output();
    write_request(exchange.head, &mut out);
    // From now on the door answers.
    exchange.answering = true;
    if !relay::send(exchange.downstream, exchange.worker, out).await {
        return Err(Error::new(Kind::DownstreamGone, "the client gave up"));
    }
    let decided = decided(exchange.downstream).await;
    // The end of the stream would say that all went well.
    let status = decided.inspect_err(|_| exchange.downstream.stream.set_abort_on_drop())?;
    exchange.account.mark(Mark::Answered);
    exchange.account.replied(status, 0);
    Ok(Next::Close)
}

async fn decided(downstream: &mut Downstream) -> Result<u16, Error> {
    let (mut digits, mut read) = ([0; 3], 0);
    downstream.timer.set(Some(weft_rt::now() + PATIENCE));
    poll_fn(|cx| {
        while let Some(rest) = digits.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match downstream.stream.poll_read(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Error::new(Kind::Internal, "the door did not decide"))),
                Poll::Ready(Ok(bytes)) => read += bytes,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(gone(&error))),
                Poll::Pending => {
                    ready!(downstream.timer.poll_expired(cx));
                    let late = Error::new(Kind::ExchangeTimeout, "the handler of the socket did not decide in time");
                    return Poll::Ready(Err(late));
                }
            }
        }
        Poll::Ready(Ok(()))
    })
    .await?;
    let status = std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok());
    status.ok_or(Error::new(Kind::Internal, "the door decided on no status"))
}

fn write_request(head: &RequestHead, out: &mut Vec<u8>) {
    out.extend_from_slice(head.method_str().as_bytes());
    out.push(b' ');
    head.target().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in head.section().iter() {
        [name, b": ", value, b"\r\n"].iter().for_each(|part| out.extend_from_slice(part));
    }
    out.extend_from_slice(b"\r\n");
}
