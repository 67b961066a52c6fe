//! `data export`: stored bars, or the closes of several symbols side by side, to CSV or Parquet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use feeds::files::export::{PanelTable, bars_csv, bars_parquet, panel_csv, panel_parquet};
use history::Adjusted;
use market::history::{HistoryBar, Interval, SourceName};
use market::{Date, Price, Symbol};
use store::{BarSeries, History};

use super::adjust::{self, series_of};
use super::series::{bars, stored};
use crate::output::{Answer, Failure, bar};

/// What is wanted.
pub struct Wanted {
    /// Of what.
    pub symbols: Vec<Symbol>,
    /// Whose bars.
    pub source: SourceName,
    /// How long.
    pub interval: Interval,
    /// First session.
    pub from: Date,
    /// Last session.
    pub to: Date,
    /// Also what is in quarantine.
    pub raw: bool,
    /// One table of closes, a column a symbol, in this view.
    pub panel: Option<Adjusted>,
    /// Where to; the ending says the form.
    pub output: PathBuf,
}

enum Form {
    Csv,
    Parquet,
}

/// Writes the file.
pub fn export(history: &dyn History, wanted: &Wanted) -> Result<Answer, Failure> {
    let form = match wanted.output.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Form::Csv,
        Some("parquet") => Form::Parquet,
        _ => {
            let message = format!("{}: name it .csv or .parquet", wanted.output.display());
            return Err(Failure::usage(message));
        }
    };
    match wanted.panel {
        Some(view) => panel(history, wanted, view, &form),
        None => all_bars(history, wanted, &form),
    }
}

fn all_bars(history: &dyn History, wanted: &Wanted, form: &Form) -> Result<Answer, Failure> {
    let found = stored(history, &wanted.symbols, &[wanted.source], Some(wanted.interval))?;
    let progress = bar(found.len() as u64, "Exporting", false);
    let mut all: Vec<HistoryBar> = Vec::new();
    for stored in &found {
        all.extend(bars(history, stored.series, wanted.from, wanted.to, !wanted.raw)?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    nothing_found(all.is_empty(), wanted)?;
    let written = match form {
        Form::Csv => bars_csv(&wanted.output, &all),
        Form::Parquet => bars_parquet(&wanted.output, &all),
    };
    written.map_err(Failure::failed)?;
    Ok(done(&wanted.output, all.len(), found.len(), "bars"))
}

fn panel(history: &dyn History, wanted: &Wanted, view: Adjusted, form: &Form) -> Result<Answer, Failure> {
    let found = stored(history, &wanted.symbols, &[wanted.source], Some(Interval::Day))?;
    let progress = bar(found.len() as u64, "Aligning", false);
    let mut closes: BTreeMap<Symbol, BTreeMap<Date, Price>> = BTreeMap::new();
    for stored in &found {
        let BarSeries { source, symbol, .. } = stored.series;
        let of = adjust::Wanted { source, view, from: wanted.from, to: wanted.to, ..adjust::Wanted::of(symbol) };
        let (from, to) = (wanted.from.max(stored.first), wanted.to.min(stored.last));
        if from <= to {
            let series = series_of(history, &of)?;
            closes.insert(symbol, series.bars.iter().map(|bar| (bar.begin.local_date(), bar.close)).collect());
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    nothing_found(closes.is_empty(), wanted)?;
    let dates: BTreeSet<Date> = closes.values().flat_map(|of| of.keys().copied()).collect();
    let dates: Vec<Date> = dates.into_iter().collect();
    let aligned: Vec<(Symbol, Vec<Option<Price>>)> =
        closes.iter().map(|(symbol, of)| (*symbol, dates.iter().map(|date| of.get(date).copied()).collect())).collect();
    let columns: Vec<(Symbol, &[Option<Price>])> =
        aligned.iter().map(|(symbol, values)| (*symbol, values.as_slice())).collect();
    let table = PanelTable { dates: &dates, columns: &columns };
    let written = match form {
        Form::Csv => panel_csv(&wanted.output, table),
        Form::Parquet => panel_parquet(&wanted.output, table),
    };
    written.map_err(Failure::failed)?;
    Ok(done(&wanted.output, dates.len(), columns.len(), "sessions"))
}

fn nothing_found(is_nothing: bool, wanted: &Wanted) -> Result<(), Failure> {
    if !is_nothing {
        return Ok(());
    }
    let Wanted { source, interval, .. } = wanted;
    let message = format!("there are no {interval} bars from {source} of that; see 'pregao data status'");
    Err(Failure::usage(message))
}

fn done(path: &Path, rows: usize, symbols: usize, what: &str) -> Answer {
    let text = format!("{rows} {what} of {symbols} symbols written to {}", path.display());
    Answer::new(text, serde_json::json!({ "written": path, "rows": rows, "symbols": symbols }))
}
