//! How others ask about a running tree, stop it and lead it out of a stop: people over HTTP, the control
//! socket, the halt file and signals. Copies ask the same tree, and stopping asks no actor at all.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use market::{InstrumentId, Timestamp, TopOfBook, Universe};
use oms::reconcile::Plan;
use risk::monitors::{Used, may_arm, used};
use risk::{Asked, Direction, HaltLevel, HaltScope, HaltSwitch, LimitTable, MonitorSettings, SamePerson, Seen};
use store::{HaltRecord, HotQuote, StoreError};
use tokio::sync::oneshot;

use super::{ANSWER_LIMIT, Addresses, Proposals, Stats, SystemError, View};
use crate::account::{FlattenPlan, Snapshot};
use crate::address::Address;
use crate::broker::SharedConnection;
use crate::clock::Clock;
use crate::halt::Halter;
use crate::limits::LimitsOrder;
use crate::measures::{Kind, Measures};
use crate::notifier::Alerts;
use crate::quotes::Publication;
use crate::sampler::LastReading;
use crate::turn::Turn;
use crate::{account, broker};

/// Asks a running tree; copies ask the same one.
#[derive(Clone)]
pub struct Inquiry {
    pub(super) account: Address<account::Message>,
    pub(super) broker: Address<broker::Message>,
    pub(super) halter: Halter,
    pub(super) connection: SharedConnection,
    pub(super) view: View,
    pub(super) second_person: bool,
    pub(super) proposals: Proposals,
    pub(super) monitors: MonitorSettings,
    pub(super) last_reading: LastReading,
    pub(super) addresses: Addresses,
}

/// What became of a resume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resumed {
    /// These are lifted, with the level at which each stood.
    Lifted(Vec<(HaltScope, HaltLevel)>),
    /// A second, different person has to say the same in time.
    Proposed {
        /// What would be lifted, with the level at which each stands.
        scopes: Vec<(HaltScope, HaltLevel)>,
        /// When the proposal is void.
        until: Timestamp,
    },
}

/// Why nothing was lifted, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// No name, or no reason.
    #[error("resuming takes a named person and a reason")]
    Nameless,
    /// Nothing stands there.
    #[error("nothing is halted there{}; 'pregao status' shows what is", scope.as_ref().map(|scope| format!(": {scope} is active")).unwrap_or_default())]
    NothingHalted {
        /// The scope that was named.
        scope: Option<HaltScope>,
    },
    /// The proposer once more.
    #[error(transparent)]
    SamePerson(#[from] SamePerson),
    /// It stays halted.
    #[error("{scope} stays halted: {reason}")]
    Refused {
        /// What.
        scope: HaltScope,
        /// Why, and what to do about it.
        reason: String,
    },
    /// The account does not answer.
    #[error(transparent)]
    NoAnswer(#[from] SystemError),
}

impl Inquiry {
    /// The halt switch, read without asking anybody.
    pub fn halt(&self) -> &HaltSwitch {
        &self.halter.switch
    }

    /// Halts of this run by who threw them.
    pub fn halts_by(&self) -> std::collections::BTreeMap<&'static str, u64> {
        self.halter.counts()
    }

    /// What can be traded.
    pub fn universe(&self) -> &Arc<Universe> {
        &self.view.universe
    }

    /// The strategies' names, by number.
    pub fn strategies(&self) -> &[String] {
        &self.view.strategies
    }

    /// The hot quote of an instrument, read without asking anybody.
    pub fn quote(&self, instrument: InstrumentId) -> TopOfBook {
        self.view.board.top(instrument)
    }

    /// The same with sizes and origin, as other programs see it.
    pub fn hot_quote(&self, instrument: InstrumentId) -> Option<HotQuote> {
        let (_, fresh) = self.view.pen.as_ref()?.quotes().read(instrument.index())?;
        Some(fresh.quote)
    }

    /// How hot quotes are published to other programs, where they are.
    pub fn publication(&self) -> Option<Publication> {
        self.view.publication.as_ref().map(|figures| figures.look(Instant::now()))
    }

    /// Restarts by actor.
    pub fn restarts(&self) -> BTreeMap<String, u64> {
        self.view.restarts.by_actor()
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.view.stats
    }

    /// How long things take.
    pub fn measures(&self) -> &Measures {
        &self.view.measures
    }

    /// Messages that wait, in the fullest mailbox of each kind of actor.
    pub fn mailboxes(&self) -> [(Kind, u64); Kind::ALL.len()] {
        fn most<M: ractor::Message>(all: &[Address<M>]) -> u64 {
            all.iter().map(Address::depth).max().unwrap_or_default()
        }
        let to = &self.addresses;
        Kind::ALL.map(|kind| {
            let depth = match kind {
                Kind::Journal => to.journal.depth(),
                Kind::Session => to.session.depth(),
                Kind::Account => to.account.depth(),
                Kind::Broker => to.broker.depth(),
                Kind::Limit => most(&to.limits),
                Kind::Symbol => most(&to.symbols),
                Kind::Strategy => most(&to.strategies),
            };
            (kind, depth)
        })
    }

    /// How much of each limit is used up, as the monitors last saw it.
    pub fn used(&self) -> Vec<Used> {
        self.view.figures.read(used)
    }

    /// Actors that were given up.
    pub fn given_up(&self) -> Vec<String> {
        self.view.given_up.borrow().clone()
    }

    /// The clock of the run.
    pub fn clock(&self) -> &Clock {
        &self.halter.clock
    }

    /// How things stand.
    ///
    /// # Errors
    /// The account is down or does not answer in time.
    pub async fn snapshot(&self) -> Result<Snapshot, SystemError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.account.send(account::Message::Snapshot(reply));
        sent.map_err(|gone| SystemError::NoAnswer(gone.to_string()))?;
        answered(answer).await
    }

    /// Halts a scope, at least as far as `level`: throws the switch, waits for what was in the gate at
    /// that moment, makes it durable, has it journaled. When this returns nothing leaves any more that the
    /// level forbids, until a person resumes; cancels still do. Every way to stop ends here, and none
    /// needs an actor to answer. The level at which the scope stands now.
    ///
    /// # Errors
    /// It is in force, but not stored: it ends with the process.
    pub fn kill(&self, scope: &HaltScope, level: HaltLevel, by: &str, reason: &str) -> Result<HaltLevel, StoreError> {
        self.halter.switch.raise(scope, level);
        // Whoever passed the gate before has the connection until its bytes have left.
        drop(self.connection.lock().unwrap_or_else(PoisonError::into_inner));
        let (level, at) = (self.halter.switch.level_in(scope), self.halter.clock.now());
        let stored = self.halter.keep(scope, level, by, reason);
        let (scope, by, reason) = (scope.clone(), by.to_owned(), reason.to_owned());
        let told = account::Message::Halted { scope, level, by, reason, at, turn: Turn::none() };
        if let Err(error) = self.account.send(told) {
            tracing::error!(%error, "the halt is in force but could not be journaled");
        }
        stored.map(|()| level)
    }

    /// The limits in force.
    pub fn limits(&self) -> Arc<LimitTable> {
        self.view.limits.get()
    }

    /// Puts other limits in force, with an entry in the journal; the entry, once it is durable. Whether they
    /// may be changed, whoever asks has asked already.
    ///
    /// # Errors
    /// The limits before stay in force, or the account does not answer: then [`Self::limits`] tells.
    pub async fn set_limits(&self, order: LimitsOrder) -> Result<u64, SystemError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.account.send(account::Message::Limits(Box::new(order), reply));
        sent.map_err(|gone| SystemError::NoAnswer(gone.to_string()))?;
        answered(answer).await?.map_err(SystemError::LimitsRefused)
    }

    /// Every scope that is not active: how far, by whom, why, since when.
    pub fn halts(&self) -> Vec<HaltRecord> {
        self.halter.standing()
    }

    /// Lifts a halt on a named person's word; without a scope, all that stops the program as a whole. The
    /// account is told and journals it, then it is stored, then the switch opens. A halt that comes
    /// meanwhile stays. Leaving `halted` takes a book that agrees with the broker; leaving `cancel_all`,
    /// `flatten` or `halted` takes a `second` person where that is configured, here or in a call of their own.
    ///
    /// # Errors
    /// What is in the error stays halted.
    pub async fn resume(
        &self,
        scope: Option<&HaltScope>,
        by: &str,
        reason: &str,
        second: Option<&str>,
    ) -> Result<Resumed, ResumeError> {
        let blank = |text: &str| text.trim().is_empty();
        if blank(by) || blank(reason) || second.is_some_and(blank) {
            return Err(ResumeError::Nameless);
        }
        let scopes: Vec<HaltScope> = scope.cloned().map_or_else(|| HaltScope::PROGRAM.to_vec(), |scope| vec![scope]);
        let seen = scopes.into_iter().map(|scope| (self.halter.switch.seen(&scope), scope));
        // A rule of repetition may have stopped a strategy without a halt: resuming one, or a symbol, re-arms it.
        let concerned =
            |(seen, scope): &(Seen, HaltScope)| seen.level() != HaltLevel::Active || !scope.is_program_wide();
        let seen: Vec<(HaltScope, Seen)> = seen.filter(concerned).map(|(seen, scope)| (scope, seen)).collect();
        if seen.is_empty() {
            return Err(ResumeError::NothingHalted { scope: scope.cloned() });
        }
        // C27: under a clock that is wrong nothing is armed.
        if let (Err(reason), Some((scope, _))) = (self.may_arm(), seen.first()) {
            return Err(ResumeError::Refused { scope: scope.clone(), reason });
        }
        let levels: Vec<(HaltScope, HaltLevel)> =
            seen.iter().map(|(scope, seen)| (scope.clone(), seen.level())).collect();
        let (mut by, mut reason) = (by.to_owned(), reason.to_owned());
        match self.granted(&seen, &by, &reason, second)? {
            Asked::Proposed(proposal) => {
                return Ok(Resumed::Proposed { scopes: levels, until: proposal.expires_at() });
            }
            Asked::Granted(Some(proposal)) => {
                by = format!("{} and {}", proposal.by, second.unwrap_or(&by));
                if proposal.reason != reason {
                    reason = format!("{}; {reason}", proposal.reason);
                }
            }
            Asked::Granted(None) => {}
        }
        for (scope, seen) in seen {
            let (reply, answer) = oneshot::channel();
            let (of, by, reason) = (scope.clone(), by.clone(), reason.clone());
            let sent = self.account.send(account::Message::Resume { scope: of, seen, by, reason, reply });
            sent.map_err(|gone| SystemError::NoAnswer(gone.to_string()))?;
            answered(answer).await?.map_err(|reason| ResumeError::Refused { scope, reason })?;
        }
        Ok(Resumed::Lifted(levels))
    }

    fn granted(
        &self,
        seen: &Vec<(HaltScope, Seen)>,
        by: &str,
        reason: &str,
        second: Option<&str>,
    ) -> Result<Asked<Vec<(HaltScope, Seen)>>, SamePerson> {
        let severe = seen.iter().any(|(_, seen)| seen.level().is_severe());
        let direction = if self.second_person && severe { Direction::Raises } else { Direction::Lowers };
        let now = self.halter.clock.now();
        let mut proposals = self.proposals.lock().unwrap_or_else(PoisonError::into_inner);
        proposals.ask_with(seen, direction, (by, second), reason, now)
    }

    /// What flattening a scope would do; nothing is done.
    ///
    /// # Errors
    /// The account is down or does not answer in time.
    pub async fn flatten_plan(&self, scope: &HaltScope) -> Result<FlattenPlan, SystemError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.account.send(account::Message::FlattenPlan(scope.clone(), reply));
        sent.map_err(|gone| SystemError::NoAnswer(gone.to_string()))?;
        answered(answer).await
    }

    /// Where alerts are raised, and how each channel does.
    pub fn alerts(&self) -> &Alerts {
        &self.halter.alerts
    }

    /// Whether the machine's clock allows trading to be resumed (C27). In compressed time it does not matter.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn may_arm(&self) -> Result<(), String> {
        let last = *self.last_reading.lock().unwrap_or_else(PoisonError::into_inner);
        match (last, &self.halter.clock) {
            (Some(reading), _) => may_arm(&reading, &self.view.limits.get(), self.monitors.clock_must_be_synchronised),
            (None, Clock::Simulated(_)) => Ok(()),
            // Not looked at yet: the monitor's first look halts by itself.
            (None, Clock::System) => Ok(()),
        }
    }

    /// What comparing book and broker would lead to now; nothing is done about it.
    ///
    /// # Errors
    /// The broker cannot be asked, or somebody does not answer in time.
    pub async fn dry_run(&self) -> Result<Plan, SystemError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.broker.send(broker::Message::DryRun(reply));
        sent.map_err(|gone| SystemError::NoAnswer(gone.to_string()))?;
        answered(answer).await?.map_err(SystemError::NoAnswer)
    }
}

async fn answered<T>(answer: oneshot::Receiver<T>) -> Result<T, SystemError> {
    match tokio::time::timeout(ANSWER_LIMIT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(SystemError::NoAnswer("it restarted meanwhile".to_owned())),
        Err(_) => Err(SystemError::NoAnswer(format!("nothing within {} s", ANSWER_LIMIT.as_secs()))),
    }
}
