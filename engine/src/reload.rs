//! Changing the configuration of a running daemon, as one transaction: everything is validated, compared with what
//! is in force, refused as a whole or put in force as a whole, stored as a version and written into the audit.
//!
//! Three ways lead here: `pregao reload` and `pregao config rollback` over the control socket, SIGHUP, and the admin
//! interface ([`Configurator::change`] for PUT, [`Configurator::in_force`] for GET). The order of things:
//!
//! 1. the whole configuration is valid, and was made for the version in force
//! 2. only keys that can change in a running daemon differ (`config::effective::is_hot`: the limits)
//! 3. it is approved, where approvals are asked for (`[attestation]`)
//! 4. it raises no limit, or a second person has confirmed it (`[halt] second_person`)
//! 5. the account journals the limits and decides by them; the version is stored; whatever fails here is taken back
//!
//! **Which configuration a start takes.** The file's, except for the limits: what a person put in force in a running
//! daemon holds over a restart until the file's own limits change. An emergency's lower limit does not go away with a
//! crash. A file that raises a limit does not do so by a restart where that takes two people.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actors::{Clock, Inquiry, LimitsOrder};
use market::Timestamp;
use risk::four_eyes::{Asked, Direction, FourEyes};
use risk::{Attestation, LimitChange, Limits, attestation, limit_change};
use serde::Serialize;
use serde_json::{Value, json};
use store::{ConfigVersion, ConfigVersions, Ledger, MetaStore, NewConfigVersion, Outcome, StoreError};
use tokio::runtime::Handle;

use crate::auditor::{Act, Actor, Auditor};
use crate::config::effective::{Difference, Effective};
use crate::config::{self, Config, Overrides, Unusable};

/// Under which name the limits of the file that was looked at last are kept, as a hash.
const FILE_SEEN: &str = "configuration_file_seen";
/// In the audit.
const ACTION: &str = "configuration.apply";

/// What a start puts in force.
pub struct Began {
    /// The configuration to run.
    pub config: Config,
    /// The same, key by key.
    pub effective: Effective,
    state: State,
    auditor: Auditor,
}

/// What changes.
struct State {
    effective: Effective,
    limits: Limits,
    version: ConfigVersion,
    versions: Box<dyn ConfigVersions>,
    meta: Box<dyn MetaStore>,
    /// Changes that wait for a second person: which document on top of which version.
    proposals: FourEyes<String>,
}

/// Changes the configuration of a running daemon. Copies are the same one.
#[derive(Clone)]
pub struct Configurator(Arc<Shared>);

struct Shared {
    overrides: Overrides,
    second_person: bool,
    attestation: Attestation,
    state: Mutex<State>,
    inquiry: Inquiry,
    runtime: Handle,
    auditor: Auditor,
}

/// Which configuration is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// What the file says now.
    File,
    /// What the file says now, if its limits differ from those that were looked at last.
    ChangedFile,
    /// This text in the file's place.
    #[allow(dead_code, reason = "what the admin interface's PUT asks for")]
    Text(String),
    /// What was in force as this version.
    Version(u64),
}

/// A change that somebody asks for.
#[derive(Clone, Debug)]
pub struct Change {
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// To what.
    pub wanted: Wanted,
    /// The tag of the configuration that it was made for; none: whatever is in force.
    pub expected: Option<String>,
    /// Only say what it would do.
    pub dry_run: bool,
}

/// What became of a change.
#[derive(Clone, Debug, Serialize)]
pub struct Changed {
    /// What was done.
    pub outcome: Done,
    /// The version in force now.
    pub version: u64,
    /// Its tag.
    pub etag: String,
    /// What differs, key by key.
    pub changes: Vec<Difference>,
    /// Which limits that changes, and whether it allows more.
    pub limits: Vec<LimitChange>,
    /// It takes a second person.
    pub needs_second: bool,
    /// Until when a second person may confirm it, where it waits for one.
    pub until: Option<Timestamp>,
}

/// How far a change came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It is in force.
    Applied,
    /// There was nothing to change.
    Unchanged,
    /// It would be taken.
    DryRun,
    /// It waits for a second, different person.
    Proposed,
}

/// Why a change was refused; the configuration before stays in force.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The configuration is not valid.
    #[error("{0}")]
    Invalid(Unusable),
    /// It was made for another version.
    #[error("the configuration in force is {current}, and the change was made for {expected}; look at it again")]
    Conflict {
        /// For which.
        expected: String,
        /// The tag of the one in force.
        current: String,
    },
    /// There is no such version.
    #[error("there is no version {0}; 'pregao config history' lists those that there are")]
    NoSuchVersion(u64),
    /// Something else than limits differs.
    #[error("{}", .0.iter().map(|found| format!("{found}: needs a restart; nothing was changed")).collect::<Vec<_>>().join("\n"))]
    NeedsRestart(Vec<Difference>),
    /// Its hash is not approved.
    #[error("{0}; nothing was changed")]
    NotApproved(attestation::NotApproved),
    /// A second, different person is needed.
    #[error("{0}")]
    SecondPerson(String),
    /// Who or why is not told.
    #[error("changing the configuration takes a named person and a reason")]
    Nameless,
    /// Something below failed.
    #[error("{0}")]
    Failed(String),
}

impl Refused {
    /// Stable name in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Conflict { .. } => "conflict",
            Self::NoSuchVersion(_) => "no_such_version",
            Self::NeedsRestart(_) => "needs_restart",
            Self::NotApproved(_) => "not_approved",
            Self::SecondPerson(_) => "second_person",
            Self::Nameless => "nameless",
            Self::Failed(_) => "failed",
        }
    }

    /// Every reason, one a line.
    pub fn reasons(&self) -> Vec<String> {
        self.to_string().lines().map(str::to_owned).collect()
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Failed(crate::output::chain(&error))
    }
}

/// What clients compare: number and digest of a version.
pub fn etag(version: &ConfigVersion) -> String {
    format!("{}-{}", version.number, version.digest)
}

/// Decides what a start puts in force, and stores it as a version if it is not the one that was.
///
/// # Errors
/// The store cannot be read or written, or what a person put in force does not go with the file.
pub fn begin(
    overrides: &Overrides,
    loaded: (Config, Effective),
    ledger: &dyn Ledger,
    auditor: Auditor,
) -> Result<Began, Refused> {
    let (mut config, mut effective) = loaded;
    let (mut versions, mut meta) = (ledger.config_versions()?, ledger.meta()?);
    let file = effective.hot_hash().to_string();
    let seen = meta.meta(FILE_SEEN)?;
    let current = versions.current()?;
    let mut reason = "configuration at the start";
    if let Some(current) = &current {
        let kept = match what_counts(&config, seen.as_deref() == Some(file.as_str()), current) {
            Counts::File => None,
            Counts::Version => Some("limits that were put in force in a running daemon"),
            Counts::VersionForNow => {
                tracing::error!(
                    version = current.number,
                    "the file raises a limit, which takes two people: those in force stay; 'pregao reload' proposes"
                );
                Some("limits that a second person has not raised")
            }
        };
        if let Some(why) = kept {
            let with_version = config::load_with_version(overrides, current.number, &current.document);
            (config, effective) = with_version.map_err(Refused::Invalid)?;
            reason = why;
        }
        // Only a file that counts has been dealt with.
        if kept.is_none() {
            meta.set_meta(FILE_SEEN, &file)?;
        }
    } else {
        meta.set_meta(FILE_SEEN, &file)?;
    }
    let document = effective.document();
    let version = match current {
        Some(current) if current.document == document => current,
        current => {
            let number = current.map_or(0, |current| current.number);
            let start = NewConfigVersion {
                at: Clock::System.now(),
                author: "start".to_owned(),
                second: None,
                reason: reason.to_owned(),
                document,
            };
            let version = versions.append(number, &start)?;
            let act = Act {
                action: ACTION,
                target: format!("version {}", version.number),
                reason: reason.to_owned(),
                after: Some(json!({ "hash": effective.hash(), "digest": version.digest })),
                ..Act::default()
            };
            let actor = Actor { who: "start".to_owned(), role: String::new(), origin: "engine" };
            auditor.note(&actor, act, Outcome::Done);
            version
        }
    };
    let limits = config.limits.clone();
    let proposals = FourEyes::default();
    let state = State { effective: effective.clone(), limits, version, versions, meta, proposals };
    Ok(Began { config, effective, state, auditor })
}

/// Whose limits count at a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Counts {
    /// The file's.
    File,
    /// Those in force: the file has not changed since somebody put them there.
    Version,
    /// Those in force: the file raises one, and one person may not.
    VersionForNow,
}

fn what_counts(config: &Config, is_file_seen: bool, current: &ConfigVersion) -> Counts {
    if is_file_seen {
        return Counts::Version;
    }
    let Some(before) = config::limits_of(&current.document) else {
        // Another program's limits: whoever put this program here could have put anything here.
        tracing::warn!(version = current.number, "the limits in force before are not this program's; the file's count");
        return Counts::File;
    };
    match limit_change::direction(&before, &config.limits) {
        Direction::Raises if config.second_person => Counts::VersionForNow,
        _ => Counts::File,
    }
}

impl Began {
    /// Logs the configuration in force, key by key.
    pub fn log(&self) {
        for line in self.effective.lines() {
            let config::effective::Line { key, value, origin, hot } = line;
            tracing::info!(key, value, origin, hot, "configuration");
        }
        let (version, hash) = (self.state.version.number, self.effective.hash());
        tracing::info!(version, %hash, "configuration in force");
    }

    /// The audit.
    pub fn auditor(&self) -> &Auditor {
        &self.auditor
    }

    /// Whether what runs is what was approved; `build`: the program's hash, if it could be established.
    ///
    /// # Errors
    /// What was not approved.
    pub fn attest(&self, build: Option<String>) -> Result<(), attestation::NotApproved> {
        let running = attestation::Running { build, configuration: Some(self.effective.hash().to_string()) };
        self.config.attestation.check(&running)
    }

    /// Ready to change it while the system runs.
    pub fn running(self, overrides: Overrides, inquiry: Inquiry, runtime: Handle) -> Configurator {
        let Self { config, state, auditor, .. } = self;
        Configurator(Arc::new(Shared {
            overrides,
            second_person: config.second_person,
            attestation: config.attestation,
            state: Mutex::new(state),
            inquiry,
            runtime,
            auditor,
        }))
    }
}

impl Configurator {
    /// The audit that changes are written into.
    pub fn auditor(&self) -> &Auditor {
        &self.0.auditor
    }

    /// The version in force, and what it says, key by key.
    pub fn in_force(&self) -> (ConfigVersion, Effective) {
        let state = self.state();
        (state.version.clone(), state.effective.clone())
    }

    /// Carries a change out, or says why not. Blocks while the journal and the store work; not to be called from
    /// a task. Every attempt is in the audit.
    ///
    /// # Errors
    /// The configuration before stays in force.
    pub fn change(&self, change: &Change) -> Result<Changed, Refused> {
        let changed = self.decide(change);
        let (outcome, after) = match &changed {
            Ok(changed) => (Outcome::Done, serde_json::to_value(changed).unwrap_or_default()),
            Err(refused) => {
                tracing::error!(who = change.actor.who, kind = refused.name(), reasons = ?refused.reasons(), "a change of the configuration was refused");
                let outcome = if matches!(refused, Refused::Failed(_)) { Outcome::Failed } else { Outcome::Denied };
                (outcome, json!({ "refused": refused.name(), "reasons": refused.reasons() }))
            }
        };
        let act = Act {
            action: ACTION,
            target: change.wanted.told(),
            reason: change.reason.clone(),
            before: Some(json!({ "etag": etag(&self.in_force().0) })),
            after: Some(after),
        };
        self.0.auditor.note(&change.actor, act, outcome);
        changed
    }

    fn decide(&self, change: &Change) -> Result<Changed, Refused> {
        if change.actor.who.trim().is_empty() || change.reason.trim().is_empty() {
            return Err(Refused::Nameless);
        }
        // One change at a time: what was compared must be what is replaced.
        let mut state = self.state();
        let current = etag(&state.version);
        if let Some(expected) = change.expected.as_ref().filter(|expected| **expected != current) {
            return Err(Refused::Conflict { expected: expected.clone(), current });
        }
        let (config, effective) = self.wanted(&change.wanted, &*state.versions)?;
        let changes = state.effective.differences(&effective);
        let limits = limit_change::changes(&state.limits, &config.limits);
        let direction = limit_change::direction(&state.limits, &config.limits);
        let needs_second = direction == Direction::Raises && self.0.second_person;
        let told = |outcome, version: &ConfigVersion| Changed {
            outcome,
            version: version.number,
            etag: etag(version),
            changes: changes.clone(),
            limits: limits.clone(),
            needs_second,
            until: None,
        };
        let is_seen = change.wanted == Wanted::ChangedFile
            && state.meta.meta(FILE_SEEN)? == Some(effective.hot_hash().to_string());
        if changes.is_empty() || is_seen {
            let unchanged = told(Done::Unchanged, &state.version);
            return Ok(Changed { changes: Vec::new(), limits: Vec::new(), needs_second: false, ..unchanged });
        }
        self.may_run(&changes, &effective)?;
        if change.dry_run {
            return Ok(told(Done::DryRun, &state.version));
        }
        let (author, second, reason) = match self.grant(&mut state, change, direction, &effective)? {
            Granted::Now { author, second, reason } => (author, second, reason),
            Granted::Waits(until) => {
                return Ok(Changed { until: Some(until), ..told(Done::Proposed, &state.version) });
            }
        };
        let document = effective.document();
        let version = NewConfigVersion { at: Clock::System.now(), author, second, reason, document };
        self.put_in_force(&mut state, config.limits.clone(), &version)?;
        if matches!(change.wanted, Wanted::File | Wanted::ChangedFile) {
            state.meta.set_meta(FILE_SEEN, &effective.hot_hash().to_string())?;
        }
        (state.effective, state.limits) = (effective, config.limits);
        Ok(told(Done::Applied, &state.version))
    }

    /// What is wanted, valid.
    fn wanted(&self, wanted: &Wanted, versions: &dyn ConfigVersions) -> Result<(Config, Effective), Refused> {
        let overrides = &self.0.overrides;
        let loaded = match wanted {
            Wanted::File | Wanted::ChangedFile => config::load_effective(overrides),
            Wanted::Text(text) => config::load_text(overrides, "configuration", text),
            Wanted::Version(number) => {
                let version = versions.get(*number)?.ok_or(Refused::NoSuchVersion(*number))?;
                config::load_text(overrides, &format!("version {number}"), &version.document)
            }
        };
        loaded.map_err(Refused::Invalid)
    }

    /// Whether a running daemon may take it.
    fn may_run(&self, changes: &[Difference], effective: &Effective) -> Result<(), Refused> {
        let restart: Vec<Difference> = changes.iter().filter(|change| !change.hot).cloned().collect();
        if !restart.is_empty() {
            return Err(Refused::NeedsRestart(restart));
        }
        let configuration = Some(effective.hash().to_string());
        let approved = Attestation { builds: Vec::new(), ..self.0.attestation.clone() };
        approved.check(&attestation::Running { build: None, configuration }).map_err(Refused::NotApproved)
    }

    /// Whose change it is, or until when it waits for a second person.
    fn grant(
        &self,
        state: &mut State,
        change: &Change,
        direction: Direction,
        effective: &Effective,
    ) -> Result<Granted, Refused> {
        let Change { actor, reason, .. } = change;
        let direction = if self.0.second_person { direction } else { Direction::Lowers };
        if direction == Direction::Raises && actor.origin == Actor::signal("").origin {
            let message = "this raises a limit, which takes two people, and a signal is nobody: use 'pregao reload'";
            return Err(Refused::SecondPerson(message.to_owned()));
        }
        let what = format!("{} {}", etag(&state.version), effective.hash());
        let asked = state.proposals.ask(&what, direction, &actor.who, reason, Clock::System.now());
        match asked.map_err(|same| Refused::SecondPerson(same.to_string()))? {
            Asked::Granted(None) => {
                Ok(Granted::Now { author: actor.who.clone(), second: None, reason: reason.clone() })
            }
            Asked::Granted(Some(proposal)) => {
                Ok(Granted::Now { author: proposal.by, second: Some(actor.who.clone()), reason: proposal.reason })
            }
            Asked::Proposed(proposal) => Ok(Granted::Waits(proposal.expires_at())),
        }
    }

    /// Journaled and in force, then stored as a version; what cannot be stored is taken back.
    fn put_in_force(&self, state: &mut State, limits: Limits, version: &NewConfigVersion) -> Result<(), Refused> {
        let order = |limits, reason: &str| LimitsOrder {
            limits,
            by: version.author.clone(),
            second: version.second.clone(),
            reason: reason.to_owned(),
        };
        if limits != state.limits {
            self.set(order(limits.clone(), &version.reason)).map_err(Refused::Failed)?;
        }
        match state.versions.append(state.version.number, version) {
            Ok(stored) => {
                state.version = stored;
                Ok(())
            }
            Err(error) => {
                let why = format!("the version could not be stored: {}", crate::output::chain(&error));
                match self.set(order(state.limits.clone(), &why)) {
                    Ok(_) => Err(Refused::Failed(format!("{why}; the limits before are in force again"))),
                    Err(next) => Err(Refused::Failed(format!(
                        "{why}; and the limits before could not be put in force again: {next}; stop with 'pregao kill'"
                    ))),
                }
            }
        }
    }

    fn set(&self, order: LimitsOrder) -> Result<u64, String> {
        self.0.runtime.block_on(self.0.inquiry.set_limits(order)).map_err(|error| error.to_string())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It changes in one place, all at once, after everything that could fail.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose change it is.
enum Granted {
    /// It may be carried out.
    Now { author: String, second: Option<String>, reason: String },
    /// A second person may confirm it until then.
    Waits(Timestamp),
}

impl Wanted {
    fn told(&self) -> String {
        match self {
            Self::File | Self::ChangedFile => "file".to_owned(),
            Self::Text(_) => "document".to_owned(),
            Self::Version(number) => format!("version {number}"),
        }
    }
}

/// A configuration as JSON, with the version that it is in force as.
pub fn shown(effective: &Effective, version: Option<&ConfigVersion>) -> Value {
    json!({
        "version": version.map(|version| version.number),
        "etag": version.map(etag),
        "hash": effective.hash(),
        "keys": effective.lines().collect::<Vec<_>>(),
        "document": effective.document(),
    })
}

/// An answer as JSON, the same on the control socket and in the admin interface.
pub fn answer(changed: &Result<Changed, Refused>) -> Value {
    match changed {
        Ok(changed) => serde_json::to_value(changed).unwrap_or_default(),
        Err(refused) => {
            json!({ "error": refused.to_string(), "refused": refused.name(), "reasons": refused.reasons() })
        }
    }
}

/// SHA-256 of the program that runs, as far as it can be read.
pub fn own_build() -> std::io::Result<String> {
    // What was started, also if another file lies in its place by now.
    let running = PathBuf::from("/proc/self/exe");
    let program = if running.exists() { running } else { std::env::current_exe()? };
    Ok(store::Digest::of_file(&program)?.to_string())
}
