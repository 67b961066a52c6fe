//! Account: the one writer of an account's orders, positions, cash and exposure.
//!
//! Owns the protocol (`desk::protocol`), which decides everything; here its effects are carried out, in
//! their order. Hears requests and the hearing logs of Strategies, everything that the Broker has to
//! say, prices ("look") from Symbols. Sends entries to the Journal, commands to the Broker, notices to
//! Strategies, figures to the Limit.
//!
//! When it dies: restarted by replaying the journal into a fresh protocol, which then asks the Broker
//! for every report after the last one the journal holds and for a statement of the account, and tells
//! each Strategy what it holds and has open. Requests in its mailbox are lost as decisions never made;
//! reports are not lost, because the Broker's log keeps them and the broker's statement lists them.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use desk::{
    Alert, Ask, Closing, Command, Desk, DeskSettings, Effect, Heard, HostSettings, Input, Link, Origin, Patience,
    Protocol, ProtocolSettings, Record, StrategyOrigin, Written,
};
use market::{
    ClientOrderId, ExecutionReport, InstrumentId, PhaseChange, StatedExecution, Statement, StrategyId, Timestamp,
};
use oms::reconcile::Plan;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use risk::disconnect::{Agreement, Terms};
use risk::monitors::Hears;
use risk::{HaltLevel, HaltScope, Seen};
use store::{AccountTag, JournalEntry, Snapshot as StoredSnapshot};
use tokio::sync::oneshot;

use crate::address::Address;
use crate::board::Board;
use crate::clock::Clock;
use crate::figures::FigureBoard;
use crate::halt::Halter;
use crate::journal::SharedJournal;
use crate::limits::{LimitsInForce, LimitsOrder, Waiting};
use crate::measures::Hop;
use crate::notifier::Alert as AlertOut;
use crate::pulse::Beat;
use crate::recovery;
use crate::turn::Turn;
use crate::{broker, journal, limit, strategy};

/// How often the account looks at what waits (live).
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the Limits are shown prices that have moved (live): well within the second that C37 leaves, and
/// seldom enough that a tick never waits for them.
const WATCH_EVERY: Duration = Duration::from_millis(20);
/// How long a starting Account waits for its predecessor's entries to be written.
const SETTLING_LIMIT: Duration = Duration::from_secs(10);
/// How long changed limits may wait for the journal before they are taken back, in nanoseconds.
const LIMITS_PATIENCE: i64 = 5 * market::time::NANOS_PER_SECOND;
/// Changes that may wait at the same time: people and their scripts.
const MOST_CHANGES: usize = 8;

/// What an Account hears.
#[derive(Debug)]
pub enum Message {
    /// A strategy asks for everything that one event made it want.
    Ask {
        /// Which strategy.
        strategy: StrategyId,
        /// Things that it had heard before these.
        after: u64,
        /// What it has heard since it last said so.
        heard: Vec<Heard>,
        /// What it wants, in order.
        asks: Vec<Ask>,
        /// The turn that waits.
        turn: Turn,
    },
    /// A Strategy started: what it began with. It wants to know what it holds.
    StrategyStarted {
        /// Which.
        strategy: StrategyId,
        /// What it began with.
        origin: Box<StrategyOrigin>,
    },
    /// What came of one act of the broker: together, so that one entry and one sync hold it.
    Told {
        /// A command that passed the last gate into the connection.
        sent: Option<Command>,
        /// Reports, each with its place in the connection's stream.
        reports: Vec<(u64, ExecutionReport)>,
        /// The turn that waits.
        turn: Turn,
    },
    /// The broker told of an execution of an order that was placed elsewhere.
    External(StatedExecution),
    /// The broker said something that cannot be understood.
    Unreadable {
        /// What came.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The connection is there.
    Connected,
    /// What it was begun with.
    Terms(Terms),
    /// The connection is gone.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// The broker's statement.
    Statement {
        /// Number of the question.
        question: u64,
        /// The answer, or why there is none.
        answer: Result<Box<Statement>, String>,
    },
    /// The gate or the connection did not let a command out: certainly not sent.
    NotSent {
        /// Which.
        command: Command,
        /// Why.
        reason: String,
        /// The turn that waits.
        turn: Turn,
    },
    /// A command may or may not have reached the broker.
    OutcomeUnknown {
        /// Which.
        command: Command,
        /// Why.
        reason: String,
        /// The turn that waits.
        turn: Turn,
    },
    /// Entries are durable.
    Committed {
        /// The conversation that they belong to.
        writer: u64,
        /// Up to this sequence.
        through: u64,
        /// Turns that waited for it.
        turns: Vec<Turn>,
    },
    /// Entries are not durable.
    JournalFailed {
        /// The conversation that they belong to.
        writer: u64,
        /// Why.
        reason: String,
        /// Turns that waited for it.
        turns: Vec<Turn>,
    },
    /// The Journal started anew; what it did not answer must be sent again.
    JournalRestarted,
    /// The Broker started anew; what it was handed must be asked about.
    BrokerRestarted {
        /// The connection is there.
        connected: bool,
    },
    /// A price changed; the board has it.
    Look {
        /// Of what.
        instrument: InstrumentId,
        /// The turn that waits.
        turn: Turn,
    },
    /// The session moved on.
    Phase {
        /// To which phase.
        change: PhaseChange,
        /// The turn that waits.
        turn: Turn,
    },
    /// The switch was thrown.
    Halted {
        /// What.
        scope: HaltScope,
        /// How far.
        level: HaltLevel,
        /// By whom.
        by: String,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
        /// The turn that waits.
        turn: Turn,
    },
    /// A person changes the limits.
    Limits(Box<LimitsOrder>, oneshot::Sender<Result<u64, String>>),
    /// A named person resumes.
    Resume {
        /// What.
        scope: HaltScope,
        /// As the person saw it.
        seen: Seen,
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Where to say that it is lifted, or why not.
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// What flattening this would do, carried out by nobody.
    FlattenPlan(HaltScope, oneshot::Sender<FlattenPlan>),
    /// Look at what waits (live).
    LookAtWaiting,
    /// Show the Limits what has moved (live).
    Watch,
    /// The Supervisor's beat, on its way to the Limit (live).
    Pulse(Beat),
    /// The program is about to end: nothing that strategies ask for is taken on any more.
    WindDown {
        /// Take back what would otherwise rest until the session ends.
        cancel_day_orders: bool,
    },
    /// The last message that counts: hear nothing more, answer when everything is durable.
    Finish(oneshot::Sender<Snapshot>),
    /// Tell how things stand.
    Snapshot(oneshot::Sender<Snapshot>),
    /// What the next statement would lead to, carried out by nobody.
    DryRun(Box<Statement>, oneshot::Sender<Result<Plan, String>>),
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
    /// Do nothing: one of a flood.
    #[cfg(feature = "faults")]
    Nothing,
}

/// What flattening would do.
#[derive(Clone, PartialEq, Debug)]
pub struct FlattenPlan {
    /// Open orders that would be cancelled.
    pub cancels: Vec<ClientOrderId>,
    /// What would be closed.
    pub closings: Vec<Closing>,
}

/// How things stand.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The desk.
    pub desk: Desk,
    /// The record of the run.
    pub record: Record,
    /// Entries that are not durable yet.
    pub uncommitted: usize,
    /// The last entry that was numbered.
    pub sequence: u64,
    /// How the connection to the broker stands.
    pub link: Link,
    /// Book and broker agreed; new orders are taken on.
    pub ready: bool,
    /// What stops an instrument, or everything: differences that nothing explains.
    pub breaks: Vec<String>,
    /// What the broker does with our orders when the connection is gone; nothing where it lives inside
    /// this process, or has not been there yet.
    pub on_disconnect: Option<Agreement>,
}

/// What an Account is made of.
#[derive(Clone)]
pub struct Arguments {
    /// Its own address.
    pub address: Address<Message>,
    /// Where entries go.
    pub journal: Address<journal::Message>,
    /// Where entries are read at the start.
    pub stored: SharedJournal,
    /// Where commands go.
    pub broker: Address<broker::Message>,
    /// Who watches the figures, and what makes each of them look.
    pub watching: Vec<(Address<limit::Message>, Hears)>,
    /// The first of those that a beat passes through.
    pub pulse_to: Address<limit::Message>,
    /// Where they see them.
    pub figures: Arc<FigureBoard>,
    /// The strategies, by number.
    pub strategies: Vec<(Address<strategy::Message>, HostSettings)>,
    /// What the desk is made of.
    pub desk: DeskSettings,
    /// What the run decides with, for the journal.
    pub origin: Origin,
    /// The limits in force: the run's first, or what they were changed to.
    pub limits: LimitsInForce,
    /// How long things may take.
    pub patience: Patience,
    /// Entries after which the end of a session is worth a snapshot.
    pub snapshot_every: u64,
    /// The entry that the run began after: the record goes back to it.
    pub record_after: u64,
    /// The switch.
    pub halt: Halter,
    /// Numbers of beginnings, shared with its successors.
    pub incarnations: Arc<AtomicU64>,
    /// The hot quotes.
    pub board: Arc<Board>,
    /// Time.
    pub clock: Clock,
}

/// An Account at work.
pub struct State {
    arguments: Arguments,
    account: AccountTag,
    protocol: Protocol,
    effects: Vec<Effect>,
    /// Changes of the limits that are in force and not durable, oldest first.
    changes: Vec<Waiting>,
    /// Who waits for a halt to be lifted.
    resuming: Vec<(HaltScope, oneshot::Sender<Result<(), String>>)>,
    /// Orders on their way through the journal, to be measured.
    passage: Passage,
    /// Prices have moved since the Limits were shown any.
    moved: bool,
    /// The changes that they were shown.
    shown: u64,
    /// Nothing new is taken on.
    winds_down: bool,
    /// Nothing at all is heard any more but the journal; who waits for its last word.
    finishing: Option<Finishing>,
}

/// How an account ends.
enum Finishing {
    /// Entries are not durable yet.
    Waits(oneshot::Sender<Snapshot>),
    /// It has been said how things stood, and that is how they stay.
    Ended,
}

/// The kind of actor.
pub struct Account;

impl Actor for Account {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        // What a predecessor handed to the Journal must be in the store before the store is read.
        let (settled, answer) = oneshot::channel();
        arguments.journal.send(journal::Message::Settle(settled))?;
        tokio::time::timeout(SETTLING_LIMIT, answer).await??;
        let mut state = State::recover(arguments)?;
        if matches!(state.arguments.clock, Clock::System) {
            myself.send_interval(LOOK_EVERY, || Message::LookAtWaiting);
            myself.send_interval(WATCH_EVERY, || Message::Watch);
        }
        state.arguments.address.bind(myself);
        // After binding: a price written in between is told to whoever lives here now.
        state.arguments.board.forget_told();
        state.begin().await;
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let _busy =
            (!matches!(message, Message::LookAtWaiting | Message::Watch)).then(|| state.arguments.address.took());
        let none = Turn::none();
        if state.finishing.is_some() && !is_heard_at_the_end(&message) {
            return Ok(());
        }
        match message {
            // A decision that was never made: what the strategy had heard for it is not kept either.
            Message::Ask { .. } if state.winds_down => {}
            Message::Ask { strategy, after, heard, asks, turn } => {
                if !heard.is_empty() {
                    state.decide(Input::Heard { strategy, after, heard });
                }
                state.ask(strategy, asks);
                state.carry_out(&turn);
            }
            Message::StrategyStarted { strategy, origin } => {
                state.take(Input::StrategyStarted(*origin), &none);
                state.take(Input::Hello { strategy }, &none);
            }
            Message::Told { sent, reports, turn } => {
                store::crash::point("report_received");
                if let Some(command) = sent {
                    store::crash::point("sent_heard");
                    let (client_order_id, command) = (command.client_order_id(), command.name());
                    state.decide(Input::Sent { client_order_id, command });
                }
                for (sequence, report) in reports {
                    state.decide(Input::Report { report, sequence });
                }
                state.carry_out(&turn);
                store::crash::point("report_applied");
            }
            Message::External(execution) => {
                store::crash::point("external_received");
                state.take(Input::External(execution), &none);
            }
            Message::Unreadable { text, problem } => state.take(Input::Unreadable { text, problem }, &none),
            Message::Connected => state.take(Input::Connected, &none),
            Message::Terms(terms) => {
                tell_terms(terms);
                state.take(Input::Terms(terms), &none);
            }
            Message::Disconnected { reason } => state.take(Input::Disconnected { reason }, &none),
            Message::Statement { question, answer } => {
                store::crash::point("statement_received");
                state.take(statement_input(question, answer), &none);
                store::crash::point("statement_applied");
            }
            Message::NotSent { command, reason, turn } => state.take(Input::NotSent { command, reason }, &turn),
            Message::OutcomeUnknown { command, reason, turn } => {
                let client_order_id = command.client_order_id();
                state.take(Input::OutcomeUnknown { client_order_id, reason }, &turn);
            }
            Message::Committed { writer, through, turns } => {
                store::crash::point("commit_heard");
                // Between two events of compressed time one turn waits at most; live there is none.
                let turn = turns.last().cloned().unwrap_or_default();
                state.passage.committed(through, &state.arguments.address);
                state.take(Input::Committed { writer, through }, &turn);
                state.passage.released.clear();
                state.changes_are_durable();
                drop(turns);
            }
            Message::JournalFailed { writer, reason, turns } => {
                let turn = turns.last().cloned().unwrap_or_default();
                let failed = format!("the journal failed: {reason}");
                state.passage = Passage::default();
                state.take(Input::JournalFailed { writer, reason }, &turn);
                if state.protocol.is_journal_down() {
                    state.take_back_changes(&failed);
                }
                drop(turns);
            }
            Message::JournalRestarted => state.take(Input::JournalRestarted, &none),
            Message::BrokerRestarted { connected } => state.take(Input::BrokerRestarted { connected }, &none),
            Message::Look { instrument, turn } => {
                let top = state.arguments.board.look(instrument);
                state.take(Input::Look { instrument, top }, &turn);
            }
            Message::Phase { change, turn } => state.take(Input::Phase(change), &turn),
            Message::Halted { scope, level, by, reason, at, turn } => {
                state.take(Input::Halted { scope, level, by, reason, at }, &turn);
            }
            Message::Limits(order, reply) => state.change_limits(*order, reply),
            Message::Resume { scope, seen, by, reason, reply } => state.resume(scope, seen, by, reason, reply),
            Message::FlattenPlan(scope, reply) => {
                let (cancels, closings) = state.protocol.flatten_plan(&scope);
                let _ = reply.send(FlattenPlan { cancels, closings });
            }
            Message::LookAtWaiting => {
                state.take(Input::Tick, &none);
                let now = state.arguments.clock.now();
                let late = |change: &Waiting| now.nanos_since(change.since).saturating_abs() > LIMITS_PATIENCE;
                if state.changes.first().is_some_and(late) {
                    state.take_back_changes("the journal does not answer");
                }
                state.show(true, &none);
            }
            Message::Watch if state.moved => state.show(false, &none),
            Message::Watch => {}
            Message::Pulse(beat) => {
                // A Limit that is down stops it here, and with it the lease.
                let _ = state.arguments.pulse_to.send(limit::Message::Pulse(beat));
            }
            Message::WindDown { cancel_day_orders } => {
                state.winds_down = true;
                if cancel_day_orders {
                    state.take(Input::CancelDayOrders, &none);
                }
            }
            Message::Finish(reply) => {
                let mut effects = std::mem::take(&mut state.effects);
                state.protocol.checkpoint(&mut effects);
                state.effects = effects;
                state.carry_out(&none);
                state.finishing = Some(Finishing::Waits(reply));
            }
            Message::Snapshot(reply) => {
                // Whoever asked may have given up.
                let _ = reply.send(state.snapshot());
            }
            Message::DryRun(statement, reply) => {
                let _ = reply.send(Ok(state.protocol.dry_run(&statement)));
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the account"),
            #[cfg(feature = "faults")]
            Message::Nothing => {}
        }
        state.finish();
        Ok(())
    }
}

/// What an account that ends still hears: the journal, and questions.
const fn is_heard_at_the_end(message: &Message) -> bool {
    matches!(
        message,
        Message::Committed { .. }
            | Message::JournalFailed { .. }
            | Message::JournalRestarted
            | Message::LookAtWaiting
            | Message::Snapshot(_)
    )
}

fn statement_input(question: u64, answer: Result<Box<Statement>, String>) -> Input {
    match answer {
        Ok(statement) => Input::Statement { question, statement },
        Err(reason) => Input::NoStatement { question, reason },
    }
}

impl State {
    /// Starting is recovering: the protocol is what the journal says.
    fn recover(mut arguments: Arguments) -> Result<Self, ActorProcessingErr> {
        let limits = arguments.limits.get();
        arguments.origin.limits = limits.limits().clone();
        arguments.desk.limits = limits;
        let names = arguments.strategies.iter().map(|(_, settings)| settings.name.clone()).collect();
        let switch = arguments.halt.switch.clone();
        let after = arguments.record_after;
        let restored = recovery::read(&arguments.stored, arguments.desk.clone(), names, switch, after, after)?;
        let settings = ProtocolSettings {
            strategies: arguments.strategies.iter().map(|(_, settings)| settings.clone()).collect(),
            patience: arguments.patience,
            origin: arguments.origin.clone(),
            snapshot_every: arguments.snapshot_every,
        };
        let incarnation = arguments.incarnations.fetch_add(1, Ordering::Relaxed) + 1;
        let protocol = Protocol::new(settings, restored, incarnation);
        arguments.figures.reset(arguments.limits.get());
        Ok(Self {
            account: arguments.desk.account.parse()?,
            protocol,
            effects: Vec::new(),
            changes: Vec::new(),
            resuming: Vec::new(),
            passage: Passage::default(),
            moved: false,
            shown: 0,
            winds_down: false,
            finishing: None,
            arguments,
        })
    }

    /// First acts. A connection inside the process states the account at once, so that the first event
    /// of a compressed session finds an account that is ready; another one does when it can.
    async fn begin(&mut self) {
        for instrument in self.protocol.desk().universe().clone().ids() {
            self.protocol.mark(instrument, self.arguments.board.top(instrument));
        }
        let (reply, answer) = oneshot::channel();
        let asked = self.arguments.broker.send(broker::Message::Begin(reply)).is_ok();
        let begun = if asked { tokio::time::timeout(SETTLING_LIMIT, answer).await.ok() } else { None };
        let connected = matches!(begun, Some(Ok(true)));
        let after = self.protocol.broker_sequence();
        let mut effects = std::mem::take(&mut self.effects);
        self.protocol.begin(self.arguments.clock.now(), connected, &mut effects);
        let asks = |effect: &Effect| matches!(effect, Effect::AskStatement { .. });
        let asked = effects.iter().position(asks).map(|place| effects.remove(place));
        self.effects = effects;
        self.carry_out(&Turn::none());
        let Some(Effect::AskStatement { question }) = asked else { return };
        let (reply, answer) = oneshot::channel();
        let asked = self.arguments.broker.send(broker::Message::StateNow { question, after, reply }).is_ok();
        let answer = if asked { tokio::time::timeout(SETTLING_LIMIT, answer).await.ok() } else { None };
        if let Some(Ok(now)) = answer {
            for (sequence, report) in now.reports {
                self.take(Input::Report { report, sequence }, &Turn::none());
            }
            if let Some(statement) = now.statement {
                self.take(Input::Statement { question, statement }, &Turn::none());
            }
        }
    }

    fn ask(&mut self, strategy: StrategyId, asks: Vec<Ask>) {
        for ask in asks {
            let top = match &ask {
                Ask::Submit(request) => self.arguments.board.top(request.instrument),
                Ask::Cancel(id) | Ask::Replace { client_order_id: id, .. } => {
                    let order = self.protocol.desk().book().order(id);
                    order.map(|order| self.arguments.board.top(order.intent.instrument)).unwrap_or_default()
                }
            };
            let begun = Instant::now();
            self.decide(Input::Ask { strategy, ask, top });
            self.arguments.address.measures().hop(Hop::Review).time(begun.elapsed());
        }
    }

    /// In force at once, answered when durable.
    fn change_limits(&mut self, order: LimitsOrder, reply: oneshot::Sender<Result<u64, String>>) {
        let refusal = if self.protocol.is_journal_down() {
            Some("the journal does not answer")
        } else {
            (self.changes.len() >= MOST_CHANGES).then_some("too many changes wait for the journal; try again")
        };
        if let Some(reason) = refusal {
            // Whoever asked may have given up.
            let _ = reply.send(Err(reason.to_owned()));
            return;
        }
        let LimitsOrder { limits, by, second, reason } = order;
        let before = self.protocol.desk().shared_limits();
        self.take(Input::Limits { limits: Box::new(limits), by, second, reason }, &Turn::none());
        let after = self.protocol.desk().shared_limits();
        let (sequence, since) = (self.protocol.sequence(), self.arguments.clock.now());
        self.changes.push(Waiting { sequence, since, before, after, reply });
    }

    fn changes_are_durable(&mut self) {
        let through = self.protocol.durable_through();
        let durable = self.changes.iter().take_while(|change| change.sequence <= through).count();
        for change in self.changes.drain(..durable) {
            self.arguments.limits.set(change.after);
            let _ = change.reply.send(Ok(change.sequence));
        }
    }

    /// Back to the limits before the oldest change that is not durable, by an entry of its own: it follows
    /// that change into the journal, if that comes back.
    fn take_back_changes(&mut self, reason: &str) {
        let Some(before) = self.changes.first().map(|change| change.before.limits().clone()) else { return };
        let (by, why) = ("engine".to_owned(), format!("the change before was not made durable: {reason}"));
        self.take(Input::Limits { limits: Box::new(before), by, second: None, reason: why }, &Turn::none());
        for change in std::mem::take(&mut self.changes) {
            let _ = change.reply.send(Err(format!("{reason}; the limits before stay in force")));
        }
    }

    /// Journaled first; whoever waits hears when it is lifted.
    fn resume(
        &mut self,
        scope: HaltScope,
        seen: Seen,
        by: String,
        reason: String,
        reply: oneshot::Sender<Result<(), String>>,
    ) {
        if let Err(why) = self.protocol.may_resume(seen) {
            // Whoever asked may have given up.
            let _ = reply.send(Err(why));
            return;
        }
        self.resuming.push((scope.clone(), reply));
        let at = self.arguments.clock.now();
        self.take(Input::Resumed { scope, seen, by, reason, at }, &Turn::none());
    }

    fn resumed(&mut self, scope: &HaltScope, outcome: Result<(), String>) {
        if let Some(place) = self.resuming.iter().position(|(waits, _)| waits == scope) {
            let (_, reply) = self.resuming.remove(place);
            let _ = reply.send(outcome);
        }
    }

    fn take(&mut self, input: Input, turn: &Turn) {
        self.decide(input);
        self.carry_out(turn);
    }

    /// What follows from the input waits to be carried out.
    fn decide(&mut self, input: Input) {
        let mut effects = std::mem::take(&mut self.effects);
        self.protocol.handle(self.arguments.clock.now(), input, &mut effects);
        self.effects = effects;
    }

    fn carry_out(&mut self, turn: &Turn) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Lift { scope, seen, by, reason } => {
                    let lifted = self.arguments.halt.lift(&scope, seen, &by, &reason);
                    self.resumed(&scope, lifted.map_err(|error| error.to_string()));
                }
                Effect::NotLifted { scope, reason } => self.resumed(&scope, Err(reason)),
                effect => self.effect(effect, turn),
            }
        }
        self.effects = effects;
    }

    /// Brings the figures up to date and lets those Limits look that they concern; `in_time`: also those that
    /// watch time pass.
    fn show(&mut self, in_time: bool, turn: &Turn) {
        let (now, protocol, board) = (self.arguments.clock.now(), &self.protocol, &self.arguments.figures);
        let changes = board.write(|figures| {
            protocol.figures(now, figures);
            figures.changes
        });
        let changed = changes != self.shown;
        (self.moved, self.shown) = (false, changes);
        for (place, (to, hears)) in self.arguments.watching.iter().enumerate() {
            let looks = match hears {
                Hears::Marks => true,
                Hears::Changes => changed,
                Hears::Time => in_time,
                Hears::Clock | Hears::Delivery => false,
            };
            // The supervisor has halted the scope of one that is down.
            if looks && board.tell(place) && to.send(limit::Message::Look { turn: turn.clone() }).is_err() {
                board.forget_told(place);
            }
        }
    }

    fn effect(&mut self, effect: Effect, turn: &Turn) {
        match effect {
            // In compressed time the next step waits until they have looked.
            Effect::Observe if !turn.is_paced() => return self.moved = true,
            // Other limits come with the figures, and count before anything moves.
            Effect::Observe | Effect::Limits(_) => return self.show(false, turn),
            _ => {}
        }
        let to = &self.arguments;
        let sent = match effect {
            Effect::Begin { writer, entries } => {
                to.journal.send(journal::Message::Begin { writer, entries: self.entries(&entries) })
            }
            Effect::Append { writer, entries } => {
                store::crash::point("before_append");
                self.passage.written(&entries, turn);
                let entries = self.entries(&entries);
                to.journal.send(journal::Message::Append { writer, entries, turn: turn.clone() })
            }
            Effect::Snapshot { sequence, state } => {
                // Plain data: the encoder fails on maps with odd keys only.
                let payload = serde_json::to_string(&state).expect("a snapshot is plain data");
                let (account, at) = (self.account, to.clock.now());
                to.journal.send(journal::Message::Snapshot(StoredSnapshot { account, sequence, at, payload }))
            }
            Effect::Send(command) => {
                store::crash::point("before_hand_over");
                let tick = if matches!(command, Command::Submit(_)) { self.passage.tick() } else { None };
                let (handed, turn) = (Instant::now(), turn.clone().after(tick));
                to.broker.send(broker::Message::Send { command, handed, turn: turn.clone() }).or_else(|_| {
                    // Nothing carries commands now, so this one certainly has not left.
                    let reason = "the broker connection is down".to_owned();
                    to.address.send(Message::NotSent { command, reason, turn: turn.clone() })
                })
            }
            Effect::Resend { after } => to.broker.send(broker::Message::Resend { after }),
            Effect::AskStatement { question } => to.broker.send(broker::Message::AskStatement { question }),
            Effect::Tell { strategy, notice } => {
                // A strategy that is down is told everything when it is back.
                if let Some((address, _)) = to.strategies.get(strategy.index()) {
                    let _ = address.send(strategy::Message::Notice { notice, turn: turn.clone() });
                }
                Ok(())
            }
            // They need more than what they hold.
            Effect::Observe | Effect::Limits(_) | Effect::Lift { .. } | Effect::NotLifted { .. } => Ok(()),
            Effect::Raise { scope, level, by, reason } => {
                to.halt.raise(&scope, level, by, &reason);
                Ok(())
            }
            Effect::Traded { client_order_id: order, instrument, fill } => {
                let symbol = self.protocol.desk().universe().symbol(instrument);
                let (side, quantity, price) = (fill.side, fill.quantity, fill.price);
                tracing::info!(%order, %side, %quantity, symbol, %price, "fill");
                Ok(())
            }
            Effect::Alert(alert) => {
                log(&alert);
                to.halt.alerts.raise(AlertOut::of_desk(&alert, to.clock.now()));
                Ok(())
            }
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "what was for it waits until it is back");
        }
    }

    fn entries(&self, written: &[Arc<Written>]) -> Vec<JournalEntry> {
        let entry = |written: &Arc<Written>| JournalEntry {
            account: self.account,
            sequence: written.sequence,
            at: written.at,
            kind: Cow::Borrowed(written.kind),
            payload: written.payload.clone(),
        };
        written.iter().map(entry).collect()
    }

    /// Says its last word once nothing waits for the journal any more.
    fn finish(&mut self) {
        if matches!(self.finishing, Some(Finishing::Waits(_)))
            && self.protocol.uncommitted() == 0
            && let Some(Finishing::Waits(reply)) = self.finishing.replace(Finishing::Ended)
        {
            // Whoever asked may have given up.
            let _ = reply.send(self.snapshot());
        }
    }

    fn snapshot(&self) -> Snapshot {
        let protocol = &self.protocol;
        let universe = protocol.desk().universe();
        let of = |(id, why): (&InstrumentId, &String)| format!("{}: {why}", universe.symbol(*id));
        let breaks = protocol.breaks().iter().map(of);
        Snapshot {
            desk: protocol.desk().clone(),
            record: protocol.record(),
            uncommitted: protocol.uncommitted(),
            sequence: protocol.sequence(),
            link: protocol.link(),
            ready: protocol.is_ready(),
            breaks: breaks.chain(protocol.account_break().map(|why| format!("account: {why}"))).collect(),
            on_disconnect: protocol.terms().map(|terms| terms.agreement),
        }
    }
}

/// New orders between the decision and the connection: what is needed to tell how long it took, and nothing
/// that anybody decides on. Orders leave in the order of their entries; where one is withdrawn at the last moment,
/// those behind it in the same commit are taken for one tick earlier.
#[derive(Default)]
struct Passage {
    /// By entry: the tick that led to it, and when it was handed to the journal.
    waiting: VecDeque<(u64, Option<Instant>, Instant)>,
    /// Ticks of those whose entries are durable by now.
    released: VecDeque<Option<Instant>>,
}

impl Passage {
    /// More than wait at a time in any session we know: beyond it a measure is lost, and no memory.
    const MOST: usize = 4_096;

    fn written(&mut self, entries: &[Arc<Written>], turn: &Turn) {
        let now = Instant::now();
        let orders = entries.iter().filter(|written| written.kind == "intent");
        let room = Self::MOST.saturating_sub(self.waiting.len());
        self.waiting.extend(orders.take(room).map(|written| (written.sequence, turn.tick(), now)));
    }

    fn committed(&mut self, through: u64, address: &Address<Message>) {
        while let Some((_, tick, written)) = self.waiting.pop_front_if(|(sequence, ..)| *sequence <= through) {
            address.measures().hop(Hop::JournalCommit).time(written.elapsed());
            self.released.push_back(tick);
        }
    }

    fn tick(&mut self) -> Option<Instant> {
        self.released.pop_front().flatten()
    }
}

/// Whether orders are safe with nobody there is not a thing to be looked up when it is too late.
fn tell_terms(terms: Terms) {
    let agreement = terms.agreement.to_string();
    match terms.agreement {
        Agreement::NotGranted { .. } => {
            tracing::warn!(
                agreement,
                "the broker does not cancel on disconnect: orders stay when the connection is lost"
            );
        }
        Agreement::None | Agreement::Granted { .. } => tracing::info!(agreement, "cancel on disconnect"),
    }
}

/// ERROR means that someone must act; the Notifier hears the same.
fn log(alert: &Alert) {
    match alert {
        Alert::OrderUnknown { client_order_id: order, reason } => {
            tracing::error!(%order, reason, "order of unknown outcome: frozen until the broker says what became of it");
        }
        Alert::Break { symbol, difference } => {
            let symbol = symbol.map(|symbol| symbol.to_string());
            tracing::error!(symbol, difference, "book and broker differ: halted until a person has looked");
        }
        Alert::ReportNotApplied { reason } => tracing::error!(reason, "execution report not applied"),
        Alert::LateFill { client_order_id: order } => {
            tracing::error!(%order, "fill after the order had ended: applied, look at it");
        }
        Alert::TradeRevoked { client_order_id: order } => {
            tracing::error!(%order, "the broker took back or corrected a trade: applied, look at it");
        }
        Alert::StrategyStopped { strategy, symbol, rule, latch } => {
            let symbol = symbol.map(|symbol| symbol.to_string());
            let (rule, seen, limit) = (rule.name(), latch.seen, latch.limit);
            tracing::error!(strategy, symbol, rule, seen, limit, "strategy stopped until a person resumes it");
        }
        Alert::JournalDown { reason } => tracing::error!(reason, "the journal failed: no new orders"),
        Alert::NothingOpen => tracing::warn!("everything that the halt takes back has ended; the broker lists no more"),
        Alert::NotClosed { symbol, reason } => {
            let symbol = symbol.map(|symbol| symbol.to_string());
            tracing::error!(symbol, reason, "closing order denied: it is tried again");
        }
        Alert::JournalBack => {
            tracing::warn!("the journal works again; new orders stay stopped until a person resumes");
        }
        Alert::BrokerDown { reason } => tracing::error!(reason, "the broker does not answer: no new orders"),
        Alert::NotCanceledOnDisconnect { client_order_id: order, orders } => {
            tracing::error!(%order, orders, "the broker did not cancel on disconnect as it had granted");
        }
    }
}
