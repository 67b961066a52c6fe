//! What a run leaves behind: a digest of everything that happened, and a history for whoever must find
//! out why.

use std::fmt::Write as _;

use chrono::DateTime;
use store::Digest;

use super::world::Event;

/// Bytes gathered before they are folded into the digest.
const ROOM: usize = 64 * 1024;

/// The trace of a run.
pub struct Trace {
    digest: Digest,
    gathered: Vec<u8>,
    verbose: bool,
    /// Faults, each with its time; with everything else where a run is looked at closely.
    pub history: Vec<String>,
}

impl Trace {
    /// An empty one.
    pub fn new(verbose: bool) -> Self {
        Self { digest: Digest::ZERO, gathered: Vec::with_capacity(ROOM + 4_096), verbose, history: Vec::new() }
    }

    /// Takes bytes into the digest.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= ROOM {
            self.digest = Digest::of(&[self.digest.as_bytes(), &self.gathered]);
            self.gathered.clear();
        }
    }

    /// An event happened.
    pub fn event(&mut self, at: i64, number: u64, event: &Event) {
        self.bytes(&at.to_le_bytes());
        self.bytes(&number.to_le_bytes());
        if self.verbose && !matches!(event, Event::Tick(_) | Event::Renew(_) | Event::Quotes | Event::Feed(..)) {
            let mut text = format!("{event:?}");
            text.truncate(900);
            if !text.contains("Input(Tick)") && !text.contains("Look(") && !text.contains("Market(Quote") {
                self.history.push(format!("{} {text}", time(at)));
            }
        }
    }

    /// A fault struck.
    pub fn fault(&mut self, at: i64, name: &str) {
        self.bytes(name.as_bytes());
        self.history.push(format!("{} ! {name}", time(at)));
    }

    /// Something for whoever looks closely.
    pub fn note(&mut self, at: i64, text: impl FnOnce() -> String) {
        if self.verbose {
            self.history.push(format!("{} {}", time(at), text()));
        }
    }

    /// The digest of everything so far.
    pub fn digest(&mut self) -> Digest {
        self.digest = Digest::of(&[self.digest.as_bytes(), &self.gathered]);
        self.gathered.clear();
        self.digest
    }
}

/// True time, UTC.
fn time(at: i64) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write!(text, "{}", DateTime::from_timestamp_nanos(at).format("%d %H:%M:%S%.6f"));
    text
}
