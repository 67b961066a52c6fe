//! Reads the daemon's heartbeat on a thread of its own: a disk that hangs must look like silence.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use risk::dead_man::Sign;

use crate::heartbeat::{self, Record, State};

/// How often the file is read.
const READ_EVERY: Duration = Duration::from_millis(50);

/// What the thread has read last.
type Seen = Mutex<Option<Record>>;

/// The heartbeat as it is read. The thread ends when this is dropped, or with the process.
pub(super) struct Looks {
    seen: Arc<Seen>,
    last: Option<Record>,
}

impl Looks {
    /// Begins to read.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(directory: &Path) -> std::io::Result<Self> {
        let seen: Arc<Seen> = Arc::default();
        let (theirs, directory) = (Arc::downgrade(&seen), directory.to_owned());
        // Not joined: nobody waits for a disk that hangs.
        std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || read(&theirs, &directory))?;
        Ok(Self { seen, last: None })
    }

    /// What has changed since the last look.
    pub(super) fn sign(&mut self) -> Sign {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        sign(&mut self.last, seen)
    }
}

fn sign(last: &mut Option<Record>, seen: Option<Record>) -> Sign {
    // A file that is gone says as little as one that stands still.
    let Some(record) = seen else { return Sign::Nothing };
    let changed = last.replace(record) != Some(record);
    match record.state {
        State::Stopped => Sign::Goodbye,
        State::Running if changed => Sign::Beat,
        State::Running => Sign::Nothing,
    }
}

fn read(seen: &Weak<Seen>, directory: &Path) {
    loop {
        let record = heartbeat::read(directory);
        let Some(seen) = seen.upgrade() else { return };
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = record;
        drop(seen);
        std::thread::sleep(READ_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_a_sign_of_life() {
        let running = |process, beats| Some(Record { process, beats, state: State::Running });
        let stopped = Some(Record { process: 7, beats: 9, state: State::Stopped });
        let mut last = None;
        for (seen, expected) in [
            (None, Sign::Nothing),
            // The last word of somebody who may be gone: from here on the silence counts.
            (running(7, 8), Sign::Beat),
            (running(7, 8), Sign::Nothing),
            (running(7, 9), Sign::Beat),
            (None, Sign::Nothing),
            (running(7, 9), Sign::Nothing),
            (stopped, Sign::Goodbye),
            (stopped, Sign::Goodbye),
            (None, Sign::Nothing),
            // Another process counts anew, and may be at the same number.
            (running(8, 9), Sign::Beat),
            (running(8, 1), Sign::Beat),
        ] {
            assert_eq!(sign(&mut last, seen), expected, "{seen:?}");
        }
    }
}
