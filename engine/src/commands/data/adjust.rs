//! `data adjust`: a series as its owner would have lived it, computed from raw bars and corporate actions; nothing
//! stored is changed.

use std::path::PathBuf;

use history::adjustment::{AdjustedSeries, GROSS, NET_OF_15_PERCENT};
use history::{Adjusted, Options, adjust as adjusted};
use market::history::{Interval, SourceName};
use market::{Calendar, Date, Symbol};
use store::history::COTAHIST;
use store::{BarSeries, History};

use super::series;
use super::verify::actions_of;
use crate::output::{Answer, Failure, table};

/// What is wanted.
pub struct Wanted {
    /// Of what.
    pub symbol: Symbol,
    /// Whose bars.
    pub source: SourceName,
    /// Which actions count.
    pub view: Adjusted,
    /// Interest on equity less the tax withheld.
    pub net: bool,
    /// First session.
    pub from: Date,
    /// Last session.
    pub to: Date,
    /// Write the bars here, as CSV, instead of showing them.
    pub output: Option<PathBuf>,
}

impl Wanted {
    /// Of the exchange's own daily history, all of it.
    pub fn of(symbol: Symbol) -> Self {
        Self {
            symbol,
            source: COTAHIST,
            view: Adjusted::TotalReturn,
            net: false,
            from: Date::MIN,
            to: Date::MAX,
            output: None,
        }
    }
}

/// Sessions shown to people; the rest is in the file or the JSON.
const SHOWN: usize = 10;

/// The adjusted series of clean daily bars.
pub fn series_of(history: &dyn History, wanted: &Wanted) -> Result<AdjustedSeries, Failure> {
    let series = BarSeries { source: wanted.source, symbol: wanted.symbol, interval: Interval::Day };
    let bars = series::bars(history, series, wanted.from, wanted.to, true)?;
    if bars.is_empty() {
        let Wanted { symbol, source, .. } = wanted;
        let message =
            format!("there are no daily bars of {symbol} from {source} in those days; see 'pregao data status'");
        return Err(Failure::usage(message));
    }
    let actions = actions_of(history, wanted.symbol, wanted.source)?;
    let tax = if wanted.net { NET_OF_15_PERCENT } else { GROSS };
    let options = Options { interest_on_equity_tax: tax, ..Options::of(wanted.view) };
    adjusted(&bars, &actions, &Calendar::b3(), &options).map_err(Failure::failed)
}

/// Shows it, or writes it to a file.
pub fn adjust(history: &dyn History, wanted: &Wanted) -> Result<Answer, Failure> {
    let found = series_of(history, wanted)?;
    let mut text = String::new();
    if let Some(path) = &wanted.output {
        write(path, &found).map_err(|error| {
            Failure::Failed(format!("{}: it cannot be written: {error}", path.display()), serde_json::Value::Null)
        })?;
        text.push_str(&format!("{} bars written to {}", found.bars.len(), path.display()));
    } else {
        let skipped = found.bars.len().saturating_sub(SHOWN);
        let rows = found.bars.iter().skip(skipped).map(|bar| {
            vec![
                bar.begin.local_date().to_string(),
                bar.open.to_string(),
                bar.high.to_string(),
                bar.low.to_string(),
                bar.close.to_string(),
                bar.volume.to_string(),
            ]
        });
        text.push_str(&table(&["Session", "Open", "High", "Low", "Close", "Volume"], 1, rows));
        if skipped > 0 {
            text.push_str(&format!(
                "\nthe last {SHOWN} of {}; all of them with --output FILE or --json",
                found.bars.len()
            ));
        }
    }
    text.push_str(&format!(
        "\n{} corporate actions applied",
        found.factors.iter().map(|f| f.actions.len()).sum::<usize>()
    ));
    for problem in &found.problems {
        text.push_str(&format!("\n{problem}"));
    }
    let degraded = !found.problems.is_empty();
    let json = serde_json::json!({
        "symbol": wanted.symbol,
        "source": wanted.source,
        "view": wanted.view,
        "interest_on_equity": if wanted.net { "net" } else { "gross" },
        "bars": found.bars,
        "factors": found.factors,
        "problems": found.problems,
    });
    Ok(Answer { degraded, ..Answer::new(text, json) })
}

fn write(path: &std::path::Path, series: &AdjustedSeries) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "date,open,high,low,close,volume")?;
    for bar in &series.bars {
        let date = bar.begin.local_date();
        writeln!(file, "{date},{},{},{},{},{}", bar.open, bar.high, bar.low, bar.close, bar.volume)?;
    }
    file.flush()
}
