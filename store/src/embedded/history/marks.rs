//! Marks of quality: replacing and reading them.

use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use market::Timestamp;
use market::history::QualityMark;

use super::super::database::Fault;
use super::super::row;
use crate::history::{BarSeries, MarkFilter, Marked, QualityRun};

pub(super) fn replace(connection: &mut Connection, run: &QualityRun, marks: &[QualityMark]) -> Result<Marked, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let removed = remove(&transaction, &run.verified)?;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO quality_mark (symbol, interval, source, at, rule, detail, quarantined, found_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        for mark in marks {
            insert.execute(params![
                mark.symbol.as_str(),
                mark.interval.to_string(),
                mark.source.as_str(),
                mark.at.as_nanos(),
                mark.rule.name(),
                mark.detail,
                mark.quarantined,
                run.at.as_nanos()
            ])?;
        }
    }
    transaction.commit()?;
    Ok(Marked { removed, written: marks.len() as u64 })
}

fn remove(transaction: &Transaction<'_>, verified: &[BarSeries]) -> Result<u64, Fault> {
    let mut delete =
        transaction.prepare_cached("DELETE FROM quality_mark WHERE symbol = ?1 AND interval = ?2 AND source = ?3")?;
    let mut removed = 0;
    for BarSeries { source, symbol, interval } in verified {
        removed += delete.execute(params![symbol.as_str(), interval.to_string(), source.as_str()])? as u64;
    }
    Ok(removed)
}

/// By symbol where the filter names some; the rest is sieved here.
pub(super) fn read(connection: &Connection, filter: &MarkFilter) -> Result<Vec<QualityMark>, Fault> {
    const SELECT: &str = "SELECT source, symbol, interval, at, rule, detail, quarantined FROM quality_mark";
    let mut found = Vec::new();
    if filter.series.symbols.is_empty() {
        let mut statement = connection.prepare_cached(SELECT)?;
        found = statement.query_map([], mark)?.collect::<Result<_, _>>()?;
    }
    let mut of_symbol = connection.prepare_cached(&format!("{SELECT} WHERE symbol = ?1"))?;
    for symbol in &filter.series.symbols {
        found.extend(of_symbol.query_map([symbol.as_str()], mark)?.collect::<Result<Vec<_>, _>>()?);
    }
    found.retain(|mark| filter.admits(mark));
    // The order of the fields; a symbol may be asked for twice.
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn mark(found: &Row<'_>) -> rusqlite::Result<QualityMark> {
    Ok(QualityMark {
        source: row::source(&found.get::<_, String>(0)?)?,
        symbol: row::symbol(&found.get::<_, String>(1)?)?,
        interval: row::interval(&found.get::<_, String>(2)?)?,
        at: Timestamp::from_nanos(found.get(3)?),
        rule: row::rule(&found.get::<_, String>(4)?)?,
        detail: found.get(5)?,
        quarantined: found.get(6)?,
    })
}
