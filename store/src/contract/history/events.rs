//! What a history owes for ISINs over time, sources that disagree, corporate actions, members of
//! indices, and marks of quality.

use market::decimal::SCALE;
use market::history::{
    CASH_MARKET, CorporateAction, CorporateActionKind, FRACTIONAL_MARKET, IndexMember, Interval, QualityMark,
    QualityRule, SourceName,
};
use market::{DailyRecord, Date, IndexClose, Isin, Price, Symbol, Timestamp};
use rust_decimal::Decimal;

use super::super::{Make, refused};
use super::bars::{YAHOO, day_bar, import_bars};
use super::{FORWARD_MARKET, counts, december, import, record, source, symbol};
use crate::error::StoreError;
use crate::history::{
    ActionFilter, BarFilter, BarSeries, COTAHIST, History, Identity, ImportSource, IsinSpan, MarkFilter, Marked,
    QualityRun, midnight,
};

fn isin(text: &str) -> Option<Isin> {
    Isin::from_bytes(text.as_bytes())
}

fn span(ticker: &str, text: &str, first: u32, last: u32) -> IsinSpan {
    let isin = isin(text).unwrap_or_else(|| panic!("{text} is no ISIN"));
    let (first, last) = (december(first), december(last));
    IsinSpan { symbol: symbol(ticker), isin, market_type: CASH_MARKET, first, last }
}

pub(super) fn isins_are_remembered(make: &Make<dyn History>) -> Result<(), StoreError> {
    let with = |ticker, day, text| DailyRecord { isin: isin(text), ..record(ticker, december(day)) };
    let mut history = make();
    // A rename: KROT3 until the 20th, COGN3 from the 21st, one ISIN.
    let renamed = [18, 19, 20].map(|day| with("KROT3", day, "BRKROTACNOR9"));
    import(&mut *history, &renamed)?;
    import(&mut *history, &[with("COGN3", 22, "BRKROTACNOR9"), with("COGN3", 21, "BRKROTACNOR9")])?;
    // A new ISIN under the old ticker.
    import(&mut *history, &[with("COGN3", 26, "BRCOGNACNOR2"), with("COGN3", 27, "BRCOGNACNOR2")])?;
    let of_isin = |history: &dyn History, text: &str| {
        history.isin_history(Identity::Isin(isin(text).unwrap_or_else(|| panic!("{text} is no ISIN"))))
    };
    let cogn3 = [span("COGN3", "BRKROTACNOR9", 21, 22), span("COGN3", "BRCOGNACNOR2", 26, 27)];
    assert_eq!(of_isin(&*history, "BRKROTACNOR9")?, [span("KROT3", "BRKROTACNOR9", 18, 20), cogn3[0]]);
    assert_eq!(history.isin_history(Identity::Symbol(symbol("COGN3")))?, cogn3);
    // What was corrected away is not remembered, and no ISIN is no span.
    import(&mut *history, &[with("COGN3", 22, "BRCOGNACNOR2"), DailyRecord { isin: None, ..renamed[0] }])?;
    let corrected = [span("COGN3", "BRKROTACNOR9", 21, 21), span("COGN3", "BRCOGNACNOR2", 22, 27)];
    assert_eq!(history.isin_history(Identity::Symbol(symbol("COGN3")))?, corrected);
    assert_eq!(history.isin_history(Identity::Symbol(symbol("KROT3")))?, [span("KROT3", "BRKROTACNOR9", 19, 20)]);
    // Forwards come and go with their terms; the fractional market is a listing of its own.
    let forward = DailyRecord { market_type: FORWARD_MARKET, term_days: 30, ..with("COGN3T", 22, "BRCOGNACNOR2") };
    let odd_lot = DailyRecord { market_type: FRACTIONAL_MARKET, ..with("COGN3F", 22, "BRCOGNACNOR2") };
    import(&mut *history, &[forward, odd_lot])?;
    assert_eq!(history.isin_history(Identity::Symbol(symbol("COGN3T")))?, []);
    let fraction = IsinSpan { market_type: FRACTIONAL_MARKET, ..span("COGN3F", "BRCOGNACNOR2", 22, 22) };
    assert_eq!(of_isin(&*history, "BRCOGNACNOR2")?, [fraction, corrected[1]]);
    Ok(())
}

fn closes(
    history: &mut dyn History,
    from: &str,
    closes: &[(u32, i64)],
) -> Result<crate::history::ImportCounts, StoreError> {
    let name = format!("IBOV_{from}.csv");
    let from = from.parse().unwrap_or(COTAHIST);
    let mut import = history.begin_import(&ImportSource { source: from, ..source(&name) })?;
    for (day, points) in closes {
        import.index_close("IBOV", &IndexClose { date: december(*day), close: Price::from_steps(points * SCALE) })?;
    }
    import.commit()
}

pub(super) fn the_better_source_keeps_the_close(make: &Make<dyn History>) -> Result<(), StoreError> {
    let mut history = make();
    let outranked = |outranked| crate::history::ImportCounts { outranked, ..counts(0, 0, 0) };
    assert_eq!(closes(&mut *history, "yahoo", &[(26, 1), (27, 2)])?, counts(2, 0, 0));
    assert_eq!(closes(&mut *history, "investing", &[(26, 3), (27, 2)])?, outranked(2));
    assert_eq!(closes(&mut *history, "somebody", &[(26, 4)])?, outranked(1));
    assert_eq!(closes(&mut *history, "yahoo", &[(26, 5), (27, 2)])?, counts(0, 1, 1));
    // The same figure from a better source is better known.
    assert_eq!(closes(&mut *history, "index_csv", &[(27, 2)])?, counts(0, 0, 1));
    assert_eq!(closes(&mut *history, "b3_index", &[(27, 6), (28, 7)])?, counts(1, 0, 1));
    assert_eq!(closes(&mut *history, "index_csv", &[(27, 2), (28, 7)])?, outranked(2));
    let points = history.index_closes("IBOV", Date::MIN, Date::MAX)?;
    let points: Vec<i64> = points.iter().map(|close| close.close.steps() / SCALE).collect();
    assert_eq!(points, [5, 6, 7]);
    assert_eq!(history.imports()?.last().map(|import| import.counts), Some(outranked(2)));
    Ok(())
}

fn dividend(ticker: &str, day: u32, amount: &str) -> CorporateAction {
    CorporateAction {
        source: SourceName::of("b3_actions"),
        isin: isin("BRPETRACNPR6"),
        symbol: Symbol::from_bytes(ticker.as_bytes()),
        kind: CorporateActionKind::Dividend,
        last_date_prior: december(day),
        approved_on: None,
        payment_date: Some(december(29)),
        amount: amount.parse().unwrap_or_default(),
        ratio: Decimal::ONE,
        label: "DIVIDENDO".to_owned(),
    }
}

pub(super) fn corporate_actions_are_kept(make: &Make<dyn History>) -> Result<(), StoreError> {
    let ticker_only =
        CorporateAction { isin: None, source: YAHOO, ..dividend("PETR4", 20, "0.0000000000000000000000000001") };
    let split = CorporateAction {
        kind: CorporateActionKind::Split,
        symbol: None,
        amount: Decimal::ZERO,
        ratio: Decimal::MAX,
        label: "DESDOBRAMENTO / ação".to_owned(),
        approved_on: Some(december(1)),
        payment_date: None,
        ..dividend("", 21, "0")
    };
    let other = CorporateAction { isin: isin("BRVALEACNOR0"), ..dividend("VALE3", 19, "1.5") };
    let given = [
        dividend("PETR4", 22, "0.25"),
        dividend("PETR4", 22, "0.75"),
        ticker_only.clone(),
        split.clone(),
        other.clone(),
    ];
    let mut history = make();
    let take = |history: &mut dyn History, actions: &[CorporateAction]| {
        let mut import = history.begin_import(&source("actions.json"))?;
        actions.iter().try_for_each(|action| import.corporate_action(action))?;
        import.commit()
    };
    assert_eq!(take(&mut *history, &given)?, counts(5, 0, 0));
    // One number, one key: 0.250 is 0.25.
    let same = dividend("PETR4", 22, "0.250");
    let paid_later = CorporateAction { payment_date: Some(december(31)), ..dividend("PETR4", 22, "0.75") };
    assert_eq!(take(&mut *history, &[same, paid_later.clone()])?, counts(0, 1, 1));
    // A source tells a payment in two places, and only one of them says the day: it is not forgotten again.
    let silent = CorporateAction { payment_date: None, ..paid_later.clone() };
    assert_eq!(take(&mut *history, &[silent])?, counts(0, 1, 0));
    drop(history);
    let mut history = make();
    let in_order = [other, ticker_only, split, given[0].clone(), paid_later];
    assert_eq!(history.corporate_actions(&ActionFilter::default())?, in_order);
    let petr4 = ActionFilter { symbols: vec![symbol("PETR4")], ..ActionFilter::default() };
    assert_eq!(history.corporate_actions(&petr4)?, [&in_order[1..2], &in_order[3..]].concat());
    let either = ActionFilter { isins: Vec::from_iter(isin("BRPETRACNPR6")), ..petr4 };
    assert_eq!(history.corporate_actions(&either)?, in_order[1..]);
    assert_eq!(history.corporate_actions(&ActionFilter { sources: vec![YAHOO], ..either })?, in_order[1..2]);

    let mut import = history.begin_import(&source("actions.json"))?;
    import.corporate_action(&given[0])?;
    let error = refused(import.corporate_action(&dividend("PETR4", 22, "0.2500")));
    assert!(error.to_string().contains("dividend of PETR4 (BRPETRACNPR6) after 2017-12-22"), "{error}");
    for bad in [
        CorporateAction { isin: None, symbol: None, ..given[0].clone() },
        CorporateAction { label: "a\0b".to_owned(), ..given[0].clone() },
        CorporateAction { payment_date: Some(Date::MAX), ..given[0].clone() },
    ] {
        let error = refused(import.corporate_action(&bad));
        assert!(matches!(error, StoreError::NotStorable { .. }), "{error}");
    }
    drop(import);
    assert_eq!(history.corporate_actions(&ActionFilter::default())?, in_order);
    Ok(())
}

pub(super) fn members_are_those_of_the_day(make: &Make<dyn History>) -> Result<(), StoreError> {
    let member = |ticker, day, quantity: &str| IndexMember {
        index: symbol("IBOV"),
        date: december(day),
        symbol: symbol(ticker),
        theoretical_quantity: quantity.parse().unwrap_or_default(),
        weight_percent: "7.125".parse().unwrap_or_default(),
        reductor: "16503123.45678901".parse().ok(),
    };
    let mut history = make();
    let mut take = |from: &str, members: &[IndexMember]| {
        let from = from.parse().unwrap_or(COTAHIST);
        let mut import = history.begin_import(&ImportSource { source: from, ..source("IBOV.json") })?;
        members.iter().try_for_each(|member| import.index_member(member))?;
        import.commit()
    };
    let first = [member("PETR4", 4, "1"), member("VALE3", 4, "2")];
    let unweighted =
        IndexMember { weight_percent: Decimal::ZERO, reductor: None, ..member("ABEV3", 20, "4355174839.5") };
    assert_eq!(take("b3_index", &first)?, counts(2, 0, 0));
    assert_eq!(take("b3_index", &[first[0], member("VALE3", 4, "3")])?, counts(0, 1, 1));
    // Another source's portfolio of the same day, and the only one of a later day.
    assert_eq!(take("yahoo", &[member("ITUB4", 4, "9"), unweighted])?, counts(2, 0, 0));
    let on = |day| history.index_members(symbol("IBOV"), december(day));
    assert_eq!(on(3)?, []);
    assert_eq!(on(4)?, [first[0], member("VALE3", 4, "3")]);
    assert_eq!(on(19)?, on(4)?);
    assert_eq!(on(31)?, [unweighted]);
    assert_eq!(history.index_members(symbol("SMLL"), december(31))?, []);
    closes(&mut *history, "b3_index", &[(28, 1)])?;
    assert_eq!(history.index_names()?, ["IBOV"]);
    let mut import = history.begin_import(&source("IBOV.json"))?;
    import.index_member(&first[0])?;
    let error = refused(import.index_member(&first[0]));
    assert!(error.to_string().contains("PETR4 in IBOV on 2017-12-04 comes twice"), "{error}");
    Ok(())
}

fn mark(source: SourceName, day: u32, rule: QualityRule, quarantined: bool) -> QualityMark {
    QualityMark {
        source,
        symbol: symbol("PETR4"),
        interval: Interval::Day,
        at: midnight(december(day)).unwrap_or_default(),
        rule,
        detail: format!("16.20 after 0.38 – {}", rule.name()),
        quarantined,
    }
}

pub(super) fn marks_are_replaced_by_what_was_verified(make: &Make<dyn History>) -> Result<(), StoreError> {
    use QualityRule::{OutlierAgainstNeighbours, PhantomSession, ZeroPrice};
    let series = |source| BarSeries { source, symbol: symbol("PETR4"), interval: Interval::Day };
    let run = |sources: &[SourceName]| QualityRun {
        at: Timestamp::from_nanos(1),
        verified: sources.iter().map(|source| series(*source)).collect(),
    };
    let mut history = make();
    import_bars(&mut *history, &[26, 27, 28].map(|day| day_bar("PETR4", day)))?;
    import(&mut *history, &[26, 27, 28].map(|day| record("PETR4", december(day))))?;
    let first = [
        mark(YAHOO, 27, PhantomSession, true),
        mark(YAHOO, 27, OutlierAgainstNeighbours, true),
        mark(YAHOO, 28, ZeroPrice, false),
        mark(COTAHIST, 26, ZeroPrice, true),
    ];
    let marked = history.mark(&run(&[YAHOO, COTAHIST]), &first)?;
    assert_eq!(marked, Marked { removed: 0, written: 4 });
    let stored = |history: &dyn History| history.marks(&MarkFilter::default());
    assert_eq!(stored(&*history)?, [&first[3], &first[0], &first[1], &first[2]].map(Clone::clone));

    // Clean readers leave the quarantined out; nobody loses a row.
    let all = (Timestamp::MIN, Timestamp::MAX);
    let clean = history.clean_bars(YAHOO, symbol("PETR4"), Interval::Day, all.0, all.1)?;
    assert_eq!(clean, [26, 28].map(|day| day_bar("PETR4", day)));
    assert_eq!(history.bars(YAHOO, symbol("PETR4"), Interval::Day, all.0, all.1)?.len(), 3);
    let clean = history.clean_daily(symbol("PETR4"), Date::MIN, Date::MAX)?;
    assert_eq!(clean.iter().map(|bar| bar.date).collect::<Vec<_>>(), [27, 28].map(december));
    assert_eq!(history.daily(symbol("PETR4"), Date::MIN, Date::MAX)?.len(), 3);

    // A mark of what was not verified, or twice, refuses all.
    let error = refused(history.mark(&run(&[YAHOO]), &first));
    assert!(error.to_string().contains("zero_price on PETR4 1d of b3_cotahist"), "{error}");
    let error = refused(history.mark(&run(&[YAHOO]), &[first[0].clone(), first[0].clone()]));
    assert!(matches!(error, StoreError::DuplicateKey { .. }), "{error}");
    assert_eq!(stored(&*history)?.len(), 4);

    // What was verified again has the marks of this time, the others keep theirs.
    let again = [mark(YAHOO, 28, ZeroPrice, true)];
    assert_eq!(history.mark(&run(&[YAHOO]), &again)?, Marked { removed: 3, written: 1 });
    drop(history);
    let mut history = make();
    assert_eq!(stored(&*history)?, [&first[3], &again[0]].map(Clone::clone));
    let yahoo = BarFilter { sources: vec![YAHOO], ..BarFilter::default() };
    let filter = MarkFilter { series: yahoo, rules: vec![ZeroPrice], quarantined_only: true };
    assert_eq!(history.marks(&filter)?, again);
    assert_eq!(history.marks(&MarkFilter { rules: vec![PhantomSession], ..MarkFilter::default() })?, []);
    assert_eq!(history.mark(&run(&[YAHOO, COTAHIST]), &[])?, Marked { removed: 2, written: 0 });
    assert_eq!(stored(&*history)?, []);
    Ok(())
}
