//! Two records of the same account compared: the venue's truth ledger and the program's journal.
//!
//! Neither side's memory is asked, and none of the program's own arithmetic is used: the journal is
//! read as text and added up here once more. The book that recovery builds of the same journal must
//! then say the same again. The questions are those of invariants 4 to 8 and of
//! every failure in the catalogue: was an order sent twice, was one sent that the journal did not hold,
//! is every fill of the venue in the journal and no other, do both hold the same, did anything leave
//! while trading was halted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use actors::journal::SharedJournal;
use actors::system::recover;
use brokers::bridge::wire::{ClientMessage, WireExecution, decode};
use desk::DeskSettings;
use market::{ClientOrderId, Timestamp};
use risk::HaltSwitch;
use serde_json::Value;
use store::{Journal, Ledger, Verification};

use crate::venue::ledger::{self, Event};

/// An execution, as either side has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Execution {
    /// Client order id, or the venue's name of an order by hand.
    pub order: String,
    /// Of what.
    pub symbol: String,
    /// Signed units.
    pub units: i64,
    /// Decimal text.
    pub price: String,
}

/// A command that reached the venue.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Command {
    /// `submit`, `cancel` or `replace`.
    pub kind: &'static str,
    /// Of which order.
    pub order: ClientOrderId,
}

/// What the venue says.
#[derive(Clone, Default, Debug)]
pub struct VenueRecord {
    /// Commands received, those lost before they were handled included: their bytes had left.
    pub received: Vec<(Timestamp, Command)>,
    /// Orders that were taken.
    pub orders: BTreeSet<String>,
    /// Identifiers that came again.
    pub duplicates: Vec<String>,
    /// Lines that are no message.
    pub unreadable: Vec<String>,
    /// Executions of the account's own orders that stand, by name.
    pub executions: BTreeMap<String, Execution>,
    /// Signed units by symbol, those traded by hand included.
    pub positions: BTreeMap<String, i64>,
    /// Executions that were taken back or corrected.
    pub revoked: u64,
    /// Units of each of the account's own orders that stand as traded.
    pub cumulative: BTreeMap<String, i64>,
    /// The account's own orders that are in the venue's book.
    pub open: BTreeSet<String>,
}

/// What the program's journal says.
#[derive(Clone, Default, Debug)]
pub struct JournalRecord {
    /// Intents, by what and of which order, with the place of the entry.
    pub intents: BTreeMap<Command, u64>,
    /// Executions that stand.
    pub executions: BTreeMap<String, Execution>,
    /// Signed units by symbol.
    pub positions: BTreeMap<String, i64>,
    /// Symbols that the program knows.
    pub symbols: BTreeSet<String>,
    /// New orders whose intent was written while nothing new was allowed.
    pub while_halted: Vec<String>,
    /// Differences that the program could not explain, in its words.
    pub breaks: Vec<String>,
    /// Reports that did not fit.
    pub anomalies: u64,
    /// New orders that were meant, with when.
    pub meant: Vec<(Timestamp, String)>,
    /// Starts of the program.
    pub starts: u64,
    /// The entry of the last start.
    pub started_at: u64,
    /// Comparisons with the venue's statement.
    pub reconciliations: u64,
    /// Whether one came after the last start.
    pub reconciled: bool,
}

/// What recovery makes of the journal.
#[derive(Clone, Default, Debug)]
pub struct BookRecord {
    /// Signed units by symbol, those of other hands included.
    pub positions: BTreeMap<String, i64>,
    /// Orders of which the broker has, or may have, something.
    pub open: BTreeSet<String>,
    /// Units of each order that stand as traded.
    pub cumulative: BTreeMap<String, i64>,
    /// Orders that the book once had, and has forgotten.
    pub forgotten: BTreeSet<String>,
    /// Orders of the journal that recovery does not know.
    pub unknown: Vec<String>,
}

/// What differs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Findings {
    /// Fills of the venue that the journal does not have, or has otherwise.
    pub lost_fills: Vec<String>,
    /// Fills of the journal that the venue does not have.
    pub invented_fills: Vec<String>,
    /// Orders that came twice.
    pub duplicate_orders: Vec<String>,
    /// Symbols of which both do not hold the same.
    pub drift: Vec<String>,
    /// Commands that reached the venue and are not in the journal.
    pub without_intent: Vec<String>,
    /// Orders that were meant while trading was halted.
    pub while_halted: Vec<String>,
    /// Differences that the program found and cannot explain.
    pub unexplained: Vec<String>,
    /// Anything else that must not be.
    pub other: Vec<String>,
}

impl Findings {
    /// Takes in others.
    pub fn add(&mut self, other: Self) {
        self.lost_fills.extend(other.lost_fills);
        self.invented_fills.extend(other.invented_fills);
        self.duplicate_orders.extend(other.duplicate_orders);
        self.drift.extend(other.drift);
        self.without_intent.extend(other.without_intent);
        self.while_halted.extend(other.while_halted);
        self.unexplained.extend(other.unexplained);
        self.other.extend(other.other);
    }

    /// Every finding in words.
    pub fn all(&self) -> Vec<String> {
        let named = [
            ("lost fill", &self.lost_fills),
            ("invented fill", &self.invented_fills),
            ("duplicate order", &self.duplicate_orders),
            ("position", &self.drift),
            ("no intent", &self.without_intent),
            ("while halted", &self.while_halted),
            ("unexplained", &self.unexplained),
            ("other", &self.other),
        ];
        named.into_iter().flat_map(|(name, list)| list.iter().map(move |one| format!("{name}: {one}"))).collect()
    }
}

/// Reads the venue's ledger.
///
/// # Errors
/// It cannot be read.
pub fn venue_record(path: &Path) -> std::io::Result<VenueRecord> {
    let mut record = VenueRecord::default();
    let mut standing: BTreeMap<String, WireExecution> = BTreeMap::new();
    let mut leaves: BTreeMap<String, i64> = BTreeMap::new();
    for entry in ledger::read(path)? {
        match entry.event {
            Event::Received { text, .. } => {
                let command = match decode::<ClientMessage>(text.as_bytes()) {
                    Ok(ClientMessage::Submit(order)) => Some(("submit", order.client_order_id)),
                    Ok(ClientMessage::Cancel { client_order_id }) => Some(("cancel", client_order_id)),
                    Ok(ClientMessage::Replace { client_order_id, .. }) => Some(("replace", client_order_id)),
                    _ => None,
                };
                record.received.extend(command.map(|(kind, order)| (entry.at, Command { kind, order })));
            }
            Event::Unreadable { text } => record.unreadable.push(text),
            Event::Order(order) => {
                let name = order.client_order_id.to_string();
                leaves.insert(name.clone(), order.quantity.units());
                record.open.insert(name.clone());
                record.orders.insert(name);
            }
            Event::Rejected { order, .. } | Event::Canceled { order, .. } | Event::Expired { order } => {
                record.open.remove(&order);
            }
            Event::Replaced { order, quantity, .. } => {
                let traded: i64 = of_order(&standing, &order).map(|execution| execution.quantity.units()).sum();
                leaves.insert(order, quantity.units() - traded);
            }
            Event::Duplicate(order) => record.duplicates.push(order.client_order_id.to_string()),
            Event::Filled(execution) => {
                let left = leaves.entry(execution.order.clone()).or_default();
                *left -= execution.quantity.units();
                if *left <= 0 {
                    record.open.remove(&execution.order);
                }
                standing.insert(execution.execution_id.to_string(), execution);
            }
            Event::Busted { reference, .. } => {
                record.revoked += 1;
                if let Some(execution) = standing.remove(reference.as_str()) {
                    *leaves.entry(execution.order).or_default() += execution.quantity.units();
                }
            }
            Event::Corrected { reference, execution } => {
                record.revoked += 1;
                standing.remove(reference.as_str());
                standing.insert(execution.execution_id.to_string(), execution);
            }
            _ => {}
        }
    }
    // A bust names an execution that came before it, so what is left stands.
    for (name, execution) in standing {
        let units = execution.side.sign() * execution.quantity.units();
        *record.positions.entry(execution.symbol.to_string()).or_default() += units;
        if execution.order.parse::<ClientOrderId>().is_ok() {
            *record.cumulative.entry(execution.order.clone()).or_default() += execution.quantity.units();
            let (symbol, price) = (execution.symbol.to_string(), execution.price.to_string());
            record.executions.insert(name, Execution { order: execution.order, symbol, units, price });
        }
    }
    Ok(record)
}

fn of_order<'a>(
    standing: &'a BTreeMap<String, WireExecution>,
    order: &'a str,
) -> impl Iterator<Item = &'a WireExecution> {
    standing.values().filter(move |execution| execution.order == order)
}

/// Adds up journal entries, one after another.
#[derive(Debug, Default)]
struct Sum {
    record: JournalRecord,
    symbols: Vec<String>,
    sides: BTreeMap<String, i64>,
    fills: BTreeMap<String, Execution>,
    external: BTreeMap<String, (String, i64)>,
    revoked: BTreeSet<String>,
    halted: bool,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

impl Sum {
    fn symbol(&self, value: &Value) -> String {
        let place = value["instrument"].as_u64().and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.symbols.get(place)).cloned().unwrap_or_else(|| "?".to_owned())
    }

    fn intent(&mut self, kind: &'static str, command: &Value, sequence: u64) {
        if let Ok(order) = text(command, "client_order_id").parse() {
            self.record.intents.entry(Command { kind, order }).or_insert(sequence);
        }
    }

    fn entry(&mut self, sequence: u64, kind: &str, payload: &Value) {
        match kind {
            "started" => {
                self.record.starts += 1;
                self.record.started_at = sequence;
                self.record.reconciled = false;
                // A person may have resumed in between, which the journal does not say.
                self.halted = false;
                let symbols = payload["instruments"].as_array().into_iter().flatten().filter_map(Value::as_str);
                self.symbols = symbols.map(str::to_owned).collect();
                self.record.symbols.extend(self.symbols.iter().cloned());
            }
            "intent" => {
                let order = &payload["order"];
                let sign = if order["side"] == "buy" { 1 } else { -1 };
                self.sides.insert(text(order, "client_order_id").to_owned(), sign);
                self.intent("submit", order, sequence);
                if self.halted {
                    self.record.while_halted.push(text(order, "client_order_id").to_owned());
                }
            }
            "cancel_intent" => self.intent("cancel", &payload["cancel"], sequence),
            "replace_intent" => self.intent("replace", &payload["replace"], sequence),
            "report" => self.report(&payload["report"]),
            "external" => {
                let execution = &payload["execution"];
                let sign = if execution["side"] == "buy" { 1 } else { -1 };
                let units = sign * execution["quantity"].as_i64().unwrap_or_default();
                let symbol = self.symbol(execution);
                self.external.insert(text(execution, "execution_id").to_owned(), (symbol, units));
            }
            "adopted" => {
                // All units of others, from now on: what was counted before is in it.
                let symbol = self.symbol(payload);
                self.external.retain(|_, (of, _)| *of != symbol);
                let units = payload["quantity"].as_i64().unwrap_or_default();
                self.external.insert(format!("adopted {sequence}"), (symbol, units));
            }
            "halt" => self.halted = matches!(text(payload, "level"), "stop_new" | "halted"),
            "break" => self.record.breaks.push(text(payload, "difference").to_owned()),
            "anomaly" => self.record.anomalies += 1,
            "reconciled" => {
                self.record.reconciliations += 1;
                self.record.reconciled = true;
            }
            _ => {}
        }
    }

    fn report(&mut self, report: &Value) {
        let name = text(report, "execution_id").to_owned();
        let kind = text(report, "kind");
        if matches!(kind, "bust" | "corrected") {
            self.revoked.insert(text(report, "reference").to_owned());
        }
        if matches!(kind, "fill" | "corrected") {
            let order = text(report, "client_order_id").to_owned();
            let sign = self.sides.get(&order).copied().unwrap_or_default();
            let units = sign * report["quantity"].as_i64().unwrap_or_default();
            let (symbol, price) = (self.symbol(report), text(report, "price").to_owned());
            self.fills.insert(name, Execution { order, symbol, units, price });
        }
    }

    fn finish(mut self) -> JournalRecord {
        let Self { fills, revoked, external, .. } = self;
        let standing = fills.into_iter().filter(|(name, _)| !revoked.contains(name));
        for (name, execution) in standing {
            *self.record.positions.entry(execution.symbol.clone()).or_default() += execution.units;
            self.record.executions.insert(name, execution);
        }
        for (symbol, units) in external.into_values() {
            *self.record.positions.entry(symbol).or_default() += units;
        }
        self.record
    }
}

/// Reads the journal of an account, beside its writer if there is one.
///
/// # Errors
/// It cannot be read, or its chain is broken.
pub fn journal_record(journal: &dyn Journal, account: &str) -> Result<JournalRecord, Box<dyn std::error::Error>> {
    let account = account.parse()?;
    if let Verification::Broken { sequence, reason } = journal.verify(account)? {
        return Err(format!("entry {sequence} of the journal is {reason:?}").into());
    }
    let mut sum = Sum::default();
    let mut unreadable = None;
    journal.read(account, 1, &mut |entry| {
        match serde_json::from_str::<Value>(&entry.payload) {
            Ok(payload) => {
                if entry.kind == "intent" {
                    sum.record.meant.push((entry.at, text(&payload["order"], "client_order_id").to_owned()));
                }
                sum.entry(entry.sequence, &entry.kind, &payload);
            }
            Err(error) => unreadable = Some(format!("entry {}: {error}", entry.sequence)),
        }
        Ok(())
    })?;
    unreadable.map_or_else(|| Ok(sum.finish()), |problem| Err(problem.into()))
}

/// Writes the journal down, an entry a line, for whoever looks into a run that failed.
///
/// # Errors
/// It cannot be read, or not be written down.
pub fn write_journal(ledger: &dyn Ledger, account: &str, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut written = Ok(());
    ledger.journal()?.read(account.parse()?, 1, &mut |entry| {
        let line = writeln!(file, "{} {} {} {}", entry.sequence, entry.at, entry.kind, entry.payload);
        written = std::mem::replace(&mut written, Ok(())).and(line);
        Ok(())
    })?;
    written?;
    Ok(file.flush()?)
}

/// Recovers the book as a start of the program would.
///
/// # Errors
/// It cannot be recovered.
pub fn book_record(
    ledger: &dyn Ledger,
    desk: &DeskSettings,
    strategies: Vec<String>,
) -> Result<BookRecord, Box<dyn std::error::Error>> {
    let journal: SharedJournal = Arc::new(Mutex::new(ledger.journal()?));
    let restored = recover(desk, strategies, &journal, &HaltSwitch::default())?;
    let (book, mut record) = (restored.desk.book(), BookRecord::default());
    for (id, instrument) in desk.universe.iter() {
        let units = book.position(id).quantity.units() + book.external(id).units();
        record.positions.insert(instrument.symbol.to_string(), units);
    }
    record.open = book.open_orders().iter().map(|order| order.intent.client_order_id.to_string()).collect();
    let mut meant = Vec::new();
    ledger.journal()?.read(desk.account.parse()?, 1, &mut |entry| {
        if entry.kind == "intent" {
            let payload: Value = serde_json::from_str(&entry.payload).unwrap_or_default();
            meant.extend(text(&payload["order"], "client_order_id").parse::<ClientOrderId>());
        }
        Ok(())
    })?;
    for id in meant {
        match book.order(&id) {
            Some(order) => drop(record.cumulative.insert(id.to_string(), order.cumulative.units())),
            None if book.is_forgotten(&id) => drop(record.forgotten.insert(id.to_string())),
            None => record.unknown.push(id.to_string()),
        }
    }
    Ok(record)
}

/// Compares the book that recovery builds with the venue's totals.
pub fn compare_book(venue: &VenueRecord, book: &BookRecord, findings: &mut Findings) {
    for (symbol, ours) in &book.positions {
        let theirs = venue.positions.get(symbol).copied().unwrap_or_default();
        if theirs != *ours {
            findings.drift.push(format!("{symbol}: {theirs} at the venue, {ours} in the recovered book"));
        }
    }
    for order in venue.open.symmetric_difference(&book.open) {
        let where_ = if venue.open.contains(order) { "the venue" } else { "the recovered book" };
        findings.drift.push(format!("{order} is open in {where_} only"));
    }
    for order in venue.orders.iter().filter(|order| !book.forgotten.contains(*order)) {
        let theirs = venue.cumulative.get(order).copied().unwrap_or_default();
        match book.cumulative.get(order) {
            Some(ours) if *ours == theirs => {}
            ours => {
                findings.drift.push(format!("{order} traded {theirs} at the venue, {ours:?} in the recovered book"))
            }
        }
    }
    for (order, ours) in &book.cumulative {
        if !venue.orders.contains(order) && *ours != 0 {
            findings.drift.push(format!("{order} traded {ours} in the recovered book and never reached the venue"));
        }
    }
    findings.other.extend(book.unknown.iter().map(|order| format!("recovery does not know {order}")));
}

/// Compares the two. Where the journal's server has failed, a cancel may have left without an entry: it must
/// not wait for a journal that is down, and who is killed before that is back never writes it.
pub fn compare(venue: &VenueRecord, journal: &JournalRecord, journal_failed: bool) -> Findings {
    let mut findings = Findings {
        duplicate_orders: venue.duplicates.clone(),
        while_halted: journal.while_halted.clone(),
        unexplained: journal.breaks.clone(),
        ..Findings::default()
    };
    findings.other.extend(venue.unreadable.iter().map(|line| format!("the venue cannot read '{line}'")));
    for (name, theirs) in &venue.executions {
        match journal.executions.get(name) {
            Some(ours) if ours == theirs => {}
            ours => findings.lost_fills.push(format!("{name} is {theirs:?} at the venue, {ours:?} in the journal")),
        }
    }
    for (name, ours) in &journal.executions {
        if !venue.executions.contains_key(name) {
            findings.invented_fills.push(format!("{name}, {ours:?}"));
        }
    }
    for symbol in &journal.symbols {
        let held = |positions: &BTreeMap<String, i64>| positions.get(symbol).copied().unwrap_or_default();
        let (theirs, ours) = (held(&venue.positions), held(&journal.positions));
        if theirs != ours {
            findings.drift.push(format!("{symbol}: {theirs} at the venue, {ours} in the journal"));
        }
    }
    let commands: BTreeSet<&Command> = venue.received.iter().map(|(_, command)| command).collect();
    for command in commands {
        let excused = journal_failed && command.kind == "cancel";
        if !journal.intents.contains_key(command) && !excused {
            findings.without_intent.push(format!("{} {}", command.kind, command.order));
        }
    }
    // An identifier that comes twice over two connections is a duplicate even where the venue lost
    // the first: the program must not count on that.
    let mut seen = BTreeSet::new();
    for (_, command) in venue.received.iter().filter(|(_, command)| command.kind == "submit") {
        if !seen.insert(command.order) && !findings.duplicate_orders.contains(&command.order.to_string()) {
            findings.duplicate_orders.push(format!("{} (its first was lost)", command.order));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ONE: &str = "KILL-20261126-000001";

    fn at() -> Timestamp {
        "2026-11-26T17:00:00Z".parse().unwrap()
    }

    fn execution(order: &str, units: i64) -> Execution {
        Execution { order: order.to_owned(), symbol: "PETR4".to_owned(), units, price: "38.10".to_owned() }
    }

    fn venue() -> VenueRecord {
        VenueRecord {
            received: vec![(at(), Command { kind: "submit", order: ONE.parse().unwrap() })],
            orders: [ONE.to_owned()].into(),
            executions: [("V1".to_owned(), execution(ONE, 100))].into(),
            positions: [("PETR4".to_owned(), 100)].into(),
            ..VenueRecord::default()
        }
    }

    fn journal(entries: &[(&str, Value)]) -> JournalRecord {
        let mut sum = Sum::default();
        let started = json!({ "instruments": ["VALE3", "PETR4"], "strategies": [], "cash": "1" });
        sum.entry(1, "started", &started);
        for (sequence, (kind, payload)) in (2..).zip(entries) {
            sum.entry(sequence, kind, payload);
        }
        sum.finish()
    }

    fn intent() -> (&'static str, Value) {
        ("intent", json!({ "order": { "client_order_id": ONE, "instrument": 1, "side": "buy", "quantity": 100 } }))
    }

    fn report(rest: Value) -> (&'static str, Value) {
        let mut report = json!({ "client_order_id": ONE, "instrument": 1 });
        let (whole, rest) = (report.as_object_mut().unwrap(), rest);
        whole.extend(rest.as_object().unwrap().clone());
        ("report", json!({ "report": report }))
    }

    fn fill(name: &str) -> (&'static str, Value) {
        report(json!({ "kind": "fill", "execution_id": name, "price": "38.10", "quantity": 100 }))
    }

    #[test]
    fn two_records_of_the_same_agree() {
        // Told twice, it counts once.
        let record = journal(&[intent(), fill("V1"), fill("V1")]);
        assert_eq!(compare(&venue(), &record, false).all(), Vec::<String>::new());
        assert_eq!(record.positions["PETR4"], 100);
    }

    #[test]
    fn every_violation_is_found() {
        let found = |venue: &VenueRecord, entries: &[(&str, Value)]| compare(venue, &journal(entries), false);
        let lost = found(&venue(), &[intent()]);
        assert_eq!((lost.lost_fills.len(), lost.drift.len(), lost.all().len()), (1, 1, 2));
        let invented = found(&venue(), &[intent(), fill("V1"), fill("V2")]);
        assert_eq!((invented.invented_fills.len(), invented.drift.len()), (1, 1));
        assert_eq!(found(&venue(), &[]).without_intent, [format!("submit {ONE}")]);
        let mut twice = venue();
        twice.received.push(twice.received[0].clone());
        assert_eq!(found(&twice, &[intent(), fill("V1")]).duplicate_orders.len(), 1);
        twice.duplicates.push(ONE.to_owned());
        assert_eq!(found(&twice, &[intent(), fill("V1")]).duplicate_orders, [ONE]);
        let halt = ("halt", json!({ "level": "stop_new" }));
        assert_eq!(found(&venue(), &[halt.clone(), intent(), fill("V1")]).while_halted, [ONE]);
        let resumed = ("halt", json!({ "level": "active" }));
        assert_eq!(found(&venue(), &[halt, resumed, intent(), fill("V1")]).all(), Vec::<String>::new());
        let broken = ("break", json!({ "instrument": 1, "difference": "both figures" }));
        assert_eq!(found(&venue(), &[intent(), fill("V1"), broken]).unexplained.len(), 1);
    }

    #[test]
    fn busts_corrections_and_other_hands_count_in_any_order() {
        let bust = report(json!({ "kind": "bust", "execution_id": "B1", "reference": "V1" }));
        let corrected = report(json!({
            "kind": "corrected", "execution_id": "V2", "reference": "V1", "price": "38.11", "quantity": 100
        }));
        let hand = |name: &str, side: &str| {
            let execution = json!({ "execution_id": name, "instrument": 0, "side": side, "quantity": 300 });
            ("external", json!({ "execution": execution }))
        };
        let adopted = ("adopted", json!({ "instrument": 0, "quantity": 1000 }));
        let held = |entries: &[(&str, Value)], symbol| journal(entries).positions.get(symbol).copied().unwrap_or(0);
        assert_eq!(held(&[intent(), fill("V1"), bust.clone()], "PETR4"), 0);
        assert_eq!(held(&[intent(), bust, fill("V1")], "PETR4"), 0);
        assert_eq!(held(&[intent(), fill("V1"), corrected], "PETR4"), 100);
        assert_eq!(held(&[hand("H1", "buy"), hand("H1", "buy"), hand("H2", "sell")], "VALE3"), 0);
        assert_eq!(held(&[hand("H1", "buy"), adopted, hand("H3", "sell")], "VALE3"), 700);
    }
}
