//! Call auctions: who joins, at which price, and what is left of them.

use crate::floor::play;

#[test]
fn everything_strictly_better_than_the_print_trades_at_the_print() {
    for (terms, fill) in [
        ("buy 100 PETR4 market", "10.00"),
        ("buy 100 PETR4 limit 10.01", "10.00"),
        ("buy 100 PETR4 limit 10.00", ""), // equal: who is served is not known
        ("buy 100 PETR4 limit 9.99", ""),
        ("sell 100 PETR4 limit 9.99", "10.00"),
        ("sell 100 PETR4 limit 10.00", ""),
        ("buy 100 PETR4 auction", "10.00"),
        ("sell 100 PETR4 auction", "10.00"),
        ("buy 100 PETR4 auction limit 10.01", "10.00"),
    ] {
        let report = if fill.is_empty() { String::new() } else { format!("-> A fill 100 @ {fill}") };
        for kind in ["opening", "intraday", "closing"] {
            play(&format!(
                "
                settings  slippage 3                                 # an auction has one price for all
                phase     09:45 pre_open
                send      09:50 A {terms}                            -> A new
                auction   10:00 PETR4 {kind} 10.00x1000              {report}
                "
            ));
        }
    }
}

#[test]
fn an_auction_order_ends_with_the_next_auction() {
    play(
        "
        phase     09:45 pre_open
        send      09:50 A buy 100 PETR4 auction limit 10.00          -> A new
        send      09:50 B buy 300 PETR4 auction                      -> B new
        send      09:50 C buy 100 PETR4 limit 10.00                  -> C new
        quote     09:55 PETR4 9.00x500 9.01x500
        auction   10:00 PETR4 opening 10.00x200                      -> B fill 200 @ 10.00; A expired; B expired
        find      A -> ended 0
        find      B -> ended 200
        find      C -> open 0
        phase     10:00 continuous
        send      10:01 D sell 100 PETR4 auction                     -> D new
        quote     10:02 PETR4 11.00x500 11.01x500                    # only an auction concerns it
        bar       10:03 PETR4 11.00 11.50 10.50 11.00 1000
        auction   17:00 PETR4 closing 11.00x1000                     -> D fill 100 @ 11.00
        ",
    );
}

#[test]
fn an_order_for_the_close_sleeps_through_the_opening() {
    play(
        "
        phase     09:45 pre_open
        send      09:50 A buy 100 PETR4 auction close                -> A new
        send      09:50 B buy 100 PETR4 auction limit 11.00 close    -> B new
        auction   10:00 PETR4 opening 10.00x1000
        auction   12:00 PETR4 intraday 10.50x1000
        auction   17:00 PETR4 closing 11.00x1000                     -> A fill 100 @ 11.00; B expired
        ",
    );
}

#[test]
fn an_order_that_was_not_served_in_the_auction_rests_at_its_price() {
    // Equal to the print it had no claim; the open of the day's range is that very print.
    play(
        "
        phase     09:45 pre_open
        send      09:50 A buy 100 PETR4 limit 10.00                  -> A new
        auction   10:00 PETR4 opening 10.00x1000
        bar       17:00 PETR4 10.00 10.50 10.00 10.20 1000 match
        auction   17:00 PETR4 closing 10.20x1000
        ",
    );
    play(
        "
        phase     09:45 pre_open
        send      09:50 A buy 100 PETR4 limit 10.00                  -> A new
        auction   10:00 PETR4 opening 10.05x1000
        phase     10:00 continuous
        quote     10:00:01 PETR4 9.90x500 9.95x500                   -> A fill 100 @ 10.00
        ",
    );
}

#[test]
fn an_order_that_comes_after_the_print_waits_for_the_next() {
    play(
        "
        settings  latency 2000
        phase     09:45 pre_open
        send      09:59:58 A buy 100 PETR4 auction
        send      09:59:59 B buy 100 PETR4 auction
        auction   10:00:00 PETR4 opening 10.00x1000                  -> A new; A fill 100 @ 10.00
        auction   17:00 PETR4 closing 11.00x1000                     -> B new at 10:00:01.000; B fill 100 @ 11.00
        ",
    );
}

#[test]
fn immediate_orders_end_with_an_auction_that_they_meet() {
    play(
        "
        send      10:00:01 A buy 300 PETR4 limit 10.50 ioc           -> A new
        send      10:00:01 B buy 300 PETR4 limit 9.00 fok            -> B new
        auction   12:00 PETR4 intraday 10.00x200                     -> A fill 200 @ 10.00; A canceled: immediate or cancel; B canceled: fill or kill
        ",
    );
}
