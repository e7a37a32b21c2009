//! Which group of a cluster's endpoints a balancer draws in: the subset that is asked for, one of its priorities by how
//! they share requests now, one of its zones likewise.
//!
//! A retry stays in the group as long as somebody in it was not tried, then goes to the rest of the priority, then to the
//! priorities behind it and before it: a data centre that is cut off is left before its health is known to be lost.

use fastrand::Rng;

use super::draw::{Among, Candidates, Draw};
use super::{Picked, Wish, again, breaker, fresh};
use crate::snapshot::{
    Group, Headcount, Level, LevelStanding, LoadBalancer, Membership, Partition, Spread, Standing, Tiers, WHOLE,
    ZoneStanding,
};
use crate::telemetry::record::{Mark, Marks};

/// A group to draw in, and what led there.
struct Way<'a> {
    group: &'a Group,
    count: Headcount,
    among: Among,
    marks: Marks,
}

/// What a draw in any group needs to know.
struct Asked<'a> {
    membership: &'a Membership,
    load_balancer: &'a LoadBalancer,
    wish: &'a Wish<'a>,
}

/// The endpoint for the next attempt in a cluster that is divided.
pub(super) fn pick(
    tiers: &Tiers,
    membership: &Membership,
    random: &mut Rng,
    load_balancer: &LoadBalancer,
    wish: &Wish<'_>,
) -> Option<Picked> {
    let asked = Asked { membership, load_balancer, wish };
    let mut marks = Marks::default();
    let partition = match wish.subset {
        None => &tiers.all,
        Some(subset) => match tiers.subset(subset.id) {
            Some(partition) => partition,
            None => {
                marks.set(Mark::SubsetFallback);
                tiers.instead()?
            }
        },
    };
    let standing = partition.standing(membership, &tiers.division);
    let (at, among) = level(&standing, random);
    if membership.tally().tripped() > 0
        && let Some(picked) = probe(partition, at, random, &asked, marks)
    {
        return Some(picked);
    }
    let way = way(partition, &standing, at, among, marks, random)?;
    let picked = way.draw(random, &asked, wish.tried, fresh);
    if picked.is_some() {
        return picked;
    }
    let mut others = elsewhere(partition, &standing, at, marks);
    let another = others.find_map(|way| way.draw(random, &asked, wish.tried, fresh));
    let provision = &tiers.division.provision;
    another.or_else(|| way.draw(random, &asked, &[], |balancer, draw| again(balancer, draw, provision)))
}

/// An endpoint with an open breaker whose time has come, of this priority or one before it: those behind are not needed.
fn probe(partition: &Partition, at: usize, random: &mut Rng, asked: &Asked<'_>, mut marks: Marks) -> Option<Picked> {
    let (place, level, (index, probe)) =
        partition.levels.iter().enumerate().take(at + 1).find_map(|(place, level)| {
            let due = breaker::claim(&level.group.set, asked.membership, asked.wish.tried)?;
            Some((place, level, due))
        })?;
    if place > 0 {
        marks.set(Mark::LowerPriority);
    }
    let way = Way { group: &level.group, count: Headcount::default(), among: Among::Healthy, marks };
    way.drawing(random, asked, &[]).probed(index, asked.load_balancer, marks, probe)
}

/// A place among the levels, by their shares: first those of healthy endpoints, then those of degraded ones.
fn level(standing: &Standing, random: &mut Rng) -> (usize, Among) {
    if standing.levels.first().is_none_or(LevelStanding::takes_all) {
        return (0, Among::Healthy);
    }
    let mut takes = sharing(random);
    let found = |among: Among| move |at: usize| (at, among);
    let healthy = standing.levels.iter().position(|level| takes(level.load.healthy)).map(found(Among::Healthy));
    let degraded = || standing.levels.iter().position(|level| takes(level.load.degraded)).map(found(Among::Degraded));
    healthy.or_else(degraded).unwrap_or((0, Among::Healthy))
}

/// The group of a level that takes the request.
fn way<'a>(
    partition: &'a Partition,
    standing: &Standing,
    at: usize,
    among: Among,
    mut marks: Marks,
    random: &mut Rng,
) -> Option<Way<'a>> {
    let (level, known) = (partition.levels.get(at)?, standing.levels.get(at)?);
    if at > 0 {
        marks.set(Mark::LowerPriority);
    }
    let zones = match &known.spread {
        Spread::Zones(zones) if among == Among::Healthy => zones,
        _ => return Some(Way::whole(level, known, among, marks)),
    };
    let at = zone(zones, random);
    let (zone, known) = (level.zones.get(at)?, zones.get(at)?);
    if !known.own && zones.iter().any(|zone| zone.own) {
        marks.set(Mark::CrossZone);
    }
    Some(Way { group: &zone.group, count: known.count, among, marks })
}

fn zone(zones: &[ZoneStanding], random: &mut Rng) -> usize {
    if let Some(only) = zones.iter().position(|zone| zone.share == WHOLE) {
        return only;
    }
    let mut takes = sharing(random);
    zones.iter().position(|zone| takes(zone.share)).unwrap_or(0)
}

/// Asked for one share after the other, says which one a random point lies in.
fn sharing(random: &mut Rng) -> impl FnMut(u32) -> bool {
    let mut point = random.u32(..WHOLE);
    move |share| {
        let here = point < share;
        point = point.saturating_sub(share);
        here
    }
}

/// Where a retry goes once everybody in its group was tried: healthy ones anywhere, then degraded ones.
fn elsewhere<'a>(
    partition: &'a Partition,
    standing: &'a Standing,
    at: usize,
    marks: Marks,
) -> impl Iterator<Item = Way<'a>> {
    let count = partition.levels.len();
    let places = move |among: Among| (at..count).chain((0..at).rev()).map(move |place| (place, among));
    let all = places(Among::Healthy).chain(places(Among::Degraded));
    all.filter_map(move |(place, among)| {
        let mut marks = marks;
        if place > 0 {
            marks.set(Mark::LowerPriority);
        }
        Some(Way::whole(partition.levels.get(place)?, standing.levels.get(place)?, among, marks))
    })
}

impl<'a> Way<'a> {
    fn whole(level: &'a Level, known: &LevelStanding, among: Among, marks: Marks) -> Self {
        let among = if known.load.panicked { Among::Panicked } else { among };
        Self { group: &level.group, count: known.count, among, marks }
    }

    fn drawing<'d>(&'d self, random: &'d mut Rng, asked: &Asked<'d>, tried: &'d [u32]) -> Draw<'d> {
        Draw {
            set: &self.group.set,
            membership: asked.membership,
            turns: &self.group.turns,
            count: self.count,
            random,
            candidates: Candidates::new(),
            tried,
            among: self.among,
            hash: asked.wish.hash,
            now: asked.wish.now,
            moved: false,
        }
    }

    fn draw(
        &self,
        random: &mut Rng,
        asked: &Asked<'_>,
        tried: &[u32],
        among: impl FnOnce(&LoadBalancer, &mut Draw<'_>) -> Option<u32>,
    ) -> Option<Picked> {
        let mut draw = self.drawing(random, asked, tried);
        let index = among(asked.load_balancer, &mut draw)?;
        draw.picked(index, asked.load_balancer, self.marks)
    }
}
