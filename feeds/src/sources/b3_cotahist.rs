//! COTAHIST from B3's own site: the history of record, by year, month or day.
//!
//! Years before this one come as one file each. Of the running year, and of what is left of the last
//! twelve months where that is less to fetch, whole months come as one file each; single days and the
//! running month come by the day. Only sessions of the calendar are asked for, and none of the future.
//!
//! A file is taken whole: all its sessions, also those before or after the span that was asked. It is
//! remembered as done by its name, so nothing of it may be missing.
//!
//! Source: `b3-market.md` 1.5 (addresses), 1.4 (answers on days without a file). B3's terms: personal,
//! non-commercial use. Its host leaves out an intermediate certificate: give it in `sources.certificates`.

use std::sync::Arc;

use chrono::{Datelike, Months};
use market::history::{DelayClass, SourceName};
use market::{Calendar, DailyRecord, Date, Symbol};

use super::{base_url, check, key};
use crate::cotahist::{self, ReadError, Refused};
use crate::source::{
    Ask, Body, BoxError, Expects, Facts, Item, Malformed, Nothing, Reading, Request, Settings, Source, SourceError,
    Subject, Take,
};

/// Its name.
pub const NAME: &str = "b3_cotahist";

const FACTS: Facts = Facts {
    name: SourceName::of(NAME),
    about: "B3's official daily history of every instrument, from B3",
    delay: DelayClass::EndOfDay,
    answers: &[Subject::Daily],
    // Not published. One every three seconds is what a patient person does.
    requests_per_minute: 20,
    wants_secret: false,
    off_because: None,
};

const ADDRESS: &str = "https://bvmf.bmfbovespa.com.br";

/// Months back from the running one of which there are files of a month.
const MONTHS_KEPT: u32 = 12;
/// So many sessions of a month are still fetched by the day: the file of a month has about 20.
const FEW_SESSIONS: usize = 5;
/// So many months of a past year are still fetched by the month.
const FEW_MONTHS: usize = 3;

const MIB: u64 = 1024 * 1024;

struct Cotahist {
    base: String,
    calendar: Arc<Calendar>,
}

/// Builds it.
///
/// # Errors
/// None.
pub fn build(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Cotahist { base: base_url(settings, ADDRESS), calendar: Calendar::b3() }))
}

/// One file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum File {
    Year(i32),
    /// By any day of it.
    Month(Date),
    Day(Date),
}

impl Source for Cotahist {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        check(&FACTS, ask)?;
        let files = files(&self.calendar, ask);
        Ok(files.into_iter().map(|file| self.request(file, ask)).collect())
    }

    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError> {
        let part = &request.part;
        let mut items = 0;
        let mut elsewhere: Option<Date> = None;
        let on_record = |record: &DailyRecord| -> Result<(), BoxError> {
            if !(part.from..=part.to).contains(&record.date) {
                elsewhere = elsewhere.or(Some(record.date));
            }
            if is_asked(&part.symbols, record.symbol) {
                items += 1;
                take(Item::Daily(Box::new(*record)))?;
            }
            Ok(())
        };
        cotahist::read_from(body, |_| {}, on_record).map_err(|error| match error {
            ReadError::Refused(refused) => malformed(&refused),
            ReadError::Stopped(cause) => SourceError::Stopped(cause),
        })?;
        match elsewhere {
            Some(date) => Err(Malformed {
                source_name: FACTS.name,
                place: "the whole file".to_owned(),
                problem: format!("it has a session outside {} to {}", part.from, part.to),
                value: date.to_string(),
                remedy: "B3 gave another file than its name says; fetch again later".to_owned(),
            }
            .into()),
            None => Ok(Reading::items(items)),
        }
    }
}

impl Cotahist {
    fn request(&self, file: File, ask: &Ask) -> Request {
        let (what, name, from, to, most_bytes) = match file {
            File::Year(year) => {
                let day = |month, day| Date::from_ymd_opt(year, month, day).unwrap_or(Date::MAX);
                (format!("year {year}"), format!("A{year}"), day(1, 1), day(12, 31), 1024 * MIB)
            }
            File::Month(day) => {
                let first = day.with_day(1).unwrap_or(day);
                let last = first.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(day);
                (format!("month {}", day.format("%Y-%m")), day.format("M%m%Y").to_string(), first, last, 256 * MIB)
            }
            File::Day(day) => (format!("day {day}"), day.format("D%d%m%Y").to_string(), day, day, 64 * MIB),
        };
        Request {
            expects: Expects::Zip,
            nothing: Some(Nothing {
                statuses: &[404],
                empty: true,
                meaning: format!("B3 has no file of {what}: not published yet, or no session in it"),
            }),
            resumable: true,
            most_bytes,
            ..Request::json(
                key(&what, &ask.symbols),
                format!("{}/InstDados/SerHist/COTAHIST_{name}.ZIP", self.base),
                Ask { from, to, ..ask.clone() },
            )
        }
    }
}

fn is_asked(symbols: &[Symbol], symbol: Symbol) -> bool {
    symbols.is_empty() || symbols.contains(&symbol)
}

/// The files that cover a span with the least to fetch, oldest first.
fn files(calendar: &Calendar, ask: &Ask) -> Vec<File> {
    let last = ask.to.min(ask.today);
    let sessions: Vec<Date> = calendar.sessions(ask.from, last);
    let this_month = ask.today.with_day(1).unwrap_or(ask.today);
    let oldest_month = this_month.checked_sub_months(Months::new(MONTHS_KEPT)).unwrap_or(Date::MIN);
    let mut files = Vec::new();
    // Before the calendar begins nobody knows which days were sessions, but every year had some.
    for year in ask.from.year().max(FIRST_YEAR)..calendar.first_day().year() {
        if year <= last.year() {
            files.push(File::Year(year));
        }
    }
    for year in sessions.chunk_by(|a, b| a.year() == b.year()) {
        let months: Vec<&[Date]> = year.chunk_by(|a, b| a.month() == b.month()).collect();
        let Some(first) = year.first() else { continue };
        let past = first.year() < ask.today.year();
        let by_month = months.len() <= FEW_MONTHS && *first >= oldest_month;
        if past && !by_month {
            files.push(File::Year(first.year()));
            continue;
        }
        for month in months {
            let by_day = month.first().is_some_and(|day| *day >= this_month) || (!past && month.len() <= FEW_SESSIONS);
            if by_day {
                files.extend(month.iter().copied().map(File::Day));
            } else {
                files.extend(month.first().copied().map(File::Month));
            }
        }
    }
    files
}

/// The first year that B3 has a file of.
const FIRST_YEAR: i32 = 1986;

fn malformed(refused: &Refused) -> SourceError {
    let line = refused.lines.first();
    let whole = refused.file.as_ref().map(ToString::to_string);
    Malformed {
        source_name: FACTS.name,
        place: match line {
            Some(line) => format!("line {}, {}", line.line, line.field.name),
            None => "the whole file".to_owned(),
        },
        problem: match (whole, line) {
            (Some(whole), _) => whole,
            (None, Some(line)) => line.fault.to_string(),
            (None, None) => "it is no COTAHIST file".to_owned(),
        },
        value: line.map_or_else(|| "no line".to_owned(), |line| line.value.clone()),
        remedy: format!("{} wrong lines in all; fetch it again later", refused.wrong_lines),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::history::Interval;

    fn ask(from: &str, to: &str, today: &str) -> Ask {
        let day = |text: &str| text.parse().unwrap();
        Ask {
            subject: Subject::Daily,
            symbols: Vec::new(),
            interval: Interval::Day,
            from: day(from),
            to: day(to),
            today: day(today),
        }
    }

    #[test]
    fn a_span_is_covered_by_the_fewest_files_that_make_sense() {
        let source = build(&Settings::default()).unwrap();
        for (from, to, today, expected) in [
            // Whole years, also where only a part was asked.
            ("2022-05-02", "2024-12-31", "2026-11-27", "A2022 A2023 A2024"),
            // A few months of last year while there are files of them; then the running year.
            (
                "2025-12-08",
                "2026-01-09",
                "2026-01-09",
                "M122025 D02012026 D05012026 D06012026 D07012026 D08012026 D09012026",
            ),
            ("2025-02-03", "2026-02-03", "2026-02-03", "A2025 M012026 D02022026 D03022026"),
            // Few sessions of a month come by the day, many by the month.
            (
                "2026-10-26",
                "2026-11-04",
                "2026-11-27",
                "D26102026 D27102026 D28102026 D29102026 D30102026 D03112026 D04112026",
            ),
            ("2026-10-19", "2026-10-30", "2026-11-27", "M102026"),
            // Neither weekends, holidays nor the future.
            ("2026-11-20", "2026-12-31", "2026-11-24", "D23112026 D24112026"),
            ("2026-11-28", "2026-12-31", "2026-11-27", ""),
            ("2026-11-21", "2026-11-22", "2026-11-27", ""),
            // Before the calendar begins.
            ("1998-03-02", "2000-02-01", "2026-11-27", "A1998 A1999 A2000"),
        ] {
            let plan = source.plan(&ask(from, to, today)).unwrap();
            let names: Vec<&str> = plan
                .iter()
                .map(|request| {
                    let name = request.url.rsplit('/').next().unwrap();
                    name.strip_prefix("COTAHIST_").unwrap().strip_suffix(".ZIP").unwrap()
                })
                .collect();
            assert_eq!(names.join(" "), expected, "{from} to {to}, today {today}");
        }
        let plan = source.plan(&ask("2024-01-01", "2024-12-31", "2026-11-27")).unwrap();
        assert_eq!(plan[0].url, "https://bvmf.bmfbovespa.com.br/InstDados/SerHist/COTAHIST_A2024.ZIP");
        assert_eq!(plan[0].key, "year 2024");
        let backwards = source.plan(&ask("2024-12-31", "2024-01-01", "2026-11-27")).unwrap_err().to_string();
        assert!(backwards.contains("swap the two days"), "{backwards}");
    }
}
