//! Reading ISINs over time, corporate actions and members of indices.

use rusqlite::{Connection, Row, params};

use market::history::{CorporateAction, IndexMember};
use market::{Date, Symbol};

use super::super::database::Fault;
use super::super::row;
use crate::history::action::in_order;
use crate::history::rank::rank;
use crate::history::{ActionFilter, Identity, IsinSpan};

pub(super) fn isin_history(connection: &Connection, of: Identity) -> Result<Vec<IsinSpan>, Fault> {
    let (column, name) = match &of {
        Identity::Symbol(symbol) => ("symbol", symbol.as_str()),
        Identity::Isin(isin) => ("isin", isin.as_str()),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT symbol, isin, market_type, listing_isin.first_day, listing_isin.last_day
         FROM listing_isin JOIN listing ON listing.id = listing_isin.listing
         WHERE {column} = ?1 ORDER BY listing_isin.first_day, listing_isin.last_day, symbol, market_type, isin"
    ))?;
    let spans = statement.query_map([name], |found| {
        Ok(IsinSpan {
            symbol: row::symbol(&found.get::<_, String>(0)?)?,
            isin: found.get::<_, String>(1)?.parse().map_err(|_| row::wrong("isin"))?,
            market_type: found.get(2)?,
            first: row::date(found.get(3)?)?,
            last: row::date(found.get(4)?)?,
        })
    })?;
    Ok(spans.collect::<Result<_, _>>()?)
}

/// By an index wherever the filter allows; the rest is sieved here.
pub(super) fn actions(connection: &Connection, filter: &ActionFilter) -> Result<Vec<CorporateAction>, Fault> {
    const SELECT: &str = "SELECT source, isin, symbol, kind, last_date_prior, approved_on, payment_date, amount,
                              ratio, label, id FROM corporate_action";
    let mut found = Vec::new();
    if filter.symbols.is_empty() && filter.isins.is_empty() {
        let mut statement = connection.prepare_cached(SELECT)?;
        found = statement.query_map([], action)?.collect::<Result<_, _>>()?;
    }
    let mut by_symbol = connection.prepare_cached(&format!("{SELECT} WHERE symbol = ?1"))?;
    for symbol in &filter.symbols {
        found.extend(by_symbol.query_map([symbol.as_str()], action)?.collect::<Result<Vec<_>, _>>()?);
    }
    let mut by_isin = connection.prepare_cached(&format!("{SELECT} WHERE isin = ?1"))?;
    for isin in &filter.isins {
        found.extend(by_isin.query_map([isin.as_str()], action)?.collect::<Result<Vec<_>, _>>()?);
    }
    // One action may have both names, and a name may be asked for twice.
    found.sort_unstable_by_key(|(id, _)| *id);
    found.dedup_by_key(|(id, _)| *id);
    found.retain(|(_, action)| filter.admits(action));
    Ok(in_order(found.into_iter().map(|(_, action)| action).collect()))
}

fn action(found: &Row<'_>) -> rusqlite::Result<(i64, CorporateAction)> {
    let text = |column: usize| found.get::<_, String>(column);
    let named = |text: String| Some(text).filter(|text| !text.is_empty());
    let day = |column: usize| found.get::<_, Option<i64>>(column)?.map(row::date).transpose();
    let action = CorporateAction {
        source: row::source(&text(0)?)?,
        isin: row::isin(named(text(1)?))?,
        symbol: named(text(2)?).map(|symbol| row::symbol(&symbol)).transpose()?,
        kind: row::action_kind(&text(3)?)?,
        last_date_prior: row::date(found.get(4)?)?,
        approved_on: day(5)?,
        payment_date: day(6)?,
        amount: row::decimal(&text(7)?)?,
        ratio: row::decimal(&text(8)?)?,
        label: text(9)?,
    };
    Ok((found.get(10)?, action))
}

pub(super) fn members(connection: &Connection, index: Symbol, on: Date) -> Result<Vec<IndexMember>, Fault> {
    let mut latest = connection.prepare_cached(
        "SELECT day, source FROM index_member
         WHERE name = ?1 AND day = (SELECT max(day) FROM index_member WHERE name = ?1 AND day <= ?2)
         GROUP BY source",
    )?;
    let portfolios = latest.query_map(params![index.as_str(), row::day_bound(on)], |found| {
        Ok((found.get::<_, i64>(0)?, row::source(&found.get::<_, String>(1)?)?))
    })?;
    let portfolios = portfolios.collect::<Result<Vec<_>, _>>()?;
    let Some((day, source)) = portfolios.into_iter().min_by_key(|(_, source)| rank(*source)) else {
        return Ok(Vec::new());
    };
    let date = row::date(day)?;
    let mut statement = connection.prepare_cached(
        "SELECT symbol, theoretical_quantity, weight_percent, reductor FROM index_member
         WHERE name = ?1 AND day = ?2 AND source = ?3 ORDER BY symbol",
    )?;
    let members = statement.query_map(params![index.as_str(), day, source.as_str()], |found| {
        Ok(IndexMember {
            index,
            date,
            symbol: row::symbol(&found.get::<_, String>(0)?)?,
            theoretical_quantity: row::decimal(&found.get::<_, String>(1)?)?,
            weight_percent: row::decimal(&found.get::<_, String>(2)?)?,
            reductor: found.get::<_, Option<String>>(3)?.map(|text| row::decimal(&text)).transpose()?,
        })
    })?;
    Ok(members.collect::<Result<_, _>>()?)
}

pub(super) fn index_names(connection: &Connection) -> Result<Vec<String>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM index_close UNION SELECT name FROM index_member ORDER BY name")?;
    let names = statement.query_map([], |found| found.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}
