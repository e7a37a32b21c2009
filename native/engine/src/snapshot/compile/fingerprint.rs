//! Tells parts of a configuration apart: a part with the fingerprint it had before did not change.
//!
//! 64 bits over the encoded part, so that each noun has one without doing anything for it. Only a part and the one of
//! the same name before it are ever compared.

use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};

use foldhash::quality::FixedState;
use serde::Serialize;

/// Of a noun and its place in the list, for what is compiled from it names other nouns by their places.
pub(super) fn of_noun<T: Serialize>(noun: &T, index: usize) -> u64 {
    let mut hashing = Hashing(FixedState::default().build_hasher());
    hashing.0.write_usize(index);
    // Writing to a hasher cannot fail, and a snapshot was decoded from what is being written.
    let _ = rmp_serde::encode::write(&mut hashing, noun);
    hashing.0.finish()
}

/// Of bytes as they crossed the boundary.
pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
    FixedState::default().hash_one(bytes)
}

struct Hashing<H>(H);

impl<H: Hasher> Write for Hashing<H> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_part_has_the_same_fingerprint_and_any_difference_shows() {
        let part = ("app", vec![1_u32, 2], Some("x"));
        assert_eq!(of_noun(&part, 3), of_noun(&part.clone(), 3));
        let others = [
            of_noun(&part, 4),
            of_noun(&("ap", vec![1_u32, 2], Some("x")), 3),
            of_noun(&("app", vec![1_u32, 2], None::<&str>), 3),
            of_noun(&("app", vec![2_u32, 1], Some("x")), 3),
        ];
        assert!(others.iter().all(|other| *other != of_noun(&part, 3)));
    }
}
