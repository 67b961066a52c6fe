//! Where a scenario is played: the protocol of one account, its journal, the market as it stands, and
//! who answers its orders.
//!
//! The stage does what the actors do live: it carries the protocol's effects out, in their order. What
//! only a bad day does (a crash, a lost connection, a broken journal) is in `outage`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use brokers::{Broker, BrokerEvent, SimulatedExchange};
use desk::{
    Alert, Ask, Command, DeskSettings, Effect, Entry, Execution, HostSettings, Input, Listen, Origin, Patience,
    Protocol, ProtocolSettings, Sizing, Written,
};
use market::order::{OrderRequest, Signal};
use market::{
    AuctionKind, AuctionPrint, Calendar, ClientOrderId, Date, ExecutionId, ExecutionReport, InstrumentId, MarketEvent,
    OrderType, Phase, PhaseChange, Price, Quantity, Quote, ReportKind, SessionClock, Side, Statement, StrategyId,
    TimeInForce, Timestamp, TopOfBook, Trade,
};
use oms::{Book, BookSettings, Holding, Order};
use risk::checks::code;
use risk::{DailyLoss, HaltLevel, HaltSwitch};

use super::Outcome;
use super::journal::Journal;
use super::setting::{Setting, cast};
use super::statement;
use super::words::Words;

/// Size on each side of a quote that names none.
const USUAL_SIZE: Quantity = Quantity::new(1_000_000);
/// One strategy asks for everything.
pub(super) const STRATEGY: StrategyId = StrategyId(0);
/// Its name.
pub(super) const STRATEGY_NAME: &str = "scenario";
/// Time between two ticks, as live.
const TICK: i64 = 250_000_000;
/// No line of a scenario leads to so much.
const MOST_INPUTS: usize = 10_000;

pub(super) struct Stage {
    pub(super) desk: DeskSettings,
    pub(super) settings: ProtocolSettings,
    pub(super) switch: HaltSwitch,
    pub(super) protocol: Protocol,
    /// Protocols so far: each start is another one.
    pub(super) incarnation: u64,
    pub(super) journal: Journal,
    /// The last snapshot that the protocol asked to keep: its entry and its text.
    pub(super) kept: Option<(u64, String)>,
    /// A snapshot of an earlier line, and lines played since.
    pub(super) taken: Option<(u64, String)>,
    pub(super) lines: usize,
    exchange: Option<SimulatedExchange>,
    pub(super) connected: bool,
    /// Reports over the connections so far, by number.
    pub(super) stream: BTreeMap<u64, ExecutionReport>,
    pub(super) next_number: u64,
    /// What the broker was asked and has not answered.
    pub(super) question: Option<u64>,
    /// What the next statement will say.
    stated: Option<Statement>,
    monitor: DailyLoss,
    clock: SessionClock,
    now: Timestamp,
    tops: Vec<TopOfBook>,
    pub(super) names: BTreeMap<String, ClientOrderId>,
    /// Orders that a crash left no trace of.
    pub(super) vanished: BTreeSet<String>,
    /// The name of the order that is being asked for.
    naming: Option<String>,
    executions: u32,
    /// Every command that has left: of which order, and what.
    sent: Vec<(String, &'static str)>,
    /// How many had left when the engine started last.
    sent_before: usize,
    /// What a person was told in this line.
    alerts: Vec<Alert>,
    /// What was written in this line.
    appended: Vec<Arc<Written>>,
    /// What the strategy was told last of each instrument, since the engine started.
    pub(super) told: BTreeMap<InstrumentId, Holding>,
    inputs: VecDeque<Input>,
}

impl Stage {
    /// The night before the first session: connected, and nothing to compare.
    pub(super) fn open(setting: &Setting, first: Date) -> Result<Self, String> {
        let (universe, calendar) = (Arc::new(cast()), Calendar::b3());
        let start = first.and_hms_opt(0, 0, 0).and_then(Timestamp::from_local).ok_or("that day is out of range")?;
        let book = BookSettings {
            cash: setting.cash,
            calendar: Arc::clone(&calendar),
            fees: Arc::clone(&setting.fees),
            brokerage: setting.brokerage,
            instruments: universe.len(),
        };
        let desk = DeskSettings {
            account: "SCEN".to_owned(),
            universe: Arc::clone(&universe),
            book,
            limits: setting.limits,
            start,
        };
        let strategy = HostSettings {
            id: STRATEGY,
            name: STRATEGY_NAME.to_owned(),
            instruments: universe.ids().collect(),
            listen: Listen::Quotes,
            sizing: Sizing::Quantity(Quantity::new(100)),
            execution: Execution::Limit,
        };
        let origin = Origin {
            version: "scenario".to_owned(),
            start,
            calendar: "b3".to_owned(),
            instruments: universe.iter().map(|(_, instrument)| instrument.clone()).collect(),
            limits: setting.limits,
            brokerage: setting.brokerage,
        };
        // A snapshot at every close: recovery takes its way through them.
        let settings =
            ProtocolSettings { strategies: vec![strategy], patience: Patience::default(), origin, snapshot_every: 1 };
        let clock = SessionClock::new(calendar, start);
        let exchange = setting.exchange.map(|simulation| {
            SimulatedExchange::new(simulation, Arc::clone(&universe), clock.phase()).with_statements(start)
        });
        let switch = HaltSwitch::at(HaltLevel::Active);
        let journal = Journal::new();
        let restored = super::outage::restored(&desk, &switch, &journal, None)?;
        let mut stage = Self {
            protocol: Protocol::new(settings.clone(), restored, 1),
            desk,
            settings,
            switch,
            incarnation: 1,
            journal,
            kept: None,
            taken: None,
            lines: 0,
            exchange,
            connected: true,
            stream: BTreeMap::new(),
            next_number: 1,
            question: None,
            stated: None,
            monitor: DailyLoss::new(setting.limits.max_daily_loss),
            tops: vec![TopOfBook::default(); universe.len()],
            now: start,
            clock,
            names: BTreeMap::new(),
            vanished: BTreeSet::new(),
            naming: None,
            executions: 0,
            sent: Vec::new(),
            sent_before: 0,
            alerts: Vec::new(),
            appended: Vec::new(),
            told: BTreeMap::new(),
            inputs: VecDeque::new(),
        };
        stage.begin()?;
        if let Some(question) = stage.question.take() {
            let statement = Box::new(statement::nothing(start, start));
            stage.tell(Input::Statement { question, statement })?;
        }
        Ok(stage)
    }

    // What is asked of it by the other files.

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn account(&self) -> &str {
        &self.desk.account
    }

    pub(super) fn book(&self) -> &Book {
        self.protocol.desk().book()
    }

    pub(super) fn instrument(&self, symbol: &str) -> Result<InstrumentId, String> {
        let found = symbol.parse().ok().and_then(|symbol| self.desk.universe.find(&symbol));
        found.ok_or_else(|| format!("'{symbol}' is not in the cast"))
    }

    pub(super) fn named(&self, name: &str) -> Option<&Order> {
        self.names.get(name).and_then(|id| self.book().order(id))
    }

    /// Every order that has left and that the book still has.
    pub(super) fn orders(&self) -> impl Iterator<Item = &Order> {
        let left = self.names.iter().filter(|(name, _)| self.sent(Some(name), Some("submit")) > 0);
        left.filter_map(|(_, id)| self.book().order(id))
    }

    /// How often a command of an order has left; of any order without a name, since the last start.
    pub(super) fn sent(&self, name: Option<&str>, command: Option<&str>) -> usize {
        let from = if name.is_some() { 0 } else { self.sent_before };
        let fits = |(of, what): &&(String, &'static str)| {
            name.is_none_or(|name| name == of) && command.is_none_or(|command| command == *what)
        };
        self.sent[from..].iter().filter(fits).count()
    }

    /// The engine starts: what leaves from here on is this run's.
    pub(super) fn mark_start(&mut self) {
        self.sent_before = self.sent.len();
    }

    pub(super) fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    fn id(&self, words: &mut Words<'_>) -> Result<ClientOrderId, String> {
        let name = words.next("the name of an order")?;
        self.names.get(name).copied().ok_or_else(|| format!("there is no order '{name}'"))
    }

    fn instrument_of(&self, id: ClientOrderId) -> Result<InstrumentId, String> {
        Ok(self.book().order(&id).ok_or("the order is forgotten")?.intent.instrument)
    }

    /// A new line: what is looked at from here on is its doing.
    pub(super) fn begin_line(&mut self) {
        self.alerts.clear();
        self.appended.clear();
    }

    // The protocol, and what becomes of its effects.

    /// First acts of a protocol, with the prices that are known.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        for (id, top) in self.desk.universe.ids().zip(&self.tops) {
            self.protocol.mark(id, *top);
        }
        let mut effects = Vec::new();
        self.protocol.begin(self.now, self.connected, &mut effects);
        self.carry_out(effects)?;
        self.work_off()
    }

    /// Tells the protocol something, and does all that comes of it.
    pub(super) fn tell(&mut self, input: Input) -> Result<(), String> {
        self.inputs.push_back(input);
        self.work_off()
    }

    fn work_off(&mut self) -> Result<(), String> {
        let mut left = MOST_INPUTS;
        while let Some(input) = self.inputs.pop_front() {
            left -= 1;
            if left == 0 {
                return Err(format!("one line leads to more than {MOST_INPUTS} inputs: it goes round in circles"));
            }
            let mut effects = Vec::new();
            self.protocol.handle(self.now, input, &mut effects);
            self.carry_out(effects)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), String> {
        effects.into_iter().try_for_each(|effect| self.effect(effect))
    }

    fn effect(&mut self, effect: Effect) -> Result<(), String> {
        match effect {
            Effect::Begin { writer, entries } => self.inputs.extend(self.journal.take(writer, &entries)?),
            Effect::Append { writer, entries } => {
                self.appended.extend(entries.iter().cloned());
                self.inputs.extend(self.journal.take(writer, &entries)?);
            }
            Effect::Snapshot { sequence, state } => {
                self.kept = Some((sequence, serde_json::to_string(&state).map_err(|error| error.to_string())?));
            }
            Effect::Send(command) => self.send(command)?,
            Effect::Resend { after } => {
                let missed: Vec<_> =
                    self.stream.range(after + 1..).map(|(number, report)| (*number, report.clone())).collect();
                self.inputs.extend(missed.into_iter().map(|(sequence, report)| Input::Report { report, sequence }));
            }
            Effect::AskStatement { question } => self.asked(question)?,
            Effect::Tell { notice, .. } => {
                if let (desk::NoticeKind::Accepted { client_order_id, .. }, Some(name)) = (&notice.kind, &self.naming) {
                    self.names.insert(name.clone(), *client_order_id);
                }
                self.told.insert(notice.instrument, notice.holding);
            }
            Effect::Observe { day, equity } => {
                if let Some(breach) = self.monitor.observe(day, equity) {
                    self.raise(breach.level, DailyLoss::NAME, &breach.to_string());
                }
            }
            Effect::Raise { level, by, reason } => self.raise(level, by, &reason),
            Effect::Alert(alert) => self.alerts.push(alert),
        }
        Ok(())
    }

    fn raise(&mut self, level: HaltLevel, by: &str, reason: &str) {
        if !self.switch.raise(level) {
            return;
        }
        let (by, reason, at) = (by.to_owned(), reason.to_owned(), self.now);
        self.inputs.push_back(Input::Halted { level: self.switch.level(), by, reason, at });
    }

    /// The last gate, and the way to the broker.
    fn send(&mut self, command: Command) -> Result<(), String> {
        let (id, what) = (command.client_order_id(), command.name());
        let level = self.switch.level();
        let shut = if !command.may_leave(level) {
            Some(format!("not sent: trading is {}", level.name()))
        } else if !self.connected {
            Some("not sent: there is no connection".to_owned())
        } else {
            None
        };
        if let Some(reason) = shut {
            self.inputs.push_back(Input::NotSent { command, reason });
            return Ok(());
        }
        let name = self.names.iter().find(|(_, named)| **named == id).map(|(name, _)| name.clone());
        let name = name.ok_or_else(|| format!("{what} of {id} has left, which nobody asked for"))?;
        if what == "submit" && !self.journal.has_intent(id) {
            return Err(format!("{name} has left before its intent was durable"));
        }
        self.sent.push((name, what));
        self.inputs.push_back(Input::Sent { client_order_id: id, command: what });
        let now = self.now;
        self.exchange(|exchange, reports| {
            let sent = match &command {
                Command::Submit(order) => exchange.submit(order, now, reports),
                Command::Cancel(cancel) => exchange.cancel(cancel, now, reports),
                Command::Replace(replace) => exchange.replace(replace, now, reports),
            };
            sent.expect("it takes every command");
        });
        Ok(())
    }

    fn asked(&mut self, question: u64) -> Result<(), String> {
        let Some(exchange) = &mut self.exchange else {
            self.question = Some(question);
            return Ok(());
        };
        let mut events = Vec::new();
        exchange.request_statement(self.now, &mut events).map_err(|error| error.to_string())?;
        for event in events {
            if let BrokerEvent::Statement(statement) = event {
                self.inputs.push_back(Input::Statement { question, statement: Box::new(statement) });
            }
        }
        Ok(())
    }

    /// Lets the exchange act, if there is one. What it reports while nobody is connected is not heard.
    fn exchange(&mut self, act: impl FnOnce(&mut SimulatedExchange, &mut Vec<ExecutionReport>)) {
        let Some(exchange) = &mut self.exchange else { return };
        let mut reports = Vec::new();
        act(exchange, &mut reports);
        if !self.connected {
            return;
        }
        for report in reports {
            let sequence = self.number(report.clone());
            self.inputs.push_back(Input::Report { report, sequence });
        }
    }

    /// The place of a report in the stream.
    fn number(&mut self, report: ExecutionReport) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.stream.insert(number, report);
        number
    }

    /// What was written in this line, if it was of this kind.
    fn written(&self, kind: &str) -> Result<Option<Entry>, String> {
        let found = self.appended.iter().rev().find(|written| written.kind == kind);
        found.map(|written| serde_json::from_str(&written.payload).map_err(|error| error.to_string())).transpose()
    }

    // The day.

    pub(super) fn session(&mut self, date: Date) -> Result<(), String> {
        let session = self.desk.book.calendar.session(date).ok_or_else(|| format!("{date} is no session"))?;
        self.advance(session.start())
    }

    pub(super) fn phase(&mut self, name: &str) -> Result<(), String> {
        let phase = Phase::ALL.into_iter().find(|phase| phase.name() == name);
        let phase = phase.ok_or_else(|| format!("'{name}' is not a phase"))?;
        let date = self.clock.session();
        let session = self.desk.book.calendar.session(date).ok_or_else(|| format!("{date} is no session"))?;
        let scheduled = session.phases().iter().find(|span| span.phase == phase && span.start > self.now);
        match scheduled {
            Some(span) => self.advance(span.start),
            None if phase == Phase::Closed && session.end() > self.now => self.advance(session.end()),
            // A halt or a call of its own begins now; so does what it interrupted, when it is over.
            None => self.change(PhaseChange { at: self.now, phase, session: date }),
        }
    }

    pub(super) fn at(&mut self, time: chrono::NaiveTime) -> Result<(), String> {
        let moment = Timestamp::from_local(self.clock.session().and_time(time));
        self.advance(moment.ok_or("that time is out of range")?)
    }

    /// Seconds pass, and the protocol looks at its clock as often as it does live.
    pub(super) fn later(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let word = words.next("seconds such as 6s")?;
        let seconds: Option<i64> = word.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
        let seconds =
            seconds.filter(|seconds| *seconds > 0).ok_or_else(|| format!("'{word}' is not a time such as 6s"))?;
        let until = self.now.plus_nanos(seconds * market::time::NANOS_PER_SECOND);
        while self.now < until {
            self.advance(self.now.plus_nanos(TICK).min(until))?;
            self.tell(Input::Tick)?;
        }
        Ok(())
    }

    fn advance(&mut self, to: Timestamp) -> Result<(), String> {
        if to < self.now {
            return Err(format!("time cannot go back: it is {} already", self.now.local().time()));
        }
        let mut changes = Vec::new();
        self.clock.advance(to, &mut changes);
        for change in changes {
            self.now = change.at;
            self.change(change)?;
        }
        self.now = to;
        self.exchange(|exchange, reports| exchange.on_time(to, reports));
        self.settle()
    }

    fn change(&mut self, change: PhaseChange) -> Result<(), String> {
        self.exchange(|exchange, reports| exchange.on_phase(&change, reports));
        self.settle()?;
        self.tell(Input::Phase(change))
    }

    /// Hears what the exchange has reported; every report of it must fit.
    fn settle(&mut self) -> Result<(), String> {
        self.work_off()?;
        match (&self.exchange, self.written("anomaly")?) {
            (Some(_), Some(Entry::Anomaly { reason, .. })) => {
                Err(format!("a report of the exchange does not fit: {reason}"))
            }
            _ => Ok(()),
        }
    }

    // The market.

    pub(super) fn quote(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let instrument = self.instrument(words.next("a symbol")?)?;
        let bid = words.read("a bid")?;
        words.skip("/")?;
        let ask = words.read("an ask")?;
        let (mut bid_size, mut ask_size) = (USUAL_SIZE, USUAL_SIZE);
        if words.skip_if("x") {
            bid_size = words.read("a size")?;
            words.skip("/")?;
            ask_size = words.read("a size")?;
        }
        self.market(MarketEvent::Quote(Quote { at: self.now, instrument, bid, ask, bid_size, ask_size }))
    }

    pub(super) fn trade(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let instrument = self.instrument(words.next("a symbol")?)?;
        let (quantity, price) = traded(words)?;
        self.market(MarketEvent::Trade(Trade { at: self.now, instrument, price, quantity }))
    }

    pub(super) fn auction(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let instrument = self.instrument(words.next("a symbol")?)?;
        let kind = match words.next("an auction")? {
            "opening" => AuctionKind::Opening,
            "intraday" => AuctionKind::Intraday,
            "closing" => AuctionKind::Closing,
            other => return Err(format!("'{other}' is not an auction: opening, intraday or closing")),
        };
        let (quantity, price) = traded(words)?;
        self.market(MarketEvent::Auction(AuctionPrint { at: self.now, instrument, kind, price, quantity }))
    }

    /// In the order of the backtest's loop: the exchange fills, the book is marked, the daily loss is
    /// looked at. A crossed quote reaches the desk, because the review has to see one.
    fn market(&mut self, event: MarketEvent) -> Result<(), String> {
        if event.is_sound() {
            self.exchange(|exchange, reports| exchange.on_market(&event, reports));
            self.settle()?;
        }
        let instrument = event.instrument();
        let top = &mut self.tops[instrument.index()];
        if top.apply(&event) {
            let top = *top;
            self.tell(Input::Look { instrument, top })?;
        }
        Ok(())
    }

    // Orders.

    pub(super) fn order(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let name = words.next("a name for the order")?.to_owned();
        let side = side(words)?;
        let quantity = words.read("a quantity")?;
        let instrument = self.instrument(words.next("a symbol")?)?;
        let request = OrderRequest {
            strategy: STRATEGY,
            instrument,
            side,
            quantity,
            order_type: order_type(words)?,
            time_in_force: time_in_force(words)?,
            decided_at: self.now,
            signal: Signal::new("scenario", &[]),
        };
        if self.names.contains_key(&name) || self.vanished.contains(&name) {
            return Err(format!("there is an order '{name}' already"));
        }
        self.naming = Some(name);
        let outcome = self.ask(Ask::Submit(request), instrument, "intent");
        self.naming = None;
        outcome
    }

    pub(super) fn cancel(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let id = self.id(words)?;
        let instrument = self.instrument_of(id)?;
        self.ask(Ask::Cancel(id), instrument, "cancel_intent")
    }

    pub(super) fn replace(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let client_order_id = self.id(words)?;
        let (quantity, limit_price) = changed(words)?;
        let instrument = self.instrument_of(client_order_id)?;
        self.ask(Ask::Replace { client_order_id, quantity, limit_price }, instrument, "replace_intent")
    }

    /// What became of it shows in the journal: an intent, or a denial. A cancel of an order that has
    /// ended is let go without a word, and a denial that the journal is the reason of is not written.
    fn ask(&mut self, ask: Ask, instrument: InstrumentId, intent: &str) -> Result<Outcome, String> {
        let denials = self.protocol.desk().denials().get(code::JOURNAL).copied();
        let top = self.tops[instrument.index()];
        self.tell(Input::Ask { strategy: STRATEGY, ask, top })?;
        self.settle()?;
        if self.written(intent)?.is_some() {
            return Ok(Outcome::Submitted);
        }
        let denied = match self.written("denied")? {
            Some(denied) => Some(denied),
            None => self.written("replace_denied")?,
        };
        Ok(match denied {
            Some(
                Entry::Denied { check, because, asked, limit, .. }
                | Entry::ReplaceDenied { check, because, asked, limit, .. },
            ) => Outcome::Denied(check.clone(), format!("{check}: {because} (asked={asked} limit={limit})")),
            _ if self.protocol.desk().denials().get(code::JOURNAL).copied() != denials => {
                Outcome::Denied(code::JOURNAL.to_owned(), "the journal does not answer".to_owned())
            }
            _ => Outcome::Denied(code::NOT_OPEN.to_owned(), "there is no such open order".to_owned()),
        })
    }

    // The broker.

    pub(super) fn report(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        self.can_hear()?;
        let report = self.read_report(words)?;
        let sequence = self.number(report.clone());
        self.tell(Input::Report { report, sequence })?;
        Ok(match self.written("anomaly")? {
            Some(Entry::Anomaly { reason, .. }) => Outcome::Ignored(reason),
            _ => Outcome::Done,
        })
    }

    /// The broker reported, and the engine's ear was not there: the next report shows the gap.
    pub(super) fn missed(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        self.can_hear()?;
        let report = self.read_report(words)?;
        self.number(report);
        Ok(())
    }

    /// Everything that this connection has reported comes again, under its old numbers.
    pub(super) fn repeat(&mut self) -> Result<(), String> {
        let again: Vec<_> = self.stream.iter().map(|(number, report)| (*number, report.clone())).collect();
        again.into_iter().try_for_each(|(sequence, report)| self.tell(Input::Report { report, sequence }))
    }

    fn can_hear(&self) -> Result<(), String> {
        match (&self.exchange, self.connected) {
            (Some(_), _) => Err("the exchange reports by itself here".to_owned()),
            (None, false) => Err("there is no connection: what the broker does now, a statement tells".to_owned()),
            (None, true) => Ok(()),
        }
    }

    fn read_report(&mut self, words: &mut Words<'_>) -> Result<ExecutionReport, String> {
        let id = self.id(words)?;
        let instrument = self.instrument_of(id)?;
        let reason = String::new();
        let kind = match words.next("what is reported")? {
            "new" => ReportKind::New,
            "canceled" => ReportKind::Canceled { reason },
            "expired" => ReportKind::Expired,
            "rejected" => ReportKind::Rejected { reason },
            "cancel_rejected" => ReportKind::CancelRejected { reason },
            "replace_rejected" => ReportKind::ReplaceRejected { reason },
            "replaced" => {
                let (quantity, limit_price) = changed(words)?;
                ReportKind::Replaced { quantity, limit_price }
            }
            "trade" => {
                let (quantity, price) = traded(words)?;
                ReportKind::Fill { execution_id: self.execution(words)?, price, quantity }
            }
            "bust" => {
                let reference = ExecutionId::new(words.next("the name of an execution")?);
                ReportKind::Bust { execution_id: self.execution(words)?, reference }
            }
            "corrected" => {
                let reference = ExecutionId::new(words.next("the name of an execution")?);
                let (quantity, price) = traded(words)?;
                ReportKind::Corrected { execution_id: self.execution(words)?, reference, price, quantity }
            }
            other => return Err(format!("'{other}' is not a report")),
        };
        Ok(ExecutionReport { at: self.now, client_order_id: id, instrument, kind })
    }

    /// `as X7`, or a name that nothing else has.
    fn execution(&mut self, words: &mut Words<'_>) -> Result<ExecutionId, String> {
        self.executions += 1;
        Ok(match words.skip_if("as") {
            true => ExecutionId::new(words.next("the name of the execution")?),
            false => ExecutionId::new(&format!("E{}", self.executions)),
        })
    }

    pub(super) fn external(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        self.can_hear()?;
        let execution = statement::external(self, words)?;
        self.tell(Input::External(execution))
    }

    pub(super) fn garbage(&mut self) -> Result<(), String> {
        let (text, problem) = ("35=8\u{1}39=?".to_owned(), "the order status is unreadable".to_owned());
        self.tell(Input::Unreadable { text, problem })
    }

    pub(super) fn unknown(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let client_order_id = self.id(words)?;
        self.tell(Input::OutcomeUnknown { client_order_id, reason: "the connection does not know".to_owned() })?;
        match self.written("outcome_unknown")? {
            Some(_) => Ok(()),
            None => Err("the order has ended: nothing of it is unknown".to_owned()),
        }
    }

    pub(super) fn stated(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let since = self.clock.session().and_hms_opt(0, 0, 0).and_then(Timestamp::from_local);
        let empty = || statement::nothing(self.now, since.unwrap_or(self.now));
        let mut told = self.stated.clone().unwrap_or_else(empty);
        statement::stated(self, &mut told, words)?;
        self.stated = Some(told);
        Ok(())
    }

    /// What has been stated is the answer to the last question, or comes late, to the one before.
    pub(super) fn statement(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let statement = self.stated.take().ok_or("nothing was stated: say at least 'stated nothing'")?;
        let question = self.question.ok_or("no statement was asked for")?;
        let question = if words.skip_if("late") {
            question - 1
        } else {
            self.question = None;
            question
        };
        self.tell(Input::Statement { question, statement: Box::new(statement) })
    }

    pub(super) fn no_statement(&mut self) -> Result<(), String> {
        let question = self.question.ok_or("no statement was asked for")?;
        self.tell(Input::NoStatement { question, reason: "the broker is busy".to_owned() })
    }

    pub(super) fn halt(&mut self, name: &str) -> Result<(), String> {
        let level = HaltLevel::from_name(name).ok_or_else(|| format!("'{name}' is not a halt level"))?;
        self.switch.set(level);
        let (by, reason) = ("person".to_owned(), "scenario".to_owned());
        self.tell(Input::Halted { level, by, reason, at: self.now })
    }
}

pub(super) fn side(words: &mut Words<'_>) -> Result<Side, String> {
    match words.next("buy or sell")? {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(format!("'{other}' is neither buy nor sell")),
    }
}

/// `100 @ 38.10`.
fn traded(words: &mut Words<'_>) -> Result<(Quantity, Price), String> {
    let quantity = words.read("a quantity")?;
    words.skip("@")?;
    Ok((quantity, words.read("a price")?))
}

/// `400`, or `400 @ 38.20`.
fn changed(words: &mut Words<'_>) -> Result<(Quantity, Option<Price>), String> {
    let quantity = words.read("a quantity")?;
    Ok((quantity, if words.skip_if("@") { Some(words.read("a price")?) } else { None }))
}

fn order_type(words: &mut Words<'_>) -> Result<OrderType, String> {
    match words.next("an order type")? {
        "market" => Ok(OrderType::Market),
        "limit" => Ok(OrderType::Limit { limit_price: words.read("a price")? }),
        "auction" => Ok(OrderType::AtAuction { limit_price: None }),
        "stop" => {
            let stop_price = words.read("a price")?;
            words.skip("limit")?;
            Ok(OrderType::StopLimit { stop_price, limit_price: words.read("a price")? })
        }
        other => Err(format!("'{other}' is not an order type: market, limit, stop or auction")),
    }
}

fn time_in_force(words: &mut Words<'_>) -> Result<TimeInForce, String> {
    match words.next("a time in force")? {
        "day" => Ok(TimeInForce::Day),
        "immediate_or_cancel" => Ok(TimeInForce::ImmediateOrCancel),
        "fill_or_kill" => Ok(TimeInForce::FillOrKill),
        "good_till_cancel" => Ok(TimeInForce::GoodTillCancel),
        "good_till" => Ok(TimeInForce::GoodTillDate(words.read("a date")?)),
        "at_the_close" => Ok(TimeInForce::AtTheClose),
        other => Err(format!("'{other}' is not a time in force")),
    }
}
