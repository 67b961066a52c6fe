//! Any bytes as a file of the kind `profit`.

#![no_main]

mod files;

use feeds::files::Kind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| files::read(Kind::Profit, bytes));
