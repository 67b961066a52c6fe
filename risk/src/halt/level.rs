//! The rungs of the ladder.

use serde::{Deserialize, Serialize};

/// How much is still allowed. Cancels are always allowed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum HaltLevel {
    /// Everything that passes the review.
    Active = 0,
    /// Only orders that reduce a position.
    Reducing = 1,
    /// No new orders.
    StopNew = 2,
    /// No new orders, and what is open is cancelled until the broker lists none.
    CancelAll = 3,
    /// The same, and then what strategies hold is closed; only the engine's own closing orders leave.
    Flatten = 4,
    /// No new orders, and the state must be established again before anything else.
    Halted = 5,
}

impl HaltLevel {
    /// Every level, mildest first.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::Reducing, Self::StopNew, Self::CancelAll, Self::Flatten, Self::Halted];

    /// Stable name in JSON, tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reducing => "reducing",
            Self::StopNew => "stop_new",
            Self::CancelAll => "cancel_all",
            Self::Flatten => "flatten",
            Self::Halted => "halted",
        }
    }

    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Whether what is open is cancelled at it.
    pub const fn cancels(self) -> bool {
        matches!(self, Self::CancelAll | Self::Flatten)
    }

    /// Whether leaving it is a decision that two people may have to make.
    pub const fn is_severe(self) -> bool {
        matches!(self, Self::CancelAll | Self::Flatten | Self::Halted)
    }
}

/// The levels that were thrown in one scope, as bits: the strictest is what holds. The milder ones stay,
/// so that cancelling goes on when a halt comes on top of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Thrown(pub(super) u8);

/// Bits that cancel what is open.
const CANCELS: u8 = 1 << HaltLevel::CancelAll as u8 | 1 << HaltLevel::Flatten as u8;

impl Thrown {
    pub(super) const fn just(level: HaltLevel) -> Self {
        match level {
            HaltLevel::Active => Self(0),
            level => Self(1 << level as u8),
        }
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// A bit that no level has (memory gone bad) reads as halted.
    pub(super) const fn level(self) -> HaltLevel {
        match self.0.checked_ilog2() {
            None => HaltLevel::Active,
            Some(1) => HaltLevel::Reducing,
            Some(2) => HaltLevel::StopNew,
            Some(3) => HaltLevel::CancelAll,
            Some(4) => HaltLevel::Flatten,
            Some(_) => HaltLevel::Halted,
        }
    }

    pub(super) const fn cancels(self) -> bool {
        self.0 & CANCELS != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for level in HaltLevel::ALL {
            assert_eq!(HaltLevel::from_name(level.name()), Some(level));
        }
        assert_eq!(HaltLevel::from_name("paused"), None);
    }

    #[test]
    fn the_strictest_of_what_was_thrown_holds_and_cancelling_goes_on_under_a_halt() {
        for a in HaltLevel::ALL {
            for b in HaltLevel::ALL {
                let both = Thrown::just(a).and(Thrown::just(b));
                assert_eq!(both.level(), a.max(b));
                let cancels = |level| matches!(level, HaltLevel::CancelAll | HaltLevel::Flatten);
                assert_eq!(both.cancels(), cancels(a) || cancels(b));
            }
        }
        assert_eq!(Thrown(0).level(), HaltLevel::Active);
        for bad in [1, 64, 65, 128, 255] {
            assert_eq!(Thrown(bad).level(), HaltLevel::Halted, "{bad}");
        }
    }
}
