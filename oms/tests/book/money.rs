//! What trades do to positions, cash, fees and reservations.

use crate::scenario::{id, money, play};
use market::fees::Brokerage;
use market::{FeeSchedule, InstrumentId, NewOrder, OrderType, Quantity, Side, StrategyId, TimeInForce};
use oms::Holding;

#[test]
fn a_purchase_in_two_parts_and_a_sale_settle_two_sessions_later_over_a_weekend() {
    play(
        "
        session   2025-06-12                             # a Thursday
        order     1 buy 300 PETR4 limit 10.00
        expect    account reserved 3000.90 power 6999.10
        expect    PETR4 buys 300 working 300
        report    1 new                                   -> working
        expect    1 status new
        report    1 fill 100 @ 9.99 as X1                 -> working
        expect    1 status partially_filled filled 100 left 200 average 9.99
        expect    account cash 9000.7003 reserved 2000.60 settled 10000.00 power 7000.1003
        report    1 fill 200 @ 10.00 as X2                -> filled
        expect    PETR4 position 300 average 9.99666667 buys 0 working 0 fees 0.8997
        expect    account cash 7000.1003 reserved 0.00 2025-06-13 10000.00 2025-06-16 7000.1003
        session   2025-06-13
        order     2 sell 200 PETR4 limit 10.50
        expect    PETR4 sells 200 working -200
        expect    account reserved 0.00
        report    2 new
        report    2 fill 200 @ 10.50 as X3                -> filled
        expect    PETR4 position 100 average 9.99666666 realized 100.666666 fees 1.5297
        expect    account cash 9099.4703 settled 10000.00 2025-06-16 7000.1003 2025-06-17 9099.4703
        session   2025-06-16
        expect    account settled 7000.1003 cash 9099.4703
        session   2025-06-17
        expect    account settled 9099.4703 fees 1.5297 open 0
        ",
    );
}

#[test]
fn settlement_skips_a_holiday_and_the_weekend_behind_it() {
    // 2025-06-19, Corpus Christi, is a Thursday.
    play(
        "
        fees      free
        session   2025-06-17
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        expect    account 2025-06-19 10000.00 2025-06-20 9000.00
        session   2025-06-18
        order     2 buy 100 PETR4 limit 10.00
        report    2 fill 100 @ 10.00 as X2                -> filled
        expect    account 2025-06-20 9000.00 2025-06-22 9000.00 2025-06-23 8000.00
        session   2025-06-20
        expect    account settled 9000.00
        session   2025-06-23
        expect    account settled 8000.00
        ",
    );
}

#[test]
fn the_fee_rate_is_the_one_of_the_trade_date() {
    play(
        "
        session   2025-07-31
        order     1 buy 100 PETR4 limit 10.00
        order     2 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        expect    account fees 0.30
        session   2025-08-01
        report    2 fill 100 @ 10.00 as X2                -> filled
        expect    account fees 0.53
        ",
    );
}

#[test]
fn a_fill_told_late_does_not_bring_the_old_rate_back() {
    play(
        "
        session   2025-07-31
        order     1 buy 200 PETR4 limit 10.00
        session   2025-08-01
        order     2 buy 100 PETR4 limit 10.00
        expect    account reserved 3000.83                # 0.60 at yesterday's rate, 0.23 at today's
        at        2025-07-31
        report    1 fill 100 @ 10.00 as X1                -> working
        expect    account fees 0.30 reserved 2000.46      # what is left trades at today's
        ",
    );
}

#[test]
fn a_date_without_fees_refuses_the_fill_and_keeps_the_reservation() {
    play(
        "
        session   2025-06-12
        order     1 buy 100 PETR4 limit 10.00
        report    1 new
        at        2025-06-14                              # a Saturday
        report    1 fill 100 @ 10.00 as X1    -> refused: no fee is known for 2025-06-14: extend the fee schedule
        expect    account reserved 1000.30 cash 10000.00
        at        2025-06-13
        report    1 fill 100 @ 10.00 as X1                -> filled
        ",
    );
}

#[test]
fn a_loss_beyond_the_position_turns_it_round() {
    // The review denies short sales; the book still has to be right about one.
    play(
        "
        fees      free
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        order     2 sell 300 PETR4 limit 9.00
        report    2 fill 300 @ 9.00 as X2                 -> filled
        expect    PETR4 position -200 average 9.00 realized -100.00
        mark      PETR4 8.00
        expect    account cash 11700.00 equity 10100.00 exposure 1600.00
        ",
    );
}

#[test]
fn brokerage_is_reserved_with_the_order_and_charged_once() {
    play(
        "
        brokerage 4.90 iss 0.05
        session   2025-06-12
        order     1 buy 300 PETR4 limit 10.00
        expect    account reserved 3006.045               # 3000 + 0.90 + 5.145
        report    1 fill 100 @ 10.00 as X1                -> working
        expect    account fees 5.445 reserved 2000.60
        report    1 fill 200 @ 10.00 as X2                -> filled
        expect    account fees 6.045 reserved 0.00 cash 6993.955
        order     2 sell 300 PETR4 limit 10.00            # a sale is charged too, and reserves nothing
        expect    account reserved 0.00
        report    2 fill 100 @ 10.00 as X3                -> working
        report    2 fill 200 @ 10.00 as X4                -> filled
        expect    account fees 12.09
        order     3 buy 100 PETR4 limit 10.00             # one that never trades costs nothing
        report    3 rejected                              -> rejected
        expect    account fees 12.09 reserved 0.00
        ",
    );
}

#[test]
fn every_end_of_a_buy_gives_its_reservation_back() {
    for end in ["rejected", "canceled", "expired"] {
        play(&format!(
            "
            session   2025-06-12
            order     1 buy 100 PETR4 limit 10.00
            order     2 buy 100 VALE3 market worst 60.00
            expect    account reserved 7002.10
            report    1 {end}                              -> {end}
            expect    account reserved 6001.80 power 3998.20
            report    2 {end}                              -> {end}
            expect    account reserved 0.00 open 0
            expect    VALE3 buys 0
            "
        ));
    }
}

#[test]
fn a_sale_on_the_way_can_pay_for_a_purchase_of_the_same_day() {
    play(
        "
        cash      1000.00
        fees      free
        session   2025-06-12
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        expect    account power 0.00
        order     2 sell 100 PETR4 limit 10.00
        expect    account power 0.00                      # not before it has traded
        report    2 fill 100 @ 11.00 as X2                -> filled
        expect    account power 1100.00 settled 1000.00
        ",
    );
}

#[test]
fn marks_move_the_equity_and_nothing_else() {
    play(
        "
        fees      free
        order     1 buy 100 PETR4 limit 10.00
        report    1 fill 100 @ 10.00 as X1                -> filled
        expect    PETR4 mark 10.00                        # a first fill is the best price known
        expect    account equity 10000.00
        mark      PETR4 12.00
        expect    account equity 10200.00 cash 9000.00 realized 0.00
        mark      PETR4 0
        order     2 buy 100 PETR4 limit 10.00
        report    2 fill 100 @ 9.00 as X2                 -> filled
        expect    account equity 9900.00                  # 8100 and 200 at 9.00
        ",
    );
}

#[test]
fn what_an_order_adds_is_held_by_its_strategy() {
    let mut book = crate::scenario::book("100000", FeeSchedule::free(), Brokerage::FREE);
    let order = |number, strategy, side, units| NewOrder {
        client_order_id: id(number),
        strategy: StrategyId(strategy),
        instrument: InstrumentId::new(1),
        side,
        quantity: Quantity::new(units),
        order_type: OrderType::Limit { limit_price: "10".parse().unwrap() },
        time_in_force: TimeInForce::Day,
        decided_at: "2025-06-12T14:00:00Z".parse().unwrap(),
        parent: None,
    };
    let price = "10".parse().unwrap();
    book.enter(order(1, 0, Side::Buy, 300), price);
    book.enter(order(2, 1, Side::Buy, 200), price);
    book.enter(order(3, 1, Side::Sell, 100), price);
    let holding = |position, working| Holding { position: Quantity::new(position), working: Quantity::new(working) };
    assert_eq!(book.holdings_of(StrategyId(0)), [(InstrumentId::new(1), holding(0, 300))]);
    assert_eq!(book.holdings_of(StrategyId(1)), [(InstrumentId::new(1), holding(0, 100))]);
    assert_eq!(book.holdings_of(StrategyId(2)), []);
    assert_eq!(book.reserved(), money("5000"));
    let ids: Vec<_> = book.open_orders().iter().map(|order| order.intent.client_order_id).collect();
    assert_eq!(ids, [id(1), id(2), id(3)]);
}

#[test]
#[should_panic(expected = "used twice")]
fn an_identifier_used_twice_stops_the_engine() {
    play(
        "
        order     1 buy 100 PETR4 limit 10.00
        order     1 buy 100 PETR4 limit 10.00
        ",
    );
}
