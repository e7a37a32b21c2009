//! Maglev's table (Eisenbud et al., "Maglev: a fast and reliable software network load balancer", 2016, section 3.4),
//! with weights as Envoy has them: each endpoint takes its turns at its own order of all places, the heavier more often.

use xxhash_rust::xxh64::xxh64;

use super::Slot;

/// A member by place; a prime number of places.
pub struct Maglev(Box<[u16]>);

/// Nobody's place yet. No member has this index: a set has fewer than 65,535 members.
const FREE: u16 = u16::MAX;

/// A member's order of places, which steps by a number that a prime has no divisor in common with.
struct Turns {
    index: u16,
    weight: f64,
    /// It has as many places as its weight asks for up to this turn of the heaviest.
    due: f64,
    place: u32,
    step: u32,
}

impl Maglev {
    pub(super) fn new(slots: &[Slot<'_>], size: u32) -> Self {
        let size = size.max(2);
        let heaviest = slots.iter().map(|slot| slot.weight).max().map_or(1.0, f64::from);
        let turns = |slot: &Slot<'_>| Turns {
            index: slot.index,
            weight: f64::from(slot.weight),
            due: 0.0,
            // Remainders are below a 32-bit size.
            place: (slot.hash % u64::from(size)) as u32,
            step: (xxh64(slot.name.as_bytes(), 1) % u64::from(size - 1)) as u32 + 1,
        };
        let mut members: Vec<Turns> = slots.iter().map(turns).collect();
        let mut places = vec![FREE; size as usize].into_boxed_slice();
        let mut free = if members.is_empty() { 0 } else { size };
        let mut turn = 1.0;
        while free > 0 {
            for member in &mut members {
                if turn * member.weight < member.due {
                    continue;
                }
                member.due += heaviest;
                member.take(&mut places, size);
                free -= 1;
                if free == 0 {
                    break;
                }
            }
            turn += 1.0;
        }
        Self(places)
    }

    /// The member at the hash's place.
    #[inline]
    pub(super) fn holder(&self, hash: u64) -> Option<u32> {
        let place = hash.checked_rem(self.0.len() as u64)?;
        self.0.get(place as usize).map(|index| u32::from(*index))
    }
}

impl Turns {
    /// Takes the first free place of its order; there is one.
    fn take(&mut self, places: &mut [u16], size: u32) {
        for _ in 0..size {
            let place = self.place as usize;
            // Both are below the size, which is far below half of what fits.
            self.place += self.step;
            if self.place >= size {
                self.place -= size;
            }
            if let Some(free) = places.get_mut(place).filter(|place| **place == FREE) {
                *free = self.index;
                return;
            }
        }
    }
}
