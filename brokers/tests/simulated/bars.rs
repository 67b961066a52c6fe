//! Bars: open or close, range, and which of them an order may meet.

use crate::floor::play;

#[test]
fn a_market_order_that_came_before_the_bar_meets_its_open() {
    play(
        "
        settings  slippage 1
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
        send      10:01 A buy 100 PETR4 market               -> A new   # decided on the bar that ends here
        send      10:01 B sell 100 PETR4 market              -> B new
        bar       10:02 PETR4 10.10 10.50 9.50 10.20 1000    -> A fill 100 @ 10.11; B fill 100 @ 10.09
        ",
    );
}

#[test]
fn a_market_order_that_came_within_the_bar_meets_its_close() {
    play(
        "
        settings  slippage 1
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
        send      10:01:00.001 A buy 100 PETR4 market        -> A new
        bar       10:02 PETR4 10.10 10.50 9.50 10.20 1000    -> A fill 100 @ 10.21
        ",
    );
}

#[test]
fn where_a_bar_began_is_not_known_before_the_first() {
    play(
        "
        send      10:00 A buy 100 PETR4 market               -> A new
        bar       10:01 PETR4 10.10 10.50 9.50 10.20 1000    -> A fill 100 @ 10.20
        ",
    );
}

#[test]
fn a_limit_order_that_came_before_the_bar_meets_open_or_range() {
    // open 10.10, high 10.50, low 9.50, close 10.20
    for (side, limit, fill) in [
        ("buy", "10.20", "10.10"), // the open is better
        ("buy", "10.10", "10.10"),
        ("buy", "10.00", "10.00"), // the range goes through it
        ("buy", "9.51", "9.51"),
        ("buy", "9.50", ""), // the low touches it, no more
        ("buy", "9.49", ""),
        ("sell", "10.00", "10.10"),
        ("sell", "10.10", "10.10"),
        ("sell", "10.20", "10.20"),
        ("sell", "10.49", "10.49"),
        ("sell", "10.50", ""),
        ("sell", "10.51", ""),
    ] {
        let report = if fill.is_empty() { String::new() } else { format!("-> A fill 100 @ {fill}") };
        play(&format!(
            "
            bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
            send      10:01 A {side} 100 PETR4 limit {limit}     -> A new
            bar       10:02 PETR4 10.10 10.50 9.50 10.20 1000    {report}
            "
        ));
    }
}

#[test]
fn a_limit_order_that_came_within_the_bar_meets_only_its_close() {
    for (side, limit, fill) in [
        ("buy", "10.30", "10.20"),
        ("buy", "10.20", "10.20"),
        ("buy", "10.19", ""), // the low was lower, but perhaps before it came
        ("sell", "10.10", "10.20"),
        ("sell", "10.20", "10.20"),
        ("sell", "10.21", ""),
    ] {
        let report = if fill.is_empty() { String::new() } else { format!("-> A fill 100 @ {fill}") };
        play(&format!(
            "
            bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
            send      10:01:30 A {side} 100 PETR4 limit {limit}  -> A new
            bar       10:02 PETR4 10.10 10.50 9.50 10.20 1000    {report}
            "
        ));
    }
}

#[test]
fn quotes_and_trades_within_a_bar_do_not_begin_it() {
    // The order came after the open of 10.00 was made; the trade at 10:01:40 must not hide that.
    for event in [
        "trade     10:01:40 PETR4 10.40x100",
        "quote     10:01:40 PETR4 10.39x100 10.40x100",
        "auction   10:01:40 PETR4 intraday 10.40x100",
    ] {
        play(&format!(
            "
            bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
            send      10:01:30 A buy 100 PETR4 limit 10.30       -> A new
            {event}
            bar       10:02 PETR4 10.00 10.40 9.50 10.40 1000
            bar       10:03 PETR4 10.20 10.40 10.20 10.40 1000   -> A fill 100 @ 10.20
            "
        ));
    }
}

#[test]
fn a_resting_order_waits_through_bars() {
    play(
        "
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
        send      10:01 A buy 100 PETR4 limit 9.00           -> A new
        bar       10:02 PETR4 10.10 10.50 9.50 10.20 1000
        bar       10:03 PETR4 9.00 9.10 9.00 9.10 1000       # opens at its price: no more than a touch
        bar       10:04 PETR4 8.50 8.60 8.40 8.50 1000       -> A fill 100 @ 8.50
        ",
    );
}

#[test]
fn a_bar_that_is_only_to_decide_on_matches_nothing_and_begins_nothing() {
    play(
        "
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
        send      10:01 A buy 100 PETR4 limit 10.50          -> A new
        bar       10:01:30 PETR4 9.00 9.00 9.00 9.00 1000 decide
        send      10:01:40 B buy 100 PETR4 limit 10.50       -> B new
        bar       10:02 PETR4 10.10 10.50 9.50 10.20 1000    -> A fill 100 @ 10.10; B fill 100 @ 10.20
        ",
    );
}

#[test]
fn bars_match_in_any_phase_and_only_their_own_instrument() {
    play(
        "
        phase     09:45 pre_open
        bar       09:59 VALE3 60.00 60.00 60.00 60.00 1000
        send      09:59 A buy 100 PETR4 limit 10.50          -> A new
        send      09:59 B buy 100 VALE3 limit 61.00          -> B new
        bar       10:00 VALE3 60.00 60.00 60.00 60.00 1000   -> B fill 100 @ 60.00
        ",
    );
}
