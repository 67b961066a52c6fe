//! One engine process: what is in its memory, actor by actor, and its one connection to the broker.
//!
//! The actors of `actors/` are imitated hop by hop: each has a mailbox that keeps order and delays,
//! loses it when it is restarted, and answers to the same messages. What they decide with is the real
//! thing: `desk::Protocol`, `desk::StrategyHost`, the halt switch, the daily loss.

use std::collections::VecDeque;

use brokers::BrokerEvent;
use desk::{Ask, Command, Heard, Input, Notice, OpenOrder, Protocol, StrategyHost, StrategyOrigin};
use market::{ExecutionReport, InstrumentId, MarketEvent, PhaseChange, SessionClock, StrategyId, TopOfBook};
use risk::{Figures, HaltSwitch, Watch};
use store::{JournalEntry, Snapshot};

use super::world::Event;

/// What an Account hears.
#[derive(Clone, Debug)]
pub enum ToAccount {
    /// What the protocol takes as it is.
    Input(Box<Input>),
    /// A strategy asks.
    Ask { strategy: StrategyId, after: u64, heard: Vec<Heard>, asks: Vec<Ask> },
    /// A strategy started.
    StrategyStarted(StrategyId, Box<StrategyOrigin>),
    /// A price changed; the board has it.
    Look(InstrumentId),
    /// The Broker's answer to `Begin`.
    Begun(bool),
    /// The Broker's answer to `StateNow`.
    Now(Vec<(u64, ExecutionReport)>),
}

/// What a Broker hears.
#[derive(Clone, Debug)]
pub enum ToBroker {
    Send(Command),
    Phase(PhaseChange),
    Poll,
    Begin,
    Resend(u64),
    AskStatement(u64),
    StateNow { question: u64, after: u64 },
}

/// What a Journal hears.
#[derive(Clone, Debug)]
pub enum ToJournal {
    Settle,
    Begin(u64, Vec<JournalEntry>),
    Append(u64, Vec<JournalEntry>),
    Snapshot(Snapshot),
    Flush,
}

/// What a Strategy hears.
#[derive(Clone, Debug)]
pub enum ToStrategy {
    Market(MarketEvent),
    Notice(Notice),
}

/// A mailbox: keeps order, and is lost as a whole.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    /// Of which life of the actor.
    pub generation: u32,
    /// The actor lives.
    pub is_open: bool,
    /// When the last message in it is taken.
    pub last: i64,
}

impl Mailbox {
    /// The actor died: what waited is gone.
    pub fn lose(&mut self) {
        self.generation += 1;
        self.is_open = false;
    }
}

/// The Account between its death and its first message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Not there, or waiting for the Journal to settle.
    Down,
    /// Recovered; waits for the Broker to say whether it is connected.
    Beginning,
    /// Waits for the reports that it has missed.
    Stating,
    /// At work.
    Up,
}

/// The Account.
pub struct Account {
    pub mailbox: Mailbox,
    pub stage: Stage,
    pub protocol: Option<Protocol>,
    /// What came before it was up.
    pub stash: VecDeque<ToAccount>,
}

/// The Broker and the log that outlives it.
pub struct Broker {
    pub mailbox: Mailbox,
    pub question: u64,
    pub last_report: u64,
    pub log: Vec<(u64, ExecutionReport)>,
}

/// The Journal.
#[derive(Default)]
pub struct Journal {
    pub mailbox: Mailbox,
    pub writer: Option<u64>,
    pub waiting: Vec<JournalEntry>,
    pub flush_is_coming: bool,
    /// What is being written, by which beginning; the mailbox waits meanwhile.
    pub in_flight: Option<InFlight>,
    pub pending: VecDeque<ToJournal>,
}

/// A write that the store has not answered.
pub struct InFlight {
    pub writer: u64,
    pub entries: Vec<JournalEntry>,
    /// The store will have written it and answer with an error.
    pub answer_is_lost: bool,
    /// Life of the Journal that waits for the answer.
    pub generation: u32,
    /// What to do once it is answered: the Account waits for it.
    pub then_settled: bool,
    /// A snapshot to keep afterwards.
    pub then_keep: Option<Snapshot>,
}

/// A Strategy, or the nervous trader.
pub struct StrategyActor {
    pub mailbox: Mailbox,
    /// None: the nervous trader.
    pub host: Option<StrategyHost>,
    pub open: Vec<OpenOrder>,
    pub held: Vec<i64>,
    pub heard: Vec<Heard>,
    pub told: u64,
}

/// How the connection stands on our side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    Down,
    Connecting,
    Up { session: u64 },
}

/// The connection to the broker; it outlives the Broker's restarts.
pub struct Connection {
    pub line: Line,
    /// Counts attempts: what belongs to an earlier one is nobody's.
    pub number: u64,
    pub inbox: VecDeque<BrokerEvent>,
    /// Nothing comes through any more, and nobody has noticed.
    pub half_open: bool,
    /// The last request for a statement.
    pub request: u64,
    pub is_answered: bool,
    /// When the last message in each direction arrives: a session keeps order.
    pub outward: i64,
    pub inward: i64,
}

/// A process.
pub struct Process {
    pub alive: bool,
    pub paused: bool,
    /// What happens to it while it is stopped, in order.
    pub stash: Vec<Event>,
    pub epoch: u64,
    pub right_until: i64,
    pub right_lost: bool,
    pub switch: HaltSwitch,
    pub account: Account,
    pub broker: Broker,
    pub journal: Journal,
    pub strategies: Vec<StrategyActor>,
    pub connection: Connection,
    pub board: Vec<TopOfBook>,
    pub session: SessionClock,
    pub ticks: u32,
    pub watches: Vec<Watch>,
    pub figures: Figures,
    /// The changes that the monitors have seen.
    pub seen: u64,
    pub incarnations: u64,
    /// The entry that the run began after.
    pub record_after: u64,
    /// The conversation with the Journal that the protocol began last.
    pub writer: u64,
}

impl Process {
    /// The protocol of an Account that is there.
    pub fn protocol(&self) -> Option<&Protocol> {
        self.account.protocol.as_ref()
    }
}
