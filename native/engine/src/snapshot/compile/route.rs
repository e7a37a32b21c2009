//! Routes and what they refer to.

use std::sync::Arc;

use super::{Compiler, Rejection, bound};
use crate::exchange::fault::Fault;
use crate::exchange::mirror::Mirror;
use crate::http::changes::{self, InvalidLine};
use crate::http::direct::Direct;
use crate::route::{Action, Fallback, HostPattern, PathChange, Redirect, Rule, Split, Target};
use crate::snapshot::Mirror as MirrorDto;
use crate::snapshot::{
    Cluster, Fault as FaultDto, Forward, GenerationRewrite, GenerationRoute, HeaderChanges, HeaderLine, Respond,
    Rewrite,
};
use crate::snapshot::{PathChange as PathChangeDto, Redirect as RedirectDto, Route, RouteAction};

/// Rules by the listener that they serve.
pub(super) type RulesOf = Vec<Vec<Rule>>;

impl Compiler<'_> {
    /// A route; its rules are put to those of its listeners. `None` when something of it was refused.
    pub(super) fn route(
        &mut self,
        index: usize,
        dto: &Route,
        clusters: &[Cluster],
        rules: &mut RulesOf,
    ) -> Option<GenerationRoute> {
        let at = format!("routes.{index}");
        let changes = |list: &Option<HeaderChanges>, key: &str, compiler: &mut Self| {
            list.as_ref().and_then(|list| compiler.header_changes(format!("{at}.{key}"), list)).map(Box::new)
        };
        let request_headers = changes(&dto.request_headers, "requestHeaders", self);
        let response_headers = changes(&dto.response_headers, "responseHeaders", self);
        let action = match &dto.action {
            RouteAction::Forward(forward) => self.forward(&at, forward, clusters).map(Action::Forward),
            RouteAction::Respond(respond) => self
                .respond(format!("{at}.respond"), respond, response_headers.as_deref())
                .map(|direct| Action::Respond(Box::new(direct))),
            RouteAction::Redirect(redirect) => {
                let direct = Direct::new(redirect.status, &[], "", response_headers.as_deref()).ok()?;
                Some(Action::Redirect(Box::new(redirect_to(redirect, direct))))
            }
        };
        let fallback = dto.fallback.as_ref().and_then(|fallback| {
            let direct =
                self.respond(format!("{at}.fallback.respond"), &fallback.respond, response_headers.as_deref())?;
            Some(Box::new(Fallback { on: fallback.on.as_slice().into(), direct }))
        });
        let rewrite = dto.rewrite.as_ref().and_then(|rewrite| self.rewrite(&at, rewrite));
        self.rules(index, dto, rules);
        let retry = dto.retry.as_ref().and_then(|dto| self.retry(index, dto)).map(Box::new);
        let filters = self.filters("routes", index, &dto.name, &dto.filters);
        Some(GenerationRoute {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            name: dto.name.clone(),
            action: action?,
            rewrite,
            request_headers,
            response_headers,
            fallback,
            timeout: bound(dto.timeout_ms),
            first_byte_timeout: bound(dto.first_byte_timeout_ms),
            idle_timeout: bound(dto.idle_timeout_ms),
            retry,
            filters,
            fault: dto.fault.as_ref().and_then(|fault| self.fault(&at, &dto.name, fault)),
            mirrors: self.mirrors(&at, &dto.name, &dto.mirrors, clusters),
            switched: None,
        })
    }

    fn mirrors(&mut self, at: &str, route: &str, dto: &[MirrorDto], clusters: &[Cluster]) -> Box<[Mirror]> {
        let known = self.known_routes.get(route).map_or(&[][..], |known| &known.mirrors);
        let mut mirrors = Vec::with_capacity(dto.len());
        for (place, mirror) in dto.iter().enumerate() {
            let (Some(cluster), Ok(index)) = (clusters.get(mirror.cluster as usize), u16::try_from(mirror.cluster))
            else {
                let path = format!("{at}.mirror.{place}.cluster");
                let message = format!("no cluster has index {}", mirror.cluster);
                self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_INDEX", message));
                continue;
            };
            let subset = mirror.subset.as_ref();
            let subset = subset.map(|labels| self.subset(format!("{at}.mirror.{place}.subset"), cluster, labels));
            mirrors.push(Mirror::new(mirror, index, &cluster.name, subset, known.get(place)));
        }
        mirrors.into()
    }

    fn fault(&mut self, at: &str, route: &str, dto: &FaultDto) -> Option<Arc<Fault>> {
        if let Some(abort) = dto.abort.as_ref().filter(|abort| !(200..=599).contains(&abort.status)) {
            let message = format!("the status {} is not between 200 and 599", abort.status);
            self.rejected.push(Rejection::new(format!("{at}.fault.abort.status"), "WEFT_SNAPSHOT_STATUS", message));
            return None;
        }
        let known = self.known_routes.get(route).and_then(|known| known.fault.as_ref());
        Some(Fault::renewed(dto, known))
    }

    fn rules(&mut self, index: usize, dto: &Route, rules: &mut RulesOf) {
        let hosts = self.hosts(index, &dto.hosts);
        let compiled = self.matches(index, dto, &hosts);
        for (at, listener) in dto.listeners.iter().enumerate() {
            match rules.get_mut(*listener as usize) {
                Some(known) => known.extend(compiled.iter().cloned()),
                None => {
                    let path = format!("routes.{index}.listeners.{at}");
                    let message = format!("no listener has index {listener}");
                    self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_INDEX", message));
                }
            }
        }
    }

    fn hosts(&mut self, index: usize, hosts: &[String]) -> Arc<[HostPattern]> {
        if hosts.is_empty() {
            return Arc::new([HostPattern::Any]);
        }
        let mut patterns = Vec::with_capacity(hosts.len());
        for (at, text) in hosts.iter().enumerate() {
            match HostPattern::parse(text) {
                Some(pattern) => patterns.push(pattern),
                None => {
                    let message = format!("`{text}` is not a host name in lower case, `*.suffix` or `*`");
                    let path = format!("routes.{index}.hosts.{at}");
                    self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_HOST", message));
                }
            }
        }
        patterns.into()
    }

    fn forward(&mut self, at: &str, dto: &Forward, clusters: &[Cluster]) -> Option<Split> {
        let mut targets = Vec::with_capacity(dto.targets.len());
        for (place, target) in dto.targets.iter().enumerate() {
            let Some(cluster) = clusters.get(target.cluster as usize) else {
                let message = format!("no cluster has index {}", target.cluster);
                let path = format!("{at}.forward.{place}.cluster");
                self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_INDEX", message));
                continue;
            };
            let subset = target.subset.as_ref();
            let subset = subset.map(|labels| self.subset(format!("{at}.forward.{place}.subset"), cluster, labels));
            let index = u16::try_from(target.cluster).unwrap_or(u16::MAX);
            targets.push(Target::new(index, &cluster.name, target.weight, subset));
        }
        let sticky = dto.sticky.as_ref().and_then(|key| self.sticky(|| format!("{at}.sticky"), key));
        let split = Split::new(targets, sticky);
        if split.is_none() {
            let message = "no cluster with a weight above 0 takes its requests";
            self.rejected.push(Rejection::new(format!("{at}.forward"), "WEFT_SNAPSHOT_WEIGHT", message));
        }
        split
    }

    fn respond(&mut self, path: String, dto: &Respond, changes: Option<&changes::HeaderChanges>) -> Option<Direct> {
        if !(200..=599).contains(&dto.status) {
            let message = format!("the status {} is not between 200 and 599", dto.status);
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_STATUS", message));
            return None;
        }
        let made = Direct::new(dto.status, &pairs(&dto.headers), &dto.body, changes);
        made.map_err(|invalid| self.invalid_line(format!("{path}.headers"), &pairs(&dto.headers), invalid)).ok()
    }

    fn header_changes(&mut self, path: String, dto: &HeaderChanges) -> Option<changes::HeaderChanges> {
        let (set, add) = (pairs(&dto.set), pairs(&dto.add));
        let remove: Vec<&str> = dto.remove.iter().map(String::as_str).collect();
        let all: Vec<(&str, &str)> =
            set.iter().chain(&add).copied().chain(remove.iter().map(|name| (*name, ""))).collect();
        let made = changes::HeaderChanges::new(&set, &add, &remove);
        made.map_err(|invalid| self.invalid_line(path, &all, invalid)).ok()
    }

    fn invalid_line(&mut self, path: String, lines: &[(&str, &str)], invalid: InvalidLine) {
        let name = lines.get(invalid.place).map_or("", |line| line.0);
        let message = format!("`{name}` {}", invalid.reason);
        self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_HEADER", message));
    }

    fn rewrite(&mut self, at: &str, dto: &Rewrite) -> Option<Box<GenerationRewrite>> {
        let authority = dto.host.as_deref().map(|host| host.as_bytes().into());
        if dto.host.as_deref().is_some_and(|host| crate::http::path::plain_host(host.as_bytes()).is_none()) {
            let message = "is not a host with an optional port";
            self.rejected.push(Rejection::new(format!("{at}.rewrite.host"), "WEFT_SNAPSHOT_HOST", message));
        }
        Some(Box::new(GenerationRewrite { path: dto.path.as_ref().map(path_change), authority }))
    }
}

fn redirect_to(dto: &RedirectDto, direct: Direct) -> Redirect {
    let RedirectDto { status: _, scheme, host, port, path } = dto;
    Redirect {
        direct,
        scheme: scheme.as_deref().map(Box::from),
        host: host.as_deref().map(Box::from),
        port: *port,
        path: path.as_ref().map(path_change),
    }
}

fn path_change(dto: &PathChangeDto) -> PathChange {
    match dto {
        PathChangeDto::Full(path) => PathChange::Full(path.as_bytes().into()),
        PathChangeDto::Prefix(prefix) => PathChange::Prefix(prefix.trim_end_matches('/').as_bytes().into()),
    }
}

fn pairs(lines: &[HeaderLine]) -> Vec<(&str, &str)> {
    lines.iter().map(|line| (line.name.as_str(), line.value.as_str())).collect()
}
