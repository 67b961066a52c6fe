//! Any bytes as a file of quotes: no panic, and only sound quotes in the order of time.

#![no_main]

use std::path::Path;

use feeds::csv::quotes_from;
use libfuzzer_sys::fuzz_target;
use market::{InstrumentId, Quote};

fuzz_target!(|bytes: &[u8]| {
    match quotes_from(bytes, Path::new("quotes.csv"), InstrumentId::new(0)) {
        Ok(quotes) => {
            assert!(quotes.iter().all(Quote::is_sound));
            assert!(quotes.is_sorted_by_key(|quote| quote.at));
        }
        Err(error) => assert!(error.to_string().starts_with("quotes.csv: ")),
    }
});
