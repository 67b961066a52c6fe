use market::history::CorporateActionKind;
use market::{InstrumentId, Money, Phase, Price, Quantity};
use proptest::prelude::*;

use super::*;
use crate::synthetic::{SOURCE, action, bar_of_steps, bar_on, day, midnight, sessions};

const SYMBOL: &str = "PETR4";

fn series(bars: &[HistoryBar]) -> Series<'_> {
    let interval = bars.first().map_or(Interval::Day, |bar| bar.interval);
    Series { source: SOURCE, symbol: SYMBOL.parse().unwrap(), interval, bars }
}

/// The rules that found something, on which day, and whether it quarantines.
fn found(bars: &[HistoryBar], index: &[IndexClose], context: Context<'_>) -> Vec<(&'static str, Timestamp, bool)> {
    let marks = check(series(bars), index, &Calendar::b3(), context).unwrap();
    marks.iter().map(|mark| (mark.rule.name(), mark.at, mark.quarantined)).collect()
}

/// The names only, of bars that stand alone.
fn names(bars: &[HistoryBar], index: &[IndexClose]) -> Vec<&'static str> {
    found(bars, index, Context::default()).into_iter().map(|(name, ..)| name).collect()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn closes(closes: &[&str]) -> Vec<HistoryBar> {
    sessions(closes.len())
        .iter()
        .zip(closes)
        .enumerate()
        .map(|(place, (date, close))| {
            let mut bar = bar_on(SYMBOL, *date, close);
            bar.volume = Quantity::new(1_000 + place as i64);
            bar
        })
        .collect()
}

fn flat_index(count: usize) -> Vec<IndexClose> {
    sessions(count).iter().map(|date| IndexClose { date: *date, close: price("100000") }).collect()
}

#[test]
fn every_rule_of_the_words_has_one_place_in_the_list() {
    let mut rules: Vec<QualityRule> = RULES.iter().map(|rule| rule.rule).collect();
    rules.sort();
    assert_eq!(rules, QualityRule::ALL);
}

#[test]
fn prices_of_one_bar() {
    let of = |open, high, low, close| {
        let mut bar = bar_on(SYMBOL, day(2024, 1, 2), "10");
        (bar.open, bar.high, bar.low, bar.close) = (price(open), price(high), price(low), price(close));
        [bar]
    };
    for (bar, expected) in [
        (of("10", "11", "9", "10"), vec![]),
        (of("9", "9", "9", "9"), vec![]),
        (of("11", "11", "9", "9"), vec![]),
        (of("10", "9", "11", "10"), vec!["high_below_low"]),
        (of("11.01", "11", "9", "10"), vec!["high_below_low"]),
        (of("10", "11", "9", "8.9999"), vec!["high_below_low"]),
        (of("0.01", "0.01", "0.00000001", "0.01"), vec![]),
        (of("10", "11", "0", "10"), vec!["zero_price"]),
        (of("0", "0", "0", "0"), vec!["zero_price"]),
        (of("-1", "1", "-1", "1"), vec!["zero_price"]),
    ] {
        assert_eq!(names(&bar, &[]), expected, "{bar:?}");
    }
}

#[test]
fn closed_days_and_unknown_ones() {
    for (date, expected) in [
        (day(2024, 1, 2), vec![]),
        (day(2024, 1, 1), vec!["phantom_session"]),
        (day(2024, 1, 6), vec!["phantom_session"]),
        // Before the calendar begins nothing is known, and nothing is said.
        (day(1990, 1, 1), vec![]),
    ] {
        assert_eq!(names(&[bar_on(SYMBOL, date, "10")], &[]), expected, "{date}");
    }
}

#[test]
fn missing_sessions_are_one_mark_a_run() {
    let all = closes(&["10"; 8]);
    for (left_out, expected) in [
        (vec![], vec![]),
        (vec![0], vec![]),
        (vec![7], vec![]),
        (vec![3], vec!["2024-01-05"]),
        (vec![1, 2, 5], vec!["2 sessions, 2024-01-03 to 2024-01-04", "2024-01-09"]),
    ] {
        let bars: Vec<HistoryBar> =
            (0..).zip(&all).filter(|(place, _)| !left_out.contains(place)).map(|(_, bar)| *bar).collect();
        let marks = check(series(&bars), &[], &Calendar::b3(), Context::default()).unwrap();
        assert_eq!(marks.iter().map(|mark| mark.detail.as_str()).collect::<Vec<_>>(), expected, "{left_out:?}");
    }
}

#[test]
fn holes_within_a_session_are_told_beyond_half_an_hour() {
    let session = Calendar::b3().session(day(2024, 1, 3)).unwrap();
    let span = *session.phases().iter().find(|span| span.phase == Phase::Continuous).unwrap();
    let minute = |number: i64| span.start.plus_nanos(number * 60 * market::time::NANOS_PER_SECOND);
    let length = span.end.nanos_since(span.start) / (60 * market::time::NANOS_PER_SECOND);
    let bars = |without: std::ops::Range<i64>| -> Vec<HistoryBar> {
        let bar = |number| HistoryBar {
            begin: minute(number),
            interval: Interval::MINUTE,
            ..bar_on(SYMBOL, day(2024, 1, 3), "10")
        };
        (0..length).filter(|number| !without.contains(number)).map(bar).collect()
    };
    for (without, expected) in [
        (0..0, None),
        (100..130, None),
        (100..131, Some(100)),
        (0..30, None),
        (0..31, Some(0)),
        (length - 31..length, Some(length - 31)),
    ] {
        let told = found(&bars(without.clone()), &[], Context::default());
        let expected: Vec<_> = expected.map(|number| ("missing_session", minute(number), false)).into_iter().collect();
        assert_eq!(told, expected, "{without:?}");
    }
}

#[test]
fn copies_are_told_from_quiet_shares() {
    let mut bars = closes(&["10", "10", "10"]);
    bars[1].volume = bars[0].volume;
    assert_eq!(names(&bars, &[]), [""; 0], "one lot at one price, twice");
    for bar in &mut bars {
        (bar.high, bar.low) = (price("10.50"), price("9.50"));
    }
    assert_eq!(names(&bars, &[]), ["repeated_price"], "a range and a volume, twice");
    bars[1].volume = Quantity::new(1_001);
    assert_eq!(names(&bars, &[]), [""; 0], "another volume");
}

#[test]
fn stale_runs_begin_at_a_week() {
    for (run, expected) in [(4, 0), (5, 5), (6, 6)] {
        let mut bars = closes(&["10"; 10]);
        bars.iter_mut().skip(2).take(run).for_each(|bar| bar.volume = Quantity::ZERO);
        assert_eq!(names(&bars, &[]), vec!["stale_run"; expected], "{run}");
        // A price that moves without volume is an index, not a stale share.
        let mut moves = closes(&["10", "11", "10", "11", "10", "11", "10", "11"]);
        moves.iter_mut().for_each(|bar| bar.volume = Quantity::ZERO);
        assert_eq!(names(&moves, &[]), [""; 0]);
    }
}

#[test]
fn spikes_go_away_and_come_back() {
    let calm = ["10"; 12];
    for (name, at, index_too, expected) in [
        ("a decimal point", "100", false, vec![("outlier_against_neighbours", true)]),
        ("half above", "15.1", false, vec![("outlier_against_neighbours", true)]),
        ("just below half above", "14.9", false, vec![("outlier_against_neighbours", false)]),
        ("a third below", "6.6", false, vec![("outlier_against_neighbours", true)]),
        ("a sixth above", "11.7", false, vec![("outlier_against_neighbours", false)]),
        ("less than 15 %", "11.5", false, vec![]),
        ("the whole market", "7", true, vec![]),
    ] {
        let mut figures = calm;
        figures[5] = at;
        let mut index = flat_index(12);
        if index_too {
            index[5].close = price("70000");
        }
        let marks = found(&closes(&figures), &index, Context::default());
        let marks: Vec<_> = marks.into_iter().map(|(rule, _, quarantined)| (rule, quarantined)).collect();
        assert_eq!(marks, expected, "{name}");
    }
}

#[test]
fn a_misdated_split_marks_and_the_right_price_stays() {
    let mut figures = ["10"; 12];
    figures[6..].fill("5");
    let bars = closes(&figures);
    let late = [action(CorporateActionKind::Split, bars[6].date(), "0", "2")];
    let context = Context { actions: &late, ..Context::default() };
    assert_eq!(found(&bars, &flat_index(12), context), [("outlier_against_neighbours", bars[6].begin, false)]);
}

#[test]
fn jumps_that_stay_are_held_against_the_index_and_the_corporate_actions() {
    let mut figures = ["10"; 12];
    figures[6..].fill("5");
    let bars = closes(&figures);
    let jump = vec![("outlier_against_index", bars[6].begin, false)];
    assert_eq!(found(&bars, &flat_index(12), Context::default()), jump);
    assert_eq!(found(&bars, &[], Context::default()), [], "no index, no opinion");
    let mut fell = flat_index(12);
    fell[6..].iter_mut().for_each(|close| close.close = price("52000"));
    assert_eq!(found(&bars, &fell, Context::default()), [], "the whole market");
    let split = [action(CorporateActionKind::Split, bars[5].date(), "0", "2")];
    let explained = Context { actions: &split, ..Context::default() };
    assert_eq!(found(&bars, &flat_index(12), explained), [], "a split");
    figures[6..].fill("8.1");
    assert_eq!(names(&closes(&figures), &flat_index(12)), [""; 0], "less than a fifth");
    figures[6..].fill("7.9");
    assert_eq!(names(&closes(&figures), &flat_index(12)), ["outlier_against_index"], "more than a fifth");
}

#[test]
fn units_without_trades_or_money() {
    for (volume, trades, turnover, expected) in [
        (100, Some(1), Some("1000"), 0),
        (0, Some(0), Some("0"), 0),
        (100, None, None, 0),
        (100, Some(0), None, 1),
        (100, Some(5), Some("0"), 1),
        (99_999, Some(0), Some("1000"), 1),
        // TOTNEG wraps at a hundred thousand.
        (100_000, Some(0), Some("1000"), 0),
        (100_000, Some(0), Some("0"), 1),
    ] {
        let mut bar = bar_on(SYMBOL, day(2024, 1, 2), "10");
        (bar.volume, bar.trades) = (Quantity::new(volume), trades);
        bar.turnover = turnover.map(|money| money.parse::<Money>().unwrap());
        assert_eq!(names(&[bar], &[]), vec!["volume_without_trades"; expected], "{volume} {trades:?} {turnover:?}");
    }
}

#[test]
fn quotes_and_ticks() {
    let quote = |at, bid: &str, ask: &str| Quote {
        at: Timestamp::from_nanos(at),
        instrument: InstrumentId::new(0),
        bid: price(bid),
        ask: price(ask),
        bid_size: Quantity::new(100),
        ask_size: Quantity::new(100),
    };
    let quotes = [quote(1, "10", "10.01"), quote(2, "10.01", "10.01"), quote(4, "10.02", "10.01"), quote(5, "0", "0")];
    let at = Timestamp::from_nanos;
    let context = Context { quotes: &quotes, ..Context::default() };
    let crossed = [("crossed_quote", at(2), true), ("crossed_quote", at(4), true)];
    assert_eq!(found(&[], &[], context), crossed);
    let ticks = [at(1), at(3), at(2), at(3), at(2)];
    let context = Context { ticks: &ticks, ..Context::default() };
    assert_eq!(found(&[], &[], context), [("out_of_order_tick", at(2), true)]);
    let quotes = [quote(7, "10", "10.01"), quote(6, "10", "10.01")];
    let context = Context { quotes: &quotes, ..Context::default() };
    assert_eq!(found(&[], &[], context), [("out_of_order_tick", at(6), true)]);
}

#[test]
fn of_two_sources_only_the_exchange_is_believed() {
    let bars = closes(&["10", "10.006", "10.0061", "9.9939", "10"]);
    let mut reference = closes(&["10", "10", "10", "10", "10"]);
    reference.remove(4);
    for is_exchange in [true, false] {
        let context = Context { reference: Some(Reference { bars: &reference, is_exchange }), ..Context::default() };
        let expected =
            [("sources_disagree", bars[2].begin, is_exchange), ("sources_disagree", bars[3].begin, is_exchange)];
        assert_eq!(found(&bars, &[], context), expected);
    }
}

#[test]
fn a_scaled_span_is_told_as_one() {
    let days = sessions(60);
    let bars = |factor: &dyn Fn(usize) -> i64| -> Vec<HistoryBar> {
        let bar =
            |(place, date): (usize, &Date)| bar_of_steps(SYMBOL, *date, (1_000 + place as i64) * factor(place) * 1_000);
        days.iter().enumerate().map(bar).collect()
    };
    let raw = bars(&|_| 10_000);
    let scaled = bars(&|place| if (10..50).contains(&place) { 9_832 } else { 10_000 });
    let comparison = sources_disagree::compare(&scaled, &raw);
    assert_eq!((comparison.sessions, comparison.off), (60, 40));
    assert!((comparison.median - 0.0168).abs() < 1e-9 && (comparison.largest - 0.0168).abs() < 1e-9);
    let [span] = &comparison.scaled[..] else { panic!("{comparison:?}") };
    assert_eq!((span.from, span.to, span.sessions), (days[10], days[49], 40));
    assert!((span.factor - 0.9832).abs() < 1e-9);
    // Shorter than a month is no span.
    let short = bars(&|place| if (10..30).contains(&place) { 9_832 } else { 10_000 });
    assert_eq!(sources_disagree::compare(&short, &raw).scaled, []);
}

#[test]
fn one_wrong_adjustment_is_one_mark() {
    let mut bars = closes(&["10", "10", "10", "9", "9"]);
    let paid = [action(CorporateActionKind::Dividend, bars[2].date(), "1", "1")];
    let context = Context { actions: &paid, ..Context::default() };
    for (adjusted, expected) in [
        (["9", "9", "9", "9", "9"], None),
        // A tenth of a percent is room, and what four decimals round.
        (["9.008", "9.008", "9.008", "9", "9"], None),
        (["9.02", "9.02", "9.02", "9", "9"], Some(3)),
        (["10", "10", "10", "9", "9"], Some(3)),
        (["8.1", "9", "9", "9", "9"], Some(1)),
    ] {
        bars.iter_mut().zip(adjusted).for_each(|(bar, adjusted)| bar.adjusted_close = Some(price(adjusted)));
        let expected: Vec<_> =
            expected.map(|at: usize| ("adjustment_disagrees", bars[at].begin, false)).into_iter().collect();
        assert_eq!(found(&bars, &[], context), expected, "{adjusted:?}");
    }
}

#[test]
fn clean_history_leaves_out_what_is_quarantined_only() {
    let mut bars = closes(&["10", "10", "10", "5"]);
    bars[1].low = Price::ZERO;
    let marks = check(series(&bars), &flat_index(4), &Calendar::b3(), Context::default()).unwrap();
    assert_eq!(marks.len(), 2, "{marks:?}");
    let kept: Vec<Date> = clean(&bars, &marks).map(HistoryBar::date).collect();
    assert_eq!(kept, [bars[0].date(), bars[2].date(), bars[3].date()]);
}

/// A share and an index that move by at most three percent a day, with every bar like a real one.
fn calm() -> impl Strategy<Value = (Vec<HistoryBar>, Vec<IndexClose>)> {
    prop::collection::vec((-300_i64..300, -300_i64..300, 100_i64..90_000), 60..90).prop_map(|days| {
        let (mut close, mut index) = (2_000_000_000_i64, 10_000_000_000_000_i64);
        let dates = sessions(days.len());
        let mut bars = Vec::new();
        let mut indices = Vec::new();
        for (place, ((growth, index_growth, volume), date)) in days.into_iter().zip(dates).enumerate() {
            let open = close;
            close += close / 10_000 * growth;
            index += index / 10_000 * index_growth;
            let mut bar = bar_of_steps(SYMBOL, date, close);
            bar.open = Price::from_steps(open);
            bar.high = Price::from_steps(open.max(close) + 1_000_000);
            bar.low = Price::from_steps(open.min(close) - 1_000_000);
            bar.volume = Quantity::new(volume * 100 + place as i64);
            bar.trades = Some(7);
            bar.adjusted_close = Some(bar.close);
            bars.push(bar);
            indices.push(IndexClose { date, close: Price::from_steps(index) });
        }
        (bars, indices)
    })
}

proptest! {
    #[test]
    fn a_clean_series_has_no_mark((bars, index) in calm()) {
        let reference = Some(Reference { bars: &bars, is_exchange: true });
        prop_assert_eq!(found(&bars, &index, Context { reference, ..Context::default() }), []);
    }

    #[test]
    fn a_defect_gives_its_mark_and_no_other((clean, index) in calm(), defect in 0_usize..11, at in any::<prop::sample::Index>()) {
        let place = 2 + at.index(clean.len() - 12);
        let mut bars = clean.clone();
        let mut reference = clean.clone();
        let begin = bars[place].begin;
        let expected = match defect {
            0 => {
                let saturday = (1..).map(|ahead| bars[place].date() + chrono::Days::new(ahead)).find(|date| Calendar::b3().is_session(*date) == Some(false)).unwrap();
                let after = bars.partition_point(|bar| bar.date() < saturday);
                let begin = midnight(saturday);
                bars.insert(after, HistoryBar { begin, volume: Quantity::ZERO, adjusted_close: None, ..bars[after - 1] });
                ("phantom_session", begin, true)
            }
            1 => {
                bars.remove(place);
                ("missing_session", begin, false)
            }
            2 => {
                bars[place].high = Price::from_steps(bars[place].low.steps() - 1);
                ("high_below_low", begin, true)
            }
            3 => {
                bars[place].low = Price::ZERO;
                ("zero_price", begin, true)
            }
            4 => {
                bars[place] = HistoryBar { begin, ..bars[place - 1] };
                reference.remove(place);
                ("repeated_price", begin, true)
            }
            5 => {
                bars[place].close = Price::from_steps(bars[place].close.steps() * 10);
                bars[place].high = bars[place].close;
                bars[place].adjusted_close = Some(bars[place].close);
                reference.remove(place);
                ("outlier_against_neighbours", begin, true)
            }
            6 => {
                let half = |price: Price| Price::from_steps(price.steps() / 2);
                for bar in &mut bars[place..] {
                    (bar.open, bar.high, bar.low, bar.close) = (half(bar.open), half(bar.high), half(bar.low), half(bar.close));
                    bar.adjusted_close = Some(bar.close);
                }
                reference.truncate(place);
                ("outlier_against_index", begin, false)
            }
            7 => {
                bars[place].trades = Some(0);
                bars[place].volume = Quantity::new(99);
                ("volume_without_trades", begin, false)
            }
            8 => {
                bars.swap(place, place + 1);
                ("out_of_order_tick", begin, true)
            }
            9 => {
                reference[place].close = Price::from_steps(reference[place].close.steps() / 100 * 101);
                ("sources_disagree", begin, true)
            }
            _ => {
                for bar in &mut bars[..place] {
                    bar.adjusted_close = Some(Price::from_steps(bar.close.steps() / 10 * 9));
                }
                ("adjustment_disagrees", begin, false)
            }
        };
        let reference = Some(Reference { bars: &reference, is_exchange: true });
        prop_assert_eq!(found(&bars, &index, Context { reference, ..Context::default() }), [expected], "{}", defect);
    }

    #[test]
    fn a_stale_run_gives_a_mark_for_each_bar((clean, index) in calm(), at in any::<prop::sample::Index>(), run in 5_usize..7) {
        let place = 2 + at.index(clean.len() - 12);
        let mut bars = clean.clone();
        for later in place..place + run {
            let close = bars[place - 1].close;
            let begin = bars[later].begin;
            bars[later] = HistoryBar { begin, volume: Quantity::ZERO, ..bar_of_steps(SYMBOL, bars[later].date(), close.steps()) };
        }
        let expected: Vec<_> = bars[place..place + run].iter().map(|bar| ("stale_run", bar.begin, true)).collect();
        prop_assert_eq!(found(&bars, &index, Context::default()), expected);
    }
}
