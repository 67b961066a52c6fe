//! What comes of a reply: decoded into a transaction, counted in the report.

use market::{Timestamp, history};

use super::download::Place;
use super::fault::{Fault, FetchError};
use super::observe::Outcome;
use super::sink::{Receipt, Sink};
use crate::source::{Item, Reading, Request, Source, SourceError, Take};

/// What a run came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Requests that were made.
    pub requests: u64,
    /// Of those, replies that had not changed, by the server's word or by their bytes.
    pub not_modified: u64,
    /// Of those, answers that there is nothing: the request, and what it means.
    pub nothing: Vec<(String, String)>,
    /// Items that were kept.
    pub items: u64,
    /// Bytes that came, failed tries included.
    pub bytes: u64,
    /// Requests that came to nothing.
    pub errors: Vec<FetchError>,
    /// Requests that were not made, because the run was ended.
    pub not_asked: u64,
    /// Of when the newest item is.
    pub newest: Option<Timestamp>,
}

/// What a try has brought so far.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) bytes: u64,
    pub(super) newest: Option<Timestamp>,
}

/// How a try ended well.
pub(super) enum Done {
    Kept(Reading),
    Known(Vec<Request>),
    NotModified,
    Nothing(String),
}

impl Done {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Kept(Reading { nothing: Some(_), .. }) | Self::Nothing(_) => Outcome::Nothing,
            Self::Kept(_) => Outcome::Kept,
            Self::Known(_) => Outcome::Known,
            Self::NotModified => Outcome::NotModified,
        }
    }

    pub(super) fn items(&self) -> u64 {
        if let Self::Kept(reading) = self { reading.items } else { 0 }
    }
}

impl Report {
    pub(super) fn take(&mut self, request: &Request, done: Done, newest: Option<Timestamp>) -> Vec<Request> {
        self.newest = self.newest.max(newest);
        match done {
            Done::NotModified => self.not_modified += 1,
            Done::Known(more) => {
                self.not_modified += 1;
                return more;
            }
            Done::Nothing(meaning) => self.nothing.push((request.key.clone(), meaning)),
            Done::Kept(reading) => {
                self.items += reading.items;
                self.nothing.extend(reading.nothing.map(|meaning| (request.key.clone(), meaning)));
                return reading.more;
            }
        }
        Vec::new()
    }
}

/// Decodes a reply into a transaction.
pub(super) fn keep(
    source: &dyn Source,
    request: &Request,
    sink: &mut dyn Sink,
    receipt: &Receipt,
    place: &mut Place,
    tried: &mut Tried,
) -> Result<Done, Fault> {
    let Some(mut keep) = sink.begin(request, receipt)? else {
        let more = if request.leads_on { read(source, request, place, &mut |_| Ok(()))?.more } else { Vec::new() };
        return Ok(Done::Known(more));
    };
    let mut newest = None;
    let mut take = |item: Item| {
        newest = newest.max(time_of(&item));
        keep.take(item)
    };
    let reading = read(source, request, place, &mut take)?;
    keep.commit(&reading)?;
    tried.newest = newest;
    Ok(Done::Kept(reading))
}

fn read(source: &dyn Source, request: &Request, place: &mut Place, take: &mut Take<'_>) -> Result<Reading, Fault> {
    source.read(request, &mut *place.read()?, take).map_err(|error| match error {
        SourceError::Stopped(cause) => Fault::from(cause),
        other => Fault::Reply(other),
    })
}

/// Of when an item is; a day ends at its midnight, so that it is never older than it claims.
fn time_of(item: &Item) -> Option<Timestamp> {
    let midnight = |date: market::Date| Timestamp::from_local(date.succ_opt()?.and_hms_opt(0, 0, 0)?);
    match item {
        Item::Daily(record) => midnight(record.date),
        Item::Bar(bar) if bar.interval == history::Interval::Day => midnight(bar.date()),
        Item::Bar(bar) => Some(bar.begin),
        Item::IndexClose(_, close) => midnight(close.date),
        Item::Member(member) => midnight(member.date),
        // Announced ahead: says nothing of how fresh the source is.
        Item::Action(_) => None,
        Item::Quote(quote) => Some(quote.at),
        Item::Trade(trade) => Some(trade.at),
    }
}
