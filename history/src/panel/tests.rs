use proptest::prelude::*;

use super::*;
use crate::synthetic::{bar_on, day, sessions};

const ANY: Demand = Demand { from: None, to: None, minimum_sessions: 1, most_gaps_percent: 100.0 };

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

/// A symbol with a bar on these of the first sessions of 2024.
fn member(name: &str, has: impl IntoIterator<Item = usize>) -> Member {
    let days = sessions(60);
    let bars: Vec<HistoryBar> = has.into_iter().map(|place| bar_on(name, days[place], "10")).collect();
    Member::of_bars(symbol(name), &bars)
}

fn shown(symbols: &[Symbol]) -> Vec<&str> {
    symbols.iter().map(Symbol::as_str).collect()
}

#[test]
fn the_ends_are_set_by_those_that_are_named() {
    let members = [member("AAAA3", 0..50), member("BBBB3", 5..60), member("CCCC3", 5..40)];
    let found = panel(&members, &Calendar::b3(), &ANY).unwrap();
    let days = sessions(60);
    assert_eq!(found.dates, days[5..40]);
    assert_eq!(shown(&found.start_bound_by), ["BBBB3", "CCCC3"]);
    assert_eq!(shown(&found.end_bound_by), ["CCCC3"]);
    assert_eq!(found.excluded, []);
    let cut = Demand { from: Some(days[10]), to: Some(days[19]), ..ANY };
    assert_eq!(panel(&members, &Calendar::b3(), &cut).unwrap().dates, days[10..20]);
}

#[test]
fn what_is_missing_is_told_and_nothing_is_put_in_its_place() {
    let members = [member("AAAA3", 0..10), member("BBBB3", (0..10).filter(|place| *place != 4))];
    let found = panel(&members, &Calendar::b3(), &ANY).unwrap();
    assert_eq!((found.columns[0].missing, found.columns[1].missing), (0, 1));
    assert_eq!(found.columns[1].closes[4], None);
    let days = sessions(10);
    assert!(found.complete_dates().eq(days.iter().copied().filter(|date| *date != days[4])));
}

#[test]
fn whoever_has_too_little_is_left_out_with_the_reason() {
    let gaps = Demand { most_gaps_percent: 10.0, ..ANY };
    let long = Demand { minimum_sessions: 20, ..ANY };
    for (name, other, demand, reason) in [
        ("nothing", member("BBBB3", []), ANY, "has no bar in the days that were asked for"),
        ("short", member("BBBB3", 0..19), long, "has 19 sessions where 20 are demanded"),
        (
            "gaps",
            member("BBBB3", (0..60).filter(|place| place % 5 != 1)),
            gaps,
            "lacks 12 of 60 sessions, more than 10 %",
        ),
    ] {
        let found = panel(&[member("AAAA3", 0..60), other], &Calendar::b3(), &demand).unwrap();
        let excluded: Vec<String> = found.excluded.iter().map(|one| format!("{} {}", one.symbol, one.reason)).collect();
        assert_eq!(excluded, [format!("BBBB3 {reason}")], "{name}");
        assert_eq!((found.columns.len(), found.dates.len()), (1, 60), "{name}");
    }
    // Just as many as are allowed.
    let tenth = member("BBBB3", (0..60).filter(|place| place % 10 != 1));
    assert_eq!(panel(&[member("AAAA3", 0..60), tenth], &Calendar::b3(), &gaps).unwrap().columns.len(), 2);
}

#[test]
fn the_worst_is_left_out_first_and_the_others_get_another_look() {
    // BBBB3 binds the span to ten sessions, of which CCCC3 lacks two; without it CCCC3 lacks two of sixty.
    let bound = member("BBBB3", [20, 29]);
    let gaps = member("CCCC3", (0..60).filter(|place| !(22..24).contains(place)));
    let demand = Demand { most_gaps_percent: 10.0, ..ANY };
    let found = panel(&[member("AAAA3", 0..60), bound, gaps], &Calendar::b3(), &demand).unwrap();
    let excluded: Vec<Symbol> = found.excluded.iter().map(|one| one.symbol).collect();
    assert_eq!(shown(&excluded), ["BBBB3"]);
    assert_eq!(found.dates.len(), 60);
}

#[test]
fn no_panel_says_why() {
    let b3 = Calendar::b3();
    let demand = Demand { minimum_sessions: 20, ..ANY };
    for (members, expected) in [
        (vec![], "no symbol is left: none was given"),
        (vec![member("AAAA3", 0..3)], "no symbol is left: AAAA3 has 3 sessions where 20 are demanded"),
        (
            vec![member("AAAA3", 0..25), member("BBBB3", 20..60)],
            "the common history has 5 sessions where 20 are demanded: it begins on 2024-01-30 because of BBBB3 and ends on 2024-02-05 because of AAAA3; leave them out, or demand less",
        ),
        (vec![member("AAAA3", 0..25), member("BBBB3", 30..60)], "the common history has 0 sessions"),
        (vec![member("AAAA3", 0..25), member("AAAA3", 0..25)], "AAAA3 was given twice"),
        (vec![Member::of_bars(symbol("AAAA3"), &[bar_on("AAAA3", day(1980, 1, 2), "1")])], "sessions are known from"),
    ] {
        let error = panel(&members, &b3, &demand).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn closed_days_and_zero_prices_are_no_bars() {
    let mut with_saturday = member("AAAA3", 0..10);
    with_saturday.closes.insert(day(2024, 1, 6), "10".parse().unwrap());
    with_saturday.closes.insert(sessions(3)[2], Price::ZERO);
    let found = panel(&[with_saturday], &Calendar::b3(), &ANY).unwrap();
    assert_eq!(found.dates, sessions(10));
    assert_eq!((found.columns[0].missing, found.columns[0].closes[2]), (1, None));
}

#[test]
fn the_universe_of_a_day_has_those_that_are_gone() {
    let span = |symbol_text: &str, from: u32, to: u32| TickerSpan {
        isin: "BRABCDACNOR1".parse().unwrap(),
        symbol: symbol(symbol_text),
        from: day(2024, 1, from),
        to: day(2024, 1, to),
    };
    let spans = [span("GONE3", 2, 5), span("STAY3", 2, 31), span("LATE3", 10, 31)];
    for (at, expected) in [
        (1, vec![]),
        (2, vec!["GONE3", "STAY3"]),
        (5, vec!["GONE3", "STAY3"]),
        (8, vec!["STAY3"]),
        (31, vec!["LATE3", "STAY3"]),
    ] {
        let listed: Vec<Symbol> = universe_on(&spans, day(2024, 1, at)).iter().map(|span| span.symbol).collect();
        assert_eq!(shown(&listed), expected, "{at}");
    }
}

proptest! {
    #[test]
    fn a_panel_holds_what_it_says(
        has in prop::collection::vec(prop::collection::btree_set(0_usize..60, 0..60), 1..6),
        minimum_sessions in 1_usize..30,
        most_gaps_percent in 0.0..60.0_f64,
    ) {
        let names = ["AAAA3", "BBBB3", "CCCC3", "DDDD3", "EEEE3", "FFFF3"];
        let members: Vec<Member> = has.iter().zip(names).map(|(has, name)| member(name, has.iter().copied())).collect();
        let demand = Demand { minimum_sessions, most_gaps_percent, ..ANY };
        match panel(&members, &Calendar::b3(), &demand) {
            Ok(found) => {
                prop_assert_eq!(found.columns.len() + found.excluded.len(), members.len());
                prop_assert!(found.dates.len() >= minimum_sessions);
                for column in &found.columns {
                    let member = members.iter().find(|member| member.symbol == column.symbol).unwrap();
                    for (date, close) in found.dates.iter().zip(&column.closes) {
                        prop_assert_eq!(close.as_ref(), member.closes.get(date));
                    }
                    prop_assert!(column.missing as f64 <= most_gaps_percent / 100.0 * found.dates.len() as f64 + 1e-9);
                    let (first, last) = (member.closes.keys().next().unwrap(), member.closes.keys().next_back().unwrap());
                    prop_assert_eq!(found.start_bound_by.contains(&column.symbol), *first == found.dates[0]);
                    prop_assert_eq!(found.end_bound_by.contains(&column.symbol), last == found.dates.last().unwrap());
                }
            }
            Err(PanelError::TooShort { sessions, .. }) => prop_assert!(sessions < minimum_sessions),
            Err(PanelError::Nobody(excluded)) => prop_assert_eq!(excluded.len(), members.len()),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
