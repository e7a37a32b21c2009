//! A share of events, dealt out by counting instead of by chance: of any thousand in a row it takes as many as it says.
//!
//! The turn's number times an irrational number, its whole part cut off, lies evenly in 0..1 (a Weyl sequence); below the
//! share, the turn is taken. How evenly depends on how badly fractions come near to the number (Ostrowski 1922): those of
//! the golden ratio and of small square roots do worst. Shares of one count use numbers of their own, so that one does not
//! follow the other.

/// What a share of all is counted in.
pub const ALL_PPM: u32 = 1_000_000;

/// Which of the shares of one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lot {
    /// The first.
    First,
    /// The second.
    Second,
    /// The third.
    Third,
}

impl Lot {
    /// The fractions of the golden ratio, of √2 and of √3, in units of 2^-64.
    const fn step(self) -> u64 {
        match self {
            Self::First => 0x9e37_79b9_7f4a_7c15,
            Self::Second => 0x6a09_e667_f3bc_c909,
            Self::Third => 0xbb67_ae85_84ca_a73b,
        }
    }
}

/// Whether the turn with this number is among `ppm` of a million.
pub fn takes(ppm: u32, lot: Lot, turn: u64) -> bool {
    // Half a step in, so that the very first turn is not always taken.
    let point = turn.wrapping_mul(lot.step()).wrapping_add(1 << 63);
    ppm >= ALL_PPM || point < ((u64::from(ppm) << 32) / u64::from(ALL_PPM)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOTS: [Lot; 3] = [Lot::First, Lot::Second, Lot::Third];

    fn taken(ppm: u32, lot: Lot, turns: std::ops::Range<u64>) -> i64 {
        turns.filter(|turn| takes(ppm, lot, *turn)).count() as i64
    }

    #[test]
    fn of_any_thousand_turns_a_share_takes_as_many_as_it_says() {
        for lot in LOTS {
            for ppm in [10_000, 50_000, 100_000, 333_333, 500_000, 990_000] {
                for start in [0, 1, 777, u64::MAX / 3] {
                    let due = i64::from(ppm / 1_000);
                    let found = taken(ppm, lot, start..start + 1_000);
                    assert!((found - due).abs() <= 2, "{lot:?}: {found} of {due} from {start}");
                }
            }
        }
    }

    #[test]
    fn nothing_takes_none_and_all_takes_every_turn() {
        for lot in LOTS {
            assert_eq!((taken(0, lot, 0..1_000), taken(ALL_PPM, lot, 0..1_000)), (0, 1_000));
        }
    }

    #[test]
    fn shares_of_one_count_do_not_follow_each_other() {
        let both = |one: Lot, other: Lot| {
            (0..10_000).filter(|turn| takes(500_000, one, *turn) && takes(100_000, other, *turn)).count()
        };
        for (one, other) in [(Lot::First, Lot::Second), (Lot::First, Lot::Third), (Lot::Second, Lot::Third)] {
            assert!(both(one, other).abs_diff(500) <= 40, "{one:?} {other:?}: {}", both(one, other));
        }
    }
}
