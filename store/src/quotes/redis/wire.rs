//! A quote as the fields of a hash and as one JSON object. The same texts in both: exact decimals, times in
//! RFC 3339, whole numbers of units. Readers of other languages depend on it: docs/redis.md.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use market::{Quantity, Symbol};
use serde_json::json;

use crate::quotes::{HotQuote, delay_class};

/// The fields of the hash, in the order in which they are documented.
pub(super) fn fields(quote: &HotQuote) -> [(&'static str, String); 9] {
    [
        ("at", quote.at.to_string()),
        ("last", quote.last.to_string()),
        ("bid", quote.bid.to_string()),
        ("ask", quote.ask.to_string()),
        ("bid_size", quote.bid_size.units().to_string()),
        ("ask_size", quote.ask_size.units().to_string()),
        ("source", quote.source.to_string()),
        ("delay", quote.delay.name().to_owned()),
        ("sequence", quote.sequence.to_string()),
    ]
}

/// What the channel is told.
pub(super) fn message(quote: &HotQuote) -> String {
    json!({
        "symbol": quote.symbol.to_string(),
        "at": quote.at,
        "last": quote.last,
        "bid": quote.bid,
        "ask": quote.ask,
        "bid_size": quote.bid_size.units(),
        "ask_size": quote.ask_size.units(),
        "source": quote.source,
        "delay": quote.delay,
        "sequence": quote.sequence,
    })
    .to_string()
}

/// The quote in a hash; none in an empty one. Fields of other programs are passed over.
pub(super) fn quote(symbol: Symbol, found: &BTreeMap<String, String>) -> Result<Option<HotQuote>, String> {
    if found.is_empty() {
        return Ok(None);
    }
    Ok(Some(HotQuote {
        symbol,
        at: field(found, "at")?,
        last: field(found, "last")?,
        bid: field(found, "bid")?,
        ask: field(found, "ask")?,
        bid_size: Quantity::new(field(found, "bid_size")?),
        ask_size: Quantity::new(field(found, "ask_size")?),
        source: field(found, "source")?,
        delay: {
            let name: String = field(found, "delay")?;
            delay_class(&name).ok_or_else(|| format!("field delay: '{name}' is no class of delay"))?
        },
        sequence: field(found, "sequence")?,
    }))
}

fn field<T: FromStr<Err: Display>>(found: &BTreeMap<String, String>, name: &str) -> Result<T, String> {
    let text = found.get(name).ok_or_else(|| format!("field {name} is missing"))?;
    text.parse().map_err(|error| format!("field {name}: '{text}': {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::history::{DelayClass, SourceName};
    use market::{Price, Timestamp};
    use proptest::prelude::*;

    fn of(at: i64, price: i64, size: i64, delay: DelayClass, sequence: u64) -> HotQuote {
        HotQuote {
            symbol: "PETR4".parse().expect("a symbol"),
            at: Timestamp::from_nanos(at),
            last: Price::from_steps(price),
            bid: Price::from_steps(price.wrapping_sub(1)),
            ask: Price::from_steps(price.wrapping_add(1)),
            bid_size: Quantity::new(size),
            ask_size: Quantity::new(size.wrapping_neg()),
            source: SourceName::of("quotes_file"),
            delay,
            sequence,
        }
    }

    fn hash(quote: &HotQuote) -> BTreeMap<String, String> {
        fields(quote).map(|(name, text)| (name.to_owned(), text)).into()
    }

    #[test]
    fn the_documented_form() {
        let quote = of(1_514_471_401_000_000_000, 3_810_000_000, 100, DelayClass::Delayed, 7);
        assert_eq!(
            message(&quote),
            "{\"ask\":\"38.10000001\",\"ask_size\":-100,\"at\":\"2017-12-28T14:30:01Z\",\"bid\":\"38.09999999\",\
             \"bid_size\":100,\"delay\":\"delayed\",\"last\":\"38.10\",\"sequence\":7,\"source\":\"quotes_file\",\
             \"symbol\":\"PETR4\"}"
        );
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            at: i64, price: i64, size in -i64::MAX..=i64::MAX, class in 0..4_usize, sequence: u64,
        ) {
            let name = ["realtime", "delayed", "end_of_day", "synthetic"][class];
            let quote = of(at, price, size, delay_class(name).expect("a class"), sequence);
            prop_assert_eq!(super::quote(quote.symbol, &hash(&quote)), Ok(Some(quote)));
        }

        #[test]
        fn whatever_somebody_put_there_is_a_quote_or_a_named_problem(
            place in 0..9_usize, text in "\\PC{0,12}",
        ) {
            let good = of(1, 2, 3, DelayClass::Realtime, 4);
            let name = fields(&good)[place].0;
            let mut found = hash(&good);
            found.insert(name.to_owned(), text);
            if let Err(problem) = super::quote(good.symbol, &found) {
                prop_assert!(problem.starts_with(&format!("field {name}: ")), "{}", problem);
            }
            found.remove(name);
            let problem = super::quote(good.symbol, &found);
            prop_assert_eq!(problem, Err(format!("field {name} is missing")));
        }
    }
}
