//! Names that outlive a snapshot: a record carries indexes of its generation, a series must mean the same for ever.
//!
//! Flow: when a snapshot is built, [`Names::ids`] gives each of its names a number that is never given again →
//! the snapshot carries the [`Ids`] → observing a record takes those of the snapshot that its exchange held. Names are
//! the process's.

use crate::telemetry::record::NONE;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Numbers for the names of one snapshot, by their index in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ids {
    listeners: Box<[u16]>,
    routes: Box<[u16]>,
    clusters: Box<[u16]>,
}

impl Ids {
    pub(super) fn listener(&self, index: u16) -> u16 {
        id(&self.listeners, index)
    }

    pub(super) fn route(&self, index: u16) -> u16 {
        id(&self.routes, index)
    }

    pub(super) fn cluster(&self, index: u16) -> u16 {
        id(&self.clusters, index)
    }
}

fn id(ids: &[u16], index: u16) -> u16 {
    ids.get(usize::from(index)).copied().unwrap_or(NONE)
}

/// All names that the process has ever had, at most 65,535 of each noun; further ones are as if there were none.
#[derive(Debug, Default)]
pub struct Names {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    listeners: Table,
    routes: Table,
    clusters: Table,
}

impl Names {
    /// The numbers of a snapshot's names, given in the order of the snapshot.
    pub fn ids<'n>(
        &self,
        listeners: impl IntoIterator<Item = &'n str>,
        routes: impl IntoIterator<Item = &'n str>,
        clusters: impl IntoIterator<Item = &'n str>,
    ) -> Ids {
        let mut all = self.all.lock();
        Ids {
            listeners: listeners.into_iter().map(|name| all.listeners.id(name)).collect(),
            routes: routes.into_iter().map(|name| all.routes.id(name)).collect(),
            clusters: clusters.into_iter().map(|name| all.clusters.id(name)).collect(),
        }
    }

    /// Name of a route.
    pub(super) fn route(&self, id: u16) -> Option<String> {
        self.all.lock().routes.name(id)
    }

    /// Name of a cluster.
    pub(super) fn cluster(&self, id: u16) -> Option<String> {
        self.all.lock().clusters.name(id)
    }

    /// Names of a listener, a route and a cluster, in this order.
    pub(super) fn of(&self, listener: u16, route: u16, cluster: u16) -> [Option<String>; 3] {
        let all = self.all.lock();
        [all.listeners.name(listener), all.routes.name(route), all.clusters.name(cluster)]
    }
}

#[derive(Debug, Default)]
struct Table {
    names: Vec<String>,
    ids: HashMap<String, u16, foldhash::fast::RandomState>,
}

impl Table {
    fn id(&mut self, name: &str) -> u16 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let Some(id) = u16::try_from(self.names.len()).ok().filter(|id| *id != NONE) else { return NONE };
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }

    fn name(&self, id: u16) -> Option<String> {
        self.names.get(usize::from(id)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_when_its_place_in_the_snapshot_changes() {
        let names = Names::default();
        let first = names.ids(["edge"], ["a", "b"], ["app"]);
        let second = names.ids(["admin", "edge"], ["b", "c", "a"], []);
        assert_eq!(first.route(0), second.route(2));
        assert_eq!(first.route(1), second.route(0));
        assert_eq!(first.listener(0), second.listener(1));
        assert_eq!(
            names.of(second.listener(0), second.route(1), first.cluster(0)),
            ["admin", "c", "app"].map(|name| Some(name.into()))
        );
    }

    #[test]
    fn no_index_and_an_index_beyond_the_snapshot_have_no_name() {
        let names = Names::default();
        let ids = names.ids(["edge"], [], ["app"]);
        assert_eq!((ids.route(0), ids.cluster(NONE), ids.listener(1)), (NONE, NONE, NONE));
        assert_eq!(names.of(NONE, NONE, NONE), [None, None, None]);
    }

    #[test]
    fn names_beyond_the_numbers_are_as_if_there_were_none() {
        let names = Names::default();
        let many: Vec<String> = (0..70_000).map(|name| name.to_string()).collect();
        let ids = names.ids([], many.iter().map(String::as_str), []);
        assert_eq!((ids.routes[65_534], ids.routes[65_535], ids.routes[69_999]), (65_534, NONE, NONE));
    }
}
