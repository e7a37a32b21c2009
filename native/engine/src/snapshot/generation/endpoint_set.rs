//! The endpoints of a cluster at one moment: immutable, read by workers without a lock.
//!
//! Members stand in chunks that a set shares with the one before it: a change of one endpoint copies one chunk and the
//! list of chunks, not ten thousand references. Shares of weight are found by two binary searches, over the chunks and
//! within one.

use std::sync::Arc;

use super::endpoint::{Endpoint, Place};
use super::hash_table::{HashTable, TableKind};
use super::tiers::{Division, Provision, Tiers};
use crate::upstream::cluster::Looked;

/// Members per chunk: what a change copies, against how many chunks there are to list and to search.
const CHUNK: usize = 128;

/// An endpoint as its cluster has it.
#[derive(Clone)]
pub struct Member {
    /// Who.
    pub endpoint: Arc<Endpoint>,
    /// Its index in the cluster's whole set, which records know it by.
    pub index: u32,
    /// Its share, at least 1.
    pub weight: u32,
    /// Where it runs; `None` where nothing was said.
    pub place: Option<Arc<Place>>,
}

impl Member {
    /// As configured; 0 comes first.
    pub fn priority(&self) -> u32 {
        self.place.as_deref().map_or(0, |place| place.priority)
    }
}

/// The endpoints of a cluster, or of a group of it, at one moment.
#[derive(Default)]
pub struct EndpointSet {
    /// Unique among all sets of the proxy, growing.
    pub number: u64,
    /// When too few of them are healthy.
    pub provision: Provision,
    /// What it is divided into; none where a balancer draws in all of it, and in the groups themselves.
    pub tiers: Option<Box<Tiers>>,
    /// Where keys belong, for a balancer that hashes.
    pub table: HashTable,
    chunks: Vec<Arc<Chunk>>,
    /// Where each chunk's shares begin; empty when all weights are equal.
    starts: Vec<u32>,
    /// The last look at the open breakers among them.
    pub probes: Looked,
    len: u32,
    total: u32,
    stride: u32,
}

#[derive(Clone, Default)]
pub(super) struct Chunk {
    members: Vec<Member>,
    /// Where each member's shares end, within the chunk.
    ends: Vec<u32>,
    lightest: u32,
    heaviest: u32,
    /// The first and the last one.
    priorities: (u32, u32),
}

impl EndpointSet {
    pub(super) fn new(number: u64, chunks: Vec<Arc<Chunk>>, table: TableKind) -> Self {
        let len = chunks.iter().map(|chunk| chunk.members.len()).sum::<usize>();
        let lightest = chunks.iter().map(|chunk| chunk.lightest).min().unwrap_or(1);
        let heaviest = chunks.iter().map(|chunk| chunk.heaviest).max().unwrap_or(1);
        let mut set = Self { number, len: u32::try_from(len).unwrap_or(u32::MAX), chunks, ..Self::default() };
        if lightest != heaviest {
            set.starts.reserve(set.chunks.len());
            for chunk in &set.chunks {
                set.starts.push(set.total);
                set.total = set.total.saturating_add(chunk.total());
            }
            set.stride = coprime_stride(set.total);
        }
        let known = set.members().map(|member| (member.endpoint.name.as_str(), member.weight));
        set.table = HashTable::new(table, known);
        set
    }

    /// A cluster's whole set, with what it is divided into. Who draws in groups looks keys up in theirs.
    pub(super) fn whole(number: u64, chunks: Vec<Arc<Chunk>>, division: &Arc<Division>, table: TableKind) -> Self {
        let (first, last) = chunks
            .iter()
            .fold((u32::MAX, 0), |(first, last), chunk| (chunk.priorities.0.min(first), chunk.priorities.1.max(last)));
        let divided = !division.is_undivided() || first < last;
        let mut set = Self::new(number, chunks, if divided { TableKind::default() } else { table });
        set.provision = division.provision;
        if divided {
            set.tiers = Some(Box::new(Tiers::of(&set, division, table)));
        }
        set
    }

    /// Some of a cluster's members.
    pub(super) fn group(number: u64, members: impl Iterator<Item = Member>, table: TableKind) -> Self {
        let mut chunks: Vec<Chunk> = Vec::new();
        for member in members {
            match chunks.last_mut().filter(|last| last.members.len() < CHUNK) {
                Some(last) => last.members.push(member),
                None => chunks.push(Chunk { members: vec![member], ..Chunk::default() }),
            }
        }
        chunks.iter_mut().for_each(Chunk::reckon);
        Self::new(number, chunks.into_iter().map(Arc::new).collect(), table)
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A member by its index.
    #[inline]
    pub fn member(&self, index: u32) -> Option<&Member> {
        let index = index as usize;
        self.chunks.get(index / CHUNK)?.members.get(index % CHUNK)
    }

    /// The priority at which a member stands.
    pub fn priority(&self, member: &Member) -> u32 {
        self.tiers.as_deref().map_or_else(|| member.priority(), |tiers| tiers.priority(member))
    }

    /// All members in order.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.chunks.iter().flat_map(|chunk| &chunk.members)
    }

    /// The sum of all weights; `None` when they are equal and an index is as good as a share.
    #[inline]
    pub fn total_weight(&self) -> Option<u32> {
        (self.total > 0).then_some(self.total)
    }

    /// The index of the member that has this share of the total.
    #[inline]
    pub fn holder(&self, share: u32) -> u32 {
        let at = self.starts.partition_point(|start| *start <= share).saturating_sub(1);
        let Some((chunk, start)) = self.chunks.get(at).zip(self.starts.get(at)) else { return 0 };
        let within = chunk.ends.partition_point(|end| *end <= share - start);
        // Both fit: a set has fewer than 65,536 members.
        (at * CHUNK + within) as u32
    }

    /// The share that a turn takes. Within each round of `total` turns every share comes once, so that weights are kept
    /// exactly; steps near the golden section of the whole spread each member's turns over the round (the three-distance
    /// theorem), as a smooth weighted round robin would.
    pub fn spread(&self, turn: u64) -> u32 {
        let place = turn % u64::from(self.total.max(1));
        // Below 2^32 each, so the product fits; the remainder is below the total.
        (place * u64::from(self.stride) % u64::from(self.total.max(1))) as u32
    }
}

impl Chunk {
    fn total(&self) -> u32 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn reckon(&mut self) {
        let mut end = 0_u32;
        self.ends.clear();
        self.ends.extend(self.members.iter().map(|member| {
            end = end.saturating_add(member.weight);
            end
        }));
        self.lightest = self.members.iter().map(|member| member.weight).min().unwrap_or(1);
        self.heaviest = self.members.iter().map(|member| member.weight).max().unwrap_or(1);
        let priorities = || self.members.iter().map(Member::priority);
        self.priorities = (priorities().min().unwrap_or(0), priorities().max().unwrap_or(0));
    }
}

/// The members as they are changed, in chunks that published sets share.
#[derive(Default)]
pub(super) struct Draft {
    chunks: Vec<Arc<Chunk>>,
    touched: Vec<usize>,
}

impl Draft {
    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.members.len())
    }

    pub(super) fn get(&self, index: usize) -> Option<&Member> {
        self.chunks.get(index / CHUNK)?.members.get(index % CHUNK)
    }

    pub(super) fn push(&mut self, mut member: Member) {
        // A set has fewer than 65,536 members.
        member.index = self.len() as u32;
        if self.chunks.last().is_none_or(|last| last.members.len() == CHUNK) {
            self.chunks.push(Arc::default());
        }
        let at = self.chunks.len() - 1;
        if let Some(chunk) = self.touch(at) {
            chunk.members.push(member);
        }
    }

    pub(super) fn replace(&mut self, index: usize, mut member: Member) {
        member.index = index as u32;
        if let Some(slot) = self.touch(index / CHUNK).and_then(|chunk| chunk.members.get_mut(index % CHUNK)) {
            *slot = member;
        }
    }

    /// Removes the last member.
    pub(super) fn pop(&mut self) -> Option<Member> {
        let at = self.chunks.len().checked_sub(1)?;
        let popped = self.touch(at)?.members.pop();
        if self.chunks.last().is_some_and(|last| last.members.is_empty()) {
            self.chunks.pop();
        }
        popped
    }

    /// The chunks as they are now, for a set to keep.
    pub(super) fn publish(&mut self) -> Vec<Arc<Chunk>> {
        self.touched.sort_unstable();
        self.touched.dedup();
        for at in std::mem::take(&mut self.touched) {
            if let Some(chunk) = self.chunks.get_mut(at) {
                Arc::make_mut(chunk).reckon();
            }
        }
        self.chunks.clone()
    }

    fn touch(&mut self, at: usize) -> Option<&mut Chunk> {
        if self.touched.last() != Some(&at) {
            self.touched.push(at);
        }
        self.chunks.get_mut(at).map(Arc::make_mut)
    }
}

/// Steps looked at on either side of the golden section.
const STEPS: u32 = 16;

/// A step with no divisor in common with `total`, near its golden section, whose turns are spread best.
///
/// How evenly they are spread, the largest quotient of the continued fraction of step and total tells: the smaller the
/// better, and the golden section has nothing but ones (Knuth, "The Art of Computer Programming" 3, section 6.4).
fn coprime_stride(total: u32) -> u32 {
    let golden = (u64::from(total) * 618 / 1000).max(1) as u32;
    let steps = golden.saturating_sub(STEPS).max(1)..=golden.saturating_add(STEPS).min(total.saturating_sub(1));
    let ranked = steps.filter_map(|step| Some((largest_quotient(total, step)?, step.abs_diff(golden), step)));
    ranked.min().map_or(1, |(_, _, step)| step)
}

/// Of the continued fraction of `total / step`; `None` when they have a divisor in common.
fn largest_quotient(total: u32, step: u32) -> Option<u32> {
    let (mut above, mut below, mut largest) = (total, step, 0);
    while below != 0 {
        let (quotient, rest) = (above / below, above % below);
        // The last quotient is also one less and a one.
        largest = largest.max(if rest == 0 { quotient - 1 } else { quotient });
        (above, below) = (below, rest);
    }
    (above == 1).then_some(largest)
}
