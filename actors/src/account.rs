//! Account: the one writer of an account's orders, positions, cash and exposure.
//!
//! Owns the desk. Hears requests from Strategies, reports from the Broker, prices ("look") from
//! Symbols. Every intent goes to the Journal first and to the Broker only when the Journal says that
//! it is durable; reports are applied as they come and journaled.
//!
//! When it dies: restarted by replaying the journal into a fresh desk. It then asks the Broker for
//! every report after the last one the journal holds and for every order it had handed over, and
//! tells each Strategy what it holds and has open. Requests in its mailbox are lost as decisions
//! never made; reports are not lost, because the Broker's log keeps them.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use brokers::BrokerOrder;
use desk::{Ask, Desk, DeskSettings, Entry, HostSettings, Notice, NoticeKind, OpenOrder, Record};
use market::{ClientOrderId, ExecutionReport, InstrumentId, PhaseChange, ReportKind, StrategyId, Symbol, Timestamp};
use oms::{Applied, Order, OrderStatus};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use risk::HaltLevel;
use store::{AccountTag, JournalEntry};
use tokio::sync::oneshot;

use crate::address::Address;
use crate::board::Board;
use crate::broker::Command;
use crate::clock::Clock;
use crate::halt::Halter;
use crate::journal::SharedJournal;
use crate::recovery::Recovered;
use crate::turn::Turn;
use crate::{broker, journal, limit, strategy};

/// How long an intent may wait for the journal before new orders stop (stated in RUNBOOK.md).
const JOURNAL_PATIENCE: Duration = Duration::from_secs(2);
/// How often that is looked at, and a failed journal is tried again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a starting Account waits for its predecessor's entries to be written.
const SETTLING_LIMIT: Duration = Duration::from_secs(10);
/// Entries that may wait for a journal that does not answer. Beyond it nothing new is taken on.
const MOST_UNCOMMITTED: usize = 100_000;

/// Bytes of a usual entry's text, so that it is written without growing.
const USUAL_PAYLOAD: usize = 640;

/// What an Account hears.
#[derive(Debug)]
pub enum Message {
    /// A strategy asks for everything that one event made it want.
    Ask {
        /// Which strategy.
        strategy: StrategyId,
        /// What, in order.
        asks: Vec<Ask>,
        /// The turn that waits.
        turn: Turn,
    },
    /// The broker reported.
    Report {
        /// Its words.
        report: ExecutionReport,
        /// Their place in the connection's stream.
        sequence: u64,
        /// The turn that waits.
        turn: Turn,
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
        /// Of which order.
        client_order_id: ClientOrderId,
        /// Why.
        reason: String,
        /// The turn that waits.
        turn: Turn,
    },
    /// What the broker knows of the orders it was asked about.
    Found(Vec<(ClientOrderId, Option<BrokerOrder>)>),
    /// Entries are durable.
    Committed {
        /// The beginning that they belong to.
        writer: u64,
        /// Up to this sequence.
        through: u64,
        /// Turns that waited for it.
        turns: Vec<Turn>,
    },
    /// Entries are not durable.
    JournalFailed {
        /// The beginning that they belong to.
        writer: u64,
        /// Why.
        reason: String,
        /// Turns that waited for it.
        turns: Vec<Turn>,
    },
    /// The Journal started anew; what it did not answer must be sent again.
    JournalRestarted,
    /// The Broker started anew; what it was handed must be asked about.
    BrokerRestarted,
    /// A Strategy started; it wants to know what it holds.
    Hello {
        /// Which.
        strategy: StrategyId,
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
    /// Look at what waits (live).
    LookAtWaiting,
    /// Tell how things stand.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Panic, to show that it is survived.
    #[cfg(feature = "faults")]
    Fault,
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
    /// Who watches the figures.
    pub limit: Address<limit::Message>,
    /// The strategies, by number.
    pub strategies: Vec<(Address<strategy::Message>, HostSettings)>,
    /// What the desk is made of.
    pub desk: DeskSettings,
    /// The switch.
    pub halt: Halter,
    /// Numbers of beginnings, shared with its successors.
    pub writers: Arc<AtomicU64>,
    /// The hot quotes.
    pub board: Arc<Board>,
    /// Time.
    pub clock: Clock,
}

/// A command that waits for its journal entry.
struct Waiting {
    sequence: u64,
    since: Timestamp,
    command: Command,
    turn: Turn,
}

/// An Account at work.
pub struct State {
    arguments: Arguments,
    account: AccountTag,
    desk: Desk,
    record: Record,
    sequence: u64,
    broker_sequence: u64,
    /// Commands not handed to the Broker yet, by sequence.
    waiting: VecDeque<Waiting>,
    /// Entries that the Journal has not answered, by sequence.
    uncommitted: VecDeque<JournalEntry>,
    journal_is_down: bool,
    /// The beginning that entries and answers belong to.
    writer: u64,
    /// A beginning has not been answered yet.
    beginning: bool,
    /// Instruments that have a price of this run.
    marked: Vec<bool>,
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
        }
        state.arguments.address.bind(myself);
        // After binding: a price written in between is told to whoever lives here now.
        state.arguments.board.forget_told();
        state.begin();
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if !matches!(message, Message::LookAtWaiting) {
            state.arguments.address.took();
        }
        match message {
            Message::Ask { strategy, asks, turn } => {
                for ask in asks {
                    state.ask(strategy, ask, turn.clone());
                }
            }
            Message::Report { report, sequence, turn } => state.numbered_report(report, sequence, &turn),
            Message::NotSent { command, reason, turn } => state.not_sent(&command, reason, &turn),
            Message::OutcomeUnknown { client_order_id, reason, turn } => {
                state.outcome_unknown(client_order_id, &reason, turn);
            }
            Message::Found(found) => state.found(found),
            Message::Committed { writer, through, turns } => {
                if writer == state.writer {
                    state.committed(through);
                }
                drop(turns);
            }
            Message::JournalFailed { writer, reason, turns } => {
                if writer == state.writer {
                    state.journal_failed(&reason);
                }
                drop(turns);
            }
            Message::JournalRestarted => state.begin_writing(),
            Message::BrokerRestarted => state.sync(),
            Message::Hello { strategy } => state.tell_holdings(strategy),
            Message::Look { instrument, turn } => state.look(instrument, turn),
            Message::Phase { change, turn } => state.phase(change, turn),
            Message::Halted { level, by, reason, at, turn } => {
                state.write(at, vec![Entry::Halt { level, by, reason }], turn);
            }
            Message::LookAtWaiting => state.look_at_waiting(),
            Message::Snapshot(reply) => {
                let mut record = state.record.clone();
                record.close_day(state.desk.book());
                let snapshot = Snapshot { desk: state.desk.clone(), record, uncommitted: state.uncommitted.len() };
                // Whoever asked may have given up.
                let _ = reply.send(snapshot);
            }
            #[cfg(feature = "faults")]
            Message::Fault => panic!("fault injected into the account"),
        }
        Ok(())
    }
}

impl State {
    /// Starting is recovering: the desk is what the journal says.
    fn recover(arguments: Arguments) -> Result<Self, ActorProcessingErr> {
        let names = arguments.strategies.iter().map(|(_, settings)| settings.name.clone()).collect();
        let mut recovered = Recovered::new(arguments.desk.clone(), names, arguments.halt.switch.clone());
        recovered.read(&arguments.stored)?;
        let record = recovered.record();
        Ok(Self {
            account: arguments.desk.account.parse()?,
            record,
            sequence: recovered.sequence,
            broker_sequence: recovered.broker_sequence,
            desk: recovered.desk,
            waiting: VecDeque::new(),
            uncommitted: VecDeque::new(),
            journal_is_down: false,
            writer: 0,
            beginning: false,
            marked: vec![false; arguments.desk.universe.len()],
            arguments,
        })
    }

    /// First acts: say in the journal who is who, mark the book, ask the broker, tell strategies.
    fn begin(&mut self) {
        let universe = Arc::clone(self.desk.universe());
        let instruments: Vec<Symbol> = universe.iter().map(|(_, instrument)| instrument.symbol).collect();
        let strategies = self.arguments.strategies.iter().map(|(_, settings)| settings.name.clone()).collect();
        let cash = self.arguments.desk.book.cash;
        self.begin_writing();
        let started = Entry::Started { instruments, strategies, cash };
        self.write(self.arguments.clock.now(), vec![started], Turn::none());
        for instrument in universe.ids() {
            let top = self.arguments.board.top(instrument);
            if top.is_known() {
                self.desk.mark(instrument, top.last);
                self.marked[instrument.index()] = true;
            }
        }
        self.sync();
        for place in 0..self.arguments.strategies.len() {
            let id = self.arguments.strategies[place].1.id;
            self.tell_holdings(id);
        }
    }

    /// Asks the broker for reports that were missed and for every order that it was handed.
    fn sync(&mut self) {
        let waiting: Vec<ClientOrderId> =
            self.waiting.iter().map(|waiting| waiting.command.client_order_id()).collect();
        let orders = self.desk.book().open_orders().into_iter().map(|order| order.intent.client_order_id);
        let orders = orders.filter(|id| !waiting.contains(id)).collect();
        let message = broker::Message::Sync { after: self.broker_sequence, orders };
        if let Err(error) = self.arguments.broker.send(message) {
            tracing::warn!(%error, "will ask when the broker is back");
        }
    }

    fn ask(&mut self, strategy: StrategyId, ask: Ask, turn: Turn) {
        let now = self.arguments.clock.now();
        self.begin_day(now);
        match ask {
            Ask::Submit(request) => {
                self.record.counts.requests += 1;
                let (instrument, side, quantity) = (request.instrument, request.side, request.quantity);
                let top = self.arguments.board.top(instrument);
                let reviewed = if self.uncommitted.len() < MOST_UNCOMMITTED && !self.journal_is_down {
                    self.desk.request(&request, top, now)
                } else {
                    let denial = risk::Denial {
                        check: risk::checks::code::JOURNAL,
                        because: "the journal does not answer",
                        asked: risk::Figure::Count(self.uncommitted.len() as u64),
                        limit: risk::Figure::Count(MOST_UNCOMMITTED as u64),
                    };
                    self.desk.note_denial(&denial);
                    Err(denial)
                };
                // The strategy is told first and the journal last: the runtime runs whom was woken last
                // next, and the order waits for the journal.
                match reviewed {
                    Ok(approved) => {
                        self.record.counts.orders += 1;
                        let order = *approved.get();
                        let accepted = NoticeKind::Accepted { client_order_id: order.client_order_id, side, quantity };
                        self.tell(strategy, instrument, accepted, turn.clone());
                        let entry =
                            Entry::Intent { order, worst_price: approved.worst_price(), signal: request.signal };
                        self.write_command(now, entry, Command::Submit(approved), &turn);
                    }
                    Err(denial) => {
                        self.record.counts.denials += 1;
                        tracing::debug!(%denial, strategy = strategy.index(), "denied");
                        self.tell(strategy, instrument, NoticeKind::Denied { side, quantity }, turn.clone());
                        // A journal that does not answer is not given more to hold.
                        if denial.check != risk::checks::code::JOURNAL {
                            self.write(now, vec![Entry::denied(request, &denial)], turn);
                        }
                    }
                }
            }
            Ask::Cancel(id) => {
                // Only its own orders, and only open ones: an order that has just ended is fine.
                let own = self.desk.book().order(&id).is_some_and(|order| order.intent.strategy == strategy);
                if own && let Ok(approved) = self.desk.cancel(id, now) {
                    self.record.counts.cancels += 1;
                    let entry = Entry::CancelIntent { cancel: *approved.get() };
                    self.write_command(now, entry, Command::Cancel(approved), &turn);
                }
            }
        }
    }

    /// Journals a command's intent; the command leaves when the entry is durable.
    fn write_command(&mut self, now: Timestamp, entry: Entry, command: Command, turn: &Turn) {
        self.waiting.push_back(Waiting { sequence: self.sequence + 1, since: now, command, turn: turn.clone() });
        self.write(now, vec![entry], turn.clone());
        // A journal that is down must not hold back a cancel.
        if self.journal_is_down {
            self.release_cancels();
        }
    }

    fn write(&mut self, at: Timestamp, entries: Vec<Entry>, turn: Turn) {
        let entries: Vec<JournalEntry> = entries
            .into_iter()
            .map(|entry| {
                self.sequence += 1;
                encoded(self.account, self.sequence, at, &entry)
            })
            .collect();
        self.uncommitted.extend(entries.iter().cloned());
        if let Err(error) = self.arguments.journal.send(journal::Message::Append { writer: self.writer, entries, turn })
        {
            tracing::warn!(%error, "entries wait for the journal");
        }
    }

    /// Begins with the Journal anew: everything without an answer is sent again.
    fn begin_writing(&mut self) {
        self.writer = self.arguments.writers.fetch_add(1, Ordering::Relaxed) + 1;
        let entries: Vec<JournalEntry> = self.uncommitted.iter().cloned().collect();
        self.beginning = !entries.is_empty();
        if let Err(error) = self.arguments.journal.send(journal::Message::Begin { writer: self.writer, entries }) {
            tracing::warn!(%error, "will begin when the journal is back");
        }
    }

    fn committed(&mut self, through: u64) {
        self.beginning = false;
        while self.uncommitted.front().is_some_and(|entry| entry.sequence <= through) {
            self.uncommitted.pop_front();
        }
        if self.journal_is_down && self.uncommitted.is_empty() {
            tracing::warn!("the journal works again; new orders stay stopped until a person resumes");
            self.journal_is_down = false;
        }
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| waiting.sequence <= through) {
            self.hand_over(waiting.command, waiting.turn);
        }
    }

    fn hand_over(&mut self, command: Command, turn: Turn) {
        let message = broker::Message::Send { command, turn: turn.clone() };
        if self.arguments.broker.send(message).is_err() {
            self.not_sent(&command, "the broker connection is down".to_owned(), &turn);
        }
    }

    /// No new order leaves; those that wait are withdrawn, cancels go out at once.
    fn journal_failed(&mut self, reason: &str) {
        self.beginning = false;
        if !self.journal_is_down {
            tracing::error!(reason, waiting = self.waiting.len(), "the journal failed: no new orders");
        }
        self.journal_is_down = true;
        self.arguments.halt.raise(HaltLevel::StopNew, "journal", reason);
        self.release_cancels();
        for waiting in std::mem::take(&mut self.waiting) {
            self.not_sent(&waiting.command, format!("not sent: the journal failed: {reason}"), &waiting.turn);
        }
    }

    fn release_cancels(&mut self) {
        let (cancels, rest) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting: &Waiting| matches!(waiting.command, Command::Cancel(_)));
        self.waiting = rest;
        for waiting in cancels {
            self.hand_over(waiting.command, waiting.turn);
        }
    }

    fn look_at_waiting(&mut self) {
        let now = self.arguments.clock.now();
        let patience = i64::try_from(JOURNAL_PATIENCE.as_nanos()).unwrap_or(i64::MAX);
        if self.waiting.front().is_some_and(|waiting| now.nanos_since(waiting.since) > patience) {
            self.journal_failed("no answer in time");
        } else if self.journal_is_down && !self.beginning {
            self.begin_writing();
        }
    }

    fn numbered_report(&mut self, report: ExecutionReport, sequence: u64, turn: &Turn) {
        if sequence <= self.broker_sequence {
            return;
        }
        if sequence > self.broker_sequence + 1 {
            tracing::warn!(after = self.broker_sequence, got = sequence, "reports are missing, asking again");
            return self.sync();
        }
        self.broker_sequence = sequence;
        self.take(report, sequence, turn);
    }

    fn take(&mut self, report: ExecutionReport, broker_sequence: u64, turn: &Turn) {
        let now = self.arguments.clock.now();
        self.begin_day(now);
        if matches!(report.kind, ReportKind::Rejected { .. }) {
            self.record.counts.rejections += 1;
        }
        match self.desk.report(&report) {
            Ok(applied) => {
                self.record.applied(report.at, &applied);
                self.log_fill(&applied);
                self.write(now, vec![Entry::Report { report, broker_sequence }], turn.clone());
                let kind = NoticeKind::Order { client_order_id: applied.client_order_id, status: applied.status };
                self.tell(applied.strategy, applied.instrument, kind, turn.clone());
            }
            Err(anomaly) => {
                self.record.counts.anomalies += 1;
                tracing::error!(%anomaly, "execution report not applied");
                let reason = anomaly.to_string();
                self.write(now, vec![Entry::Anomaly { report, reason }], turn.clone());
            }
        }
    }

    fn log_fill(&self, applied: &Applied) {
        let Some(fill) = &applied.fill else { return };
        let symbol = self.desk.universe().symbol(applied.instrument);
        let (quantity, price, order) = (fill.quantity, fill.price, applied.client_order_id);
        tracing::info!(%order, side = %fill.side, %quantity, symbol, %price, "fill");
        if fill.late {
            tracing::error!(%order, symbol, "fill after the order had ended: applied, look at it");
        }
    }

    /// A command certainly did not leave: the order ends, or stays as it was.
    fn not_sent(&mut self, command: &Command, reason: String, turn: &Turn) {
        let (instrument, kind) = match command {
            Command::Submit(order) => (order.get().instrument, ReportKind::Rejected { reason }),
            Command::Cancel(cancel) => (cancel.get().instrument, ReportKind::CancelRejected { reason }),
            Command::Replace(replace) => (replace.get().instrument, ReportKind::ReplaceRejected { reason }),
        };
        let at = self.arguments.clock.now();
        let report = ExecutionReport { at, client_order_id: command.client_order_id(), instrument, kind };
        self.take(report, 0, turn);
    }

    fn outcome_unknown(&mut self, client_order_id: ClientOrderId, reason: &str, turn: Turn) {
        tracing::error!(order = %client_order_id, reason, "outcome unknown: asking the broker");
        if self.desk.outcome_unknown(client_order_id).is_ok() {
            self.write(self.arguments.clock.now(), vec![Entry::OutcomeUnknown { client_order_id }], turn);
        }
        self.sync();
    }

    /// What the broker's word means for orders whose fate was open.
    fn found(&mut self, found: Vec<(ClientOrderId, Option<BrokerOrder>)>) {
        let now = self.arguments.clock.now();
        for (id, known) in found {
            let Some(order) = self.desk.book().order(&id) else { continue };
            let (status, instrument, reached) = (order.status, order.intent.instrument, known.is_some());
            let concluded = |kind| ExecutionReport { at: now, client_order_id: id, instrument, kind };
            let reason = "the broker never received it".to_owned();
            match status {
                OrderStatus::PendingNew | OrderStatus::Unknown if !reached => {
                    self.take(concluded(ReportKind::Rejected { reason }), 0, &Turn::none());
                }
                // Reports came again before this answer, so a replace without one was not taken.
                OrderStatus::PendingReplace => {
                    let reason = "the broker did not answer the change".to_owned();
                    self.take(concluded(ReportKind::ReplaceRejected { reason }), 0, &Turn::none());
                }
                // A cancel may be asked for again without harm.
                OrderStatus::PendingCancel if known.is_some_and(|known| known.open) => {
                    if let Ok(approved) = self.desk.cancel(id, now) {
                        let entry = Entry::CancelIntent { cancel: *approved.get() };
                        self.write_command(now, entry, Command::Cancel(approved), &Turn::none());
                    }
                }
                OrderStatus::Unknown if known.is_some_and(|known| known.open) => {
                    self.take(concluded(ReportKind::New), 0, &Turn::none());
                }
                _ => {}
            }
        }
    }

    fn look(&mut self, instrument: InstrumentId, turn: Turn) {
        let now = self.arguments.clock.now();
        self.begin_day(now);
        let top = self.arguments.board.look(instrument);
        self.desk.mark(instrument, top.last);
        self.marked[instrument.index()] = true;
        // After a restart, equity means something once everything held has a price of today.
        if !self
            .desk
            .universe()
            .ids()
            .all(|id| self.marked[id.index()] || self.desk.book().position(id).quantity.is_zero())
        {
            return;
        }
        let (day, equity) = (self.desk.day(now), self.desk.book().equity());
        if let Err(error) = self.arguments.limit.send(limit::Message::Observe { day, at: now, equity, turn }) {
            // The supervisor has raised the switch by the time the limit is down.
            tracing::warn!(%error, "nobody watches the daily loss");
        }
    }

    fn phase(&mut self, change: PhaseChange, turn: Turn) {
        if (change.phase, change.session) == (self.desk.current_phase(), self.desk.session()) {
            return;
        }
        self.begin_day(change.at);
        self.desk.phase(&change);
        self.write(change.at, vec![Entry::Phase { change }], turn);
    }

    fn begin_day(&mut self, now: Timestamp) {
        let day = self.desk.day(now);
        self.record.begin_day(day, self.desk.book());
    }

    fn tell(&self, strategy: StrategyId, instrument: InstrumentId, kind: NoticeKind, turn: Turn) {
        let Some((address, _)) = self.arguments.strategies.get(strategy.index()) else { return };
        let holding = self.desk.book().holding(strategy, instrument);
        let notice = Notice { instrument, holding, kind };
        // A strategy that is down asks when it is back.
        let _ = address.send(strategy::Message::Notice { notice, turn });
    }

    fn tell_holdings(&self, strategy: StrategyId) {
        let Some((_, settings)) = self.arguments.strategies.get(strategy.index()) else { return };
        let open_orders = self.desk.book().open_orders();
        let of = |instrument: InstrumentId| -> BTreeMap<ClientOrderId, OpenOrder> {
            let own = |order: &&&Order| order.intent.strategy == strategy && order.intent.instrument == instrument;
            let open = |order: &&Order| {
                let client_order_id = order.intent.client_order_id;
                (client_order_id, OpenOrder { client_order_id, instrument, side: order.intent.side })
            };
            open_orders.iter().filter(own).map(open).collect()
        };
        for instrument in &settings.instruments {
            let open = of(*instrument).into_values().collect();
            self.tell(strategy, *instrument, NoticeKind::Restart { open }, Turn::none());
        }
    }
}

fn encoded(account: AccountTag, sequence: u64, at: Timestamp, entry: &Entry) -> JournalEntry {
    // Entries hold plain values; the only failures of this encoder are maps with odd keys.
    let mut text = Vec::with_capacity(USUAL_PAYLOAD);
    serde_json::to_writer(&mut text, entry).expect("a journal entry is plain data");
    let payload = String::from_utf8(text).expect("JSON is UTF-8");
    JournalEntry { account, sequence, at, kind: Cow::Borrowed(entry.kind()), payload }
}
