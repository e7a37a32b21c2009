//! Lanes: routes of a lane take the requests that say that they belong to it, before all other routes.
//!
//! The routes of a lane have a table of their own, in the usual order of precedence; a request that none of them takes goes
//! on as if it had no lane.

use std::collections::HashMap;

use super::facts::RequestFacts;
use super::rule::Rule;
use super::table::{Chosen, Table};

/// The lane of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub name: Box<str>,
    /// The header that says that a request belongs to it, lower case.
    pub header: Box<str>,
}

/// The tables of the lanes of one listener.
#[derive(Debug)]
pub(super) struct Lanes {
    header: Box<str>,
    tables: HashMap<Box<[u8]>, LaneTable>,
}

#[derive(Debug)]
struct LaneTable {
    table: Table,
    /// Places of its rules in the listener's table.
    places: Vec<u32>,
}

/// Rules, and their places in the listener's table.
type Placed = (Vec<Rule>, Vec<u32>);

impl Lanes {
    /// The lanes of these rules; `None`: they have none.
    pub(super) fn of(rules: &[Rule], header: &str, service_header: Option<&str>) -> Option<Box<Self>> {
        let mut by_name: HashMap<Box<[u8]>, Placed> = HashMap::new();
        for (place, rule) in (0_u32..).zip(rules) {
            let Some(lane) = &rule.lane else { continue };
            let (rules, places) = by_name.entry(lane.name.as_bytes().into()).or_default();
            rules.push(Rule { lane: None, ..rule.clone() });
            places.push(place);
        }
        let table = |(name, (rules, places))| (name, LaneTable { table: Table::new(rules, service_header), places });
        let tables: HashMap<_, _> = by_name.into_iter().map(table).collect();
        (!tables.is_empty()).then(|| Box::new(Self { header: header.into(), tables }))
    }

    /// The rule of the request's lane that takes it.
    pub(super) fn find<F: RequestFacts + ?Sized>(&self, facts: &F) -> Option<Chosen> {
        let lane = facts.header(self.header.as_bytes())?;
        let LaneTable { table, places } = self.tables.get(&*lane)?;
        let Chosen { route, rule } = table.find(facts)?;
        Some(Chosen { route, rule: *places.get(rule as usize)? })
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Arc;

    use super::super::rule::{HostPattern, PathPattern};
    use super::*;

    struct Asked {
        path: &'static str,
        lane: Option<&'static str>,
    }

    impl RequestFacts for Asked {
        fn method(&self) -> &[u8] {
            b"GET"
        }
        fn host(&self) -> &[u8] {
            b"reviews"
        }
        fn path(&self) -> &[u8] {
            self.path.as_bytes()
        }
        fn query(&self) -> &[u8] {
            b""
        }
        fn header(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
            self.lane.filter(|_| name == b"x-weft-lane").map(|lane| Cow::Borrowed(lane.as_bytes()))
        }
        fn client(&self) -> &[u8] {
            b""
        }
    }

    fn rule(route: u16, prefix: &str, lane: Option<&str>) -> Rule {
        Rule {
            route,
            place: 0,
            hosts: Arc::new([HostPattern::Exact("reviews".into())]),
            path: PathPattern::Prefix(prefix.as_bytes().into()),
            method: None,
            headers: Box::default(),
            query: Box::default(),
            when: None,
            lane: lane.map(|name| Lane { name: name.into(), header: Box::default() }),
        }
    }

    #[test]
    fn a_route_of_a_lane_takes_requests_of_its_lane_alone_and_before_more_specific_ones() {
        let rules =
            vec![rule(0, "", None), rule(1, "/api", None), rule(2, "", Some("blue")), rule(3, "/x", Some("red"))];
        let table = Table::new(rules, None).with_lanes("x-weft-lane");
        let found = |path, lane| table.find(&Asked { path, lane }).map(|chosen| (chosen.route, chosen.rule));
        assert_eq!(found("/api/a", Some("blue")), Some((2, 2)));
        assert_eq!(found("/api/a", None), Some((1, 1)));
        assert_eq!(found("/api/a", Some("green")), Some((1, 1)));
        assert_eq!(found("/x/1", Some("red")), Some((3, 3)));
        assert_eq!(found("/y", Some("red")), Some((0, 0)), "what its lane does not take goes on as any other");
    }
}
