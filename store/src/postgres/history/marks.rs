//! Marks of quality: replacing and reading them.

use chrono::{DateTime, Utc};
use market::history::{QualityMark, QualityRule};
use tokio_postgres::{Client, Row};

use super::super::fault::Fault;
use super::super::server::Session;
use super::copy::{damaged, timestamp};
use crate::history::{MarkFilter, Marked, QualityRun};

/// Marks that one statement takes.
const AT_ONCE: usize = 5_000;

pub(super) async fn replace(client: &mut Client, run: QualityRun, marks: Vec<QualityMark>) -> Result<Marked, Fault> {
    let transaction = client.transaction().await?;
    let symbols: Vec<&str> = run.verified.iter().map(|series| series.symbol.as_str()).collect();
    let intervals: Vec<String> = run.verified.iter().map(|series| series.interval.to_string()).collect();
    let sources: Vec<&str> = run.verified.iter().map(|series| series.source.as_str()).collect();
    let removed = transaction
        .execute(
            "DELETE FROM quality_mark USING unnest($1::text[], $2::text[], $3::text[])
                 AS given (symbol, interval, source)
             WHERE quality_mark.symbol = given.symbol AND quality_mark.interval = given.interval
                 AND quality_mark.source = given.source",
            &[&symbols, &intervals, &sources],
        )
        .await?;
    for some in marks.chunks(AT_ONCE) {
        let symbols: Vec<&str> = some.iter().map(|mark| mark.symbol.as_str()).collect();
        let intervals: Vec<String> = some.iter().map(|mark| mark.interval.to_string()).collect();
        let sources: Vec<&str> = some.iter().map(|mark| mark.source.as_str()).collect();
        let at: Vec<DateTime<Utc>> = some.iter().map(|mark| mark.at.utc()).collect();
        let rules: Vec<&str> = some.iter().map(|mark| mark.rule.name()).collect();
        let details: Vec<&str> = some.iter().map(|mark| mark.detail.as_str()).collect();
        let quarantined: Vec<bool> = some.iter().map(|mark| mark.quarantined).collect();
        transaction
            .execute(
                "INSERT INTO quality_mark (symbol, interval, source, at, rule, detail, quarantined, found_at)
                 SELECT symbol, interval, source, at, rule, detail, quarantined, $8
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::bool[])
                     AS given (symbol, interval, source, at, rule, detail, quarantined)",
                &[&symbols, &intervals, &sources, &at, &rules, &details, &quarantined, &run.at.utc()],
            )
            .await?;
    }
    transaction.commit().await?;
    Ok(Marked { removed, written: marks.len() as u64 })
}

/// By symbol where the filter names some; the rest is sieved here.
pub(super) async fn read(session: &mut Session, filter: MarkFilter) -> Result<Vec<QualityMark>, Fault> {
    let symbols: Vec<&str> = filter.series.symbols.iter().map(|symbol| symbol.as_str()).collect();
    let rows = if symbols.is_empty() {
        session.rows("SELECT source, symbol, interval, at, rule, detail, quarantined FROM quality_mark", &[]).await?
    } else {
        session
            .rows(
                "SELECT source, symbol, interval, at, rule, detail, quarantined FROM quality_mark
                 WHERE symbol = ANY($1)",
                &[&symbols],
            )
            .await?
    };
    let mut found = rows.iter().map(mark).collect::<Result<Vec<_>, _>>()?;
    found.retain(|mark| filter.admits(mark));
    // The order of the fields.
    found.sort_unstable();
    Ok(found)
}

fn mark(row: &Row) -> Result<QualityMark, Fault> {
    let rule: &str = row.try_get(4)?;
    Ok(QualityMark {
        source: row.try_get::<_, &str>(0)?.parse().map_err(|_| damaged("source"))?,
        symbol: row.try_get::<_, &str>(1)?.parse().map_err(|_| damaged("symbol"))?,
        interval: row.try_get::<_, &str>(2)?.parse().map_err(|_| damaged("interval"))?,
        at: timestamp(row.try_get(3)?)?,
        rule: QualityRule::ALL.into_iter().find(|known| known.name() == rule).ok_or_else(|| damaged("rule"))?,
        detail: row.try_get(5)?,
        quarantined: row.try_get(6)?,
    })
}
