//! Scenarios of the exchange as short texts: what reaches it, line by line, and what it reports.
//!
//! ```text
//! settings  slippage 0 participation 1
//! send      10:00:01 A buy 300 PETR4 limit 10.00      -> A new
//! quote     10:00:02 PETR4 9.98x500 9.99x200          -> A fill 200 @ 9.99
//! phase     17:00 closed                              -> A expired
//! ```
//!
//! `mass_cancel 10:00:05` cancels everything; `heard -> 2 canceled, 0 open` is what was answered.
//!
//! A line without `->` must lead to no report. Times are São Paulo's on the day set by `day`; the
//! phase is continuous until a line says otherwise. A report that carries another time than its
//! line says so: `A new at 10:00:01.500`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brokers::simulated::{LimitRule, SimulationSettings};
use brokers::{Broker, BrokerEvent, MassCanceled, SimulatedExchange};
use market::order::{CancelOrder, MassCancel, ReplaceOrder};
use market::{
    AuctionKind, AuctionPrint, Bar, BarUse, ClientOrderId, Date, ExecutionReport, Instrument, InstrumentId,
    InstrumentKind, MarketEvent, NewOrder, OrderReference, OrderType, Phase, PhaseChange, Price, Quantity, Quote,
    ReportKind, Side, StatedStatus, StrategyId, TimeInForce, Timestamp, Trade, Universe,
};

use crate::approve::Approver;

/// PETR4 with its fractional twin PETR4F, and VALE3.
pub(crate) fn universe() -> Arc<Universe> {
    let mut universe = Universe::new();
    let share = |symbol: &str| Instrument::cash(symbol.parse().expect("a symbol"), InstrumentKind::Share);
    universe.add(share("PETR4"));
    universe.add(share("PETR4").fractional_twin().expect("a twin"));
    universe.add(share("VALE3"));
    Arc::new(universe)
}

/// Plays a scenario.
pub(crate) fn play(text: &str) {
    let mut floor = Floor::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            floor.line(line, &format!("line {number}: {line}"));
        }
    }
}

struct Floor {
    settings: SimulationSettings,
    universe: Arc<Universe>,
    exchange: Option<SimulatedExchange>,
    approver: Approver,
    day: Date,
    orders: BTreeMap<char, NewOrder>,
    executions: BTreeSet<String>,
    /// What was told beside reports and not looked at yet.
    events: Vec<BrokerEvent>,
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}

fn pair(word: &str) -> (Price, Quantity) {
    let (price, units) = word.split_once('x').expect("price x units");
    (number(price), number(units))
}

fn heard(events: &[BrokerEvent]) -> String {
    let told = events.iter().map(|event| match event {
        BrokerEvent::MassCanceled(MassCanceled { canceled, open }) => format!("{canceled} canceled, {open} open"),
        other => panic!("{other:?}"),
    });
    told.collect::<Vec<_>>().join("; ")
}

fn id(letter: char) -> ClientOrderId {
    let day = Date::from_ymd_opt(2025, 6, 12).expect("a date");
    ClientOrderId::new("TEST", day, u32::from(letter)).expect("an identifier")
}

impl Floor {
    fn new() -> Self {
        let universe = universe();
        Self {
            settings: SimulationSettings {
                slippage_ticks: 0,
                participation: number("1"),
                ..SimulationSettings::default()
            },
            approver: Approver::new(universe.len() as u32),
            universe,
            exchange: None,
            day: Date::from_ymd_opt(2025, 6, 12).expect("a date"),
            orders: BTreeMap::new(),
            executions: BTreeSet::new(),
            events: Vec::new(),
        }
    }

    fn exchange(&mut self) -> &mut SimulatedExchange {
        self.exchange.get_or_insert_with(|| {
            let exchange = SimulatedExchange::new(self.settings, Arc::clone(&self.universe), Phase::Continuous);
            exchange.with_statements(Timestamp::MIN)
        })
    }

    fn at(&self, time: &str) -> Timestamp {
        let (time, milliseconds) = time.split_once('.').unwrap_or((time, "0"));
        let parts: Vec<u32> = time.split(':').map(number).collect();
        let second = parts.get(2).copied().unwrap_or_default();
        let local = self.day.and_hms_milli_opt(parts[0], parts[1], second, number(milliseconds));
        local.and_then(Timestamp::from_local).expect("a time")
    }

    fn instrument(&self, symbol: &str) -> InstrumentId {
        let known = symbol.parse().ok().and_then(|symbol| self.universe.find(&symbol));
        known.unwrap_or(InstrumentId::new(99))
    }

    fn line(&mut self, line: &str, place: &str) {
        let (action, expected) = line.split_once("->").unwrap_or((line, ""));
        let words: Vec<&str> = action.split_whitespace().collect();
        let (mut reports, mut events) = (Vec::new(), std::mem::take(&mut self.events));
        let now = match *words.as_slice() {
            ["settings", ref pairs @ ..] => return self.set(pairs),
            ["day", date] => return self.day = number(date),
            ["heard"] => {
                self.exchange().poll(Timestamp::MIN, &mut events);
                return assert_eq!(heard(&events), expected.trim(), "{place}");
            }
            ["find", letter] => return assert_eq!(self.find(letter), expected.trim(), "{place}"),
            [_, time, ..] => self.at(time),
            _ => panic!("no such line; {place}"),
        };
        match words[0] {
            "phase" => {
                let phase = Phase::ALL.into_iter().find(|phase| phase.name() == words[2]).expect("a phase");
                let change = PhaseChange { at: now, phase, session: self.day };
                self.exchange().on_phase(&change, &mut reports);
            }
            "time" => self.exchange().on_time(now, &mut reports),
            "send" => self.send(now, &words[2..], &mut reports),
            "cancel" => {
                let letter = letter(words[2]);
                let instrument = self.orders.get(&letter).map_or(InstrumentId::new(0), |order| order.instrument);
                let cancel = CancelOrder { client_order_id: id(letter), instrument, decided_at: now };
                let sent = self.exchange().cancel(&risk::approve_cancel(cancel), now, &mut reports);
                sent.expect("the simulated exchange takes every command");
            }
            "mass_cancel" => {
                let all = risk::approve_mass_cancel(MassCancel { decided_at: now });
                let sent = self.exchange().mass_cancel(&all, now, &mut reports, &mut events);
                sent.expect("the simulated exchange takes every command");
            }
            "replace" => self.replace(now, &words[2..], &mut reports),
            _ => {
                let event = self.event(now, &words);
                self.exchange().on_market(&event, &mut reports);
            }
        }
        self.events = events;
        let told: Vec<String> = reports.iter().map(|report| self.told(report, now)).collect();
        assert_eq!(told.join("; "), expected.trim(), "{place}");
    }

    fn set(&mut self, pairs: &[&str]) {
        for pair in pairs.chunks(2) {
            match *pair {
                ["latency", milliseconds] => self.settings.latency_milliseconds = number(milliseconds),
                ["slippage", ticks] => self.settings.slippage_ticks = number(ticks),
                ["participation", share] => self.settings.participation = number(share),
                ["rule", "queue"] => self.settings.limit_rule = LimitRule::Queue,
                _ => panic!("no such setting: {pair:?}"),
            }
        }
    }

    fn find(&mut self, which: &str) -> String {
        stated(self.exchange(), id(letter(which))).map_or("unknown".to_owned(), |(open, cumulative)| {
            format!("{} {cumulative}", if open { "open" } else { "ended" })
        })
    }

    fn send(&mut self, now: Timestamp, words: &[&str], reports: &mut Vec<ExecutionReport>) {
        let [which, side, units, symbol, terms @ ..] = words else { panic!("no such order: {words:?}") };
        let (order_type, rest) = match *terms {
            ["market", ref rest @ ..] => (OrderType::Market, rest),
            ["limit", price, ref rest @ ..] => (OrderType::Limit { limit_price: number(price) }, rest),
            ["stop", stop, "limit", price, ref rest @ ..] => {
                (OrderType::StopLimit { stop_price: number(stop), limit_price: number(price) }, rest)
            }
            ["auction", "limit", price, ref rest @ ..] => {
                (OrderType::AtAuction { limit_price: Some(number(price)) }, rest)
            }
            ["auction", ref rest @ ..] => (OrderType::AtAuction { limit_price: None }, rest),
            _ => panic!("no such terms: {terms:?}"),
        };
        let time_in_force = match *rest {
            [] => TimeInForce::Day,
            ["ioc"] => TimeInForce::ImmediateOrCancel,
            ["fok"] => TimeInForce::FillOrKill,
            ["gtc"] => TimeInForce::GoodTillCancel,
            ["gtd", date] => TimeInForce::GoodTillDate(number(date)),
            ["close"] => TimeInForce::AtTheClose,
            _ => panic!("no such time in force: {rest:?}"),
        };
        let order = NewOrder {
            client_order_id: id(letter(which)),
            strategy: StrategyId(0),
            instrument: self.instrument(symbol),
            side: if *side == "buy" { Side::Buy } else { Side::Sell },
            quantity: number(units),
            order_type,
            time_in_force,
            decided_at: now,
        };
        self.orders.entry(letter(which)).or_insert(order);
        // The approver knows as many instruments as there are; one more must still reach the exchange.
        let known = InstrumentId::new(order.instrument.index().min(2) as u32);
        let approved = self.approver.order(NewOrder { instrument: known, ..order });
        if known == order.instrument {
            self.exchange().submit(&approved, now, reports).expect("the simulated exchange takes every command");
        } else {
            let approved = Approver::new(100).order(order);
            self.exchange().submit(&approved, now, reports).expect("the simulated exchange takes every command");
        }
    }

    fn replace(&mut self, now: Timestamp, words: &[&str], reports: &mut Vec<ExecutionReport>) {
        let [which, units, price @ ..] = words else { panic!("no such replace: {words:?}") };
        let of = self.orders[&letter(which)];
        let limit_price = price.last().map(|price| number(price));
        let quantity = number(units);
        let replace = ReplaceOrder {
            client_order_id: of.client_order_id,
            instrument: of.instrument,
            quantity,
            limit_price,
            decided_at: now,
        };
        let approved = self.approver.replace(&of, replace);
        self.exchange().replace(&approved, now, reports).expect("the simulated exchange takes every command");
    }

    fn event(&self, at: Timestamp, words: &[&str]) -> MarketEvent {
        let instrument = self.instrument(words[2]);
        match *words {
            ["quote", _, _, bid, ask] => {
                let ((bid, bid_size), (ask, ask_size)) = (pair(bid), pair(ask));
                MarketEvent::Quote(Quote { at, instrument, bid, ask, bid_size, ask_size })
            }
            ["trade", _, _, trade] => {
                let (price, quantity) = pair(trade);
                MarketEvent::Trade(Trade { at, instrument, price, quantity })
            }
            ["auction", _, _, kind, print] => {
                let (price, quantity) = pair(print);
                let kind = match kind {
                    "opening" => AuctionKind::Opening,
                    "closing" => AuctionKind::Closing,
                    _ => AuctionKind::Intraday,
                };
                MarketEvent::Auction(AuctionPrint { at, instrument, kind, price, quantity })
            }
            ["bar", _, _, open, high, low, close, volume, ref used @ ..] => {
                let bar = Bar {
                    end: at,
                    instrument,
                    open: number(open),
                    high: number(high),
                    low: number(low),
                    close: number(close),
                    volume: number(volume),
                };
                let used = match *used {
                    ["match"] => BarUse::Match,
                    ["decide"] => BarUse::Decide,
                    _ => BarUse::MatchAndDecide,
                };
                MarketEvent::Bar { at, bar, used }
            }
            _ => panic!("no such line: {words:?}"),
        }
    }

    fn told(&mut self, report: &ExecutionReport, now: Timestamp) -> String {
        let letter = char::from_u32(report.client_order_id.sequence()).expect("a letter");
        let what = match &report.kind {
            ReportKind::Fill { execution_id, price, quantity } => {
                assert!(self.executions.insert(execution_id.to_string()), "{execution_id} twice");
                format!("fill {quantity} @ {price}")
            }
            ReportKind::Replaced { quantity, limit_price: Some(price) } => format!("replaced {quantity} @ {price}"),
            ReportKind::Replaced { quantity, limit_price: None } => format!("replaced {quantity}"),
            ReportKind::Canceled { reason } if reason.is_empty() => "canceled".to_owned(),
            ReportKind::Canceled { reason }
            | ReportKind::Rejected { reason }
            | ReportKind::CancelRejected { reason }
            | ReportKind::ReplaceRejected { reason } => format!("{}: {reason}", report.kind.name()),
            kind => kind.name().to_owned(),
        };
        let when = report.at.local().format("%H:%M:%S%.3f");
        let when = if report.at == now { String::new() } else { format!(" at {when}") };
        format!("{letter} {what}{when}")
    }
}

fn letter(word: &str) -> char {
    word.chars().next().expect("a letter")
}

/// Whether the exchange states the order as open, and what of it has traded.
pub(crate) fn stated(exchange: &mut SimulatedExchange, id: ClientOrderId) -> Option<(bool, Quantity)> {
    let mut events = Vec::new();
    exchange.request_statement(Timestamp::MAX, &mut events).expect("it states");
    let [BrokerEvent::Statement(statement)] = events.as_slice() else { panic!("one statement: {events:?}") };
    let order = statement.orders.iter().find(|order| order.reference == OrderReference::Own(id))?;
    Some((order.status == StatedStatus::Open, order.cumulative))
}
