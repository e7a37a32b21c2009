//! The endpoints of all clusters by their names, kept from one generation and one set to the next.
//!
//! Changed under the proxy's lock only: by `apply` and by updates between two snapshots.

use std::collections::HashSet;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use serde::Serialize;

use super::condition::Tally;
use super::destination::Reach;
use super::endpoint::{Endpoint, Place};
use super::endpoint_set::{Draft, EndpointSet, Member};
use super::hash_table::TableKind;
use super::membership::Membership;
use super::tiers::Division;
use crate::telemetry::events::{Events, Teller};

/// An endpoint as a snapshot or an update wants it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is known by among the endpoints of its cluster.
    pub name: String,
    /// Where it listens.
    pub reach: Reach,
    /// Its share, at least 1.
    pub weight: u32,
    /// Where it runs.
    pub place: Place,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Endpoints that came.
    pub added: u32,
    /// Endpoints whose weight, place or labels changed.
    pub changed: u32,
    /// Endpoints that went.
    pub removed: u32,
}

/// The endpoints of all clusters.
#[derive(Default)]
pub struct ClusterBook {
    entries: HashMap<String, Entry>,
    endpoint_ids: Ids,
    membership_ids: Ids,
    places: HashSet<Arc<Place>>,
    events: Arc<Events>,
    /// Of the last set made.
    number: u64,
}

struct Entry {
    membership: Arc<Membership>,
    tally: Arc<Tally>,
    draft: Draft,
    /// As it was asked for.
    asked: Arc<Division>,
    division: Arc<Division>,
    /// Its endpoints are checked: a new one waits for its first result.
    checked: bool,
    /// What its balancer looks keys up in.
    table: TableKind,
    /// Members, and endpoints that went but are still in use.
    known: HashMap<String, Known>,
}

struct Known {
    endpoint: Arc<Endpoint>,
    /// Its index in the set; `None` when it went.
    index: Option<usize>,
}

/// Numbers that are small because they are given again.
#[derive(Default)]
struct Ids {
    next: u32,
    free: Vec<u32>,
}

impl Ids {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

impl ClusterBook {
    /// The endpoints of a cluster, made on first use.
    pub fn membership(&mut self, cluster: &str) -> Arc<Membership> {
        if let Some(entry) = self.entries.get(cluster) {
            return Arc::clone(&entry.membership);
        }
        let tally = Arc::new(Tally::default());
        let membership = Arc::new(Membership::new(
            self.membership_ids.take(),
            Arc::clone(&tally),
            Teller::new(cluster, &self.events),
        ));
        let entry = Entry {
            membership: Arc::clone(&membership),
            tally,
            draft: Draft::default(),
            asked: Arc::default(),
            division: Arc::default(),
            checked: false,
            table: TableKind::None,
            known: HashMap::new(),
        };
        self.entries.insert(cluster.to_owned(), entry);
        membership
    }

    /// What happens to endpoints of all clusters.
    pub fn events(&self) -> &Arc<Events> {
        &self.events
    }

    /// Whether endpoints that come to a cluster from now on are checked.
    pub fn set_checked(&mut self, cluster: &str, checked: bool) {
        if let Some(entry) = self.entries.get_mut(cluster) {
            entry.checked = checked;
        }
    }

    /// Divides a cluster's endpoints in this way from now on.
    pub fn divide(&mut self, cluster: &str, division: &Arc<Division>) {
        let Some(entry) = self.entries.get_mut(cluster).filter(|entry| entry.asked != *division) else { return };
        // Requests of the generation before are still under way: the subsets that they ask for stay for once.
        let before = std::mem::replace(&mut entry.asked, Arc::clone(division));
        entry.division = Division::after(division, &before);
        if entry.membership.number() > 0 {
            self.number += 1;
            entry.publish(self.number);
        }
    }

    /// What the cluster's balancer looks keys up in. Where that is another table, the set in force is made again with it.
    pub fn set_table(&mut self, cluster: &str, table: TableKind) {
        let Some(entry) = self.entries.get_mut(cluster) else { return };
        let changed = std::mem::replace(&mut entry.table, table) != table;
        if changed && entry.membership.number() != 0 {
            self.number += 1;
            entry.publish(self.number);
        }
    }

    /// How many endpoints a cluster would have after a change. `None`: there is no such cluster.
    pub fn len_after(&self, cluster: &str, wanted: &[Wanted], removed: &[String], complete: bool) -> Option<usize> {
        let entry = self.entries.get(cluster)?;
        let named: HashSet<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
        if complete {
            return Some(named.len());
        }
        let is_member = |name: &str| entry.known.get(name).is_some_and(|known| known.index.is_some());
        let coming = named.iter().filter(|name| !is_member(name)).count();
        let gone: HashSet<&str> = removed.iter().map(String::as_str).collect();
        let going = gone.into_iter().filter(|name| is_member(name) && !named.contains(name)).count();
        Some(entry.draft.len() + coming - going)
    }

    /// Changes a cluster's endpoints and puts the new set in force. Endpoints that stay keep their state; with
    /// `complete` those that are not `wanted` go. `None`: there is no such cluster.
    pub fn change(
        &mut self,
        cluster: &str,
        wanted: Vec<Wanted>,
        removed: &[String],
        complete: bool,
    ) -> Option<Changes> {
        let entry = self.entries.get_mut(cluster)?;
        let mut changes = Changes::default();
        let named: HashSet<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
        let unnamed = |name: &&String| !named.contains(name.as_str());
        let members = entry.known.iter().filter(|(_, known)| known.index.is_some());
        let going: Vec<String> = if complete {
            members.map(|(name, _)| name).filter(unnamed).cloned().collect()
        } else {
            removed.iter().filter(unnamed).cloned().collect()
        };
        for name in going {
            changes.removed += u32::from(entry.remove(&name));
        }
        for Wanted { name, reach, weight, place } in wanted {
            let place = (place != Place::default()).then(|| intern(&mut self.places, place));
            match entry.put(&mut self.endpoint_ids, name, reach, weight, place) {
                Put::Added => changes.added += 1,
                Put::Changed => changes.changed += 1,
                Put::Same => {}
            }
        }
        if changes != Changes::default() || entry.membership.number() == 0 {
            self.number += 1;
            entry.publish(self.number);
        }
        Some(changes)
    }

    /// Forgets clusters that no generation has, and endpoints that no set, connection or exchange holds any more; their
    /// numbers are given again.
    pub fn forget_unused(&mut self) {
        let Self { entries, endpoint_ids, membership_ids, places, number, events: _ } = self;
        entries.retain(|_, entry| {
            let used = Arc::strong_count(&entry.membership) > 1;
            if !used && entry.draft.len() > 0 {
                *number += 1;
                entry.clear(*number);
            }
            // What a set holds has its index here: only the others are asked for.
            entry.known.retain(|_, known| {
                let kept = known.index.is_some() || Arc::strong_count(&known.endpoint) > 1;
                if !kept {
                    endpoint_ids.free.push(known.endpoint.id);
                }
                kept
            });
            let kept = used || !entry.known.is_empty();
            if !kept {
                membership_ids.free.push(entry.membership.id);
            }
            kept
        });
        places.retain(|place| Arc::strong_count(place) > 1);
    }
}

enum Put {
    Added,
    Changed,
    Same,
}

impl Entry {
    fn publish(&mut self, number: u64) {
        self.membership.publish(EndpointSet::whole(number, self.draft.publish(), &self.division, self.table));
    }

    fn put(&mut self, ids: &mut Ids, name: String, reach: Reach, weight: u32, place: Option<Arc<Place>>) -> Put {
        let known = match self.known.entry(name) {
            Slot::Occupied(known) => {
                known.get().endpoint.destination.follow(reach);
                known.into_mut()
            }
            Slot::Vacant(slot) => {
                let endpoint = Arc::new(Endpoint::new(ids.take(), slot.key(), reach, &self.tally));
                if self.checked {
                    endpoint.begin_checks();
                }
                slot.insert(Known { endpoint, index: None })
            }
        };
        let member = |endpoint: &Arc<Endpoint>| Member {
            endpoint: Arc::clone(endpoint),
            index: 0,
            weight,
            place: place.clone(),
        };
        match known.index {
            Some(index) => {
                let same = |before: &Member| before.weight == weight && before.place == place;
                if self.draft.get(index).is_some_and(same) {
                    return Put::Same;
                }
                self.draft.replace(index, member(&known.endpoint));
                Put::Changed
            }
            None => {
                known.index = Some(self.draft.len());
                known.endpoint.set_member(true);
                if self.membership.number() == 0 {
                    // All of a cluster that is new come at once: none of them is to be spared.
                    known.endpoint.has_warmed();
                }
                self.draft.push(member(&known.endpoint));
                Put::Added
            }
        }
    }

    /// Lets go of all members, so that those nobody uses can be forgotten.
    fn clear(&mut self, number: u64) {
        self.draft = Draft::default();
        for known in self.known.values_mut() {
            known.index = None;
            known.endpoint.set_member(false);
        }
        self.publish(number);
    }

    /// The last member takes the place of the one that goes: nothing else moves.
    fn remove(&mut self, name: &str) -> bool {
        let Some(known) = self.known.get_mut(name) else { return false };
        let Some(index) = known.index.take() else { return false };
        known.endpoint.set_member(false);
        let Some(last) = self.draft.pop() else { return false };
        if last.endpoint.name != name {
            if let Some(moved) = self.known.get_mut(&last.endpoint.name) {
                moved.index = Some(index);
            }
            self.draft.replace(index, last);
        }
        true
    }
}

fn intern(places: &mut HashSet<Arc<Place>>, place: Place) -> Arc<Place> {
    if let Some(known) = places.get(&place) {
        return Arc::clone(known);
    }
    let made = Arc::new(place);
    places.insert(Arc::clone(&made));
    made
}
