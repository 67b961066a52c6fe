//! The end of a run: a table for people, one document for programs, a page to look at.

use std::path::Path;

use backtest::report::{Locale, ReportData};
use backtest::{BacktestSummary, FinishedRun, summarize};

use crate::output::{Failure, money, table};

/// A summarised run.
pub struct Finished {
    /// The figures.
    pub summary: BacktestSummary,
    /// The page's data.
    pub report: ReportData,
}

/// Measures a finished run.
pub fn finish(run: &FinishedRun<'_>) -> Result<Finished, Failure> {
    let (summary, report) = summarize(run).map_err(Failure::failed)?;
    Ok(Finished { summary, report })
}

/// Told before the work rather than after it: the page can be put there.
pub fn check_place(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let problem = match (folder.is_dir(), path.is_dir()) {
        (true, false) => return Ok(()),
        (true, true) => "that is a folder".to_owned(),
        (false, _) => format!("there is no folder {}", folder.display()),
    };
    Err(Failure::usage(format!("the report cannot be written to {}: {problem}", path.display())))
}

/// Writes the page.
pub fn write_report(report: &ReportData, path: &Path) -> Result<(), Failure> {
    let page = backtest::report::html(report, Locale::En).map_err(Failure::failed)?;
    std::fs::write(path, page).map_err(|error| {
        Failure::Failed(format!("the report cannot be written to {}: {error}", path.display()), serde_json::Value::Null)
    })
}

/// The table that a run ends with.
pub fn shown(run: &FinishedRun<'_>, summary: &BacktestSummary) -> String {
    let book = run.desk.book();
    let percent = |value: Option<f64>| value.map_or("not enough data".to_owned(), |v| format!("{:.2} %", v * 100.0));
    let ratio = |value: Option<f64>| value.map_or("not enough data".to_owned(), |v| format!("{v:.2}"));
    let counted = |counts: &std::collections::BTreeMap<String, u64>| {
        let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    };
    let restarts: u64 = summary.restarts.values().sum();
    let mut rows = vec![
        ("Equity", format!("{} BRL", money(book.equity()))),
        ("Result after fees", format!("{} BRL", money(book.equity() - run.base.1))),
        ("Fees", format!("{} BRL", money(book.fees()))),
        ("Total return", percent(summary.total_return)),
        ("Maximum drawdown", percent(summary.max_drawdown)),
        ("Sharpe ratio, yearly", ratio(summary.sharpe)),
        ("Sessions", summary.sessions.to_string()),
        ("Market events", summary.events.to_string()),
        ("Orders", summary.orders.to_string()),
        ("Fills", summary.fills.to_string()),
        ("Denials by check", format!("{}{}", summary.denials, counted(&summary.denials_by_check))),
        ("Rejections by broker", summary.rejections.to_string()),
    ];
    if run.mode != "backtest" {
        rows.push(("Actor restarts", format!("{restarts}{}", counted(&summary.restarts))));
    }
    for (at, why) in &summary.halts {
        rows.push(("Halted", format!("{at}: {why}")));
    }
    rows.push(("Fingerprint", summary.fingerprint.chars().take(16).collect()));
    table(&["", ""], 2, rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]))
}
