//! What a balancer draws from, and which of it may be used.

use fastrand::Rng;

use crate::snapshot::{EndpointSet, Headcount, Member, Membership, Moment, Provision, Turns, WHOLE, bit};

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

    /// This member was compared with others: the lowest score wins.
    #[inline]
    pub(super) fn push(&mut self, index: u32, score: f32) {
        if let Some(entry) = self.entries.get_mut(usize::from(self.len)) {
            *entry = (u16::try_from(index).unwrap_or(u16::MAX), score);
            self.len += 1;
        }
    }
}

/// Whom the conditions of a cluster's members leave to draw from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Among {
    /// Those with nothing against them.
    Healthy,
    /// Those that are up: the ones that are not degraded cannot take it all.
    Degraded,
    /// All whose breaker is closed: too few are up.
    Panicked,
}

impl Among {
    /// Whom a set that is not divided leaves, by its members' conditions.
    #[inline]
    pub(super) fn of(count: &Headcount, len: u32, provision: &Provision, random: &mut Rng) -> Self {
        if count.down > 0 && provision.panics(count, len) {
            return Self::Panicked;
        }
        if count.degraded > 0 && random.u32(..WHOLE) >= provision.health(count.healthy(len), len) {
            return Self::Degraded;
        }
        Self::Healthy
    }

    /// The conditions that keep a member out.
    fn shuns(self) -> u8 {
        match self {
            Self::Healthy => bit::DOWN | bit::DEGRADED,
            Self::Degraded => bit::DOWN,
            Self::Panicked => bit::TRIPPED,
        }
    }

    /// Whether that may concern anybody.
    fn is_picky(self, count: &Headcount) -> bool {
        match self {
            Self::Healthy => count.down + count.degraded > 0,
            Self::Degraded => count.down > 0,
            Self::Panicked => count.tripped > 0,
        }
    }
}

/// What a balancer draws from.
pub(super) struct Draw<'a> {
    pub(super) set: &'a EndpointSet,
    /// Of the whole cluster.
    pub(super) membership: &'a Membership,
    /// Whose turn it is among them.
    pub(super) turns: &'a Turns,
    /// In which condition they are.
    pub(super) count: Headcount,
    pub(super) random: &'a mut Rng,
    pub(super) candidates: Candidates,
    /// Ids of endpoints that an earlier attempt went to.
    pub(super) tried: &'a [u32],
    /// Whose conditions allow it.
    pub(super) among: Among,
    /// Of the request's key.
    pub(super) hash: Option<u64>,
    /// When it is drawn.
    pub(super) now: Moment,
    /// The endpoint of the key was over its bound, so another one was drawn.
    pub(super) moved: bool,
}

impl Draw<'_> {
    /// Whether anybody among the members may not be used.
    pub(super) fn is_picky(&self) -> bool {
        !self.tried.is_empty() || self.among.is_picky(&self.count)
    }

    /// Whether a member may be used.
    pub(super) fn is_usable(&self, index: u32) -> bool {
        self.set.member(index).is_some_and(|member| self.may_use(member))
    }

    /// The same of a member that is at hand.
    #[inline]
    pub(super) fn may_use(&self, member: &Member) -> bool {
        member.endpoint.condition() & self.among.shuns() == 0 && !self.tried.contains(&member.endpoint.id)
    }

    /// The first usable member from a place that chance chooses.
    pub(super) fn scan(&mut self) -> Option<u32> {
        let len = self.set.len();
        let from = self.random.u32(..len.max(1));
        (from..len).chain(0..from).find(|index| self.is_usable(*index))
    }
}
