//! Yahoo's chart interface: bars of a day or of minutes, dividends and splits.
//!
//! **Off until it is switched on**: Yahoo's terms forbid programs, and it turns them away without notice
//! (429, cookies). It is here to check other sources against.
//!
//! What to know of its numbers:
//!
//! - "Raw" prices are adjusted for later splits; `adjclose` for dividends too. Neither is what was paid
//!   on the day, so bars of this source are never mixed with the exchange's.
//! - Dividends are per unit of today, also adjusted for later splits, and it does not tell dividends from
//!   interest on equity: their label says so.
//! - Prices are 32-bit floats in long decimals; they are rounded to the decimals that the reply itself
//!   names (`priceHint`), adjusted closes to six.
//! - A row that is null all over is an interval without a trade and is passed over. The bar of a day that
//!   still goes on is left out.
//! - A failure may come with status 200: it stands in `chart.error`.
//!
//! Source: `market-data-sources.md` 5.

use market::history::{CorporateAction, CorporateActionKind as Kind, DelayClass, HistoryBar, Interval, SourceName};
use market::{Symbol, Timestamp};
use rust_decimal::Decimal;

use super::json::{Document, Node, Object};
use super::{bar, base_url, check, check_range, epoch, last_with_the_right, midnight, not_answered};
use crate::source::{Ask, Body, Facts, Item, Nothing, Reading, Request, Settings, Source, SourceError, Subject, Take};

/// Its name.
pub const NAME: &str = "yahoo";

const FACTS: Facts = Facts {
    name: SourceName::of(NAME),
    about: "bars, dividends and splits of Yahoo's charts, to check others against",
    delay: DelayClass::Delayed,
    answers: &[Subject::Daily, Subject::Intraday, Subject::CorporateActions],
    requests_per_minute: 10,
    wants_secret: false,
    off_because: Some("Yahoo's terms forbid programs; switch it on if you have an agreement with them"),
};

const ADDRESS: &str = "https://query1.finance.yahoo.com";
/// Minutes that it has bars of.
const MINUTES: [u16; 6] = [1, 2, 5, 15, 30, 60];
/// An adjusted close moves by nothing in particular.
const ADJUSTED: u32 = 6;
/// Decimals of a price where the reply does not name them.
const CENTAVOS: u32 = 2;

struct Yahoo {
    base: String,
}

/// Builds it.
///
/// # Errors
/// None.
pub fn build(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Yahoo { base: base_url(settings, ADDRESS) }))
}

/// Its name for a symbol.
pub(super) fn name_of(symbol: Symbol) -> String {
    if symbol.as_str() == "IBOV" { "^BVSP".to_owned() } else { format!("{symbol}.SA") }
}

impl Source for Yahoo {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        check(&FACTS, ask)?;
        if ask.symbols.is_empty() {
            return Err(not_answered(&FACTS, "no ticker is named", "name those that you want"));
        }
        let (interval, text) = match (ask.subject, ask.interval) {
            (Subject::Intraday, Interval::Minutes(count)) if MINUTES.contains(&count.get()) => {
                (ask.interval, format!("{}m", count.get()))
            }
            (Subject::Intraday, other) => {
                let remedy = format!("it has bars of {MINUTES:?} minutes");
                return Err(not_answered(&FACTS, format!("bars of {other}"), remedy));
            }
            _ => (Interval::Day, "1d".to_owned()),
        };
        let second = |date: market::Date| midnight(date).map_or(0, |at| at.as_nanos() / 1_000_000_000);
        let (from, to) = (second(ask.from), second(ask.to.succ_opt().unwrap_or(ask.to)));
        let request = |symbol: &Symbol| {
            let name: String = form_urlencoded::byte_serialize(name_of(*symbol).as_bytes()).collect();
            let span = format!("period1={from}&period2={to}&interval={text}&events=div%2Csplits");
            Request {
                nothing: Some(Nothing {
                    statuses: &[404],
                    empty: false,
                    meaning: format!("Yahoo does not know {symbol}, or nothing of it from {} to {}", ask.from, ask.to),
                }),
                ..Request::json(
                    format!("{:?} {text} {symbol} {} to {} on {}", ask.subject, ask.from, ask.to, ask.today),
                    format!("{}/v8/finance/chart/{name}?{span}", self.base),
                    Ask { symbols: vec![*symbol], interval, ..ask.clone() },
                )
            }
        };
        Ok(ask.symbols.iter().map(request).collect())
    }

    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError> {
        let part = &request.part;
        let [symbol] = part.symbols[..] else {
            return Err(not_answered(&FACTS, "a reply of no ticker", "ask for one at a time"));
        };
        let document = Document::read(FACTS.name, body)?;
        let chart = document.root()?.object()?.field("chart")?.object()?;
        if let Some(error) = chart.optional("error") {
            let told = error.object()?;
            let code = told.field("code")?.text()?;
            if code == "Not Found" {
                return Ok(Reading::nothing(format!("Yahoo does not know {symbol}")));
            }
            return Err(error.wrong(format!("it says that it failed: {code}")));
        }
        let results = chart.field("result")?;
        let list = results.items()?;
        let [result] = &list[..] else {
            return Err(results.wrong("the result of one ticker belongs here"));
        };
        let result = result.object()?;
        let found: Vec<Item> = match part.subject {
            Subject::CorporateActions => actions(&result, symbol)?.into_iter().map(Item::Action).collect(),
            _ => bars(&result, symbol, part.interval)?.into_iter().map(Item::Bar).collect(),
        };
        let items = found.len() as u64;
        found.into_iter().try_for_each(take).map_err(SourceError::Stopped)?;
        if items == 0 {
            return Ok(Reading::nothing(format!("Yahoo has nothing of {symbol} from {} to {}", part.from, part.to)));
        }
        Ok(Reading::items(items))
    }
}

/// The five lists of a chart, each as long as that of the times.
fn columns<'a>(quotes: &Object<'a>, names: [&str; 5], length: usize) -> Result<[Vec<Node<'a>>; 5], SourceError> {
    let column = |name: &str| {
        let list = quotes.field(name)?;
        let values = list.items()?;
        if values.len() == length { Ok(values) } else { Err(list.wrong(format!("{length} values belong here"))) }
    };
    let [a, b, c, d, e] = names;
    Ok([column(a)?, column(b)?, column(c)?, column(d)?, column(e)?])
}

fn bars(result: &Object<'_>, symbol: Symbol, interval: Interval) -> Result<Vec<HistoryBar>, SourceError> {
    let meta = result.field("meta")?.object()?;
    let decimals = match meta.optional("priceHint") {
        Some(hint) => match u32::try_from(hint.whole()?) {
            Ok(decimals @ 0..=8) => decimals,
            _ => return Err(hint.wrong("a number of decimals from 0 to 8 belongs here")),
        },
        None => CENTAVOS,
    };
    // Without a trade in the whole span there is no list of times at all.
    let Some(times) = result.optional("timestamp") else { return Ok(Vec::new()) };
    let times = times.items()?;
    let indicators = result.field("indicators")?.object()?;
    let quotes = first(&indicators, "quote")?;
    let [opens, highs, lows, closes, volumes] =
        columns(&quotes, ["open", "high", "low", "close", "volume"], times.len())?;
    let adjusted = match (interval, indicators.optional("adjclose")) {
        (Interval::Day, Some(_)) => Some(first(&indicators, "adjclose")?.field("adjclose")?.items()?),
        _ => None,
    };
    let goes_on = goes_on(&meta)?;
    let mut bars: Vec<HistoryBar> = Vec::with_capacity(times.len());
    for (at, told) in times.iter().enumerate() {
        let cells = [&opens[at], &highs[at], &lows[at], &closes[at]];
        if cells.iter().all(|cell| cell.is_null()) {
            continue;
        }
        let time = epoch(told)?;
        let begin = match interval {
            Interval::Day => midnight(time.local_date()).ok_or_else(|| told.wrong("a day belongs here"))?,
            Interval::Minutes(_) => time,
        };
        if interval == Interval::Day && goes_on == Some(time.local_date()) {
            continue;
        }
        let price = |cell: &Node<'_>| cell.rounded_price(decimals);
        let prices = [price(cells[0])?, price(cells[1])?, price(cells[2])?, price(cells[3])?];
        check_range(prices).map_err(|problem| told.wrong(problem))?;
        if bars.last().is_some_and(|before| before.begin >= begin) {
            return Err(told.wrong("it does not lie after the one before"));
        }
        let adjusted_close = match &adjusted {
            Some(list) => {
                let cell = list.get(at).ok_or_else(|| told.wrong("its adjusted close is missing"))?;
                Some(cell.rounded_price(ADJUSTED)?)
            }
            None => None,
        };
        let volume = volumes[at].quantity()?;
        bars.push(HistoryBar { adjusted_close, ..bar(FACTS.name, symbol, interval, begin, prices, volume) });
    }
    Ok(bars)
}

/// The day whose session goes on by the reply's own clock.
fn goes_on(meta: &Object<'_>) -> Result<Option<market::Date>, SourceError> {
    let (Some(now), Some(period)) = (meta.optional("regularMarketTime"), meta.optional("currentTradingPeriod")) else {
        return Ok(None);
    };
    let now = epoch(&now)?;
    let end = epoch(&period.object()?.field("regular")?.object()?.field("end")?)?;
    Ok((now < end && now.local_date() == end.local_date()).then(|| now.local_date()))
}

/// The one object of a list.
fn first<'a>(object: &Object<'a>, name: &str) -> Result<Object<'a>, SourceError> {
    let list = object.field(name)?;
    match &list.items()?[..] {
        [only] => only.object(),
        _ => Err(list.wrong("one object belongs here")),
    }
}

fn actions(result: &Object<'_>, symbol: Symbol) -> Result<Vec<CorporateAction>, SourceError> {
    let Some(events) = result.optional("events") else { return Ok(Vec::new()) };
    let events = events.object()?;
    let mut found = Vec::new();
    if let Some(dividends) = events.optional("dividends") {
        for (_, event) in dividends.object()?.entries() {
            let event = event.object()?;
            let told = event.field("amount")?;
            let amount = told.decimal()?.round_dp(ADJUSTED).normalize();
            if amount <= Decimal::ZERO {
                return Err(told.wrong("an amount above zero belongs here"));
            }
            let label = "dividend or interest on equity, per unit of today".to_owned();
            found.push(action(symbol, Kind::Dividend, ex_date(&event)?, amount, Decimal::ONE, label));
        }
    }
    if let Some(splits) = events.optional("splits") {
        for (_, event) in splits.object()?.entries() {
            let event = event.object()?;
            let (after, before) = (event.field("numerator")?, event.field("denominator")?);
            let ratio = after.decimal()?.checked_div(before.decimal()?).filter(|ratio| *ratio > Decimal::ZERO);
            let ratio = ratio.ok_or_else(|| after.wrong("units above zero belong here and below it"))?;
            let kind = if ratio < Decimal::ONE { Kind::ReverseSplit } else { Kind::Split };
            let label = event.optional("splitRatio").map_or(Ok("split".to_owned()), |text| text.text())?;
            found.push(action(symbol, kind, ex_date(&event)?, Decimal::ZERO, ratio.normalize(), label));
        }
    }
    found.sort_by_key(|action| action.last_date_prior);
    Ok(found)
}

fn ex_date(event: &Object<'_>) -> Result<Timestamp, SourceError> {
    epoch(&event.field("date")?)
}

fn action(
    symbol: Symbol,
    kind: Kind,
    ex_date: Timestamp,
    amount: Decimal,
    ratio: Decimal,
    label: String,
) -> CorporateAction {
    CorporateAction {
        source: FACTS.name,
        isin: None,
        symbol: Some(symbol),
        kind,
        last_date_prior: last_with_the_right(ex_date.local_date()),
        approved_on: None,
        payment_date: None,
        amount,
        ratio,
        label,
    }
}
