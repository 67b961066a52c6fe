//! brapi.dev: daily bars and last prices of B3's shares, from a small Brazilian service.
//!
//! A fallback, and a second opinion. The free plan answers one ticker at a time, 15,000 times a month,
//! three months back; each plan says no in its own words (status 402 or 4xx), which the error repeats.
//! Its prices come from elsewhere through 32-bit floats (`38.099998`): they are rounded to centavos,
//! the adjusted close, which has no tick, to six decimals. A row that is null all over is a day without
//! a trade and is passed over; one that is null in part is an error.
//!
//! Source: `market-data-sources.md` 4.

use chrono::{DateTime, TimeDelta};
use market::history::{DelayClass, HistoryBar, Interval, SourceName};
use market::{Symbol, Timestamp};

use super::json::{Document, Object};
use super::{bar, base_url, check, check_range, epoch, midnight, not_answered, secret};
use crate::source::{
    Ask, Body, Facts, Item, Nothing, Reading, Request, Secret, Settings, Source, SourceError, SourceQuote, Subject,
    Take,
};

/// Its name.
pub const NAME: &str = "brapi";

const FACTS: Facts = Facts {
    name: SourceName::of(NAME),
    about: "daily bars and prices half an hour old, from brapi.dev",
    delay: DelayClass::Delayed,
    answers: &[Subject::Daily, Subject::Quotes],
    requests_per_minute: 20,
    wants_secret: true,
    off_because: None,
};

const ADDRESS: &str = "https://brapi.dev";
/// B3's shares move by centavos.
const CENTAVOS: u32 = 2;
/// An adjusted close moves by nothing in particular.
const ADJUSTED: u32 = 6;

/// How far back it can be asked, by days and by its own words.
const RANGES: [(i64, &str); 9] = [
    (4, "5d"),
    (28, "1mo"),
    (85, "3mo"),
    (175, "6mo"),
    (360, "1y"),
    (725, "2y"),
    (1_820, "5y"),
    (3_640, "10y"),
    (i64::MAX, "max"),
];

struct Brapi {
    base: String,
    token: Secret,
}

/// Builds it.
///
/// # Errors
/// No token is configured.
pub fn build(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Brapi { base: base_url(settings, ADDRESS), token: secret(&FACTS, settings)? }))
}

impl Source for Brapi {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        check(&FACTS, ask)?;
        if ask.symbols.is_empty() {
            return Err(not_answered(&FACTS, "no ticker is named", "name those that you want"));
        }
        let back = (ask.today - ask.from).max(TimeDelta::zero()).num_days();
        let range = RANGES.iter().find(|(days, _)| back <= *days).map_or("max", |(_, range)| range);
        let request = |symbol: &Symbol| {
            let (what, query) = match ask.subject {
                Subject::Quotes => ("quote of", String::new()),
                _ => (range, format!("?range={range}&interval=1d")),
            };
            Request {
                secret_headers: vec![("authorization", Secret::new(format!("Bearer {}", self.token.reveal())))],
                nothing: Some(Nothing {
                    statuses: &[404],
                    empty: false,
                    meaning: format!("brapi does not know {symbol}"),
                }),
                ..Request::json(
                    format!("{what} {symbol} on {} from {}", ask.today, ask.from),
                    format!("{}/api/quote/{symbol}{query}", self.base),
                    Ask { symbols: vec![*symbol], ..ask.clone() },
                )
            }
        };
        Ok(ask.symbols.iter().map(request).collect())
    }

    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError> {
        let part = &request.part;
        let document = Document::read(FACTS.name, body)?;
        let results = document.root()?.object()?.field("results")?;
        let list = results.items()?;
        let [result] = &list[..] else {
            return Err(results.wrong("the result of one ticker belongs here"));
        };
        let result = result.object()?;
        let named = result.field("symbol")?;
        let symbol: Symbol = named.parse("a ticker")?;
        if part.symbols != [symbol] {
            return Err(named.wrong(format!("{:?} was asked for", part.symbols)));
        }
        if part.subject == Subject::Quotes {
            take(Item::Quote(quote(&result, symbol)?)).map_err(SourceError::Stopped)?;
            return Ok(Reading::items(1));
        }
        let mut items = 0;
        for row in result.field("historicalDataPrice")?.items()? {
            let Some(bar) = daily(&row.object()?, symbol)? else { continue };
            if (part.from..=part.to).contains(&bar.date()) {
                items += 1;
                take(Item::Bar(bar)).map_err(SourceError::Stopped)?;
            }
        }
        if items == 0 {
            return Ok(Reading::nothing(format!("brapi has no bar of {symbol} from {} to {}", part.from, part.to)));
        }
        Ok(Reading::items(items))
    }
}

fn quote(result: &Object<'_>, symbol: Symbol) -> Result<SourceQuote, SourceError> {
    let told = result.field("regularMarketTime")?;
    let text = told.text()?;
    let at = DateTime::parse_from_rfc3339(text.trim()).ok().and_then(|at| at.timestamp_nanos_opt());
    let at = at.ok_or_else(|| told.wrong("a time such as 2026-11-27T17:07:00.000Z belongs here"))?;
    let volume = result.optional("regularMarketVolume").map(|units| units.quantity()).transpose()?;
    Ok(SourceQuote {
        source: FACTS.name,
        symbol,
        at: Timestamp::from_nanos(at),
        last: result.field("regularMarketPrice")?.rounded_price(CENTAVOS)?,
        bid: None,
        ask: None,
        volume,
        delay: FACTS.delay,
    })
}

/// A day's bar; none where nothing was traded.
fn daily(row: &Object<'_>, symbol: Symbol) -> Result<Option<HistoryBar>, SourceError> {
    const PRICES: [&str; 4] = ["open", "high", "low", "close"];
    let date = row.field("date")?;
    if PRICES.iter().all(|name| row.optional(name).is_none()) {
        return Ok(None);
    }
    let price = |name: &str| row.field(name)?.rounded_price(CENTAVOS);
    let prices = [price("open")?, price("high")?, price("low")?, price("close")?];
    check_range(prices).map_err(|problem| date.wrong(problem))?;
    let begin = midnight(epoch(&date)?.local_date()).ok_or_else(|| date.wrong("a day belongs here"))?;
    let volume = row.field("volume")?.quantity()?;
    let adjusted_close = row.optional("adjustedClose").map(|close| close.rounded_price(ADJUSTED)).transpose()?;
    Ok(Some(HistoryBar { adjusted_close, ..bar(FACTS.name, symbol, Interval::Day, begin, prices, volume) }))
}
