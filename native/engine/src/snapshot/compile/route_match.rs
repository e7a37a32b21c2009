//! What routes ask of a request → rules.

use std::sync::Arc;

use super::{Compiler, Rejection};
use crate::route::{Condition, Expression, HostPattern, Lane, PathPattern, Pattern, Rule, Test};
use crate::snapshot::cel::Mistake;
use crate::snapshot::{FieldMatch, PathMatch, Route, RouteMatch, ValueTest};

impl Compiler<'_> {
    /// The rules of a route; one without matches takes every path.
    pub(super) fn matches(&mut self, index: usize, dto: &Route, hosts: &Arc<[HostPattern]>) -> Vec<Rule> {
        let when = dto
            .when
            .as_deref()
            .and_then(|source| self.expression(format!("routes.{index}.when"), source, Expression::condition));
        let every = [RouteMatch {
            path: PathMatch::Prefix("/".to_owned()),
            method: None,
            headers: Vec::new(),
            query: Vec::new(),
        }];
        let matches = if dto.matches.is_empty() { &every[..] } else { &dto.matches };
        let mut rules = Vec::with_capacity(matches.len());
        for (place, wanted) in matches.iter().enumerate() {
            let at = format!("routes.{index}.matches.{place}");
            let path = self.path(&at, &wanted.path);
            let headers = self.conditions(&at, "headers", &wanted.headers);
            let query = self.conditions(&at, "query", &wanted.query);
            let (Some(path), Some(headers), Some(query)) = (path, headers, query) else { continue };
            rules.push(Rule {
                route: u16::try_from(index).unwrap_or(u16::MAX),
                place: u16::try_from(place).unwrap_or(u16::MAX),
                hosts: Arc::clone(hosts),
                path,
                method: wanted.method.as_ref().map(|method| method.as_bytes().into()),
                headers,
                query,
                when: when.clone(),
                // The listener says which header names it.
                lane: dto.lane.as_deref().map(|name| Lane { name: name.into(), header: Box::default() }),
            });
        }
        rules
    }

    /// An expression over a request; what it reads is kept by the records.
    pub(super) fn expression(
        &mut self,
        path: String,
        source: &str,
        compile: fn(&str) -> Result<Expression, Mistake>,
    ) -> Option<Arc<Expression>> {
        match compile(source) {
            Ok(expression) => {
                self.headers_read.extend(expression.headers_read().into_iter().map(str::to_owned));
                Some(Arc::new(expression))
            }
            Err(mistake) => {
                self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_CEL", mistake.to_string()));
                None
            }
        }
    }

    fn path(&mut self, at: &str, dto: &PathMatch) -> Option<PathPattern> {
        match dto {
            PathMatch::Exact(path) => Some(PathPattern::Exact(path.as_bytes().into())),
            PathMatch::Prefix(path) => Some(PathPattern::Prefix(path.trim_end_matches('/').as_bytes().into())),
            PathMatch::Regex(text) => self.pattern(|| format!("{at}.path.regex"), text).map(PathPattern::Regex),
        }
    }

    pub(super) fn conditions(&mut self, at: &str, list: &str, dto: &[FieldMatch]) -> Option<Box<[Condition]>> {
        let compile = |(place, FieldMatch { name, test }): (usize, &FieldMatch)| {
            let test = match test {
                ValueTest::Exact(text) => Test::Exact(text.as_bytes().into()),
                ValueTest::Prefix(text) => Test::Prefix(text.as_bytes().into()),
                ValueTest::Suffix(text) => Test::Suffix(text.as_bytes().into()),
                ValueTest::Regex(text) => Test::Regex(self.pattern(|| format!("{at}.{list}.{place}.regex"), text)?),
                ValueTest::Present => Test::Present,
                ValueTest::Absent => Test::Absent,
            };
            Some(Condition { name: name.as_str().into(), test })
        };
        // Collected whole, so that each mistake is told.
        let compiled: Vec<Option<Condition>> = dto.iter().enumerate().map(compile).collect();
        compiled.into_iter().collect()
    }

    fn pattern(&mut self, path: impl Fn() -> String, text: &str) -> Option<Pattern> {
        let compiled = Pattern::compile(text);
        let refuse = |reason| {
            let message = format!("the regex does not compile: {reason}");
            self.rejected.push(Rejection::new(path(), "WEFT_SNAPSHOT_REGEX", message));
        };
        compiled.map_err(refuse).ok()
    }
}
