//! The judge: compares what is durable with the broker's truth, and never asks the engine's memory.
//!
//! It rebuilds a book from the store, as a start would, and holds it against the broker's ledger. No
//! fill may be lost or counted twice, no order may have come twice, both must hold the same units, and
//! what is open on one side is open on the other. What cannot be so must stand as a difference with
//! its reason, and the account must be stopped for it.

use std::collections::BTreeMap;

use market::{ClientOrderId, InstrumentId, OrderReference, Quantity, StatedStatus};
use oms::{Book, OrderStatus};
use risk::{HaltLevel, HaltSwitch};
use store::{Journal, Verification};

use super::process::Stage;
use super::world::World;

impl World {
    /// After the healing the engine trades, or is stopped with a reason.
    pub fn must_be_well(&mut self, when: &str) {
        let Some(process) = self.running() else {
            return self.violated(format!("{when}: no engine runs"));
        };
        let state = &self.processes[process];
        let Some(protocol) = state.protocol().filter(|_| state.account.stage == Stage::Up) else {
            return self.violated(format!("{when}: the account is not up"));
        };
        let stopped = !state.switch.standing().is_empty();
        let unknown: Vec<ClientOrderId> = protocol.unknown_orders().collect();
        let what = if stopped {
            // The switch says who and why; a person has not come by yet.
            None
        } else if let Some(difference) = protocol.account_break() {
            Some(format!("a difference on the account is not resolved: {difference}"))
        } else if let Some((_, difference)) = protocol.breaks().first_key_value() {
            Some(format!("a difference is not resolved: {difference}"))
        } else if !protocol.is_ready() {
            Some("book and broker have not been compared".to_owned())
        } else if protocol.uncommitted() > 200 {
            Some(format!("{} entries are not durable", protocol.uncommitted()))
        } else if !unknown.is_empty() && !self.trading {
            Some(format!("orders of unknown outcome: {unknown:?}"))
        } else {
            None
        };
        if let Some(what) = what {
            self.violated(format!("{when}: {what}"));
        }
    }

    /// The judgement over the whole run.
    pub fn judge(&mut self) -> JudgedBook {
        self.must_be_well("at the end");
        for id in self.venue.received_twice.clone() {
            self.violated(format!("{id}: the broker received the same new order twice"));
        }
        match self.disk.journal.verify(self.disk.account) {
            Ok(Verification::Intact { .. }) => {}
            other => self.violated(format!("the journal's chain does not hold: {other:?}")),
        }
        let restored = match self.restore(HaltSwitch::at(HaltLevel::Active), u64::MAX) {
            Ok(restored) => restored,
            Err(error) => {
                self.violated(format!("the journal does not lead to a protocol: {error}"));
                return JudgedBook::default();
            }
        };
        let book = restored.desk.book();
        let mut found = Vec::new();
        found.extend(book.verify().err());
        self.compare_orders(book, &mut found);
        self.compare_executions(book, &mut found);
        self.compare_positions(book, &mut found);
        let fills = restored.fills;
        for what in found {
            self.violated(what);
        }
        JudgedBook { fills, entries: restored.sequence }
    }

    fn compare_orders(&self, book: &Book, found: &mut Vec<String>) {
        for (reference, theirs) in &self.venue.orders {
            let OrderReference::Own(id) = reference else { continue };
            if !self.disk.holds_intent(*id) {
                found.push(format!("{id}: the broker has it, no intent of it is durable"));
            }
            let Some(ours) = book.order(id) else {
                if theirs.status == StatedStatus::Open {
                    found.push(format!("{id}: open at the broker, not in the book"));
                }
                continue;
            };
            let same = match theirs.status {
                StatedStatus::Open => !ours.status.is_terminal(),
                StatedStatus::Filled => ours.status == OrderStatus::Filled || ours.status.is_terminal(),
                StatedStatus::Canceled | StatedStatus::Expired | StatedStatus::Rejected => ours.status.is_terminal(),
            };
            if !same {
                let (theirs, ours) = (theirs.status, ours.status.name());
                found.push(format!("{id}: {theirs:?} at the broker, {ours} in the book"));
                continue;
            }
            let (broker, here) = (theirs.cumulative, ours.cumulative);
            if broker != here {
                found.push(format!("{id}: has traded {broker} at the broker, {here} in the book"));
            }
            if theirs.status == StatedStatus::Open && theirs.quantity != ours.quantity {
                let (broker, here) = (theirs.quantity, ours.quantity);
                found.push(format!("{id}: is for {broker} at the broker, for {here} in the book"));
            }
        }
        for ours in book.open_orders() {
            let id = ours.intent.client_order_id;
            if !self.venue.orders.contains_key(&OrderReference::Own(id)) {
                found.push(format!("{id}: {} in the book, unknown at the broker", ours.status.name()));
            }
        }
    }

    fn compare_executions(&self, book: &Book, found: &mut Vec<String>) {
        let mut theirs: BTreeMap<ClientOrderId, BTreeMap<String, (Quantity, market::Price, bool)>> = BTreeMap::new();
        for execution in &self.venue.executions {
            let OrderReference::Own(id) = execution.stated.reference else { continue };
            let stated = &execution.stated;
            let known = (stated.quantity, stated.price, execution.revoked_at.is_none());
            theirs.entry(id).or_default().insert(stated.execution_id.to_string(), known);
        }
        for (id, executions) in &theirs {
            // Orders that ended some sessions ago are not kept; the position tells of them.
            if book.order(id).is_none() {
                continue;
            }
            for (name, (quantity, price, stands)) in executions {
                let mut ours = book.executions_of(id).filter(|(execution, _)| execution.execution_id.as_str() == name);
                match (ours.next(), stands) {
                    (None, true) => found.push(format!("{id}: fill {name} of {quantity} is lost")),
                    (Some((_, false)), true) => found.push(format!("{id}: fill {name} stands at the broker, not here")),
                    (Some((_, true)), false) => found.push(format!("{id}: fill {name} was taken back and stands here")),
                    (Some((execution, true)), true) if (execution.quantity, execution.price) != (*quantity, *price) => {
                        found.push(format!("{id}: fill {name} differs"));
                    }
                    _ => {}
                }
            }
            for (execution, stands) in book.executions_of(id) {
                if stands && !executions.contains_key(execution.execution_id.as_str()) {
                    found.push(format!("{id}: fill {} never happened", execution.execution_id));
                }
            }
        }
    }

    fn compare_positions(&self, book: &Book, found: &mut Vec<String>) {
        for (place, theirs) in self.venue.positions.iter().enumerate() {
            let instrument = InstrumentId::new(place as u32);
            let ours = book.position(instrument).quantity.units();
            let others = book.external(instrument).units();
            let of_ours = self.venue.executions.iter().filter(|execution| {
                let own = matches!(execution.stated.reference, OrderReference::Own(_));
                own && execution.revoked_at.is_none() && execution.stated.instrument == instrument
            });
            let traded: i64 =
                of_ours.map(|execution| execution.stated.side.signed(execution.stated.quantity).units()).sum();
            if ours != traded {
                found.push(format!(
                    "instrument {place}: our fills at the broker add up to {traded}, the book holds {ours}"
                ));
            }
            if ours + others != *theirs {
                found.push(format!(
                    "instrument {place}: the broker holds {theirs}, the book {ours} and {others} of others"
                ));
            }
        }
    }
}

/// What the store held in the end.
#[derive(Clone, Copy, Default, Debug)]
pub struct JudgedBook {
    /// Fills in the journal.
    pub fills: u64,
    /// Entries in the journal.
    pub entries: u64,
}
