//! Supervisor: starts every actor, restarts what fails, and halts when restarting does not help.
//!
//! Owns the list of children with their restart history. Hears only ractor's supervision events
//! and its own "restart now" and "beat". Sends the beats of the [`Pulse`] on their way through the
//! Account; otherwise children find each other by address.
//!
//! Intensity: more than [`RestartPolicy::most`] failures within [`RestartPolicy::within`] and a
//! child is given up. What that means depends on the child: a strategy or symbol is left out and
//! everything else goes on; without a journal, account, broker, session or limit nothing may trade,
//! so the switch goes to halted; without a feed no new risk is taken.
//!
//! When it dies: everything dies with it, and the program ends with an error, for the service
//! manager to start again; starting is recovering.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use risk::{HaltLevel, HaltScope};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::account;
use crate::address::Address;
use crate::halt::Halter;
use crate::notifier::Alert;
use crate::pulse::Pulse;

/// When a child is restarted and when it is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestartPolicy {
    /// Failures allowed within the window.
    pub most: usize,
    /// The window.
    pub within: Duration,
    /// Pause before the second restart in a row; doubles with each further one. The first is at
    /// once.
    pub pause: Duration,
}

impl Default for RestartPolicy {
    /// Five failures in a minute, as `docs/risk-controls.md` states.
    fn default() -> Self {
        Self { most: 5, within: Duration::from_secs(60), pause: Duration::from_millis(20) }
    }
}

/// Starts a child under a supervisor, again and again.
pub(crate) type Start =
    Arc<dyn Fn(ActorCell) -> Pin<Box<dyn Future<Output = Result<ActorCell, SpawnErr>> + Send>> + Send + Sync>;

/// A child as the supervisor knows it.
#[derive(Clone)]
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) start: Start,
    /// What is halted without it.
    pub(crate) scope: HaltScope,
    /// Level to raise the switch to when it fails, before it is restarted.
    pub(crate) when_down: HaltLevel,
    /// Level to raise the switch to when it is given up.
    pub(crate) when_given_up: HaltLevel,
}

impl Child {
    /// Whether nothing can be traded without it.
    pub(crate) fn is_essential(&self) -> bool {
        self.when_given_up == HaltLevel::Halted && !matches!(self.scope, HaltScope::Strategy(_) | HaltScope::Symbol(_))
    }
}

/// How often each actor was restarted. Copies share the counts.
#[derive(Clone, Debug, Default)]
pub struct Restarts(Arc<Mutex<BTreeMap<String, u64>>>);

impl Restarts {
    fn count(&self, name: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default() += 1;
    }

    /// Restarts by actor.
    pub fn by_actor(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All restarts.
    pub fn total(&self) -> u64 {
        self.by_actor().values().sum()
    }
}

/// What the Supervisor hears.
#[derive(Debug)]
pub enum Message {
    /// Start this child again.
    Restart(usize),
    /// Send a beat on its way (live).
    Beat,
}

/// What a Supervisor is made of.
pub struct Arguments {
    pub(crate) children: Vec<Child>,
    pub(crate) policy: RestartPolicy,
    pub(crate) halt: Halter,
    pub(crate) restarts: Restarts,
    /// Names of children that were given up.
    pub(crate) given_up: watch::Sender<Vec<String>>,
    pub(crate) pulse: Pulse,
    /// Where beats go first.
    pub(crate) account: Address<account::Message>,
}

/// A Supervisor at work.
pub struct State {
    arguments: Arguments,
    running: HashMap<ActorId, usize>,
    failures: Vec<VecDeque<Instant>>,
}

/// The kind of actor.
pub struct Supervisor;

impl Actor for Supervisor {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let mut running = HashMap::new();
        for (place, child) in arguments.children.iter().enumerate() {
            let cell = (child.start)(myself.get_cell()).await.map_err(|error| format!("{}: {error}", child.name))?;
            running.insert(cell.get_id(), place);
        }
        if let Some(interval) = arguments.pulse.interval() {
            myself.send_message(Message::Beat)?;
            myself.send_interval(interval, || Message::Beat);
        }
        let failures = vec![VecDeque::new(); arguments.children.len()];
        Ok(State { arguments, running, failures })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let place = match message {
            Message::Restart(place) => place,
            Message::Beat => {
                state.beat();
                return Ok(());
            }
        };
        let start = Arc::clone(&state.arguments.children[place].start);
        match start(myself.get_cell()).await {
            Ok(cell) => {
                state.running.insert(cell.get_id(), place);
                state.arguments.restarts.count(&state.arguments.children[place].name);
            }
            Err(error) => state.failed(place, &error.to_string(), &myself),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, reason) = match event {
            SupervisionEvent::ActorFailed(cell, error) => (cell, error.to_string()),
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                (cell, reason.unwrap_or_else(|| "stopped without being asked".to_owned()))
            }
            _ => return Ok(()),
        };
        if let Some(place) = state.running.remove(&cell.get_id()) {
            state.failed(place, &reason, &myself);
        }
        Ok(())
    }
}

impl State {
    fn beat(&self) {
        let Some(beat) = self.arguments.pulse.beat() else { return };
        // An Account that is down stops it here; what the gate makes of that needs nobody's help.
        let _ = self.arguments.account.send(account::Message::Pulse(beat));
    }

    fn failed(&mut self, place: usize, reason: &str, myself: &ActorRef<Message>) {
        let child = &self.arguments.children[place];
        let policy = self.arguments.policy;
        let now = Instant::now();
        let failures = &mut self.failures[place];
        failures.push_back(now);
        while failures.front().is_some_and(|first| now.duration_since(*first) > policy.within) {
            failures.pop_front();
        }
        self.arguments.halt.raise(&child.scope, child.when_down, &child.name, reason);
        if failures.len() > policy.most {
            self.arguments.halt.raise(&child.scope, child.when_given_up, &child.name, reason);
            tracing::error!(
                actor = child.name,
                reason,
                failures = failures.len(),
                "given up: it fails again and again"
            );
            let (clock, alerts) = (&self.arguments.halt.clock, &self.arguments.halt.alerts);
            let told = format!("{} was given up: {reason}", child.name);
            alerts.raise(Alert { logged: true, ..Alert::error("actor_given_up", clock.now(), &child.name, told) });
            let name = child.name.clone();
            self.arguments.given_up.send_modify(|names| names.push(name));
            return;
        }
        tracing::error!(actor = child.name, reason, failures = failures.len(), "failed, restarting");
        let doublings = u32::try_from(failures.len().saturating_sub(2)).unwrap_or(u32::MAX).min(10);
        let pause = if failures.len() < 2 { Duration::ZERO } else { policy.pause * 2_u32.pow(doublings) };
        myself.send_after(pause, move || Message::Restart(place));
    }
}
