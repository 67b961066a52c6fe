//! The halt switch: one shared atomic that the last gate before the socket reads for each order.
//!
//! Not a mailbox message, so no queue can delay it. It starts halted: a state that nobody has
//! established counts as the worst one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

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
    /// No new orders, and the state must be established again before anything else.
    Halted = 3,
}

impl HaltLevel {
    /// Every level, mildest first.
    pub const ALL: [Self; 4] = [Self::Active, Self::Reducing, Self::StopNew, Self::Halted];

    /// Stable name in JSON, tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reducing => "reducing",
            Self::StopNew => "stop_new",
            Self::Halted => "halted",
        }
    }

    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// The shared switch. Clones are the same switch.
#[derive(Clone, Debug)]
pub struct HaltSwitch(Arc<AtomicU8>);

impl Default for HaltSwitch {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(HaltLevel::Halted as u8)))
    }
}

impl HaltSwitch {
    /// A switch that stands at `level`.
    pub fn at(level: HaltLevel) -> Self {
        Self(Arc::new(AtomicU8::new(level as u8)))
    }

    /// Where it stands. A value that no level has (memory gone bad) reads as halted.
    #[inline]
    pub fn level(&self) -> HaltLevel {
        match self.0.load(Ordering::Acquire) {
            0 => HaltLevel::Active,
            1 => HaltLevel::Reducing,
            2 => HaltLevel::StopNew,
            _ => HaltLevel::Halted,
        }
    }

    /// Moves it up to at least `level`; `true` if that changed anything. Never moves it down.
    pub fn raise(&self, level: HaltLevel) -> bool {
        self.0.fetch_max(level as u8, Ordering::AcqRel) < level as u8
    }

    /// Sets it, down included. Only for recovery and for a named person's resume.
    pub fn set(&self, level: HaltLevel) {
        self.0.store(level as u8, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_halted_and_raising_never_lowers() {
        let switch = HaltSwitch::default();
        assert_eq!(switch.level(), HaltLevel::Halted);
        switch.set(HaltLevel::Active);
        let same = switch.clone();
        assert!(same.raise(HaltLevel::StopNew));
        assert!(!switch.raise(HaltLevel::Reducing));
        assert_eq!(switch.level(), HaltLevel::StopNew);
        switch.0.store(77, Ordering::Release);
        assert_eq!(switch.level(), HaltLevel::Halted);
    }

    #[test]
    fn names_read_back() {
        for level in HaltLevel::ALL {
            assert_eq!(HaltLevel::from_name(level.name()), Some(level));
        }
    }
}
