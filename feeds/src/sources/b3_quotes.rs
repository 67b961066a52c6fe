//! Delayed quotes from B3's own site: the last price of a ticker, and the curve of the day.
//!
//! Fifteen minutes old, for watching and for checking other feeds against: never to price an order.
//!
//! - [`Subject::Quotes`]: one reply per ticker, its last price. The reply has the server's hour and not
//!   that of the trade, so a quote is *at most* as fresh as it says.
//! - [`Subject::Intraday`]: the points of the day so far, also of IBOV. They are single prices and no
//!   bars, and come out as quotes with the hour that each point carries.
//!
//! Source: `b3-market.md` 2 and `market-data-sources.md` 2. The server wants to be asked by a page of
//! B3's site, hence the headers.

use chrono::NaiveTime;
use market::history::{DelayClass, SourceName};
use market::{Symbol, Timestamp};

use super::json::{Document, Node, Object};
use super::{base_url, check, not_answered};
use crate::source::{
    Ask, Body, Facts, Item, Nothing, Reading, Request, Settings, Source, SourceError, SourceQuote, Subject, Take,
};

/// Its name.
pub const NAME: &str = "b3_quotes";

const FACTS: Facts = Facts {
    name: SourceName::of(NAME),
    about: "last prices and the curve of the day, 15 minutes old, from B3's site",
    delay: DelayClass::Delayed,
    answers: &[Subject::Quotes, Subject::Intraday],
    // Not published. Two tickers in three seconds are what a person clicks.
    requests_per_minute: 40,
    wants_secret: false,
    off_because: None,
};

const ADDRESS: &str = "https://cotacao.b3.com.br";
const SITE: &str = "https://www.b3.com.br";
/// The server turns away what is not a browser.
const BROWSER: &str = concat!("Mozilla/5.0 (compatible; pregao/", env!("CARGO_PKG_VERSION"), ")");

struct Quotes {
    base: String,
}

/// Builds it.
///
/// # Errors
/// None.
pub fn build(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Quotes { base: base_url(settings, ADDRESS) }))
}

impl Source for Quotes {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        check(&FACTS, ask)?;
        if ask.symbols.is_empty() {
            return Err(not_answered(&FACTS, "no ticker is named", "name those that you watch"));
        }
        if !(ask.from..=ask.to).contains(&ask.today) {
            return Err(not_answered(&FACTS, format!("{} to {}", ask.from, ask.to), "it knows today only"));
        }
        let (what, call) = match ask.subject {
            Subject::Quotes => ("quote of", "instrumentQuotation"),
            _ => ("curve of", "DailyFluctuationHistory"),
        };
        let request = |symbol: &Symbol| Request {
            headers: vec![
                ("user-agent", BROWSER.to_owned()),
                ("origin", SITE.to_owned()),
                ("referer", format!("{SITE}/")),
            ],
            nothing: Some(Nothing {
                statuses: &[404],
                empty: false,
                meaning: format!("B3 has no quotation of {symbol}"),
            }),
            ..Request::json(
                format!("{what} {symbol} on {}", ask.today),
                format!("{}/mds/api/v1/{call}/{symbol}", self.base),
                Ask { symbols: vec![*symbol], ..ask.clone() },
            )
        };
        Ok(ask.symbols.iter().map(request).collect())
    }

    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError> {
        let [symbol] = request.part.symbols[..] else {
            return Err(not_answered(&FACTS, "a reply of no ticker", "ask for one at a time"));
        };
        let document = Document::read(FACTS.name, body)?;
        let root = document.root()?.object()?;
        let status = root.field("BizSts")?.object()?;
        let code = status.field("cd")?.text()?;
        if code != "OK" {
            let says = status.optional("desc").map_or(Ok(String::new()), |text| text.text())?;
            return Ok(Reading::nothing(
                format!("B3 has no quotation of {symbol}: {code} {says}").trim_end().to_owned(),
            ));
        }
        let quotes = match request.part.subject {
            Subject::Quotes => vec![last(&root, symbol)?],
            _ => curve(&root, symbol)?,
        };
        let items = quotes.len() as u64;
        quotes.into_iter().try_for_each(|quote| take(Item::Quote(quote))).map_err(SourceError::Stopped)?;
        if items == 0 {
            return Ok(Reading::nothing(format!("{symbol} has not traded on {}", request.part.today)));
        }
        Ok(Reading::items(items))
    }
}

fn last(root: &Object<'_>, symbol: Symbol) -> Result<SourceQuote, SourceError> {
    let told = root.field("Msg")?.object()?.field("dtTm")?;
    let at = instant(&told, told.local_time()?)?;
    let list = root.field("Trad")?;
    let traded = list.items()?;
    let [traded] = &traded[..] else {
        return Err(list.wrong("one instrument belongs here"));
    };
    let traded = traded.object()?;
    let security = traded.field("scty")?.object()?;
    is_of(symbol, &security)?;
    let price = security.field("SctyQtn")?.object()?.field("curPrc")?.price()?;
    let volume = traded.optional("ttlQty").map(|units| units.quantity()).transpose()?;
    Ok(SourceQuote { source: FACTS.name, symbol, at, last: price, bid: None, ask: None, volume, delay: FACTS.delay })
}

fn curve(root: &Object<'_>, symbol: Symbol) -> Result<Vec<SourceQuote>, SourceError> {
    let floor = root.field("TradgFlr")?.object()?;
    let date = floor.field("date")?.date()?;
    let security = floor.field("scty")?.object()?;
    is_of(symbol, &security)?;
    let mut quotes: Vec<SourceQuote> = Vec::new();
    for point in security.field("lstQtn")?.items()? {
        let point = point.object()?;
        let told = point.field("dtTm")?;
        // Seen with and without the day.
        let local = match NaiveTime::parse_from_str(told.text()?.trim(), "%H:%M:%S") {
            Ok(time) => date.and_time(time),
            Err(_) => told.local_time()?,
        };
        let at = instant(&told, local)?;
        if quotes.last().is_some_and(|before| before.at > at) {
            return Err(told.wrong("it lies before the point above"));
        }
        let last = point.field("closPric")?.price()?;
        quotes.push(SourceQuote {
            source: FACTS.name,
            symbol,
            at,
            last,
            bid: None,
            ask: None,
            volume: None,
            delay: FACTS.delay,
        });
    }
    Ok(quotes)
}

fn is_of(symbol: Symbol, security: &Object<'_>) -> Result<(), SourceError> {
    match security.optional("symb") {
        Some(named) if named.text()?.trim() != symbol.as_str() => Err(named.wrong(format!("{symbol} was asked for"))),
        _ => Ok(()),
    }
}

fn instant(told: &Node<'_>, local: chrono::NaiveDateTime) -> Result<Timestamp, SourceError> {
    Timestamp::from_local(local).ok_or_else(|| told.wrong("there is no such hour in São Paulo"))
}
