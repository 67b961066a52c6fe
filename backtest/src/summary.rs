//! From a finished run to figures and page. Backtest, demo and paper trading all come through here.

use std::collections::{BTreeMap, HashMap, VecDeque};

use desk::{Desk, Record, RecordedFill};
use market::{Date, InstrumentId, Money, Quantity, Side, StrategyId};
use serde::Serialize;

use crate::analytics::{AnalyticsError, Performance, RoundTrip};
use crate::report::{Cell, Column, DailyPoint, ReportData, Table, performance_of, standard_headline};

/// Fills shown in the report; the rest is counted in a note.
const SHOWN_FILLS: usize = 200;

/// A finished run, and what the reader should know of it.
pub struct FinishedRun<'a> {
    /// What was run.
    pub title: String,
    /// On what.
    pub subtitle: String,
    /// `demo`, `backtest`, `paper`.
    pub mode: &'a str,
    /// When the page was made, as text.
    pub generated_at: String,
    /// Fills, days, counts.
    pub record: &'a Record,
    /// The desk at the end.
    pub desk: &'a Desk,
    /// Strategy names by number.
    pub strategies: &'a [String],
    /// The day before the first one, and the money then.
    pub base: (Date, Money),
    /// Index closes by date; empty for none.
    pub benchmark: &'a BTreeMap<Date, f64>,
    /// Restarts by actor; empty where there are no actors.
    pub restarts: BTreeMap<String, u64>,
    /// Halts: when, by whom, why.
    pub halts: Vec<(String, String)>,
    /// What a reader must know before believing the figures.
    pub warnings: Vec<String>,
}

/// The figures of a run: what `--json` prints (docs/json.md states each key).
#[derive(Clone, Debug, Serialize)]
pub struct BacktestSummary {
    /// Market events taken in.
    pub events: u64,
    /// Market events dropped as unsound.
    pub unsound_events: u64,
    /// Seconds from the first event to the last.
    pub engine_seconds: f64,
    /// Seconds of reading input before that.
    pub load_seconds: f64,
    /// Orders sent.
    pub orders: u64,
    /// Fills.
    pub fills: u64,
    /// Requests denied.
    pub denials: u64,
    /// Requests denied, by check.
    pub denials_by_check: BTreeMap<String, u64>,
    /// Orders rejected by the broker.
    pub rejections: u64,
    /// Reports that did not fit.
    pub anomalies: u64,
    /// Money at the start, BRL.
    pub initial_equity: f64,
    /// Cash plus positions at their marks, BRL.
    pub final_equity: f64,
    /// Final less initial equity: after fees, before taxes, BRL.
    pub net_pnl: f64,
    /// Exchange fees and brokerage, BRL.
    pub fees: f64,
    /// Compounded return.
    pub total_return: Option<f64>,
    /// Yearly; absent below a quarter of data, like all annualised figures.
    pub cagr: Option<f64>,
    /// Yearly standard deviation.
    pub volatility: Option<f64>,
    /// Yearly Sharpe ratio.
    pub sharpe: Option<f64>,
    /// Yearly Sortino ratio.
    pub sortino: Option<f64>,
    /// CAGR over the deepest drawdown.
    pub calmar: Option<f64>,
    /// Deepest drawdown, zero or negative.
    pub max_drawdown: Option<f64>,
    /// SHA-256 over all fills in order.
    pub fingerprint: String,
    /// Trading days.
    pub sessions: usize,
    /// Halts: when, by whom, why.
    pub halts: Vec<(String, String)>,
    /// Restarts by actor.
    pub restarts: BTreeMap<String, u64>,
    /// Every metric.
    pub performance: Performance,
}

/// Figures and report data of a finished run; the two `seconds` are the caller's to fill.
///
/// # Errors
/// The daily series cannot be measured: equity fell to zero or below.
pub fn summarize(run: &FinishedRun<'_>) -> Result<(BacktestSummary, ReportData), AnalyticsError> {
    let daily = daily_points(run);
    let trips = round_trips(run);
    let performance = performance_of(&daily, &trips, None)?;
    let book = run.desk.book();
    let counts = run.record.counts;
    let summary = BacktestSummary {
        events: counts.events,
        unsound_events: counts.unsound_events,
        engine_seconds: 0.0,
        load_seconds: 0.0,
        orders: counts.orders,
        fills: counts.fills,
        denials: counts.denials,
        denials_by_check: run.desk.denials().iter().map(|(check, count)| ((*check).to_owned(), *count)).collect(),
        rejections: counts.rejections,
        anomalies: counts.anomalies,
        initial_equity: run.base.1.to_f64(),
        final_equity: book.equity().to_f64(),
        net_pnl: (book.equity() - run.base.1).to_f64(),
        fees: book.fees().to_f64(),
        total_return: performance.total_return,
        cagr: performance.cagr,
        volatility: performance.volatility,
        sharpe: performance.sharpe,
        sortino: performance.sortino,
        calmar: performance.calmar,
        max_drawdown: performance.max_drawdown,
        fingerprint: run.record.fingerprint(),
        sessions: run.record.days.len(),
        halts: run.halts.clone(),
        restarts: run.restarts.clone(),
        performance: performance.clone(),
    };
    let report = ReportData {
        title: run.title.clone(),
        subtitle: run.subtitle.clone(),
        generated_at: run.generated_at.clone(),
        mode: run.mode.to_owned(),
        benchmark_name: "IBOVESPA".to_owned(),
        daily,
        in_sample_until: None,
        headline: standard_headline(&performance),
        performance,
        tables: tables(run, &summary, &trips),
        warnings: run.warnings.clone(),
    };
    Ok((summary, report))
}

/// The day before, then every day of the run.
fn daily_points(run: &FinishedRun<'_>) -> Vec<DailyPoint> {
    let benchmark = |date: Date| run.benchmark.get(&date).copied();
    let (date, equity) = run.base;
    let base = DailyPoint { date, equity: equity.to_f64(), benchmark: benchmark(date), exposure: 0.0, risk_free: None };
    let days = run.record.days.iter().map(|day| {
        let equity = day.equity.to_f64();
        let exposure = if equity > 0.0 { day.exposure.to_f64() / equity } else { 0.0 };
        DailyPoint { date: day.date, equity, benchmark: benchmark(day.date), exposure, risk_free: None }
    });
    std::iter::once(base).chain(days).collect()
}

/// An opening fill with what is left of it.
struct Open {
    date: Date,
    quantity: Quantity,
    price: f64,
    fee_per_unit: f64,
}

/// Closed trades per strategy and instrument, first in, first out. For statistics only; money is
/// kept exactly in the book.
fn round_trips(run: &FinishedRun<'_>) -> Vec<RoundTrip> {
    let sessions: HashMap<Date, u32> = (0..).zip(&run.record.days).map(|(place, day)| (day.date, place)).collect();
    let mut open: HashMap<(StrategyId, InstrumentId), VecDeque<Open>> = HashMap::new();
    let mut trips = Vec::new();
    for fill in &run.record.fills {
        let lots = open.entry((fill.strategy, fill.instrument)).or_default();
        let (date, price) = (fill.at.local_date(), fill.price.to_f64());
        let fee_per_unit = fill.fee.to_f64() / fill.quantity.units() as f64;
        if fill.side == Side::Buy {
            lots.push_back(Open { date, quantity: fill.quantity, price, fee_per_unit });
            continue;
        }
        let mut left = fill.quantity;
        let mut trip: Option<RoundTrip> = None;
        while left.is_positive()
            && let Some(first) = lots.front_mut()
        {
            let closed = left.min(first.quantity);
            let units = closed.units() as f64;
            let fees = units * (fee_per_unit + first.fee_per_unit);
            let held = sessions.get(&date).zip(sessions.get(&first.date)).map_or(1, |(last, first)| last - first + 1);
            let part = trip.get_or_insert(RoundTrip {
                opened: first.date,
                closed: date,
                sessions: held,
                profit: 0.0,
                fees: 0.0,
                slippage: None,
                maximum_adverse_excursion: None,
                maximum_favourable_excursion: None,
            });
            part.fees += fees;
            part.profit += units * (price - first.price) - fees;
            left -= closed;
            first.quantity -= closed;
            if first.quantity.is_zero() {
                lots.pop_front();
            }
        }
        trips.extend(trip);
    }
    trips
}

fn tables(run: &FinishedRun<'_>, summary: &BacktestSummary, trips: &[RoundTrip]) -> Vec<Table> {
    let mut tables = vec![account(run, summary), strategies(run), positions(run)];
    tables.push(counted(
        "Denials by check",
        "Check",
        "Denied",
        &summary.denials_by_check,
        "We deny before anything is sent; the checks stand in docs/risk-controls.md.",
    ));
    if !run.halts.is_empty() {
        tables.push(Table {
            title: "Halts".to_owned(),
            columns: vec![Column::new("When", ""), Column::new("Why", "")],
            rows: run.halts.iter().map(|(at, why)| vec![at.as_str().into(), why.as_str().into()]).collect(),
            totals: Vec::new(),
            note: String::new(),
        });
    }
    if run.mode != "backtest" {
        tables.push(counted(
            "Actor restarts",
            "Actor",
            "Restarts",
            &run.restarts,
            "An actor that fails is restarted by its supervisor; ARCHITECTURE.md says what each one keeps.",
        ));
    }
    tables.push(fills(run, trips.len()));
    tables
}

fn counted(title: &str, what: &str, count: &str, counts: &BTreeMap<String, u64>, note: &str) -> Table {
    let whole = |count: u64| Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX));
    Table {
        title: title.to_owned(),
        columns: vec![Column::new(what, ""), Column::new(count, "")],
        rows: counts.iter().map(|(name, count)| vec![name.as_str().into(), whole(*count)]).collect(),
        totals: vec!["Total".into(), whole(counts.values().sum())],
        note: note.to_owned(),
    }
}

fn account(run: &FinishedRun<'_>, summary: &BacktestSummary) -> Table {
    let book = run.desk.book();
    let money = |amount: Money| Cell::Money(amount.to_f64());
    let whole = |count: u64| Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX));
    let row = |what: &str, value: Cell| vec![what.into(), value];
    Table {
        title: "Account".to_owned(),
        columns: vec![Column::new("What", ""), Column::new("Amount", "")],
        rows: vec![
            row("Equity at the start", money(run.base.1)),
            row("Equity at the end", money(book.equity())),
            row("Result after fees", money(book.equity() - run.base.1)),
            row("Realised result before fees", money(book.realized())),
            row("Fees", money(book.fees())),
            row("Cash, settled", money(book.cash().settled())),
            row("Cash, with everything booked", money(book.cash().total())),
            row("Orders", whole(summary.orders)),
            row("Fills", whole(summary.fills)),
            row("Denials", whole(summary.denials)),
            row("Rejections by the broker", whole(summary.rejections)),
            row("Reports that did not fit", whole(summary.anomalies)),
        ],
        totals: Vec::new(),
        note: "Taxes are not included.".to_owned(),
    }
}

fn strategies(run: &FinishedRun<'_>) -> Table {
    #[derive(Default)]
    struct Sum {
        fills: i64,
        traded: Money,
        fees: Money,
        flow: Money,
    }
    let mut sums: BTreeMap<usize, Sum> = (0..run.strategies.len()).map(|place| (place, Sum::default())).collect();
    for fill in &run.record.fills {
        let sum = sums.entry(fill.strategy.index()).or_default();
        let notional = fill.price.times(fill.quantity);
        sum.fills += 1;
        sum.traded += notional;
        sum.fees += fill.fee;
        sum.flow += fill.price.times(fill.side.signed(fill.quantity));
    }
    let book = run.desk.book();
    let rows = sums
        .iter()
        .map(|(place, sum)| {
            let name = run.strategies.get(*place).map_or("?", String::as_str);
            let id = StrategyId(u16::try_from(*place).unwrap_or(u16::MAX));
            let held: Money = book
                .holdings_of(id)
                .iter()
                .map(|(instrument, holding)| book.mark_of(*instrument).times(holding.position))
                .sum();
            vec![
                name.into(),
                Cell::Integer(sum.fills),
                Cell::Money(sum.traded.to_f64()),
                Cell::Money(sum.fees.to_f64()),
                Cell::Money(held.to_f64()),
                Cell::Money((held - sum.flow - sum.fees).to_f64()),
            ]
        })
        .collect();
    Table {
        title: "Strategies".to_owned(),
        columns: vec![
            Column::new("Strategy", ""),
            Column::new("Fills", ""),
            Column::new("Traded", "Σ price × quantity"),
            Column::new("Fees", "as charged with each fill"),
            Column::new("Held", "positions at their marks"),
            Column::new("Result", "sales − purchases + held − fees"),
        ],
        rows,
        totals: Vec::new(),
        note: String::new(),
    }
}

fn positions(run: &FinishedRun<'_>) -> Table {
    let book = run.desk.book();
    let rows = run
        .desk
        .universe()
        .iter()
        .filter(|(id, _)| !book.position(*id).quantity.is_zero())
        .map(|(id, instrument)| {
            let (position, mark) = (book.position(id), book.mark_of(id));
            vec![
                instrument.symbol.as_str().into(),
                Cell::Integer(position.quantity.units()),
                Cell::money(position.average_price().map(market::Price::to_f64)),
                Cell::Money(mark.to_f64()),
                Cell::Money(mark.times(position.quantity).to_f64()),
                Cell::Money(position.unrealized(mark).to_f64()),
            ]
        })
        .collect();
    Table {
        title: "Open positions".to_owned(),
        columns: vec![
            Column::new("Symbol", ""),
            Column::new("Quantity", ""),
            Column::new("Average price", "cost / quantity"),
            Column::new("Mark", "last price"),
            Column::new("Value", "mark × quantity"),
            Column::new("Unrealised", "value − cost, before fees"),
        ],
        rows,
        totals: Vec::new(),
        note: String::new(),
    }
}

fn fills(run: &FinishedRun<'_>, closed: usize) -> Table {
    let universe = run.desk.universe();
    let all = &run.record.fills;
    let row = |fill: &RecordedFill| {
        vec![
            fill.at.local().format("%Y-%m-%d %H:%M:%S").to_string().into(),
            fill.client_order_id.to_string().into(),
            run.strategies.get(fill.strategy.index()).map_or("?", String::as_str).into(),
            universe.symbol(fill.instrument).into(),
            fill.side.name().into(),
            Cell::Integer(fill.quantity.units()),
            Cell::Money(fill.price.to_f64()),
            Cell::Money(fill.fee.to_f64()),
        ]
    };
    let hidden = all.len().saturating_sub(SHOWN_FILLS);
    let note = match hidden {
        0 => format!("{} fills, {closed} closed trades. Times in São Paulo.", all.len()),
        _ => format!("The last {SHOWN_FILLS} of {} fills; {closed} closed trades. Times in São Paulo.", all.len()),
    };
    Table {
        title: "Fills".to_owned(),
        columns: ["Time", "Order", "Strategy", "Symbol", "Side", "Quantity", "Price", "Fee"]
            .into_iter()
            .map(|title| Column::new(title, ""))
            .collect(),
        rows: all.iter().skip(hidden).map(row).collect(),
        totals: Vec::new(),
        note,
    }
}
