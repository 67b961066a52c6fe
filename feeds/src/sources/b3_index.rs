//! Closes of B3's indices from its own site: one reply per year, a table of days by months.
//!
//! A year is taken whole, also where only a part of it was asked for: it is remembered as done by its
//! name. Source: `b3-market.md` 2; the names of the fields (`day`, `rateValue1` … `rateValue12`) as
//! several independent clients read them.

use chrono::Datelike;
use market::history::{DelayClass, SourceName};
use market::{Date, IndexClose, Price, Symbol};

use super::json::{Document, price_of};
use super::{b3_listed, base_url, check, not_answered};
use crate::source::{Ask, Body, Facts, Item, Reading, Request, Settings, Source, SourceError, Subject, Take};

/// Its name.
pub const NAME: &str = "b3_index";

const FACTS: Facts = Facts {
    name: SourceName::of(NAME),
    about: "daily closes of B3's indices (IBOV, IBRX …), from B3",
    delay: DelayClass::EndOfDay,
    answers: &[Subject::Index],
    requests_per_minute: 20,
    wants_secret: false,
    off_because: None,
};

/// The Ibovespa began in 1968.
const FIRST_YEAR: i32 = 1968;

struct Index {
    base: String,
}

/// Builds it.
///
/// # Errors
/// None.
pub fn build(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Index { base: base_url(settings, b3_listed::ADDRESS) }))
}

impl Source for Index {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        check(&FACTS, ask)?;
        if ask.symbols.is_empty() {
            return Err(not_answered(&FACTS, "no index is named", "name one, such as IBOV"));
        }
        let years = ask.from.year().max(FIRST_YEAR)..=ask.to.min(ask.today).year();
        let request = |index: Symbol, year: i32| {
            let day = |month, day| Date::from_ymd_opt(year, month, day).unwrap_or(Date::MAX);
            let text = year.to_string();
            let question =
                b3_listed::question(&[("index", index.as_str()), ("language", "pt-br"), ("year", text.as_str())]);
            let part = Ask { symbols: vec![index], from: day(1, 1), to: day(12, 31), ..ask.clone() };
            let url = format!("{}/indexStatisticsProxy/IndexCall/GetPortfolioDay/{question}", self.base);
            Request::json(format!("{index} {year}"), url, part)
        };
        let requests = ask.symbols.iter().flat_map(|index| years.clone().map(move |year| (*index, year)));
        Ok(requests.map(|(index, year)| request(index, year)).collect())
    }

    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError> {
        let part = &request.part;
        let [index] = part.symbols[..] else {
            return Err(not_answered(&FACTS, "a reply of no index", "ask for one at a time"));
        };
        let document = Document::read(FACTS.name, body)?;
        let mut closes: Vec<IndexClose> = Vec::new();
        for row in document.root()?.object()?.field("results")?.items()? {
            let row = row.object()?;
            let day = row.field("day")?;
            let of_month = u32::try_from(day.whole()?).ok().filter(|day| (1..=31).contains(day));
            let of_month = of_month.ok_or_else(|| day.wrong("a day of a month belongs here"))?;
            for month in 1..=12 {
                let Some(value) = row.optional(&format!("rateValue{month}")) else { continue };
                let date = Date::from_ymd_opt(part.from.year(), month, of_month)
                    .filter(|date| *date <= part.today)
                    .ok_or_else(|| value.wrong(format!("there is no day {of_month} of month {month} so far")))?;
                let points = price_of(value.brazilian()?).filter(|points| *points > Price::ZERO);
                let close = points.ok_or_else(|| value.wrong("points above zero belong here"))?;
                closes.push(IndexClose { date, close });
            }
        }
        closes.sort_by_key(|close| close.date);
        if let Some([first, _]) =
            closes.windows(2).find(|pair| pair[0].date == pair[1].date).and_then(|pair| pair.first_chunk::<2>())
        {
            let row = document.root()?;
            return Err(row.wrong(format!("{} stands there twice", first.date)));
        }
        let items = closes.len() as u64;
        closes.into_iter().try_for_each(|close| take(Item::IndexClose(index, close))).map_err(SourceError::Stopped)?;
        if items == 0 {
            return Ok(Reading::nothing(format!("B3 knows no close of {index} in {}", part.from.year())));
        }
        Ok(Reading::items(items))
    }
}
