//! The performance report: one HTML file that opens without a network, the same data as JSON, and
//! the daily series as CSV.
//!
//! One code path for backtest, paper and live: the caller fills a [`ReportData`], the functions
//! here turn it into text. Nothing is read or written, no clock is asked: the same data gives the
//! same bytes. Whoever wants another table adds a [`Table`]; nothing here needs to know of it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::analytics::{AnalyticsError, Inputs, Metric, Performance, RoundTrip, Trials, Unit, catalogue, measure};

mod axes;
mod charts;
mod figures;
pub mod format;
mod page;
mod series;
mod tables;
#[cfg(test)]
mod tests;

pub use format::Locale;

/// Everything a report shows. JSON of it is the machine-readable report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportData {
    /// What was run.
    pub title: String,
    /// On what: strategy, symbols, span.
    pub subtitle: String,
    /// When it was written, as text: the report asks no clock.
    pub generated_at: String,
    /// `demo`, `backtest`, `paper`, `live`: shown as a badge.
    pub mode: String,
    /// What [`DailyPoint::benchmark`] is, for example `IBOV`.
    pub benchmark_name: String,
    /// One point per session, ascending. The first is the base of every curve and has no return:
    /// put the evening before the first session there.
    pub daily: Vec<DailyPoint>,
    /// Last session that the strategy or its parameters were fitted on; shaded in the charts.
    pub in_sample_until: Option<NaiveDate>,
    /// The numbers to read first. [`standard_headline`] makes the usual ones.
    pub headline: Vec<Headline>,
    /// Every metric. [`performance_of`] makes it from `daily`, so that charts and numbers agree.
    pub performance: Performance,
    /// Orders, fills, denials, positions, fees, restarts: whatever belongs to the run.
    pub tables: Vec<Table>,
    /// What a reader must know before believing the numbers: costs assumed, survivorship of the
    /// universe, sessions with data-quality flags. Shown at the top; the report adds its own.
    pub warnings: Vec<String>,
}

/// One session's end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DailyPoint {
    /// Session date in exchange time.
    pub date: NaiveDate,
    /// Cash plus positions at market, after fees; reais, above zero.
    pub equity: f64,
    /// Level of the index, in points, above zero.
    pub benchmark: Option<f64>,
    /// Gross exposure over equity, 1.0 for fully invested without leverage: at the close, or the
    /// session's peak for a run that ends its days flat.
    pub exposure: f64,
    /// Risk-free rate of the session as a simple daily fraction (CDI).
    pub risk_free: Option<f64>,
}

/// A number to read first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// Short name.
    pub label: String,
    /// The number.
    pub value: Cell,
    /// How it is computed: shown on hover and listed at the end.
    pub formula: String,
}

/// A table beside the charts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Heading.
    pub title: String,
    /// From left to right.
    pub columns: Vec<Column>,
    /// As many cells a row as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// A last row that stays apart; empty for none, else as wide as the others.
    pub totals: Vec<Cell>,
    /// A sentence under the heading: what was left out, what a word means. May be empty.
    pub note: String,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Heading.
    pub title: String,
    /// How its numbers are computed: shown on hover. May be empty.
    pub formula: String,
}

impl Column {
    /// A column and how its numbers are computed.
    #[must_use]
    pub fn new(title: impl Into<String>, formula: impl Into<String>) -> Self {
        Self { title: title.into(), formula: formula.into() }
    }
}

/// One value, kept apart from how it is written so that one report serves every [`Locale`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Cell {
    /// Text; escaped.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number and how many decimals to show.
    Number(f64, u8),
    /// A fraction, shown as a percentage with two decimals.
    Percent(f64),
    /// Reais, for show; money was exact until here.
    Money(f64),
    /// A date.
    Date(NaiveDate),
    /// Not enough data.
    Missing,
}

impl Cell {
    /// A number, or [`Cell::Missing`].
    #[must_use]
    pub fn number(value: Option<f64>, decimals: u8) -> Self {
        value.map_or(Self::Missing, |value| Self::Number(value, decimals))
    }

    /// A fraction shown as a percentage, or [`Cell::Missing`].
    #[must_use]
    pub fn percent(value: Option<f64>) -> Self {
        value.map_or(Self::Missing, Self::Percent)
    }

    /// An amount in reais, or [`Cell::Missing`].
    #[must_use]
    pub fn money(value: Option<f64>) -> Self {
        value.map_or(Self::Missing, Self::Money)
    }

    /// The value of a metric in its own unit.
    #[must_use]
    pub fn metric(metric: &Metric, performance: &Performance) -> Self {
        let value = (metric.value)(performance);
        match metric.unit {
            Unit::Percent => Self::percent(value),
            Unit::Ratio => Self::number(value, 3),
            Unit::Count => Self::number(value, 0),
            Unit::Reais => Self::money(value),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The daily series cannot be measured.
    #[error("the daily series cannot be reported")]
    Daily(#[source] AnalyticsError),
    /// A row is not as wide as its table.
    #[error("table {table:?}, row {row}: {actual} cells for {expected} columns")]
    RowWidth {
        /// Title of the table.
        table: String,
        /// Position from 0; the totals come after the last row.
        row: usize,
        /// Number of columns.
        expected: usize,
        /// Cells in the row.
        actual: usize,
    },
    /// The drawing library failed.
    #[error("a chart cannot be drawn")]
    Chart(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The data cannot be written as JSON.
    #[error("the report cannot be written as JSON")]
    Json(#[source] serde_json::Error),
}

/// Measures the daily series of a report: the first point is the base, every later one a return.
///
/// The index counts only if every point has it, the risk-free rate only if every later point has
/// it: a benchmark with holes would be another benchmark.
///
/// # Errors
/// [`AnalyticsError`] if dates are out of order or a level is not above zero.
pub fn performance_of(
    daily: &[DailyPoint],
    trades: &[RoundTrip],
    trials: Option<Trials>,
) -> Result<Performance, AnalyticsError> {
    let series = series::Series::of(daily)?;
    measure(&Inputs {
        dates: series.return_dates(),
        returns: &series.returns,
        benchmark: series.index_returns.as_deref(),
        risk_free: series.risk_free.as_deref(),
        exposure: Some(series.return_exposure()),
        trades,
        trials,
    })
}

/// The six numbers that every reader looks for first.
#[must_use]
pub fn standard_headline(performance: &Performance) -> Vec<Headline> {
    const FIRST: [&str; 6] = ["total_return", "cagr", "volatility", "sharpe", "sortino", "max_drawdown"];
    FIRST
        .into_iter()
        .filter_map(catalogue::metric)
        .map(|metric| Headline {
            label: metric.label.to_owned(),
            value: Cell::metric(metric, performance),
            formula: metric.formula.to_owned(),
        })
        .collect()
}

/// The report as one HTML file without any outside reference.
///
/// # Errors
/// [`ReportError`] if the daily series or a table does not hang together.
pub fn html(data: &ReportData, locale: Locale) -> Result<String, ReportError> {
    check_tables(&data.tables)?;
    let series = series::Series::of(&data.daily).map_err(ReportError::Daily)?;
    page::page(data, &series, locale)
}

/// The report as JSON: ISO dates, dot decimals, fractions.
///
/// # Errors
/// [`ReportError::Json`], which plain data does not cause.
pub fn json(data: &ReportData) -> Result<String, ReportError> {
    serde_json::to_string_pretty(data).map_err(ReportError::Json)
}

/// The daily series as CSV with columns `date,equity,benchmark,exposure,return,drawdown`: ISO dates,
/// dot decimals, empty where there is no value.
///
/// # Errors
/// [`ReportError::Daily`] if the series cannot be measured.
pub fn csv(data: &ReportData) -> Result<String, ReportError> {
    let series = series::Series::of(&data.daily).map_err(ReportError::Daily)?;
    let mut text = String::from("date,equity,benchmark,exposure,return,drawdown\n");
    for (at, point) in data.daily.iter().enumerate() {
        let benchmark = point.benchmark.map(|b| b.to_string()).unwrap_or_default();
        let change = at.checked_sub(1).map(|at| series.returns[at].to_string());
        text.push_str(&format!(
            "{},{},{benchmark},{},{},{}\n",
            point.date,
            point.equity,
            point.exposure,
            change.unwrap_or_default(),
            series.underwater[at],
        ));
    }
    Ok(text)
}

fn check_tables(tables: &[Table]) -> Result<(), ReportError> {
    for table in tables {
        let expected = table.columns.len();
        let totals = (!table.totals.is_empty()).then_some(&table.totals);
        for (row, cells) in table.rows.iter().chain(totals).enumerate() {
            let actual = cells.len();
            if actual != expected {
                let table = table.title.clone();
                return Err(ReportError::RowWidth { table, row, expected, actual });
            }
        }
    }
    Ok(())
}
