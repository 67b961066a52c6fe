//! The one place that sends requests. Sources say what to ask and what an answer means; everything that
//! can go wrong on the way is dealt with here, once.
//!
//! [`Fetcher::fetch`] asks a source's requests one after another. For each:
//!
//! 1. wait until the source may be asked again (its own rate, `rate`);
//! 2. ask under the condition that the document has changed since it was kept (`sink`: [`Validators`]);
//! 3. take the reply in whole, into memory or a resumable file (`download`), within bounds (`http`);
//! 4. look whether it is the form that was asked for (`content`);
//! 5. decode it into a transaction of whoever keeps it (`sink`: [`Keep`]), which is dropped at the first
//!    thing that is wrong: nothing of a bad reply stays;
//! 6. tell how it went (`observe`), and only then remember the version.
//!
//! What may pass by itself is tried again, after a pause that doubles and is never quite the same, within
//! a budget for the request and one for the run. What would end every other request too ends the run.
//!
//! Certificates are always verified. Replies are asked for uncompressed: the large ones are ZIP files
//! anyway, and nothing can then unpack to more than was announced.

mod content;
mod download;
mod fault;
mod http;
mod observe;
mod rate;
mod sink;
mod time;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use market::{Timestamp, history};
use thiserror::Error;

pub(crate) use fault::beginning;
pub use fault::{Fault, FetchError};
pub use observe::{Observer, Outcome, Try, Unobserved};
pub use sink::{Collected, Keep, MemoryValidators, Receipt, Sink, Validator, Validators};
pub use time::{MachineTime, Time};

use crate::source::{Ask, Item, Reading, Request, Source, SourceError, Take};
use download::Place;
use http::{Answer, Http};
use rate::Rates;

/// Requests of one run, those that follow from replies included. Twenty years of sessions of one source
/// are about 5,000.
const MOST_REQUESTS: usize = 20_000;
/// Requests in a row that may fail before the run is given up: the source is down, not one document.
const MOST_FAILURES_IN_A_ROW: u32 = 3;
/// The longest wait at a time, after which somebody may have asked the run to stop.
const NAP: Duration = Duration::from_secs(1);

/// How patient a fetch is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Finding the address and connecting to it, each.
    pub connect: Duration,
    /// Between two pieces of a reply.
    pub read: Duration,
    /// One try as a whole. A year of COTAHIST has 90 MB: half an hour at 400 kbit/s.
    pub whole: Duration,
    /// Tries of one request.
    pub tries: u32,
    /// Tries beyond the first, of all requests of a run.
    pub retries_a_run: u32,
    /// The pause before the second try; it doubles from there.
    pub first_pause: Duration,
    /// The longest pause, also when the server asks for more.
    pub longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(30),
            whole: Duration::from_secs(30 * 60),
            tries: 4,
            retries_a_run: 20,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(120),
        }
    }
}

/// Why there can be no fetcher.
#[derive(Debug, Error)]
pub enum SetUpError {
    /// The file of certificates cannot be read.
    #[error("sources.certificates = {}: it cannot be read; check that it exists and may be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It holds something else.
    #[error("sources.certificates = {}: {problem}; give certificates in PEM form", path.display())]
    NotPem {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Asks sources.
pub struct Fetcher {
    http: Http,
    rates: Rates,
    limits: Limits,
    folder: PathBuf,
    time: Arc<dyn Time>,
}

/// Who has to do with one run.
pub struct Run<'a> {
    /// Remembers versions.
    pub validators: &'a mut dyn Validators,
    /// Keeps items.
    pub sink: &'a mut dyn Sink,
    /// Is told of every try.
    pub observer: &'a dyn Observer,
    /// Ends the run before its next try, once it is set.
    pub stop: &'a AtomicBool,
}

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

impl Fetcher {
    /// One that downloads to `folder` and trusts the certificates of a PEM file beside the usual roots.
    ///
    /// # Errors
    /// That file is no good.
    pub fn new(
        limits: Limits,
        folder: PathBuf,
        certificates: Option<&Path>,
        time: Arc<dyn Time>,
    ) -> Result<Self, SetUpError> {
        let http = Http::new(&limits, certificates)?;
        Ok(Self { http, rates: Rates::new(Arc::clone(&time)), limits, folder, time })
    }

    /// Asks a source a question. What went wrong with single requests stands in the report.
    ///
    /// # Errors
    /// The source cannot be asked this.
    pub fn fetch(&self, source: &dyn Source, ask: &Ask, mut run: Run<'_>) -> Result<Report, SourceError> {
        let mut waiting: VecDeque<Request> = source.plan(ask)?.into();
        if waiting.len() > MOST_REQUESTS {
            return Err(SourceError::NotAnswered {
                source_name: source.facts().name,
                problem: format!("it would take {} requests, and {MOST_REQUESTS} are the most", waiting.len()),
                remedy: "ask for fewer symbols or sessions at a time".to_owned(),
            });
        }
        let mut report = Report::default();
        let mut retries_left = self.limits.retries_a_run;
        let mut failed_in_a_row = 0;
        while let Some(request) = waiting.pop_front() {
            report.requests += 1;
            match self.one(source, &request, &mut run, &mut retries_left, &mut report) {
                Ok(more) => {
                    failed_in_a_row = 0;
                    let room = MOST_REQUESTS.saturating_sub(waiting.len());
                    more.into_iter().take(room).rev().for_each(|request| waiting.push_front(request));
                }
                Err(error) => {
                    failed_in_a_row += 1;
                    let end = error.fault.ends_run() || failed_in_a_row >= MOST_FAILURES_IN_A_ROW;
                    report.errors.push(error);
                    if end {
                        break;
                    }
                }
            }
        }
        report.not_asked = waiting.len() as u64;
        Ok(report)
    }

    /// One request, tried as often as makes sense. Returns what follows from its reply.
    fn one(
        &self,
        source: &dyn Source,
        request: &Request,
        run: &mut Run<'_>,
        retries_left: &mut u32,
        report: &mut Report,
    ) -> Result<Vec<Request>, FetchError> {
        let facts = source.facts();
        let mut number = 0;
        loop {
            number += 1;
            let error = |fault: Fault| FetchError {
                source_name: facts.name,
                key: request.key.clone(),
                tries: number,
                fault: Box::new(fault.without_secrets(request)),
            };
            self.wait_for_turn(source, run.stop).map_err(error)?;
            let begun = self.time.now();
            let mut tried = Tried::default();
            let result = self.attempt(source, request, run, &mut tried).map_err(error);
            report.bytes += tried.bytes;
            let at = self.time.now();
            run.observer.tried(&Try {
                source: facts.name,
                key: request.key.clone(),
                number,
                outcome: result.as_ref().map_or_else(|error| error.fault.outcome(), |done| done.outcome()),
                problem: result.as_ref().err().map(|error| error.fault.to_string()),
                bytes: tried.bytes,
                items: result.as_ref().map_or(0, Done::items),
                took: Duration::from_nanos(u64::try_from(at.nanos_since(begun)).unwrap_or_default()),
                at,
                newest: tried.newest.filter(|_| result.is_ok()),
            });
            let error = match result {
                Ok(done) => return Ok(report.take(request, done, tried.newest)),
                Err(error) => error,
            };
            if !error.fault.may_pass() || number >= self.limits.tries || *retries_left == 0 {
                return Err(error);
            }
            let pause = match error.fault.retry_after() {
                Some(retry_after) if retry_after > self.limits.longest_pause => {
                    let status = if let Fault::Unavailable { status, .. } = *error.fault { status } else { 429 };
                    let fault = Box::new(Fault::ComeBackLater { status, retry_after });
                    return Err(FetchError { fault, ..error });
                }
                // Not before that, and not all at once then.
                Some(retry_after) => retry_after + self.jittered(self.limits.first_pause),
                None => self.jittered(self.limits.first_pause * 2_u32.saturating_pow(number - 1)),
            };
            *retries_left -= 1;
            self.sleep(pause.min(self.limits.longest_pause), run.stop)
                .map_err(|fault| FetchError { fault: Box::new(fault), ..error })?;
        }
    }

    /// One try.
    fn attempt(
        &self,
        source: &dyn Source,
        request: &Request,
        run: &mut Run<'_>,
        tried: &mut Tried,
    ) -> Result<Done, Fault> {
        let name = source.facts().name;
        let known = run.validators.recall(name, &request.key).filter(|_| !request.leads_on);
        let mut place = Place::new(&self.folder, name, &request.key, request.resumable)?;
        let before = place.held();
        let answer = self.http.send(request, known.as_ref(), &mut place);
        tried.bytes = place.held().checked_sub(before).unwrap_or(place.held());
        let (declared, validator) = match answer {
            Ok(Answer::NotModified) => {
                place.discard();
                return Ok(Done::NotModified);
            }
            Ok(Answer::Nothing) => {
                place.discard();
                let meaning = request.nothing.as_ref().map(|nothing| nothing.meaning.clone());
                return Ok(Done::Nothing(meaning.unwrap_or_default()));
            }
            Ok(Answer::Whole(declared, validator)) => (declared, validator),
            Err(fault) if fault.may_pass() => return Err(fault),
            Err(fault) => {
                place.discard();
                return Err(fault);
            }
        };
        let checked = content::check(request.expects, &declared, &mut *place.read()?);
        let sha256 = place.digest()?;
        place.complete()?;
        let receipt = Receipt { source: name, bytes: place.held(), sha256, at: self.time.now() };
        let done = checked.and_then(|()| keep(source, request, run.sink, &receipt, &mut place, tried));
        match done {
            Ok(done) => {
                place.discard();
                if !validator.is_empty() && !request.leads_on {
                    run.validators.remember(name, &request.key, &validator)?;
                }
                Ok(done)
            }
            Err(fault) => {
                place.set_aside();
                Err(fault)
            }
        }
    }

    fn wait_for_turn(&self, source: &dyn Source, stop: &AtomicBool) -> Result<(), Fault> {
        while let Some(wait) = self.rates.until_allowed(source.facts()) {
            // A source is asked at least once a minute if it is asked at all.
            self.sleep(wait.min(Duration::from_secs(60)), stop)?;
        }
        Ok(())
    }

    /// Waits; not on, once the run is to stop.
    fn sleep(&self, span: Duration, stop: &AtomicBool) -> Result<(), Fault> {
        let mut left = span;
        while !left.is_zero() {
            if stop.load(Ordering::Acquire) {
                return Err(Fault::Stopped);
            }
            let nap = left.min(NAP);
            self.time.sleep(nap);
            left -= nap;
        }
        if stop.load(Ordering::Acquire) { Err(Fault::Stopped) } else { Ok(()) }
    }

    /// Between half of a span and the whole of it.
    fn jittered(&self, span: Duration) -> Duration {
        let half = span.min(self.limits.longest_pause) / 2;
        let parts = u32::try_from(self.time.chance() % 1_001).unwrap_or_default();
        half + half * parts / 1_000
    }
}

/// What a try has brought so far.
#[derive(Default)]
struct Tried {
    bytes: u64,
    newest: Option<Timestamp>,
}

/// How a try ended well.
enum Done {
    Kept(Reading),
    Known(Vec<Request>),
    NotModified,
    Nothing(String),
}

impl Done {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Kept(Reading { nothing: Some(_), .. }) | Self::Nothing(_) => Outcome::Nothing,
            Self::Kept(_) => Outcome::Kept,
            Self::Known(_) => Outcome::Known,
            Self::NotModified => Outcome::NotModified,
        }
    }

    fn items(&self) -> u64 {
        if let Self::Kept(reading) = self { reading.items } else { 0 }
    }
}

impl Report {
    fn take(&mut self, request: &Request, done: Done, newest: Option<Timestamp>) -> Vec<Request> {
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
fn keep(
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
