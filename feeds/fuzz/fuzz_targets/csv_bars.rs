//! Any bytes as a file of bars: no panic, and only sound bars in the order of time.

#![no_main]

use std::path::Path;

use feeds::csv::bars_from;
use libfuzzer_sys::fuzz_target;
use market::{Bar, InstrumentId};

fuzz_target!(|bytes: &[u8]| {
    match bars_from(bytes, Path::new("bars.csv"), InstrumentId::new(0)) {
        Ok(bars) => {
            assert!(bars.iter().all(Bar::is_sound));
            assert!(bars.is_sorted_by(|a, b| a.end < b.end));
        }
        Err(error) => assert!(error.to_string().starts_with("bars.csv: ")),
    }
});
