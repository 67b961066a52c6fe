//! `why`: one order's whole story. Reads only, so it works beside a running daemon.

use desk::replay::story::{Moment, Story, Storyteller, Subject};
use desk::{Entry, Evidence};
use market::{BoundsChange, ExecutionReport, FeeSchedule, MarketEvent, OrderType, Price, ReportKind, Timestamp};
use risk::checks::code;
use risk::{Denial, Explanation, Figure};
use serde_json::{Value, json};

use super::recording::Recording;
use crate::cli::{WhyArguments, local};
use crate::config::Overrides;
use crate::output::{Answer, Failure, money, table};

/// Tells the story.
pub fn why(arguments: &WhyArguments, overrides: &Overrides) -> Result<Answer, Failure> {
    let (subject, account) = match (arguments.order, arguments.denied) {
        (Some(order), _) => (Subject::Order(order), order.account().parse().ok().or(arguments.account)),
        (None, Some(sequence)) => (Subject::Denied(sequence), arguments.account),
        (None, None) => return Err(Failure::usage("name an order, or a denied request by --denied SEQUENCE")),
    };
    let recording = Recording::open(overrides, account)?;
    let mut teller = Storyteller::new(recording.account.as_str(), FeeSchedule::b3(), subject);
    recording.read("Reading", |sequence, at, entry| teller.entry(sequence, at, entry))?;
    let story = teller.finish().map_err(Failure::failed)?;
    Ok(Answer::new(text(&story), document(&story)))
}

/// One line of the table of checks.
struct CheckLine {
    check: &'static str,
    denied_because: Option<&'static str>,
    asked: Figure,
    limit: Figure,
}

/// The two rules before the list, and the list.
fn check_lines(checks: &Explanation) -> Vec<CheckLine> {
    let rule = |check, told: &Result<(), Denial>| CheckLine {
        check,
        denied_because: told.err().map(|denial| denial.because),
        asked: Figure::None,
        limit: Figure::None,
    };
    let list = checks.checks.iter().map(|(check, told)| match told {
        Ok(passed) => CheckLine { check, denied_because: None, asked: passed.asked, limit: passed.limit },
        Err(denial) => {
            CheckLine { check, denied_because: Some(denial.because), asked: denial.asked, limit: denial.limit }
        }
    });
    [rule(code::HALTED, &checks.halt), rule(code::UNKNOWN_ORDER, &checks.frozen)].into_iter().chain(list).collect()
}

fn text(story: &Story) -> String {
    let mut told = vec![title(story)];
    if let Some(decision) = story.moments.first() {
        told.push(table(&["", ""], 2, reasons(story, decision)));
    }
    for moment in &story.moments {
        let Some(checks) = &moment.checks else { continue };
        let rows = check_lines(checks).into_iter().map(|line| {
            let figure = |figure: Figure| if figure == Figure::None { String::new() } else { figure.to_string() };
            let result = line.denied_because.map_or("passes".to_owned(), |because| format!("DENIES: {because}"));
            vec![line.check.to_owned(), figure(line.asked), figure(line.limit), result]
        });
        told.push(format!("The review of journal entry {}:", moment.sequence));
        told.push(table(&["Check", "Asked", "Limit", "Result"], 4, rows));
    }
    let rows =
        story.moments.iter().map(|moment| vec![precise(moment.at), moment.sequence.to_string(), happened(moment)]);
    told.push("What happened (times of São Paulo):".to_owned());
    told.push(table(&["Time", "Entry", "What"], 3, rows));
    told.extend(ending(story));
    told.join("\n")
}

fn title(story: &Story) -> String {
    let what = story.moments.first().map(|decision| match &decision.entry {
        Entry::Intent { order, .. } => {
            let (side, quantity, of) = (order.side, order.quantity, priced(order.order_type));
            format!("{side} {quantity} {} {of} {}", story.instrument.symbol, order.time_in_force.name())
        }
        Entry::Denied { request, .. } => {
            let (side, quantity, of) = (request.side, request.quantity, priced(request.order_type));
            format!("{side} {quantity} {} {of} {}", story.instrument.symbol, request.time_in_force.name())
        }
        Entry::ReplaceDenied { replace, .. } => format!("change of {}", replace.client_order_id),
        other => other.kind().to_owned(),
    });
    let what = what.unwrap_or_default();
    match story.subject {
        Subject::Order(id) => format!("Order {id}: {what}"),
        Subject::Denied(sequence) => format!("Denied at journal entry {sequence}: {what}"),
    }
}

/// Why it was asked for, and what the review saw.
fn reasons(story: &Story, decision: &Moment) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = |what: &str, told: String| rows.push(vec![what.to_owned(), told]);
    match &story.asker {
        Some(asker) => {
            let parameters: Vec<String> =
                asker.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
            row("Strategy", format!("{}: {} {}", asker.name, asker.kind, parameters.join(" ")));
        }
        None => row("Strategy", "what it began with is not in the journal".to_owned()),
    }
    match &story.heard {
        Some(heard) => row("Heard last", format!("{} (entry {})", event(&heard.event), heard.sequence)),
        None => row("Heard last", "what it had heard is not in the journal".to_owned()),
    }
    if let Some(signal) = &story.signal {
        let values: Vec<String> = signal.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        row("Signal", format!("{} {}", signal.rule, values.join(" ")));
    }
    if let Some(Evidence { top, halt, .. }) = decision.evidence() {
        let quote = match top.is_known() {
            true => {
                let age = duration(decision.at.nanos_since(top.at));
                format!("bid {} ask {} last {}, {age} old", price(top.bid), price(top.ask), price(top.last))
            }
            false => "no price was known".to_owned(),
        };
        row("Quote at the review", quote);
        row("Halt level", halt.name().to_owned());
    }
    if let Some(checks) = &decision.checks {
        row("Worst price", checks.worst_price.to_string());
    }
    rows
}

/// Nobody bids or asks at zero: it is not known.
fn price(price: Price) -> String {
    if price == Price::ZERO { "unknown".to_owned() } else { price.to_string() }
}

/// Rounded down to what a person would say.
fn duration(nanos: i64) -> String {
    let (milliseconds, minutes) = (nanos / 1_000_000, nanos / 60_000_000_000);
    match minutes {
        0 => format!("{}.{:03} s", milliseconds / 1_000, (milliseconds % 1_000).abs()),
        1..60 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, (minutes % 60).abs()),
    }
}

/// How it ended, and what was held then.
fn ending(story: &Story) -> Option<String> {
    let standing = story.moments.iter().rev().find_map(|moment| moment.standing)?;
    let symbol = story.instrument.symbol;
    let account = format!("the account held {} {symbol} and {} BRL", standing.position, money(standing.cash));
    Some(match (standing.status, standing.average_price) {
        (Some(status), Some(price)) => {
            format!("It is {}: {} traded at {price} on average. Then {account}.", status.name(), standing.cumulative)
        }
        (Some(status), None) => format!("It is {}: nothing traded. Then {account}.", status.name()),
        (None, _) => format!("At that moment {account}."),
    })
}

fn priced(order_type: OrderType) -> String {
    match order_type.limit_price() {
        Some(price) => format!("{} {price}", order_type.name()),
        None => order_type.name().to_owned(),
    }
}

fn event(event: &MarketEvent) -> String {
    let at = precise(event.at());
    match event {
        MarketEvent::Quote(quote) => {
            format!("quote {} × {} / {} × {} at {at}", quote.bid, quote.bid_size, quote.ask, quote.ask_size)
        }
        MarketEvent::Trade(trade) => format!("trade of {} at {} at {at}", trade.quantity, trade.price),
        MarketEvent::Bar { bar, .. } => {
            let (open, high, low, close, end) = (bar.open, bar.high, bar.low, bar.close, precise(bar.end));
            format!("bar to {end}: open {open} high {high} low {low} close {close}, delivered {at}")
        }
        MarketEvent::Auction(print) => format!("auction of {} at {} at {at}", print.quantity, print.price),
        MarketEvent::Status(change) => format!("status {} at {at}", change.status.name()),
        MarketEvent::Bounds(BoundsChange { bounds, .. }) => {
            let (low, high) = (bounds.low_limit_price, bounds.high_limit_price);
            let (few, many) = (bounds.min_quantity, bounds.max_quantity);
            format!("bounds {low} to {high}, {few} to {many} units, at {at}")
        }
    }
}

/// In words, with the figures of the entry.
fn happened(moment: &Moment) -> String {
    match &moment.entry {
        Entry::Intent { worst_price, closes: true, .. } => {
            format!("intended by the engine, to flatten, at worst {worst_price} a unit")
        }
        Entry::Intent { worst_price, .. } => format!("intended, at worst {worst_price} a unit"),
        Entry::CancelIntent { stops: true, .. } => "cancel intended by the engine: a halt takes it back".to_owned(),
        Entry::CancelIntent { .. } => "cancel intended".to_owned(),
        Entry::ReplaceIntent { replace, .. } => {
            let price = replace.limit_price.map(|price| format!(" at {price}")).unwrap_or_default();
            format!("change intended to {}{price}", replace.quantity)
        }
        Entry::Denied { check, because, asked, limit, .. } => {
            format!("denied by {check}: {because} (asked {asked}, limit {limit})")
        }
        Entry::ReplaceDenied { check, because, asked, limit, .. } => {
            format!("change denied by {check}: {because} (asked {asked}, limit {limit})")
        }
        Entry::Sent { command, .. } => format!("{command} sent"),
        Entry::Report { report, broker_sequence } => {
            let fee = moment.applied.as_ref().and_then(|applied| applied.fill.as_ref()).map(|fill| fill.fee);
            let fee = fee.map(|fee| format!(", fees {fee}")).unwrap_or_default();
            let source = match broker_sequence {
                0 => "a statement told it, or we concluded it".to_owned(),
                sequence => format!("broker's report {sequence}"),
            };
            format!("{}{fee} ({source})", reported(report))
        }
        Entry::Anomaly { report, reason, .. } => format!("{} was not applied: {reason}", reported(report)),
        Entry::OutcomeUnknown { reason, .. } => format!("outcome unknown: {reason}"),
        other => other.kind().to_owned(),
    }
}

fn reported(report: &ExecutionReport) -> String {
    match &report.kind {
        ReportKind::Fill { execution_id, price, quantity } => format!("fill {execution_id}: {quantity} at {price}"),
        ReportKind::Bust { reference, .. } => format!("bust of fill {reference}"),
        ReportKind::Corrected { reference, price, quantity, .. } => {
            format!("fill {reference} corrected: {quantity} at {price}")
        }
        ReportKind::Replaced { quantity, limit_price } => {
            let price = limit_price.map(|price| format!(" at {price}")).unwrap_or_default();
            format!("changed to {quantity}{price}")
        }
        ReportKind::Canceled { reason }
        | ReportKind::Rejected { reason }
        | ReportKind::CancelRejected { reason }
        | ReportKind::ReplaceRejected { reason }
            if !reason.is_empty() =>
        {
            format!("{}: {reason}", report.kind.name())
        }
        kind => kind.name().to_owned(),
    }
}

/// A moment of the journal, to the millisecond.
fn precise(at: Timestamp) -> String {
    match at.local().format("%.3f").to_string().as_str() {
        ".000" => local(at),
        fraction => format!("{}{fraction}", local(at)),
    }
}

fn document(story: &Story) -> Value {
    let decision = story.moments.first();
    let evidence = decision.and_then(Moment::evidence);
    let at = decision.map(|decision| decision.at);
    let standing = story.moments.iter().rev().find_map(|moment| moment.standing);
    let (order, denied) = match story.subject {
        Subject::Order(id) => (Some(id), None),
        Subject::Denied(sequence) => (None, Some(sequence)),
    };
    json!({
        "order": order,
        "denied": denied,
        "symbol": story.instrument.symbol,
        "strategy": story.asker.as_ref().map(|asker| json!({
            "name": asker.name, "kind": asker.kind, "parameters": asker.parameters, "started": asker.started,
        })),
        "heard": story.heard.as_ref().map(|heard| json!({ "sequence": heard.sequence, "event": heard.event })),
        "signal": story.signal,
        "quote": evidence.as_ref().map(|evidence| json!({
            "at": evidence.top.is_known().then_some(evidence.top.at),
            "bid": evidence.top.bid,
            "ask": evidence.top.ask,
            "last": evidence.top.last,
            "age_nanoseconds": at.filter(|_| evidence.top.is_known()).map(|at| at.nanos_since(evidence.top.at)),
        })),
        "halt": evidence.map(|evidence| evidence.halt),
        "worst_price": decision.and_then(|decision| decision.checks.as_ref()).map(|checks| checks.worst_price),
        "checks": decision.map(checks),
        "events": story.moments.iter().map(moment).collect::<Vec<_>>(),
        "state": standing.map(|standing| json!({
            "status": standing.status,
            "cumulative": standing.cumulative,
            "average_price": standing.average_price,
            "position": standing.position,
            "cash": standing.cash,
        })),
    })
}

fn checks(moment: &Moment) -> Value {
    let lines = moment.checks.as_ref().map(check_lines);
    let line = |line: CheckLine| {
        json!({
            "check": line.check,
            "passed": line.denied_because.is_none(),
            "because": line.denied_because,
            "asked": line.asked,
            "limit": line.limit,
        })
    };
    lines.map_or(Value::Null, |lines| lines.into_iter().map(line).collect())
}

fn moment(moment: &Moment) -> Value {
    let fill = moment.applied.as_ref().and_then(|applied| applied.fill.as_ref());
    json!({
        "sequence": moment.sequence,
        "at": moment.at,
        "what": happened(moment),
        "entry": moment.entry,
        "checks": checks(moment),
        "fee": fill.map(|fill| fill.fee),
        "status": moment.standing.and_then(|standing| standing.status),
        "position": moment.standing.map(|standing| standing.position),
        "cash": moment.standing.map(|standing| standing.cash),
    })
}
