//! What a scenario expects: the parts of an `expect` line, each compared with the desk.

use market::{Money, Price, Quantity};

use super::stage::Stage;
use super::words::Words;

/// Compares every part of the line; the first part says what it is about.
pub(super) fn all(stage: &Stage, expected: &str) -> Result<(), String> {
    let subject = expected.split([' ', ',']).next().unwrap_or_default();
    let (subject, parts) = if stage.named(subject).is_some() || stage.instrument(subject).is_ok() {
        (Some(subject), expected.strip_prefix(subject).unwrap_or_default())
    } else {
        (None, expected)
    };
    for part in parts.split(',') {
        let mut words = Words::of(part);
        match subject {
            Some(name) if stage.named(name).is_some() => order(stage, name, &mut words)?,
            Some(symbol) => position(stage, symbol, &mut words)?,
            None => account(stage, &mut words)?,
        }
        words.end()?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Display>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found}, expected {expected}")) }
}

fn position(stage: &Stage, symbol: &str, words: &mut Words<'_>) -> Result<(), String> {
    let (id, book) = (stage.instrument(symbol)?, stage.book());
    let position = book.position(id);
    let working = || -> Quantity {
        let own = book.open_orders().into_iter().filter(|order| order.intent.instrument == id);
        own.map(|order| order.intent.side.signed(order.leaves())).fold(Quantity::ZERO, |sum, signed| sum + signed)
    };
    match words.next("what is expected")? {
        "flat" => match position.average_price() {
            None => Ok(()),
            Some(price) => Err(format!("{symbol} is {} @ {price}", position.quantity)),
        },
        word @ ("long" | "short") => {
            let units: Quantity = words.read("a quantity")?;
            let held = if word == "long" { position.quantity } else { -position.quantity };
            let average = position.average_price().ok_or_else(|| format!("{symbol} is flat"))?;
            same(&format!("{symbol} {word}"), held, units)?;
            if words.skip_if("@") { same("the average price", average, words.read("a price")?) } else { Ok(()) }
        }
        "working" => same("working", working(), words.read("a quantity")?),
        "exposure" => {
            let worst = (position.quantity + book.open_buys(id)).abs();
            let worst = worst.max((position.quantity - book.open_sells(id)).abs());
            same("exposure", book.mark_of(id).times(worst), words.read("an amount")?)
        }
        "frozen" => {
            if book.is_frozen(id) {
                Ok(())
            } else {
                Err(format!("{symbol} is not frozen"))
            }
        }
        other => Err(format!("unknown word '{other}'")),
    }
}

fn order(stage: &Stage, name: &str, words: &mut Words<'_>) -> Result<(), String> {
    let order = stage.named(name).ok_or_else(|| format!("there is no order '{name}'"))?;
    match words.next("what is expected")? {
        "traded" => same("traded", order.cumulative, words.read("a quantity")?),
        "left" => same("left", order.leaves(), words.read("a quantity")?),
        "price" => {
            let price: Price = words.read("a price")?;
            same("price", order.order_type.limit_price().unwrap_or_default(), price)
        }
        status => same(name, order.status.name(), status),
    }
}

fn account(stage: &Stage, words: &mut Words<'_>) -> Result<(), String> {
    let book = stage.book();
    let what = words.next("what is expected")?;
    let found: Money = match what {
        "cash" => book.cash().total(),
        "settled" => book.cash().settled(),
        "reserved" => book.reserved(),
        "buying_power" => book.buying_power(),
        "equity" => book.equity(),
        "exposure" => book.gross_exposure(),
        "fees" => book.fees(),
        "realized" => book.realized(),
        "due" => {
            let day = words.read("a date")?;
            book.cash().pending().find(|(date, _)| *date == day).map_or(Money::ZERO, |(_, amount)| amount)
        }
        "denied" => {
            let check = words.next("the name of a check")?;
            let count = stage.desk.denials().get(check).copied().unwrap_or_default();
            return same(&format!("denied {check}"), count, words.read("a count")?);
        }
        "halt" => return same(what, stage.desk.halt().level().name(), words.next("a halt level")?),
        "phase" => return same(what, stage.desk.current_phase().name(), words.next("a phase")?),
        other => return Err(format!("unknown word '{other}'")),
    };
    same(what, found, words.read("an amount")?)
}
