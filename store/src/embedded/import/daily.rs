//! Daily records of a running import: they wait until there are many, then go in by listing and day.
//! A file goes by day and the table by listing: in the file's order every day would touch a page of
//! every listing.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, Statement, params};

use market::history::{CASH_MARKET, FRACTIONAL_MARKET};
use market::{DailyRecord, Isin, Symbol};

use super::super::database::Fault;
use super::super::row;
use super::{Change, Upsert};
use crate::error::StoreError;
use crate::history::ImportCounts;
use crate::history::exact::{self, ExactDaily};
use crate::history::seen::Places;

/// Records that wait at most: six sessions of the full market, 20 MB.
const WAITING: usize = 65_536;

/// Symbol, market type, days of a forward's term.
type ListingKey = (Symbol, u16, u16);

/// What this import knows of a listing.
struct Listing {
    id: i64,
    /// Days that this import has brought.
    seen: Places<i32>,
    /// How many of them were new.
    inserted: i64,
    /// Whether one of them was corrected: then its ISIN may be another one.
    updated: bool,
    /// First and last day with each ISIN, on the cash and fractional market.
    isins: Vec<(Isin, i32, i32)>,
}

struct Waiting {
    listing: usize,
    id: i64,
    day: i32,
    exact: ExactDaily,
    record: DailyRecord,
}

pub(super) struct DailyImport<'a> {
    connection: &'a Connection,
    records: Upsert<'a>,
    find_listing: Statement<'a>,
    add_listing: Statement<'a>,
    places: HashMap<ListingKey, usize>,
    listings: Vec<Listing>,
    sessions: BTreeMap<i32, i64>,
    waiting: Vec<Waiting>,
}

impl<'a> DailyImport<'a> {
    pub(super) fn begin(connection: &'a Connection) -> Result<Self, Fault> {
        Ok(Self {
            connection,
            records: Upsert {
                insert: connection.prepare(&row::insert_sql())?,
                update: connection.prepare(&row::update_sql())?,
            },
            find_listing: connection
                .prepare("SELECT id FROM listing WHERE symbol = ?1 AND market_type = ?2 AND term_days = ?3")?,
            // Its days are set here and widened at the end: a new listing always gets this day's row.
            add_listing: connection.prepare(
                "INSERT INTO listing (symbol, market_type, term_days, first_day, last_day, sessions)
                 VALUES (?1, ?2, ?3, ?4, ?4, 0)",
            )?,
            places: HashMap::new(),
            listings: Vec::new(),
            sessions: BTreeMap::new(),
            waiting: Vec::new(),
        })
    }

    pub(super) fn take(&mut self, record: &DailyRecord, import: i64, counts: &mut ImportCounts) -> Result<(), Fault> {
        // Everything that can refuse the line comes before the first write.
        let exact = exact::daily(record)?;
        let day = row::day_number(record.date)
            .ok_or_else(|| exact::refused(exact::daily_key(record), "date", &record.date))?;
        let place = self.listing((record.symbol, record.market_type, record.term_days), day)?;
        let Some(listing) = self.listings.get_mut(place) else { return Ok(()) };
        if !listing.seen.take(day) {
            return Err(StoreError::DuplicateKey { key: exact::daily_key(record) }.into());
        }
        if let Some(isin) = record.isin.filter(|_| [CASH_MARKET, FRACTIONAL_MARKET].contains(&record.market_type)) {
            listing.had(isin, day);
        }
        self.waiting.push(Waiting { listing: place, id: listing.id, day, exact, record: *record });
        if self.waiting.len() < WAITING { Ok(()) } else { self.flush(import, counts) }
    }

    /// The place of a listing in this import's list; its number is given now if it has none.
    fn listing(&mut self, key: ListingKey, day: i32) -> Result<usize, Fault> {
        let free = match self.places.entry(key) {
            Entry::Occupied(known) => return Ok(*known.get()),
            Entry::Vacant(free) => free,
        };
        let (symbol, market_type, term_days) = key;
        let known = self
            .find_listing
            .query_row(params![symbol.as_str(), market_type, term_days], |found| found.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => self.add_listing.insert(params![symbol.as_str(), market_type, term_days, day])?,
        };
        let listing = Listing { id, seen: Places::default(), inserted: 0, updated: false, isins: Vec::new() };
        self.listings.push(listing);
        Ok(*free.insert(self.listings.len() - 1))
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self, import: i64, counts: &mut ImportCounts) -> Result<(), Fault> {
        self.waiting.sort_unstable_by_key(|waiting| (waiting.id, waiting.day));
        for Waiting { listing, id, day, exact, record } in self.waiting.drain(..) {
            let change = self.records.put(|statement| row::bind(statement, (id, day, import), &record, exact))?;
            counts.count(change);
            let Some(listing) = self.listings.get_mut(listing) else { continue };
            match change {
                Change::Inserted => {
                    listing.inserted += 1;
                    *self.sessions.entry(day).or_default() += 1;
                }
                Change::Updated => listing.updated = true,
                Change::Unchanged | Change::Outranked => {}
            }
        }
        Ok(())
    }

    /// Writes the rest, and what is known of listings and sessions without a scan.
    pub(super) fn finish(&mut self, import: i64, counts: &mut ImportCounts) -> Result<(), Fault> {
        self.flush(import, counts)?;
        let mut widen = self.connection.prepare(
            "UPDATE listing SET first_day = min(first_day, ?2), last_day = max(last_day, ?3), sessions = sessions + ?4
             WHERE id = ?1",
        )?;
        for listing in self.listings.iter().filter(|listing| listing.inserted > 0) {
            let (first, last) = listing.seen.ends().unzip();
            widen.execute(params![listing.id, first, last, listing.inserted])?;
        }
        let mut add = self.connection.prepare(
            "INSERT INTO session (day, records) VALUES (?1, ?2)
             ON CONFLICT (day) DO UPDATE SET records = records + excluded.records",
        )?;
        for (day, records) in &self.sessions {
            add.execute(params![day, records])?;
        }
        self.keep_isins()
    }

    fn keep_isins(&self) -> Result<(), Fault> {
        let mut widen = self.connection.prepare(
            "INSERT INTO listing_isin (listing, isin, first_day, last_day) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (listing, isin) DO UPDATE SET first_day = min(first_day, excluded.first_day),
                 last_day = max(last_day, excluded.last_day)",
        )?;
        let mut forget = self.connection.prepare("DELETE FROM listing_isin WHERE listing = ?1")?;
        let mut count_anew = self.connection.prepare(
            "INSERT INTO listing_isin SELECT listing, isin, min(day), max(day) FROM daily_record
             WHERE listing = ?1 AND isin IS NOT NULL GROUP BY isin",
        )?;
        for ((_, market_type, _), place) in &self.places {
            let Some(listing) = self.listings.get(*place) else { continue };
            if listing.updated && [CASH_MARKET, FRACTIONAL_MARKET].contains(market_type) {
                forget.execute([listing.id])?;
                count_anew.execute([listing.id])?;
                continue;
            }
            for (isin, first, last) in &listing.isins {
                widen.execute(params![listing.id, isin.as_str(), first, last])?;
            }
        }
        Ok(())
    }
}

impl Listing {
    fn had(&mut self, isin: Isin, day: i32) {
        match self.isins.iter_mut().find(|(known, ..)| *known == isin) {
            Some((_, first, last)) => (*first, *last) = (day.min(*first), day.max(*last)),
            None => self.isins.push((isin, day, day)),
        }
    }
}
