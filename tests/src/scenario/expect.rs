//! What a scenario expects: the parts of an `expect` line, each compared with the desk.

use desk::Alert;
use market::{Money, Price, Quantity};
use risk::HaltScope;

use super::stage::Stage;
use super::words::Words;

/// Compares every part of the line; the first word says what it is about.
pub(super) fn all(stage: &Stage, expected: &str) -> Result<(), String> {
    let subject = expected.split([' ', ',']).next().unwrap_or_default();
    let rest = expected.strip_prefix(subject).unwrap_or_default();
    let compare: &dyn Fn(&mut Words<'_>) -> Result<(), String> = if stage.named(subject).is_some() {
        &|words| order(stage, subject, words)
    } else if stage.vanished.contains(subject) {
        &|words| {
            words.skip("without")?;
            words.skip("trace")
        }
    } else if stage.instrument(subject).is_ok() {
        &|words| position(stage, subject, words)
    } else {
        return each(expected, &|words| account(stage, words));
    };
    each(rest, compare)
}

fn each(parts: &str, compare: &dyn Fn(&mut Words<'_>) -> Result<(), String>) -> Result<(), String> {
    parts.split(',').try_for_each(|part| {
        let mut words = Words::of(part);
        compare(&mut words)?;
        words.end()
    })
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
        "external" => same("external", book.external(id), words.read("a quantity")?),
        // What the strategy believes that it holds.
        "told" => {
            let told = stage.told.get(&id).map(|holding| holding.position).unwrap_or_default();
            same("what the strategy was told", told, words.read("a quantity")?)
        }
        "stopped" => stopped(symbol, stage.protocol.breaks().get(&id).map(String::as_str), words),
        "trading" => match stage.protocol.breaks().get(&id) {
            None => Ok(()),
            Some(why) => Err(format!("{symbol} is stopped: {why}")),
        },
        other => Err(format!("unknown word '{other}'")),
    }
}

/// The words that the reason must have, all of them at one place.
fn stopped(what: &str, why: Option<&str>, words: &mut Words<'_>) -> Result<(), String> {
    let why = why.ok_or_else(|| format!("{what} is not stopped"))?;
    let expected = words.rest();
    if why.contains(&expected) { Ok(()) } else { Err(format!("{what} is stopped, but: {why}")) }
}

/// `sent 2 times`, of whose commands has been said.
fn sent(what: &str, found: usize, words: &mut Words<'_>) -> Result<(), String> {
    let expected: usize = words.read("a count")?;
    words.skip(if expected == 1 { "time" } else { "times" })?;
    same(what, found, expected)
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
        "called" => {
            let called = order.intent.client_order_id.to_string();
            same("its name", called.as_str(), words.next("an order identifier")?)
        }
        "sent" => sent("sent", stage.sent(Some(name), Some("submit")), words),
        command @ ("cancel" | "replace") if words.skip_if("sent") => {
            sent(&format!("{command} sent"), stage.sent(Some(name), Some(command)), words)
        }
        status => same(name, order.status.name(), status),
    }
}

fn account(stage: &Stage, words: &mut Words<'_>) -> Result<(), String> {
    let book = stage.book();
    let what = words.next("what is expected")?;
    if let Some(scope) = what.parse::<HaltScope>().ok().filter(|_| what.contains(':')) {
        return same(what, stage.switch.level_in(&scope).name(), words.next("a halt level")?);
    }
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
            let count = stage.protocol.desk().denials().get(check).copied().unwrap_or_default();
            return same(&format!("denied {check}"), count, words.read("a count")?);
        }
        "halt" => {
            let word = words.next("a halt level or a scope")?;
            return match word.parse::<HaltScope>() {
                Ok(scope) => same(word, stage.switch.level_in(&scope).name(), words.next("a halt level")?),
                Err(_) => same(what, stage.switch.level().name(), word),
            };
        }
        "breach" => {
            let name = words.next("the name of a monitor")?;
            let found = stage.breaches.iter().any(|breach| breach.monitor == name);
            return if found { Ok(()) } else { Err(format!("no such breach, but {:?}", told(stage))) };
        }
        "phase" => return same(what, stage.protocol.desk().current_phase().name(), words.next("a phase")?),
        "sent" => {
            words.skip("nothing")?;
            return same("what has left since the start", stage.sent(None, None), 0);
        }
        "alert" => return alert(stage, words),
        "no" => return nothing(stage, words),
        "account" => return whole_account(stage, words),
        "external" => {
            let symbol = words.next("a symbol")?;
            let external = stage.book().external(stage.instrument(symbol)?);
            return same(&format!("external {symbol}"), external, words.read("a quantity")?);
        }
        "journal" => {
            let found = if stage.protocol.is_journal_down() { "down" } else { "up" };
            return same(what, found, words.next("'down' or 'up'")?);
        }
        "connection" => return same(what, stage.protocol.link().name(), words.next("down, comparing or ready")?),
        "question" => return if stage.question.is_some() { Ok(()) } else { Err("nothing is asked".to_owned()) },
        other => return Err(format!("unknown word '{other}'")),
    };
    same(what, found, words.read("an amount")?)
}

fn whole_account(stage: &Stage, words: &mut Words<'_>) -> Result<(), String> {
    let why = stage.protocol.account_break();
    match (words.next("'stopped' or 'trading'")?, why) {
        ("stopped", why) => stopped("the account", why, words),
        ("trading", None) => Ok(()),
        ("trading", Some(why)) => Err(format!("the account is stopped: {why}")),
        (other, _) => Err(format!("unknown word '{other}'")),
    }
}

fn nothing(stage: &Stage, words: &mut Words<'_>) -> Result<(), String> {
    match words.next("'alert', 'breach' or 'question'")? {
        "alert" if stage.alerts().is_empty() => Ok(()),
        "alert" => Err(format!("a person was told: {:?}", stage.alerts())),
        "breach" if stage.breaches.is_empty() => Ok(()),
        "breach" => Err(format!("monitors found {:?}", told(stage))),
        "question" if stage.question.is_none() => Ok(()),
        "question" => Err("a statement is being asked for".to_owned()),
        other => Err(format!("unknown word '{other}'")),
    }
}

fn told(stage: &Stage) -> Vec<String> {
    stage.breaches.iter().map(ToString::to_string).collect()
}

/// What a person was told by the line before.
fn alert(stage: &Stage, words: &mut Words<'_>) -> Result<(), String> {
    let kind = words.next("the kind of alert")?;
    let about = match kind {
        "unknown" | "late_fill" | "revoked" | "break" | "stopped" | "not_canceled" | "not_closed" => {
            Some(words.next("of what")?)
        }
        "ignored" | "journal" | "journal_back" | "broker" | "nothing_open" => None,
        other => return Err(format!("'{other}' is not an alert")),
    };
    let id = about.and_then(|name| stage.names.get(name));
    let fits = |alert: &&Alert| match alert {
        Alert::OrderUnknown { client_order_id, .. } => kind == "unknown" && Some(client_order_id) == id,
        Alert::LateFill { client_order_id } => kind == "late_fill" && Some(client_order_id) == id,
        Alert::TradeRevoked { client_order_id } => kind == "revoked" && Some(client_order_id) == id,
        Alert::Break { symbol, .. } => {
            let scope = symbol.map_or_else(|| "account".to_owned(), |symbol| symbol.to_string());
            kind == "break" && about == Some(scope.as_str())
        }
        // By the rule that tripped.
        Alert::StrategyStopped { rule, .. } => kind == "stopped" && about == Some(rule.name()),
        Alert::NotClosed { symbol, .. } => {
            kind == "not_closed" && about == symbol.map(|symbol| symbol.to_string()).as_deref()
        }
        Alert::NothingOpen => kind == "nothing_open",
        Alert::ReportNotApplied { .. } => kind == "ignored",
        Alert::JournalDown { .. } => kind == "journal",
        Alert::JournalBack => kind == "journal_back",
        Alert::BrokerDown { .. } => kind == "broker",
        Alert::NotCanceledOnDisconnect { client_order_id, .. } => kind == "not_canceled" && Some(client_order_id) == id,
    };
    match stage.alerts().iter().find(fits) {
        Some(_) => Ok(()),
        None => Err(format!("no such alert; a person was told: {:?}", stage.alerts())),
    }
}
