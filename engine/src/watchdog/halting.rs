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
            keep(&directory, &reason, &stopped);
            let _ = done.send(());
        })?;
        Ok(Self { stored, _stop: stop })
    }

    /// Whether it is done; tells so once.
    pub(super) fn is_stored(&mut self) -> bool {
        !matches!(self.stored.try_recv(), Err(TryRecvError::Empty))
    }
}

fn keep(directory: &Path, reason: &str, stopped: &Receiver<()>) {
    let (mut filed, mut told) = (false, false);
    loop {
        if !filed {
            match stops::leave(directory, "watchdog", reason) {
                Ok(()) => filed = true,
                Err(error) => tracing::error!(%error, "the file 'halt' cannot be written; trying again"),
            }
        }
        match record(directory, reason) {
            Ok(()) if filed => return,
            Ok(()) => {}
            // Usual while the daemon is paused: it holds the directory, and the file is there.
            Err(error) if !told => {
                told = true;
                tracing::warn!(error = chain(&error), "the halt is not in the store yet; trying again");
            }
            Err(_) => {}
        }
        if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            return;
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
