//! An exchange under way: what its phases share.

use std::net::IpAddr;
use std::rc::Rc;

use crate::error::{Error, Kind};
use crate::exchange::account::Account;
use crate::exchange::affinity::GivenCookies;
use crate::exchange::downstream::Downstream;
use crate::exchange::mirror::Witness;
use crate::filter::body::Intake;
use crate::filter::{OutsideContext, Passed};
use crate::http::changes::HeaderChanges;
use crate::http::forward::RequestChanges;
use crate::http::framing::{Framing, expects_continue, request_keep_alive, wants_upgrade};
use crate::http::head::{Method, RequestHead};
use crate::http::trust;
use crate::route::{self, Live, PathPattern, Redirect, Routed, Split, Sticky};
use crate::snapshot::{GenerationCluster, Subset};
use crate::telemetry::record::Mark;
use crate::transfer::buffer::Buffer;
use crate::upstream::allowance::Allowance;
use crate::upstream::limit::{self, Adapting};
use crate::worker::Worker;
use crate::worker::serving::View;

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
    /// How the request's body is delimited.
    pub body: Framing,
    /// The client: the connection's other end, or whom trusted proxies before this one name. `None` on a unix socket.
    pub client: Option<IpAddr>,
    /// Its address as text where trusted proxies name it.
    pub named: Option<Box<str>>,
    /// The filters that have seen the request, for the way back.
    pub passed: Passed<'a>,
    /// The request's body, where filters see it before it is known where it goes.
    pub intake: Option<Box<Intake>>,
    /// What the request may still cost, where a filter has found out.
    pub allowance: Option<Box<Allowance>>,
    /// What filters in other languages keep and chose.
    pub outside: OutsideContext,
    /// Part of the request is still to be read.
    pub unread: bool,
    /// A retry policy would have gone on, but must not: proxies on the way back are told.
    pub retries_spent: bool,
    /// Cookies that the answer sets, so that the client's next requests are kept together.
    pub cookies: GivenCookies,
    /// The answer's head went out: an error can no longer become a status.
    pub answering: bool,
    /// The route, once one is chosen.
    pub routed: Option<Routed<'a>>,
    /// Fault injection: how fast the answer's body may go.
    pub bytes_per_second: Option<u32>,
    /// Whoever compares the answer with that of a mirror.
    pub witnesses: Vec<Witness>,
    /// The caller asked to be told where its request went.
    pub context_asked: bool,
}

/// Where a request goes: a cluster, or a part of it.
#[derive(Clone, Copy)]
pub struct Aim<'a> {
    /// The cluster.
    pub cluster: &'a GenerationCluster,
    /// Only these of its endpoints.
    pub subset: Option<&'a Subset>,
}

impl<'a> Ongoing<'a> {
    /// A request whose head was read; nothing is decided.
    pub fn begin(
        downstream: &'a mut Downstream,
        worker: &'a Rc<Worker>,
        view: &'a View,
        head: &'a mut RequestHead,
        account: &'a mut Account,
    ) -> Self {
        let named = trust::client(head, view.listener().trusted_hops).inspect(|client| account.came_from(*client));
        Self {
            client: named.or(downstream.client_ip()),
            named: named.map(|client| client.to_string().into()),
            passed: Passed::new(),
            allowance: None,
            outside: OutsideContext::default(),
            downstream,
            worker,
            view,
            head,
            account,
            body: Framing::None,
            intake: None,
            // Nothing behind a head can be told apart until its framing is known.
            unread: true,
            retries_spent: false,
            cookies: GivenCookies::default(),
            answering: false,
            routed: None,
            bytes_per_second: None,
            witnesses: Vec::new(),
            context_asked: false,
        }
    }

    /// Behind the head of a request without a body stands the next request, unless it asks for another protocol. What
    /// belongs to this one is given back.
    pub fn part_from_next(&mut self, mut rest: Option<Buffer>) -> Option<Buffer> {
        let bodiless = matches!(self.body, Framing::None | Framing::Length(0));
        if bodiless && let Some(next_request) = rest.take_if(|_| !wants_upgrade(self.head)) {
            self.downstream.keep(next_request);
        }
        self.unread = !bodiless || rest.is_some();
        rest
    }

    /// Whether sending the request twice is the same as sending it once (RFC 9110 section 9.2.2) and nothing of it is
    /// used up.
    pub fn may_repeat(&self) -> bool {
        self.is_idempotent() && matches!(self.body, Framing::None)
    }

    /// Whether sending the request twice is the same as sending it once (RFC 9110 section 9.2.2).
    pub fn is_idempotent(&self) -> bool {
        use Method::{Delete, Get, Head, Options, Put, Trace};
        matches!(self.head.method, Get | Head | Options | Put | Delete | Trace)
    }

    /// Refuses the request where the proxy is overloaded and it is one of those that go first.
    #[inline]
    pub fn admit(&mut self) -> Result<(), Error> {
        let Some(overload) = &self.view.listener().overload else { return Ok(()) };
        let admitted = self.downstream.serving().shedder.admit(overload, &self.worker.gauge, self.head);
        admitted.inspect_err(|_| self.account.mark(Mark::Shed))
    }

    /// A place below the cluster's adaptive bound.
    #[inline]
    pub fn adapt<'c>(&mut self, cluster: &'c GenerationCluster) -> Result<Option<Adapting<'c>>, Error> {
        limit::adapt(cluster).inspect_err(|_| {
            self.account.mark(Mark::ConcurrencyLimited);
            let bound = cluster.limits.adaptive.as_ref().map_or(0, |adaptive| adaptive.bound());
            self.outside.note(&format!("the cluster's adaptive bound was at {bound} requests"));
        })
    }

    /// Chooses the route.
    pub fn route(&mut self) -> Result<Routed<'a>, Error> {
        let view = self.view;
        let listener = view.listener();
        let routes = &view.generation.routes;
        let routed = match self.outside.choice.route {
            Some(chosen) => routes.get(usize::from(chosen)).map(|route| Routed { route, matched: PathPattern::any() }),
            None => route::choose(listener, &self.facts()).and_then(|chosen| {
                let route = routes.get(usize::from(chosen.route))?;
                Some(Routed { route, matched: &listener.table.rule(chosen.rule)?.path })
            }),
        };
        let routed = routed.ok_or(Error::new(Kind::NoRoute, "no route takes this request"))?;
        self.account.routed(routed.route);
        self.routed = Some(routed);
        Ok(routed)
    }

    /// Chooses the cluster, or a part of it: a filter's choice, else the split's.
    pub fn aim(&mut self, split: &'a Split) -> Result<Aim<'a>, Error> {
        let (chosen, subset) = match self.outside.choice.cluster {
            Some(chosen) => (chosen, None),
            None => {
                let mut cookies = std::mem::take(&mut self.cookies);
                let hash = |key: &Sticky| cookies.of_split(key, &self.facts());
                let target = split.pick_by(hash, |total| fastrand::u64(..total));
                self.give(cookies);
                target.map_or((u16::MAX, None), |target| (target.cluster, target.subset.as_ref()))
            }
        };
        let cluster = self.view.generation.clusters.get(usize::from(chosen));
        let cluster = cluster.ok_or(Error::new(Kind::NoRoute, "the route's cluster does not exist"))?;
        Ok(Aim { cluster, subset })
    }

    /// The hash of the key by which the cluster's balancer chooses, where it hashes and the request has one.
    pub fn endpoint_hash(&mut self, cluster: &GenerationCluster) -> Option<u64> {
        if !cluster.load_balancer.hashes() {
            return None;
        }
        let mut cookies = std::mem::take(&mut self.cookies);
        let hash = cookies.of_endpoint(&cluster.hash_on, &self.facts());
        self.give(cookies);
        hash
    }

    /// The lines that the exchange adds to its answer.
    pub fn answer_lines(&self) -> Vec<u8> {
        if self.cookies.is_empty() { Vec::new() } else { self.cookies.lines(self.scheme()) }
    }

    fn give(&mut self, cookies: GivenCookies) {
        self.cookies = cookies;
        if !self.cookies.is_empty() {
            self.account.mark(Mark::CookieIssued);
        }
    }

    /// What routing asks of the request.
    pub fn facts(&self) -> Live<'_> {
        Live { head: self.head, client: self.named.as_deref().unwrap_or(&self.downstream.client) }
    }

    /// How the client asked: as trusted proxies say, else as this listener was asked.
    pub fn scheme(&self) -> &'static str {
        trust::scheme(self.head, self.view.listener().trusted_hops).unwrap_or("http")
    }

    /// Where a redirect sends the client.
    pub fn location(&self, redirect: &Redirect, routed: Routed<'_>) -> Vec<u8> {
        let authority = self.head.text(self.head.authority);
        redirect.location(&self.facts(), authority, self.scheme(), routed.matched)
    }

    /// What the route changes in the request.
    pub fn request_changes(&self) -> RequestChanges<'_> {
        match &self.routed {
            Some(routed) => routed.request_changes(self.head.text(self.head.path)),
            None => RequestChanges::NONE,
        }
    }

    /// What the route changes in answers.
    pub fn response_changes(&self) -> Option<&'a HeaderChanges> {
        self.routed.and_then(|routed| routed.route.response_headers.as_deref())
    }

    /// Whether the client's connection may serve another request after this one.
    pub fn may_keep_alive(&self) -> bool {
        let limit = self.view.listener().limits.max_requests_per_connection;
        request_keep_alive(self.head)
            && (limit == 0 || self.downstream.served < limit)
            && !self.downstream.serving().is_closing()
    }

    /// Refuses a body that is announced as longer than the listener takes. One that does not say how long it is, is
    /// counted on its way.
    pub fn check_length(&self) -> Result<(), Error> {
        match self.body {
            Framing::Length(bytes) if bytes > self.view.listener().max_request_bytes => Err(Error::BODY_TOO_LARGE),
            _ => Ok(()),
        }
    }

    /// Whether the client waits for a 100 before it sends its body.
    pub fn expects_continue(&self) -> bool {
        expects_continue(self.head)
    }
}
