//! A restart of the whole program, where the exchange lives inside it: what rested is put back.

use brokers::simulated::SimulationSettings;
use brokers::{BROKERS, Broker, SimulatedExchange};
use market::{
    ClientOrderId, Date, ExecutionReport, InstrumentId, MarketEvent, NewOrder, OrderType, Phase, PhaseChange, Price,
    Quantity, Quote, Rate, ReportKind, Side, StrategyId, TimeInForce, Timestamp,
};

use crate::floor::{stated, universe};

fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

fn order(time_in_force: TimeInForce) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId::new("TEST", Date::from_ymd_opt(2025, 6, 12).expect("a date"), 1)
            .expect("a name"),
        strategy: StrategyId(0),
        instrument: InstrumentId::new(0),
        side: Side::Buy,
        quantity: Quantity::new(300),
        order_type: OrderType::Limit { limit_price: price("10.00") },
        time_in_force,
        decided_at: "2025-06-12T15:00:00Z".parse().expect("a time"),
        parent: None,
    }
}

/// The next morning: 100 of what are 500 by now have traded, and the limit is another.
fn restored(time_in_force: TimeInForce) -> SimulatedExchange {
    let settings = SimulationSettings { participation: Rate::from_ppm(1_000_000), ..SimulationSettings::default() };
    let mut exchange = SimulatedExchange::new(settings, universe(), Phase::Closed).with_statements(Timestamp::MIN);
    let order = order(time_in_force);
    let now = OrderType::Limit { limit_price: price("9.90") };
    exchange.restore(order, now, Quantity::new(500), Quantity::new(100));
    exchange.continue_executions_after(41);
    exchange
}

fn friday(exchange: &mut SimulatedExchange) -> Vec<ExecutionReport> {
    let mut reports = Vec::new();
    let at: Timestamp = "2025-06-13T13:00:00Z".parse().expect("a time");
    let change = PhaseChange { at, phase: Phase::Continuous, session: at.local_date() };
    exchange.on_phase(&change, &mut reports);
    let (bid, ask, size) = (price("9.80"), price("9.85"), Quantity::new(300));
    let quote = Quote { at, instrument: InstrumentId::new(0), bid, ask, bid_size: size, ask_size: size };
    exchange.on_market(&MarketEvent::Quote(quote), &mut reports);
    reports
}

#[test]
fn an_order_put_back_waits_at_its_price_with_what_it_has_left() {
    let mut exchange = restored(TimeInForce::GoodTillCancel);
    let id = order(TimeInForce::GoodTillCancel).client_order_id;
    assert_eq!(stated(&mut exchange, id), Some((true, Quantity::new(100))));
    let reports = friday(&mut exchange);
    let [ExecutionReport { kind: ReportKind::Fill { execution_id, price: at, quantity }, .. }] = reports.as_slice()
    else {
        panic!("one fill: {reports:?}");
    };
    assert_eq!((execution_id.as_str(), *at, *quantity), ("SIM0000000042", price("9.90"), Quantity::new(300)));
    assert_eq!(stated(&mut exchange, id), Some((true, Quantity::new(400))));
}

#[test]
fn an_order_put_back_after_its_day_ends_with_the_next_session() {
    let reports = friday(&mut restored(TimeInForce::Day));
    assert_eq!(reports.iter().map(|report| &report.kind).collect::<Vec<_>>(), [&ReportKind::Expired]);
}

#[test]
fn the_simulated_exchange_is_listed_under_its_name() {
    let exchange = restored(TimeInForce::Day);
    assert!(BROKERS.iter().any(|entry| entry.name == exchange.name()));
}
