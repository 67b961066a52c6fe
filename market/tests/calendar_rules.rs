//! B3's calendar as a trader knows it: which days trade, at what hours, and why not.

use market::calendar::{Calendar, Evidence, Phase, Session};
use market::time::{Date, Timestamp};

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn at(text: &str) -> Timestamp {
    let local = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S");
    Timestamp::from_local(local.expect("a local time")).expect("within range")
}

/// A session as one line of São Paulo times.
fn line(session: &Session) -> String {
    let hour = |at: Timestamp| at.local().format("%H:%M").to_string();
    let phase = |span: &market::calendar::PhaseSpan| format!("{} {}", hour(span.start), span.phase.name());
    let phases: Vec<_> = session.phases().iter().map(phase).collect();
    format!("{}, {} end", phases.join(", "), hour(session.end()))
}

const SHORT: &str = "09:30 cancel_only, 09:45 pre_open, 10:00 continuous, 16:55 closing_auction, \
    17:00 closed, 17:25 cancel_after, 17:30 after_market, 18:00 end";
const LONG: &str = "09:30 cancel_only, 09:45 pre_open, 10:00 continuous, 17:55 closing_auction, \
    18:00 closed, 18:25 cancel_after, 18:45 end";
const ASH: &str = "12:30 cancel_only, 12:45 pre_open, 13:00 continuous, 17:55 closing_auction, \
    18:00 closed, 18:25 cancel_after, 18:45 end";
const EARLY: &str = "09:45 pre_open, 10:00 continuous, 16:55 closing_auction, 17:00 closed, \
    17:45 after_market, 18:30 end";
const LATE: &str = "10:45 pre_open, 11:00 continuous, 17:55 closing_auction, 18:00 closed, \
    18:45 after_market, 19:30 end";

#[test]
fn hours_of_a_day() {
    let calendar = Calendar::b3();
    for (day, hours, why) in [
        ("2024-02-14", ASH, "Ash Wednesday"),
        ("2025-03-05", ASH, "Ash Wednesday"),
        ("2024-03-08", LONG, "the Friday before the US switch"),
        ("2024-03-11", SHORT, "the Monday after it"),
        ("2025-03-07", LONG, "the Friday before the US switch"),
        ("2025-03-10", SHORT, "the Monday after it"),
        ("2024-11-01", SHORT, "the Friday before the US switch back"),
        ("2024-11-04", LONG, "the Monday after it"),
        ("2025-11-03", LONG, "announced"),
        ("2020-03-09", SHORT, "announced"),
        ("2020-11-03", LONG, "announced; the Monday was a holiday"),
        ("2022-11-07", LONG, "announced"),
        ("2019-11-01", SHORT, "Brazil without daylight saving time for the first time"),
        ("2019-11-04", LONG, "announced"),
        ("2018-11-05", LONG, "reported; both countries switched"),
        ("2018-11-01", SHORT, "the session before"),
        ("2018-03-12", SHORT, "reported"),
        ("2017-10-13", SHORT, "reported"),
        ("2017-10-16", LONG, "reported; with Brazilian daylight saving time"),
        ("2017-02-20", LONG, "reported: its end changes nothing"),
        ("2017-03-13", SHORT, "reported: the US switch does"),
        ("2016-10-17", LONG, "announced"),
        ("2012-10-22", SHORT, "reported: hours stayed in that summer"),
        ("2011-10-17", LATE, "reported"),
        ("2011-02-21", LATE, "reported: the end of Brazilian daylight saving time changes nothing"),
        ("2011-03-14", EARLY, "the US switch does"),
        ("2007-10-15", LATE, "reported"),
        ("2006-11-03", EARLY, "reported"),
        ("2006-11-06", LATE, "reported"),
        ("2003-10-17", EARLY, "reported"),
        ("2003-10-20", LATE, "reported"),
    ] {
        let session = calendar.session(date(day)).expect(day);
        assert_eq!(line(&session), hours, "{day}: {why}");
    }
}

#[test]
fn how_many_march_sessions_were_still_long() {
    let calendar = Calendar::b3();
    for (year, expected) in [(2024, 6), (2025, 3)] {
        let march = calendar.sessions(date(&format!("{year}-03-01")), date(&format!("{year}-03-31")));
        let close = |day: &Date| calendar.session(*day).map(|session| session.close().local().time());
        let six = chrono::NaiveTime::from_hms_opt(18, 0, 0);
        assert_eq!(march.iter().filter(|day| close(day) == six).count(), expected, "{year}");
    }
}

#[test]
fn auctions_are_instants() {
    let session = Calendar::b3().session(date("2025-06-09")).expect("a session");
    assert_eq!(session.open(), at("2025-06-09 10:00:00"));
    assert_eq!(session.close(), at("2025-06-09 17:00:00"));
    assert_eq!(session.start(), at("2025-06-09 09:30:00"));
    assert_eq!(session.end(), at("2025-06-09 18:00:00"));
    assert_eq!(session.evidence(), Evidence::Measured);
}

#[test]
fn phases_through_a_day() {
    let calendar = Calendar::b3();
    for (time, phase) in [
        ("00:00:00", Phase::Closed),
        ("09:29:59", Phase::Closed),
        ("09:30:00", Phase::CancelOnly),
        ("09:45:00", Phase::PreOpen),
        ("09:59:59", Phase::PreOpen),
        ("10:00:00", Phase::Continuous),
        ("16:54:59", Phase::Continuous),
        ("16:55:00", Phase::ClosingAuction),
        ("17:00:00", Phase::Closed),
        ("17:25:00", Phase::CancelAfter),
        ("17:30:00", Phase::AfterMarket),
        ("18:00:00", Phase::Closed),
        ("23:59:59", Phase::Closed),
    ] {
        assert_eq!(calendar.phase_at(at(&format!("2025-06-09 {time}"))), phase, "{time}");
        assert_eq!(calendar.phase_at(at(&format!("2025-06-08 {time}"))), Phase::Closed);
    }
}

#[test]
fn the_trading_day_turns_with_its_first_phase() {
    let calendar = Calendar::b3();
    for (now, day) in [
        ("2025-06-09 09:29:59", "2025-06-06"),
        ("2025-06-09 09:30:00", "2025-06-09"),
        ("2025-06-09 23:59:59", "2025-06-09"),
        ("1999-06-01 12:00:00", "2000-01-03"),
        ("2031-06-02 12:00:00", "2028-12-28"),
    ] {
        assert_eq!(calendar.trading_day(at(now)), date(day), "{now}");
    }
}

#[test]
fn why_a_day_is_closed() {
    let calendar = Calendar::b3();
    for (day, reason) in [
        ("2024-01-01", Some("New Year's Day")),
        ("2021-01-25", Some("São Paulo city anniversary")),
        ("2022-01-25", None),
        ("2024-02-12", Some("Carnival Monday")),
        ("2024-02-13", Some("Carnival Tuesday")),
        ("2024-02-14", None),
        ("2024-03-29", Some("Good Friday")),
        ("2025-04-21", Some("Tiradentes")),
        ("2025-05-01", Some("Labour Day")),
        ("2025-06-19", Some("Corpus Christi")),
        ("2014-06-12", Some("World Cup opening match in São Paulo")),
        ("2019-07-09", Some("Constitutionalist Revolution")),
        ("2020-07-09", None),
        ("2021-07-09", Some("Constitutionalist Revolution")),
        ("2024-07-09", None),
        ("2021-09-07", Some("Independence Day")),
        ("2023-10-12", Some("Our Lady of Aparecida")),
        ("2023-11-02", Some("All Souls' Day")),
        ("2024-11-15", Some("Republic Day")),
        ("2003-11-20", None),
        ("2019-11-20", Some("Black Awareness Day")),
        ("2020-11-20", None),
        ("2023-11-20", None),
        ("2024-11-20", Some("Black Awareness Day")),
        ("2024-12-24", Some("Christmas Eve")),
        ("2024-12-25", Some("Christmas Day")),
        ("2024-12-31", Some("Year end")),
        ("2025-06-07", Some("weekend")),
        ("2025-06-08", Some("weekend")),
        ("1999-12-31", None),
        ("2029-01-01", None),
    ] {
        assert_eq!(calendar.closing_reason(date(day)), reason, "{day}");
    }
}

#[test]
fn the_year_ends_on_the_last_weekday() {
    let calendar = Calendar::b3();
    for closed in [
        "2000-12-29",
        "2005-12-30",
        "2006-12-29",
        "2011-12-30",
        "2016-12-30",
        "2017-12-29",
        "2021-12-31",
        "2022-12-30",
        "2023-12-29",
        "2024-12-31",
        "2026-12-31",
        "2027-12-31",
        "2028-12-29",
    ] {
        assert_eq!(calendar.closing_reason(date(closed)), Some("Year end"), "{closed}");
    }
    for open in ["2005-12-29", "2006-12-28", "2021-12-30", "2022-12-29", "2024-12-30"] {
        assert_eq!(calendar.is_session(date(open)), Some(true), "{open}");
    }
}

/// The first year past the files that `calendar_agrees` reads: what the rules say of it, to compare
/// with the exchange's published calendar.
#[test]
fn the_year_2026() {
    let calendar = Calendar::b3();
    let year = date("2026-01-01").iter_days().take_while(|day| *day <= date("2026-12-31"));
    let closed: Vec<_> = year
        .filter(|day| calendar.closing_reason(*day).is_some_and(|reason| reason != "weekend"))
        .map(|day| day.format("%m-%d").to_string())
        .collect();
    let expected = [
        "01-01", "02-16", "02-17", "04-03", "04-21", "05-01", "06-04", "09-07", "10-12", "11-02", "11-20", "12-24",
        "12-25", "12-31",
    ];
    assert_eq!(closed, expected);
    assert_eq!(calendar.sessions(date("2026-01-01"), date("2026-12-31")).len(), 247);
}

#[test]
fn moving_by_sessions() {
    let calendar = Calendar::b3();
    for (from, n, to) in [
        ("2025-06-06", 0, Some("2025-06-06")),
        ("2025-06-06", 1, Some("2025-06-09")),
        ("2025-06-07", 1, Some("2025-06-09")),
        ("2024-12-23", 4, Some("2025-01-02")),
        ("2028-12-27", 1, Some("2028-12-28")),
        ("2028-12-28", 1, None),
        ("1999-06-01", 1, None),
        ("1999-12-31", 1, Some("2000-01-03")),
    ] {
        assert_eq!(calendar.add_sessions(date(from), n), to.map(date), "{from} + {n}");
    }
    assert_eq!(calendar.next_session(date("2024-12-30")), Some(date("2025-01-02")));
    assert_eq!(calendar.previous_session(date("2025-01-02")), Some(date("2024-12-30")));
    assert_eq!(calendar.previous_session(date("2000-01-03")), None);
    assert_eq!(calendar.previous_session(date("2029-01-01")), Some(date("2028-12-28")));
    assert_eq!(calendar.previous_session(date("2029-06-01")), None);
}

#[test]
fn next_and_previous_undo_each_other() {
    let calendar = Calendar::b3();
    let sessions = calendar.sessions(calendar.first_day(), calendar.horizon());
    for pair in sessions.windows(2) {
        assert_eq!(calendar.next_session(pair[0]), Some(pair[1]));
        assert_eq!(calendar.previous_session(pair[1]), Some(pair[0]));
    }
    let days = calendar.first_day().iter_days().take_while(|day| *day <= calendar.horizon());
    let open: Vec<_> = days.filter(|day| calendar.is_session(*day) == Some(true)).collect();
    assert_eq!(sessions, open);
}

#[test]
fn nothing_is_known_outside_the_span() {
    let calendar = Calendar::b3();
    assert_eq!(calendar.first_day(), date("2000-01-01"));
    assert!(calendar.horizon() >= date("2028-12-31"));
    for outside in [calendar.first_day().pred_opt(), calendar.horizon().succ_opt()] {
        let day = outside.expect("a day");
        assert_eq!(calendar.is_session(day), None);
        assert_eq!(calendar.session(day), None);
        assert_eq!(calendar.evidence(day), None);
        assert_eq!(calendar.settlement_cycle(day), None);
        assert_eq!(calendar.phase_at(at(&format!("{day} 12:00:00"))), Phase::Unknown);
    }
    assert_eq!(calendar.phase_at(Timestamp::MIN), Phase::Unknown);
    assert_eq!(calendar.phase_at(Timestamp::MAX), Phase::Unknown);
}

#[test]
fn evidence_is_as_weak_as_its_weakest_part() {
    let calendar = Calendar::b3();
    for (day, evidence) in [
        ("2024-06-03", Evidence::Measured),
        ("2025-12-25", Evidence::Measured),
        ("2017-07-03", Evidence::Documented),
        ("2011-07-04", Evidence::Community),
        ("2013-07-01", Evidence::Unverified),
        ("2014-03-05", Evidence::Unverified),
    ] {
        assert_eq!(calendar.evidence(date(day)), Some(evidence), "{day}");
    }
}

#[test]
fn an_always_open_calendar_knows_every_day() {
    let calendar = Calendar::always_open();
    for now in [Timestamp::MIN, at("2013-10-06 03:00:00"), Timestamp::MAX] {
        assert_eq!(calendar.phase_at(now), Phase::Continuous);
        assert_eq!(calendar.trading_day(now), now.local_date());
    }
    let sunday = date("2013-10-06");
    assert_eq!(calendar.is_session(sunday), Some(true));
    assert_eq!(calendar.closing_reason(sunday), None);
    assert_eq!(calendar.next_session(sunday), Some(date("2013-10-07")));
    assert_eq!(calendar.previous_session(sunday), Some(date("2013-10-05")));
    assert_eq!(calendar.sessions(sunday, date("2013-10-12")).len(), 7);
    let session = calendar.session(sunday).expect("a session");
    assert_eq!(session.open(), at("2013-10-06 00:00:00"));
    assert_eq!(session.close(), at("2013-10-07 00:00:00"));
    for edge in [calendar.first_day(), calendar.horizon()] {
        assert!(calendar.session(edge).is_some(), "{edge}");
    }
}

/// Every session keeps the promises that its type makes.
#[test]
fn every_session_is_sound() {
    let calendar = Calendar::b3();
    for day in calendar.sessions(calendar.first_day(), calendar.horizon()) {
        let session = calendar.session(day).expect("a session");
        let spans = session.phases();
        assert!(spans.iter().all(|span| span.start < span.end), "{day}");
        assert!(spans.windows(2).all(|pair| pair[0].end == pair[1].start), "{day}");
        assert!(session.start() < session.open() && session.open() < session.close(), "{day}");
        assert_eq!(session.phase_at(session.open()), Phase::Continuous, "{day}");
        assert_eq!(session.phase_at(session.close().plus_nanos(-1)), Phase::ClosingAuction, "{day}");
        assert_eq!(session.phase_at(session.close()), Phase::Closed, "{day}");
        assert_eq!(session.start().local_date(), day);
        assert_eq!(session.end().local_date(), day);
    }
}
