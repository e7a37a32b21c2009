//! What a balancer draws from, and which of it may be used.

use fastrand::Rng;

use crate::snapshot::{EndpointSet, Turns};

/// How many candidates are kept for the record.
const KEPT: usize = 4;

/// Endpoints that a balancer compared, by index, each with its score: the lowest wins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Candidates {
    entries: [(u16, f32); KEPT],
    len: u8,
}

impl Candidates {
    /// None.
    pub const fn new() -> Self {
        Self { entries: [(0, 0.0); KEPT], len: 0 }
    }

    /// The first four that were compared.
    pub fn as_slice(&self) -> &[(u16, f32)] {
        self.entries.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn push(&mut self, index: u32, score: f32) {
        if let Some(entry) = self.entries.get_mut(usize::from(self.len)) {
            *entry = (u16::try_from(index).unwrap_or(u16::MAX), score);
            self.len += 1;
        }
    }
}

/// What a balancer draws from.
pub(super) struct Draw<'a> {
    pub(super) set: &'a EndpointSet,
    pub(super) turns: &'a Turns,
    /// Members that are not healthy.
    pub(super) down: u32,
    pub(super) random: &'a mut Rng,
    pub(super) candidates: Candidates,
    /// Ids of endpoints that an earlier attempt went to.
    pub(super) tried: &'a [u32],
    /// Whether the ones that are not healthy may be used.
    pub(super) unhealthy: bool,
}

impl Draw<'_> {
    /// Whether anybody among the members may not be used.
    pub(super) fn is_picky(&self) -> bool {
        !self.tried.is_empty() || (!self.unhealthy && self.down > 0)
    }

    /// This member is compared with others: the lowest score wins.
    pub(super) fn compared(&mut self, index: u32, score: f32) {
        let known = self.set.member(index).map_or(index, |member| member.index);
        self.candidates.push(known, score);
    }

    /// Whether a member may be used.
    pub(super) fn is_usable(&self, index: u32) -> bool {
        self.set.member(index).is_some_and(|member| {
            (self.unhealthy || member.endpoint.is_healthy()) && !self.tried.contains(&member.endpoint.id)
        })
    }

    /// The first usable member from a place that chance chooses.
    pub(super) fn scan(&mut self) -> Option<u32> {
        let len = self.set.len();
        let from = self.random.u32(..len.max(1));
        (from..len).chain(0..from).find(|index| self.is_usable(*index))
    }
}
