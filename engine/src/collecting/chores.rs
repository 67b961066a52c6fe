//! The Keeper's chores: collecting by schedule, letting old rows go, making partitions ahead, watching the disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actors::{Chore, ChoreError, Chores};
use feeds::fetch::Observer;
use feeds::source::Ask;
use history::schedule::{Collected, Due};
use market::time::NANOS_PER_SECOND;
use market::{Calendar, Date, Timestamp};
use store::History;

use super::job::{Finished, Job, collect};
use super::memory::{Memory, Progress};
use crate::config::{Collection, SourcesConfig};

const DAY: i64 = 24 * 3_600 * NANOS_PER_SECOND;
/// A document that is not there for so long is taken for one that never comes: the calendar may be wrong about a day,
/// and later sessions must not wait for it for ever.
const COMES_WITHIN: i64 = 3 * DAY;

/// Opens the history for writing, for as long as a chore takes.
pub type OpenHistory = Arc<dyn Fn() -> Result<Box<dyn History>, ChoreError> + Send + Sync>;

/// What the chores work with.
#[derive(Clone)]
pub struct Workplace {
    /// Where downloads go.
    pub data_directory: PathBuf,
    /// The history.
    pub open: OpenHistory,
    /// The exchange's sessions.
    pub calendar: Arc<Calendar>,
    /// How sources are asked.
    pub sources: SourcesConfig,
    /// Is told of every request.
    pub observer: Arc<dyn Observer + Send + Sync>,
}

/// Every chore of a run, in the order in which they are done.
pub fn chores(place: &Workplace, collections: &[Collection]) -> Chores {
    let mut chores: Vec<Box<dyn Chore>> = Vec::new();
    for collection in collections {
        let progress = None;
        chores.push(Box::new(Collecting { collection: collection.clone(), place: place.clone(), progress }));
    }
    Chores::new(chores)
}

/// Collects what a schedule says.
struct Collecting {
    collection: Collection,
    place: Workplace,
    /// As read from the memory; read again after a failure, for a command may have collected meanwhile.
    progress: Option<Progress>,
}

impl Collecting {
    fn progress(&mut self) -> Progress {
        let name = &self.collection.name;
        *self.progress.get_or_insert_with(|| {
            // A memory that cannot be read is told of when it is taken for a run.
            let all = Memory::look(&self.place.data_directory).unwrap_or_default();
            all.get(name).copied().unwrap_or_default()
        })
    }

    fn due(&mut self, now: Timestamp) -> Option<Due> {
        let Progress { through, last } = self.progress();
        let collected = Collected { through, last: last.map(Timestamp::from_nanos) };
        self.collection.schedule.due(collected, &self.place.calendar, now)
    }

    fn ask(&self, due: Due, today: Date) -> Ask {
        Ask {
            subject: self.collection.subject,
            symbols: self.collection.symbols.clone(),
            interval: self.collection.interval,
            from: due.from,
            to: due.to,
            today,
        }
    }
}

impl Chore for Collecting {
    fn name(&self) -> &str {
        &self.collection.name
    }

    fn is_due(&mut self, now: Timestamp) -> bool {
        self.due(now).is_some()
    }

    fn run(&mut self, now: Timestamp, stop: &AtomicBool) -> Result<String, ChoreError> {
        let mut memory = Memory::take(&self.place.data_directory)?;
        self.progress = Some(memory.progress(&self.collection.name));
        let Some(due) = self.due(now) else { return Ok("somebody else has collected it".to_owned()) };
        // Whatever happens, the next look reads the memory again.
        self.progress = None;
        let job = Job::new(&self.place.sources, self.collection.source, memory.folder())?;
        let mut history = (self.place.open)()?;
        let ask = self.ask(due, now.local_date());
        let finished = collect(&job, &ask, &mut *history, &mut memory, &*self.place.observer, stop)?;
        let through = through(due, &finished, now)?;
        memory.note(&self.collection.name, through, now)?;
        Ok(format!("{} to {}: {}", due.from, due.to, finished.summary()))
    }
}

/// Up to which session everything is complete now; an error where it has to be asked again.
fn through(due: Due, finished: &Finished, now: Timestamp) -> Result<Option<Date>, ChoreError> {
    if !finished.is_whole() {
        let first = finished.report.errors.first().map(|error| crate::output::chain(error)).unwrap_or_default();
        return Err(format!("{}; the first problem: {first}", finished.summary()).into());
    }
    let ended = due.to.and_hms_opt(0, 0, 0).and_then(Timestamp::from_local).unwrap_or(now);
    if due.is_final
        && now.nanos_since(ended) < COMES_WITHIN
        && let Some((key, meaning)) = finished.report.nothing.last()
    {
        return Err(format!("{key} is not there yet ({meaning})").into());
    }
    Ok(due.is_final.then_some(due.to))
}
