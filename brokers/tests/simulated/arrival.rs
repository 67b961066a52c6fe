//! When orders, cancels and replaces arrive, what they meet, and what the exchange refuses.

use crate::floor::play;

#[test]
fn an_order_never_meets_the_event_it_was_decided_on() {
    for (event, fill) in [
        ("quote     10:00 PETR4 9.99x500 10.00x500", "10.00"),
        ("trade     10:00 PETR4 10.00x500", "10.00"),
        ("bar       10:00 PETR4 10.00 10.00 10.00 10.00 500", "10.00"),
        ("auction   10:00 PETR4 opening 10.00x500", "10.00"),
    ] {
        // Not the event before it, but the next one, even with the same time.
        play(&format!(
            "
            {event}
            send      10:00 A buy 100 PETR4 market               -> A new
            {event}                                              -> A fill 100 @ {fill}
            "
        ));
    }
}

#[test]
fn with_latency_it_meets_the_first_event_after_its_arrival() {
    play(
        "
        settings  latency 500
        send      10:00:00 A buy 100 PETR4 market
        find      A -> open 0
        quote     10:00:00.499 PETR4 9.99x500 10.00x500
        quote     10:00:00.500 PETR4 9.98x500 10.01x500      -> A new; A fill 100 @ 10.01
        send      10:00:01 B buy 100 PETR4 market
        time      10:00:01.400
        time      10:00:02                                   -> B new at 10:00:01.500
        quote     10:00:02 PETR4 9.98x500 10.02x500          -> B fill 100 @ 10.02
        ",
    );
}

#[test]
fn latency_makes_an_order_miss_the_open_of_a_bar() {
    play(
        "
        settings  latency 1
        bar       10:01 PETR4 10.00 10.00 10.00 10.00 1000
        send      10:01 A buy 100 PETR4 market
        bar       10:02 PETR4 10.10 10.50 9.50 10.20 1000    -> A new at 10:01:00.001; A fill 100 @ 10.20
        ",
    );
}

#[test]
fn a_cancel_travels_as_long_as_an_order() {
    play(
        "
        settings  latency 500
        send      10:00:00 A buy 200 PETR4 limit 10.00
        cancel    10:00:00.100 A
        quote     10:00:00.550 PETR4 9.98x500 9.99x100       -> A new at 10:00:00.500; A fill 100 @ 9.99
        quote     10:00:01 PETR4 9.98x500 9.99x100           -> A canceled at 10:00:00.600
        cancel    10:00:02 A
        time      10:00:03                                   -> A cancel_rejected: too late or unknown order at 10:00:02.500
        cancel    10:00:04 Z
        time      10:00:05                                   -> Z cancel_rejected: too late or unknown order at 10:00:04.500
        find      A -> ended 100
        find      Z -> unknown
        ",
    );
}

#[test]
fn a_replace_puts_the_order_on_new_terms_and_at_the_end() {
    play(
        "
        send      10:00:01 A buy 300 PETR4 limit 9.90        -> A new
        quote     10:00:02 PETR4 9.95x500 10.00x100
        replace   10:00:03 A 400 @ 10.10                     -> A replaced 400 @ 10.10
        quote     10:00:04 PETR4 9.95x500 10.00x100          -> A fill 100 @ 10.00
        replace   10:00:05 A 200                             -> A replaced 200
        quote     10:00:06 PETR4 9.95x500 10.00x500          -> A fill 100 @ 10.00
        replace   10:00:07 A 500                             -> A replace_rejected: too late, unknown order, or quantity has traded
        ",
    );
}

#[test]
fn a_replace_loses_the_place_in_the_queue() {
    play(
        "
        settings  rule queue
        quote     10:00:00 PETR4 10.00x100 10.05x500
        send      10:00:01 A buy 200 PETR4 limit 10.00       -> A new
        quote     10:00:02 PETR4 10.00x400 10.05x500
        replace   10:00:03 A 300                             -> A replaced 300
        trade     10:00:04 PETR4 10.00x400
        trade     10:00:05 PETR4 10.00x400                   -> A fill 300 @ 10.00
        ",
    );
}

#[test]
fn a_replace_is_checked_as_an_order_is() {
    play(
        "
        send      10:00:01 A buy 300 PETR4 limit 9.90        -> A new
        replace   10:00:03 A 350 @ 9.90                      -> A replace_rejected: quantity 350 is not a multiple of the lot 100
        replace   10:00:03 A 300 @ 9.905                     -> A replace_rejected: price 9.905 is not a multiple of the tick 0.01
        send      10:00:04 B buy 90 PETR4F limit 9.90        -> B new
        replace   10:00:05 B 100 @ 9.90                      -> B replace_rejected: quantity 100 is above the market's maximum 99
        send      10:00:06 C buy 100 PETR4 stop 10.00 limit 10.10   -> C new
        replace   10:00:07 C 100 @ 10.00                     -> C replaced 100 @ 10.00
        quote     10:00:08 PETR4 9.80x500 9.85x500           -> A fill 300 @ 9.85
        ",
    );
    play(
        "
        send      10:00:01 A buy 300 PETR4 limit 9.90        -> A new
        trade     10:00:02 PETR4 9.80x200                    -> A fill 200 @ 9.90
        replace   10:00:03 A 200 @ 9.90                      -> A replace_rejected: too late, unknown order, or quantity has traded
        phase     10:00:04 halt
        replace   10:00:05 A 400 @ 9.90                      -> A replace_rejected: too late, unknown order, or quantity has traded
        find      A -> open 200
        ",
    );
}

#[test]
fn a_name_used_twice_is_refused() {
    play(
        "
        settings  latency 100
        send      10:00:01 A buy 300 PETR4 limit 9.90
        send      10:00:01 A sell 100 PETR4 limit 9.90
        time      10:00:02                                   -> A new at 10:00:01.100; A rejected: duplicate client order id at 10:00:01.100
        trade     10:00:03 PETR4 9.80x500                    -> A fill 300 @ 9.90
        send      10:00:04 A buy 300 PETR4 limit 9.90
        time      10:00:05                                   -> A rejected: duplicate client order id at 10:00:04.100
        ",
    );
}

#[test]
fn what_each_phase_takes() {
    let closed = "not accepted in phase";
    for (phase, limit, auction, cancels) in [
        ("unknown", false, false, true),
        ("closed", false, false, false),
        ("cancel_only", false, false, true),
        ("pre_open", true, true, true),
        ("opening_auction", true, true, true),
        ("continuous", true, true, true),
        ("auction", true, true, true),
        ("halt", false, false, true),
        ("circuit_breaker", false, false, true),
        ("closing_auction", true, true, true),
        ("cancel_after", false, false, true),
    ] {
        let taken = |letter: char, takes: bool| {
            if takes { format!("{letter} new") } else { format!("{letter} rejected: {closed} {phase}") }
        };
        let canceled = if cancels { "A canceled".to_owned() } else { format!("A cancel_rejected: {closed} {phase}") };
        play(&format!(
            "
            send      10:00:01 A buy 100 PETR4 limit 9.90 gtc    -> A new
            phase     10:00:02 {phase}
            send      10:00:03 B buy 100 PETR4 limit 9.90        -> {}
            send      10:00:03 C buy 100 PETR4 auction           -> {}
            cancel    10:00:04 A                                 -> {canceled}
            ",
            taken('B', limit),
            taken('C', auction)
        ));
    }
    play(
        "
        phase     17:30 after_market
        send      17:31 A buy 100 PETR4 limit 9.90           -> A new
        send      17:31 B buy 100 PETR4 auction              -> B rejected: not accepted in phase after_market
        ",
    );
}

#[test]
fn an_order_on_its_way_at_the_close_is_refused() {
    play(
        "
        settings  latency 1000
        send      16:59:59.500 A buy 100 PETR4 limit 9.90
        phase     17:00:00 closed
        time      17:00:01                                   -> A rejected: not accepted in phase closed at 17:00:00.500
        send      17:00:02 B buy 100 PETR4 limit 9.90
        day       2025-06-13
        phase     09:45 pre_open                             -> B rejected: not accepted in phase closed at 17:00:03.000
        ",
    );
}

#[test]
fn an_unknown_instrument_is_refused() {
    play(
        "
        send      10:00:01 A buy 100 NOPE3 limit 9.90        -> A rejected: unknown instrument
        trade     10:00:02 NOPE3 9.80x500
        ",
    );
}
