//! Whatever orders and events come: what must hold of every report. The reports also feed an order
//! book, which must find a place for each of them.

use std::collections::{BTreeMap, BTreeSet};

use brokers::simulated::{LimitRule, SimulationSettings};
use brokers::{Broker, SimulatedExchange};
use market::fees::Brokerage;
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    AuctionKind, AuctionPrint, Bar, BarUse, Calendar, ClientOrderId, Date, ExecutionReport, FeeSchedule, InstrumentId,
    MarketEvent, Money, NewOrder, OrderType, Phase, PhaseChange, Price, Quantity, Quote, Rate, ReportKind, Side,
    StrategyId, TimeInForce, Timestamp, Trade,
};
use oms::{Book, BookSettings};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::approve::Approver;
use crate::floor::{stated, universe};

const INSTRUMENTS: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Send {
        instrument: u32,
        side: Side,
        lots: i64,
        terms: usize,
        price: i64,
    },
    Cancel(Index),
    Replace(Index, i64, i64),
    /// Milliseconds after the step before, what, prices in centavos, volume.
    Event {
        after: i64,
        instrument: u32,
        what: usize,
        prices: [i64; 4],
        volume: i64,
    },
    Phase(usize),
    NextDay,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let cents = || 960_i64..1_040;
    let prices = (cents(), cents(), cents(), cents()).prop_map(|(a, b, c, d)| [a, b, c, d]);
    prop_oneof![
        6 => (0..INSTRUMENTS, side, 1_i64..8, 0_usize..14, cents())
            .prop_map(|(instrument, side, lots, terms, price)| Step::Send { instrument, side, lots, terms, price }),
        1 => any::<Index>().prop_map(Step::Cancel),
        2 => (any::<Index>(), 1_i64..8, cents()).prop_map(|(of, lots, price)| Step::Replace(of, lots, price)),
        12 => (0_i64..900, 0..INSTRUMENTS, 0_usize..9, prices, 0_i64..4_000).prop_map(
            |(after, instrument, what, prices, volume)| Step::Event { after, instrument, what, prices, volume }
        ),
        1 => (0_usize..16).prop_map(Step::Phase),
        1 => Just(Step::NextDay),
        1 => (0_i64..2_000).prop_map(Step::Wait),
    ]
}

fn settings() -> impl Strategy<Value = SimulationSettings> {
    let latency = prop_oneof![Just(0_u32), Just(400), Just(1_500)];
    let participation = prop_oneof![Just(0_i64), Just(100_000), Just(333_333), Just(1_000_000)];
    let rule = prop_oneof![Just(LimitRule::PriceThrough), Just(LimitRule::Queue)];
    (latency, 0_u32..3, participation, rule).prop_map(|(latency_milliseconds, slippage_ticks, ppm, limit_rule)| {
        SimulationSettings { latency_milliseconds, slippage_ticks, participation: Rate::from_ppm(ppm), limit_rule }
    })
}

fn price(cents: i64) -> Price {
    Price::from_cents(cents).expect("a price")
}

/// What is known of an order from its reports.
#[derive(Clone, Debug)]
struct Seen {
    order: NewOrder,
    quantity: Quantity,
    limit: Option<Price>,
    filled: Quantity,
    arrived: Option<Timestamp>,
    ended: bool,
}

struct Machine {
    settings: SimulationSettings,
    exchange: SimulatedExchange,
    approver: Approver,
    book: Book,
    day: Date,
    now: Timestamp,
    orders: BTreeMap<ClientOrderId, Seen>,
    executions: BTreeSet<String>,
    /// Taken from, and most that was offered by, the daily pieces of this session, by instrument.
    daily: BTreeMap<InstrumentId, (Quantity, Quantity)>,
    all: Vec<ExecutionReport>,
}

impl Machine {
    fn new(settings: SimulationSettings) -> Self {
        let day = Date::from_ymd_opt(2025, 6, 12).expect("a date");
        let mut machine = Self {
            settings,
            exchange: SimulatedExchange::new(settings, universe(), Phase::Continuous).with_statements(Timestamp::MIN),
            approver: Approver::new(INSTRUMENTS),
            book: Book::new(BookSettings {
                cash: Money::ZERO,
                calendar: Calendar::always_open(),
                fees: FeeSchedule::free(),
                brokerage: Brokerage::FREE,
                instruments: INSTRUMENTS as usize,
            }),
            day,
            now: day.and_hms_opt(10, 0, 0).and_then(Timestamp::from_local).expect("a time"),
            orders: BTreeMap::new(),
            executions: BTreeSet::new(),
            daily: BTreeMap::new(),
            all: Vec::new(),
        };
        machine.phase(Phase::Continuous);
        machine
    }

    fn phase(&mut self, phase: Phase) -> Vec<ExecutionReport> {
        let mut reports = Vec::new();
        let change = PhaseChange { at: self.now, phase, session: self.day };
        self.exchange.on_phase(&change, &mut reports);
        reports
    }

    fn pick(&self, which: &Index) -> Option<NewOrder> {
        let place = which.index(self.orders.len().max(1));
        self.orders.values().nth(place).map(|seen| seen.order)
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let mut reports = Vec::new();
        let mut met = None;
        match *step {
            Step::Send { instrument, side, lots, terms, price } => {
                let order = self.order(instrument, side, lots, terms, price);
                self.book.enter(order, price_or(order.order_type.limit_price()));
                let seen = Seen {
                    order,
                    quantity: order.quantity,
                    limit: order.order_type.limit_price(),
                    filled: Quantity::ZERO,
                    arrived: None,
                    ended: false,
                };
                self.orders.insert(order.client_order_id, seen);
                let approved = self.approver.order(order);
                self.exchange.submit(&approved, self.now, &mut reports).expect("taken");
            }
            Step::Cancel(which) => {
                let Some(of) = self.pick(&which) else { return Ok(()) };
                let (client_order_id, instrument) = (of.client_order_id, of.instrument);
                let cancel = CancelOrder { client_order_id, instrument, decided_at: self.now };
                if self.book.request_cancel(&cancel).is_ok() {
                    let cancel = risk::approve_cancel(cancel);
                    self.exchange.cancel(&cancel, self.now, &mut reports).expect("taken");
                }
            }
            Step::Replace(which, lots, cents) => {
                let Some(of) = self.pick(&which) else { return Ok(()) };
                let limit_price = of.order_type.limit_price().map(|_| price(cents));
                let stop_is_beyond = of.order_type.with_limit(price(cents)) != of.order_type
                    && matches!(of.order_type, OrderType::StopLimit { .. });
                let replace = ReplaceOrder {
                    client_order_id: of.client_order_id,
                    instrument: of.instrument,
                    quantity: Quantity::new(lots * if of.instrument.index() == 1 { 13 } else { 100 }),
                    limit_price,
                    decided_at: self.now,
                };
                let worst = price_or(limit_price);
                if !stop_is_beyond && self.book.request_replace(&replace, worst).is_ok() {
                    let replace = self.approver.replace(&of, replace);
                    self.exchange.replace(&replace, self.now, &mut reports).expect("taken");
                }
            }
            Step::Event { after, instrument, what, prices, volume } => {
                self.now = self.now.plus_nanos(after * 1_000_000);
                let event = self.event(instrument, what, prices, volume);
                self.exchange.on_market(&event, &mut reports);
                met = Some(event);
            }
            Step::Phase(place) => {
                // Mostly back to work: where nothing trades, nothing is tried.
                reports = self.phase(Phase::ALL.get(place).copied().unwrap_or(Phase::Continuous));
            }
            Step::NextDay => {
                reports = self.phase(Phase::Closed);
                self.take(&reports, None)?;
                self.day = self.day.succ_opt().expect("a day");
                self.now = self.day.and_hms_opt(10, 0, 0).and_then(Timestamp::from_local).expect("a time");
                self.daily.clear();
                reports = self.phase(Phase::Continuous);
            }
            Step::Wait(milliseconds) => {
                self.now = self.now.plus_nanos(milliseconds * 1_000_000);
                self.exchange.on_time(self.now, &mut reports);
            }
        }
        self.take(&reports, met.as_ref())
    }

    fn order(&self, instrument: u32, side: Side, lots: i64, terms: usize, cents: i64) -> NewOrder {
        use TimeInForce::{AtTheClose, Day, FillOrKill, GoodTillCancel, GoodTillDate, ImmediateOrCancel};
        let limit_price = price(cents);
        let stop_price = match side {
            Side::Buy => price(cents - 7),
            Side::Sell => price(cents + 7),
        };
        let (order_type, time_in_force) = match terms {
            0 => (OrderType::Market, Day),
            1 => (OrderType::Market, ImmediateOrCancel),
            2 => (OrderType::Market, FillOrKill),
            3 => (OrderType::Limit { limit_price }, ImmediateOrCancel),
            4 => (OrderType::Limit { limit_price }, FillOrKill),
            5 => (OrderType::Limit { limit_price }, GoodTillCancel),
            6 => (OrderType::Limit { limit_price }, GoodTillDate(self.day.succ_opt().expect("a day"))),
            7 | 8 => (OrderType::StopLimit { stop_price, limit_price }, Day),
            9 => (OrderType::AtAuction { limit_price: None }, Day),
            10 => (OrderType::AtAuction { limit_price: Some(limit_price) }, AtTheClose),
            _ => (OrderType::Limit { limit_price }, Day),
        };
        let day = Date::from_ymd_opt(2025, 6, 12).expect("a date");
        NewOrder {
            client_order_id: ClientOrderId::new("TEST", day, self.orders.len() as u32 + 1).expect("an identifier"),
            strategy: StrategyId(0),
            instrument: InstrumentId::new(instrument),
            side,
            // Of the fractional market too, and now and then more than it takes.
            quantity: Quantity::new(lots * if instrument == 1 { 13 } else { 100 }),
            order_type,
            time_in_force,
            decided_at: self.now,
            parent: None,
        }
    }

    fn event(&self, instrument: u32, what: usize, prices: [i64; 4], volume: i64) -> MarketEvent {
        let (at, instrument, quantity) = (self.now, InstrumentId::new(instrument), Quantity::new(volume));
        let [a, b, c, d] = prices;
        let bar = |used| {
            let (low, high) = (a.min(b).min(c).min(d), a.max(b).max(c).max(d));
            let (open, high, low, close) = (price(a), price(high), price(low), price(b));
            MarketEvent::Bar { at, bar: Bar { end: at, instrument, open, high, low, close, volume: quantity }, used }
        };
        let print = |kind| MarketEvent::Auction(AuctionPrint { at, instrument, kind, price: price(a), quantity });
        match what {
            0..=2 => {
                // Now and then crossed, and so unsound.
                let (bid, ask) = if what == 0 { (a, b) } else { (a, a + 1 + (b - 960) / 20) };
                let (bid, ask, ask_size) = (price(bid), price(ask), Quantity::new(1 + 3 * c / 2));
                MarketEvent::Quote(Quote { at, instrument, bid, ask, bid_size: quantity, ask_size })
            }
            3 => MarketEvent::Trade(Trade { at, instrument, price: price(a), quantity }),
            4 => bar(BarUse::MatchAndDecide),
            5 => bar(BarUse::Match),
            6 => print(AuctionKind::Opening),
            7 => print(AuctionKind::Closing),
            _ => bar(BarUse::Decide),
        }
    }

    /// Checks the reports of one step, which met an event or did not.
    fn take(&mut self, reports: &[ExecutionReport], met: Option<&MarketEvent>) -> Result<(), TestCaseError> {
        let mut filled = [Quantity::ZERO; 2];
        for report in reports {
            let id = report.client_order_id;
            prop_assert!(report.at <= self.now, "from the future: {:?}", report);
            let applied = self.book.apply(report);
            prop_assert!(applied.is_ok(), "{:?}: {:?}", report, applied);
            let seen = self.orders.get_mut(&id).expect("one of ours");
            prop_assert_eq!(report.instrument, seen.order.instrument);
            let answer = matches!(report.kind, ReportKind::CancelRejected { .. } | ReportKind::ReplaceRejected { .. });
            prop_assert!(answer || !seen.ended, "after its end: {:?}", report);
            match &report.kind {
                ReportKind::New => {
                    prop_assert_eq!(seen.arrived, None);
                    let latency = i64::from(self.settings.latency_milliseconds) * 1_000_000;
                    prop_assert_eq!(report.at, seen.order.decided_at.plus_nanos(latency));
                    seen.arrived = Some(report.at);
                }
                ReportKind::Bust { .. } | ReportKind::Corrected { .. } => {
                    prop_assert!(false, "the simulated exchange takes no trade back: {:?}", report);
                }
                ReportKind::Fill { execution_id, price, quantity } => {
                    prop_assert!(self.executions.insert(execution_id.to_string()), "twice: {:?}", report);
                    prop_assert!(quantity.is_positive() && *price > Price::ZERO);
                    seen.filled += *quantity;
                    prop_assert!(seen.filled <= seen.quantity, "too much: {:?}", report);
                    seen.ended = seen.filled == seen.quantity;
                    let respected = seen.limit.is_none_or(|limit| match seen.order.side {
                        Side::Buy => *price <= limit,
                        Side::Sell => *price >= limit,
                    });
                    prop_assert!(respected, "beyond {:?}: {:?}", seen.limit, report);
                    let event = met.expect("only an event fills");
                    prop_assert!(event.is_sound());
                    prop_assert_eq!((event.at(), event.instrument()), (report.at, report.instrument));
                    prop_assert!(
                        seen.arrived.is_some_and(|arrived| arrived <= report.at),
                        "before it came: {:?}",
                        report
                    );
                    let known = knows(event, *price, self.settings.slippage_ticks) || seen.limit == Some(*price);
                    prop_assert!(known, "{:?} on {:?}", report, event);
                    filled[usize::from(seen.order.side == Side::Sell)] += *quantity;
                    let whole = seen.order.time_in_force == TimeInForce::FillOrKill;
                    prop_assert!(!whole || *quantity == seen.quantity, "in part: {:?}", report);
                }
                ReportKind::Replaced { quantity, limit_price } => {
                    prop_assert!(*quantity > seen.filled);
                    (seen.quantity, seen.limit) = (*quantity, limit_price.or(seen.limit));
                }
                ReportKind::Canceled { .. } | ReportKind::Rejected { .. } | ReportKind::Expired => seen.ended = true,
                ReportKind::CancelRejected { .. } | ReportKind::ReplaceRejected { .. } => {}
            }
            let filled_so_far = seen.filled;
            // Orders that ended in an earlier session are not stated any more.
            if let Some((open, cumulative)) = stated(&mut self.exchange, id) {
                prop_assert!(cumulative >= filled_so_far);
                prop_assert!(!open || !self.orders[&id].ended);
            }
        }
        if let Some(event) = met {
            self.volume(event, filled)?;
        }
        self.all.extend_from_slice(reports);
        self.book.verify().map_err(TestCaseError::fail)
    }

    fn volume(&mut self, event: &MarketEvent, filled: [Quantity; 2]) -> Result<(), TestCaseError> {
        let share = |volume: Quantity| {
            Quantity::new((volume.units() as i128 * i128::from(self.settings.participation.ppm()) / 1_000_000) as i64)
        };
        let both = filled[0] + filled[1];
        let daily = |offered: Quantity, daily: &mut BTreeMap<InstrumentId, (Quantity, Quantity)>| {
            let (taken, most) = daily.entry(event.instrument()).or_default();
            *taken += both;
            *most = share(offered).max(*most);
            *taken <= *most
        };
        let fits = match event {
            MarketEvent::Quote(quote) => filled[0] <= quote.ask_size && filled[1] <= quote.bid_size,
            MarketEvent::Trade(trade) => both <= share(trade.quantity),
            MarketEvent::Bar { bar, used: BarUse::MatchAndDecide, .. } => both <= share(bar.volume),
            MarketEvent::Bar { used: BarUse::Decide, .. } => both.is_zero(),
            MarketEvent::Bar { bar, .. } => daily(bar.volume, &mut self.daily),
            MarketEvent::Auction(print) => daily(print.quantity, &mut self.daily),
            MarketEvent::Status(_) | MarketEvent::Bounds(_) => both.is_zero(),
        };
        prop_assert!(fits, "{:?} of {:?}", filled, event);
        Ok(())
    }
}

/// Whether the event knows of such a price, give or take the slippage.
fn knows(event: &MarketEvent, price: Price, slippage_ticks: u32) -> bool {
    let slippage = Price::from_cents(i64::from(slippage_ticks)).expect("a price").steps();
    let (low, high) = match event {
        MarketEvent::Quote(quote) => (quote.bid, quote.ask),
        MarketEvent::Trade(trade) => (trade.price, trade.price),
        MarketEvent::Bar { bar, .. } => (bar.low, bar.high),
        MarketEvent::Auction(print) => return price == print.price,
        MarketEvent::Status(_) | MarketEvent::Bounds(_) => return false,
    };
    (low.steps() - slippage..=high.steps() + slippage).contains(&price.steps())
}

fn price_or(limit: Option<Price>) -> Price {
    limit.unwrap_or_else(|| price(2_000))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes(settings in settings(), steps in prop::collection::vec(step(), 1..120)) {
        let mut machine = Machine::new(settings);
        for step in &steps {
            machine.step(step)?;
        }
        let mut again = Machine::new(settings);
        for step in &steps {
            again.step(step)?;
        }
        prop_assert_eq!(machine.all, again.all);
    }
}
