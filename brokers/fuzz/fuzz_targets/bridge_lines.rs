//! Any bytes as what a venue sends: no panic; lines are those between the line ends; nothing that is
//! told of a line is longer than its bound, and a statement that is believed names everything once.

#![no_main]

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use brokers::bridge::translation::{Heard, Translation};
use brokers::bridge::wire::Lines;
use libfuzzer_sys::fuzz_target;
use market::{Instrument, InstrumentKind, Universe};

const LONGEST: usize = 4096;
const LONGEST_TEXT: usize = 201;

static TRANSLATION: LazyLock<Translation> = LazyLock::new(|| {
    let mut universe = Universe::new();
    for symbol in ["PETR4", "VALE3"] {
        universe.add(Instrument::cash(symbol.parse().expect("a symbol"), InstrumentKind::Share));
    }
    Translation::new("PAPR", Arc::new(universe))
});

fuzz_target!(|bytes: &[u8]| {
    let mut lines = Lines::new(LONGEST);
    let mut expected = bytes.split(|byte| *byte == b'\n');
    for chunk in bytes.chunks(7) {
        lines.add(chunk);
        loop {
            match lines.take() {
                Ok(Some(line)) => {
                    assert_eq!(Some(line), expected.next());
                    understood(line);
                }
                Ok(None) => break,
                Err(_) => {
                    assert!(expected.next().is_some_and(|line| line.len() > LONGEST));
                    return;
                }
            }
        }
    }
});

fn understood(line: &[u8]) {
    match TRANSLATION.hear(line) {
        Heard::Unreadable { text, problem } => {
            assert!(text.chars().count() <= LONGEST_TEXT && problem.chars().count() <= LONGEST_TEXT);
        }
        Heard::Statement { statement, .. } => {
            assert!(statement.since <= statement.at);
            let names: HashSet<_> = statement.executions.iter().map(|execution| &execution.execution_id).collect();
            assert_eq!(names.len(), statement.executions.len());
            assert!(statement.revoked.iter().all(|revoked| !names.contains(revoked)));
            assert!(statement.executions.iter().all(|execution| execution.quantity.is_positive()));
        }
        _ => {}
    }
}
