//! Leaves a halt for the daemon to find, on a thread of its own: cancels wait for no disk.
//!
//! First the file `halt`, which a daemon that is only paused reads before it sends anything. Then the
//! halt record of the data directory, which is the durable one; it can be written once the daemon has let
//! go of the directory, so it is tried again and again. The server is not needed: where the journal lies
//! on one, a start looks at the data directory's record as well (`store::LocalFirst`).

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use actors::Clock;
use risk::{HaltLevel, HaltScope};
use store::{EmbeddedStore, HaltRecord, HaltStore, StoreError};

use crate::output::chain;
use crate::stops;

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// A halt that is being stored; dropped, no further attempt is made.
pub(super) struct Halting {
    stored: Receiver<()>,
    _stop: SyncSender<()>,
}

impl Halting {
    /// Begins to store.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(directory: &Path, reason: String) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel::<()>(0);
        let (done, stored) = sync_channel(1);
        let directory = directory.to_owned();
        // Not joined: nobody waits for a disk that hangs.
        std::thread::Builder::new().name("halt".to_owned()).spawn(move || {
            if keep(&directory, &reason, &stopped) {
                let _ = done.send(());
            }
        })?;
        Ok(Self { stored, _stop: stop })
    }

    /// How it ended, once it has.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        match self.stored.try_recv() {
            Ok(()) => Some(Ended::Stored),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Ended::Died),
        }
    }
}

/// How storing a halt ended.
pub(super) enum Ended {
    /// File and record are there.
    Stored,
    /// The thread is gone without having done it.
    Died,
}

fn keep(directory: &Path, reason: &str, stopped: &Receiver<()>) -> bool {
    let (mut filed, mut told_file, mut told_record) = (false, false, false);
    loop {
        if !filed {
            match stops::leave(directory, "watchdog", reason) {
                Ok(()) => filed = true,
                Err(error) if !std::mem::replace(&mut told_file, true) => {
                    tracing::error!(%error, "the file 'halt' cannot be written; trying again");
                }
                Err(_) => {}
            }
        }
        match record(directory, reason) {
            Ok(()) if filed => return true,
            Ok(()) => {}
            // Usual while the daemon is paused: it holds the directory, and the file is there.
            Err(error) if !std::mem::replace(&mut told_record, true) => {
                tracing::warn!(error = chain(&error), "the halt is not in the store yet; trying again");
            }
            Err(_) => {}
        }
        if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            return false;
        }
    }
}

/// Raises the stored halt to at least `stop_new`. What cannot be read halts already, and stays for a
/// person to look at.
fn record(directory: &Path, reason: &str) -> Result<(), StoreError> {
    let mut halt = EmbeddedStore::open(directory)?.halt()?;
    let scope = HaltScope::Global.to_string();
    let found = halt.load_halts()?.into_iter().find(|record| record.scope == scope);
    let level =
        found.map_or(HaltLevel::Active, |record| HaltLevel::from_name(&record.level).unwrap_or(HaltLevel::Halted));
    if level >= HaltLevel::StopNew {
        return Ok(());
    }
    halt.save_halt(&HaltRecord {
        scope,
        level: HaltLevel::StopNew.name().to_owned(),
        reason: reason.to_owned(),
        by: "watchdog".to_owned(),
        at: Clock::System.now(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(directory: &Path) -> Option<HaltRecord> {
        EmbeddedStore::open_read_only(directory).unwrap().halt().unwrap().load_halts().unwrap().into_iter().next()
    }

    fn at_level(directory: &Path, level: HaltLevel) {
        let record = HaltRecord {
            scope: HaltScope::Global.to_string(),
            level: level.name().to_owned(),
            reason: "before".to_owned(),
            by: "somebody".to_owned(),
            at: Clock::System.now(),
        };
        EmbeddedStore::open(directory).unwrap().halt().unwrap().save_halt(&record).unwrap();
    }

    #[test]
    fn it_raises_what_is_stored_and_never_lowers_it() {
        for (before, by) in [
            (HaltLevel::Active, "watchdog"),
            (HaltLevel::Reducing, "watchdog"),
            (HaltLevel::StopNew, "somebody"),
            (HaltLevel::Halted, "somebody"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            at_level(directory.path(), before);
            record(directory.path(), "silent").unwrap();
            let found = stored(directory.path()).unwrap();
            assert_eq!((found.level.as_str(), found.by.as_str()), (before.max(HaltLevel::StopNew).name(), by));
        }
    }

    #[test]
    fn a_directory_that_is_held_gets_the_file_at_once_and_the_record_when_it_is_let_go() {
        let directory = tempfile::tempdir().unwrap();
        let held = EmbeddedStore::open(directory.path()).unwrap();
        assert!(record(directory.path(), "silent").is_err(), "a paused daemon holds it");
        let (done, stop) = sync_channel::<()>(0);
        drop(done);
        // Stopped after its first attempt.
        assert!(!keep(directory.path(), "silent", &stop));
        assert!(stops::read(&stops::file_of(directory.path())).is_some());
        assert_eq!(stored(directory.path()), None);
        drop(held);
        assert!(keep(directory.path(), "silent", &stop));
        assert_eq!(stored(directory.path()).unwrap().level, "stop_new");
    }
}
