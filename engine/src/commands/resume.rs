//! `resume`: lifts a halt, of the running daemon over its socket or for the next one in the store; or accepts
//! a difference between book and broker, while the daemon is stopped. A named person says why; both are
//! kept. Where the configuration asks for it, a second, different person has to say the same.

use std::borrow::Cow;

use actors::Clock;
use actors::halt::{Halter, establish};
use actors::system::shared;
use desk::Entry;
use market::Symbol;
use risk::{Asked, Direction, FourEyes, HaltLevel, HaltScope, HaltSwitch};
use serde_json::{Value, json};
use store::halt::ANEW;
use store::{AccountTag, EmbeddedStore, HaltRecord, HaltStore, Journal, JournalEntry, Ledger, MetaStore, Outcome};

use crate::auditor::{Act, Actor, Auditor};
use crate::commands::status;
use crate::config::{Config, Overrides, Places, load, places};
use crate::control::{self, Question};
use crate::histories;
use crate::output::{Answer, Failure};
use crate::{ledger, stops};

/// Where proposals of a stopped daemon wait for a second person.
const PROPOSALS: &str = "resume_proposals";

/// What would be lifted, as it stands: scopes with their levels.
type Standing = Vec<(String, String)>;

fn named(texts: &[(&str, &str)]) -> Result<(), Failure> {
    match texts.iter().find(|(_, text)| text.trim().is_empty()) {
        Some((what, _)) => Err(Failure::usage(format!("{what} is empty: resuming takes a named person and a reason"))),
        None => Ok(()),
    }
}

/// Lifts a halt; without a scope, everything that stops the program as a whole.
pub fn resume(
    overrides: &Overrides,
    scope: Option<&HaltScope>,
    by: &str,
    reason: &str,
    second: Option<&str>,
) -> Result<Answer, Failure> {
    named(&[("--by", by), ("--reason", reason), ("--second", second.unwrap_or("nobody"))])?;
    let places = places(overrides)?;
    let directory = &places.data_directory;
    let text = |text: &str| text.to_owned();
    let question =
        Question::Resume { scope: scope.cloned(), by: text(by), reason: text(reason), second: second.map(text) };
    let answer = control::ask(directory, &question).map_err(|error| Failure::Failed(error, Value::Null))?;
    if let Some(answer) = answer {
        return Ok(of_daemon(&answer, by, reason));
    }
    if let Some(stop) = stops::read(&stops::file_of(directory)) {
        let path = stops::file_of(directory);
        let message = format!("{} lies there and stops {}: take it away first", path.display(), stop.scope);
        return Err(Failure::Failed(message, Value::Null));
    }
    // Reading first: a directory without a store has nothing to resume, and none is made.
    EmbeddedStore::open_read_only(directory)?;
    let store = EmbeddedStore::open(directory)?;
    let ledger = ledger::open(&places, &store)?;
    if scope.is_none_or(HaltScope::is_program_wide)
        && let Ok(config) = load(overrides)
    {
        // Whose journal it is, only a whole configuration tells.
        accept_account(&config, &*ledger, by, reason)?;
    }
    let stopped = Stopped { places: &places, store: &store, ledger: &*ledger };
    // Which strategies and symbols there are, only a whole configuration tells, too.
    let of_one = scope.filter(|scope| !scope.is_program_wide());
    let repeated = match (of_one, load(overrides)) {
        (Some(scope), Ok(config)) if is_repeated(&config, &store, &*ledger, scope)? => Some(config),
        _ => None,
    };
    let answer = stopped.lift(scope, repeated.as_ref(), by, reason, second);
    let who = second.map_or_else(|| by.to_owned(), |second| format!("{by} and {second}"));
    let target = scope.map_or_else(|| "everything".to_owned(), HaltScope::to_string);
    stopped.note(&who, Act { action: "resume", target, reason: reason.to_owned(), ..Act::default() }, &answer)?;
    answer
}

fn of_daemon(answer: &Value, by: &str, reason: &str) -> Answer {
    let list = |key: &str| -> Standing {
        let part = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let rows = answer[key].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| (part(row, "scope"), part(row, "level"))).collect()
    };
    match answer["until"].as_str() {
        Some(until) => proposed(&list("proposed"), until, by, reason),
        None => lifted(&list("lifted"), by, reason, "It trades on."),
    }
}

fn told(standing: &Standing) -> String {
    let parts: Vec<String> = standing.iter().map(|(scope, level)| format!("{scope} at {level}")).collect();
    parts.join(", ")
}

fn strictest(standing: &Standing) -> HaltLevel {
    standing.iter().filter_map(|(_, level)| HaltLevel::from_name(level)).max().unwrap_or(HaltLevel::Active)
}

fn lifted(standing: &Standing, by: &str, reason: &str, then: &str) -> Answer {
    let (was, before) = (told(standing), strictest(standing).name());
    let text = match standing.first() {
        None => format!("Nothing was halted. {then}"),
        // Only a rule of repetition stops a scope that stands at active.
        Some((scope, _)) if before == HaltLevel::Active.name() => {
            format!("A rule of repetition had stopped something in {scope}; it begins to count anew. {then}")
        }
        Some(_) => format!("Was {was}, now active. {then}"),
    };
    let json = json!({ "before": before, "now": "active", "lifted": standing, "by": by, "reason": reason });
    Answer::new(text, json)
}

fn proposed(standing: &Standing, until: &str, by: &str, reason: &str) -> Answer {
    let before = strictest(standing).name();
    let text = format!(
        "Proposed: {} to active. A second, different person has to say the same with 'pregao resume' until {until}.",
        told(standing)
    );
    let json = json!({
        "before": before, "now": before, "proposed": standing, "until": until, "by": by, "reason": reason,
    });
    Answer { text, json, degraded: true }
}

/// The stores of a daemon that does not run.
struct Stopped<'a> {
    places: &'a Places,
    store: &'a EmbeddedStore,
    ledger: &'a dyn Ledger,
}

impl Stopped<'_> {
    fn note(&self, who: &str, mut act: Act, answer: &Result<Answer, Failure>) -> Result<(), Failure> {
        let (outcome, after) = match answer {
            Ok(answer) => (Outcome::Done, answer.json.clone()),
            Err(failure) => (Outcome::Denied, json!({ "error": failure.text() })),
        };
        act.after = Some(after);
        let audit = ledger::audit(self.places, self.store, self.ledger)?;
        Auditor::new(audit).note(&Actor::local(who), act, outcome);
        Ok(())
    }

    /// `repeated`: a rule of repetition has stopped something in the scope, by the journal of this configuration.
    fn lift(
        &self,
        scope: Option<&HaltScope>,
        repeated: Option<&Config>,
        by: &str,
        reason: &str,
        second: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut halt = ledger::halt(self.places, self.store, self.ledger)?;
        let switch = HaltSwitch::of_run(Vec::new(), Vec::new());
        let in_doubt = establish(&switch, halt.load_halts()).is_err();
        let concerned = |standing: &HaltScope| scope.map_or(standing.is_program_wide(), |scope| scope == standing);
        let mut standing: Standing = switch
            .standing()
            .into_iter()
            .filter(|(standing, _)| concerned(standing))
            .map(|(scope, level)| (scope.to_string(), level.name().to_owned()))
            .collect();
        if let (true, Some(scope)) = (standing.is_empty(), scope) {
            if repeated.is_none() {
                let message =
                    format!("{scope} is active, and no rule of repetition has stopped it: nothing is halted there");
                return Err(Failure::Failed(message, Value::Null));
            }
            standing.push((scope.to_string(), HaltLevel::Active.name().to_owned()));
        }
        let (mut by_whom, mut why) = (by.to_owned(), reason.to_owned());
        match self.granted(&standing, by, reason, second)? {
            Asked::Proposed(proposal) => {
                return Ok(proposed(&standing, &proposal.expires_at().to_string(), by, reason));
            }
            Asked::Granted(Some(proposal)) => {
                by_whom = format!("{} and {}", proposal.by, second.unwrap_or(by));
                why = if proposal.reason == reason { why } else { format!("{}; {reason}", proposal.reason) };
            }
            Asked::Granted(None) => {}
        }
        // The entry first, as a daemon does it: what counts anew is in the journal.
        if let (Some(config), Some(scope)) = (repeated, scope) {
            let (by, reason) = (by_whom.clone(), why.clone());
            let entry = Entry::Halt { scope: scope.clone(), level: HaltLevel::Active, by, reason };
            journal(config, self.ledger, &entry)?;
        }
        // What cannot be read or understood is not lifted scope by scope: everything begins anew.
        let scopes: Vec<String> = match in_doubt {
            true => vec![ANEW.to_owned()],
            false if standing.is_empty() => vec![HaltScope::Global.to_string()],
            false => standing.iter().map(|(scope, _)| scope.clone()).collect(),
        };
        for scope in scopes {
            halt.save_halt(&HaltRecord {
                scope,
                level: HaltLevel::Active.name().to_owned(),
                reason: why.clone(),
                by: by_whom.clone(),
                at: Clock::System.now(),
            })?;
        }
        let mut answer = lifted(&standing, &by_whom, &why, "The next 'pregao run' trades.");
        let left = Halter::new(switch, shared(halt), Clock::System).standing();
        let left: Vec<String> = left
            .iter()
            .filter(|halt| !standing.iter().any(|(scope, _)| *scope == halt.scope))
            .map(|halt| halt.scope.clone())
            .collect();
        if !left.is_empty() && !in_doubt {
            answer.text = format!("{} Still halted: {}.", answer.text, left.join(", "));
        }
        Ok(answer)
    }

    /// Proposals of a stopped daemon outlive the command that made them.
    fn granted(
        &self,
        standing: &Standing,
        by: &str,
        reason: &str,
        second: Option<&str>,
    ) -> Result<Asked<Standing>, Failure> {
        if !self.places.second_person || !strictest(standing).is_severe() {
            return Ok(Asked::Granted(None));
        }
        let mut meta: Box<dyn MetaStore> = self.ledger.meta()?;
        // What cannot be read is no proposal.
        let waiting = meta.meta(PROPOSALS)?.and_then(|text| serde_json::from_str(&text).ok());
        let mut waiting: FourEyes<Standing> = waiting.unwrap_or_default();
        let now = Clock::System.now();
        let asked = waiting.ask_with(standing, Direction::Raises, (by, second), reason, now);
        meta.set_meta(PROPOSALS, &serde_json::to_string(&waiting).map_err(Failure::failed)?)?;
        asked.map_err(Failure::failed)
    }
}

/// Accepts a difference in a symbol. The store is opened for writing, so this fails while a daemon runs on it.
pub fn accept(overrides: &Overrides, symbol: Symbol, by: &str, reason: &str) -> Result<Answer, Failure> {
    named(&[("--by", by), ("--reason", reason)])?;
    let places = places(overrides)?;
    EmbeddedStore::open_read_only(&places.data_directory)?;
    let store = EmbeddedStore::open(&places.data_directory)?;
    let ledger = ledger::open(&places, &store)?;
    journal(&load(overrides)?, &*ledger, &accepted(Some(symbol), by, reason))?;
    let act = Act { action: "accept", target: symbol.to_string(), reason: reason.to_owned(), ..Act::default() };
    let audit = ledger::audit(&places, &store, &*ledger)?;
    Auditor::new(audit).note(&Actor::local(by), act, Outcome::Done);
    let text = format!("{symbol}: the broker's figure counts from the next comparison on.");
    Ok(Answer::new(text, json!({ "accepted": symbol, "by": by, "reason": reason })))
}

/// Lifting a halt of the whole account also accepts what stopped it, if the journal says that it did.
fn accept_account(config: &Config, ledger: &dyn Ledger, by: &str, reason: &str) -> Result<(), Failure> {
    let account: AccountTag = config.account.tag.parse().map_err(Failure::failed)?;
    let mut stopped = false;
    ledger.journal()?.read(account, 1, &mut |entry| {
        match &*entry.kind {
            "break" => stopped |= entry.payload.contains(r#""instrument":null"#),
            "break_accepted" => stopped &= !entry.payload.contains(r#""symbol":null"#),
            _ => {}
        }
        Ok(())
    })?;
    if stopped { journal(config, ledger, &accepted(None, by, reason)) } else { Ok(()) }
}

/// Whether a rule of repetition has stopped something in a scope, as the journal has it.
fn is_repeated(
    config: &Config,
    store: &EmbeddedStore,
    ledger: &dyn Ledger,
    scope: &HaltScope,
) -> Result<bool, Failure> {
    let (mut restored, names, _) =
        status::restored(config, &*histories::of_daemon(&config.places(), store)?.history()?, ledger)?;
    Ok(restored.desk.rearm(scope, &names))
}

fn accepted(symbol: Option<Symbol>, by: &str, reason: &str) -> Entry {
    Entry::BreakAccepted { symbol, by: by.to_owned(), reason: reason.to_owned() }
}

fn journal(config: &Config, ledger: &dyn Ledger, entry: &Entry) -> Result<(), Failure> {
    let account: AccountTag = config.account.tag.parse().map_err(Failure::failed)?;
    let mut right = ledger::Right::take(ledger, config.account.tag.parse().map_err(Failure::failed)?)?;
    let mut journal = ledger.journal()?;
    let entry = JournalEntry {
        account,
        sequence: journal.last_sequence(account)? + 1,
        at: Clock::System.now(),
        kind: Cow::Borrowed(entry.kind()),
        payload: serde_json::to_string(entry).map_err(Failure::failed)?,
    };
    journal.append(&[entry])?;
    right.release();
    Ok(())
}
