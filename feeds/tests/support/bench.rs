//! A fetcher whose time is made: it never waits, and its limits are short.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeds::fetch::{Collected, Fetcher, Limits, MemoryValidators, Observer, Report, Run, Sink, Time, Try};
use feeds::source::{Ask, Source, SourceError};
use market::Timestamp;
use tempfile::TempDir;

/// Time that moves only when somebody waits, and notes for how long.
#[derive(Default)]
pub(crate) struct MadeTime {
    nanos: AtomicI64,
    pub(crate) slept: Mutex<Vec<Duration>>,
}

impl Time for MadeTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.nanos.load(Ordering::Acquire))
    }

    fn sleep(&self, span: Duration) {
        self.nanos.fetch_add(i64::try_from(span.as_nanos()).unwrap(), Ordering::AcqRel);
        self.slept.lock().unwrap().push(span);
    }

    fn chance(&self) -> u64 {
        500
    }
}

/// Notes every try.
#[derive(Default)]
pub(crate) struct Notes(pub(crate) Mutex<Vec<Try>>);

impl Observer for Notes {
    fn tried(&self, event: &Try) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// A fetcher and everybody that it talks to.
pub(crate) struct Bench {
    pub(crate) fetcher: Fetcher,
    pub(crate) time: Arc<MadeTime>,
    pub(crate) folder: TempDir,
    pub(crate) validators: MemoryValidators,
    pub(crate) notes: Notes,
    pub(crate) kept: Collected,
    pub(crate) stop: AtomicBool,
}

/// Short on the machine's own clock: a double on loopback answers at once or not at all.
pub(crate) const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    read: Duration::from_millis(400),
    whole: Duration::from_millis(1_500),
    tries: 3,
    retries_a_run: 4,
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(60),
};

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(LIMITS, None)
    }

    pub(crate) fn with(limits: Limits, certificates: Option<PathBuf>) -> Self {
        let time = Arc::new(MadeTime::default());
        let folder = tempfile::tempdir().unwrap();
        let downloads = folder.path().join("downloads");
        let fetcher = Fetcher::new(limits, downloads, certificates.as_deref(), time.clone()).unwrap();
        Self {
            fetcher,
            time,
            folder,
            validators: MemoryValidators::default(),
            notes: Notes::default(),
            kept: Collected::default(),
            stop: AtomicBool::new(false),
        }
    }

    pub(crate) fn fetch(&mut self, source: &dyn Source, ask: &Ask) -> Result<Report, SourceError> {
        let run =
            Run { validators: &mut self.validators, sink: &mut self.kept, observer: &self.notes, stop: &self.stop };
        self.fetcher.fetch(source, ask, run)
    }

    pub(crate) fn fetch_into(&mut self, sink: &mut dyn Sink, source: &dyn Source, ask: &Ask) -> Report {
        let run = Run { validators: &mut self.validators, sink, observer: &self.notes, stop: &self.stop };
        self.fetcher.fetch(source, ask, run).unwrap()
    }

    /// How each try ended.
    pub(crate) fn outcomes(&self) -> Vec<&'static str> {
        self.notes.0.lock().unwrap().iter().map(|event| event.outcome.name()).collect()
    }

    /// Seconds of each pause, whole ones.
    pub(crate) fn slept(&self) -> f64 {
        self.time.slept.lock().unwrap().iter().map(Duration::as_secs_f64).sum()
    }

    /// Files that lie in the download folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("downloads")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
