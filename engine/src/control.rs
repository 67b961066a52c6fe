//! The socket in the data directory, by which commands on the same machine talk to the running daemon.
//!
//! Whoever may read and write the data directory may ask; the file system keeps everybody else out. One
//! JSON object on a line is a question, one is the answer. Each is served by a thread of its own, so that
//! nobody who asks can hold up trading, nor a question that waits somebody who stops it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::Inquiry;
use risk::{HaltLevel, HaltScope};
use serde::{Deserialize, Serialize};
use store::Outcome;
use tokio::runtime::Handle;

use crate::auditor::{Act, Actor};
use crate::commands::status;
use crate::reload::{self, Change, Configurator, Wanted};

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
    /// Stop new orders, now.
    Kill {
        /// Who says so.
        by: String,
        /// Why.
        reason: String,
    },
}

/// The socket, until it is dropped.
pub struct Control {
    path: PathBuf,
}

impl Control {
    /// Begins to listen. Without a socket the daemon trades on: commands then read the journal.
    pub fn start(directory: &Path, inquiry: Inquiry, configurator: Configurator, runtime: Handle) -> Option<Self> {
        let path = directory.join(SOCKET);
        // The directory's lock is ours, so whatever lies there is left of somebody who has ended.
        let _ = fs::remove_file(&path);
        let listening = UnixListener::bind(&path).and_then(|listener| {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            let serving = std::thread::Builder::new().name("control".to_owned());
            serving.spawn(move || serve(&listener, &inquiry, &configurator, &runtime))
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

fn serve(listener: &UnixListener, inquiry: &Inquiry, configurator: &Configurator, runtime: &Handle) {
    let open = Arc::new(());
    for stream in listener.incoming().flatten() {
        // Whoever is one too many finds the connection closed, and may ask again.
        if Arc::strong_count(&open) > MOST_QUESTIONS {
            continue;
        }
        let (open, inquiry, runtime) = (Arc::clone(&open), inquiry.clone(), runtime.clone());
        let configurator = configurator.clone();
        let answering = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
            if let Err(error) = answer(stream, &inquiry, &configurator, &runtime) {
                tracing::debug!(%error, "a question on the control socket came to nothing");
            }
            drop(open);
        });
        if let Err(error) = answering {
            tracing::warn!(%error, "no thread for a question on the control socket");
        }
    }
}

fn answer(stream: UnixStream, inquiry: &Inquiry, configurator: &Configurator, runtime: &Handle) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(LONGEST_QUESTION)).read_line(&mut line)?;
    let question = serde_json::from_str::<Question>(&line);
    let stop = match &question {
        Ok(Question::Kill { by, reason }) => Some((by.clone(), reason.clone())),
        _ => None,
    };
    let answer = match question {
        Ok(Question::Status) => told(false, inquiry, runtime),
        Ok(Question::Reconcile) => told(true, inquiry, runtime),
        Ok(Question::Config) => {
            let (version, effective) = configurator.in_force();
            reload::shown(&effective, Some(&version))
        }
        Ok(Question::Reload { by, reason, dry_run, version }) => {
            let wanted = version.map_or(Wanted::File, Wanted::Version);
            let change = Change { actor: Actor::local(&by), reason, wanted, expected: None, dry_run };
            reload::answer(&configurator.change(&change))
        }
        Ok(Question::Kill { by, reason }) => killed(&by, &reason, inquiry),
        Err(error) => serde_json::json!({ "error": format!("the question cannot be read: {error}") }),
    };
    writeln!(&stream, "{answer}")?;
    if answer.get("killed").is_some() {
        store::crash::point("kill_answered");
    }
    // Whoever stops trading has his answer before anybody writes it down.
    if let Some((by, reason)) = stop {
        let outcome = if answer.get("error").is_some() { Outcome::Failed } else { Outcome::Done };
        let act = Act { action: "halt", target: "global".to_owned(), reason, after: Some(answer), ..Act::default() };
        configurator.auditor().note(&Actor::local(&by), act, outcome);
    }
    Ok(())
}

/// By the thread of the socket itself: no runtime and no mailbox stands between the word and the switch.
fn killed(by: &str, reason: &str, inquiry: &Inquiry) -> serde_json::Value {
    store::crash::point("kill_heard");
    if by.trim().is_empty() || reason.trim().is_empty() {
        return serde_json::json!({ "error": "stopping takes a named person and a reason" });
    }
    match inquiry.kill(&HaltScope::Global, HaltLevel::StopNew, by, reason) {
        Ok(level) => serde_json::json!({ "killed": true, "halt": level.name(), "by": by, "reason": reason }),
        Err(error) => {
            let error = format!("no new order leaves, but that could not be stored and ends with the daemon: {error}");
            serde_json::json!({ "error": error })
        }
    }
}

fn told(with_plan: bool, inquiry: &Inquiry, runtime: &Handle) -> serde_json::Value {
    let answer = runtime.block_on(async {
        let snapshot = inquiry.snapshot().await?;
        let plan = if with_plan { Some(inquiry.dry_run().await?) } else { None };
        Ok::<_, actors::system::SystemError>((snapshot, plan))
    });
    match answer {
        Ok((snapshot, plan)) => {
            let mut document = status::of_snapshot(&snapshot);
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
        stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let line = serde_json::to_string(question).map_err(std::io::Error::other)?;
        writeln!(stream, "{line}")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }();
    let text = asked.map_err(|error| format!("the running daemon does not answer: {error}"))?;
    let answer: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("the running daemon's answer cannot be read: {error}"))?;
    match answer.get("error").and_then(serde_json::Value::as_str) {
        Some(error) => Err(error.to_owned()),
        None => Ok(Some(answer)),
    }
}
