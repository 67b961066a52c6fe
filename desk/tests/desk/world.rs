//! A small account in the middle of a session, and names for what the tests talk about.

use std::sync::Arc;

use desk::{Desk, DeskSettings};
use market::fees::Brokerage;
use market::order::{OrderRequest, Signal};
use market::{
    Calendar, ClientOrderId, Date, ExecutionId, ExecutionReport, FeeSchedule, Instrument, InstrumentId, InstrumentKind,
    Money, OrderType, Price, Quantity, ReportKind, Side, StrategyId, TimeInForce, Timestamp, TopOfBook, Universe,
};
use oms::BookSettings;
use risk::{HaltLevel, HaltSwitch, LimitSet, LimitTable, Seconds};

pub(crate) const PETR4: InstrumentId = InstrumentId::new(0);
pub(crate) const BOVA11: InstrumentId = InstrumentId::new(1);

pub(crate) fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

pub(crate) fn money(text: &str) -> Money {
    text.parse().expect("money")
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Noon in São Paulo of 2025-06-12, a Thursday.
pub(crate) fn noon() -> Timestamp {
    at("2025-06-12T15:00:00Z")
}

/// The order of that number on 2025-06-12.
pub(crate) fn id(number: u32) -> ClientOrderId {
    ClientOrderId::new("TEST", Date::from_ymd_opt(2025, 6, 12).expect("a date"), number).expect("an identifier")
}

/// Shares have lots of 100, funds of one.
pub(crate) fn universe(symbols: &[&str]) -> Arc<Universe> {
    let mut universe = Universe::new();
    for symbol in symbols {
        let kind = if *symbol == "BOVA11" { InstrumentKind::ExchangeTradedFund } else { InstrumentKind::Share };
        universe.add(Instrument::cash(symbol.parse().expect("a symbol"), kind));
    }
    Arc::new(universe)
}

pub(crate) fn settings(universe: Arc<Universe>, start: Timestamp) -> DeskSettings {
    DeskSettings {
        account: "TEST".to_owned(),
        book: BookSettings {
            cash: money("100000"),
            calendar: Calendar::b3(),
            fees: FeeSchedule::b3(),
            brokerage: Brokerage { per_order: money("4.90"), iss: "0.05".parse().expect("a rate") },
            instruments: universe.len(),
        },
        limits: Arc::new(LimitTable::uniform(
            LimitSet {
                max_order_quantity: Quantity::new(2_000),
                max_order_notional: money("20000"),
                price_collar: "0.05".parse().expect("a rate"),
                max_position_quantity: Quantity::new(4_000),
                max_quote_age_seconds: Seconds(5),
                max_daily_loss: money("1000"),
                ..LimitSet::WIDE
            },
            &universe,
        )),
        universe,
        start,
    }
}

pub(crate) fn desk() -> Desk {
    Desk::new(settings(universe(&["PETR4", "BOVA11"]), noon()), HaltSwitch::at(HaltLevel::Active))
}

/// Bid 9.99, ask 10.00, a moment ago.
pub(crate) fn top(now: Timestamp) -> TopOfBook {
    TopOfBook { at: now, last: price("10.00"), bid: price("9.99"), ask: price("10.00"), ..TopOfBook::default() }
}

pub(crate) fn request(side: Side, units: i64, instrument: InstrumentId, limit: &str) -> OrderRequest {
    OrderRequest {
        strategy: StrategyId(0),
        instrument,
        side,
        quantity: Quantity::new(units),
        order_type: OrderType::Limit { limit_price: price(limit) },
        time_in_force: TimeInForce::Day,
        decided_at: noon(),
        parent: None,
        signal: Signal::new("tested", &[("price", 10.0)]),
    }
}

pub(crate) fn report(number: u32, instrument: InstrumentId, kind: ReportKind) -> ExecutionReport {
    ExecutionReport { at: noon(), client_order_id: id(number), instrument, kind }
}

pub(crate) fn fill(execution: &str, units: i64, at: &str) -> ReportKind {
    ReportKind::Fill { execution_id: ExecutionId::new(execution), price: price(at), quantity: Quantity::new(units) }
}
