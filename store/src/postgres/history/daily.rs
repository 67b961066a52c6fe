//! Daily records of a running import.
//!
//! Most imports bring days that were not there: their rows go straight into the table. The first
//! chunk with a row that is there already is taken back, and from then on chunks go through a
//! temporary table and are merged.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use market::history::{CASH_MARKET, FRACTIONAL_MARKET};
use market::{DailyRecord, Date, Isin, Symbol};
use tokio_postgres::Client;

use super::super::fault::Fault;
use super::copy::Rows;
use super::partitions::{Parted, Partitions};
use crate::history::ImportCounts;
use crate::history::exact::{self, ExactDaily};

/// Symbol, market type, days of a forward's term.
pub(super) type ListingKey = (Symbol, u16, u16);

const KEYED: &str = "listing, day";
/// What two rows of a key may differ in.
const VALUES: &str = "open, high, low, average, close, best_bid, best_ask, trades, quantity, turnover_centavos, \
                      strike, strike_points, quotation_factor, strike_correction, bdi_code, distribution, expiry, \
                      kind, isin, company, specification";
/// Key, import and values.
const COLUMNS: i16 = 24;

/// Listings that one statement updates: a fraction of a second each.
const AT_ONCE: usize = 10_000;

/// What this import knows of a listing.
struct Listing {
    id: i32,
    cash: bool,
    inserted: i64,
    first: Date,
    last: Date,
    updated: bool,
    isins: Vec<(Isin, Date, Date)>,
}

#[derive(Default)]
pub(super) struct DailyRows {
    places: HashMap<ListingKey, usize>,
    by_id: HashMap<i32, usize>,
    listings: Vec<Listing>,
    sessions: BTreeMap<Date, i64>,
    merging: bool,
}

impl DailyRows {
    pub(super) async fn take(
        &mut self,
        client: &Client,
        partitions: &mut Partitions,
        import: i64,
        rows: &[(DailyRecord, ExactDaily)],
        counts: &mut ImportCounts,
    ) -> Result<(), Fault> {
        self.number(client, rows).await?;
        let parts: BTreeSet<_> = rows.iter().map(|(record, _)| Parted::DailyRecord.part(record.date)).collect();
        partitions.make(client, &parts).await?;
        let table = Parted::DailyRecord.name();
        if !self.merging {
            let encoded = self.encoded(rows, import);
            if encoded.send_if_new(client, &copy_into(table)).await? {
                for (record, _) in rows {
                    let place = self.places.get(&key_of(record)).copied();
                    self.inserted(place, record.date);
                }
                counts.inserted += rows.len() as u64;
                return Ok(());
            }
            client.batch_execute("CREATE TEMP TABLE staged_record (LIKE daily_record) ON COMMIT DROP").await?;
            self.merging = true;
        }
        self.encoded(rows, import).send(client, &copy_into("staged_record")).await?;
        let inserted = client
            .query(
                "INSERT INTO daily_record SELECT * FROM staged_record ON CONFLICT (listing, day) DO NOTHING
                 RETURNING listing, day",
                &[],
            )
            .await?;
        for row in &inserted {
            let place = self.by_id.get(&row.try_get::<_, i32>(0)?).copied();
            self.inserted(place, row.try_get(1)?);
        }
        let dates = rows.iter().map(|(record, _)| record.date);
        let (first, last) = (dates.clone().min(), dates.max());
        let updated = client.query(&update(), &[&first, &last]).await?;
        for row in &updated {
            let place = self.by_id.get(&row.try_get::<_, i32>(0)?).copied();
            if let Some(listing) = place.and_then(|place| self.listings.get_mut(place)) {
                listing.updated = true;
            }
        }
        client.batch_execute("TRUNCATE staged_record").await?;
        let (inserted, updated) = (inserted.len() as u64, updated.len() as u64);
        counts.inserted += inserted;
        counts.updated += updated;
        counts.unchanged += rows.len() as u64 - inserted - updated;
        Ok(())
    }

    fn inserted(&mut self, place: Option<usize>, day: Date) {
        let Some(listing) = place.and_then(|place| self.listings.get_mut(place)) else { return };
        listing.inserted += 1;
        (listing.first, listing.last) = (listing.first.min(day), listing.last.max(day));
        *self.sessions.entry(day).or_default() += 1;
    }

    /// Learns the numbers of listings that this import has not met yet; gives them to new ones.
    async fn number(&mut self, client: &Client, rows: &[(DailyRecord, ExactDaily)]) -> Result<(), Fault> {
        let mut new: BTreeMap<ListingKey, Date> = BTreeMap::new();
        for (record, _) in rows {
            if !self.places.contains_key(&key_of(record)) {
                new.entry(key_of(record)).or_insert(record.date);
            }
        }
        if !new.is_empty() {
            let symbols: Vec<&str> = new.keys().map(|(symbol, ..)| symbol.as_str()).collect();
            let markets: Vec<i32> = new.keys().map(|(_, market, _)| i32::from(*market)).collect();
            let terms: Vec<i32> = new.keys().map(|(.., term)| i32::from(*term)).collect();
            let days: Vec<Date> = new.values().copied().collect();
            // Days are set here and widened at the end: a new listing always gets this day's row.
            let found = client
                .query(
                    "WITH given AS (
                         SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::date[])
                         AS given (symbol, market_type, term_days, day)
                     ), added AS (
                         INSERT INTO listing (symbol, market_type, term_days, first_day, last_day, sessions)
                         SELECT symbol, market_type, term_days, day, day, 0 FROM given
                         ON CONFLICT DO NOTHING RETURNING id, symbol, market_type, term_days
                     )
                     SELECT id, symbol, market_type, term_days FROM added
                     UNION ALL
                     SELECT id, symbol, market_type, term_days FROM given JOIN listing
                     USING (symbol, market_type, term_days)",
                    &[&symbols, &markets, &terms, &days],
                )
                .await?;
            for row in &found {
                self.know(row, &new)?;
            }
        }
        for (record, _) in rows {
            let Some(place) = self.places.get(&key_of(record)) else {
                return Err(Fault::Damaged(format!("the listing of {} got no number", record.symbol)));
            };
            if let Some((listing, isin)) = self.listings.get_mut(*place).zip(record.isin) {
                listing.had(isin, record.date);
            }
        }
        Ok(())
    }

    fn know(&mut self, row: &tokio_postgres::Row, new: &BTreeMap<ListingKey, Date>) -> Result<(), Fault> {
        let small = |column| -> Result<u16, Fault> {
            u16::try_from(row.try_get::<_, i32>(column)?).map_err(|_| super::copy::damaged("market type or term"))
        };
        let symbol = row.try_get::<_, &str>(1)?.parse().map_err(|_| super::copy::damaged("symbol"))?;
        let key = (symbol, small(2)?, small(3)?);
        let Some(day) = new.get(&key) else { return Ok(()) };
        let id = row.try_get(0)?;
        self.places.insert(key, self.listings.len());
        self.by_id.insert(id, self.listings.len());
        let cash = [CASH_MARKET, FRACTIONAL_MARKET].contains(&key.1);
        // Both ends move to the first row that is new.
        self.listings.push(Listing {
            id,
            cash,
            inserted: 0,
            first: *day,
            last: *day,
            updated: false,
            isins: Vec::new(),
        });
        Ok(())
    }

    fn encoded(&self, records: &[(DailyRecord, ExactDaily)], import: i64) -> Rows {
        let mut rows = Rows::new();
        for (record, exact) in records {
            let listing = self.places.get(&key_of(record)).and_then(|place| self.listings.get(*place));
            let Some(listing) = listing else { continue };
            encode(&mut rows, listing.id, import, record, *exact);
        }
        rows
    }

    /// Writes what is known of listings and sessions without a scan.
    pub(super) async fn finish(&self, client: &Client) -> Result<(), Fault> {
        let grown: Vec<&Listing> = self.listings.iter().filter(|listing| listing.inserted > 0).collect();
        for some in grown.chunks(AT_ONCE) {
            let ids: Vec<i32> = some.iter().map(|listing| listing.id).collect();
            let first: Vec<Date> = some.iter().map(|listing| listing.first).collect();
            let last: Vec<Date> = some.iter().map(|listing| listing.last).collect();
            let inserted: Vec<i64> = some.iter().map(|listing| listing.inserted).collect();
            client
                .execute(
                    "UPDATE listing SET first_day = least(first_day, given.first), last_day = greatest(last_day, given.last),
                         sessions = listing.sessions + given.inserted
                     FROM unnest($1::int[], $2::date[], $3::date[], $4::bigint[]) AS given (id, first, last, inserted)
                     WHERE listing.id = given.id",
                    &[&ids, &first, &last, &inserted],
                )
                .await?;
        }
        let days: Vec<Date> = self.sessions.keys().copied().collect();
        let records: Vec<i64> = self.sessions.values().copied().collect();
        client
            .execute(
                "INSERT INTO session (day, records) SELECT * FROM unnest($1::date[], $2::bigint[])
                 ON CONFLICT (day) DO UPDATE SET records = session.records + excluded.records",
                &[&days, &records],
            )
            .await?;
        self.keep_isins(client).await
    }

    async fn keep_isins(&self, client: &Client) -> Result<(), Fault> {
        let sound = self.listings.iter().filter(|listing| listing.cash && !listing.updated);
        let spans: Vec<(i32, &Isin, Date, Date)> = sound
            .flat_map(|listing| listing.isins.iter().map(|(isin, first, last)| (listing.id, isin, *first, *last)))
            .collect();
        for some in spans.chunks(AT_ONCE) {
            let ids: Vec<i32> = some.iter().map(|span| span.0).collect();
            let isins: Vec<&str> = some.iter().map(|span| span.1.as_str()).collect();
            let first: Vec<Date> = some.iter().map(|span| span.2).collect();
            let last: Vec<Date> = some.iter().map(|span| span.3).collect();
            client
                .execute(
                    "INSERT INTO listing_isin (listing, isin, first_day, last_day)
                     SELECT * FROM unnest($1::int[], $2::text[], $3::date[], $4::date[])
                     ON CONFLICT (listing, isin) DO UPDATE
                     SET first_day = least(listing_isin.first_day, excluded.first_day),
                         last_day = greatest(listing_isin.last_day, excluded.last_day)",
                    &[&ids, &isins, &first, &last],
                )
                .await?;
        }
        // A correction may have taken an ISIN away.
        let corrected: Vec<i32> =
            self.listings.iter().filter(|listing| listing.cash && listing.updated).map(|listing| listing.id).collect();
        for some in corrected.chunks(AT_ONCE / 100) {
            count_isins_anew(client, some).await?;
        }
        Ok(())
    }
}

/// Makes the spans of these listings from their records.
pub(super) async fn count_isins_anew(client: &Client, listings: &[i32]) -> Result<(), Fault> {
    client.execute("DELETE FROM listing_isin WHERE listing = ANY($1)", &[&listings]).await?;
    client
        .execute(
            "INSERT INTO listing_isin SELECT listing, isin, min(day), max(day) FROM daily_record
             WHERE listing = ANY($1) AND isin IS NOT NULL GROUP BY listing, isin",
            &[&listings],
        )
        .await?;
    Ok(())
}

impl Listing {
    fn had(&mut self, isin: Isin, day: Date) {
        if !self.cash {
            return;
        }
        match self.isins.iter_mut().find(|(known, ..)| *known == isin) {
            Some((_, first, last)) => (*first, *last) = (day.min(*first), day.max(*last)),
            None => self.isins.push((isin, day, day)),
        }
    }
}

fn key_of(record: &DailyRecord) -> ListingKey {
    (record.symbol, record.market_type, record.term_days)
}

pub(super) fn copy_into(table: &str) -> String {
    format!("COPY {table} ({KEYED}, import, {VALUES}) FROM STDIN BINARY")
}

/// The bounds let the server look only at the parts that matter.
fn update() -> String {
    let of = |table: &str| {
        VALUES.split(", ").map(|column| format!("{table}.{}", column.trim())).collect::<Vec<_>>().join(", ")
    };
    let (old, new) = (of("daily_record"), of("staged_record"));
    format!(
        "UPDATE daily_record SET (import, {VALUES}) = ROW(staged_record.import, {new}) FROM staged_record
         WHERE daily_record.listing = staged_record.listing AND daily_record.day = staged_record.day
             AND daily_record.day BETWEEN $1 AND $2 AND ({old}) IS DISTINCT FROM ({new})
         RETURNING daily_record.listing"
    )
}

pub(super) fn encode(rows: &mut Rows, listing: i32, import: i64, record: &DailyRecord, exact: ExactDaily) {
    let prices = [record.open, record.high, record.low, record.average, record.close, record.best_bid, record.best_ask];
    rows.row(COLUMNS);
    rows.integer(listing);
    rows.date(record.date);
    rows.bigint(import);
    for price in prices {
        rows.bigint(price.steps());
    }
    rows.bigint(record.trades.into());
    rows.bigint(record.quantity.units());
    rows.bigint(exact.turnover_centavos);
    rows.bigint(record.strike.steps());
    rows.bigint(exact.strike_points);
    rows.bigint(record.quotation_factor.into());
    rows.integer(record.strike_correction.into());
    rows.integer(record.bdi_code.into());
    rows.integer(record.distribution.into());
    match record.expiry {
        Some(expiry) => rows.date(expiry),
        None => rows.null(),
    }
    rows.text(record.kind.name());
    match record.isin {
        Some(isin) => rows.text(isin.as_str()),
        None => rows.null(),
    }
    rows.text(&exact::fixed(&record.company));
    rows.text(&exact::fixed(&record.specification));
}
