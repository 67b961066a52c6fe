//! The order protocol: how an account never loses, duplicates or invents an order.
//!
//! A [`Protocol`] is everything that an account decides, as one value: what it is told goes in
//! ([`Input`]), what must be done comes out ([`Effect`]), in the order in which it must be done. It has
//! no clock, no socket and no thread. The Account actor carries its effects out; the simulation in
//! `tests/` drives the very same value under a seeded scheduler, with crashes between any two effects.
//!
//! # The rules
//!
//! 1. **Intent first.** A command waits in `writing.rs` until the journal says that its entry is
//!    durable, and only then becomes an [`Effect::Send`].
//! 2. **Unknown is a state.** A command that was handed over and not answered in time, or whose
//!    connection went away, makes its order `Unknown` (`hearing.rs`). Nothing is ever sent again, and
//!    only the broker's own word, a report or a statement, ends it.
//! 3. **Once.** Reports carry numbers, executions carry the broker's names; what comes again changes
//!    nothing.
//! 4. **Agree before trading.** After a start and after each reconnect nothing new is taken on until a
//!    statement of the broker was compared with the book (`reconciling.rs`), and again periodically.
//!    What the comparison cannot explain stops the instrument, or the account, until a named person
//!    has looked.
//! 5. **When the journal fails, nothing new leaves; cancels still do.**
//!
//! What a halt does beyond forbidding (cancels, closing orders, the way out) is in `stopping.rs`.

mod asking;
mod hearing;
mod reconciling;
mod state;
mod stopping;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use market::order::{CancelOrder, ReplaceOrder};
use market::{
    ClientOrderId, ExecutionReport, InstrumentId, NewOrder, PhaseChange, StatedExecution, Statement, StrategyId,
    Symbol, Timestamp, TopOfBook,
};
use oms::FillEffect;
use risk::disconnect::Terms;
use risk::monitors::{Comparison, Figures};
use risk::{Approved, HaltLevel, HaltScope, HaltSwitch, Latch, LimitTable, Limits, Rule, Seen};

use crate::desk::Desk;
use crate::entry::{Entry, Heard, Origin, StrategyOrigin};
use crate::host::{Ask, HostSettings, Notice, NoticeKind, OpenOrder};
use crate::record::Record;

pub use state::{ProtocolState, Restore, RestoreError, Restored};
pub use stopping::Closing;
pub use writing::Written;

/// A command on its way to the broker. Only `risk` can make what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Place an order.
    Submit(Approved<NewOrder>),
    /// Cancel one.
    Cancel(Approved<CancelOrder>),
    /// Change one.
    Replace(Approved<ReplaceOrder>),
}

impl Command {
    /// Of which order.
    pub const fn client_order_id(&self) -> ClientOrderId {
        match self {
            Self::Submit(order) => order.get().client_order_id,
            Self::Cancel(cancel) => cancel.get().client_order_id,
            Self::Replace(replace) => replace.get().client_order_id,
        }
    }

    /// Of what.
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Submit(order) => order.get().instrument,
            Self::Cancel(cancel) => cancel.get().instrument,
            Self::Replace(replace) => replace.get().instrument,
        }
    }

    /// Where the switch stands for it: the strictest scope that its order belongs to.
    #[inline]
    pub fn level(&self, switch: &HaltSwitch) -> HaltLevel {
        let strategy = match self {
            Self::Submit(order) => order.strategy(),
            Self::Replace(replace) => replace.strategy(),
            Self::Cancel(_) => None,
        };
        strategy.map_or_else(|| switch.level(), |strategy| switch.level_of(strategy, self.instrument()))
    }

    /// Whether the last gate lets it out at `level`: a cancel always, what only reduces also while
    /// reducing, the engine's own closing orders also while flattening, a change only when nothing is
    /// halted.
    pub fn may_leave(&self, level: HaltLevel) -> bool {
        match (self, level) {
            (Self::Cancel(_), _) | (_, HaltLevel::Active) => true,
            (Self::Submit(order), HaltLevel::Reducing) => order.reduces(),
            (Self::Submit(order), HaltLevel::Flatten) => order.closes(),
            _ => false,
        }
    }

    /// Why the switch holds it back at the last gate, if it does. Every gate asks this: the Broker's, and
    /// those of the scenarios and the simulation.
    pub fn held_back(&self, switch: &HaltSwitch) -> Option<String> {
        let level = self.level(switch);
        if !self.may_leave(level) {
            return Some(format!("not sent: trading is {}", level.name()));
        }
        self.is_overtaken(switch).then(|| "not sent: trading was stopped after it was decided".to_owned())
    }

    /// Whether it was decided before a halt that it may not leave under, be the halt lifted again: a
    /// resume is no word for what was decided before somebody stopped. Cancels are never too old.
    fn is_overtaken(&self, switch: &HaltSwitch) -> bool {
        let (strategy, epoch, reduces) = match self {
            Self::Submit(order) => (order.strategy(), order.epoch(), order.reduces()),
            Self::Replace(replace) => (replace.strategy(), replace.epoch(), false),
            Self::Cancel(_) => return false,
        };
        strategy.is_some_and(|strategy| switch.was_halted_since(epoch, strategy, self.instrument(), reduces))
    }

    /// Stable name in the journal.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Submit(_) => "submit",
            Self::Cancel(_) => "cancel",
            Self::Replace(_) => "replace",
        }
    }
}

/// What an account is told.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// A strategy asks for something.
    Ask {
        /// Which strategy.
        strategy: StrategyId,
        /// What.
        ask: Ask,
        /// The price of the instrument now.
        top: TopOfBook,
    },
    /// A strategy started: what it began with.
    StrategyStarted(StrategyOrigin),
    /// What a strategy has heard since it last said so, for the journal.
    Heard {
        /// Which strategy.
        strategy: StrategyId,
        /// Things that it had heard before these.
        after: u64,
        /// What, in order.
        heard: Vec<Heard>,
    },
    /// A strategy wants to know what it holds.
    Hello {
        /// Which.
        strategy: StrategyId,
    },
    /// The broker reported.
    Report {
        /// Its words.
        report: ExecutionReport,
        /// Their place in the connection's stream.
        sequence: u64,
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
    /// The connection to the broker is there.
    Connected,
    /// What the connection was begun with: after [`Input::Connected`], before any statement over it.
    Terms(Terms),
    /// The connection to the broker is gone.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// The broker's answer to [`Effect::AskStatement`].
    Statement {
        /// Number of the question.
        question: u64,
        /// The answer.
        statement: Box<Statement>,
    },
    /// A statement cannot be had now.
    NoStatement {
        /// Number of the question.
        question: u64,
        /// Why.
        reason: String,
    },
    /// A command passed the last gate into the connection.
    Sent {
        /// Of which order.
        client_order_id: ClientOrderId,
        /// [`Command::name`].
        command: &'static str,
    },
    /// The gate or the connection did not let a command out: certainly not sent.
    NotSent {
        /// Which.
        command: Command,
        /// Why.
        reason: String,
    },
    /// A command may or may not have reached the broker.
    OutcomeUnknown {
        /// Of which order.
        client_order_id: ClientOrderId,
        /// Why.
        reason: String,
    },
    /// Entries are durable.
    Committed {
        /// The beginning that they belong to.
        writer: u64,
        /// Up to this sequence.
        through: u64,
    },
    /// Entries are not durable.
    JournalFailed {
        /// The beginning that they belong to.
        writer: u64,
        /// Why.
        reason: String,
    },
    /// The Journal started anew; what it did not answer must be sent again.
    JournalRestarted,
    /// Whoever carries commands to the connection started anew: what it was handed may be lost.
    BrokerRestarted {
        /// The connection is there.
        connected: bool,
    },
    /// A price changed.
    Look {
        /// Of what.
        instrument: InstrumentId,
        /// To what.
        top: TopOfBook,
    },
    /// The session moved on.
    Phase(PhaseChange),
    /// The program is about to end and leaves no order for the day behind.
    CancelDayOrders,
    /// A person changed the limits.
    Limits {
        /// All of them, as they are to be.
        limits: Box<Limits>,
        /// Who.
        by: String,
        /// Who confirmed it, where that took a second person.
        second: Option<String>,
        /// Why.
        reason: String,
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
    },
    /// A named person resumes; what forbids it was looked at ([`Protocol::may_resume`]).
    Resumed {
        /// What.
        scope: HaltScope,
        /// As the person saw it.
        seen: Seen,
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Time has passed (live; several times a second).
    Tick,
}

/// What must be done, in the order of the list.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Begin a new conversation with the journal, with everything that has no answer.
    Begin {
        /// Its number.
        writer: u64,
        /// In order of their sequence.
        entries: Vec<Arc<Written>>,
    },
    /// Make these durable, then answer.
    Append {
        /// Number of the conversation.
        writer: u64,
        /// In order of their sequence.
        entries: Vec<Arc<Written>>,
    },
    /// Keep the state that all entries up to this one lead to.
    Snapshot {
        /// The last entry that is in it.
        sequence: u64,
        /// The state.
        state: Box<ProtocolState>,
    },
    /// Hand this over to the broker: its intent is durable.
    Send(Command),
    /// Have every report after this one repeated.
    Resend {
        /// The last report that was seen.
        after: u64,
    },
    /// Ask the broker for a statement.
    AskStatement {
        /// Number of the question.
        question: u64,
    },
    /// Tell a strategy.
    Tell {
        /// Which.
        strategy: StrategyId,
        /// What.
        notice: Notice,
    },
    /// A price has moved: let the monitors look at the figures ([`Protocol::figures`]).
    Observe,
    /// Other limits are in force: whoever watches figures must watch by these.
    Limits(Arc<LimitTable>),
    /// Raise the halt switch, durably.
    Raise {
        /// What is halted.
        scope: HaltScope,
        /// At least to here.
        level: HaltLevel,
        /// Who says so.
        by: &'static str,
        /// Why.
        reason: String,
    },
    /// Lift a halt, durably: its entry is.
    Lift {
        /// What.
        scope: HaltScope,
        /// As the person saw it: what came on top of it since stays.
        seen: Seen,
        /// Who says so.
        by: String,
        /// Why.
        reason: String,
    },
    /// A halt that was to be lifted stays.
    NotLifted {
        /// What.
        scope: HaltScope,
        /// Why.
        reason: String,
    },
    /// A trade counts now: for the log and whoever follows trades.
    Traded {
        /// Of which order.
        client_order_id: ClientOrderId,
        /// Of what.
        instrument: InstrumentId,
        /// What.
        fill: FillEffect,
    },
    /// Tell a person, now.
    Alert(Alert),
}

/// What a person must hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Alert {
    /// An order's fate is open.
    OrderUnknown {
        /// Which.
        client_order_id: ClientOrderId,
        /// Why, or since when.
        reason: String,
    },
    /// Broker and book differ, and nothing explains it.
    Break {
        /// The instrument, or the whole account.
        symbol: Option<Symbol>,
        /// Both figures.
        difference: String,
    },
    /// A report was not applied.
    ReportNotApplied {
        /// What does not fit.
        reason: String,
    },
    /// A fill came after the end of its order: applied, look at it.
    LateFill {
        /// Of which order.
        client_order_id: ClientOrderId,
    },
    /// The broker took back or corrected a trade.
    TradeRevoked {
        /// Of which order.
        client_order_id: ClientOrderId,
    },
    /// A rule of repetition has stopped a strategy until a named person resumes it, or the symbol.
    StrategyStopped {
        /// Which.
        strategy: String,
        /// In what; none: in everything.
        symbol: Option<Symbol>,
        /// Which rule.
        rule: Rule,
        /// When, and the figures.
        latch: Latch,
    },
    /// Everything that a halt takes back has ended, and the broker lists nothing else.
    NothingOpen,
    /// A closing order was denied: it is tried again.
    NotClosed {
        /// Of what.
        symbol: Option<Symbol>,
        /// Which check, with both figures.
        reason: String,
    },
    /// The journal does not take entries.
    JournalDown {
        /// Why.
        reason: String,
    },
    /// It takes them again; new orders stay stopped until a person resumes.
    JournalBack,
    /// The broker cannot be reached, or does not answer.
    BrokerDown {
        /// Why.
        reason: String,
    },
    /// The broker was to cancel the orders of a session that was gone, and did not.
    NotCanceledOnDisconnect {
        /// One of them.
        client_order_id: ClientOrderId,
        /// How many.
        orders: usize,
    },
}

/// How long things may take. Nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// How long an intent may wait for the journal before new orders stop.
    pub journal: i64,
    /// How long the broker may take to answer a command before its outcome counts as unknown.
    pub answer: i64,
    /// How long a question for a statement may go unanswered before it is asked again.
    pub statement: i64,
    /// How often broker and book are compared when nothing seems wrong.
    pub reconcile: i64,
    /// How often a person is told again of an order whose fate is still open.
    pub unknown: i64,
}

impl Default for Patience {
    /// As RUNBOOK.md states: journal 2 s, answer 5 s, statement 10 s, reconcile 30 s, unknown 60 s.
    fn default() -> Self {
        const SECOND: i64 = market::time::NANOS_PER_SECOND;
        Self {
            journal: 2 * SECOND,
            answer: 5 * SECOND,
            statement: 10 * SECOND,
            reconcile: 30 * SECOND,
            unknown: 60 * SECOND,
        }
    }
}

/// What a protocol is made of beside what the journal holds.
#[derive(Clone, Debug)]
pub struct ProtocolSettings {
    /// Strategies in the order of their numbers.
    pub strategies: Vec<HostSettings>,
    /// How long things may take.
    pub patience: Patience,
    /// What this run decides with, for the journal.
    pub origin: Origin,
    /// Entries after which the end of a session is worth a snapshot.
    pub snapshot_every: u64,
}

/// Whether something that began at `since` has been waiting for longer than `patience`, in nanoseconds.
///
/// The clock may be set back meanwhile. What seems to begin far in the future counts as overdue: to ask too
/// early costs a question, to wait for the clock to catch up may cost the day.
fn is_overdue(now: Timestamp, since: Timestamp, patience: i64) -> bool {
    now.nanos_since(since).saturating_abs() > patience
}

/// Entries since the last snapshot from which on the end of a run is worth one: fewer are read in a few
/// milliseconds, and reading them also looks at their chain.
const CHECKPOINT_AFTER: u64 = 1_000;

/// Inputs after which there may be something to cancel or to close. What a strategy has heard and what it
/// asks for then come together; nothing goes between them.
const fn may_stop(input: &Input) -> bool {
    !matches!(input, Input::Ask { .. } | Input::StrategyStarted(_) | Input::Heard { .. } | Input::Hello { .. })
}

/// How the account stands with its broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// There is no connection.
    Down,
    /// There is one; book and broker have not been compared over it.
    Comparing,
    /// Book and broker agreed, as far as anything could be told.
    Ready,
}

impl Link {
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Comparing => "comparing",
            Self::Ready => "ready",
        }
    }
}

/// A question that the broker has not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Question {
    number: u64,
    asked_at: Timestamp,
    /// Orders that had been handed over before: what the answer does not list never arrived.
    handed_over: BTreeSet<ClientOrderId>,
}

/// A command that the broker has not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct HandedOver {
    since: Timestamp,
}

/// Everything that an account decides.
#[derive(Clone, Debug)]
pub struct Protocol {
    settings: ProtocolSettings,
    desk: Desk,
    record: Record,
    writing: writing::Writing,
    link: Link,
    broker_sequence: u64,
    fills: u64,
    /// Commands that the broker has not answered, the oldest of each order.
    handed_over: BTreeMap<ClientOrderId, HandedOver>,
    /// Orders of unknown outcome, with when a person was told last.
    unknown: BTreeMap<ClientOrderId, Timestamp>,
    /// What the connection was begun with, if its broker can lose us.
    terms: Option<Terms>,
    /// Day orders that the broker must have cancelled before the next statement.
    owed: BTreeSet<ClientOrderId>,
    question: Option<Question>,
    questions: u64,
    /// Since when a statement is being asked for without an answer, however often.
    asking_since: Option<Timestamp>,
    compared_at: Timestamp,
    /// No statement was ever taken in: what the broker holds beyond our fills is adopted then.
    first_statement: bool,
    /// Instruments whose difference a named person has accepted.
    accepted: BTreeSet<InstrumentId>,
    /// Instruments that nothing is taken on in, and why.
    breaks: BTreeMap<InstrumentId, String>,
    account_break: Option<String>,
    /// Instruments that have a price of this run.
    marked: Vec<bool>,
    /// The last price of each.
    tops: Vec<TopOfBook>,
    /// The engine's own closing orders that have not ended.
    closings: BTreeSet<ClientOrderId>,
    stopping: stopping::Stopping,
    /// Since when the session's phase holds, as far as this life knows.
    phase_since: Timestamp,
    /// When the feed brought something last.
    heard_at: Option<Timestamp>,
    /// How the comparisons with the broker went.
    comparison: Comparison,
    snapshot_at: u64,
}

impl Protocol {
    /// From what the journal says; `incarnation` tells apart the protocols that one process makes one
    /// after another, so that a late answer to a predecessor is recognised.
    pub fn new(settings: ProtocolSettings, mut restored: Restored, incarnation: u64) -> Self {
        // What the journal held was charged as it was then; from here on today's brokerage counts.
        restored.desk.charge(settings.origin.brokerage);
        // And what was reviewed was reviewed by the limits of then.
        let names: Vec<String> = settings.strategies.iter().map(|strategy| strategy.name.clone()).collect();
        restored.desk.set_limits(settings.origin.limits.clone(), &names);
        let marked = vec![false; restored.desk.universe().len()];
        for instrument in restored.desk.universe().ids() {
            let differs = restored.breaks.contains_key(&instrument);
            restored.desk.halt().stop_instrument(instrument, differs);
        }
        Self {
            writing: writing::Writing::after(restored.sequence, incarnation),
            record: restored.record,
            broker_sequence: restored.broker_sequence,
            fills: restored.fills,
            first_statement: restored.first_statement,
            accepted: restored.accepted,
            breaks: restored.breaks,
            account_break: restored.account_break,
            snapshot_at: restored.snapshot_at,
            desk: restored.desk,
            link: Link::Down,
            handed_over: BTreeMap::new(),
            unknown: BTreeMap::new(),
            terms: None,
            owed: BTreeSet::new(),
            question: None,
            questions: incarnation << 32,
            asking_since: None,
            compared_at: Timestamp::MIN,
            tops: vec![TopOfBook::default(); marked.len()],
            closings: restored.closings,
            stopping: stopping::Stopping::default(),
            phase_since: Timestamp::MIN,
            heard_at: None,
            comparison: Comparison::default(),
            marked,
            settings,
        }
    }

    /// First acts: say in the journal who is who, ask the broker, tell strategies what they hold.
    /// `connected`: the connection is there already, as one inside the process always is.
    pub fn begin(&mut self, now: Timestamp, connected: bool, effects: &mut Vec<Effect>) {
        self.begin_writing(effects);
        self.phase_since = now;
        let universe = Arc::clone(self.desk.universe());
        let started = Entry::Started {
            instruments: universe.iter().map(|(_, instrument)| instrument.symbol).collect(),
            strategies: self.settings.strategies.iter().map(|settings| settings.name.clone()).collect(),
            cash: self.desk.first_cash(),
            origin: Some(Box::new(self.settings.origin.clone())),
        };
        self.write(now, vec![started], effects);
        // An order that was on its way when the predecessor ended: nobody knows whether it arrived.
        let open: Vec<ClientOrderId> = self
            .desk
            .book()
            .open_orders()
            .into_iter()
            .filter(|order| order.status == oms::OrderStatus::PendingNew)
            .map(|order| order.intent.client_order_id)
            .collect();
        for id in open {
            self.becomes_unknown(id, "it was on its way when the engine ended", now, effects);
        }
        let unknown = self.desk.book().open_orders().into_iter();
        let unknown = unknown.filter(|order| order.status == oms::OrderStatus::Unknown);
        self.unknown.extend(unknown.map(|order| (order.intent.client_order_id, now)));
        if connected {
            self.link = Link::Comparing;
            self.ask_statement(now, effects);
        }
        for place in 0..self.settings.strategies.len() {
            let id = self.settings.strategies[place].id;
            self.tell_holdings(id, effects);
        }
        if self.writing.sequence() - self.snapshot_at >= self.settings.snapshot_every {
            self.take_snapshot(effects);
        }
    }

    /// Takes in what it is told at `now`; what must be done is added to `effects`.
    pub fn handle(&mut self, now: Timestamp, input: Input, effects: &mut Vec<Effect>) {
        let may_stop = may_stop(&input);
        match input {
            Input::Ask { strategy, ask, top } => self.ask(strategy, ask, top, now, effects),
            Input::StrategyStarted(origin) => {
                self.write(now, vec![Entry::StrategyStarted(Box::new(origin))], effects);
            }
            Input::Heard { strategy, after, heard } => {
                self.write(now, vec![Entry::Heard { strategy, after, heard }], effects);
            }
            Input::Hello { strategy } => self.tell_holdings(strategy, effects),
            Input::Report { report, sequence } => self.numbered_report(report, sequence, now, effects),
            Input::External(execution) => self.external(execution, now, effects),
            Input::Unreadable { text, problem } => self.unreadable(text, problem, now, effects),
            Input::Connected => self.connected(now, effects),
            Input::Terms(terms) => self.begun_with(terms),
            Input::Disconnected { reason } => self.disconnected(&reason, now, effects),
            Input::Statement { question, statement } => self.statement(question, &statement, now, effects),
            Input::NoStatement { question, reason } => self.no_statement(question, reason, effects),
            Input::Sent { client_order_id, command } => {
                self.write(now, vec![Entry::Sent { client_order_id, command: command.into() }], effects);
            }
            Input::NotSent { command, reason } => self.not_sent(&command, reason, now, effects),
            Input::OutcomeUnknown { client_order_id, reason } => {
                self.becomes_unknown(client_order_id, &reason, now, effects);
                self.ask_statement(now, effects);
            }
            Input::Committed { writer, through } => self.committed(writer, through, now, effects),
            Input::JournalFailed { writer, reason } => self.journal_failed(writer, &reason, now, effects),
            Input::JournalRestarted => self.begin_writing(effects),
            Input::BrokerRestarted { connected } => self.broker_restarted(connected, now, effects),
            Input::Look { instrument, top } => self.look(instrument, top, now, effects),
            Input::Phase(change) => self.phase(change, effects),
            Input::CancelDayOrders => self.cancel_day_orders(now, effects),
            Input::Halted { scope, level, by, reason, at } => {
                if level == HaltLevel::Active {
                    self.rearm(&scope);
                }
                self.write(at, vec![Entry::Halt { scope, level, by, reason }], effects);
            }
            Input::Limits { limits, by, second, reason } => self.limits(limits, by, second, reason, now, effects),
            Input::Resumed { scope, seen, by, reason, at } => self.resumed(scope, seen, by, reason, at, effects),
            Input::Tick => self.tick(now, effects),
        }
        if may_stop {
            self.stop_what_is_halted(now, effects);
        }
    }

    fn look(&mut self, instrument: InstrumentId, top: TopOfBook, now: Timestamp, effects: &mut Vec<Effect>) {
        self.begin_day(now);
        self.mark(instrument, top);
        self.heard_at = Some(now);
        if self.is_priced()
            && let Some(noted) = self.desk.note_beginning()
        {
            self.write(now, vec![Entry::Worth(noted)], effects);
        }
        effects.push(Effect::Observe);
    }

    /// A price that was known before this protocol began.
    pub fn mark(&mut self, instrument: InstrumentId, top: TopOfBook) {
        self.tops[instrument.index()] = top;
        if top.is_known() {
            self.desk.mark(instrument, top.last);
            self.marked[instrument.index()] = true;
        }
    }

    /// After a restart, worth means something once everything held has a price of today.
    fn is_priced(&self) -> bool {
        let book = self.desk.book();
        let known = |id: InstrumentId| self.marked[id.index()] || book.position(id).quantity.is_zero();
        self.desk.universe().ids().all(known)
    }

    /// Brings the monitors' figures up to date.
    pub fn figures(&self, now: Timestamp, figures: &mut Figures) {
        self.desk.figures(now, self.is_priced(), figures);
        (figures.phase_since, figures.heard_at) = (self.phase_since, self.heard_at);
        if figures.comparison != self.comparison {
            figures.comparison.clone_from(&self.comparison);
            figures.changes += 1;
        }
    }

    fn phase(&mut self, change: PhaseChange, effects: &mut Vec<Effect>) {
        if (change.phase, change.session) == (self.desk.current_phase(), self.desk.session()) {
            return;
        }
        self.begin_day(change.at);
        self.desk.phase(&change);
        self.phase_since = change.at;
        self.write(change.at, vec![Entry::Phase { change }], effects);
        if self.is_priced()
            && let Some(noted) = self.desk.note_close()
        {
            self.write(change.at, vec![Entry::Worth(noted)], effects);
        }
        let due = self.writing.sequence() - self.snapshot_at >= self.settings.snapshot_every;
        if change.phase == market::Phase::Closed && due {
            self.take_snapshot(effects);
        }
    }

    /// The entry comes after everything that was decided by the limits before, and before everything that
    /// is decided by these: an order that they let pass cannot be durable without it.
    fn limits(
        &mut self,
        limits: Box<Limits>,
        by: String,
        second: Option<String>,
        reason: String,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let names: Vec<String> = self.settings.strategies.iter().map(|strategy| strategy.name.clone()).collect();
        self.desk.set_limits((*limits).clone(), &names);
        // What an account that is asked again says that it decides with.
        self.settings.origin.limits = (*limits).clone();
        effects.push(Effect::Limits(self.desk.shared_limits()));
        self.write(now, vec![Entry::Limits { limits, by, second, reason }], effects);
    }

    fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.look_at_waiting(now, effects);
        self.look_at_handed_over(now, effects);
        self.look_at_broker(now, effects);
    }

    /// A named person has resumed this scope, and the entry that says so is written: what rules of repetition
    /// had stopped in it begins anew.
    /// Whether any rule of repetition had stopped something there.
    fn rearm(&mut self, scope: &HaltScope) -> bool {
        let names: Vec<String> = self.settings.strategies.iter().map(|settings| settings.name.clone()).collect();
        self.desk.rearm(scope, &names)
    }

    fn begin_day(&mut self, now: Timestamp) {
        let day = self.desk.day(now);
        self.record.begin_day(day, self.desk.book());
    }

    fn tell(&self, strategy: StrategyId, instrument: InstrumentId, kind: NoticeKind, effects: &mut Vec<Effect>) {
        if strategy.index() < self.settings.strategies.len() {
            let holding = self.desk.book().holding(strategy, instrument);
            effects.push(Effect::Tell { strategy, notice: Notice { instrument, holding, kind } });
        }
    }

    fn tell_holdings(&self, strategy: StrategyId, effects: &mut Vec<Effect>) {
        let Some(settings) = self.settings.strategies.get(strategy.index()) else { return };
        let open_orders = self.desk.book().open_orders();
        for instrument in &settings.instruments {
            let own = open_orders
                .iter()
                .filter(|order| order.intent.strategy == strategy && order.intent.instrument == *instrument)
                // The engine's own closing orders are not its to take back.
                .filter(|order| !self.closings.contains(&order.intent.client_order_id));
            let open = own.map(|order| OpenOrder {
                client_order_id: order.intent.client_order_id,
                instrument: *instrument,
                side: order.intent.side,
            });
            self.tell(strategy, *instrument, NoticeKind::Restart { open: open.collect() }, effects);
        }
    }

    /// The desk.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The record of the run, its last day closed as it stands.
    pub fn record(&self) -> Record {
        let mut record = self.record.clone();
        record.close_day(self.desk.book());
        record
    }

    /// Entries that are not durable yet.
    pub fn uncommitted(&self) -> usize {
        self.writing.uncommitted()
    }

    /// How the account stands with its broker.
    pub fn link(&self) -> Link {
        self.link
    }

    /// What the connection was begun with; nothing where the broker lives inside this process.
    pub fn terms(&self) -> Option<Terms> {
        self.terms
    }

    /// Whether the journal has failed and not answered for everything since.
    pub fn is_journal_down(&self) -> bool {
        self.writing.is_down()
    }

    /// Everything so far as a snapshot, where that spares the next start more than a blink: few entries are
    /// read again, chain and all.
    pub fn checkpoint(&mut self, effects: &mut Vec<Effect>) {
        if self.writing.sequence() - self.snapshot_at >= CHECKPOINT_AFTER {
            self.take_snapshot(effects);
        }
    }

    /// Whether book and broker agreed and new orders are taken on.
    pub fn is_ready(&self) -> bool {
        self.link == Link::Ready && self.account_break.is_none()
    }

    /// The last report of the broker's stream that was seen.
    pub fn broker_sequence(&self) -> u64 {
        self.broker_sequence
    }

    /// The last entry that was numbered.
    pub fn sequence(&self) -> u64 {
        self.writing.sequence()
    }

    /// The last entry that is durable with all before it.
    pub fn durable_through(&self) -> u64 {
        self.writing.sequence() - self.writing.uncommitted() as u64
    }

    /// Instruments that nothing is taken on in, and why.
    pub fn breaks(&self) -> &BTreeMap<InstrumentId, String> {
        &self.breaks
    }

    /// Why nothing at all is taken on, if that is so.
    pub fn account_break(&self) -> Option<&str> {
        self.account_break.as_deref()
    }

    /// Orders whose fate is open.
    pub fn unknown_orders(&self) -> impl Iterator<Item = ClientOrderId> + '_ {
        self.unknown.keys().copied()
    }
}
