//! Quotes and trades: market and limit orders on both sides, slippage, size shown, queue.

use crate::floor::play;

#[test]
fn a_market_order_takes_the_opposite_side_moved_by_the_slippage_up_to_the_size_shown() {
    play(
        "
        settings  slippage 2
        send      10:00:01 A buy 300 PETR4 market            -> A new
        send      10:00:01 B sell 300 PETR4 market           -> B new
        quote     10:00:02 PETR4 9.99x200 10.00x100          -> A fill 100 @ 10.02; B fill 200 @ 9.97
        quote     10:00:03 PETR4 9.98x500 10.05x500          -> A fill 200 @ 10.07; B fill 100 @ 9.96
        quote     10:00:04 PETR4 9.98x500 10.05x500
        ",
    );
}

#[test]
fn a_limit_order_that_is_marketable_on_arrival_takes_the_opposite_side() {
    play(
        "
        settings  slippage 5                                 # a limit order does not slip
        send      10:00:01 A buy 300 PETR4 limit 10.00       -> A new
        send      10:00:01 B sell 300 PETR4 limit 9.90       -> B new
        quote     10:00:02 PETR4 9.95x500 9.98x200           -> A fill 200 @ 9.98; B fill 300 @ 9.95
        ",
    );
}

#[test]
fn a_resting_limit_order_trades_at_its_own_price_once_the_opposite_side_reaches_it() {
    play(
        "
        send      10:00:01 A buy 200 PETR4 limit 9.97        -> A new
        send      10:00:01 B sell 200 PETR4 limit 10.03      -> B new
        quote     10:00:02 PETR4 9.99x500 10.00x500
        quote     10:00:03 PETR4 9.95x500 9.97x100           -> A fill 100 @ 9.97
        quote     10:00:04 PETR4 9.90x500 9.91x500           -> A fill 100 @ 9.97
        quote     10:00:05 PETR4 10.02x500 10.04x500
        quote     10:00:06 PETR4 10.50x500 10.51x500         -> B fill 200 @ 10.03
        ",
    );
}

#[test]
fn two_orders_share_the_size_that_a_quote_shows() {
    play(
        "
        send      10:00:01 A buy 200 PETR4 limit 10.00       -> A new
        send      10:00:01 B buy 200 PETR4 market            -> B new
        send      10:00:01 C sell 200 PETR4 market           -> C new
        quote     10:00:02 PETR4 9.99x500 10.00x300          -> A fill 200 @ 10.00; B fill 100 @ 10.00; C fill 200 @ 9.99
        quote     10:00:03 PETR4 9.99x500 10.00x300          -> B fill 100 @ 10.00
        ",
    );
}

#[test]
fn a_market_order_takes_a_trades_price_moved_by_the_slippage() {
    play(
        "
        settings  slippage 1
        send      10:00:01 A buy 100 PETR4 market            -> A new
        send      10:00:01 B sell 100 PETR4 market           -> B new
        trade     10:00:02 PETR4 10.00x500                   -> A fill 100 @ 10.01; B fill 100 @ 9.99
        ",
    );
}

#[test]
fn a_limit_order_fills_at_its_own_price_when_a_trade_goes_through_it_and_not_at_it() {
    play(
        "
        send      10:00:01 A buy 100 PETR4 limit 10.00       -> A new
        send      10:00:01 B sell 100 PETR4 limit 10.10      -> B new
        trade     10:00:02 PETR4 10.05x500
        trade     10:00:03 PETR4 10.00x500
        trade     10:00:04 PETR4 9.99x500                    -> A fill 100 @ 10.00
        trade     10:00:05 PETR4 10.10x500
        trade     10:00:06 PETR4 10.50x500                   -> B fill 100 @ 10.10
        ",
    );
}

#[test]
fn under_the_queue_rule_the_size_shown_when_it_came_to_rest_trades_first() {
    play(
        "
        settings  rule queue
        quote     10:00:00 PETR4 10.00x300 10.02x500
        send      10:00:01 A buy 200 PETR4 limit 10.00       -> A new
        quote     10:00:02 PETR4 10.00x900 10.02x500         # those came behind it
        trade     10:00:03 PETR4 10.00x200
        trade     10:00:04 PETR4 10.00x100                   # the last of those ahead
        trade     10:00:05 PETR4 10.00x100                   -> A fill 100 @ 10.00
        trade     10:00:06 PETR4 10.00x500                   -> A fill 100 @ 10.00
        ",
    );
    play(
        "
        settings  rule queue
        quote     10:00:00 PETR4 9.98x300 10.00x300
        send      10:00:01 A sell 300 PETR4 limit 10.00      -> A new
        trade     10:00:03 PETR4 10.00x500                   -> A fill 200 @ 10.00
        trade     10:00:04 PETR4 10.01x500                   -> A fill 100 @ 10.00
        ",
    );
}

#[test]
fn an_order_that_betters_the_best_price_stands_first() {
    play(
        "
        settings  rule queue
        quote     10:00:00 PETR4 10.00x300 10.02x500
        send      10:00:01 A buy 200 PETR4 limit 10.01       -> A new
        quote     10:00:02 PETR4 10.01x500 10.02x500         # those came behind it
        trade     10:00:03 PETR4 10.01x100                   -> A fill 100 @ 10.01
        ",
    );
}

#[test]
fn an_order_deeper_in_the_book_finds_its_place_when_its_price_becomes_the_best() {
    play(
        "
        settings  rule queue
        quote     10:00:00 PETR4 10.00x300 10.02x500
        send      10:00:01 A buy 200 PETR4 limit 9.98        -> A new
        quote     10:00:02 PETR4 9.99x300 10.02x500
        quote     10:00:03 PETR4 9.98x400 10.02x500          # 400 at its price, taken to be before it
        quote     10:00:04 PETR4 9.98x100 10.02x500
        trade     10:00:05 PETR4 9.98x400
        trade     10:00:06 PETR4 9.98x100                    -> A fill 100 @ 9.98
        ",
    );
}

#[test]
fn two_orders_in_the_same_queue_do_not_both_take_the_same_trade() {
    play(
        "
        settings  rule queue
        quote     10:00:00 PETR4 10.00x100 10.02x500
        send      10:00:01 A buy 200 PETR4 limit 10.00       -> A new
        send      10:00:01 B buy 200 PETR4 limit 10.00       -> B new
        trade     10:00:02 PETR4 10.00x400                   -> A fill 200 @ 10.00; B fill 100 @ 10.00
        ",
    );
}

#[test]
fn quotes_and_trades_outside_continuous_trading_are_indicative() {
    for phase in
        ["pre_open", "opening_auction", "auction", "halt", "circuit_breaker", "closing_auction", "cancel_after"]
    {
        play(&format!(
            "
            send      10:00:01 A buy 100 PETR4 limit 10.00       -> A new
            phase     10:00:02 {phase}
            quote     10:00:03 PETR4 9.00x500 9.01x500
            trade     10:00:03 PETR4 9.00x500
            phase     10:00:04 after_market
            quote     10:00:05 PETR4 9.00x500 9.01x500           -> A fill 100 @ 9.01
            "
        ));
    }
}

#[test]
fn an_unsound_event_meets_nobody() {
    play(
        "
        send      10:00:01 A buy 100 PETR4 limit 10.00       -> A new
        send      10:00:01 B sell 100 PETR4 market           -> B new
        quote     10:00:02 PETR4 9.99x500 0x0
        quote     10:00:03 PETR4 9.99x500 9.98x500
        trade     10:00:04 PETR4 0x500
        bar       10:01 PETR4 9.00 8.00 9.50 9.00 500
        quote     10:01:02 PETR4 9.99x500 10.00x500          -> A fill 100 @ 10.00; B fill 100 @ 9.99
        ",
    );
}
