//! Where a scenario is played: a desk, the market as it stands, and who answers its orders.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use brokers::simulated::{LimitRule, SimulationSettings};
use brokers::{Broker, SimulatedExchange};
use desk::{Desk, DeskSettings, Entry, rebuild};
use market::fees::Brokerage;
use market::order::{OrderRequest, ReplaceOrder, Signal};
use market::{
    AuctionKind, AuctionPrint, Calendar, ClientOrderId, Date, ExecutionId, ExecutionReport, FeeSchedule, Instrument,
    InstrumentId, InstrumentKind, MarketEvent, Money, OrderType, Phase, PhaseChange, Price, Quantity, Quote, Rate,
    ReportKind, SessionClock, Side, StrategyId, TimeInForce, Timestamp, TopOfBook, Trade, Universe,
};
use oms::{Book, BookSettings, Order};
use risk::{DailyLoss, Denial, HaltLevel, HaltSwitch, Limits};

use super::Outcome;
use super::words::{Words, value};

/// Size on each side of a quote that names none.
const USUAL_SIZE: Quantity = Quantity::new(1_000_000);
/// One strategy asks for everything.
const STRATEGY: StrategyId = StrategyId(0);

/// What stands before the first session.
pub(super) struct Setting {
    cash: Money,
    limits: Limits,
    fees: Arc<FeeSchedule>,
    brokerage: Brokerage,
    exchange: Option<SimulationSettings>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            cash: Money::from_cents(10_000_000),
            limits: Limits {
                max_order_quantity: Quantity::new(i64::from(i32::MAX)),
                max_order_notional: Money::from_cents(i64::MAX),
                price_collar: Rate::from_ppm(1_000_000),
                max_position_quantity: Quantity::new(i64::from(i32::MAX)),
                max_quote_age: i64::MAX,
                max_daily_loss: Money::from_cents(i64::MAX),
            },
            fees: FeeSchedule::free(),
            brokerage: Brokerage::FREE,
            exchange: None,
        }
    }
}

impl Setting {
    pub(super) fn read(&mut self, verb: &str, words: &mut Words<'_>) -> Result<(), String> {
        match verb {
            "cash" => self.cash = words.read("an amount")?,
            "fees" => {
                words.skip("b3")?;
                self.fees = FeeSchedule::b3();
            }
            "brokerage" => {
                self.brokerage.per_order = words.read("an amount")?;
                words.skip("iss")?;
                self.brokerage.iss = words.read("a rate")?;
            }
            "limits" => {
                while let Some((key, text)) = words.pair()? {
                    self.limit(key, text)?;
                }
            }
            _ => {
                let mut simulation = SimulationSettings { slippage_ticks: 0, ..SimulationSettings::default() };
                while let Some((key, text)) = words.pair()? {
                    match key {
                        "latency_milliseconds" => simulation.latency_milliseconds = given(key, text)?,
                        "slippage_ticks" => simulation.slippage_ticks = given(key, text)?,
                        "participation" => simulation.participation = given(key, text)?,
                        "limit_rule" if text == "queue" => simulation.limit_rule = LimitRule::Queue,
                        _ => return Err(format!("unknown exchange setting '{key}={text}'")),
                    }
                }
                self.exchange = Some(simulation);
            }
        }
        Ok(())
    }

    fn limit(&mut self, key: &str, text: &str) -> Result<(), String> {
        let limits = &mut self.limits;
        match key {
            "max_order_quantity" => limits.max_order_quantity = given(key, text)?,
            "max_order_notional" => limits.max_order_notional = given(key, text)?,
            "price_collar" => limits.price_collar = given(key, text)?,
            "max_position_quantity" => limits.max_position_quantity = given(key, text)?,
            "max_quote_age_seconds" => {
                limits.max_quote_age = given::<i64>(key, text)? * market::time::NANOS_PER_SECOND;
            }
            "max_daily_loss" => limits.max_daily_loss = given(key, text)?,
            _ => return Err(format!("unknown limit '{key}'")),
        }
        Ok(())
    }
}

fn given<T: FromStr>(key: &str, text: &str) -> Result<T, String> {
    value(text).ok_or_else(|| format!("'{text}' is no value for {key}"))
}

fn cast() -> Universe {
    let listed = |symbol: &str, kind| Instrument::cash(symbol.parse().expect("a symbol"), kind);
    let petrobras = listed("PETR4", InstrumentKind::Share);
    let mut universe = Universe::new();
    universe.add(petrobras.fractional_twin().expect("a share has a twin"));
    universe.add(petrobras);
    universe.add(listed("VALE3", InstrumentKind::Share));
    universe.add(listed("BOVA11", InstrumentKind::ExchangeTradedFund));
    universe
}

pub(super) struct Stage {
    settings: DeskSettings,
    pub(super) desk: Desk,
    exchange: Option<SimulatedExchange>,
    monitor: DailyLoss,
    clock: SessionClock,
    now: Timestamp,
    tops: Vec<TopOfBook>,
    names: BTreeMap<String, ClientOrderId>,
    executions: u32,
    /// What the journal would hold.
    journal: Vec<Entry>,
}

impl Stage {
    /// The night before the first session.
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
        let settings = DeskSettings {
            account: "SCEN".to_owned(),
            universe: Arc::clone(&universe),
            book,
            limits: setting.limits,
            start,
        };
        let clock = SessionClock::new(calendar, start);
        let started = Entry::Started {
            instruments: universe.iter().map(|(_, known)| known.symbol).collect(),
            strategies: vec!["scenario".to_owned()],
            cash: setting.cash,
            origin: None,
        };
        Ok(Self {
            desk: Desk::new(settings.clone(), HaltSwitch::at(HaltLevel::Active)),
            exchange: setting
                .exchange
                .map(|simulation| SimulatedExchange::new(simulation, Arc::clone(&universe), clock.phase())),
            monitor: DailyLoss::new(setting.limits.max_daily_loss),
            tops: vec![TopOfBook::default(); universe.len()],
            now: start,
            clock,
            settings,
            names: BTreeMap::new(),
            executions: 0,
            journal: vec![started],
        })
    }

    pub(super) fn book(&self) -> &Book {
        self.desk.book()
    }

    pub(super) fn instrument(&self, symbol: &str) -> Result<InstrumentId, String> {
        let found = symbol.parse().ok().and_then(|symbol| self.desk.universe().find(&symbol));
        found.ok_or_else(|| format!("'{symbol}' is not in the cast"))
    }

    pub(super) fn named(&self, name: &str) -> Option<&Order> {
        self.names.get(name).and_then(|id| self.book().order(id))
    }

    fn id(&self, words: &mut Words<'_>) -> Result<ClientOrderId, String> {
        let name = words.next("the name of an order")?;
        self.names.get(name).copied().ok_or_else(|| format!("there is no order '{name}'"))
    }

    // The day.

    pub(super) fn session(&mut self, date: Date) -> Result<(), String> {
        let session = self.settings.book.calendar.session(date).ok_or_else(|| format!("{date} is no session"))?;
        self.advance(session.start())
    }

    pub(super) fn phase(&mut self, name: &str) -> Result<(), String> {
        let phase = Phase::ALL.into_iter().find(|phase| phase.name() == name);
        let phase = phase.ok_or_else(|| format!("'{name}' is not a phase"))?;
        let date = self.clock.session();
        let session = self.settings.book.calendar.session(date).ok_or_else(|| format!("{date} is no session"))?;
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
        self.exchange(|exchange, reports| exchange.on_time(to, reports))
    }

    fn change(&mut self, change: PhaseChange) -> Result<(), String> {
        self.exchange(|exchange, reports| exchange.on_phase(&change, reports))?;
        self.desk.phase(&change);
        self.journal.push(Entry::Phase { change });
        Ok(())
    }

    /// Lets the exchange act, if there is one; every report of it must fit.
    fn exchange(&mut self, act: impl FnOnce(&mut SimulatedExchange, &mut Vec<ExecutionReport>)) -> Result<(), String> {
        let Some(exchange) = &mut self.exchange else { return Ok(()) };
        let mut reports = Vec::new();
        act(exchange, &mut reports);
        for report in reports {
            if let Outcome::Ignored(reason) = self.take(report) {
                return Err(format!("a report of the exchange does not fit: {reason}"));
            }
        }
        Ok(())
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
            self.exchange(|exchange, reports| exchange.on_market(&event, reports))?;
        }
        let top = &mut self.tops[event.instrument().index()];
        if top.apply(&event) {
            self.desk.mark(event.instrument(), top.last);
            if let Some(breach) = self.monitor.observe(self.clock.session(), self.desk.book().equity()) {
                self.desk.halt().raise(breach.level);
            }
        }
        Ok(())
    }

    // Orders.

    pub(super) fn order(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let name = words.next("a name for the order")?.to_owned();
        let side = match words.next("buy or sell")? {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            other => return Err(format!("'{other}' is neither buy nor sell")),
        };
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
        if self.names.contains_key(&name) {
            return Err(format!("there is an order '{name}' already"));
        }
        match self.desk.request(&request, self.tops[instrument.index()], self.now) {
            Err(denial) => Ok(denied(&denial)),
            Ok(approved) => {
                let (order, worst_price) = (*approved.get(), approved.worst_price());
                self.names.insert(name, order.client_order_id);
                self.journal.push(Entry::Intent { order, worst_price, signal: request.signal, evidence: None });
                let now = self.now;
                self.exchange(|exchange, reports| exchange.submit(&approved, now, reports).expect("it takes orders"))?;
                Ok(Outcome::Submitted)
            }
        }
    }

    pub(super) fn cancel(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let (id, now) = (self.id(words)?, self.now);
        match self.desk.cancel(id, now) {
            Err(denial) => Ok(denied(&denial)),
            Ok(approved) => {
                self.journal.push(Entry::CancelIntent { cancel: *approved.get() });
                self.exchange(|exchange, reports| exchange.cancel(&approved, now, reports).expect("it takes cancels"))?;
                Ok(Outcome::Submitted)
            }
        }
    }

    pub(super) fn replace(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        let (client_order_id, now) = (self.id(words)?, self.now);
        let (quantity, limit_price) = changed(words)?;
        let instrument = self.book().order(&client_order_id).ok_or("the order is forgotten")?.intent.instrument;
        let replace = ReplaceOrder { client_order_id, instrument, quantity, limit_price, decided_at: now };
        match self.desk.replace(replace, self.tops[instrument.index()], now) {
            Err(denial) => Ok(denied(&denial)),
            Ok(approved) => {
                self.journal.push(Entry::ReplaceIntent {
                    replace,
                    worst_price: approved.worst_price(),
                    evidence: None,
                });
                self.exchange(|exchange, reports| {
                    exchange.replace(&approved, now, reports).expect("it takes replaces");
                })?;
                Ok(Outcome::Submitted)
            }
        }
    }

    pub(super) fn report(&mut self, words: &mut Words<'_>) -> Result<Outcome, String> {
        if self.exchange.is_some() {
            return Err("the exchange reports by itself here".to_owned());
        }
        let id = self.id(words)?;
        let instrument = self.book().order(&id).ok_or("the order is forgotten")?.intent.instrument;
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
                self.executions += 1;
                let execution = match words.skip_if("as") {
                    true => words.next("the name of the execution")?.to_owned(),
                    false => format!("E{}", self.executions),
                };
                ReportKind::Fill { execution_id: ExecutionId::new(&execution), price, quantity }
            }
            other => return Err(format!("'{other}' is not a report")),
        };
        Ok(self.take(ExecutionReport { at: self.now, client_order_id: id, instrument, kind }))
    }

    fn take(&mut self, report: ExecutionReport) -> Outcome {
        match self.desk.report(&report) {
            Ok(_) => {
                self.journal.push(Entry::Report { report, broker_sequence: 0 });
                Outcome::Done
            }
            Err(anomaly) => Outcome::Ignored(anomaly.to_string()),
        }
    }

    pub(super) fn unknown(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let client_order_id = self.id(words)?;
        self.desk.outcome_unknown(client_order_id).map_err(|anomaly| anomaly.to_string())?;
        self.journal.push(Entry::OutcomeUnknown { client_order_id, reason: String::new() });
        Ok(())
    }

    pub(super) fn halt(&mut self, name: &str) -> Result<(), String> {
        let level = HaltLevel::from_name(name).ok_or_else(|| format!("'{name}' is not a halt level"))?;
        self.desk.halt().set(level);
        Ok(())
    }

    // After every line.

    /// The book adds up, and the journal leads to the same one.
    pub(super) fn verify(&self) -> Result<(), String> {
        self.book().verify().map_err(|difference| format!("the book does not add up: {difference}"))?;
        let mut again = Desk::new(self.settings.clone(), HaltSwitch::default());
        let mut rebuilding = rebuild(&mut again);
        for (sequence, entry) in (1..).zip(&self.journal) {
            let text = serde_json::to_string(entry).map_err(|error| error.to_string())?;
            let read = serde_json::from_str(&text).map_err(|error| format!("{error} in journal entry {text}"))?;
            rebuilding.apply(sequence, read).map_err(|error| error.to_string())?;
        }
        let (kept, found) = (standing(&self.desk), standing(&again));
        if kept == found { Ok(()) } else { Err(format!("rebuilt from its journal the desk differs: {kept} / {found}")) }
    }
}

/// Everything that recovery must bring back. Marks are the market's to tell.
fn standing(desk: &Desk) -> String {
    let book = desk.book();
    let positions: Vec<_> = desk.universe().ids().map(|id| (book.position(id), book.is_frozen(id))).collect();
    let (session, phase) = (desk.session(), desk.current_phase());
    format!("{session} {phase:?} {:?} {} {positions:?} {:?}", book.cash(), book.reserved(), book.open_orders())
}

fn denied(denial: &Denial) -> Outcome {
    Outcome::Denied(denial.check, denial.to_string())
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
