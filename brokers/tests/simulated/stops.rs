//! Stop-limit orders: what wakes them, and that they are limit orders from then on.

use crate::floor::play;

#[test]
fn a_trade_that_reaches_the_stop_wakes_it_and_is_not_one_it_takes_part_in() {
    play(
        "
        send      10:00:01 A buy 100 PETR4 stop 10.10 limit 10.20    -> A new
        send      10:00:01 B sell 100 PETR4 stop 9.90 limit 9.80     -> B new
        trade     10:00:02 PETR4 10.09x500
        trade     10:00:03 PETR4 10.10x500                           # wakes A
        trade     10:00:04 PETR4 10.19x500                           -> A fill 100 @ 10.20
        trade     10:00:05 PETR4 9.91x500
        trade     10:00:06 PETR4 9.90x500                            # wakes B
        trade     10:00:07 PETR4 9.80x500                            # at its limit, not through it
        trade     10:00:08 PETR4 9.81x500                            -> B fill 100 @ 9.80
        ",
    );
}

#[test]
fn a_quote_that_reaches_the_stop_is_one_it_can_trade_on() {
    play(
        "
        send      10:00:01 A buy 100 PETR4 stop 10.10 limit 10.20    -> A new
        send      10:00:01 B sell 100 PETR4 stop 9.90 limit 9.80     -> B new
        quote     10:00:02 PETR4 9.91x500 10.09x500
        quote     10:00:03 PETR4 9.91x500 10.10x500                  -> A fill 100 @ 10.10
        quote     10:00:04 PETR4 9.79x500 9.95x500                   # wakes B beyond its limit
        quote     10:00:05 PETR4 9.78x500 9.95x500
        quote     10:00:06 PETR4 9.85x500 9.95x500                   -> B fill 100 @ 9.80
        ",
    );
}

#[test]
fn a_bar_wakes_it_at_the_stop_or_at_an_open_beyond_it() {
    for (side, stop, limit, bar, fill) in [
        ("buy", "10.20", "10.30", "10.00 10.40 9.90 10.35", "10.20"), // at the stop
        ("buy", "10.20", "10.30", "10.25 10.40 9.90 10.35", "10.25"), // the open gapped over it
        ("buy", "10.20", "10.30", "10.35 10.40 9.90 10.35", ""),      // and beyond the limit
        ("buy", "10.20", "10.30", "10.00 10.19 9.90 10.10", ""),      // never reached
        ("sell", "9.80", "9.70", "10.00 10.40 9.60 9.65", "9.80"),
        ("sell", "9.80", "9.70", "9.75 10.40 9.60 9.65", "9.75"),
        ("sell", "9.80", "9.70", "9.65 10.40 9.60 9.65", ""),
    ] {
        let report = if fill.is_empty() { String::new() } else { format!("-> A fill 100 @ {fill}") };
        play(&format!(
            "
            bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
            send      10:01 A {side} 100 PETR4 stop {stop} limit {limit}   -> A new
            bar       10:02 PETR4 {bar} 1000                     {report}
            "
        ));
    }
}

#[test]
fn a_stop_that_came_within_the_bar_sees_only_the_close() {
    play(
        "
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
        send      10:01:30 A buy 100 PETR4 stop 10.20 limit 10.30    -> A new
        bar       10:02 PETR4 10.00 10.40 9.90 10.19 1000            # the high was before, perhaps
        send      10:02:30 B buy 100 PETR4 stop 10.20 limit 10.30    -> B new
        bar       10:03 PETR4 10.00 10.19 9.90 10.19 1000
        send      10:03:30 C buy 100 PETR4 stop 10.20 limit 10.30    -> C new
        bar       10:04 PETR4 10.00 10.25 9.90 10.25 1000            -> A fill 100 @ 10.20; B fill 100 @ 10.20; C fill 100 @ 10.25
        ",
    );
}

#[test]
fn once_awake_it_is_a_limit_order() {
    // Woken beyond its limit: the next bar's open, its own price, an auction, the queue.
    let woken = "
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
        send      10:01 A buy 100 PETR4 stop 10.20 limit 10.30       -> A new
        bar       10:02 PETR4 10.40 10.50 10.40 10.40 1000";
    for then in [
        "bar       10:03 PETR4 10.25 10.50 10.20 10.40 1000           -> A fill 100 @ 10.25",
        "bar       10:03 PETR4 10.35 10.50 10.29 10.40 1000           -> A fill 100 @ 10.30",
        "bar       10:03 PETR4 10.35 10.50 10.30 10.40 1000",
        "auction   10:03 PETR4 closing 10.10x1000                     -> A fill 100 @ 10.10",
        "quote     10:03 PETR4 10.10x500 10.15x500                    -> A fill 100 @ 10.15",
        "trade     10:03 PETR4 10.29x500                              -> A fill 100 @ 10.30",
    ] {
        play(&format!("{woken}\n{then}"));
    }
    play(
        "
        settings  rule queue
        quote     10:00:00 PETR4 10.00x100 10.05x500
        send      10:00:01 A sell 100 PETR4 stop 10.00 limit 9.98    -> A new
        quote     10:00:02 PETR4 9.95x100 9.98x300                   # wakes it at the best ask, behind 300
        trade     10:00:04 PETR4 9.98x300
        trade     10:00:05 PETR4 9.98x100                            -> A fill 100 @ 9.98
        ",
    );
}

#[test]
fn an_auction_wakes_it_for_what_comes_after() {
    play(
        "
        phase     09:45 pre_open
        send      09:50 A buy 100 PETR4 stop 10.20 limit 10.30       -> A new
        auction   10:00 PETR4 opening 10.25x1000
        phase     10:00 continuous
        quote     10:00:01 PETR4 10.10x500 10.15x500                 -> A fill 100 @ 10.15
        ",
    );
}
