//! What only a bad day does to a stage: the engine dies, the connection goes, a person has to look. And
//! what is checked after every line: that dying now would change nothing.

use std::time::Duration;

use desk::{DeskSettings, Entry, Input, Protocol, Restore, Restored};
use market::Symbol;
use risk::HaltSwitch;
use risk::disconnect::{Agreement, Expectation, Terms};

use super::journal::{Conduct, Journal};
use super::stage::{STRATEGY_NAME, Stage};
use super::words::Words;

/// After so long without a session this broker cancels day orders.
const WINDOW: Duration = Duration::from_secs(30);
/// A snapshot is taken every so many lines and serves for the lines after it, so that recovery is
/// tried with nothing to add to one and with plenty.
const SNAPSHOT_LINES: usize = 5;

/// What a start finds: a snapshot if there is one, and the entries after it.
pub(super) fn restored(
    desk: &DeskSettings,
    switch: &HaltSwitch,
    journal: &Journal,
    snapshot: Option<&(u64, String)>,
) -> Result<Restored, String> {
    let strategies = vec![STRATEGY_NAME.to_owned()];
    let mut restore = Restore::new(desk.clone(), strategies, switch.clone(), 0);
    if let Some((sequence, payload)) = snapshot {
        // Taken right after that entry was written.
        let at = journal.after(sequence - 1).next().map_or(desk.start, |written| written.at);
        restore.snapshot(*sequence, at, payload).map_err(|error| error.to_string())?;
    }
    for written in journal.after(snapshot.map_or(0, |(sequence, _)| *sequence)) {
        let read = restore.entry(written.sequence, written.at, &written.payload);
        read.map_err(|error| format!("{error}, in {}", written.payload))?;
    }
    restore.finish().map_err(|error| error.to_string())
}

impl Stage {
    /// The engine dies and starts again: what was not durable is gone. The connection comes back by
    /// itself if it was there.
    pub(super) fn crash(&mut self) -> Result<(), String> {
        self.journal.crash();
        self.start_again()
    }

    /// A named person accepts what the broker says, between two runs.
    pub(super) fn accept(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let symbol: Option<Symbol> = match words.next("a symbol, or 'account'")? {
            "account" => None,
            symbol => {
                self.instrument(symbol)?;
                symbol.parse().ok()
            }
        };
        words.skip("by")?;
        let by = words.next("a name")?.to_owned();
        let entry = Entry::BreakAccepted { symbol, by, reason: "has looked".to_owned() };
        self.journal.crash();
        self.journal.write(self.now(), &entry)?;
        self.start_again()
    }

    fn start_again(&mut self) -> Result<(), String> {
        let durable = self.journal.durable();
        self.kept.take_if(|(sequence, _)| *sequence > durable);
        self.taken = None;
        let restored = restored(&self.desk, &self.switch, &self.journal, self.kept.as_ref())?;
        self.incarnation += 1;
        self.next_number = restored.broker_sequence + 1;
        self.stream.clear();
        self.question = None;
        self.told.clear();
        self.protocol = Protocol::new(self.settings.clone(), restored, self.incarnation);
        self.watch_anew();
        let book = self.protocol.desk().book();
        // What left a trace keeps its name.
        for (name, id) in std::mem::take(&mut self.names) {
            if book.order(&id).is_some() {
                self.names.insert(name, id);
            } else {
                self.vanished.insert(name);
            }
        }
        self.mark_start();
        self.begin()
    }

    pub(super) fn connection(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        match words.next("'lost' or 'back'")? {
            "lost" => {
                self.connected = false;
                self.question = None;
                self.tell(Input::Disconnected { reason: "the line went dead".to_owned() })
            }
            "back" => {
                self.connected = true;
                self.tell(Input::Connected)?;
                // Which it was, is a rule with tests of its own: `risk::disconnect`.
                let expects = match words.rest().as_str() {
                    "" => return Ok(()),
                    "beyond the window" => Expectation::DayOrdersGone,
                    "within the window" => Expectation::Nothing,
                    other => return Err(format!("a connection is back within or beyond the window, not '{other}'")),
                };
                self.tell(Input::Terms(Terms { agreement: Agreement::Granted { window: WINDOW }, expects }))
            }
            other => Err(format!("a connection is lost or back, not '{other}'")),
        }
    }

    pub(super) fn journal(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let conduct = match words.next("what the journal does")? {
            "works" => Conduct::Works,
            "stalls" => Conduct::Stalls,
            "mute" => Conduct::Mute,
            "fails" => Conduct::Fails,
            other => return Err(format!("a journal works, stalls, fails or is mute, not '{other}'")),
        };
        let answers = self.journal.conduct(conduct);
        answers.into_iter().try_for_each(|answer| self.tell(answer))
    }

    /// The book adds up, and whatever dies now comes back as it stands: from the whole journal, and
    /// from a snapshot of an earlier line with what came after it.
    pub(super) fn verify(&mut self) -> Result<(), String> {
        self.book().verify().map_err(|difference| format!("the book does not add up: {difference}"))?;
        let kept = standing(&self.protocol)?;
        for snapshot in [None, self.taken.as_ref()] {
            let switch = HaltSwitch::at(self.switch.level());
            let restored = restored(&self.desk, &switch, &self.journal, snapshot)?;
            let found = standing(&Protocol::new(self.settings.clone(), restored, 0))?;
            if kept != found {
                let way = if snapshot.is_some() { "a snapshot" } else { "its journal" };
                return Err(format!("rebuilt from {way} the account differs: {kept} / {found}"));
            }
        }
        if self.lines.is_multiple_of(SNAPSHOT_LINES) {
            let state = serde_json::to_string(&self.protocol.state()).map_err(|error| error.to_string())?;
            self.taken = Some((self.protocol.sequence(), state));
        }
        self.lines += 1;
        Ok(())
    }
}

/// Everything that recovery must bring back. The day that identifiers count in is the clock's to tell.
fn standing(protocol: &Protocol) -> Result<serde_json::Value, String> {
    let mut state = serde_json::to_value(protocol.state()).map_err(|error| error.to_string())?;
    if let Some(desk) = state.get_mut("desk").and_then(serde_json::Value::as_object_mut) {
        desk.remove("sequence");
    }
    Ok(state)
}
