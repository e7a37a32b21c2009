//! A ring of hashes (Karger et al., "Consistent hashing and random trees", 1997), sized as Envoy's `ring_hash`: each
//! endpoint has hashes by its weight, the lightest a power of two of them.

use xxhash_rust::xxh64::xxh64;

use super::{Slot, total};

/// Hashes in ascending order, and whose they are.
pub struct Ring {
    hashes: Box<[u64]>,
    members: Box<[u16]>,
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
        Self {
            hashes: points.iter().map(|point| point.0).collect(),
            members: points.iter().map(|point| point.2).collect(),
        }
    }

    /// The owner of the first hash that is not below this one; behind the last one the ring begins again.
    #[inline]
    pub(super) fn holder(&self, hash: u64) -> Option<u32> {
        let at = self.hashes.partition_point(|known| *known < hash);
        self.members.get(at).or(self.members.first()).map(|index| u32::from(*index))
    }
}
