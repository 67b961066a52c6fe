//! Reading what is few: imports, series, ISINs over time, corporate actions, members of indices.

use market::history::{CorporateAction, CorporateActionKind, IndexMember};
use market::{Date, Symbol, Timestamp};
use tokio_postgres::Row;

use super::super::fault::Fault;
use super::super::server::Session;
use super::copy::{bound, damaged, timestamp};
use super::fields::{count, decimal, isin, small, symbol};
use crate::digest::Digest;
use crate::history::action::in_order;
use crate::history::rank::rank;
use crate::history::{ActionFilter, BarCoverage, Identity, ImportCounts, ImportRecord, ImportSource, IsinSpan};

pub(super) async fn imports(session: &mut Session) -> Result<Vec<ImportRecord>, Fault> {
    let select = "SELECT name, kind, source, size, sha256, at, inserted, unchanged, updated, outranked FROM import
         ORDER BY id";
    session.rows(select, &[]).await?.iter().map(import_record).collect()
}

fn import_record(row: &Row) -> Result<ImportRecord, Fault> {
    let digest = |bytes: &[u8]| bytes.try_into().map(Digest::new).map_err(|_| damaged("fingerprint"));
    Ok(ImportRecord {
        source: ImportSource {
            name: row.try_get(0)?,
            kind: row.try_get(1)?,
            source: row.try_get::<_, &str>(2)?.parse().map_err(|_| damaged("source"))?,
            size: count(row, 3)?,
            sha256: row.try_get::<_, Option<&[u8]>>(4)?.map(digest).transpose()?,
            at: Timestamp::from_nanos(row.try_get(5)?),
        },
        counts: ImportCounts {
            inserted: count(row, 6)?,
            unchanged: count(row, 7)?,
            updated: count(row, 8)?,
            outranked: count(row, 9)?,
        },
    })
}

/// A few thousand series at most.
pub(super) async fn bar_coverage(session: &mut Session) -> Result<Vec<BarCoverage>, Fault> {
    let select = "SELECT source, symbol, interval, first_begin, last_begin, bars FROM bar_series";
    let rows = session.rows(select, &[]).await?;
    let coverage = |row: &Row| {
        Ok(BarCoverage {
            source: row.try_get::<_, &str>(0)?.parse().map_err(|_| damaged("source"))?,
            symbol: symbol(row, 1)?,
            interval: row.try_get::<_, &str>(2)?.parse().map_err(|_| damaged("interval"))?,
            first: timestamp(row.try_get(3)?)?,
            last: timestamp(row.try_get(4)?)?,
            bars: count(row, 5)?,
        })
    };
    rows.iter().map(coverage).collect()
}

pub(super) async fn isin_history(session: &mut Session, of: Identity) -> Result<Vec<IsinSpan>, Fault> {
    let rows = match &of {
        Identity::Symbol(symbol) => {
            let select = "SELECT symbol, isin, market_type, listing_isin.first_day, listing_isin.last_day
                 FROM listing_isin JOIN listing ON listing.id = listing_isin.listing WHERE symbol = $1";
            session.rows(select, &[&symbol.as_str()]).await?
        }
        Identity::Isin(isin) => {
            let select = "SELECT symbol, isin, market_type, listing_isin.first_day, listing_isin.last_day
                 FROM listing_isin JOIN listing ON listing.id = listing_isin.listing WHERE isin = $1";
            session.rows(select, &[&isin.as_str()]).await?
        }
    };
    let span = |row: &Row| {
        Ok::<_, Fault>(IsinSpan {
            symbol: symbol(row, 0)?,
            isin: isin(row, 1)?.ok_or_else(|| damaged("ISIN"))?,
            market_type: small(row, 2)?,
            first: row.try_get(3)?,
            last: row.try_get(4)?,
        })
    };
    let mut spans = rows.iter().map(span).collect::<Result<Vec<_>, _>>()?;
    spans.sort_unstable_by_key(|span| (span.first, span.last, span.symbol, span.market_type, span.isin));
    Ok(spans)
}

pub(super) async fn actions(session: &mut Session, filter: ActionFilter) -> Result<Vec<CorporateAction>, Fault> {
    let symbols: Vec<&str> = filter.symbols.iter().map(Symbol::as_str).collect();
    let isins: Vec<&str> = filter.isins.iter().map(market::Isin::as_str).collect();
    let select = "SELECT source, isin, symbol, kind, last_date_prior, approved_on, payment_date, amount::text,
                      ratio::text, label
                  FROM corporate_action";
    let rows = if symbols.is_empty() && isins.is_empty() {
        session.client.query(select, &[]).await?
    } else {
        let named = format!("{select} WHERE symbol = ANY($1) OR isin = ANY($2)");
        session.client.query(&named, &[&symbols, &isins]).await?
    };
    let mut found = rows.iter().map(action).collect::<Result<Vec<_>, _>>()?;
    found.retain(|action| filter.admits(action));
    Ok(in_order(found))
}

fn action(row: &Row) -> Result<CorporateAction, Fault> {
    let named = |column: usize| -> Result<Option<&str>, Fault> {
        Ok(Some(row.try_get::<_, &str>(column)?).filter(|text| !text.is_empty()))
    };
    let kind: &str = row.try_get(3)?;
    Ok(CorporateAction {
        source: row.try_get::<_, &str>(0)?.parse().map_err(|_| damaged("source"))?,
        isin: named(1)?.map(|isin| isin.parse().map_err(|_| damaged("ISIN"))).transpose()?,
        symbol: named(2)?.map(|symbol| symbol.parse().map_err(|_| damaged("symbol"))).transpose()?,
        kind: CorporateActionKind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| damaged("kind of action"))?,
        last_date_prior: row.try_get(4)?,
        approved_on: row.try_get(5)?,
        payment_date: row.try_get(6)?,
        amount: decimal(row.try_get(7)?)?,
        ratio: decimal(row.try_get(8)?)?,
        label: row.try_get(9)?,
    })
}

pub(super) async fn members(session: &mut Session, index: Symbol, on: Date) -> Result<Vec<IndexMember>, Fault> {
    let select = "SELECT source, day, symbol, theoretical_quantity::text, weight_percent::text, reductor::text
         FROM index_member
         WHERE name = $1 AND day = (SELECT max(day) FROM index_member WHERE name = $1 AND day <= $2)
         ORDER BY symbol";
    let rows = session.rows(select, &[&index.as_str(), &bound(on)]).await?;
    let mut found = Vec::new();
    for row in &rows {
        let source = row.try_get::<_, &str>(0)?.parse().map_err(|_| damaged("source"))?;
        let member = IndexMember {
            index,
            date: row.try_get(1)?,
            symbol: symbol(row, 2)?,
            theoretical_quantity: decimal(row.try_get(3)?)?,
            weight_percent: decimal(row.try_get(4)?)?,
            reductor: row.try_get::<_, Option<&str>>(5)?.map(decimal).transpose()?,
        };
        found.push((source, member));
    }
    let best = found.iter().map(|(source, _)| *source).min_by_key(|source| rank(*source));
    Ok(found.into_iter().filter(|(source, _)| Some(*source) == best).map(|(_, member)| member).collect())
}

pub(super) async fn index_names(session: &mut Session) -> Result<Vec<String>, Fault> {
    let select = "SELECT name FROM index_close UNION SELECT name FROM index_member ORDER BY name";
    let rows = session.rows(select, &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
