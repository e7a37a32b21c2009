//! The end of a proxy, in one step or in two.

use crate::snapshot::Direction;

/// How far a drain goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Drain {
    /// Nothing ends.
    None,
    /// All but the application's own requests: it may need them to end its work.
    Inbound,
    /// Everything.
    All,
}

impl Drain {
    /// The drain with this number.
    pub(super) fn from_number(number: u8) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Inbound,
            _ => Self::All,
        }
    }

    /// Whether a listener's requests end with it.
    pub fn is_about(self, direction: Direction) -> bool {
        match self {
            Self::None => false,
            Self::Inbound => direction != Direction::Outbound,
            Self::All => true,
        }
    }
}
