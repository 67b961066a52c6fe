//! How what is left of an order ends.

use crate::floor::play;

#[test]
fn immediate_or_cancel_ends_with_the_first_event_it_meets() {
    play(
        "
        send      10:00:01 A buy 300 PETR4 limit 10.00 ioc           -> A new
        send      10:00:01 B buy 300 PETR4 limit 9.00 ioc            -> B new
        send      10:00:01 C sell 300 PETR4 market ioc               -> C new
        trade     10:00:02 VALE3 60.00x500                           # another instrument's
        quote     10:00:03 PETR4 9.99x200 10.00x200                  -> A fill 200 @ 10.00; C fill 200 @ 9.99; A canceled: immediate or cancel; B canceled: immediate or cancel; C canceled: immediate or cancel
        find      A -> ended 200
        ",
    );
    play(
        "
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
        send      10:01 A buy 100 PETR4 limit 9.00 ioc               -> A new
        bar       10:02 PETR4 10.00 10.00 9.50 10.00 1000            -> A canceled: immediate or cancel
        ",
    );
}

#[test]
fn what_ends_with_the_session_and_what_does_not() {
    // 2025-06-12 is a Thursday; the 14th and 15th have no session.
    play(
        "
        send      10:00:01 A buy 100 PETR4 limit 9.00                -> A new
        send      10:00:01 B buy 100 PETR4 limit 9.00 gtc            -> B new
        send      10:00:01 C buy 100 PETR4 limit 9.00 gtd 2025-06-12 -> C new
        send      10:00:01 D buy 100 PETR4 limit 9.00 gtd 2025-06-13 -> D new
        send      10:00:01 E buy 100 PETR4 limit 9.00 gtd 2025-06-14 -> E new
        send      10:00:01 F buy 100 PETR4 limit 9.00 gtd 2025-06-16 -> F new
        send      10:00:01 G buy 100 VALE3 limit 9.00 ioc            -> G new
        send      10:00:01 H buy 100 VALE3 stop 99.00 limit 99.00    -> H new
        send      10:00:01 I buy 100 VALE3 market                    -> I new
        phase     17:00 closed                                       -> A expired; C expired; G expired; H expired; I expired
        day       2025-06-13
        phase     09:45 pre_open
        phase     17:00 closed                                       -> D expired
        day       2025-06-16
        phase     09:45 pre_open                                     -> E expired
        phase     17:00 closed                                       -> F expired
        day       2025-06-17
        phase     09:45 pre_open
        find      B -> open 0
        ",
    );
}

#[test]
fn a_day_order_ends_with_its_day_where_no_close_is_ever_told() {
    play(
        "
        phase     00:00 continuous
        send      10:00 A buy 100 PETR4 limit 9.00                   -> A new
        send      10:00 B buy 100 PETR4 limit 9.00 gtc               -> B new
        day       2025-06-13
        phase     00:00 continuous                                   -> A expired
        find      B -> open 0
        ",
    );
}

#[test]
fn a_phase_within_the_session_ends_nothing() {
    play(
        "
        phase     09:45 pre_open
        send      09:50 A buy 100 PETR4 limit 9.00                   -> A new
        phase     10:00 continuous
        phase     16:55 closing_auction
        find      A -> open 0
        ",
    );
}

#[test]
fn ended_orders_stay_known_so_that_their_identifiers_cannot_come_again() {
    play(
        "
        phase     09:45 pre_open
        send      09:50 A buy 100 PETR4 limit 9.00                   -> A new
        phase     17:00 closed                                       -> A expired
        day       2025-06-13
        phase     09:45 pre_open
        find      A -> unknown
        send      09:50 A buy 100 PETR4 limit 9.00                   -> A rejected: duplicate client order id
        find      A -> ended 0
        ",
    );
}

#[test]
fn a_mass_cancel_takes_everything_that_rests_whoever_placed_it_and_however_long_it_was_to_stay() {
    play(
        "
        settings    latency 100
        send        10:00:01 A buy 100 PETR4 limit 9.00
        send        10:00:01 B buy 100 VALE3 limit 9.00 gtc
        time        10:00:01.100                              -> A new; B new
        mass_cancel 10:00:02
        heard       ->
        send        10:00:02 C buy 100 PETR4 limit 9.00
        time        10:00:02.100                              -> A canceled; B canceled; C new
        heard       -> 2 canceled, 0 open
        phase       17:00 closed                              -> C expired
        ",
    );
    play(
        "
        send        10:00:01 A buy 100 PETR4 limit 9.00 gtc   -> A new
        phase       17:00 closed
        mass_cancel 17:00:01
        heard       -> 0 canceled, 1 open
        phase       17:25 pre_open
        mass_cancel 17:25:01                                  -> A canceled
        heard       -> 1 canceled, 0 open
        mass_cancel 17:25:02
        heard       -> 0 canceled, 0 open
        ",
    );
}
