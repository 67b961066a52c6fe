//! What the journal keeps of a desk must come back as it went in, and stay readable for years: the
//! texts here are what is on disks.

use desk::{Entry, Heard};
use market::order::{CancelOrder, ReplaceOrder, Signal};
use market::{
    ExecutionId, NewOrder, OrderType, Phase, PhaseChange, Quantity, ReportKind, Side, StrategyId, TimeInForce,
};
use proptest::prelude::*;
use risk::{Denial, Figure, HaltLevel, HaltScope};

use crate::world::{PETR4, at, fill, id, money, noon, price, report, request};

fn back(entry: &Entry) -> Entry {
    let text = serde_json::to_string(entry).expect("plain data");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn order(order_type: OrderType, time_in_force: TimeInForce) -> NewOrder {
    NewOrder {
        client_order_id: id(1),
        strategy: StrategyId(2),
        instrument: PETR4,
        side: Side::Sell,
        quantity: Quantity::new(300),
        order_type,
        time_in_force,
        decided_at: at("2025-06-12T15:00:00.000000001Z"),
        parent: None,
    }
}

fn denied(asked: Figure, limit: Figure) -> Entry {
    let denial = Denial { check: "order_quantity", because: "more units than one order may have", asked, limit };
    Entry::denied(request(Side::Buy, 100, PETR4, "10.00"), &denial, None)
}

#[test]
fn every_kind_of_entry_as_it_is_on_disk() {
    let limit = OrderType::Limit { limit_price: price("38.10") };
    let signal = Signal::new("fast_above_slow", &[("fast", 38.25), ("slow", 37.0)]);
    let kept = r#""client_order_id":"TEST-20250612-000001","instrument":0"#;
    let wanted = r#""strategy":0,"instrument":0,"side":"buy","quantity":100,"order_type":{"type":"limit","limit_price":"10.00"},"time_in_force":"day","decided_at":"2025-06-12T15:00:00Z","signal":{"rule":"tested","values":[["price",10.0]]}"#;
    for (entry, text) in [
        (
            Entry::Started {
                instruments: vec!["PETR4".parse().unwrap(), "VALE3".parse().unwrap()],
                strategies: vec!["cross".to_owned()],
                cash: money("100000"), origin: None
            },
            r#"{"entry":"started","instruments":["PETR4","VALE3"],"strategies":["cross"],"cash":"100000.00"}"#.to_owned(),
        ),
        (
            Entry::Intent { order: order(limit, TimeInForce::Day), worst_price: price("38.10"), signal, evidence: None, closes: false },
            r#"{"entry":"intent","order":{"client_order_id":"TEST-20250612-000001","strategy":2,"instrument":0,"side":"sell","quantity":300,"order_type":{"type":"limit","limit_price":"38.10"},"time_in_force":"day","decided_at":"2025-06-12T15:00:00.000000001Z"},"worst_price":"38.10","signal":{"rule":"fast_above_slow","values":[["fast",38.25],["slow",37.0]]}}"#.to_owned(),
        ),
        (
            Entry::CancelIntent { cancel: CancelOrder { client_order_id: id(1), instrument: PETR4, decided_at: noon() }, stops: false },
            format!(r#"{{"entry":"cancel_intent","cancel":{{{kept},"decided_at":"2025-06-12T15:00:00Z"}}}}"#),
        ),
        (
            Entry::ReplaceIntent {
                replace: ReplaceOrder {
                    client_order_id: id(1),
                    instrument: PETR4,
                    quantity: Quantity::new(200),
                    limit_price: Some(price("38.11")),
                    decided_at: noon(),
                },
                worst_price: price("38.11"), evidence: None },
            format!(
                r#"{{"entry":"replace_intent","replace":{{{kept},"quantity":200,"limit_price":"38.11","decided_at":"2025-06-12T15:00:00Z"}},"worst_price":"38.11"}}"#
            ),
        ),
        (
            denied(Figure::Quantity(Quantity::new(100)), Figure::None),
            format!(
                r#"{{"entry":"denied","request":{{{wanted}}},"check":"order_quantity","because":"more units than one order may have","asked":{{"quantity":100}},"limit":"none"}}"#
            ),
        ),
        (
            Entry::Report { report: report(1, PETR4, fill("X1", 100, "38.10")), broker_sequence: 7 },
            r#"{"entry":"report","report":{"at":"2025-06-12T15:00:00Z","client_order_id":"TEST-20250612-000001","instrument":0,"kind":"fill","execution_id":"X1","price":"38.10","quantity":100},"broker_sequence":7}"#.to_owned(),
        ),
        (
            Entry::Anomaly { report: report(1, PETR4, ReportKind::New), reason: "why".to_owned(), broker_sequence: 0 },
            r#"{"entry":"anomaly","report":{"at":"2025-06-12T15:00:00Z","client_order_id":"TEST-20250612-000001","instrument":0,"kind":"new"},"reason":"why","broker_sequence":0}"#.to_owned(),
        ),
        (
            Entry::OutcomeUnknown { client_order_id: id(1), reason: String::new() },
            r#"{"entry":"outcome_unknown","client_order_id":"TEST-20250612-000001","reason":""}"#.to_owned(),
        ),
        (
            Entry::Sent { client_order_id: id(1), command: "submit".into() },
            r#"{"entry":"sent","client_order_id":"TEST-20250612-000001","command":"submit"}"#.to_owned(),
        ),
        (
            Entry::Heard {
                strategy: StrategyId(1),
                after: 7,
                heard: vec![Heard::Quote(noon(), PETR4, price("9.99"), price("10.00"), Quantity::new(5), Quantity::new(6))],
            },
            r#"{"entry":"heard","strategy":1,"after":7,"heard":[{"quote":["2025-06-12T15:00:00Z",0,"9.99","10.00",5,6]}]}"#.to_owned(),
        ),
        (Entry::Connected, r#"{"entry":"connected"}"#.to_owned()),
        (
            Entry::Disconnected { reason: "silence".to_owned() },
            r#"{"entry":"disconnected","reason":"silence"}"#.to_owned(),
        ),
        (
            Entry::Unreadable { text: "{".to_owned(), problem: "no end".to_owned() },
            r#"{"entry":"unreadable","text":"{","problem":"no end"}"#.to_owned(),
        ),
        (
            Entry::Adopted { instrument: PETR4, quantity: Quantity::new(-3) },
            r#"{"entry":"adopted","instrument":0,"quantity":-3}"#.to_owned(),
        ),
        (
            Entry::Reconciled { external_orders: Vec::new() },
            r#"{"entry":"reconciled","external_orders":[]}"#.to_owned(),
        ),
        (
            Entry::Break { instrument: None, difference: "100 here, 0 there".to_owned() },
            r#"{"entry":"break","instrument":null,"difference":"100 here, 0 there"}"#.to_owned(),
        ),
        (
            Entry::BreakAccepted { symbol: None, by: "Ana".to_owned(), reason: "seen".to_owned() },
            r#"{"entry":"break_accepted","symbol":null,"by":"Ana","reason":"seen"}"#.to_owned(),
        ),
        (
            Entry::Phase {
                change: PhaseChange { at: noon(), phase: Phase::PreOpen, session: noon().local_date() },
            },
            r#"{"entry":"phase","change":{"at":"2025-06-12T15:00:00Z","phase":"pre_open","session":"2025-06-12"}}"#.to_owned(),
        ),
        (
            Entry::Halt { scope: HaltScope::Account, level: HaltLevel::Reducing, by: "daily_loss".to_owned(), reason: "1.00 exceeds".to_owned() },
            r#"{"entry":"halt","scope":"account","level":"reducing","by":"daily_loss","reason":"1.00 exceeds"}"#.to_owned(),
        ),
    ] {
        assert_eq!(serde_json::to_string(&entry).unwrap(), text);
        assert_eq!(back(&entry), entry);
        assert!(text.starts_with(&format!(r#"{{"entry":"{}""#, entry.kind())), "{}", entry.kind());
    }
}

#[test]
fn every_report_order_type_time_in_force_and_figure_comes_back() {
    let reason = || "with \"quotes\" and ção".to_owned();
    for kind in [
        ReportKind::New,
        fill("E-1/2", 100, "38.10000001"),
        ReportKind::Canceled { reason: reason() },
        ReportKind::Replaced { quantity: Quantity::new(100), limit_price: None },
        ReportKind::Replaced { quantity: Quantity::new(100), limit_price: Some(price("38.10")) },
        ReportKind::Rejected { reason: reason() },
        ReportKind::Expired,
        ReportKind::CancelRejected { reason: reason() },
        ReportKind::ReplaceRejected { reason: String::new() },
        ReportKind::Bust { execution_id: ExecutionId::new("B1"), reference: ExecutionId::new("E1") },
        ReportKind::Corrected {
            execution_id: ExecutionId::new("C1"),
            reference: ExecutionId::new("E1"),
            price: price("1"),
            quantity: Quantity::new(2),
        },
    ] {
        let entry = Entry::Report { report: report(1, PETR4, kind), broker_sequence: u64::MAX };
        assert_eq!(back(&entry), entry);
    }
    let (limit_price, stop_price) = (price("0.01"), price("92233720368.54775807"));
    for order_type in [
        OrderType::Market,
        OrderType::Limit { limit_price },
        OrderType::StopLimit { stop_price, limit_price },
        OrderType::AtAuction { limit_price: None },
        OrderType::AtAuction { limit_price: Some(limit_price) },
    ] {
        for time_in_force in [
            TimeInForce::Day,
            TimeInForce::ImmediateOrCancel,
            TimeInForce::FillOrKill,
            TimeInForce::GoodTillCancel,
            TimeInForce::GoodTillDate(noon().local_date()),
            TimeInForce::AtTheClose,
        ] {
            let order = order(order_type, time_in_force);
            let entry = Entry::Intent {
                order,
                worst_price: limit_price,
                signal: Signal::default(),
                evidence: None,
                closes: false,
            };
            assert_eq!(back(&entry), entry);
        }
    }
    for figure in [
        Figure::Quantity(Quantity::new(-1)),
        Figure::Money(money("-12345678901234567890.12345678")),
        Figure::Price(price("38.10")),
        Figure::Rate("0.03".parse().unwrap()),
        Figure::Nanoseconds(i64::MIN),
        Figure::Phase(Phase::AfterMarket),
        Figure::Count(u64::MAX),
        Figure::None,
    ] {
        assert_eq!(back(&denied(figure, figure)), denied(figure, figure));
    }
    for phase in Phase::ALL {
        let entry = Entry::Phase { change: PhaseChange { at: noon(), phase, session: noon().local_date() } };
        assert_eq!(back(&entry), entry);
    }
    for level in HaltLevel::ALL {
        let entry = Entry::Halt { scope: HaltScope::Strategy(reason()), level, by: reason(), reason: reason() };
        assert_eq!(back(&entry), entry);
    }
    // As it was when there was one scope.
    let before = r#"{"entry":"halt","level":"stop_new","by":"journal","reason":"full"}"#;
    let Ok(Entry::Halt { scope, .. }) = serde_json::from_str(before) else { panic!("{before}") };
    assert_eq!(scope, HaltScope::Global);
}

proptest! {
    /// The values that a decision was made on, to the last bit (invariant 13).
    #[test]
    fn what_a_strategy_saw_comes_back_to_the_last_bit(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let signal = Signal::new("rule", &[("value", value)]);
        let entry = Entry::Intent {
            order: order(OrderType::Market, TimeInForce::Day),
            worst_price: price("1"),
            signal, evidence: None, closes: false };
        let Entry::Intent { signal, .. } = back(&entry) else { panic!("another kind") };
        prop_assert_eq!(signal.values[0].1.to_bits(), value.to_bits());
    }
}
