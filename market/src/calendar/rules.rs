//! A calendar text read, checked and laid out by day.

use chrono::{Datelike, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::America::{New_York, Sao_Paulo};

use super::text::{GridText, Holiday, LateStart, OneOff, Settlement, Text, Timetable};
use super::{CalendarError, Closing, Dated, Day, Grid, Phase, SettlementCycle};
use super::{REPRESENTABLE, is_weekend};
use crate::time::Date;

/// Reads and checks a calendar text.
pub(super) fn read(text: &str) -> Result<Dated, CalendarError> {
    let text: Text = toml::from_str(text).map_err(CalendarError::Syntax)?;
    let (first, last) = known_span(&text)?;
    let mut closings = Vec::new();
    let mut days: Vec<Day> = Vec::new();
    let mut grids = grids(&text.grid)?;
    check_timetable(&text.timetable, &grids)?;

    // Closed days first: they decide which days need hours.
    let closed = closed_days(&text, first, last, &mut closings)?;
    for date in first.iter_days().take_while(|date| *date <= last) {
        days.push(match closed.get(&date) {
            _ if is_weekend(date) => Day::Weekend,
            Some(closing) => Day::Closed(*closing),
            None => hours_of(date, &text, &mut grids)?,
        });
    }
    let settlement = settlement(&text.settlement, first)?;
    Ok(Dated { first, days, closings, grids, settlement })
}

fn known_span(text: &Text) -> Result<(Date, Date), CalendarError> {
    let (first, last) = (text.first_day.0, text.last_day.0);
    if last < first {
        return refused("last_day", last, format!("must not be before first_day, {first}"));
    }
    for (key, date) in [("first_day", first), ("last_day", last)] {
        if !(REPRESENTABLE.0..=REPRESENTABLE.1).contains(&date) {
            let fix = format!("must be from {} to {}", REPRESENTABLE.0, REPRESENTABLE.1);
            return refused(key, date, fix);
        }
    }
    Ok((first, last))
}

fn grids(texts: &[GridText]) -> Result<Vec<Grid>, CalendarError> {
    let mut grids: Vec<Grid> = Vec::new();
    for text in texts {
        let phases = text.phases.iter().map(|phase| (phase.at.0, phase.phase)).collect();
        let grid = Grid { name: text.name.clone(), phases };
        check_grid(&grid)?;
        if grids.iter().any(|other| other.name == grid.name) {
            return refused("grid.name", &grid.name, "is used twice; give each grid its own name");
        }
        grids.push(grid);
    }
    Ok(grids)
}

/// What `Dated::session` relies on.
fn check_grid(grid: &Grid) -> Result<(), CalendarError> {
    let key = format!("grid '{}'.phases", grid.name);
    for pair in grid.phases.windows(2) {
        if pair[0].0 >= pair[1].0 {
            return refused(key, pair[1].0, format!("must come after {}", pair[0].0));
        }
    }
    for (_, phase) in &grid.phases {
        let times = grid.phases.iter().filter(|(_, other)| other == phase).count();
        let fix = match phase {
            Phase::Closed => continue,
            Phase::Unknown | Phase::OpeningAuction | Phase::Auction | Phase::Halt | Phase::CircuitBreaker => {
                "is told by the exchange while it happens; leave it out"
            }
            _ if times > 1 => "is there twice; a session has each phase once",
            _ => continue,
        };
        return refused(key, phase.name(), fix);
    }
    let place = |wanted| grid.phases.iter().position(|(_, phase)| *phase == wanted);
    let Some(continuous) = place(Phase::Continuous) else {
        return refused(key, grid.phases.len(), "add the phase continuous: a session must open");
    };
    if place(Phase::ClosingAuction).is_some_and(|closing| closing != continuous + 1) {
        return refused(key, "closing_auction", "must come right after continuous");
    }
    match grid.phases.last() {
        Some((_, Phase::Closed)) => Ok(()),
        last => {
            let name = last.map_or("", |(_, phase)| phase.name());
            refused(key, name, "the last phase must be closed: it says when the day ends")
        }
    }
}

fn check_timetable(entries: &[Timetable], grids: &[Grid]) -> Result<(), CalendarError> {
    for entry in entries {
        let key = |name: &str| format!("timetable from {}.{name}", entry.from.0);
        if !grids.iter().any(|grid| grid.name == entry.grid) {
            let names: Vec<_> = grids.iter().map(|grid| grid.name.as_str()).collect();
            let fix = format!("is no grid; expected one of: {}", names.join(", "));
            return refused(key("grid"), &entry.grid, fix);
        }
        if let Some(until) = entry.until.filter(|until| until.0 < entry.from.0) {
            return refused(key("until"), until.0, "must not be before from");
        }
    }
    Ok(())
}

/// The grid of a session, with the morning moved on days that begin late.
fn hours_of(date: Date, text: &Text, grids: &mut Vec<Grid>) -> Result<Day, CalendarError> {
    let behind = new_york_hours_behind(date);
    let matches = |entry: &&Timetable| {
        entry.from.0 <= date
            && entry.until.is_none_or(|until| date <= until.0)
            && entry.new_york_hours_behind.is_none_or(|hours| hours == behind)
    };
    let Some(entry) = text.timetable.iter().rev().find(matches) else {
        let fix = format!("no entry matches this session (New York {behind} h behind); add one");
        return refused("timetable", date, fix);
    };
    let late = text.late_start.iter().find(|late| easter_day(date.year(), late.easter) == Some(date));
    let name = match late {
        Some(late) => format!("{}, {}", entry.grid, late.name),
        None => entry.grid.clone(),
    };
    let evidence = late.map_or(entry.source, |late| late.source.min(entry.source));
    let find = |name: &str, grids: &[Grid]| grids.iter().position(|grid| grid.name == name);
    if let Some(known) = find(&name, grids) {
        return Ok(Day::Open(known, evidence));
    }
    // Only the moved grid of a late start can be missing: `check_timetable` has seen the others.
    if let (Some(late), Some(usual)) = (late, find(&entry.grid, grids)) {
        let moved = begin_late(&grids[usual], name, late)?;
        grids.push(moved);
    }
    Ok(Day::Open(grids.len() - 1, evidence))
}

/// A grid whose phases up to the open are moved so that it opens later.
fn begin_late(usual: &Grid, name: String, late: &LateStart) -> Result<Grid, CalendarError> {
    let mut grid = Grid { name, phases: usual.phases.clone() };
    let open = grid.phases.iter().position(|(_, phase)| *phase == Phase::Continuous).unwrap_or(0);
    let delay = late.opens.0 - grid.phases[open].0;
    if delay <= TimeDelta::zero() {
        let fix = format!("must be later than the usual open of '{}'", usual.name);
        return refused(format!("late_start '{}'.opens", late.name), late.opens.0, fix);
    }
    for (time, _) in &mut grid.phases[..=open] {
        *time += delay;
    }
    check_grid(&grid)?;
    Ok(grid)
}

/// Hours between the clocks of São Paulo and New York on a day. Both change them at night, so any
/// time of the trading day does.
fn new_york_hours_behind(date: Date) -> i32 {
    let noon = Utc.from_utc_datetime(&date.and_time(NaiveTime::MIN)) + TimeDelta::hours(15);
    let offset = |zone: chrono_tz::Tz| noon.with_timezone(&zone).offset().fix().local_minus_utc();
    (offset(Sao_Paulo) - offset(New_York)) / 3600
}

type ClosedDays = std::collections::HashMap<Date, usize>;

/// Every closed weekday of the span with its reason's index.
fn closed_days(text: &Text, first: Date, last: Date, closings: &mut Vec<Closing>) -> Result<ClosedDays, CalendarError> {
    let mut closed = ClosedDays::new();
    for holiday in &text.holiday {
        check_holiday(holiday)?;
        let from = holiday.from.unwrap_or(first.year()).max(first.year());
        let until = holiday.until.unwrap_or(last.year()).min(last.year());
        for date in (from..=until).filter_map(|year| holiday_in(year, holiday)) {
            // The first rule of a day names it: later ones cannot close it again.
            closed.entry(date).or_insert(closings.len());
        }
        closings.push(Closing { name: holiday.name.clone(), evidence: holiday.source });
    }
    for one_off in &text.closing {
        let date = one_off_day(one_off, "closing", first, last)?;
        if closed.insert(date, closings.len()).is_some() {
            return refused(format!("closing '{}'.date", one_off.name), date, "is closed already; remove it");
        }
        closings.push(Closing { name: one_off.name.clone(), evidence: one_off.source });
    }
    for one_off in &text.opening {
        let date = one_off_day(one_off, "opening", first, last)?;
        if closed.remove(&date).is_none() {
            return refused(format!("opening '{}'.date", one_off.name), date, "is open already; remove it");
        }
    }
    Ok(closed)
}

fn check_holiday(holiday: &Holiday) -> Result<(), CalendarError> {
    let given = [holiday.fixed.is_some(), holiday.easter.is_some(), holiday.last_weekday_of_year];
    let count = given.iter().filter(|given| **given).count();
    if count != 1 {
        let fix = "give exactly one of fixed, easter and last_weekday_of_year";
        return refused(format!("holiday '{}'", holiday.name), format!("{count} rules"), fix);
    }
    Ok(())
}

/// The day of a holiday in a year, if a weekday can be lost to it.
fn holiday_in(year: i32, holiday: &Holiday) -> Option<Date> {
    match (holiday.fixed, holiday.easter) {
        (Some(fixed), _) => Date::from_ymd_opt(year, fixed.month, fixed.day),
        (_, Some(days)) => easter_day(year, days),
        (None, None) => {
            let mut date = Date::from_ymd_opt(year, 12, 31)?;
            while is_weekend(date) {
                date = date.pred_opt()?;
            }
            Some(date)
        }
    }
}

fn one_off_day(one_off: &OneOff, kind: &str, first: Date, last: Date) -> Result<Date, CalendarError> {
    let date = one_off.date.0;
    let key = || format!("{kind} '{}'.date", one_off.name);
    if !(first..=last).contains(&date) {
        return refused(key(), date, format!("must be within {first} to {last}"));
    }
    if is_weekend(date) {
        return refused(key(), date, "is a weekend day, which is always closed; remove it");
    }
    Ok(date)
}

fn settlement(entries: &[Settlement], first: Date) -> Result<Vec<(Date, SettlementCycle)>, CalendarError> {
    let mut cycles: Vec<(Date, SettlementCycle)> = Vec::new();
    for entry in entries {
        let from = entry.from.0;
        match cycles.last() {
            None if from > first => {
                return refused("settlement.from", from, format!("the first must cover {first}"));
            }
            Some((before, _)) if from <= *before => {
                return refused("settlement.from", from, format!("must be later than {before}"));
            }
            _ => {}
        }
        let cycle = SettlementCycle { sessions: entry.sessions, evidence: entry.source };
        cycles.push((from, cycle));
    }
    if cycles.is_empty() {
        return refused("settlement", "nothing", format!("add an entry that covers {first}"));
    }
    Ok(cycles)
}

/// A day a number of days from Easter Sunday of a year.
fn easter_day(year: i32, days: i16) -> Option<Date> {
    easter(year)?.checked_add_signed(TimeDelta::days(days.into()))
}

/// Easter Sunday in the Gregorian calendar, by the "anonymous" algorithm (Nature, 1876): pure
/// integer arithmetic, valid for every Gregorian year. Letters as usually printed.
fn easter(year: i32) -> Option<Date> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e, f) = (b / 4, b % 4, (b + 8) / 25);
    let g = (b - f + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let sum = h + l - 7 * m + 114;
    Date::from_ymd_opt(year, u32::try_from(sum / 31).ok()?, u32::try_from(sum % 31 + 1).ok()?)
}

fn refused<T>(key: impl Into<String>, value: impl ToString, fix: impl Into<String>) -> Result<T, CalendarError> {
    Err(CalendarError::Rule { key: key.into(), value: value.to_string(), fix: fix.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
first_day = 2024-01-01
last_day = 2024-12-31

[[holiday]]
name = "Christmas Day"
fixed = "12-25"
source = "measured"

[[grid]]
name = "plain"
phases = [
    { at = 10:00:00, phase = "continuous" },
    { at = 17:00:00, phase = "closed" },
]

[[timetable]]
from = 2024-01-01
grid = "plain"
source = "documented"

[[settlement]]
from = 2024-01-01
sessions = 2
source = "documented"
"#;

    /// What is told about `SMALL` with one text replaced, cause included.
    fn told(old: &str, new: &str) -> String {
        assert!(SMALL.contains(old), "{old}");
        let Err(error) = read(&SMALL.replace(old, new)) else {
            panic!("accepted: {old} -> {new}");
        };
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}\n{}", cause.unwrap_or_default())
    }

    #[test]
    fn the_small_calendar_is_valid() {
        let dated = read(SMALL).unwrap();
        assert_eq!(dated.days.len(), 366);
        let closed = dated.days.iter().filter(|day| matches!(day, Day::Closed(_))).count();
        assert_eq!(closed, 1);
    }

    #[test]
    fn easter_sundays() {
        for date in ["1961-04-02", "2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2025-04-20", "2038-04-25"] {
            let date: Date = date.parse().unwrap();
            assert_eq!(easter(date.year()), Some(date));
        }
    }

    #[test]
    fn new_york_is_one_to_three_hours_behind() {
        for (date, hours, why) in [
            ("2018-07-02", 1, "US on daylight saving time"),
            ("2018-12-03", 3, "Brazil on daylight saving time"),
            ("2018-10-15", 1, "neither has switched yet"),
            ("2018-11-05", 3, "both switched on the same Sunday"),
            ("2017-10-16", 2, "both on daylight saving time"),
            ("2018-02-19", 2, "neither on it"),
            ("2024-03-08", 2, "the last Friday before the US switch"),
            ("2024-03-11", 1, "the first Monday after it"),
        ] {
            assert_eq!(new_york_hours_behind(date.parse().unwrap()), hours, "{date}: {why}");
        }
    }

    #[test]
    fn syntax_errors_quote_the_line_and_name_what_is_expected() {
        for (old, new, expected) in [
            ("last_day", "lastday", &["lastday = 2024-12-31", "unknown field `lastday`", "`last_day`"][..]),
            ("last_day = 2024-12-31", "", &["missing field `last_day`"]),
            ("fixed = ", "fixd = ", &["fixd = ", "unknown field `fixd`", "`fixed`"]),
            ("2024-12-31", "2024-02-30", &["last_day = 2024-02-30", "invalid"]),
            ("2024-12-31", "\"2024-12-31\"", &["last_day = \"2024", "invalid type"]),
            ("\"12-25\"", "\"25-12\"", &["fixed = \"25-12\"", "'25-12' is not a month and day such as \"12-25\""]),
            ("\"12-25\"", "\"02-29\"", &["'02-29' is not a month and day"]),
            ("10:00:00", "25:00:00", &["at = 25:00:00", "invalid"]),
            ("\"continuous\"", "\"open\"", &["unknown variant `open`", "`continuous`"]),
            ("\"measured\"", "\"guessed\"", &["unknown variant `guessed`", "`measured`"]),
            ("source = \"measured\"", "", &["[[holiday]]", "missing field `source`"]),
            ("[[timetable]]", "[[timetables]]", &["unknown field `timetables`", "`timetable`"]),
            ("sessions = 2", "sessions = -2", &["sessions = -2", "invalid value"]),
        ] {
            let told = told(old, new);
            for part in expected {
                assert!(told.contains(part), "'{part}' is not in:\n{told}");
            }
        }
    }

    #[test]
    fn contradictions_name_the_key_the_value_and_the_fix() {
        let closing =
            |date: &str| format!("[[closing]]\nname = \"storm\"\ndate = {date}\nsource = \"measured\"\n[[grid]]");
        let opening = |date: &str| closing(date).replace("closing", "opening");
        let late = "[[late_start]]\nname = \"ashes\"\neaster = -46\nsource = \"measured\"\nopens = ";
        for (old, new, expected) in [
            ("2024-12-31", "2023-12-31", "last_day = 2023-12-31: must not be before first_day"),
            ("2024-12-31", "9999-12-31", "last_day = 9999-12-31: must be from 1677-09-22"),
            ("fixed = \"12-25\"", "", "holiday 'Christmas Day' = 0 rules: give exactly one of"),
            ("fixed = \"12-25\"", "fixed = \"12-25\"\neaster = 1", "= 2 rules: give exactly one"),
            ("17:00:00", "09:00:00", "grid 'plain'.phases = 09:00:00: must come after 10:00:00"),
            ("\"continuous\"", "\"halt\"", "phases = halt: is told by the exchange"),
            ("\"continuous\"", "\"pre_open\"", "add the phase continuous"),
            ("\"closed\"", "\"after_market\"", "after_market: the last phase must be closed"),
            (
                "{ at = 17:00:00",
                "{ at = 11:00:00, phase = \"closed\" }, { at = 12:00:00, phase = \"continuous\" }, { at = 17:00:00",
                "continuous: is there twice",
            ),
            (
                "{ at = 10:00:00",
                "{ at = 09:00:00, phase = \"closing_auction\" }, { at = 10:00:00",
                "closing_auction: must come right after continuous",
            ),
            ("grid = \"plain\"", "grid = \"plane\"", "= plane: is no grid; expected one of: plain"),
            ("grid = \"plain\"", "until = 2023-12-31\ngrid = \"plain\"", "until = 2023-12-31: must not"),
            (
                "grid = \"plain\"",
                "new_york_hours_behind = 1\ngrid = \"plain\"",
                "timetable = 2024-01-01: no entry matches this session (New York 2 h behind)",
            ),
            ("[[grid]]", &closing("2024-12-25"), "closing 'storm'.date = 2024-12-25: is closed already"),
            ("[[grid]]", &closing("2024-06-01"), "2024-06-01: is a weekend day"),
            ("[[grid]]", &closing("2025-06-02"), "2025-06-02: must be within 2024-01-01 to 2024-12-31"),
            ("[[grid]]", &opening("2024-06-03"), "opening 'storm'.date = 2024-06-03: is open already"),
            ("[[grid]]", &format!("{late}09:00:00\n[[grid]]"), "'ashes'.opens = 09:00:00: must be later"),
            ("[[grid]]", &format!("{late}17:30:00\n[[grid]]"), "'plain, ashes'.phases = 17:00:00: must come"),
            ("from = 2024-01-01\nsessions", "from = 2024-02-01\nsessions", "the first must cover 2024-01-01"),
            (
                "[[settlement]]",
                "[[settlement]]\nfrom = 2024-01-01\nsessions = 3\nsource = \"measured\"\n[[settlement]]",
                "must be later than",
            ),
        ] {
            let told = told(old, new);
            assert!(told.starts_with("calendar: ") && told.contains(expected), "'{expected}':\n{told}");
        }
    }
}
