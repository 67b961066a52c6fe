//! The loop. Per event, in this order (the actors keep the same one, see `actors::feed`):
//!
//! 1. the session moves on: day orders expire, cash settles
//! 2. the simulated exchange fills resting orders from the event
//! 3. the book is marked, and the monitors look at it
//! 4. each strategy that listens to the instrument decides, in the configured order; all that the
//!    event made it want is reviewed and entered, then sent, before the next strategy sees the event
//!
//! An event stamped on a phase boundary belongs to the phase that ends there: bars carry the time
//! of their end.

use std::sync::Arc;

use brokers::simulated::SimulationSettings;
use brokers::{Broker, SimulatedExchange};
use desk::{Ask, Command, Desk, DeskSettings, HostSettings, Notice, NoticeKind, Record, StrategyHost};
use market::order::ReplaceOrder;
use market::{
    Bar, ExecutionReport, InstrumentId, MarketEvent, PhaseChange, ReportKind, SessionClock, Timestamp, TopOfBook,
};
use risk::monitors::{Configured, Hears, watches};
use risk::{Breach, Figures, HaltLevel, HaltScope, HaltSwitch, MonitorSettings, Observation, Watch};
use strategies::Strategy;

/// A strategy with its settings.
pub struct HostedStrategy {
    /// The strategy.
    pub strategy: Box<dyn Strategy>,
    /// Its settings.
    pub settings: HostSettings,
}

/// What a backtest needs.
pub struct BacktestSettings {
    /// Account, universe, cash, fees, limits, start.
    pub desk: DeskSettings,
    /// How the exchange behaves.
    pub simulation: SimulationSettings,
    /// Strategies in the order they decide.
    pub strategies: Vec<HostedStrategy>,
    /// What the monitors are configured by, beside the limits.
    pub monitors: MonitorSettings,
}

/// A backtest in progress.
pub struct Backtest {
    desk: Desk,
    exchange: SimulatedExchange,
    clock: SessionClock,
    figures: Figures,
    /// Monitors that look at each mark.
    of_marks: Vec<Watch>,
    /// Those that look when something else has changed, and what they have seen of that.
    of_changes: Vec<Watch>,
    seen: u64,
    halt: HaltSwitch,
    hosts: Vec<StrategyHost>,
    /// Which hosts listen to an instrument, by instrument number.
    listeners: Vec<Vec<usize>>,
    tops: Vec<TopOfBook>,
    record: Record,
    breaches: Vec<(Timestamp, Breach)>,
    // Kept between events so that the loop allocates nothing.
    changes: Vec<PhaseChange>,
    reports: Vec<ExecutionReport>,
    asks: Vec<Ask>,
    commands: Vec<Command>,
    found: Vec<Breach>,
}

impl Backtest {
    /// Ready for the first event.
    pub fn new(settings: BacktestSettings) -> Self {
        let universe = Arc::clone(&settings.desk.universe);
        let start = settings.desk.start;
        let clock = SessionClock::new(Arc::clone(&settings.desk.book.calendar), start);
        let names: Vec<String> = settings.strategies.iter().map(|hosted| hosted.settings.name.clone()).collect();
        let limits = Arc::clone(&settings.desk.limits);
        let configured = Configured { settings: settings.monitors, strategies: &names };
        let watching = |hears| watches(&configured).into_iter().filter(|watch| watch.hears == hears).collect();
        let (of_marks, of_changes) = (watching(Hears::Marks), watching(Hears::Changes));
        let halt = HaltSwitch::of_run(names.clone(), universe.iter().map(|(_, known)| known.symbol).collect());
        halt.set(&HaltScope::Global, HaltLevel::Active);
        let mut listeners = vec![Vec::new(); universe.len()];
        let hosts: Vec<StrategyHost> = settings
            .strategies
            .into_iter()
            .enumerate()
            .map(|(place, hosted)| {
                for instrument in &hosted.settings.instruments {
                    listeners[instrument.index()].push(place);
                }
                StrategyHost::new(hosted.strategy, hosted.settings, Arc::clone(&universe))
            })
            .collect();
        Self {
            exchange: SimulatedExchange::new(settings.simulation, Arc::clone(&universe), clock.phase()),
            figures: Figures::new(limits, Arc::clone(&universe)),
            of_marks,
            of_changes,
            seen: 0,
            tops: vec![TopOfBook::default(); universe.len()],
            record: Record::new(universe),
            desk: Desk::new(settings.desk, halt.clone()),
            clock,
            halt,
            hosts,
            listeners,
            breaches: Vec::new(),
            changes: Vec::new(),
            reports: Vec::new(),
            asks: Vec::new(),
            commands: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Warms the strategies up before the first event: `bars` gives the last so many bars of these
    /// instruments that are known by then.
    pub fn warm_up(&mut self, mut bars: impl FnMut(&[InstrumentId], usize) -> Vec<Bar>) {
        for host in &mut self.hosts {
            for bar in bars(&host.settings().instruments, host.warm_up()) {
                host.warm(&bar);
            }
        }
    }

    /// Takes in the next event. Events come in the order of their times.
    #[inline]
    pub fn step(&mut self, event: &MarketEvent) {
        self.advance(event.at().plus_nanos(-1));
        self.record.counts.events += 1;
        let instrument = event.instrument();
        if !event.is_sound() || instrument.index() >= self.tops.len() {
            self.record.counts.unsound_events += 1;
            return;
        }
        let day = self.desk.day(event.at());
        self.record.begin_day(day, self.desk.book());

        self.exchange.on_market(event, &mut self.reports);
        if !self.reports.is_empty() {
            self.take_reports(event.at());
        }
        let top = &mut self.tops[instrument.index()];
        if top.apply(event) {
            self.desk.mark(instrument, top.last);
            self.watch(event.at());
        }
        for place in 0..self.listeners[instrument.index()].len() {
            let host = self.listeners[instrument.index()][place];
            self.hosts[host].on_market(event, &mut self.asks);
            if !self.asks.is_empty() {
                self.take_asks(host, event.at());
            }
        }
    }

    /// Lets the monitors look, and throws the switch where they say so.
    #[inline]
    fn watch(&mut self, now: Timestamp) {
        // Nothing is held before it has a price here.
        self.desk.note_beginning();
        self.desk.figures(now, true, &mut self.figures);
        let seen = Observation::Account(&self.figures);
        self.of_marks.iter_mut().for_each(|watch| watch.observe(seen, &mut self.found));
        if self.figures.changes != self.seen {
            self.seen = self.figures.changes;
            self.of_changes.iter_mut().for_each(|watch| watch.observe(seen, &mut self.found));
        }
        for breach in self.found.drain(..) {
            // What is halted already is no news.
            if breach.level == HaltLevel::Active || self.halt.raise(&breach.scope, breach.level) {
                self.breaches.push((now, breach));
            }
        }
    }

    /// Moves the session on to `now`.
    #[inline]
    pub fn advance(&mut self, now: Timestamp) {
        self.clock.advance(now, &mut self.changes);
        if !self.changes.is_empty() {
            self.take_changes();
        }
    }

    fn take_changes(&mut self) {
        let mut changes = std::mem::take(&mut self.changes);
        for change in changes.drain(..) {
            let day = self.desk.day(change.at);
            self.record.begin_day(day, self.desk.book());
            self.exchange.on_phase(&change, &mut self.reports);
            self.take_reports(change.at);
            self.desk.phase(&change);
            self.desk.note_close();
        }
        self.changes = changes;
    }

    /// Reviews everything that one event made a strategy want, then sends what was approved: live, a
    /// command waits for its journal entry, so no report comes between two reviews of one event.
    fn take_asks(&mut self, host: usize, now: Timestamp) {
        let mut asks = std::mem::take(&mut self.asks);
        for ask in asks.drain(..) {
            match ask {
                Ask::Submit(request) => {
                    self.record.counts.requests += 1;
                    let (side, quantity, instrument) = (request.side, request.quantity, request.instrument);
                    let reviewed = self.desk.request(&request, self.tops[instrument.index()], now);
                    let kind = match &reviewed {
                        Ok(approved) => {
                            let client_order_id = approved.get().client_order_id;
                            NoticeKind::Accepted { client_order_id, side, quantity }
                        }
                        Err(_) => NoticeKind::Denied { side, quantity },
                    };
                    let holding = self.desk.book().holding(request.strategy, instrument);
                    self.hosts[host].on_notice(&Notice { instrument, holding, kind });
                    match reviewed {
                        Ok(approved) => {
                            self.record.counts.orders += 1;
                            self.commands.push(Command::Submit(approved));
                        }
                        Err(_) => self.record.counts.denials += 1,
                    }
                }
                Ask::Cancel(id) => {
                    if let Ok(approved) = self.desk.cancel(id, now) {
                        self.record.counts.cancels += 1;
                        self.commands.push(Command::Cancel(approved));
                    }
                }
                Ask::Replace { client_order_id, quantity, limit_price } => {
                    let open = self.desk.book().order(&client_order_id);
                    let Some(instrument) = open.map(|order| order.intent.instrument) else { continue };
                    let replace = ReplaceOrder { client_order_id, instrument, quantity, limit_price, decided_at: now };
                    match self.desk.replace(replace, self.tops[instrument.index()], now) {
                        Ok(approved) => {
                            self.record.counts.replaces += 1;
                            self.commands.push(Command::Replace(approved));
                        }
                        Err(_) => self.record.counts.denials += 1,
                    }
                }
            }
        }
        self.asks = asks;
        let mut commands = std::mem::take(&mut self.commands);
        for command in commands.drain(..) {
            // The simulated exchange never fails to take a command.
            let _ = match &command {
                Command::Submit(order) => self.exchange.submit(order, now, &mut self.reports),
                Command::Cancel(cancel) => self.exchange.cancel(cancel, now, &mut self.reports),
                Command::Replace(replace) => self.exchange.replace(replace, now, &mut self.reports),
            };
            self.take_reports(now);
        }
        self.commands = commands;
    }

    fn take_reports(&mut self, now: Timestamp) {
        let mut reports = std::mem::take(&mut self.reports);
        for report in reports.drain(..) {
            if matches!(report.kind, ReportKind::Rejected { .. }) {
                self.record.counts.rejections += 1;
            }
            match self.desk.report(&report, now) {
                Ok((applied, _)) => {
                    self.record.applied(report.at, &applied);
                    let (client_order_id, status) = (applied.client_order_id, applied.status);
                    self.hosts[applied.strategy.index()].on_notice(&Notice {
                        instrument: applied.instrument,
                        holding: applied.holding,
                        kind: NoticeKind::Order { client_order_id, status },
                    });
                }
                Err(_) => self.record.counts.anomalies += 1,
            }
        }
        self.reports = reports;
    }

    /// Ends the run: the day is closed and the record complete.
    pub fn finish(mut self) -> (Record, Desk, Vec<(Timestamp, Breach)>) {
        self.record.close_day(self.desk.book());
        (self.record, self.desk, self.breaches)
    }

    /// The desk as it stands.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }
}
