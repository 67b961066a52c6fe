//! Any bytes as a file of the kind `parquet`. The library panics on some, and our reader takes that for
//! a damaged file: so only a panic that gets past it is a crash here.

#![no_main]

mod files;

use feeds::files::Kind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    // In place of the fuzzer's own, which ends the program at every panic, caught or not.
    init: std::panic::set_hook(Box::new(|_| ())),
    |bytes: &[u8]| files::read(Kind::Parquet, bytes)
);
