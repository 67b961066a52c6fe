//! Where a scenario is played: the protocol of one account, its journal, the market as it stands, and
//! who answers its orders.
//!
//! The stage does what the actors do live: it carries the protocol's effects out, in their order. What
//! happens to it is told in `day` (time and market), `orders` (the strategy), `broker` (reports and
//! statements) and `outage` (a crash, a lost connection, a broken journal).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use brokers::{Broker, BrokerEvent, SimulatedExchange};
use desk::{
    Alert, Command, DeskSettings, Effect, Entry, Execution, HostSettings, Input, Listen, Origin, Patience, Protocol,
    ProtocolSettings, Sizing, Written,
};
use market::{
    Calendar, ClientOrderId, Date, ExecutionReport, InstrumentId, Quantity, SessionClock, Statement, StrategyId,
    Timestamp, TopOfBook,
};
use oms::{Book, BookSettings, Holding, Order};
use risk::limits::StrategyLimits;
use risk::monitors::{Configured, Hears, watches};
use risk::{
    Breach, Figures, HaltLevel, HaltScope, HaltSwitch, LimitTable, Limits, MonitorSettings, Observation, Watch,
};

use super::journal::Journal;
use super::setting::{Setting, cast};
use super::statement;
use super::words::Words;

/// One strategy asks for everything.
pub(super) const STRATEGY: StrategyId = StrategyId(0);
/// Its name.
pub(super) const STRATEGY_NAME: &str = "scenario";
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
    pub(super) exchange: Option<SimulatedExchange>,
    pub(super) connected: bool,
    /// Reports over the connections so far, by number.
    pub(super) stream: BTreeMap<u64, ExecutionReport>,
    pub(super) next_number: u64,
    /// What the broker was asked and has not answered.
    pub(super) question: Option<u64>,
    /// What the next statement will say.
    pub(super) stated: Option<Statement>,
    pub(super) monitors: MonitorSettings,
    pub(super) watches: Vec<Watch>,
    pub(super) figures: Figures,
    /// The changes that the monitors have seen.
    pub(super) seen: u64,
    /// What the monitors told in this line.
    pub(super) breaches: Vec<Breach>,
    pub(super) clock: SessionClock,
    pub(super) now: Timestamp,
    pub(super) tops: Vec<TopOfBook>,
    pub(super) names: BTreeMap<String, ClientOrderId>,
    /// Orders that a crash left no trace of.
    pub(super) vanished: BTreeSet<String>,
    /// The name of the order that is being asked for.
    pub(super) naming: Option<String>,
    pub(super) executions: u32,
    /// Every command that has left: of which order, and what.
    pub(super) sent: Vec<(String, &'static str)>,
    /// How many had left when the engine started last.
    pub(super) sent_before: usize,
    /// What a person was told in this line.
    pub(super) alerts: Vec<Alert>,
    /// What was written in this line.
    pub(super) appended: Vec<Arc<Written>>,
    /// What the strategy was told last of each instrument, since the engine started.
    pub(super) told: BTreeMap<InstrumentId, Holding>,
    pub(super) inputs: VecDeque<Input>,
}

/// The limits as a person would have written them.
fn written(setting: &Setting) -> Limits {
    let mut limits = Limits::from(setting.limits.or_wide());
    let own = StrategyLimits { allowed: None, limits: setting.own_limits };
    limits.strategies.insert(STRATEGY_NAME.to_owned(), own);
    limits
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
            limits: Arc::new(LimitTable::new(written(setting), &universe, &[STRATEGY_NAME.to_owned()])),
            start,
        };
        let strategy = HostSettings {
            id: STRATEGY,
            name: STRATEGY_NAME.to_owned(),
            instruments: universe.ids().collect(),
            listen: Listen::Quotes,
            sizing: Sizing::Quantity(Quantity::new(100)),
            execution: Execution::Limit,
            flat_by: None,
        };
        let origin = Origin {
            version: "scenario".to_owned(),
            start,
            calendar: "b3".to_owned(),
            instruments: universe.iter().map(|(_, instrument)| instrument.clone()).collect(),
            limits: desk.limits.limits().clone(),
            brokerage: setting.brokerage,
        };
        // A snapshot at every close: recovery takes its way through them.
        let settings =
            ProtocolSettings { strategies: vec![strategy], patience: Patience::default(), origin, snapshot_every: 1 };
        let clock = SessionClock::new(calendar, start);
        let exchange = setting.exchange.map(|simulation| {
            SimulatedExchange::new(simulation, Arc::clone(&universe), clock.phase()).with_statements(start)
        });
        let symbols = universe.iter().map(|(_, known)| known.symbol).collect();
        let switch = HaltSwitch::of_run(vec![STRATEGY_NAME.to_owned()], symbols);
        switch.set(&HaltScope::Global, HaltLevel::Active);
        let figures = Figures::new(Arc::clone(&desk.limits), Arc::clone(&universe));
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
            monitors: setting.monitors,
            watches: Vec::new(),
            figures,
            seen: 0,
            breaches: Vec::new(),
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
        stage.watch_anew();
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

    pub(super) fn id(&self, words: &mut Words<'_>) -> Result<ClientOrderId, String> {
        let name = words.next("the name of an order")?;
        self.names.get(name).copied().ok_or_else(|| format!("there is no order '{name}'"))
    }

    pub(super) fn instrument_of(&self, id: ClientOrderId) -> Result<InstrumentId, String> {
        Ok(self.book().order(&id).ok_or("the order is forgotten")?.intent.instrument)
    }

    /// A new line: what is looked at from here on is its doing.
    pub(super) fn begin_line(&mut self) {
        self.alerts.clear();
        self.breaches.clear();
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

    pub(super) fn work_off(&mut self) -> Result<(), String> {
        let mut left = MOST_INPUTS;
        while let Some(input) = self.inputs.pop_front() {
            left -= 1;
            if left == 0 {
                return Err(format!("one line leads to more than {MOST_INPUTS} inputs: it goes round in circles"));
            }
            let mut effects = Vec::new();
            let in_time = matches!(input, Input::Tick);
            self.protocol.handle(self.now, input, &mut effects);
            self.carry_out(effects)?;
            if in_time {
                self.watch(true);
            }
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
            Effect::Observe => self.watch(false),
            Effect::Raise { scope, level, by, reason } => self.raise(scope, level, by, &reason),
            Effect::Limits(limits) => {
                // The next start finds them in force.
                self.settings.origin.limits = limits.limits().clone();
                self.desk.limits = limits;
                self.watch(false);
            }
            Effect::Lift { scope, seen, .. } => {
                self.switch.lift(&scope, seen);
            }
            Effect::NotLifted { .. } | Effect::Traded { .. } => {}
            Effect::Alert(alert) => self.alerts.push(alert),
        }
        Ok(())
    }

    /// The engine starts: its monitors know nothing but what the journal tells.
    pub(super) fn watch_anew(&mut self) {
        let names = [STRATEGY_NAME.to_owned()];
        self.watches = watches(&Configured { settings: self.monitors, strategies: &names });
        self.figures = Figures::new(Arc::clone(&self.desk.limits), Arc::clone(&self.desk.universe));
        self.seen = 0;
    }

    /// Lets the monitors look, as the Account and its Limits do live; `in_time`: also those that watch time pass.
    fn watch(&mut self, in_time: bool) {
        self.protocol.figures(self.now, &mut self.figures);
        let changed = self.figures.changes != self.seen;
        self.seen = self.figures.changes;
        let mut found = Vec::new();
        for watch in &mut self.watches {
            let looks = match watch.hears {
                Hears::Marks => true,
                Hears::Changes => changed,
                Hears::Time => in_time,
                Hears::Clock | Hears::Delivery => false,
            };
            if looks {
                watch.observe(Observation::Account(&self.figures), &mut found);
            }
        }
        for breach in found {
            if breach.level != HaltLevel::Active {
                self.raise(breach.scope.clone(), breach.level, breach.monitor, &breach.to_string());
            }
            self.breaches.push(breach);
        }
    }

    fn raise(&mut self, scope: HaltScope, level: HaltLevel, by: &str, reason: &str) {
        if !self.switch.raise(&scope, level) {
            return;
        }
        let (by, reason, at) = (by.to_owned(), reason.to_owned(), self.now);
        let level = self.switch.level_in(&scope);
        self.inputs.push_back(Input::Halted { scope, level, by, reason, at });
    }

    /// The last gate, and the way to the broker.
    fn send(&mut self, command: Command) -> Result<(), String> {
        let (id, what) = (command.client_order_id(), command.name());
        let unconnected = (!self.connected).then(|| "not sent: there is no connection".to_owned());
        let shut = command.held_back(&self.switch).or(unconnected);
        if let Some(reason) = shut {
            self.inputs.push_back(Input::NotSent { command, reason });
            return Ok(());
        }
        self.name_closing(&command);
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

    /// Nobody asked for the engine's own closing orders, so they are named as they come.
    fn name_closing(&mut self, command: &Command) {
        if let Command::Submit(order) = command
            && order.closes()
        {
            let number = self.names.keys().filter(|name| name.starts_with("close")).count() + 1;
            self.names.insert(format!("close{number}"), order.get().client_order_id);
        }
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
    pub(super) fn exchange(&mut self, act: impl FnOnce(&mut SimulatedExchange, &mut Vec<ExecutionReport>)) {
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
    pub(super) fn number(&mut self, report: ExecutionReport) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.stream.insert(number, report);
        number
    }

    /// What was written in this line, if it was of this kind.
    pub(super) fn written(&self, kind: &str) -> Result<Option<Entry>, String> {
        let found = self.appended.iter().rev().find(|written| written.kind == kind);
        found.map(|written| serde_json::from_str(&written.payload).map_err(|error| error.to_string())).transpose()
    }
}
