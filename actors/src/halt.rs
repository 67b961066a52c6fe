//! Halting from inside: throws the switch, then makes it durable.
//!
//! The switch comes first: nothing that fails afterwards can keep it open. The record is written by
//! whoever throws it rather than sent as a message, so that no mailbox stands in between.

use std::sync::{Arc, Mutex, PoisonError};

use risk::{HaltLevel, HaltScope, HaltSwitch};
use store::{HaltRecord, HaltStore, StoreError};

use crate::clock::Clock;
use crate::notifier::{Alert, Alerts};

/// A store's halt record that outlives every actor's restarts.
pub type SharedHalt = Arc<Mutex<dyn HaltStore>>;

/// The switch with its durable record.
#[derive(Clone)]
pub struct Halter {
    /// The switch that the gate reads.
    pub switch: HaltSwitch,
    /// Where the record is kept.
    pub store: SharedHalt,
    /// Time.
    pub clock: Clock,
    /// Who is told.
    pub alerts: Alerts,
}

impl Halter {
    /// Raises a scope to at least `level`; `true` if that changed anything.
    pub fn raise(&self, scope: &HaltScope, level: HaltLevel, by: &str, reason: &str) -> bool {
        if !self.switch.raise(scope, level) {
            return false;
        }
        // Whoever raised it has no use for the error, which is logged.
        let _ = self.keep(scope, level, by, reason);
        true
    }

    /// Makes durable that a scope stands at `level` on somebody's word.
    ///
    /// # Errors
    /// It is in force, but not stored.
    pub fn keep(&self, scope: &HaltScope, level: HaltLevel, by: &str, reason: &str) -> Result<(), StoreError> {
        tracing::error!(%scope, level = level.name(), by, reason, "halted");
        self.alerts.raise(Alert::halted(scope, level, by, reason, self.clock.now()));
        let record = HaltRecord {
            level: level.name().to_owned(),
            reason: reason.to_owned(),
            by: by.to_owned(),
            at: self.clock.now(),
        };
        store::crash::point("before_halt_stored");
        let stored = self.store.lock().unwrap_or_else(PoisonError::into_inner).save_halt(&record);
        store::crash::point("after_halt_stored");
        if let Err(error) = &stored {
            tracing::error!(%error, "the halt is in force but could not be stored");
        }
        stored
    }
}
