//! What a [`HaltStore`] owes.

use market::Timestamp;

use super::{Contract, Make};
use crate::error::StoreError;
use crate::halt::{HaltRecord, HaltStore};

/// Every contract of a halt store.
pub const ALL: &[Contract<dyn HaltStore>] = &[
    ("no decision yet is no error", no_decision_yet),
    ("the last decision counts and survives", the_last_decision),
    ("the last decision of each scope", of_each_scope),
    ("everything begins anew", anew),
];

/// A decision on everything.
pub fn decision(level: &str, nanos: i64) -> HaltRecord {
    of(crate::halt::EVERYTHING, level, nanos)
}

/// A decision on a scope.
pub fn of(scope: &str, level: &str, nanos: i64) -> HaltRecord {
    HaltRecord {
        scope: scope.to_owned(),
        level: level.to_owned(),
        reason: "drawdown of 3 % — \"too much\"".to_owned(),
        by: "maria".to_owned(),
        at: Timestamp::from_nanos(nanos),
    }
}

fn no_decision_yet(make: &Make<dyn HaltStore>) -> Result<(), StoreError> {
    assert_eq!(make().load_halts()?, []);
    Ok(())
}

fn the_last_decision(make: &Make<dyn HaltStore>) -> Result<(), StoreError> {
    let mut halt = make();
    // The order of saving counts, not the time: a clock may have been set back.
    for record in [decision("stop_new", 30), decision("flatten", 20), decision("active", 10)] {
        halt.save_halt(&record)?;
        assert_eq!(halt.load_halts()?, [record]);
    }
    drop(halt);
    assert_eq!(make().load_halts()?, [decision("active", 10)]);
    Ok(())
}

fn anew(make: &Make<dyn HaltStore>) -> Result<(), StoreError> {
    let mut halt = make();
    halt.save_halt(&of("planet:B3", "closed", 1))?;
    halt.save_halt(&of("symbol:PETR4", "halted", 2))?;
    let anew = of(crate::halt::ANEW, "active", 3);
    halt.save_halt(&anew)?;
    assert_eq!(halt.load_halts()?, std::slice::from_ref(&anew));
    halt.save_halt(&decision("stop_new", 4))?;
    drop(halt);
    assert_eq!(make().load_halts()?, [anew, decision("stop_new", 4)]);
    Ok(())
}

fn of_each_scope(make: &Make<dyn HaltStore>) -> Result<(), StoreError> {
    let mut halt = make();
    let decided = [
        of("symbol:PETR4", "flatten", 1),
        of("strategy:a name, with ç", "stop_new", 2),
        decision("stop_new", 3),
        of("symbol:PETR4", "active", 4),
        decision("halted", 2),
    ];
    for record in &decided {
        halt.save_halt(record)?;
    }
    drop(halt);
    assert_eq!(make().load_halts()?, [&decided[1], &decided[3], &decided[4]].map(Clone::clone));
    Ok(())
}
