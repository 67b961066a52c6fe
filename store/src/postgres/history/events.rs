//! Index closes, members of indices and corporate actions of a running import: few rows, so they go
//! as arrays and the rules are applied here.

use std::collections::HashMap;

use market::history::{CorporateAction, IndexMember, SourceName};
use market::{Date, IndexClose, Isin, Symbol};
use tokio_postgres::Client;

use super::super::fault::Fault;
use super::copy::damaged;
use crate::history::ImportCounts;
use crate::history::rank::rank;

/// The better source's close stays, whichever came first.
pub(super) async fn closes(
    client: &Client,
    import: i64,
    source: SourceName,
    closes: &[(String, IndexClose)],
    counts: &mut ImportCounts,
) -> Result<(), Fault> {
    let names: Vec<&str> = closes.iter().map(|(name, _)| name.as_str()).collect();
    let days: Vec<Date> = closes.iter().map(|(_, close)| close.date).collect();
    let rows = client
        .query(
            "SELECT name, day, source, close FROM index_close
             JOIN unnest($1::text[], $2::date[]) AS given (name, day) USING (name, day)",
            &[&names, &days],
        )
        .await?;
    let mut known: HashMap<(String, Date), (SourceName, i64)> = HashMap::new();
    for row in &rows {
        let source = row.try_get::<_, &str>(2)?.parse().map_err(|_| damaged("source"))?;
        known.insert((row.try_get(0)?, row.try_get(1)?), (source, row.try_get(3)?));
    }
    let (mut names, mut days, mut points): (Vec<&str>, Vec<Date>, Vec<i64>) = Default::default();
    for (name, close) in closes {
        let steps = close.close.steps();
        match known.get(&(name.clone(), close.date)) {
            Some(same) if *same == (source, steps) => {
                counts.unchanged += 1;
                continue;
            }
            Some((better, _)) if rank(*better) < rank(source) => {
                counts.outranked += 1;
                continue;
            }
            Some(_) => counts.updated += 1,
            None => counts.inserted += 1,
        }
        names.push(name);
        days.push(close.date);
        points.push(steps);
    }
    client
        .execute(
            "INSERT INTO index_close (name, day, import, source, close)
             SELECT name, day, $1, $2, close FROM unnest($3::text[], $4::date[], $5::bigint[])
                 AS given (name, day, close)
             ON CONFLICT (name, day) DO UPDATE
             SET import = excluded.import, source = excluded.source, close = excluded.close",
            &[&import, &source.as_str(), &names, &days, &points],
        )
        .await?;
    Ok(())
}

/// Decimals go as text, which the server reads exactly.
pub(super) async fn members(
    client: &Client,
    import: i64,
    source: SourceName,
    members: &[IndexMember],
    counts: &mut ImportCounts,
) -> Result<(), Fault> {
    let names: Vec<&str> = members.iter().map(|member| member.index.as_str()).collect();
    let days: Vec<Date> = members.iter().map(|member| member.date).collect();
    let symbols: Vec<&str> = members.iter().map(|member| member.symbol.as_str()).collect();
    let quantities: Vec<String> = members.iter().map(|member| member.theoretical_quantity.to_string()).collect();
    let weights: Vec<String> = members.iter().map(|member| member.weight_percent.to_string()).collect();
    let reductors: Vec<Option<String>> =
        members.iter().map(|member| member.reductor.map(|reductor| reductor.to_string())).collect();
    let given = "unnest($3::text[], $4::date[], $5::text[], $6::text[], $7::text[], $8::text[])
                     AS given (name, day, symbol, quantity, weight, reductor)";
    let with: [super::super::server::Parameter<'_>; 8] =
        [&import, &source.as_str(), &names, &days, &symbols, &quantities, &weights, &reductors];
    // Before the insert, which would find everything there.
    let update = format!(
        "UPDATE index_member AS member SET import = $1, theoretical_quantity = quantity::numeric,
             weight_percent = weight::numeric, reductor = given.reductor::numeric
         FROM {given}
         WHERE member.name = given.name AND member.day = given.day AND member.source = $2
             AND member.symbol = given.symbol AND (theoretical_quantity, weight_percent, member.reductor)
             IS DISTINCT FROM (quantity::numeric, weight::numeric, given.reductor::numeric)"
    );
    let updated = client.execute(&update, &with).await?;
    let insert = format!(
        "INSERT INTO index_member (name, day, source, symbol, import, theoretical_quantity, weight_percent, reductor)
         SELECT name, day, $2, symbol, $1, quantity::numeric, weight::numeric, reductor::numeric FROM {given}
         ON CONFLICT (name, day, source, symbol) DO NOTHING"
    );
    let inserted = client.execute(&insert, &with).await?;
    count(counts, members.len(), inserted, updated);
    Ok(())
}

pub(super) async fn actions(
    client: &Client,
    import: i64,
    actions: &[CorporateAction],
    counts: &mut ImportCounts,
) -> Result<(), Fault> {
    let sources: Vec<&str> = actions.iter().map(|action| action.source.as_str()).collect();
    let isins: Vec<&str> = actions.iter().map(|action| action.isin.as_ref().map_or("", Isin::as_str)).collect();
    let symbols: Vec<&str> = actions.iter().map(|action| action.symbol.as_ref().map_or("", Symbol::as_str)).collect();
    let kinds: Vec<&str> = actions.iter().map(|action| action.kind.name()).collect();
    let days: Vec<Date> = actions.iter().map(|action| action.last_date_prior).collect();
    let amounts: Vec<String> = actions.iter().map(|action| action.amount.to_string()).collect();
    let ratios: Vec<String> = actions.iter().map(|action| action.ratio.to_string()).collect();
    let approved: Vec<Option<Date>> = actions.iter().map(|action| action.approved_on).collect();
    let payments: Vec<Option<Date>> = actions.iter().map(|action| action.payment_date).collect();
    let labels: Vec<&str> = actions.iter().map(|action| action.label.as_str()).collect();
    let given = "unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::text[], $8::text[],
                     $9::date[], $10::date[], $11::text[])
                 AS given (source, isin, symbol, kind, day, amount, ratio, approved, payment, label)";
    let with: [super::super::server::Parameter<'_>; 11] =
        [&import, &sources, &isins, &symbols, &kinds, &days, &amounts, &ratios, &approved, &payments, &labels];
    let update = format!(
        "UPDATE corporate_action AS action SET import = $1, approved_on = coalesce(approved, approved_on),
             payment_date = coalesce(payment, payment_date), label = given.label
         FROM {given}
         WHERE action.source = given.source AND action.isin = given.isin AND action.symbol = given.symbol
             AND action.kind = given.kind AND last_date_prior = day AND action.amount = given.amount::numeric
             AND action.ratio = given.ratio::numeric
             AND (approved_on, payment_date, action.label)
                 IS DISTINCT FROM (coalesce(approved, approved_on), coalesce(payment, payment_date), given.label)"
    );
    let updated = client.execute(&update, &with).await?;
    let insert = format!(
        "INSERT INTO corporate_action (import, source, isin, symbol, kind, last_date_prior, amount, ratio,
             approved_on, payment_date, label)
         SELECT $1, source, isin, symbol, kind, day, amount::numeric, ratio::numeric, approved, payment, label
         FROM {given}
         ON CONFLICT (source, isin, symbol, kind, last_date_prior, amount, ratio) DO NOTHING"
    );
    let inserted = client.execute(&insert, &with).await?;
    count(counts, actions.len(), inserted, updated);
    Ok(())
}

fn count(counts: &mut ImportCounts, given: usize, inserted: u64, updated: u64) {
    counts.inserted += inserted;
    counts.updated += updated;
    counts.unchanged += given as u64 - inserted - updated;
}
