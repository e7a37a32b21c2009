//! A ring of hashes (Karger et al., "Consistent hashing and random trees", 1997), sized as Envoy's `ring_hash`: each
//! endpoint has hashes by its weight, the lightest a power of two of them.

use xxhash_rust::xxh64::xxh64;

use super::{Slot, total};

/// Hashes in ascending order, whose they are, and where those of each stretch of the ring begin: they are spread evenly, so
/// that a look-up reads one or two of them instead of searching through all.
pub struct Ring {
    hashes: Box<[u64]>,
    members: Box<[u16]>,
    /// Of a power of two of stretches, about half as many as there are hashes; one more, where the last one ends.
    starts: Box<[u32]>,
    /// What a hash is shifted by to tell its stretch.
    shift: u32,
}

impl Ring {
    pub(super) fn new(slots: &[Slot<'_>], min: u32, max: u32) -> Self {
        let total = total(slots);
        let lightest = slots.iter().map(|slot| slot.weight).min().unwrap_or(1);
        let least = f64::from(lightest) / total;
        // A power of two: the others keep the hashes that they have when one endpoint comes or goes.
        let copies = ((least * f64::from(min)).ceil() as u32).next_power_of_two();
        let scale = (f64::from(copies) / least).min(f64::from(max));
        let mut points: Vec<(u64, u64, u16)> = Vec::with_capacity(scale.ceil() as usize);
        let (mut wanted, mut made) = (0.0, 0_u32);
        let mut text = Vec::new();
        for slot in slots {
            wanted += scale * f64::from(slot.weight) / total;
            for copy in 0_u32.. {
                if f64::from(made) >= wanted {
                    break;
                }
                text.clear();
                text.extend_from_slice(slot.name.as_bytes());
                text.push(b'_');
                text.extend_from_slice(itoa::Buffer::new().format(copy).as_bytes());
                points.push((xxh64(&text, 0), slot.hash, slot.index));
                made += 1;
            }
        }
        points.sort_unstable();
        let hashes: Box<[u64]> = points.iter().map(|point| point.0).collect();
        let shift = u64::BITS - hashes.len().max(4).ilog2() + 1;
        Self { starts: starts(&hashes, shift), shift, hashes, members: points.iter().map(|point| point.2).collect() }
    }

    /// The owner of the first hash that is not below this one; behind the last one the ring begins again.
    #[inline]
    pub(super) fn holder(&self, hash: u64) -> Option<u32> {
        let stretch = (hash >> self.shift) as usize;
        let from = *self.starts.get(stretch)? as usize;
        let here = self.hashes.get(from..*self.starts.get(stretch + 1)? as usize)?;
        let at = from + here.partition_point(|known| *known < hash);
        self.members.get(at).or(self.members.first()).map(|index| u32::from(*index))
    }
}

/// Where the hashes of each stretch begin.
fn starts(hashes: &[u64], shift: u32) -> Box<[u32]> {
    let stretches = 1_u64 << (u64::BITS - shift);
    let mut at = 0;
    (0..=stretches)
        .map(|stretch| {
            at += hashes.iter().skip(at).take_while(|hash| **hash >> shift < stretch).count();
            // At most eight million hashes.
            at as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_hash_belongs_to_the_first_that_is_not_below_it(
            names in prop::collection::hash_set("[a-z]{1,6}", 2..40),
            (min, max) in (1_u32..2_000, 1_u32..4_000),
            keys in prop::collection::vec(any::<u64>(), 50),
        ) {
            let slots: Vec<Slot<'_>> =
                (0..).zip(&names).map(|(index, name)| Slot::new(index, (name.as_str(), 1 + index % 3))).collect();
            let ring = Ring::new(&slots, min, max);
            let known = ring.hashes.iter().flat_map(|hash| [*hash, hash.wrapping_sub(1), hash.wrapping_add(1)]);
            for key in keys.into_iter().chain(known).chain([0, u64::MAX]) {
                let at = ring.hashes.iter().position(|hash| *hash >= key).unwrap_or(0);
                prop_assert_eq!(ring.holder(key), Some(u32::from(ring.members[at])));
            }
        }
    }
}
