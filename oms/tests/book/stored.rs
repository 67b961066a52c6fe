//! A book as a stored value: that it comes back the same is checked between the steps of the
//! machine; here, what is written and what is refused.

use market::{InstrumentId, StrategyId, Symbol};
use oms::{Book, BookSettings, BookState};

use crate::scenario::{SYMBOLS, Stage, money};

fn stored() -> BookState {
    let mut stage = Stage::played(
        "
        session   2025-06-12
        order     1 buy 300 VALE3 limit 10.00
        report    1 fill 100 @ 10.00 as X1
        report    1 bust X2 as B1
        ",
    );
    let symbol = |of: InstrumentId| SYMBOLS[of.index()].parse::<Symbol>().expect("a symbol");
    stage.book().state(symbol, |_| "momentum".to_owned())
}

fn read(state: BookState, symbols: &[&str], strategy: &str) -> Result<Book, String> {
    let settings = BookSettings {
        cash: money("1"),
        calendar: market::Calendar::b3(),
        fees: market::FeeSchedule::b3(),
        brokerage: market::fees::Brokerage::FREE,
        instruments: symbols.len(),
    };
    let place = |symbol: &Symbol| symbols.iter().position(|known| *known == symbol.as_str());
    let instrument = |symbol: &Symbol| place(symbol).map(|place| InstrumentId::new(place as u32));
    Book::from_state(settings, state, instrument, |name| (name == strategy).then_some(StrategyId(4)))
}

#[test]
fn only_what_something_hangs_on_is_named() {
    let state = stored();
    assert_eq!(state.instruments.len(), 1);
    let book = read(state, &["VALE3"], "momentum").unwrap();
    assert_eq!(book.position(InstrumentId::new(0)).quantity.units(), 100);
    assert_eq!(book.holding(StrategyId(4), InstrumentId::new(0)).working.units(), 200);
    assert_eq!(book.cash().total(), money("8999.70"), "what it began with is in the state");
    book.verify().unwrap();
}

#[test]
fn what_is_not_known_any_more_is_named() {
    let told = read(stored(), &["PETR4"], "momentum").unwrap_err();
    assert!(told.contains("VALE3, which is not configured"), "{told}");
    let told = read(stored(), &["VALE3"], "mean_reversion").unwrap_err();
    assert!(told.contains("strategy 'momentum', which is not known"), "{told}");
}

#[test]
fn a_state_that_contradicts_itself_is_refused() {
    let text = serde_json::to_string(&stored()).unwrap();
    for (from, to, expected) in [
        ("\"cumulative\":100", "\"cumulative\":200", "what TEST-20250612-000001 has traded"),
        ("\"fees\":\"0.30\",\"reserved\"", "\"fees\":\"0.31\",\"reserved\"", "cash"),
        ("\"reference\":\"X2\"", "\"reference\":\"X1\"", "has traded"),
        ("\"external\":0", "\"external\":7", "what others hold"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let state: BookState = serde_json::from_str(&text.replacen(from, to, 1)).unwrap();
        let told = read(state, &["VALE3"], "momentum").unwrap_err();
        assert!(told.contains(expected), "{to}: {told}");
    }
}
