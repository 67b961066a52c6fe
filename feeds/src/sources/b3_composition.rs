//! What B3's indices are made of: the theoretical portfolio in force, with quantities and divisor.
//!
//! The reply carries no day of its own, so its members are of the day on which it was asked; where a
//! day is named after all (`header.date`), that one counts. It is complete or refused: rows against
//! their announced number, quantities against their announced sum (exactly), shares against theirs (each
//! is rounded to 0.001 %). Source: `b3-market.md` 2.

use market::history::{DelayClass, IndexMember, SourceName};
use market::{Date, Symbol};
use rust_decimal::Decimal;

use super::json::{Document, Object};
use super::{b3_listed, base_url, check, not_answered};
use crate::source::{Ask, Body, Facts, Item, Reading, Request, Settings, Source, SourceError, Subject, Take};

/// Its name.
pub const NAME: &str = "b3_composition";

const FACTS: Facts = Facts {
    name: SourceName::of(NAME),
    about: "members, quantities and divisor of B3's indices today, from B3",
    delay: DelayClass::EndOfDay,
    answers: &[Subject::Composition],
    requests_per_minute: 20,
    wants_secret: false,
    off_because: None,
};

/// More units than any company has; sums of them stay within what a decimal holds.
const MOST_UNITS: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

struct Composition {
    base: String,
}

/// Builds it.
///
/// # Errors
/// None.
pub fn build(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(Composition { base: base_url(settings, b3_listed::ADDRESS) }))
}

impl Source for Composition {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        check(&FACTS, ask)?;
        if ask.symbols.is_empty() {
            return Err(not_answered(&FACTS, "no index is named", "name one, such as IBOV"));
        }
        let request = |index: &Symbol| {
            let question = b3_listed::question(&[
                ("pageNumber", "1"),
                ("pageSize", b3_listed::PAGE_SIZE),
                ("language", "pt-br"),
                ("index", index.as_str()),
            ]);
            let url = format!("{}/indexProxy/indexCall/GetTheoricalPortfolio/{question}", self.base);
            Request::json(format!("{index} on {}", ask.today), url, Ask { symbols: vec![*index], ..ask.clone() })
        };
        Ok(ask.symbols.iter().map(request).collect())
    }

    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError> {
        let [index] = request.part.symbols[..] else {
            return Err(not_answered(&FACTS, "a reply of no index", "ask for one at a time"));
        };
        let document = Document::read(FACTS.name, body)?;
        let root = document.root()?.object()?;
        let rows = b3_listed::only_page(&root)?;
        if rows.is_empty() {
            return Ok(Reading::nothing(format!("B3 knows no members of {index}")));
        }
        let header = root.field("header")?.object()?;
        let date = date_of(&header, request.part.today)?;
        let reductor = header.field("reductor")?;
        let divisor = reductor.brazilian()?;
        if divisor <= Decimal::ZERO {
            return Err(reductor.wrong("a divisor above zero belongs here"));
        }
        let mut members = Vec::with_capacity(rows.len());
        for row in rows {
            let row = row.object()?;
            let quantity = row.field("theoricalQty")?;
            let theoretical_quantity = quantity.brazilian()?;
            if theoretical_quantity <= Decimal::ZERO || theoretical_quantity > MOST_UNITS {
                return Err(quantity.wrong("a quantity above zero and below 10^15 belongs here"));
            }
            let share = row.field("part")?;
            let weight_percent = share.brazilian()?;
            if !(Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&weight_percent) {
                return Err(share.wrong("a share of 0 to 100 % belongs here"));
            }
            members.push(IndexMember {
                index,
                date,
                symbol: row.field("cod")?.parse("a ticker")?,
                theoretical_quantity,
                weight_percent,
                reductor: Some(divisor),
            });
        }
        check_sums(&header, &members)?;
        let items = members.len() as u64;
        members.into_iter().try_for_each(|member| take(Item::Member(member))).map_err(SourceError::Stopped)?;
        Ok(Reading::items(items))
    }
}

/// The day that the header names, as `27/11/26` or in full; else the day of asking.
fn date_of(header: &Object<'_>, today: Date) -> Result<Date, SourceError> {
    let Some(named) = header.optional("date") else { return Ok(today) };
    match Date::parse_from_str(named.text()?.trim(), "%d/%m/%y") {
        Ok(date) => Ok(date),
        Err(_) => named.date(),
    }
}

fn check_sums(header: &Object<'_>, members: &[IndexMember]) -> Result<(), SourceError> {
    let announced = header.field("theoricalQty")?;
    let sum: Decimal = members.iter().map(|member| member.theoretical_quantity).sum();
    if announced.brazilian()? != sum {
        return Err(announced.wrong(format!("the quantities of {} members add up to {sum}", members.len())));
    }
    let announced = header.field("part")?;
    let sum: Decimal = members.iter().map(|member| member.weight_percent).sum();
    // Each share is off by half of its last decimal at most.
    let tolerance = Decimal::new(5, 4) * Decimal::from(members.len() + 1);
    let apart = announced.brazilian()?.checked_sub(sum);
    if apart.is_none_or(|apart| apart.abs() > tolerance) {
        return Err(announced.wrong(format!("the shares of {} members add up to {sum} %", members.len())));
    }
    Ok(())
}
