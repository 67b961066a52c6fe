//! Participation: a share of the volume, in whole lots, shared by our orders and by a day's pieces.

use crate::floor::play;

#[test]
fn fills_take_a_share_of_the_volume_in_whole_lots() {
    play(
        "
        settings  participation 0.1
        send      10:00:01 A buy 1000 PETR4 market                   -> A new
        trade     10:00:02 PETR4 10.00x999                           # 99 units: no whole lot
        trade     10:00:03 PETR4 10.00x1000                          -> A fill 100 @ 10.00
        trade     10:00:04 PETR4 10.00x2999                          -> A fill 200 @ 10.00
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 4000           -> A fill 400 @ 10.00
        auction   10:02 PETR4 intraday 10.00x9000                    -> A fill 300 @ 10.00
        ",
    );
}

#[test]
fn the_fractional_market_trades_single_units_up_to_99() {
    play(
        "
        settings  participation 0.1
        send      10:00:01 A buy 100 PETR4F market   -> A rejected: quantity 100 is above the market's maximum 99
        send      10:00:01 B buy 99 PETR4F market                    -> B new
        send      10:00:01 C buy 99 PETR4 market     -> C rejected: quantity 99 is not a multiple of the lot 100
        trade     10:00:02 PETR4F 10.00x10                           -> B fill 1 @ 10.00
        trade     10:00:03 PETR4F 10.00x55                           -> B fill 5 @ 10.00
        trade     10:00:04 PETR4 10.00x5000
        trade     10:00:05 PETR4F 10.00x5000                         -> B fill 93 @ 10.00
        ",
    );
}

#[test]
fn our_orders_share_the_volume_in_the_order_they_arrived() {
    play(
        "
        settings  participation 0.1
        send      10:00:01 A buy 200 PETR4 market                    -> A new
        send      10:00:02 B sell 200 PETR4 market                   -> B new
        send      10:00:03 C buy 200 PETR4 market                    -> C new
        trade     10:00:04 PETR4 10.00x3000                          -> A fill 200 @ 10.00; B fill 100 @ 10.00
        trade     10:00:05 PETR4 10.00x3000                          -> B fill 100 @ 10.00; C fill 200 @ 10.00
        ",
    );
}

#[test]
fn a_changed_order_goes_to_the_end_of_our_orders() {
    play(
        "
        settings  participation 0.1
        send      10:00:01 A buy 200 PETR4 limit 10.50               -> A new
        send      10:00:02 B buy 200 PETR4 limit 10.50               -> B new
        replace   10:00:03 A 200 @ 10.60                             -> A replaced 200 @ 10.60
        trade     10:00:04 PETR4 10.00x3000                          -> B fill 200 @ 10.50; A fill 100 @ 10.60
        ",
    );
}

#[test]
fn a_daily_file_offers_one_share_of_the_day_in_all() {
    play(
        "
        settings  participation 0.1
        phase     09:45 pre_open
        send      09:50 A buy 300 PETR4 auction                      -> A new
        send      09:50 B buy 400 PETR4 limit 10.50                  -> B new
        send      09:50 C sell 900 PETR4 auction close               -> C new
        auction   10:00 PETR4 opening 10.00x4000                     -> A fill 300 @ 10.00; B fill 100 @ 10.00
        bar       17:00 PETR4 10.00 10.50 9.50 10.20 5000 match      -> B fill 100 @ 10.00
        auction   17:00 PETR4 closing 10.20x5000                     -> C expired
        day       2025-06-13
        phase     09:45 pre_open                                     -> B expired
        send      09:50 E buy 500 PETR4 auction                      -> E new
        auction   10:00 PETR4 opening 10.00x4000                     -> E fill 400 @ 10.00; E expired
        ",
    );
}

#[test]
fn intraday_bars_have_a_volume_each() {
    play(
        "
        settings  participation 0.1
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
        send      10:01 A buy 300 PETR4 market                       -> A new
        bar       10:02 PETR4 10.00 10.00 10.00 10.00 1000           -> A fill 100 @ 10.00
        bar       10:03 PETR4 10.00 10.00 10.00 10.00 1000           -> A fill 100 @ 10.00
        bar       10:04 PETR4 10.00 10.00 10.00 10.00 0
        bar       10:05 PETR4 10.00 10.00 10.00 10.00 1000           -> A fill 100 @ 10.00
        ",
    );
}

#[test]
fn fill_or_kill_needs_the_whole_of_it() {
    play(
        "
        settings  participation 0.1
        send      10:00:01 A buy 200 PETR4 limit 10.00 fok           -> A new
        send      10:00:01 B buy 300 PETR4 limit 10.00 fok           -> B new
        send      10:00:01 C buy 200 PETR4 limit 10.00 fok           -> C new
        trade     10:00:02 PETR4 9.99x4000                           -> A fill 200 @ 10.00; C fill 200 @ 10.00; B canceled: fill or kill
        send      10:00:03 D buy 200 PETR4 limit 10.00 fok           -> D new
        send      10:00:03 E buy 200 PETR4 market fok                -> E new
        quote     10:00:04 PETR4 9.99x500 10.00x300                  -> D fill 200 @ 10.00; E canceled: fill or kill
        ",
    );
}
