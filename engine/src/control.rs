//! The socket in the data directory, by which commands on the same machine talk to the running daemon.
//!
//! Whoever may read and write the data directory may ask; the file system keeps everybody else out. Without a daemon
//! the same person could write into the store, so that who has access is changed by this way as well. One
//! JSON object on a line is a question, one is the answer. Each is served by a thread of its own, so that
//! nobody who asks can hold up trading, nor a question that waits somebody who stops it.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::system::Resumed;
use actors::{Clock, Inquiry};
use risk::{HaltLevel, HaltScope};
use serde::{Deserialize, Serialize};
use store::{Outcome, Users};
use tokio::runtime::Handle;

use crate::access;
use crate::auditor::{Act, Actor};
use crate::commands::status;
use crate::reload::{self, Change, Configurator, Wanted};
use crate::stops::{self, ACTIONS, NO_REASON};

/// Its name in the data directory.
const SOCKET: &str = "pregao.sock";
/// A question is a few words.
const LONGEST_QUESTION: u64 = 4 * 1024;
/// Questions at the same time: people and their scripts, on one machine.
const MOST_QUESTIONS: usize = 32;
/// Longest wait for somebody who connects and says nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for an answer: the daemon itself waits ten seconds for its broker, or for its journal and then
/// for the store of configurations.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// What can be asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum Question {
    /// How things stand.
    Status,
    /// What comparing book and broker would lead to now.
    Reconcile,
    /// The configuration in force.
    Config,
    /// Read the file again, or put in force what was in force before.
    Reload {
        /// Who says so.
        by: String,
        /// Why.
        reason: String,
        /// Only say what it would do.
        #[serde(default)]
        dry_run: bool,
        /// Which version; none: what the file says now.
        #[serde(default)]
        version: Option<u64>,
    },
    /// Stop, now.
    Kill {
        /// What.
        #[serde(default = "everything")]
        scope: HaltScope,
        /// How far: `stop_new`, `cancel_all` or `flatten`.
        #[serde(default = "stop_new")]
        action: HaltLevel,
        /// Who says so.
        #[serde(default)]
        by: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Lift a halt.
    Resume {
        /// What; all that stops the program as a whole where nothing is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<HaltScope>,
        /// Who says so.
        by: String,
        /// Why.
        reason: String,
        /// A second person who confirms it now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second: Option<String>,
    },
    /// What flattening would do.
    FlattenPlan {
        /// What.
        scope: HaltScope,
    },
    /// Change who may use the admin interface.
    Access {
        /// How.
        change: access::Change,
        /// Who says so.
        by: String,
    },
}

fn everything() -> HaltScope {
    HaltScope::Global
}

fn stop_new() -> HaltLevel {
    HaltLevel::StopNew
}

impl Question {
    /// How long whoever asks waits for the answer. A daemon that stands still must be stopped by other means
    /// soon, and a plan is not worth waiting for.
    const fn patience(&self) -> Duration {
        match self {
            Self::Kill { .. } => Duration::from_secs(5),
            Self::FlattenPlan { .. } => Duration::from_secs(3),
            Self::Status => Duration::from_secs(10),
            _ => ANSWER_PATIENCE,
        }
    }
}

/// The socket, until it is dropped.
pub struct Control {
    path: PathBuf,
}

impl Control {
    /// Begins to listen. Without a socket the daemon trades on: commands then read the journal.
    pub fn start(
        directory: &Path,
        inquiry: Inquiry,
        configurator: Configurator,
        users: Box<dyn Users>,
        runtime: Handle,
    ) -> Option<Self> {
        let path = directory.join(SOCKET);
        // The directory's lock is ours, so whatever lies there is left of somebody who has ended.
        let _ = fs::remove_file(&path);
        let listening = UnixListener::bind(&path).and_then(|listener| {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            let halt_file = stops::file_of(directory);
            let users = Arc::new(Mutex::new(users));
            let asked = Asked { inquiry, configurator, users, runtime, halt_file };
            std::thread::Builder::new().name("control".to_owned()).spawn(move || serve(&listener, &asked))
        });
        match listening {
            Ok(_) => Some(Self { path }),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "no control socket: commands read the journal instead");
                None
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The thread ends with the process.
        let _ = fs::remove_file(&self.path);
    }
}

/// Who is asked.
#[derive(Clone)]
struct Asked {
    inquiry: Inquiry,
    configurator: Configurator,
    users: Arc<Mutex<Box<dyn Users>>>,
    runtime: Handle,
    /// As long as it lies there, nothing that it stops can be resumed.
    halt_file: PathBuf,
}

fn serve(listener: &UnixListener, asked: &Asked) {
    let open = Arc::new(());
    for stream in listener.incoming().flatten() {
        // Whoever is one too many finds the connection closed, and may ask again.
        if Arc::strong_count(&open) > MOST_QUESTIONS {
            continue;
        }
        let (open, asked) = (Arc::clone(&open), asked.clone());
        let answering = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
            if let Err(error) = answer(stream, &asked) {
                tracing::debug!(%error, "a question on the control socket came to nothing");
            }
            drop(open);
        });
        if let Err(error) = answering {
            tracing::warn!(%error, "no thread for a question on the control socket");
        }
    }
}

fn answer(stream: UnixStream, asked: &Asked) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(LONGEST_QUESTION)).read_line(&mut line)?;
    let question = serde_json::from_str::<Question>(&line);
    let act = question.as_ref().ok().and_then(act_of);
    let answer = match question {
        Ok(Question::Status) => told(false, asked),
        Ok(Question::Reconcile) => told(true, asked),
        Ok(Question::Config) => {
            let (version, effective) = asked.configurator.in_force();
            reload::shown(&effective, Some(&version))
        }
        Ok(Question::Reload { by, reason, dry_run, version }) => {
            let wanted = version.map_or(Wanted::File, Wanted::Version);
            let change = Change { actor: Actor::local(&by), reason, wanted, expected: None, dry_run };
            reload::answer(&asked.configurator.change(&change))
        }
        Ok(Question::Kill { scope, action, by, reason }) => killed(&scope, action, &by, &reason, asked),
        Ok(Question::Resume { scope, by, reason, second }) => {
            resumed(scope.as_ref(), &by, &reason, second.as_deref(), asked)
        }
        Ok(Question::FlattenPlan { scope }) => planned(&scope, asked),
        Ok(Question::Access { change, by }) => changed(&change, &by, asked),
        Err(error) => serde_json::json!({ "error": format!("the question cannot be read: {error}") }),
    };
    writeln!(&stream, "{answer}")?;
    if answer.get("killed").is_some() {
        store::crash::point("kill_answered");
    }
    // Whoever stops trading has his answer before anybody writes it down.
    if let Some((actor, mut act)) = act {
        let outcome = match (answer.get("error").is_some(), act.action) {
            (false, _) => Outcome::Done,
            (true, "resume") => Outcome::Denied,
            (true, _) => Outcome::Failed,
        };
        act.after = Some(answer);
        asked.configurator.auditor().note(&actor, act, outcome);
    }
    Ok(())
}

/// What the audit keeps of a question that stops or resumes. Changes of the configuration write their own rows.
fn act_of(question: &Question) -> Option<(Actor, Act)> {
    let act =
        |action, target: String, reason: &str| Act { action, target, reason: reason.to_owned(), ..Act::default() };
    match question {
        Question::Kill { scope, by, reason, .. } => Some((Actor::local(by), act("halt", scope.to_string(), reason))),
        Question::Resume { scope, by, reason, second } => {
            let who = second.as_ref().map_or_else(|| by.clone(), |second| format!("{by} and {second}"));
            let target = scope.as_ref().map_or_else(|| "everything".to_owned(), HaltScope::to_string);
            Some((Actor::local(&who), act("resume", target, reason)))
        }
        _ => None,
    }
}

/// By the thread of the socket itself: no runtime and no mailbox stands between the word and the switch.
fn killed(scope: &HaltScope, action: HaltLevel, by: &str, reason: &str, asked: &Asked) -> serde_json::Value {
    store::crash::point("kill_heard");
    // Whatever else somebody who wants to stop has in mind, stopping new orders is the least.
    let level = if ACTIONS.contains(&action) { action } else { HaltLevel::StopNew };
    let or = |text: &str, otherwise: &str| if text.trim().is_empty() { otherwise.to_owned() } else { text.to_owned() };
    let (by, reason) = (or(by, "somebody on the control socket"), or(reason, NO_REASON));
    match asked.inquiry.kill(scope, level, &by, &reason) {
        Ok(level) => {
            let names_nothing = match scope {
                HaltScope::Strategy(name) => !asked.inquiry.strategies().contains(name),
                HaltScope::Symbol(symbol) => asked.inquiry.universe().find(symbol).is_none(),
                _ => false,
            };
            serde_json::json!({
                "killed": true, "scope": scope, "halt": level.name(), "by": by, "reason": reason,
                "names_nothing": names_nothing,
            })
        }
        Err(error) => {
            let error = format!("no new order leaves, but that could not be stored and ends with the daemon: {error}");
            serde_json::json!({ "error": error })
        }
    }
}

fn resumed(
    scope: Option<&HaltScope>,
    by: &str,
    reason: &str,
    second: Option<&str>,
    asked: &Asked,
) -> serde_json::Value {
    if let Some(stop) = stops::read(&asked.halt_file) {
        let (path, scope) = (asked.halt_file.display(), &stop.scope);
        return serde_json::json!({ "error": format!("{path} lies there and stops {scope}: take it away first") });
    }
    let levels = |scopes: Vec<(HaltScope, HaltLevel)>| -> Vec<serde_json::Value> {
        let one = |(scope, level): (HaltScope, HaltLevel)| serde_json::json!({ "scope": scope, "level": level });
        scopes.into_iter().map(one).collect()
    };
    match asked.runtime.block_on(asked.inquiry.resume(scope, by, reason, second)) {
        Ok(Resumed::Lifted(scopes)) => serde_json::json!({ "lifted": levels(scopes) }),
        Ok(Resumed::Proposed { scopes, until }) => {
            serde_json::json!({ "proposed": levels(scopes), "until": until })
        }
        Err(error) => serde_json::json!({ "error": error.to_string() }),
    }
}

fn planned(scope: &HaltScope, asked: &Asked) -> serde_json::Value {
    let answer = asked.runtime.block_on(async {
        let snapshot = asked.inquiry.snapshot().await?;
        Ok::<_, actors::system::SystemError>((asked.inquiry.flatten_plan(scope).await?, snapshot))
    });
    match answer {
        Ok((plan, snapshot)) => status::of_flatten_plan(&plan, snapshot.desk.universe()),
        Err(error) => serde_json::json!({ "error": error.to_string() }),
    }
}

/// Written down here, because a refusal that is the caller's own doing is another outcome than a failure.
fn changed(change: &access::Change, by: &str, asked: &Asked) -> serde_json::Value {
    let made = {
        let mut users = asked.users.lock().unwrap_or_else(PoisonError::into_inner);
        // The machine's time, also where trading is in compressed time: tokens are issued by it.
        change.make(&mut **users, Clock::System.now())
    };
    let outcome = made.as_ref().err().map_or(Outcome::Done, access::NotChanged::outcome);
    asked.configurator.auditor().note(&Actor::local(by), change.act(), outcome);
    match made {
        Ok(()) => serde_json::json!({ "changed": change.name }),
        Err(error) => serde_json::json!({ "error": error.to_string() }),
    }
}

fn told(with_plan: bool, asked: &Asked) -> serde_json::Value {
    let Asked { inquiry, runtime, .. } = asked;
    let answer = runtime.block_on(async {
        let snapshot = inquiry.snapshot().await?;
        let plan = if with_plan { Some(inquiry.dry_run().await?) } else { None };
        Ok::<_, actors::system::SystemError>((snapshot, plan))
    });
    match answer {
        Ok((snapshot, plan)) => {
            let mut document = status::of_snapshot(&snapshot, inquiry.strategies());
            document["halts"] = status::of_halts(&inquiry.halts());
            if let Some(plan) = plan {
                document["reconcile"] = status::of_plan(&plan, snapshot.desk.universe());
            }
            document
        }
        Err(error) => serde_json::json!({ "error": error.to_string() }),
    }
}

/// Asks the daemon of a data directory; `None` where none listens.
///
/// # Errors
/// It listens and does not answer, or says that it cannot.
pub fn ask(directory: &Path, question: &Question) -> Result<Option<serde_json::Value>, String> {
    let Ok(mut stream) = UnixStream::connect(directory.join(SOCKET)) else { return Ok(None) };
    let asked = || -> std::io::Result<String> {
        stream.set_read_timeout(Some(question.patience()))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let line = serde_json::to_string(question).map_err(std::io::Error::other)?;
        writeln!(stream, "{line}")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }();
    let text = asked.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("the running daemon has not answered within {} s", question.patience().as_secs())
        }
        _ => format!("the running daemon does not answer: {error}"),
    })?;
    let answer: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("the running daemon's answer cannot be read: {error}"))?;
    match answer.get("error").and_then(serde_json::Value::as_str) {
        Some(error) => Err(error.to_owned()),
        None => Ok(Some(answer)),
    }
}
