//! The driver: one request, from its head to its record. Read it from top to bottom.
//!
//! `shedding → filters → route → fault → filters → cluster → filters → limits → mirror →
//! loop { pick → attempt → classify } → relay | tunnel | local reply → record`.
//! Each phase is a module of its own and returns a value; phases do not call each other.

use std::rc::Rc;

use crate::error::Error;
use crate::exchange::account::Account;
use crate::exchange::downstream::{Downstream, Next, Request};
use crate::exchange::ongoing::{Aim, Ongoing};
use crate::exchange::{dtab, fault, mirror, overrides, relay, reply, socket, trace, tunnel};
use crate::filter::{self, Stage, Stop, body};
use crate::http::framing::request_framing;
use crate::route::Action;
use crate::snapshot::{GenerationRoute, Moment};
use crate::telemetry::record::Mark;
use crate::transfer::buffer::Buffer;
use crate::upstream::attempt::outgoing::Outgoing;
use crate::upstream::cluster::Wish;
use crate::upstream::retry::Verdict;
use crate::upstream::{cluster, hedge, limit, retry};
use crate::worker::Worker;

/// Serves one request.
pub async fn run(downstream: &mut Downstream, worker: &Rc<Worker>, request: Request) -> Next {
    let view = downstream.serving().view();
    let mut account = Account::open(worker, &view, downstream, request.started);
    account.request(&request.head);
    downstream.served += 1;
    let mut head = request.head;
    account.traced(trace::carry(&mut head, view.generation.tracing, account.generated_id()));
    let overrides = &view.listener().overrides;
    if !overrides.trusted && overrides::refuse(&mut head, overrides) {
        account.mark(Mark::OverrideIgnored);
    }
    let mut exchange = Ongoing::begin(downstream, worker, &view, &mut head, &mut account);
    let next = match drive(&mut exchange, request.rest).await {
        Ok(next) => next,
        Err(stop) => reply::stopped(&mut exchange, stop).await,
    };
    let note = exchange.outside.take_note();
    drop(exchange);
    account.note(note);
    account.close(Some(&head));
    worker.heads.give_request(head);
    next
}

/// Decides where the request goes.
async fn drive(exchange: &mut Ongoing<'_>, rest: Option<Buffer>) -> Result<Next, Stop> {
    exchange.body = request_framing(exchange.head).map_err(Error::from)?;
    let mut rest = exchange.part_from_next(rest);
    let view = exchange.view;
    exchange.check_length()?;
    exchange.admit()?;
    filter::request(&view.listener().filters, Stage::Listener, exchange).await?;
    body::request(&view.listener().filters, Stage::Listener, exchange, &mut rest).await?;
    if socket::is_asked_for(exchange) {
        return Ok(socket::run(exchange).await?);
    }
    dtab::follow(exchange)?;
    let routed = exchange.route()?;
    let route = routed.route;
    fault::inject(exchange, route).await?;
    filter::request(&route.filters, Stage::Route, exchange).await?;
    body::request(&route.filters, Stage::Route, exchange, &mut rest).await?;
    let split = match &route.action {
        Action::Forward(split) => split,
        Action::Redirect(redirect) => {
            let location = exchange.location(redirect, routed);
            return reply::direct(exchange, &redirect.direct, &location).await;
        }
        Action::Respond(direct) => return reply::direct(exchange, direct, b"").await,
    };
    let aim = exchange.aim(split)?;
    let cluster = aim.cluster;
    filter::request(&cluster.filters, Stage::Cluster, exchange).await?;
    body::request(&cluster.filters, Stage::Cluster, exchange, &mut rest).await?;
    forward(exchange, route, aim, rest).await
}

/// Sends the request to the cluster, as often as its route allows, and the answer back.
async fn forward<'a>(
    exchange: &mut Ongoing<'a>,
    route: &'a GenerationRoute,
    Aim { cluster, subset }: Aim<'a>,
    rest: Option<Buffer>,
) -> Result<Next, Stop> {
    exchange.account.clustered(cluster);
    let _place = limit::request(cluster).inspect_err(|_| exchange.account.mark(Mark::RequestsOverflow))?;
    let adapting = exchange.adapt(cluster)?;
    let hash = exchange.endpoint_hash(cluster);
    let mut outgoing = Outgoing::new(exchange, route, cluster, rest);
    mirror::send(exchange, route, &Aim { cluster, subset }, &mut outgoing.sending);
    let attempted = loop {
        let wish = Wish { tried: &outgoing.tried, subset, hash, now: Moment::now() };
        let Some(picked) = cluster::pick(&exchange.worker.picker, cluster, &wish) else {
            break Err(cluster::nowhere(cluster, &wish));
        };
        let endpoint = exchange.account.picked(picked);
        let attempted = hedge::attempt(exchange, &mut outgoing, &endpoint, (hash, subset)).await;
        match retry::classify(&outgoing.outcome(&attempted), &outgoing.standing(exchange)) {
            Verdict::Done => break attempted,
            Verdict::Stop(why) => break outgoing.stop(exchange, why, attempted),
            Verdict::Replay => outgoing.replay(exchange, attempted),
            Verdict::Retry(wait) => match outgoing.claim_retry(exchange, wait) {
                Err(why) => break outgoing.stop(exchange, why, attempted),
                Ok(()) => match outgoing.pause(exchange, &endpoint, attempted, wait).await {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
            },
        }
    };
    if let (Some(adapting), Ok(_)) = (&adapting, &attempted) {
        adapting.answered();
    }
    match attempted {
        Ok(reply) if reply.answer.switched => tunnel::run(exchange, reply, &mut outgoing).await,
        Ok(mut reply) => {
            dtab::tell(exchange, &cluster.name, &mut reply);
            relay::run(exchange, cluster, reply, &mut outgoing).await
        }
        Err(error) => Err(outgoing.abandon(exchange, error).into()),
    }
}
