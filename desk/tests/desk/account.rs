//! The desk: identifiers, denials, cancels, replaces, sessions.

use std::collections::BTreeMap;

use desk::{Desk, Entry, rebuild};
use market::order::{OrderRequest, ReplaceOrder, Signal};
use market::{InstrumentId, NewOrder, Phase, PhaseChange, Quantity, ReportKind, Side, Timestamp};
use oms::OrderStatus;
use risk::checks::code;
use risk::{Denial, HaltLevel, HaltScope};

use crate::world::{BOVA11, PETR4, at, desk, fill, id, money, noon, price, report, request, top, universe};

fn ask(desk: &mut Desk, request: &OrderRequest, now: Timestamp) -> Result<String, Denial> {
    desk.request(request, top(now), now).map(|approved| approved.get().client_order_id.to_string())
}

fn buy(units: i64) -> OrderRequest {
    request(Side::Buy, units, PETR4, "10.00")
}

fn denied<T: std::fmt::Debug>(reviewed: Result<T, Denial>) -> &'static str {
    reviewed.expect_err("a denial").check
}

#[test]
fn identifiers_count_up_and_a_denial_uses_none() {
    let mut desk = desk();
    assert_eq!(ask(&mut desk, &buy(100), noon()).unwrap(), "TEST-20250612-000001");
    assert_eq!(denied(ask(&mut desk, &buy(150), noon())), "lot_and_tick");
    assert_eq!(ask(&mut desk, &buy(100), noon()).unwrap(), "TEST-20250612-000002");
    assert_eq!(ask(&mut desk, &buy(100), noon().plus_nanos(1)).unwrap(), "TEST-20250612-000003");
    let order = desk.book().order(&id(3)).unwrap();
    assert_eq!(order.intent.decided_at, noon().plus_nanos(1), "the desk's time, not the strategy's");
    assert_eq!(order.status, OrderStatus::PendingNew);
}

#[test]
fn identifiers_begin_again_with_the_day_in_sao_paulo() {
    let mut desk = desk();
    ask(&mut desk, &buy(100), noon()).unwrap();
    // 02:59 UTC is still the evening of the 12th in São Paulo, 03:00 is the 13th.
    for (now, name) in [
        ("2025-06-13T02:59:59.999999999Z", "TEST-20250612-000002"),
        ("2025-06-13T03:00:00Z", "TEST-20250613-000001"),
        ("2025-06-13T15:00:00Z", "TEST-20250613-000002"),
        ("2025-06-16T15:00:00Z", "TEST-20250616-000001"),
    ] {
        assert_eq!(ask(&mut desk, &buy(100), at(now)).unwrap(), name);
    }
}

#[test]
fn a_clock_that_steps_back_over_midnight_leads_to_no_name_twice() {
    let mut desk = desk();
    ask(&mut desk, &buy(100), noon()).unwrap();
    assert_eq!(ask(&mut desk, &buy(100), at("2025-06-13T03:00:00Z")).unwrap(), "TEST-20250613-000001");
    assert_eq!(ask(&mut desk, &buy(100), at("2025-06-13T02:59:59Z")).unwrap(), "TEST-20250613-000002");
    assert_eq!(desk.day(noon()).to_string(), "2025-06-13");
}

#[test]
fn a_day_has_no_more_names_than_fit() {
    let mut desk = desk();
    let mut last = rebuild(&mut desk);
    let (instruments, strategies) = (vec!["PETR4".parse().unwrap()], Vec::new());
    last.apply(1, noon(), Entry::Started { instruments, strategies, cash: money("100000"), origin: None }).unwrap();
    let order = NewOrder {
        client_order_id: id(999_998),
        strategy: market::StrategyId(0),
        instrument: PETR4,
        side: Side::Buy,
        quantity: Quantity::new(100),
        order_type: buy(100).order_type,
        time_in_force: market::TimeInForce::Day,
        decided_at: noon(),
        parent: None,
    };
    last.apply(
        2,
        noon(),
        Entry::Intent { order, worst_price: price("10.00"), signal: Signal::default(), evidence: None, closes: false },
    )
    .unwrap();
    assert_eq!(ask(&mut desk, &buy(100), noon()).unwrap(), "TEST-20250612-999999");
    let denial = ask(&mut desk, &buy(100), noon()).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "order_identifiers: every order identifier of the day is used (asked=1000000 limit=999999)"
    );
    assert_eq!(ask(&mut desk, &buy(100), at("2025-06-13T15:00:00Z")).unwrap(), "TEST-20250613-000001");
}

#[test]
fn two_requests_never_pass_on_the_same_remaining_limit() {
    let mut desk = desk();
    for _ in 0..2 {
        ask(&mut desk, &buy(2_000), noon()).unwrap();
    }
    assert_eq!(denied(ask(&mut desk, &buy(100), noon())), "position_per_symbol");
    let mut denials = 0;
    while ask(&mut desk, &request(Side::Buy, 1_000, BOVA11, "10.00"), noon()).is_ok() {
        denials += 1;
    }
    assert_eq!(denials, 4, "forty thousand in all, and then the position is full");
    assert!(desk.book().buying_power() > money("0"));
}

#[test]
fn denials_are_counted_by_check() {
    let mut desk = desk();
    let now = noon();
    ask(&mut desk, &buy(100), now).unwrap();
    for (asked, times) in [(buy(150), 2), (buy(2_100), 3), (request(Side::Sell, 100, PETR4, "10.00"), 1)] {
        for _ in 0..times {
            ask(&mut desk, &asked, now).unwrap_err();
        }
    }
    ask(&mut desk, &request(Side::Buy, 1, InstrumentId::new(7), "10.00"), now).unwrap_err();
    desk.report(&report(1, PETR4, ReportKind::New), noon()).unwrap();
    let replace = ReplaceOrder {
        client_order_id: id(1),
        instrument: PETR4,
        quantity: Quantity::new(150),
        limit_price: None,
        decided_at: now,
    };
    desk.replace(replace, top(now), now).unwrap_err();
    let unknown = ReplaceOrder { client_order_id: id(9), ..replace };
    desk.replace(unknown, top(now), now).unwrap_err();
    desk.halt().raise(&HaltScope::Global, HaltLevel::StopNew);
    ask(&mut desk, &buy(100), now).unwrap_err();
    let expected: BTreeMap<&str, u64> = [
        ("lot_and_tick", 3),
        ("order_quantity", 3),
        ("short_sale", 1),
        (code::UNKNOWN_INSTRUMENT, 1),
        (code::NOT_OPEN, 1),
        (code::HALTED, 1),
    ]
    .into();
    assert_eq!(*desk.denials(), expected);
}

#[test]
fn a_halt_never_stops_a_cancel() {
    for level in HaltLevel::ALL {
        let mut desk = desk();
        ask(&mut desk, &buy(100), noon()).unwrap();
        desk.halt().set(&HaltScope::Global, level);
        let approved = desk.cancel(id(1), noon()).unwrap();
        assert_eq!((approved.get().client_order_id, approved.get().instrument), (id(1), PETR4));
        assert!(approved.reduces());
        assert_eq!(desk.book().order(&id(1)).unwrap().status, OrderStatus::PendingCancel);
        // Asking again is never too much.
        desk.cancel(id(1), noon()).unwrap();
    }
}

#[test]
fn what_is_not_open_is_neither_cancelled_nor_replaced() {
    let mut desk = desk();
    ask(&mut desk, &buy(100), noon()).unwrap();
    let replace = |number| ReplaceOrder {
        client_order_id: id(number),
        instrument: PETR4,
        quantity: Quantity::new(200),
        limit_price: None,
        decided_at: noon(),
    };
    // On its way: there is nothing to change yet.
    assert_eq!(denied(desk.replace(replace(1), top(noon()), noon())), code::NOT_OPEN);
    desk.report(&report(1, PETR4, ReportKind::New), noon()).unwrap();
    let elsewhere = ReplaceOrder { instrument: BOVA11, ..replace(1) };
    assert_eq!(denied(desk.replace(elsewhere, top(noon()), noon())), code::NOT_OPEN);
    let approved = desk.replace(replace(1), top(noon()), noon()).unwrap();
    assert_eq!((*approved.get(), approved.worst_price()), (replace(1), price("10.00")));
    assert_eq!(desk.book().order(&id(1)).unwrap().status, OrderStatus::PendingReplace);
    assert_eq!(denied(desk.replace(replace(1), top(noon()), noon())), code::NOT_OPEN);
    desk.report(&report(1, PETR4, ReportKind::Expired), noon()).unwrap();
    for number in [1, 2] {
        assert_eq!(denied(desk.cancel(id(number), noon())), code::NOT_OPEN);
        assert_eq!(denied(desk.replace(replace(number), top(noon()), noon())), code::NOT_OPEN);
    }
}

#[test]
fn an_unknown_outcome_freezes_its_instrument() {
    let mut desk = desk();
    ask(&mut desk, &buy(100), noon()).unwrap();
    desk.outcome_unknown(id(1)).unwrap();
    assert_eq!(denied(ask(&mut desk, &buy(100), noon())), code::UNKNOWN_ORDER);
    assert!(ask(&mut desk, &request(Side::Buy, 10, BOVA11, "10.00"), noon()).is_ok());
    desk.report(&report(1, PETR4, fill("X1", 100, "10.00")), noon()).unwrap();
    assert!(ask(&mut desk, &buy(100), noon()).is_ok());
    assert!(desk.outcome_unknown(id(9)).is_err());
}

fn change(text: &str, phase: Phase, session: &str) -> PhaseChange {
    PhaseChange { at: at(text), phase, session: session.parse().expect("a date") }
}

#[test]
fn a_session_settles_rerates_and_moves_the_price_horizon() {
    let mut desk = desk();
    assert_eq!((desk.current_phase(), desk.session().to_string().as_str()), (Phase::Continuous, "2025-06-12"));
    ask(&mut desk, &buy(100), noon()).unwrap();
    desk.report(&report(1, PETR4, fill("X1", 100, "10.00")), noon()).unwrap();
    ask(&mut desk, &request(Side::Sell, 100, PETR4, "10.00"), noon()).unwrap();
    desk.report(&report(2, PETR4, fill("X2", 100, "10.00")), noon()).unwrap();
    // 0.60 and two times 5.145; the day trade gives 0.14 back.
    assert_eq!(desk.book().fees(), money("10.89"));
    desk.phase(&change("2025-06-12T20:00:00Z", Phase::Closed, "2025-06-12"));
    assert_eq!(desk.book().fees(), money("10.75"));
    assert_eq!(desk.book().cash().settled(), money("100000"));

    // Friday's opening call: Thursday's price counts, Wednesday's does not.
    desk.phase(&change("2025-06-13T12:45:00Z", Phase::PreOpen, "2025-06-13"));
    let now = at("2025-06-13T12:50:00Z");
    let priced = |desk: &mut Desk, text: &str| desk.request(&buy(100), top(at(text)), now).map(|_| ());
    priced(&mut desk, "2025-06-12T12:30:00Z").unwrap();
    assert_eq!(denied(priced(&mut desk, "2025-06-12T12:29:59Z")), "stale_quote");
    desk.phase(&change("2025-06-16T12:30:00Z", Phase::CancelOnly, "2025-06-16"));
    assert_eq!(desk.book().cash().settled(), money("99989.25"), "settled on Monday");
    assert_eq!(denied(priced(&mut desk, "2025-06-16T12:30:00Z")), "session_phase");
    desk.mark(PETR4, price("11.00"));
    assert_eq!(desk.book().mark_of(PETR4), price("11.00"));
}

#[test]
fn before_any_session_nothing_is_taken() {
    let settings = crate::world::settings(universe(&["PETR4"]), at("2025-06-14T15:00:00Z"));
    let mut desk = Desk::new(settings, risk::HaltSwitch::at(HaltLevel::Active));
    assert_eq!(desk.current_phase(), Phase::Closed);
    assert_eq!(denied(ask(&mut desk, &buy(100), at("2025-06-14T15:00:00Z"))), "session_phase");
    assert_eq!((desk.universe().len(), desk.session().to_string().as_str()), (1, "2025-06-14"));
}
