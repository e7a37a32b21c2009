//! The driver: one request, from its head to its record. Read it from top to bottom.
//!
//! `route → loop { pick → attempt → classify } → relay | tunnel | local reply → record`. Each phase lives in its own
//! folder and returns a value; phases do not call each other.

use std::rc::Rc;
use std::sync::Arc;

use crate::account::Account;
use crate::buffer::Buffer;
use crate::cluster::{self, Picked};
use crate::deadline::Deadlines;
use crate::downstream::{Downstream, Next, Request};
use crate::error::{Error, Kind};
use crate::http::framing::{Framing, request_framing, wants_upgrade};
use crate::ongoing::Ongoing;
use crate::route;
use crate::snapshot::{Endpoint, GenerationCluster};
use crate::upstream::attempt::{self, Attempt};
use crate::upstream::connect::{self, Upstream};
use crate::worker::Worker;
use crate::{relay, reply, tunnel};

/// Serves one request.
pub async fn run(downstream: &mut Downstream, worker: &Rc<Worker>, request: Request) -> Next {
    let view = downstream.serving().view();
    let mut account = Account::open(worker, &view, downstream, request.started);
    account.request(&request.head);
    downstream.served += 1;
    let mut head = request.head;
    let mut exchange = Ongoing {
        downstream,
        worker,
        view: &view,
        head: &mut head,
        account: &mut account,
        // Nothing behind a head can be told apart until its framing is known.
        unread: true,
        answering: false,
    };
    let next = match drive(&mut exchange, request.rest).await {
        Ok(next) => next,
        Err(error) => reply::fail(&mut exchange, error).await,
    };
    account.close(Some(&head));
    worker.heads.give_request(head);
    next
}

async fn drive(exchange: &mut Ongoing<'_>, mut rest: Option<Buffer>) -> Result<Next, Error> {
    let body = request_framing(exchange.head)?;
    let bodiless = matches!(body, Framing::None | Framing::Length(0));
    if bodiless && let Some(rest) = rest.take_if(|_| !wants_upgrade(exchange.head)) {
        exchange.downstream.keep(rest);
    }
    exchange.unread = !bodiless || rest.is_some();
    let view = exchange.view;
    let generation = &view.generation;
    let route = route::choose(view.listener(), generation).and_then(|index| generation.routes.get(usize::from(index)));
    let route = route.ok_or(Error::new(Kind::NoRoute, "no route takes this request"))?;
    exchange.account.routed(route);
    let cluster = generation.clusters.get(usize::from(route.cluster));
    let cluster = cluster.ok_or(Error::new(Kind::NoRoute, "the route's cluster does not exist"))?;
    let mut deadlines = Deadlines::start(route, exchange.account.started, exchange.unread);
    let mut fresh = false;
    loop {
        let picked = cluster::pick(&exchange.worker.picker, cluster, &[]);
        let Picked { endpoint, index, .. } =
            picked.ok_or(Error::new(Kind::NoHealthyUpstream, "the cluster has no endpoint"))?;
        exchange.account.attempt(cluster, index, &endpoint);
        if exchange.head.text(exchange.head.authority).is_empty() {
            // HTTP/1.0 without a Host; what we send on is HTTP/1.1, which must have one.
            exchange.head.set_authority(endpoint.socket.to_string().as_bytes());
        }
        let mut upstream = obtain(exchange, cluster, &endpoint, body, fresh, &mut deadlines).await?;
        let mut sending = relay::request(exchange, body, rest.take());
        let attempted = attempt::run(
            Attempt {
                request: exchange.head,
                upgrade: wants_upgrade(exchange.head),
                downstream: exchange.downstream,
                upstream: &mut upstream,
                sending: &mut sending,
                deadlines: &mut deadlines,
                route,
            },
            &exchange.worker.buffers,
            &exchange.worker.heads,
        )
        .await;
        exchange.unread = !sending.is_decoded();
        exchange.account.request_bytes(sending.body_bytes);
        match attempted {
            Ok(answer) if answer.switched => return tunnel::run(exchange, upstream, sending, answer, route).await,
            Ok(answer) => return relay::run(exchange, cluster, upstream, sending, answer, deadlines).await,
            Err(error) if attempt::is_replayable(&error, exchange.head.method, upstream.served > 0, body) => {
                exchange.account.retried(&error);
                rest = sending.finish(&exchange.worker.buffers);
                // One stale connection tells about the others of its age.
                fresh = true;
            }
            Err(error) => {
                // Behind a request that came whole stands the next one.
                if let Some(next_request) = sending.finish(&exchange.worker.buffers) {
                    exchange.downstream.keep(next_request);
                }
                return Err(error);
            }
        }
    }
}

/// A connection to the endpoint: a pooled one unless `fresh`, else a new one.
async fn obtain(
    exchange: &mut Ongoing<'_>,
    cluster: &GenerationCluster,
    endpoint: &Arc<Endpoint>,
    body: Framing,
    fresh: bool,
    deadlines: &mut Deadlines,
) -> Result<Upstream, Error> {
    let probe = !attempt::may_repeat(exchange.head.method, body);
    if !fresh && let Some(pooled) = exchange.worker.pool.take(endpoint, probe) {
        exchange.account.reused();
        return Ok(pooled);
    }
    let connected = connect::connect(endpoint, cluster.connect_timeout, exchange.downstream, deadlines).await;
    exchange.account.connected(connected.is_ok());
    connected
}
