//! Alpha Vantage: long histories of daily bars with adjusted closes, dividends and splits.
//!
//! For filling in the past: 25 requests a day without a paid plan, one ticker each. One reply holds both
//! bars and corporate actions, so asking for days gives both. Its quota, and a plan that does not include
//! the question, are told with status 200 in a `Note` or in `Information`; that ends the run.
//!
//! Known defects of its history of B3: `b3-market.md` 9 (closes that are not raw, rows on closed days).
//! It keeps them as they are told; finding them is the business of the quality rules.
//!
//! Source: `market-data-sources.md` 6.

use market::history::{CorporateAction, CorporateActionKind as Kind, DelayClass, HistoryBar, Interval, SourceName};
use market::{Date, Symbol};
use rust_decimal::Decimal;

use super::json::{Document, Node};
use super::{bar, base_url, check, check_range, last_with_the_right, midnight, not_answered, secret};
use crate::source::{Ask, Body, Facts, Item, Reading, Request, Secret, Settings, Source, SourceError, Subject, Take};

/// Its name.
pub const NAME: &str = "alpha_vantage";

const FACTS: Facts = Facts {
    name: SourceName::of(NAME),
    about: "long daily histories with dividends and splits, from Alpha Vantage",
    delay: DelayClass::EndOfDay,
    answers: &[Subject::Daily],
    requests_per_minute: 5,
    wants_secret: true,
    off_because: None,
};

const ADDRESS: &str = "https://www.alphavantage.co";
/// Days back that the short form of a reply surely covers: it has 100 rows.
const COMPACT_DAYS: i64 = 120;

struct AlphaVantage {
    base: String,
    key: Secret,
}

/// Builds it.
///
/// # Errors
/// No key is configured.
pub fn build(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(AlphaVantage { base: base_url(settings, ADDRESS), key: secret(&FACTS, settings)? }))
}

impl Source for AlphaVantage {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        check(&FACTS, ask)?;
        if ask.symbols.is_empty() {
            return Err(not_answered(&FACTS, "no ticker is named", "name those that you want"));
        }
        let size = if (ask.today - ask.from).num_days() <= COMPACT_DAYS { "compact" } else { "full" };
        let request = |symbol: &Symbol| {
            let query = format!("function=TIME_SERIES_DAILY_ADJUSTED&symbol={symbol}.SAO&outputsize={size}");
            Request {
                secret_query: vec![("apikey", self.key.clone())],
                ..Request::json(
                    format!("{size} {symbol} {} to {} on {}", ask.from, ask.to, ask.today),
                    format!("{}/query?{query}", self.base),
                    Ask { symbols: vec![*symbol], ..ask.clone() },
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
        let root = document.root()?.object()?;
        if let Some(says) = root.optional("Note").or_else(|| root.optional("Information")) {
            let says: String = says.text()?.chars().take(300).collect();
            return Err(SourceError::QuotaUsedUp { source_name: FACTS.name, says });
        }
        if root.optional("Error Message").is_some() {
            return Ok(Reading::nothing(format!("Alpha Vantage does not know {symbol}.SAO")));
        }
        let mut days = Vec::new();
        for (date, row) in root.field("Time Series (Daily)")?.object()?.entries() {
            let date: Date = date.parse().map_err(|_| row.wrong("its name should be a day such as 2026-11-27"))?;
            if (part.from..=part.to).contains(&date) {
                days.push((date, row));
            }
        }
        days.sort_by_key(|(date, _)| *date);
        let mut items = 0;
        let mut give = |item: Item| {
            items += 1;
            take(item).map_err(SourceError::Stopped)
        };
        for (date, row) in &days {
            let (bar, actions) = day(*date, row, symbol)?;
            give(Item::Bar(bar))?;
            actions.into_iter().map(Item::Action).try_for_each(&mut give)?;
        }
        if items == 0 {
            let why = format!("Alpha Vantage has nothing of {symbol} from {} to {}", part.from, part.to);
            return Ok(Reading::nothing(why));
        }
        Ok(Reading::items(items))
    }
}

fn day(date: Date, node: &Node<'_>, symbol: Symbol) -> Result<(HistoryBar, Vec<CorporateAction>), SourceError> {
    let row = node.object()?;
    let price = |name: &str| row.field(name)?.price();
    let prices = [price("1. open")?, price("2. high")?, price("3. low")?, price("4. close")?];
    check_range(prices).map_err(|problem| node.wrong(problem))?;
    let begin = midnight(date).ok_or_else(|| node.wrong("its name should be a day such as 2026-11-27"))?;
    let adjusted = row.field("5. adjusted close")?;
    let adjusted_close = Some(adjusted.rounded_price(8)?);
    let volume = row.field("6. volume")?.quantity()?;
    let bar = HistoryBar { adjusted_close, ..bar(FACTS.name, symbol, Interval::Day, begin, prices, volume) };

    let action = |kind, amount: Decimal, ratio: Decimal, label: &str| CorporateAction {
        source: FACTS.name,
        isin: None,
        symbol: Some(symbol),
        kind,
        last_date_prior: last_with_the_right(date),
        approved_on: None,
        payment_date: None,
        amount: amount.normalize(),
        ratio: ratio.normalize(),
        label: label.to_owned(),
    };
    let mut actions = Vec::new();
    let told = row.field("7. dividend amount")?;
    match told.decimal()? {
        none if none.is_zero() => {}
        amount if amount > Decimal::ZERO => {
            actions.push(action(Kind::Dividend, amount, Decimal::ONE, "dividend or interest on equity"));
        }
        _ => return Err(told.wrong("an amount of zero or more belongs here")),
    }
    let told = row.field("8. split coefficient")?;
    match told.decimal()? {
        ratio if ratio <= Decimal::ZERO => return Err(told.wrong("units above zero belong here")),
        one if one == Decimal::ONE => {}
        ratio => {
            let kind = if ratio < Decimal::ONE { Kind::ReverseSplit } else { Kind::Split };
            actions.push(action(kind, Decimal::ZERO, ratio, "split"));
        }
    }
    Ok((bar, actions))
}
