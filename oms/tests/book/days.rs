//! What the end of a session and the passing of sessions do: day trades, pruning.

use market::fees::Brokerage;
use market::{
    ExecutionId, ExecutionReport, FeeSchedule, InstrumentId, NewOrder, OrderType, Quantity, ReportKind, Side,
    StrategyId, TimeInForce, Timestamp,
};

use crate::scenario::{book, id, play};

#[test]
fn a_round_trip_of_a_day_is_charged_the_day_trade_rate() {
    // 0.03 % against 0.023 % on both sides of 200 units at average prices.
    play(
        "
        session   2025-06-12
        order     1 buy 300 PETR4 limit 11.00
        report    1 fill 100 @ 10.00 as X1
        report    1 fill 200 @ 11.50 as X2                -> filled
        order     2 sell 200 PETR4 limit 12.00
        report    2 fill 200 @ 12.00 as X3                -> filled
        expect    account fees 1.71 cash 9098.29          # 0.30 + 0.69 + 0.72
        close     -> refund 0.322                         # (200 × 11.00 + 200 × 12.00) × 0.007 %
        expect    account fees 1.388 cash 9098.612 2025-06-15 10000.00 2025-06-16 9098.612
        expect    PETR4 fees 1.388
        close     -> refund 0.00                          # told once
        ",
    );
}

#[test]
fn an_evening_part_of_the_session_belongs_to_the_same_day() {
    // The exchange closes at 17:00 and again after the after-market.
    play(
        "
        session   2025-06-12
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        close     -> refund 0.00
        order     2 sell 100 PETR4 limit 10.00
        report    2 fill 100 @ 10.00 as X2                -> filled
        close     -> refund 0.14
        expect    account fees 0.46
        ",
    );
}

#[test]
fn a_purchase_and_a_sale_on_two_days_are_no_day_trade() {
    play(
        "
        session   2025-06-12
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        close     -> refund 0.00
        session   2025-06-13
        order     2 sell 100 PETR4 limit 10.00
        report    2 fill 100 @ 10.00 as X2                -> filled
        close     -> refund 0.00
        expect    account fees 0.60
        ",
    );
}

#[test]
fn a_missed_close_does_not_make_a_day_trade_of_two_days() {
    play(
        "
        session   2025-06-12
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        at        2025-06-13                              # nobody told the book of the close
        order     2 sell 100 PETR4 limit 10.00
        report    2 fill 100 @ 10.00 as X2                -> filled
        close     -> refund 0.00
        expect    account fees 0.60
        ",
    );
}

#[test]
fn a_missed_close_is_made_up_when_the_next_session_starts() {
    play(
        "
        session   2025-06-12
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        order     2 sell 100 PETR4 limit 10.00
        report    2 fill 100 @ 10.00 as X2                -> filled
        session   2025-06-13
        expect    account fees 0.46 cash 9999.54 settled 10000.00
        session   2025-06-16
        expect    account settled 9999.54
        ",
    );
}

#[test]
fn a_late_fill_is_matched_with_the_day_it_happened_on() {
    play(
        "
        session   2025-06-12
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        order     2 sell 100 PETR4 limit 10.00
        close     -> refund 0.00
        session   2025-06-13
        at        2025-06-12                              # told a day late
        report    2 fill 100 @ 10.00 as X2                -> filled
        close     -> refund 0.14
        expect    account 2025-06-15 10000.00 2025-06-16 9999.54
        ",
    );
}

#[test]
fn a_year_in_which_both_rates_are_the_same_refunds_nothing() {
    play(
        "
        session   2025-08-04
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        order     2 sell 100 PETR4 limit 10.00
        report    2 fill 100 @ 10.00 as X2                -> filled
        close     -> refund 0.00
        ",
    );
}

#[test]
fn ended_orders_are_kept_for_five_sessions_so_that_a_late_fill_finds_them() {
    play(
        "
        fees      free
        session   2025-06-02
        order     1 buy 100 PETR4 limit 10.00
        report    1 canceled                              -> canceled
        order     2 buy 100 PETR4 limit 10.00
        session   2025-06-03
        session   2025-06-04
        session   2025-06-05
        session   2025-06-06
        expect    1 status canceled
        report    1 fill 50 @ 10.00 as X1                 -> canceled late
        report    1 fill 50 @ 10.00 as X1   -> refused: execution X1 of TEST-20250612-000001 was applied before
        session   2025-06-09
        expect    1 status gone
        report    1 fill 50 @ 10.00 as X2   -> refused: report for TEST-20250612-000001, which is not an order of this account
        expect    2 status pending_new                    # open orders stay for as long as they are open
        expect    PETR4 position 50 buys 100
        report    2 canceled                              -> canceled
        session   2025-06-10
        expect    2 status canceled
        ",
    );
}

#[test]
fn of_ended_orders_no_more_than_ten_thousand_are_kept() {
    let mut book = book("100000", FeeSchedule::free(), Brokerage::FREE);
    let at: Timestamp = "2025-06-12T14:00:00Z".parse().unwrap();
    let instrument = InstrumentId::new(0);
    for number in 1..=10_002 {
        let client_order_id = id(number);
        let order = NewOrder {
            client_order_id,
            strategy: StrategyId(0),
            instrument,
            side: Side::Buy,
            quantity: Quantity::new(100),
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Day,
            decided_at: at,
            parent: None,
        };
        book.enter(order, "10".parse().unwrap());
        // The second one stays open, however many end after it.
        if number != 2 {
            book.apply(&ExecutionReport { at, client_order_id, instrument, kind: ReportKind::Expired }).unwrap();
        }
    }
    let kept = |number| book.order(&id(number)).is_some();
    assert_eq!([1, 2, 3, 10_002].map(kept), [false, true, true, true]);
    book.verify().unwrap();
}

#[test]
fn the_names_of_forgotten_orders_last_until_the_next_session() {
    let mut book = book("100000000", FeeSchedule::free(), Brokerage::FREE);
    let at: Timestamp = "2025-06-12T14:00:00Z".parse().unwrap();
    let (instrument, price) = (InstrumentId::new(0), "10".parse().unwrap());
    let execution = |number: u32| ExecutionId::new(&format!("X{number}"));
    book.start_session("2025-06-12".parse().unwrap());
    for number in 1..=10_002 {
        let client_order_id = id(number);
        let order = NewOrder {
            client_order_id,
            strategy: StrategyId(0),
            instrument,
            side: Side::Buy,
            quantity: Quantity::new(1),
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Day,
            decided_at: at,
            parent: None,
        };
        book.enter(order, price);
        let kind = ReportKind::Fill { execution_id: execution(number), price, quantity: Quantity::new(1) };
        book.apply(&ExecutionReport { at, client_order_id, instrument, kind }).unwrap();
    }
    let known = |book: &oms::Book| {
        [1, 2, 3].map(|number| (book.is_forgotten(&id(number)), book.knows_execution(&execution(number))))
    };
    assert_eq!(known(&book), [(true, true), (true, true), (false, true)]);
    book.start_session("2025-06-13".parse().unwrap());
    assert_eq!(known(&book), [(false, false), (false, false), (false, true)]);
    book.verify().unwrap();
}
