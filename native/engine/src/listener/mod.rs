//! From a listening socket to connections, within the listener's bounds.

pub mod bind;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use weft_rt::Addr;

use crate::connection;
use crate::downstream::{Downstream, Next};
use crate::reply;
use crate::serving::{Admitted, Serving};
use crate::telemetry::metrics::Counter;
use crate::worker::Worker;

/// How long a listening socket rests after an error of its own.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Accepts for as long as the task lives.
pub async fn accept(mut socket: weft_rt::Listener, serving: Rc<Serving>, worker: Rc<Worker>) {
    loop {
        let accepted = poll_fn(|cx| {
            let before = weft_rt::Listener::accept_pauses();
            let accepted = socket.poll_accept(cx);
            worker.count(Counter::AcceptPauses, weft_rt::Listener::accept_pauses() - before);
            accepted
        });
        let Ok((stream, address)) = accepted.await else {
            // Not one connection's fault: asked again at once, it would fail again, and nothing else would run.
            weft_rt::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        worker.count(Counter::DownstreamConnections, 1);
        let admitted = Admitted::take(&serving);
        let within = admitted.is_within();
        let socket = match address {
            Addr::Tcp(socket) => socket,
            Addr::Unix(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        let abort_on_close = serving.view().listener().abort_on_close;
        let downstream = Downstream::new(stream, socket, admitted, abort_on_close);
        let worker = Rc::clone(&worker);
        if within {
            weft_rt::spawn(connection::serve(downstream, worker)).detach();
        } else {
            weft_rt::spawn(turn_away(downstream, worker)).detach();
        }
    }
}

async fn turn_away(mut downstream: Downstream, worker: Rc<Worker>) {
    if reply::turn_away(&mut downstream, &worker).await == Next::Linger {
        connection::linger(&mut downstream, &worker).await;
    }
}
