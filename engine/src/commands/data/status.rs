//! `data status`: what is stored, and how the collections stand.

use std::collections::BTreeMap;
use std::path::Path;

use market::history::{CASH_MARKET, FRACTIONAL_MARKET};
use market::{Date, Symbol};
use store::history::MarkFilter;
use store::{BarFilter, Filter, History};

use super::{SHOWN, counted};
use crate::collecting::Memory;
use crate::output::{Answer, Failure, table};

/// Tells of everything, or of these symbols.
pub fn status(history: &dyn History, directory: &Path, symbols: &[Symbol], all: bool) -> Result<Answer, Failure> {
    let market_types = if all { Vec::new() } else { vec![CASH_MARKET, FRACTIONAL_MARKET] };
    let coverage = history.coverage(&Filter { symbols: symbols.to_vec(), market_types, kinds: Vec::new() })?;
    let bars = history.bar_coverage(&BarFilter { symbols: symbols.to_vec(), ..BarFilter::default() })?;
    let imports = history.imports()?;
    let index = history.index_closes(crate::wiring::IBOVESPA, Date::MIN, Date::MAX)?;
    let sessions = history.sessions(Date::MIN, Date::MAX)?;
    let actions = history.corporate_actions(&Default::default())?.len();
    let marks = history.marks(&MarkFilter::default())?;
    let quarantined = marks.iter().filter(|mark| mark.quarantined).count();
    let collections = Memory::look(directory).map_err(Failure::failed)?;

    let rows = coverage.iter().take(SHOWN).map(|listing| {
        vec![
            listing.symbol.to_string(),
            listing.kind.name().to_owned(),
            listing.first.to_string(),
            listing.last.to_string(),
            listing.sessions.to_string(),
        ]
    });
    let mut text = table(&["Symbol", "Kind", "First", "Last", "Sessions"], 4, rows);
    if coverage.len() > SHOWN {
        text.push_str(&format!("\n… and {} more; narrow it with --symbols A,B", coverage.len() - SHOWN));
    }
    if !bars.is_empty() {
        text.push('\n');
        text.push_str(&bars_by_source(&bars));
    }
    for (name, progress) in &collections {
        let through = progress.through.map_or("nothing whole yet".to_owned(), |day| format!("through {day}"));
        text.push_str(&format!("\nCollection {name}: {through}"));
    }
    text.push_str(&format!(
        "\n{}, {} ({}), {} of the IBOVESPA ({}), {}, {} ({quarantined} in quarantine), {} imported",
        counted(coverage.len(), "listing"),
        counted(sessions.len(), "session"),
        span(sessions.first().copied(), sessions.last().copied()),
        counted(index.len(), "close"),
        span(index.first().map(|close| close.date), index.last().map(|close| close.date)),
        counted(actions, "corporate action"),
        counted(marks.len(), "mark"),
        counted(imports.len(), "file"),
    ));
    let json = serde_json::json!({
        "listings": coverage,
        "bars": bars,
        "sessions": sessions.len(),
        "first": sessions.first(),
        "last": sessions.last(),
        "index": { "name": crate::wiring::IBOVESPA, "closes": index.len() },
        "corporate_actions": actions,
        "marks": { "all": marks.len(), "quarantined": quarantined },
        "collections": collections,
        "imports": imports,
    });
    Ok(Answer::new(text, json))
}

fn bars_by_source(bars: &[store::BarCoverage]) -> String {
    let mut by_source: BTreeMap<_, (usize, u64, Date, Date)> = BTreeMap::new();
    for coverage in bars {
        let (first, last) = (coverage.first.local_date(), coverage.last.local_date());
        let known = by_source.entry((coverage.source, coverage.interval)).or_insert((0, 0, first, last));
        *known = (known.0 + 1, known.1 + coverage.bars, known.2.min(first), known.3.max(last));
    }
    let rows = by_source.into_iter().map(|((source, interval), (symbols, bars, first, last))| {
        vec![
            source.to_string(),
            interval.to_string(),
            first.to_string(),
            last.to_string(),
            symbols.to_string(),
            bars.to_string(),
        ]
    });
    table(&["Source", "Interval", "First", "Last", "Symbols", "Bars"], 4, rows)
}

fn span(first: Option<Date>, last: Option<Date>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "none".to_owned(),
    }
}
