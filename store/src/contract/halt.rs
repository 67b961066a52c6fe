//! What a [`HaltStore`] owes.

use market::Timestamp;

use super::{Contract, Make};
use crate::error::StoreError;
use crate::halt::{HaltRecord, HaltStore};

/// Every contract of a halt store.
pub const ALL: &[Contract<dyn HaltStore>] =
    &[("no decision yet is no error", no_decision_yet), ("the last decision counts and survives", the_last_decision)];

/// A decision.
pub fn decision(level: &str, nanos: i64) -> HaltRecord {
    HaltRecord {
        level: level.to_owned(),
        reason: "drawdown of 3 % — \"too much\"".to_owned(),
        by: "maria".to_owned(),
        at: Timestamp::from_nanos(nanos),
    }
}

fn no_decision_yet(make: &Make<dyn HaltStore>) -> Result<(), StoreError> {
    assert_eq!(make().load_halt()?, None);
    Ok(())
}

fn the_last_decision(make: &Make<dyn HaltStore>) -> Result<(), StoreError> {
    let mut halt = make();
    // The order of saving counts, not the time: a clock may have been set back.
    for record in [decision("stop_new", 30), decision("flatten", 20), decision("active", 10)] {
        halt.save_halt(&record)?;
        assert_eq!(halt.load_halt()?, Some(record));
    }
    drop(halt);
    assert_eq!(make().load_halt()?, Some(decision("active", 10)));
    Ok(())
}
