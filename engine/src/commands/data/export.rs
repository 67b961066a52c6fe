//! `data export`: stored bars, or the closes of several symbols side by side, to CSV or Parquet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use feeds::files::export::{PanelTable, bars_csv, bars_parquet, panel_csv, panel_parquet};
use history::Adjusted;
use history::panel::{Demand, Member};
use market::history::{HistoryBar, Interval, SourceName};
use market::{Calendar, Date, Price, Symbol};
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
    /// Sessions that each symbol of a panel must have.
    pub least_sessions: usize,
    /// Sessions in a hundred that each may lack.
    pub most_gaps_percent: f64,
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
    let found = stored(history, &wanted.symbols, &[wanted.source], Some(wanted.interval), true)?;
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
    let found = stored(history, &wanted.symbols, &[wanted.source], Some(Interval::Day), false)?;
    let progress = bar(found.len() as u64, "Aligning", false);
    let mut members: Vec<Member> = Vec::new();
    for stored in &found {
        let BarSeries { source, symbol, .. } = stored.series;
        let of = adjust::Wanted { source, view, from: wanted.from, to: wanted.to, ..adjust::Wanted::of(symbol) };
        let closes = match (wanted.from.max(stored.first), wanted.to.min(stored.last)) {
            (from, to) if from <= to => {
                let series = series_of(history, &of)?;
                series.bars.iter().map(|bar| (bar.begin.local_date(), bar.close)).collect()
            }
            _ => BTreeMap::new(),
        };
        members.push(Member { symbol, closes });
        progress.inc(1);
    }
    progress.finish_and_clear();
    nothing_found(members.is_empty(), wanted)?;
    let demand = Demand {
        from: Some(wanted.from).filter(|from| *from != Date::MIN),
        to: Some(wanted.to).filter(|to| *to != Date::MAX),
        minimum_sessions: wanted.least_sessions,
        most_gaps_percent: wanted.most_gaps_percent,
    };
    let aligned = history::panel::panel(&members, &Calendar::b3(), &demand).map_err(Failure::failed)?;
    let columns: Vec<(Symbol, &[Option<Price>])> =
        aligned.columns.iter().map(|column| (column.symbol, column.closes.as_slice())).collect();
    let table = PanelTable { dates: &aligned.dates, columns: &columns };
    let written = match form {
        Form::Csv => panel_csv(&wanted.output, table),
        Form::Parquet => panel_parquet(&wanted.output, table),
    };
    written.map_err(Failure::failed)?;
    let mut answer = done(&wanted.output, aligned.dates.len(), columns.len(), "sessions");
    let names = |symbols: &[Symbol]| symbols.iter().map(Symbol::to_string).collect::<Vec<_>>().join(", ");
    let (start, end) = (names(&aligned.start_bound_by), names(&aligned.end_bound_by));
    answer.text.push_str(&format!("\nit begins because of {start} and ends because of {end}"));
    for left_out in &aligned.excluded {
        answer.text.push_str(&format!("\n{} {}", left_out.symbol, left_out.reason));
    }
    answer.json["start_bound_by"] = serde_json::json!(aligned.start_bound_by);
    answer.json["end_bound_by"] = serde_json::json!(aligned.end_bound_by);
    answer.json["excluded"] = serde_json::json!(aligned.excluded);
    answer.json["first"] = serde_json::json!(aligned.dates.first());
    answer.json["last"] = serde_json::json!(aligned.dates.last());
    Ok(Answer { degraded: !aligned.excluded.is_empty(), ..answer })
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
