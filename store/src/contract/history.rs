//! What a [`History`] owes: here for daily records and imports as such.
//!
//! - `bars`: for bars
//! - `events`: for ISINs over time, sources that disagree, corporate actions, members, marks
//! - `retention`: for the time that it keeps

pub(crate) mod bars;
mod events;
mod retention;

use market::decimal::SCALE;
use market::history::{CASH_MARKET, FRACTIONAL_MARKET, FixedText};
use market::{DailyRecord, Date, IndexClose, InstrumentKind, Isin, Money, Price, Quantity, Symbol, Timestamp};

use super::{Contract, Make, refused};
use crate::digest::Digest;
use crate::error::StoreError;
use crate::history::{COTAHIST, Coverage, Filter, History, ImportCounts, ImportSource};

/// Every contract of a history.
pub const ALL: &[Contract<dyn History>] = &[
    ("an empty history answers", an_empty_history_answers),
    ("every field comes back as it went in", every_field_survives),
    ("importing a file again changes nothing", importing_again_changes_nothing),
    ("a corrected file replaces what it corrects", a_correction_replaces),
    ("a second line with the same key is refused, the first stays", a_repeated_line_is_refused),
    ("what cannot be stored exactly is refused", the_inexact_is_refused),
    ("an import that is dropped leaves no trace", a_dropped_import_leaves_nothing),
    ("daily bars are of the cash or fractional market, in order", daily_bars_are_in_order),
    ("coverage counts sessions over all imports", coverage_counts_sessions),
    ("facts are those of the latest session", facts_are_the_latest),
    ("index closes are kept by index", index_closes_are_kept),
    ("sessions are the dates with records", sessions_are_dates_with_records),
    ("imports are remembered", imports_are_remembered),
    ("every field of a bar comes back as it went in", bars::every_field_survives),
    ("bars are corrected, and each is counted", bars::bars_are_corrected_and_counted),
    ("a bar that comes twice or is not exact is refused", bars::a_repeated_or_inexact_bar_is_refused),
    ("bars of a range are read in order", bars::a_range_is_read_in_order),
    ("coverage counts bars over all imports", bars::coverage_counts_bars),
    ("an import that is dropped leaves no bar", bars::a_dropped_import_leaves_no_bar),
    ("the ISINs of a ticker are remembered", events::isins_are_remembered),
    ("the better source keeps the close of an index", events::the_better_source_keeps_the_close),
    ("corporate actions are kept", events::corporate_actions_are_kept),
    ("members of an index are those of the day", events::members_are_those_of_the_day),
    ("marks are replaced by what was verified", events::marks_are_replaced_by_what_was_verified),
    ("what is too old goes and nothing else", retention::what_is_too_old_goes_and_nothing_else),
    ("daily records go with all that is known of them", retention::daily_records_go_with_all_that_is_known_of_them),
    ("disk usage names every table", retention::disk_usage_names_every_table),
];

const FORWARD_MARKET: u16 = 30;
const CALL_MARKET: u16 = 70;

/// A day of December 2017.
pub fn december(day: u32) -> Date {
    Date::from_ymd_opt(2017, 12, day).unwrap_or(Date::MIN)
}

/// A symbol that is known to be one.
pub fn symbol(text: &str) -> Symbol {
    Symbol::from_bytes(text.as_bytes()).unwrap_or_else(|| panic!("{text} is not a symbol"))
}

/// A cash-market record of that day.
pub fn record(ticker: &str, date: Date) -> DailyRecord {
    let price = |cents: i64| Price::from_steps(cents * SCALE / 100);
    DailyRecord {
        date,
        symbol: symbol(ticker),
        market_type: CASH_MARKET,
        term_days: 0,
        bdi_code: 2,
        kind: InstrumentKind::Share,
        isin: Isin::from_bytes(b"BRPETRACNPR6"),
        company: fixed(b"PETROBRAS"),
        specification: fixed(b"PN      N2"),
        open: price(1610),
        high: price(1633),
        low: price(1600),
        average: price(1617),
        close: price(1620),
        best_bid: price(1619),
        best_ask: price(1620),
        trades: 24_012,
        quantity: Quantity::new(45_962_100),
        turnover: Money::from_cents(74_321_715_731),
        strike: Price::ZERO,
        strike_correction: 0,
        expiry: None,
        quotation_factor: 1,
        strike_points: 0,
        distribution: 190,
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> FixedText<N> {
    FixedText::from_latin1(bytes).unwrap_or_else(|| panic!("too long for {N} characters"))
}

/// A file to import.
pub fn source(name: &str) -> ImportSource {
    ImportSource {
        name: name.to_owned(),
        kind: "cotahist".to_owned(),
        source: COTAHIST,
        size: 1_234_567,
        sha256: Some(Digest::of(&[name.as_bytes()])),
        at: Timestamp::from_nanos(1_514_500_000_000_000_000),
    }
}

/// Imports these records as one file.
///
/// # Errors
/// What the history says.
pub fn import(history: &mut dyn History, records: &[DailyRecord]) -> Result<ImportCounts, StoreError> {
    let mut import = history.begin_import(&source("COTAHIST_A2017.ZIP"))?;
    records.iter().try_for_each(|record| import.daily(record))?;
    import.commit()
}

/// Every stored record of a symbol.
///
/// # Errors
/// What the history says.
pub fn stored(history: &dyn History, symbol: Symbol) -> Result<Vec<DailyRecord>, StoreError> {
    let mut found = Vec::new();
    history.records(symbol, Date::MIN, Date::MAX, &mut |record| {
        found.push(record);
        Ok(())
    })?;
    Ok(found)
}

const fn counts(inserted: u64, unchanged: u64, updated: u64) -> ImportCounts {
    ImportCounts { inserted, unchanged, updated, outranked: 0 }
}

fn an_empty_history_answers(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    assert_eq!(history.coverage(&Filter::default())?, []);
    assert_eq!(history.instruments(&Filter::default())?, []);
    assert_eq!(history.daily(symbol("PETR4"), Date::MIN, Date::MAX)?, []);
    assert_eq!(stored(&*history, symbol("PETR4"))?, []);
    assert_eq!(history.index_closes("IBOV", Date::MIN, Date::MAX)?, []);
    assert_eq!(history.sessions(Date::MIN, Date::MAX)?, []);
    assert_eq!(history.imports()?, []);
    assert_eq!(import(&mut *history, &[])?, counts(0, 0, 0));
    Ok(())
}

fn every_field_survives(make: &Make<dyn History>) -> Result<(), StoreError> {
    let option = DailyRecord {
        market_type: CALL_MARKET,
        bdi_code: 78,
        kind: InstrumentKind::CallOption,
        isin: None,
        company: fixed(b"A\xc7\xc3O  \x85\xa0"),
        specification: fixed(b""),
        open: Price::from_steps(1),
        high: Price::MAX,
        low: Price::from_steps(-1),
        average: Price::from_steps(4_685_000),
        trades: u32::MAX,
        quantity: Quantity::new(999_999_999_999_999_999),
        turnover: Money::from_cents(999_999_999_999_999_999),
        strike: Price::from_steps(1_234_567_890_123),
        strike_correction: 9,
        expiry: Date::from_ymd_opt(9998, 12, 31),
        quotation_factor: 1_000_000,
        strike_points: 9_999_999_999_999,
        distribution: 999,
        ..record("PETRA170", december(28))
    };
    let forward = |term_days| DailyRecord {
        market_type: FORWARD_MARKET,
        term_days,
        kind: InstrumentKind::Forward,
        ..record("PETR4T", december(28))
    };
    let given = [record("PETR4", december(28)), option, forward(30), forward(999)];
    let mut history = make();
    assert_eq!(import(&mut *history, &given)?, counts(4, 0, 0));
    drop(history);
    let history = make();
    assert_eq!(stored(&*history, symbol("PETR4"))?, given[..1]);
    assert_eq!(stored(&*history, symbol("PETRA170"))?, given[1..2]);
    assert_eq!(stored(&*history, symbol("PETR4T"))?, given[2..]);
    Ok(())
}

fn importing_again_changes_nothing(make: &Make<dyn History>) -> Result<(), StoreError> {
    let given = [record("PETR4", december(27)), record("PETR4", december(28)), record("VALE3", december(28))];
    let mut history = make();
    import(&mut *history, &given)?;
    let coverage = history.coverage(&Filter::default())?;
    assert_eq!(import(&mut *history, &given)?, counts(0, 3, 0));
    assert_eq!(history.coverage(&Filter::default())?, coverage);
    assert_eq!(stored(&*history, symbol("PETR4"))?, given[..2]);
    Ok(())
}

fn a_correction_replaces(make: &Make<dyn History>) -> Result<(), StoreError> {
    let first = [record("PETR4", december(27)), record("PETR4", december(28))];
    let mut history = make();
    import(&mut *history, &first)?;
    let mut corrected = record("PETR4", december(28));
    corrected.turnover = Money::from_cents(1);
    corrected.isin = None;
    let added = record("PETR4", december(29));
    assert_eq!(import(&mut *history, &[first[0], corrected, added])?, counts(1, 1, 1));
    assert_eq!(stored(&*history, symbol("PETR4"))?, [first[0], corrected, added]);
    assert_eq!(import(&mut *history, &[corrected])?, counts(0, 1, 0));
    Ok(())
}

fn a_repeated_line_is_refused(make: &Make<dyn History>) -> Result<(), StoreError> {
    let first = record("PETR4", december(28));
    let second = DailyRecord { close: Price::ZERO, ..first };
    let earlier = record("PETR4", december(27));
    let mut history = make();
    // On a new row, on an unchanged one, and not only on the line just before.
    for known in [counts(2, 0, 0), counts(0, 2, 0)] {
        let mut import = history.begin_import(&source("COTAHIST_D28122017.TXT"))?;
        import.daily(&first)?;
        import.daily(&earlier)?;
        for repeated in [second, first, earlier] {
            let error = refused(import.daily(&repeated));
            assert!(matches!(error, StoreError::DuplicateKey { .. }), "{error}");
            assert!(error.to_string().contains(&format!("PETR4 on {}", repeated.date)), "{error}");
        }
        assert_eq!(import.commit()?, known);
    }
    assert_eq!(stored(&*history, symbol("PETR4"))?, [earlier, first]);
    Ok(())
}

fn the_inexact_is_refused(make: &Make<dyn History>) -> Result<(), StoreError> {
    let good = record("PETR4", december(28));
    let bad = [
        DailyRecord { turnover: Money::from_steps(1), ..good },
        DailyRecord { turnover: Money::from_steps(i128::MAX / 1_000_000 * 1_000_000), ..good },
        DailyRecord { strike_points: u64::MAX, ..good },
        DailyRecord { expiry: Some(Date::MAX), ..good },
        DailyRecord { date: Date::MIN, ..good },
    ];
    let mut history = make();
    let mut import = history.begin_import(&source("COTAHIST_D28122017.TXT"))?;
    for record in bad {
        let error = refused(import.daily(&record));
        assert!(matches!(error, StoreError::NotStorable { .. }), "{error}");
    }
    let error = refused(import.index_close("IBOV", &IndexClose { date: Date::MAX, close: Price::ZERO }));
    assert!(matches!(error, StoreError::NotStorable { .. }), "{error}");
    // A refused line leaves the import usable, and nothing behind.
    import.daily(&good)?;
    assert_eq!(import.commit()?, counts(1, 0, 0));
    assert_eq!(stored(&*history, symbol("PETR4"))?, [good]);
    Ok(())
}

fn a_dropped_import_leaves_nothing(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    import(&mut *history, &[record("PETR4", december(27))])?;
    let mut dropped = history.begin_import(&source("HALF.TXT"))?;
    dropped.daily(&DailyRecord { close: Price::ZERO, ..record("PETR4", december(27)) })?;
    dropped.daily(&record("PETR4", december(28)))?;
    dropped.daily(&record("VALE3", december(28)))?;
    dropped.index_close("IBOV", &IndexClose { date: december(28), close: Price::from_steps(SCALE) })?;
    drop(dropped);
    assert_eq!(stored(&*history, symbol("PETR4"))?, [record("PETR4", december(27))]);
    assert_eq!(stored(&*history, symbol("VALE3"))?, []);
    assert_eq!(history.coverage(&Filter::default())?.len(), 1);
    assert_eq!(history.sessions(Date::MIN, Date::MAX)?, [december(27)]);
    assert_eq!(history.index_closes("IBOV", Date::MIN, Date::MAX)?, []);
    assert_eq!(history.imports()?.len(), 1);
    // And the next import works.
    assert_eq!(import(&mut *history, &[record("VALE3", december(28))])?, counts(1, 0, 0));
    Ok(())
}

fn daily_bars_are_in_order(make: &Make<dyn History>) -> Result<(), StoreError> {
    let fractional = DailyRecord { market_type: FRACTIONAL_MARKET, ..record("PETR4F", december(28)) };
    let forward = DailyRecord { market_type: FORWARD_MARKET, term_days: 30, ..record("PETR4", december(28)) };
    let mut history = make();
    // Never rely on the order of a file.
    let days = [december(28), december(26), december(29), december(27)];
    import(&mut *history, &days.map(|day| record("PETR4", day)))?;
    import(&mut *history, &[fractional, forward, record("VALE3", december(28)), record("PETR4", december(22))])?;
    let dates = |ticker, from, to| -> Result<Vec<Date>, StoreError> {
        Ok(history.daily(symbol(ticker), from, to)?.into_iter().map(|bar| bar.date).collect())
    };
    assert_eq!(dates("PETR4", Date::MIN, Date::MAX)?, [22, 26, 27, 28, 29].map(december));
    assert_eq!(dates("PETR4", december(26), december(28))?, [26, 27, 28].map(december));
    assert_eq!(dates("PETR4", december(28), december(26))?, []);
    assert_eq!(dates("PETR4F", Date::MIN, Date::MAX)?, [december(28)]);
    assert_eq!(dates("PETR3", Date::MIN, Date::MAX)?, []);
    let bar = history.daily(symbol("PETR4"), december(28), december(28))?[0];
    let given = record("PETR4", december(28));
    assert_eq!((bar.open, bar.high, bar.low, bar.close), (given.open, given.high, given.low, given.close));
    assert_eq!((bar.average, bar.best_bid, bar.best_ask), (given.average, given.best_bid, given.best_ask));
    assert_eq!((bar.trades, bar.volume, bar.turnover), (given.trades, given.quantity, given.turnover));
    assert_eq!((bar.quotation_factor, bar.distribution), (given.quotation_factor, given.distribution));
    Ok(())
}

fn coverage_counts_sessions(make: &Make<dyn History>) -> Result<(), StoreError> {
    let fund = |day| DailyRecord { kind: InstrumentKind::RealEstateFund, ..record("HGLG11", december(day)) };
    let call =
        DailyRecord { market_type: CALL_MARKET, kind: InstrumentKind::CallOption, ..record("PETRA170", december(28)) };
    let mut history = make();
    import(&mut *history, &[record("PETR4", december(27)), record("PETR4", december(28)), fund(27), call])?;
    // Overlaps, reaches back, and brings a correction.
    let corrected = DailyRecord { close: Price::ZERO, ..record("PETR4", december(27)) };
    import(&mut *history, &[corrected, record("PETR4", december(28)), record("PETR4", december(4)), fund(29)])?;
    let hglg11 = covered(&fund(27), december(27), december(29), 2);
    let petr4 = covered(&corrected, december(4), december(28), 3);
    let option = covered(&call, december(28), december(28), 1);
    assert_eq!(history.coverage(&Filter::default())?, [hglg11, petr4, option]);
    assert_eq!(history.coverage(&Filter::market_type(CASH_MARKET))?, [hglg11, petr4]);
    let kinds = vec![InstrumentKind::RealEstateFund, InstrumentKind::CallOption];
    assert_eq!(history.coverage(&Filter { kinds, ..Filter::default() })?, [hglg11, option]);
    let symbols = vec![symbol("VALE3"), symbol("PETR4"), symbol("PETR4")];
    assert_eq!(history.coverage(&Filter { symbols, ..Filter::default() })?, [petr4]);
    Ok(())
}

fn covered(of: &DailyRecord, first: Date, last: Date, sessions: u64) -> Coverage {
    let DailyRecord { symbol, market_type, term_days, kind, .. } = *of;
    Coverage { symbol, market_type, term_days, kind, first, last, sessions }
}

fn facts_are_the_latest(make: &Make<dyn History>) -> Result<(), StoreError> {
    let old = DailyRecord { quotation_factor: 1_000, isin: None, ..record("PETR4", december(26)) };
    let new = DailyRecord { specification: fixed(b"PN  ED  N2"), ..record("PETR4", december(28)) };
    let forward = |term_days, day, company: &[u8]| DailyRecord {
        market_type: FORWARD_MARKET,
        kind: InstrumentKind::Forward,
        term_days,
        company: fixed(company),
        ..record("PETR4T", december(day))
    };
    let mut history = make();
    // The newest first: what counts is the session, not the order of imports.
    import(&mut *history, &[new, forward(30, 28, b"NEW"), forward(60, 27, b"OLD")])?;
    import(&mut *history, &[old])?;
    let facts = history.instruments(&Filter::default())?;
    let [share, termo] = facts[..] else { panic!("two instruments, not {facts:?}") };
    assert_eq!((share.symbol, share.market_type, share.as_of), (symbol("PETR4"), CASH_MARKET, december(28)));
    assert_eq!((share.kind, share.isin, share.quotation_factor), (new.kind, new.isin, new.quotation_factor));
    assert_eq!((share.company, share.specification), (new.company, new.specification));
    assert_eq!((termo.company.to_string(), termo.as_of), ("NEW".to_owned(), december(28)));
    let kinds = vec![InstrumentKind::Forward];
    assert_eq!(history.instruments(&Filter { kinds, ..Filter::default() })?, [termo]);
    Ok(())
}

fn index_closes_are_kept(make: &Make<dyn History>) -> Result<(), StoreError> {
    let close = |day, points: i64| IndexClose { date: december(day), close: Price::from_steps(points * SCALE) };
    let mut history = make();
    let mut first = history.begin_import(&source("IBOV.csv"))?;
    for close in [close(28, 76_402), close(27, 76_073), close(26, 75_708)] {
        first.index_close("IBOV", &close)?;
    }
    first.index_close("SMLL", &close(28, 1_900))?;
    let error = refused(first.index_close("IBOV", &close(27, 1)));
    assert!(error.to_string().contains("IBOV on 2017-12-27 comes twice"), "{error}");
    assert_eq!(first.commit()?, counts(4, 0, 0));
    let mut second = history.begin_import(&source("IBOV.csv"))?;
    second.index_close("IBOV", &close(28, 76_402))?;
    second.index_close("IBOV", &close(27, 76_072))?;
    assert_eq!(second.commit()?, counts(0, 1, 1));
    let ibov = history.index_closes("IBOV", december(27), Date::MAX)?;
    assert_eq!(ibov, [close(27, 76_072), close(28, 76_402)]);
    assert_eq!(history.index_closes("SMLL", Date::MIN, Date::MAX)?, [close(28, 1_900)]);
    assert_eq!(history.sessions(Date::MIN, Date::MAX)?, []);
    Ok(())
}

fn sessions_are_dates_with_records(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    import(&mut *history, &[record("VALE3", december(28)), record("PETR4", december(28))])?;
    import(&mut *history, &[record("PETR4", december(26)), record("PETR4", december(28))])?;
    assert_eq!(history.sessions(Date::MIN, Date::MAX)?, [26, 28].map(december));
    assert_eq!(history.sessions(december(27), december(28))?, [december(28)]);
    Ok(())
}

fn imports_are_remembered(make: &Make<dyn History>) -> Result<(), StoreError> {
    let sources = [source("A.TXT"), ImportSource { sha256: None, ..source("A.TXT") }];
    let mut history = make();
    for source in &sources {
        let mut import = history.begin_import(source)?;
        import.daily(&record("PETR4", december(28)))?;
        import.commit()?;
    }
    drop(history);
    let imports = make().imports()?;
    assert_eq!(imports.iter().map(|import| import.source.clone()).collect::<Vec<_>>(), sources);
    assert_eq!(imports.iter().map(|import| import.counts).collect::<Vec<_>>(), [counts(1, 0, 0), counts(0, 1, 0)]);
    Ok(())
}
