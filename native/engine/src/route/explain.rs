//! Why a request goes where it goes: the same table, asked rule by rule.
//!
//! Invariant: the choice is the one that [`Table::find`] makes; the reasons are read off the very rules that it tries.

use std::time::Instant;

use serde::Serialize;

use super::Routed;
use super::action::Action;
use super::facts::RequestFacts;
use super::rule::{Rank, Rule};
use super::split::Split;
use super::sticky::{Sticky, key_hash};
use super::table::{Chosen, Table};
use super::words::{advantage, asks, obstacle, text};
use crate::exchange::fault::Fault;
use crate::exchange::mirror::Mirror;
use crate::snapshot::{
    EndpointSet, Fault as Settings, Generation, GenerationCluster, GenerationListener, GenerationRoute, LoadBalancer,
    Member, PartitionTold, Subset,
};

/// Why a request goes where it goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Where it came in.
    pub listener: String,
    /// As written.
    pub method: String,
    /// As matched.
    pub host: String,
    /// The header that named the host: `host`, or the listener's service header.
    pub host_from: String,
    /// As matched.
    pub path: String,
    /// Without its `?`.
    pub query: String,
    /// Place of the chosen rule in `rules`; `None`: no route takes it.
    pub chosen: Option<usize>,
    /// Rules that take its host by their rank, then the others.
    pub rules: Vec<RuleVerdict>,
    /// What becomes of it.
    pub outcome: Option<Outcome>,
    /// What goes wrong with the route's requests on purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultTold>,
    /// Where copies of some of the route's requests go, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// The route was switched since its configuration was applied, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switched: Option<String>,
}

/// What goes wrong with the requests of a route on purpose.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultTold {
    /// In words, each fault with its share.
    pub does: Vec<String>,
    /// The rest of its time to live, ms; 0: it is over; `None`: it stays for as long as it is configured.
    pub left_ms: Option<u64>,
}

/// One rule, and how it fared.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleVerdict {
    /// Name of its route.
    pub route: String,
    /// Place of the route in the configuration.
    pub route_index: u16,
    /// Which of the route's matches it is.
    pub match_index: u16,
    /// What it asks.
    pub asks: String,
    /// How it fared.
    pub standing: Standing,
    /// Why, in words; empty for the chosen one.
    pub reason: String,
    /// It takes the request's host.
    pub same_host: bool,
}

/// How a rule fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It takes the request.
    Chosen,
    /// It would, and another one comes first.
    Outranked,
    /// It does not.
    PassedOver,
}

/// What becomes of a request.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// A cluster answers it.
    Forward {
        /// Clusters with their shares.
        split: Vec<Share>,
        /// What keeps requests together, in words.
        sticky: Option<String>,
        /// The path that the endpoint is asked for, when it is rewritten.
        path: Option<String>,
        /// The authority that the endpoint is asked for, when it is rewritten.
        authority: Option<String>,
    },
    /// The client is sent elsewhere.
    Redirect {
        /// Of the answer.
        status: u16,
        /// Of the answer.
        location: String,
    },
    /// The proxy answers it.
    Respond {
        /// Of the answer.
        status: u16,
        /// Length of the answer's body.
        body_bytes: usize,
    },
}

/// A cluster with its share.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// The cluster.
    pub cluster: String,
    /// The labels of the part of it that is meant; `None`: all of it.
    pub subset: Option<String>,
    /// Its share as configured.
    pub weight: u32,
    /// Its share of all requests of the route.
    pub percent: f64,
    /// Whether this request goes there; `None`: chance decides.
    pub takes: Option<bool>,
    /// Its endpoints, or those that stand in for the subset.
    pub endpoints: Vec<String>,
    /// How they share requests as of now; `None`: there is nobody.
    pub group: Option<PartitionTold>,
    /// How its balancer keeps requests with an endpoint; `None`: it does not.
    pub affinity: Option<Affinity>,
}

/// How a balancer keeps requests with an endpoint.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Affinity {
    /// By what, in words.
    pub by: String,
    /// The endpoint that the request's key belongs to while it is up; `None`: chance decides.
    pub endpoint: Option<String>,
}

/// Explains what a listener does with a request. `authority` is the request's own, for redirects.
pub fn explain(
    listener: &GenerationListener,
    generation: &Generation,
    facts: &dyn RequestFacts,
    authority: &[u8],
) -> Explanation {
    let table = &listener.table;
    let host = table.host_of(facts);
    let chosen = table.find(facts);
    let rules = verdicts(table, generation, facts, &host, chosen);
    let service = table.service_header().filter(|name| facts.header(name.as_bytes()).is_some());
    Explanation {
        listener: listener.name.clone(),
        method: text(facts.method()).into_owned(),
        host: text(&host).into_owned(),
        host_from: service.unwrap_or("host").to_owned(),
        path: text(facts.path()).into_owned(),
        query: text(facts.query()).into_owned(),
        chosen: rules.iter().position(|rule| rule.standing == Standing::Chosen),
        rules,
        outcome: chosen.and_then(|chosen| outcome(table, generation, facts, authority, chosen)),
        fault: route_of(generation, chosen).and_then(|route| route.fault.as_deref()).map(fault_told),
        mirrors: route_of(generation, chosen).map(mirrors_told).unwrap_or_default(),
        switched: route_of(generation, chosen).and_then(|route| route.switched.as_deref()).map(str::to_owned),
    }
}

fn verdicts(
    table: &Table,
    generation: &Generation,
    facts: &dyn RequestFacts,
    host: &[u8],
    chosen: Option<Chosen>,
) -> Vec<RuleVerdict> {
    let rank = |rule: &Rule| rule.host(host).map(|pattern| rule.rank(pattern));
    let name = |rule: &Rule| {
        generation.routes.get(usize::from(rule.route)).map(|route| route.name.clone()).unwrap_or_default()
    };
    let winner = chosen.and_then(|chosen| table.rule(chosen.rule));
    let won = winner.and_then(|rule| Some((rule, rank(rule)?)));
    let mut ranked: Vec<(Option<Rank>, u32, &Rule)> =
        (0..).zip(table.rules()).map(|(index, rule)| (rank(rule), index, rule)).collect();
    // Those of the host that have a lane are tried first.
    let first = |(rank, _, rule): &(Option<Rank>, u32, &Rule)| rank.is_some() && rule.lane.is_some();
    ranked.sort_by(|one, other| first(other).cmp(&first(one)).then(other.0.cmp(&one.0)).then(one.1.cmp(&other.1)));
    let verdict = |(rank, index, rule): (Option<Rank>, u32, &Rule)| {
        let (standing, reason) = match (obstacle(rule, host, facts), &won, &rank) {
            (Some(reason), _, _) => (Standing::PassedOver, reason),
            (None, Some((_, _)), _) if chosen.is_some_and(|chosen| chosen.rule == index) => {
                (Standing::Chosen, String::new())
            }
            (None, Some((first, won)), Some(rank)) => {
                let by = if first.route == rule.route { format!("matches[{}]", first.place) } else { name(first) };
                let why = advantage_of(first, won, rule, rank);
                (Standing::Outranked, format!("it would take it, but {by} comes first: {why}"))
            }
            (None, ..) => (Standing::PassedOver, String::new()),
        };
        RuleVerdict {
            route: name(rule),
            route_index: rule.route,
            match_index: rule.place,
            asks: asks(rule),
            standing,
            reason,
            same_host: rank.is_some(),
        }
    };
    ranked.into_iter().map(verdict).collect()
}

fn advantage_of(winner: &Rule, won: &Rank, loser: &Rule, rank: &Rank) -> &'static str {
    if winner.lane.is_some() && loser.lane.is_none() { "it is of the request's lane" } else { advantage(won, rank) }
}

fn outcome(
    table: &Table,
    generation: &Generation,
    facts: &dyn RequestFacts,
    authority: &[u8],
    chosen: Chosen,
) -> Option<Outcome> {
    let route = generation.routes.get(usize::from(chosen.route))?;
    let matched = &table.rule(chosen.rule)?.path;
    Some(match &route.action {
        Action::Forward(split) => {
            let routed = Routed { route, matched };
            let changes = routed.request_changes(facts.path()).path;
            let rewritten = route.rewrite.as_ref().and_then(|rewrite| rewrite.authority.as_deref());
            Outcome::Forward {
                split: shares(split, generation, facts),
                sticky: split.sticky().map(|key| sticky_words(key, split.stuck(facts).is_some())),
                path: changes.map(|parts| text(&parts.concat()).into_owned()),
                authority: rewritten.map(|authority| text(authority).into_owned()),
            }
        }
        Action::Redirect(redirect) => Outcome::Redirect {
            status: redirect.direct.status,
            location: text(&redirect.location(facts, authority, "http", matched)).into_owned(),
        },
        Action::Respond(direct) => Outcome::Respond { status: direct.status, body_bytes: direct.body.len() },
    })
}

fn route_of(generation: &Generation, chosen: Option<Chosen>) -> Option<&GenerationRoute> {
    generation.routes.get(usize::from(chosen?.route))
}

fn fault_told(fault: &Fault) -> FaultTold {
    let Settings { delay, abort, throughput, ttl_ms: _ } = fault.settings();
    let percent = |ppm: u32| f64::from(ppm) / 10_000.0;
    let delay = delay.as_ref().map(|it| format!("{} % wait {} ms", percent(it.share_ppm), it.fixed_ms));
    let abort = abort.as_ref().map(|it| format!("{} % are answered {}", percent(it.share_ppm), it.status));
    let slow = throughput
        .as_ref()
        .map(|it| format!("{} % are answered with {} bytes a second", percent(it.share_ppm), it.bytes_per_second));
    let left_ms = fault.left(Instant::now()).map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    FaultTold { does: [delay, abort, slow].into_iter().flatten().collect(), left_ms }
}

fn mirrors_told(route: &GenerationRoute) -> Vec<String> {
    let told = |mirror: &Mirror| {
        let percent = f64::from(mirror.settings.share_ppm) / 10_000.0;
        let diff = if mirror.settings.diff.is_some() { ", and the answers are compared" } else { "" };
        format!("{percent} % are copied to {}{diff}", mirror.words())
    };
    route.mirrors.iter().map(told).collect()
}

fn shares(split: &Split, generation: &Generation, facts: &dyn RequestFacts) -> Vec<Share> {
    let stuck = if let [only] = split.targets() { Some(only) } else { split.stuck(facts) };
    let share = |target: &super::Target| {
        let cluster = generation.clusters.get(usize::from(target.cluster))?;
        Some(Share {
            cluster: cluster.name.clone(),
            weight: target.weight,
            percent: f64::from(target.weight) * 100.0 / split.total() as f64,
            subset: target.subset.as_ref().map(|subset| subset.text.clone()),
            takes: stuck.map(|stuck| std::ptr::eq(stuck, target)),
            endpoints: endpoints(cluster, target.subset.as_ref()),
            group: PartitionTold::taking(&cluster.membership, target.subset.as_ref()),
            affinity: affinity(cluster, target.subset.as_ref(), facts),
        })
    };
    split.targets().iter().filter_map(share).collect()
}

fn endpoints(cluster: &GenerationCluster, subset: Option<&Subset>) -> Vec<String> {
    let set = cluster.membership.set();
    let name = |member: &Member| member.endpoint.name.clone();
    let Some(subset) = subset else { return set.members().map(name).collect() };
    let tiers = set.tiers.as_deref();
    let partition = tiers.and_then(|tiers| tiers.subset(subset.id).or_else(|| tiers.instead()));
    let levels = partition.iter().flat_map(|partition| &partition.levels);
    levels.flat_map(|level| level.group.set.members()).map(name).collect()
}

/// Whom keys belong to while everybody is healthy.
fn first_group<'a>(whole: &'a EndpointSet, subset: Option<&Subset>) -> Option<&'a EndpointSet> {
    let Some(tiers) = &whole.tiers else { return Some(whole) };
    let partition = match subset {
        None => Some(&tiers.all),
        Some(subset) => tiers.subset(subset.id).or_else(|| tiers.instead()),
    };
    Some(&partition?.levels.first()?.group.set)
}

fn affinity(cluster: &GenerationCluster, subset: Option<&Subset>, facts: &dyn RequestFacts) -> Option<Affinity> {
    let policy = match cluster.load_balancer {
        LoadBalancer::RingHash { .. } => "ring hash",
        LoadBalancer::Maglev { .. } => "Maglev",
        _ => return None,
    };
    let found = cluster.hash_on.iter().find_map(|key| Some((key, key.value(facts)?)));
    let keys: Vec<String> = match found {
        Some((key, _)) => vec![key.words()],
        None => cluster.hash_on.iter().map(|key| sticky_words(key, false)).collect(),
    };
    let endpoint = found.and_then(|(_, value)| {
        let whole = cluster.membership.set();
        let set = first_group(&whole, subset)?;
        let holder = if set.len() == 1 { Some(0) } else { set.table.holder(key_hash(&value)) };
        set.member(holder?).map(|member| member.endpoint.name.clone())
    });
    Some(Affinity { by: format!("{policy} of {}", keys.join("; ")), endpoint })
}

fn sticky_words(key: &Sticky, present: bool) -> String {
    let words = key.words();
    match (present, key.given()) {
        (true, _) => words,
        (false, Some(_)) => format!("{words}, which this request has not: it is given one, by chance"),
        (false, None) => format!("{words}, which this request has not: chance decides"),
    }
}
