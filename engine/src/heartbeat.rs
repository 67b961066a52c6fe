//! The daemon's sign of life in the data directory, for `pregao watchdog`.
//!
//! One short line in the file `heartbeat`: a count, and whether the daemon runs or has said goodbye. A
//! thread writes it, but cannot keep it going: it writes what the trading runtime has counted, and the
//! count is that of beats which went through the Supervisor, the Account and the Limit
//! (`actors::pulse`). When the trading thread stands still, the count does; when the thread or the disk
//! does, the file does. Either way the watchdog sees silence.
//!
//! Why a file, and not a question on the control socket: whoever comes later can read the last word of
//! somebody who is gone. A watchdog that is started after a crash knows that there was no goodbye, and a
//! planned stop needs nobody to be listening at that moment. It is written in place, always as long, so
//! that a full disk does not look like a dead daemon, and never by the trading thread, which may wait
//! for no disk.
//!
//! The same count feeds the service manager's watchdog, from the same thread and no oftener than it changes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actors::Pulse;
use serde::{Deserialize, Serialize};

use crate::service::Feeder;

/// Its name in the data directory.
const FILE: &str = "heartbeat";
/// Bytes of the line, its end included: room for the largest numbers, and less than a disk's sector.
const LENGTH: usize = 128;
/// How often the count is looked at. Beats are 200 ms apart.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The daemon's process.
    pub process: u32,
    /// Beats of this process so far.
    pub beats: u64,
    /// Whether it runs.
    pub state: State,
}

/// Whether a daemon runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does, or did when it was last heard.
    Running,
    /// It has ended as it should.
    Stopped,
}

/// Reads the file; nothing where there is none, or none that makes sense.
pub fn read(directory: &Path) -> Option<Record> {
    let mut text = String::new();
    // No longer than it can be, whatever lies there.
    File::open(directory.join(FILE)).ok()?.take(LENGTH as u64).read_to_string(&mut text).ok()?;
    serde_json::from_str(text.trim_end()).ok()
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    let mut line = serde_json::to_string(record).map_err(io::Error::other)?;
    let padding = LENGTH.saturating_sub(line.len() + 1);
    line.extend(std::iter::repeat_n(' ', padding));
    line.push('\n');
    // Opened each time: a file that somebody has removed is made again.
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.write_all_at(line.as_bytes(), 0)
}

/// Takes a goodbye back before anything can leave: a daemon that dies in its first moments is missed as
/// well. A file that cannot be written now is told of with the first beat.
pub fn announce(directory: &Path) {
    let record = Record { process: std::process::id(), beats: 0, state: State::Running };
    let _ = write(&directory.join(FILE), &record);
}

/// The heartbeat of a daemon that runs. Dropped without a goodbye it falls silent.
pub struct Heartbeat {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    pulse: Pulse,
}

impl Heartbeat {
    /// Begins to show the pulse, in the file and to the service manager; nothing in compressed time, which has
    /// none.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(directory: &Path, pulse: Pulse, mut feeder: Feeder) -> io::Result<Option<Self>> {
        if !pulse.is_live() {
            return Ok(None);
        }
        let (stop, stopped) = sync_channel::<()>(0);
        let (path, shown) = (directory.join(FILE), pulse.clone());
        let place = path.clone();
        let show = move || {
            let (mut last, mut told) = (0, false);
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                let beats = shown.beats();
                if beats == last {
                    continue;
                }
                last = beats;
                feeder.alive(Instant::now());
                match write(&place, &Record { process: std::process::id(), beats, state: State::Running }) {
                    Ok(()) => told = false,
                    Err(error) if !told => {
                        told = true;
                        tracing::error!(%error, path = %place.display(), "the heartbeat cannot be written: a watchdog fires");
                    }
                    Err(_) => {}
                }
            }
        };
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(show)?;
        Ok(Some(Self { stop: Some(stop), thread: Some(thread), path, pulse }))
    }

    /// Says that the daemon ends as it should: what it leaves open is meant.
    pub fn goodbye(mut self) {
        self.end();
        let record = Record { process: std::process::id(), beats: self.pulse.beats(), state: State::Stopped };
        if let Err(error) = write(&self.path, &record) {
            tracing::error!(%error, path = %self.path.display(), "no goodbye could be written: a watchdog fires");
        }
    }

    fn end(&mut self) {
        drop(self.stop.take());
        // It only writes a line: there is nothing in it that could panic.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_is_written_in_place() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()), None, "there is none");
        let path = directory.path().join(FILE);
        for record in [
            Record { process: u32::MAX, beats: u64::MAX, state: State::Running },
            Record { process: 1, beats: 0, state: State::Stopped },
            Record { process: 77, beats: 5, state: State::Running },
        ] {
            write(&path, &record).unwrap();
            assert_eq!(read(directory.path()), Some(record));
            assert_eq!(std::fs::metadata(&path).unwrap().len(), LENGTH as u64);
        }
    }

    #[test]
    fn what_makes_no_sense_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        for text in [
            "",
            "\n",
            "alive",
            "{\"process\":1}",
            &"{".repeat(10_000),
            "{\"process\":1,\"beats\":2,\"state\":\"dead\"}",
        ] {
            std::fs::write(directory.path().join(FILE), text).unwrap();
            assert_eq!(read(directory.path()), None, "{text:.40}");
        }
        std::fs::write(directory.path().join(FILE), [0xFF, 0xFE]).unwrap();
        assert_eq!(read(directory.path()), None);
    }

    #[test]
    fn compressed_time_has_no_heartbeat() {
        let directory = tempfile::tempdir().unwrap();
        let pulse = Pulse::of(&actors::Clock::simulated(market::Timestamp::from_nanos(0)));
        assert!(Heartbeat::start(directory.path(), pulse, Feeder::new(None, || ())).unwrap().is_none());
    }

    #[test]
    fn a_pulse_that_stands_still_shows_nothing_and_a_goodbye_is_the_last_word() {
        let directory = tempfile::tempdir().unwrap();
        let fed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let feed = std::sync::Arc::clone(&fed);
        let feeder =
            Feeder::new(Some(Duration::from_millis(1)), move || feed.store(true, std::sync::atomic::Ordering::Relaxed));
        let pulse = Pulse::of(&actors::Clock::System);
        let heartbeat = Heartbeat::start(directory.path(), pulse, feeder).unwrap().unwrap();
        // Nothing has beaten: however long the thread lives, there is nothing to show and nothing to feed.
        std::thread::sleep(3 * LOOK_EVERY);
        heartbeat.goodbye();
        assert!(!fed.load(std::sync::atomic::Ordering::Relaxed), "the thread fed the service manager by itself");
        let record = Record { process: std::process::id(), beats: 0, state: State::Stopped };
        assert_eq!(read(directory.path()), Some(record));
        announce(directory.path());
        assert_eq!(read(directory.path()), Some(Record { state: State::Running, ..record }));
    }
}
