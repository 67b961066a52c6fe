//! What a [`HotQuotes`] owes. Of the symbols, an implementation must take `PETR4` and `VALE3`.

use std::time::{Duration, Instant};

use market::history::{DelayClass, SourceName};
use market::{Price, Quantity, Symbol, Timestamp};

use super::{Contract, Make};
use crate::error::StoreError;
use crate::quotes::{Fresh, HotQuote, HotQuotes, Kept};

/// Every contract of hot quotes.
pub const ALL: &[Contract<dyn HotQuotes>] = &[
    ("a symbol that was never published has none", none_yet),
    ("the latest wins, whole, each symbol for itself", the_latest_wins),
    ("a store says whether it still has what it was told", what_is_kept),
    ("a quote whose time is over is not taken", too_late),
    ("a quote vanishes when its time is over", vanishes),
];

/// Longer than any contract takes.
const LONG: Duration = Duration::from_secs(600);
/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(100);

/// A quote that is all of `number`.
///
/// # Panics
/// If the symbol is none.
pub fn quote(symbol: &str, number: i64) -> HotQuote {
    HotQuote {
        symbol: symbol.parse().expect("a symbol"),
        at: Timestamp::from_nanos(number),
        last: Price::from_steps(number * 10),
        bid: Price::from_steps(number * 10 - 1),
        ask: Price::from_steps(number * 10 + 1),
        bid_size: Quantity::new(number * 100),
        ask_size: Quantity::new(number * 200),
        source: SourceName::of("quotes_file"),
        delay: if number % 2 == 0 { DelayClass::Delayed } else { DelayClass::Realtime },
        sequence: number.unsigned_abs(),
    }
}

fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

fn none_yet(make: &Make<dyn HotQuotes>) -> Result<(), StoreError> {
    let quotes = make();
    assert_eq!(quotes.newest(symbol("PETR4"), Instant::now())?, None);
    assert_eq!(quotes.newest(symbol("OIBR3"), Instant::now())?, None);
    Ok(())
}

fn the_latest_wins(make: &Make<dyn HotQuotes>) -> Result<(), StoreError> {
    let (quotes, now) = (make(), Instant::now());
    let until = now + LONG;
    let fresh = |symbol, number| Fresh { quote: quote(symbol, number), until };
    quotes.publish(&[fresh("PETR4", 1), fresh("VALE3", 2)], now)?;
    assert_eq!(quotes.newest(symbol("PETR4"), now)?, Some(quote("PETR4", 1)));
    // Also within one batch, and whatever their times: the latest that was published.
    quotes.publish(&[fresh("PETR4", 9), fresh("PETR4", 4)], now)?;
    assert_eq!(quotes.newest(symbol("PETR4"), now)?, Some(quote("PETR4", 4)));
    assert_eq!(quotes.newest(symbol("VALE3"), now)?, Some(quote("VALE3", 2)));
    Ok(())
}

fn what_is_kept(make: &Make<dyn HotQuotes>) -> Result<(), StoreError> {
    let (quotes, now) = (make(), Instant::now());
    let one = [Fresh { quote: quote("PETR4", 1), until: now + LONG }];
    assert_eq!(quotes.publish(&one, now)?, Kept::Nothing);
    assert_eq!(quotes.publish(&one, now)?, Kept::AsBefore);
    assert_eq!(quotes.publish(&[], now)?, Kept::AsBefore);
    assert_eq!(quotes.newest(symbol("PETR4"), now)?, Some(quote("PETR4", 1)));
    Ok(())
}

fn too_late(make: &Make<dyn HotQuotes>) -> Result<(), StoreError> {
    let (quotes, now) = (make(), Instant::now());
    let old = Fresh { quote: quote("PETR4", 1), until: now };
    let young = Fresh { quote: quote("VALE3", 2), until: now + LONG };
    quotes.publish(&[old, young], now)?;
    assert_eq!(quotes.newest(symbol("PETR4"), now)?, None);
    assert_eq!(quotes.newest(symbol("VALE3"), now)?, Some(quote("VALE3", 2)));
    Ok(())
}

fn vanishes(make: &Make<dyn HotQuotes>) -> Result<(), StoreError> {
    let (quotes, now) = (make(), Instant::now());
    let until = now + SHORT;
    quotes.publish(&[Fresh { quote: quote("PETR4", 1), until }], now)?;
    quotes.publish(&[Fresh { quote: quote("VALE3", 1), until: now + LONG }], now)?;
    while let Some(found) = quotes.newest(symbol("PETR4"), Instant::now())? {
        assert_eq!(found, quote("PETR4", 1));
        assert!(Instant::now() < until + LONG, "it lies for ever");
        std::thread::yield_now();
    }
    assert_eq!(quotes.newest(symbol("VALE3"), Instant::now())?, Some(quote("VALE3", 1)));
    Ok(())
}
