//! Ways to stop that need neither a command nor an actor: a file in the data directory, and two signals.
//! Each has a thread of its own, so neither waits for trading, nor for each other.
//!
//! **The file `halt`.** An empty one stops new orders everywhere; its text may say more, a line each:
//! `scope = symbol:PETR4`, `action = cancel_all`, `by = Ana`, `reason = …`. What cannot be understood means
//! the mildest thing that is safe: everything, `stop_new`. It is looked at every few milliseconds and at
//! the start, stays in force as long as it lies there, and what it has thrown stays when it is taken away.
//!
//! **Signals.** SIGUSR1 stops new orders, SIGUSR2 cancels everything as well; both everywhere.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actors::Inquiry;
use actors::halt::Halter;
use risk::{HaltLevel, HaltScope};
use store::Outcome;
use tokio::signal::unix::{SignalKind, signal};

use crate::auditor::{Act, Actor, Auditor};

/// Its name in the data directory.
pub const FILE: &str = "halt";
/// Between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A few lines; what is longer is somebody's mistake, and stops all the same.
const LONGEST_TEXT: u64 = 4 * 1024;
/// What stands where nobody gave a reason.
pub const NO_REASON: &str = "no reason given";

/// What a command can ask for.
pub const ACTIONS: [HaltLevel; 3] = [HaltLevel::StopNew, HaltLevel::CancelAll, HaltLevel::Flatten];

/// What somebody wants stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    /// What.
    pub scope: HaltScope,
    /// How far.
    pub level: HaltLevel,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Who throws the switch: before the actors are there the halter alone, afterwards the running tree.
#[derive(Clone)]
pub struct Stopper {
    halter: Halter,
    running: Arc<OnceLock<Inquiry>>,
    auditor: Auditor,
}

impl Stopper {
    /// Before anything runs.
    pub fn new(halter: Halter, auditor: Auditor) -> Self {
        Self { halter, running: Arc::default(), auditor }
    }

    /// The tree runs now.
    pub fn runs(&self, inquiry: Inquiry) {
        // Set once: there is one tree in a process.
        let _ = self.running.set(inquiry);
    }

    fn stop(&self, stop: &Stop, origin: &'static str) {
        let Stop { scope, level, by, reason } = stop;
        // An error is logged where it happens; the switch is thrown in any case.
        let stored = match self.running.get() {
            Some(inquiry) => inquiry.kill(scope, *level, by, reason).map(drop),
            None => {
                self.halter.switch.raise(scope, *level);
                self.halter.keep(scope, *level, by, reason)
            }
        };
        let outcome = if stored.is_ok() { Outcome::Done } else { Outcome::Failed };
        self.auditor.note(&Actor { who: by.clone(), role: String::new(), origin }, stop.act(), outcome);
    }

    /// Whether a stop holds already, so that a file that keeps lying there is not told again and again.
    fn holds(&self, stop: &Stop) -> bool {
        self.halter.switch.level_in(&stop.scope) >= stop.level
    }
}

impl Stop {
    /// What the audit keeps of it.
    pub fn act(&self) -> Act {
        let Self { scope, level, reason, .. } = self;
        let after = Some(serde_json::json!({ "action": level.name() }));
        Act { action: "halt", target: scope.to_string(), reason: reason.clone(), before: None, after }
    }
}

/// The file of a data directory.
pub fn file_of(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// What the file says now; nothing where there is none. One that cannot be read stops, too.
pub fn read(path: &Path) -> Option<Stop> {
    let text = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => Err(error),
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(LONGEST_TEXT).read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
        }
    };
    Some(match text {
        Ok(text) => parse(&text),
        Err(error) => everything(format!("the file {} cannot be read: {error}", path.display())),
    })
}

fn everything(reason: String) -> Stop {
    Stop { scope: HaltScope::Global, level: HaltLevel::StopNew, by: "halt file".to_owned(), reason }
}

/// `key = value` or `key: value`, a line each; a line without a key is part of the reason.
fn parse(text: &str) -> Stop {
    let mut stop = everything(String::new());
    let mut reasons: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (key, value) = line.split_once(['=', ':']).map_or(("", line), |(key, value)| (key.trim(), value.trim()));
        match key {
            "scope" => match value.parse() {
                Ok(scope) => stop.scope = scope,
                Err(unknown) => reasons.push(unknown.to_string()),
            },
            "action" => match ACTIONS.into_iter().find(|level| level.name() == value) {
                Some(level) => stop.level = level,
                None => reasons.push(format!("'{value}' is no action: write stop_new, cancel_all or flatten")),
            },
            "by" if !value.is_empty() => stop.by = value.to_owned(),
            "reason" => reasons.push(value.to_owned()),
            _ => reasons.push(line.to_owned()),
        }
    }
    reasons.retain(|reason| !reason.is_empty());
    stop.reason = if reasons.is_empty() { NO_REASON.to_owned() } else { reasons.join("; ") };
    stop
}

/// Puts a stop into the file of a daemon that does not answer otherwise.
///
/// # Errors
/// It cannot be written.
pub fn write(directory: &Path, stop: &Stop) -> std::io::Result<PathBuf> {
    let line = |text: &str| text.replace(['\n', '\r'], " ");
    let (scope, level) = (&stop.scope, stop.level.name());
    let text = format!("scope = {scope}\naction = {level}\nby = {}\nreason = {}\n", line(&stop.by), line(&stop.reason));
    let path = file_of(directory);
    let beside = directory.join("halt.new");
    // Whole or not at all: whoever looks must not see half of it.
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, &path)?;
    // Its name is durable with its directory.
    File::open(directory)?.sync_all()?;
    Ok(path)
}

/// Stops new orders everywhere, durably, of a daemon that cannot be asked. A file that lies there already
/// stays as it is: it may ask for more.
///
/// # Errors
/// It cannot be written.
pub fn leave(directory: &Path, by: &str, reason: &str) -> std::io::Result<()> {
    if fs::exists(file_of(directory))? {
        return Ok(());
    }
    let (by, reason) = (by.to_owned(), reason.to_owned());
    write(directory, &Stop { by, reason, ..everything(String::new()) }).map(drop)
}

/// Throws what the file says, if there is one, and watches it from now on.
pub fn watch_file(directory: &Path, stopper: Stopper) {
    let path = file_of(directory);
    if let Some(stop) = read(&path) {
        stopper.stop(&stop, "file");
    }
    let watching = std::thread::Builder::new().name("halt file".to_owned()).spawn(move || {
        let mut before = None;
        loop {
            let found = read(&path);
            // Whoever writes it may be in the middle: what counts is what two looks have seen.
            if let Some(stop) = found.as_ref().filter(|_| found == before)
                && !stopper.holds(stop)
            {
                tracing::error!(path = %path.display(), "the halt file stops trading");
                stopper.stop(stop, "file");
            }
            before = found;
            std::thread::sleep(LOOK_EVERY);
        }
    });
    if let Err(error) = watching {
        tracing::error!(%error, "no thread for the halt file: use 'pregao kill' or a signal");
    }
}

/// Listens to the two signals from now on.
pub fn watch_signals(stopper: Stopper) {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let listening = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut stop_new = signal(SignalKind::user_defined1())?;
            let mut cancel_all = signal(SignalKind::user_defined2())?;
            let _ = ready.send(());
            loop {
                let (level, by) = tokio::select! {
                    _ = stop_new.recv() => (HaltLevel::StopNew, "SIGUSR1"),
                    _ = cancel_all.recv() => (HaltLevel::CancelAll, "SIGUSR2"),
                };
                let (by, reason) = (by.to_owned(), NO_REASON.to_owned());
                stopper.stop(&Stop { scope: HaltScope::Global, level, by, reason }, "signal");
            }
        })
    });
    let listening: Result<std::thread::JoinHandle<std::io::Result<()>>, _> = listening;
    // Whoever signals a daemon that says that it runs must be heard.
    if listening.is_err() || is_ready.recv().is_err() {
        tracing::error!("signals cannot be heard: use 'pregao kill' or the halt file");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_what_to_stop_and_in_doubt_everything() {
        use HaltLevel::{CancelAll, Flatten, StopNew};
        for (text, scope, level, by, reason) in [
            ("", "global", StopNew, "halt file", NO_REASON),
            ("\n  \n", "global", StopNew, "halt file", NO_REASON),
            ("strange fills", "global", StopNew, "halt file", "strange fills"),
            ("action = cancel_all", "global", CancelAll, "halt file", NO_REASON),
            ("scope = symbol:PETR4\naction=flatten\nreason = odd\nby = Ana", "symbol:PETR4", Flatten, "Ana", "odd"),
            ("scope: strategy:trend\r\naction: stop_new", "strategy:trend", StopNew, "halt file", NO_REASON),
            (
                "scope = PETR4",
                "global",
                StopNew,
                "halt file",
                "'PETR4' is no scope: write global, account, broker, strategy:NAME or symbol:PETR4",
            ),
            (
                "action = active",
                "global",
                StopNew,
                "halt file",
                "'active' is no action: write stop_new, cancel_all or flatten",
            ),
        ] {
            let expected = Stop { scope: scope.parse().unwrap(), level, by: by.to_owned(), reason: reason.to_owned() };
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back_and_what_cannot_be_read_stops() {
        let directory = tempfile::tempdir().unwrap();
        let path = file_of(directory.path());
        assert_eq!(read(&path), None);
        let stop = Stop {
            scope: HaltScope::Strategy("trend".to_owned()),
            level: HaltLevel::CancelAll,
            by: "Ana".to_owned(),
            reason: "two lines\nof it".to_owned(),
        };
        assert_eq!(write(directory.path(), &stop).unwrap(), path);
        assert_eq!(read(&path), Some(Stop { reason: "two lines of it".to_owned(), ..stop }));
        leave(directory.path(), "watchdog", "silent").unwrap();
        assert_eq!(read(&path).unwrap().by, "Ana", "what lies there may ask for more");
        fs::remove_file(&path).unwrap();
        leave(directory.path(), "watchdog", "silent").unwrap();
        let left = read(&path).unwrap();
        assert_eq!(
            (left.scope, left.level, &*left.by, &*left.reason),
            (HaltScope::Global, HaltLevel::StopNew, "watchdog", "silent")
        );
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read(&path).unwrap().scope, HaltScope::Global);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let stop = read(&path).unwrap();
        assert_eq!((stop.scope, stop.level), (HaltScope::Global, HaltLevel::StopNew));
        assert!(stop.reason.contains("cannot be read"), "{}", stop.reason);
    }
}
