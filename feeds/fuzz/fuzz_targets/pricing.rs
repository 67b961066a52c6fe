//! Any bytes as a pushed price: no panic, and only prices above zero with a name.

#![no_main]

use feeds::yahoo_stream::read_pricing;
use libfuzzer_sys::fuzz_target;
use market::Price;

fuzz_target!(|bytes: &[u8]| {
    match read_pricing(bytes) {
        Ok(told) => {
            assert!(told.price > Price::ZERO);
            assert!([told.bid, told.ask].iter().flatten().all(|price| *price > Price::ZERO));
        }
        Err(error) => assert!(error.at <= bytes.len()),
    }
});
