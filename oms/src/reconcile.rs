//! Reconciliation as a pure plan: what must be done to the book so that it says what the broker
//! says, and what cannot be explained.
//!
//! The plan is made on a copy of the book: each correction is applied to the copy before the next
//! one is thought of, so a plan that is handed out can be carried out, and what it leads to has
//! been looked at. It never invents a fill, because only executions that the broker lists become
//! fills, under the broker's own names; and it never drops an order that the broker lists. What is
//! left over is a break: a person looks at it, and the account does not trade meanwhile.
//!
//! | ours \ stated | open | ended | not listed |
//! |---|---|---|---|
//! | never acknowledged | `New` | fills, then its end | `Rejected` if its fate may be asked, else left alone |
//! | acknowledged | – | fills, then its end | break |
//! | replace on its way | `Replaced` or `ReplaceRejected`, by the terms | the same, fills, then its end | break |
//! | cancel on its way | cancel again | fills, then its end | break |
//! | ended | break | late fills | – |
//! | never entered | break | break | – |
//!
//! Two names are made up here, both from the broker's: an execution that the statement takes back
//! is taken back by a report named `REVOKED-` and the execution's own name. The same statement read
//! twice gives the same name, which the book takes once.

use std::collections::{BTreeMap, BTreeSet};

use market::{
    ClientOrderId, ExecutionId, ExecutionReport, InstrumentId, OrderReference, Quantity, ReportKind, StatedExecution,
    StatedOrder, StatedStatus, Statement, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::book::{Book, MOST_UNITS, Owner};
use crate::life_cycle::OrderStatus;
use crate::order::Order;

/// The words of a rejection that is concluded from the broker's silence.
pub const NEVER_RECEIVED: &str = "the broker never received it";

/// Before the name of an execution that a statement takes back: the name of the report that says so.
const REVOKED: &str = "REVOKED-";

/// What was known when the statement was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Question {
    /// Orders of which nothing was handed to the connection after the statement was asked for: of
    /// these, silence means that the broker does not have them, and old terms that it did not take the
    /// new ones.
    pub handed_over: BTreeSet<ClientOrderId>,
    /// No statement has ever been taken in: what the broker holds beyond our fills is adopted.
    pub first: bool,
    /// Instruments whose difference of position a named person has accepted.
    pub accepted: BTreeSet<InstrumentId>,
}

/// One thing to do, in the order of the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Apply this report to the book: it was missed, or it is what the broker's silence means.
    Report(ExecutionReport),
    /// Count this execution of another hand's order.
    External(StatedExecution),
    /// Other hands hold this much.
    Adopt {
        /// Of what.
        instrument: InstrumentId,
        /// Units, signed.
        quantity: Quantity,
    },
    /// The order is open though we asked to cancel it: ask again.
    CancelAgain(ClientOrderId),
}

/// What a break concerns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One instrument.
    Instrument(InstrumentId),
    /// Everything: the journal or the statement cannot be trusted.
    Account,
}

/// A difference that nothing explains.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Break {
    /// What it concerns.
    pub scope: Scope,
    /// Both figures, spelt out for a person.
    pub difference: String,
}

/// What to do, what to show, what to stop for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// To be carried out in this order.
    pub corrections: Vec<Correction>,
    /// Orders of other hands that the statement lists: shown, and left alone.
    pub external_orders: Vec<StatedOrder>,
    /// Differences that the corrections do not explain.
    pub breaks: Vec<Break>,
}

impl Plan {
    /// Book and broker agree: nothing to correct, nothing unexplained.
    pub fn agrees(&self) -> bool {
        self.corrections.is_empty() && self.breaks.is_empty()
    }
}

/// Compares a book with what the broker says.
pub fn plan(ours: &Book, theirs: &Statement, question: &Question) -> Plan {
    let mut planner = Planner { book: ours.clone(), theirs, question, plan: Plan::default() };
    if let Some(nonsense) = planner.nonsense() {
        // Of a statement that contradicts itself no part can be trusted.
        planner.broken(Scope::Account, nonsense);
        return planner.plan;
    }
    planner.take_back();
    planner.acknowledge();
    planner.fill();
    planner.conclude();
    planner.look_for_what_is_not_listed();
    planner.compare_positions();
    planner.plan
}

/// Carries a plan out on a book alone. `CancelAgain` is noted as a cancel of the statement's time.
///
/// # Errors
/// A correction that does not apply, which a plan made for this very book has none of.
pub fn carry_out(book: &mut Book, plan: &Plan, at: Timestamp) -> Result<(), crate::Anomaly> {
    for correction in &plan.corrections {
        match correction {
            Correction::Report(report) => {
                book.apply(report)?;
            }
            Correction::External(execution) => book.apply_external(execution)?,
            Correction::Adopt { instrument, quantity } => book.adopt_external(*instrument, *quantity),
            Correction::CancelAgain(id) => {
                let instrument = book.order(id).map(|order| order.intent.instrument);
                let instrument = instrument.ok_or(crate::Anomaly::UnknownOrder(*id))?;
                let cancel = market::order::CancelOrder { client_order_id: *id, instrument, decided_at: at };
                book.request_cancel(&cancel)?;
            }
        }
    }
    Ok(())
}

struct Planner<'a> {
    /// The copy, with every correction so far applied.
    book: Book,
    theirs: &'a Statement,
    question: &'a Question,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn broken(&mut self, scope: Scope, difference: String) {
        let found = Break { scope, difference };
        if !self.plan.breaks.contains(&found) {
            self.plan.breaks.push(found);
        }
    }

    fn broken_in(&mut self, instrument: InstrumentId, difference: String) {
        self.broken(Scope::Instrument(instrument), difference);
    }

    /// Adds a report to the plan if the book takes it; what it does not take is a break.
    fn report(&mut self, id: ClientOrderId, instrument: InstrumentId, at: Timestamp, kind: ReportKind) -> bool {
        let report = ExecutionReport { at, client_order_id: id, instrument, kind };
        match self.book.apply(&report) {
            Ok(_) => {
                self.plan.corrections.push(Correction::Report(report));
                true
            }
            Err(anomaly) => {
                let what = report.kind.name();
                self.broken_in(
                    instrument,
                    format!("the broker states '{what}' of {id}, which does not fit: {anomaly}"),
                );
                false
            }
        }
    }

    fn conclude_report(&mut self, order: &Order, kind: ReportKind) -> bool {
        self.report(order.intent.client_order_id, order.intent.instrument, self.theirs.at, kind)
    }

    fn order(&self, id: &ClientOrderId) -> Option<Order> {
        self.book.order(id).cloned()
    }

    /// Orders of ours that the statement lists, as the copy has them now.
    fn listed(&self) -> Vec<(Order, &'a StatedOrder)> {
        let own = self.theirs.orders.iter().filter_map(|stated| match &stated.reference {
            OrderReference::Own(id) => self.order(id).map(|order| (order, stated)),
            OrderReference::External(_) => None,
        });
        own.collect()
    }

    /// What makes the statement worthless: figures that cannot be, or the same thing twice.
    fn nonsense(&self) -> Option<String> {
        let known = |instrument: InstrumentId| instrument.index() < self.book.instruments();
        let sane = |units: Quantity| -MOST_UNITS <= units && units <= MOST_UNITS;
        let (mut orders, mut executions) = (BTreeSet::new(), BTreeSet::new());
        for stated in &self.theirs.orders {
            let fits = known(stated.instrument) && sane(stated.quantity) && sane(stated.cumulative);
            if !fits || stated.cumulative < Quantity::ZERO || stated.cumulative > stated.quantity {
                return Some(format!("the statement lists an order that cannot be: {stated:?}"));
            }
            if !orders.insert(&stated.reference) {
                return Some(format!("the statement lists an order twice: {:?}", stated.reference));
            }
        }
        for stated in &self.theirs.executions {
            let fits = known(stated.instrument) && sane(stated.quantity) && stated.quantity.is_positive();
            if !fits || stated.price <= market::Price::ZERO {
                return Some(format!("the statement lists an execution that cannot be: {stated:?}"));
            }
            if !executions.insert(&stated.execution_id) {
                return Some(format!("the statement lists execution {} twice", stated.execution_id));
            }
        }
        if let Some(both) = self.theirs.revoked.iter().find(|revoked| executions.contains(revoked)) {
            return Some(format!("the statement lists execution {both} as standing and as taken back"));
        }
        let mut positions = BTreeSet::new();
        for (instrument, quantity) in &self.theirs.positions {
            if !known(*instrument) || !sane(*quantity) {
                return Some(format!("the statement lists a position that cannot be: {quantity} of {instrument:?}"));
            }
            if !positions.insert(instrument) {
                return Some(format!("the statement lists the position in {instrument:?} twice"));
            }
        }
        None
    }

    /// Executions that the broker took back and that still stand in the book.
    fn take_back(&mut self) {
        for reference in &self.theirs.revoked {
            let by = ExecutionId::new(&format!("{REVOKED}{reference}"));
            match self.book.owner_of(reference) {
                Some(Owner::Order(id)) if self.book.stands(&id, reference) => {
                    if let Some(order) = self.order(&id) {
                        let kind = ReportKind::Bust { execution_id: by, reference: reference.clone() };
                        self.conclude_report(&order, kind);
                    }
                }
                Some(Owner::External) if !self.book.knows_execution(&by) => {
                    // Of other hands' orders only the units are kept, so the opposite trade is all there is to undo.
                    let Some(execution) = self.book.external_execution(reference).cloned() else { continue };
                    let side = execution.side.opposite();
                    self.external(StatedExecution { execution_id: by, side, ..execution });
                }
                // Never heard of, taken back already, or of an order that is forgotten: the position tells.
                _ => {}
            }
        }
    }

    fn external(&mut self, execution: StatedExecution) {
        match self.book.apply_external(&execution) {
            Ok(()) => self.plan.corrections.push(Correction::External(execution)),
            Err(anomaly) => self.broken_in(execution.instrument, anomaly.to_string()),
        }
    }

    /// Orders that are in the broker's book though we do not know that they arrived, and the
    /// answers to replaces. Before the fills: it is the order in which things happened.
    fn acknowledge(&mut self) {
        for stated in &self.theirs.orders {
            match &stated.reference {
                OrderReference::External(_) => self.plan.external_orders.push(stated.clone()),
                OrderReference::Own(id) if self.book.order(id).is_none() && !self.book.is_forgotten(id) => {
                    self.never_entered(*id);
                }
                OrderReference::Own(id) if self.book.is_forgotten(id) && stated.status == StatedStatus::Open => {
                    self.broken_in(stated.instrument, format!("{id} is open at the broker, ended and forgotten here"));
                }
                OrderReference::Own(_) => {}
            }
        }
        for (order, stated) in self.listed() {
            if stated.status != StatedStatus::Open || order.status.is_terminal() {
                continue;
            }
            let waits = match order.status {
                OrderStatus::PendingNew => true,
                // The answer to a replace, which the terms give, ends the unknown as well.
                OrderStatus::Unknown => order.replacement.is_none(),
                _ => false,
            };
            if waits || !order.acknowledged {
                self.conclude_report(&order, ReportKind::New);
            }
        }
    }

    fn never_entered(&mut self, id: ClientOrderId) {
        let difference = format!(
            "the broker knows {id}, an order under our name that the book never had: the journal has lost its end, \
             or somebody else uses our names"
        );
        self.broken(Scope::Account, difference);
    }

    /// Executions that the statement lists.
    fn fill(&mut self) {
        for stated in &self.theirs.executions {
            match (&stated.reference, self.book.owner_of(&stated.execution_id)) {
                (OrderReference::Own(id), None) => self.fill_missed(*id, stated),
                (OrderReference::External(_), None) => self.external(stated.clone()),
                (OrderReference::Own(id), Some(Owner::Order(owner))) if *id == owner => {
                    self.compare_execution(*id, stated);
                }
                (OrderReference::External(_), Some(Owner::External)) => self.compare_external(stated),
                (reference, Some(owner)) => {
                    let difference = format!(
                        "execution {} is of {reference:?} at the broker, of {owner:?} here",
                        stated.execution_id
                    );
                    self.broken_in(stated.instrument, difference);
                }
            }
        }
    }

    fn fill_missed(&mut self, id: ClientOrderId, stated: &StatedExecution) {
        let Some(order) = self.order(&id) else {
            if self.book.is_forgotten(&id) {
                let execution = &stated.execution_id;
                let difference =
                    format!("the broker lists execution {execution} of {id}, which ended and is forgotten");
                return self.broken_in(stated.instrument, difference);
            }
            return self.never_entered(id);
        };
        let StatedExecution { execution_id, price, quantity, .. } = stated.clone();
        if order.intent.side != stated.side {
            let (theirs, ours) = (stated.side, order.intent.side);
            let difference = format!("execution {execution_id} is a {theirs} at the broker, {id} is a {ours} here");
            return self.broken_in(stated.instrument, difference);
        }
        if let Some(by) = self.book.revoked_by(&id, &execution_id) {
            let difference = format!("execution {execution_id} stands at the broker, {by} took it back here");
            return self.broken_in(stated.instrument, difference);
        }
        self.report(id, stated.instrument, stated.at, ReportKind::Fill { execution_id, price, quantity });
    }

    fn compare_execution(&mut self, id: ClientOrderId, stated: &StatedExecution) {
        let Some(order) = self.order(&id) else { return };
        let name = &stated.execution_id;
        let Some((ours, stands)) = self.book.executions_of(&id).find(|(ours, _)| ours.execution_id == *name) else {
            let difference = format!("{name} is an execution at the broker, the report of a bust here");
            return self.broken_in(stated.instrument, difference);
        };
        let told = |side, quantity, price, instrument| format!("{side} {quantity} @ {price} of {instrument:?}");
        let theirs = told(stated.side, stated.quantity, stated.price, stated.instrument);
        let ours = told(order.intent.side, ours.quantity, ours.price, order.intent.instrument);
        if theirs != ours {
            self.broken_in(stated.instrument, format!("execution {name} is {theirs} at the broker, {ours} here"));
        } else if !stands {
            self.broken_in(stated.instrument, format!("execution {name} stands at the broker, was taken back here"));
        }
    }

    fn compare_external(&mut self, stated: &StatedExecution) {
        let same = |ours: &StatedExecution| {
            (ours.instrument, ours.side, ours.price, ours.quantity)
                == (stated.instrument, stated.side, stated.price, stated.quantity)
        };
        if let Some(ours) = self.book.external_execution(&stated.execution_id).filter(|ours| !same(ours)) {
            let difference = format!("the broker states {stated:?}, which was counted as {ours:?}");
            self.broken_in(stated.instrument, difference);
        }
    }

    /// Terms, replaces on their way, cancels on their way and ends of the orders that are listed.
    fn conclude(&mut self) {
        for (order, stated) in self.listed() {
            if order.intent.side != stated.side || order.intent.instrument != stated.instrument {
                let id = order.intent.client_order_id;
                let (theirs, ours) = ((stated.side, stated.instrument), (order.intent.side, order.intent.instrument));
                self.broken_in(stated.instrument, format!("{id} is {theirs:?} at the broker, {ours:?} here"));
                continue;
            }
            if self.terms_settled(&order, stated) {
                self.status_settled(order.intent.client_order_id, stated);
            }
            self.compare_cumulative(order.intent.client_order_id, stated);
        }
    }

    /// Whether both have the same terms, after the answer to a replace if one was on its way.
    fn terms_settled(&mut self, order: &Order, stated: &StatedOrder) -> bool {
        let now = (order.quantity, order.order_type.limit_price());
        let theirs = (stated.quantity, stated.limit_price);
        let as_it_was = theirs == now;
        let as_asked = order.replacement.is_some_and(|to| {
            // An order with a limit was asked to have the replace's worst price as its limit. One
            // without may have kept none.
            let limit = match order.order_type.limit_price() {
                Some(_) => stated.limit_price == Some(to.worst_price),
                None => stated.limit_price.is_none_or(|limit| limit == to.worst_price),
            };
            limit && stated.quantity == to.quantity
        });
        if !as_it_was && !as_asked {
            let told = |(quantity, limit): (Quantity, Option<market::Price>)| {
                limit.map_or_else(|| quantity.to_string(), |limit| format!("{quantity} @ {limit}"))
            };
            let asked = order.replacement.map(|to| format!(" or, replaced, {} @ {}", to.quantity, to.worst_price));
            let (theirs, now, asked) = (told(theirs), told(now), asked.unwrap_or_default());
            let id = order.intent.client_order_id;
            self.broken_in(stated.instrument, format!("{id} is for {theirs} at the broker, for {now}{asked} here"));
            return false;
        }
        if order.replacement.is_none() || order.status.is_terminal() {
            return true;
        }
        // One that reaches the broker after the end of its order changes nothing, whenever it left.
        let may_come = stated.status == StatedStatus::Open;
        if as_it_was && may_come && !self.question.handed_over.contains(&order.intent.client_order_id) {
            // Asked for after the question: the broker may make it yet.
            return true;
        }
        let kind = if as_it_was {
            ReportKind::ReplaceRejected { reason: "the broker states the old terms".to_owned() }
        } else {
            ReportKind::Replaced { quantity: stated.quantity, limit_price: stated.limit_price }
        };
        self.conclude_report(order, kind)
    }

    /// Brings the order to where the broker says that it stands.
    fn status_settled(&mut self, id: ClientOrderId, stated: &StatedOrder) {
        let Some(order) = self.order(&id) else { return };
        let ended = order.status.is_terminal();
        let reason = || "as the broker states".to_owned();
        match stated.status {
            StatedStatus::Open if ended => {
                let status = order.status.name();
                self.broken_in(stated.instrument, format!("{id} is open at the broker, {status} here"));
            }
            StatedStatus::Open if order.cancel_requested => self.plan.corrections.push(Correction::CancelAgain(id)),
            StatedStatus::Canceled if !ended => {
                self.conclude_report(&order, ReportKind::Canceled { reason: reason() });
            }
            StatedStatus::Expired if !ended => {
                self.conclude_report(&order, ReportKind::Expired);
            }
            StatedStatus::Rejected if !ended => {
                self.conclude_report(&order, ReportKind::Rejected { reason: reason() });
            }
            StatedStatus::Filled if !ended && self.was_full_once(&order, stated) => {
                // Busts do not reinstate: what is left will not trade.
                let reason = "filled, and part of it taken back".to_owned();
                self.conclude_report(&order, ReportKind::Canceled { reason });
            }
            StatedStatus::Filled if !ended => {
                let (filled, total) = (order.cumulative, order.quantity);
                let difference = format!("{id} is filled at the broker; its executions add up to {filled} of {total}");
                self.broken_in(stated.instrument, difference);
            }
            _ => {}
        }
    }

    /// Whether busts explain that an order is filled with less than its quantity: busts that we have
    /// heard of, or that the statement tells of without saying whose execution it was.
    fn was_full_once(&self, order: &Order, stated: &StatedOrder) -> bool {
        let unheard = || self.theirs.revoked.iter().any(|revoked| self.book.owner_of(revoked).is_none());
        let id = &order.intent.client_order_id;
        let agreed = order.cumulative == stated.cumulative && stated.cumulative < stated.quantity;
        agreed && (self.book.was_taken_back(id) || unheard())
    }

    fn compare_cumulative(&mut self, id: ClientOrderId, stated: &StatedOrder) {
        let Some(order) = self.order(&id) else { return };
        if order.cumulative != stated.cumulative {
            let (theirs, ours) = (stated.cumulative, order.cumulative);
            let difference = format!("{id} has traded {theirs} at the broker, {ours} here");
            self.broken_in(stated.instrument, difference);
        }
    }

    /// Orders and executions of ours that the statement should list and does not.
    fn look_for_what_is_not_listed(&mut self) {
        let listed: BTreeSet<_> = self.theirs.orders.iter().map(|stated| &stated.reference).collect();
        let open: Vec<Order> = self.book.open_orders().into_iter().cloned().collect();
        for order in open {
            let id = order.intent.client_order_id;
            if listed.contains(&OrderReference::Own(id)) {
                continue;
            }
            if order.acknowledged {
                let status = order.status.name();
                let difference = format!("{id} is {status} here, the broker does not list it");
                self.broken_in(order.intent.instrument, difference);
            } else if self.question.handed_over.contains(&id) {
                let reason = NEVER_RECEIVED.to_owned();
                self.conclude_report(&order, ReportKind::Rejected { reason });
            }
        }
        let theirs: BTreeSet<_> = self.theirs.executions.iter().map(|stated| &stated.execution_id).collect();
        let revoked: BTreeSet<_> = self.theirs.revoked.iter().collect();
        for (id, instrument, execution) in self.book.standing_since(self.theirs.since) {
            let name = &execution.execution_id;
            if !theirs.contains(name) && !revoked.contains(name) {
                let (quantity, price) = (execution.quantity, execution.price);
                let difference = format!("execution {name} of {id}, {quantity} @ {price}, is not at the broker");
                self.broken_in(instrument, difference);
            }
        }
        let externals: Vec<StatedExecution> = self.book.externals_since(self.theirs.since).cloned().collect();
        for StatedExecution { execution_id: name, instrument, side, price, quantity, .. } in externals {
            let made_up = name.as_str().starts_with(REVOKED);
            if !made_up && !theirs.contains(&name) && !revoked.contains(&name) {
                let difference =
                    format!("execution {name} of other hands, {side} {quantity} @ {price}, is not at the broker");
                self.broken_in(instrument, difference);
            }
        }
    }

    /// What the account holds: ours and other hands' together.
    fn compare_positions(&mut self) {
        let theirs: BTreeMap<_, _> = self.theirs.positions.iter().copied().collect();
        for index in 0..self.book.instruments() {
            let instrument = InstrumentId::new(index as u32);
            let theirs = theirs.get(&instrument).copied().unwrap_or_default();
            let (ours, others) = (self.book.position(instrument).quantity, self.book.external(instrument));
            if theirs == ours + others {
                continue;
            }
            // The first statement is not a way to explain away what it contradicts.
            let contradicted = |found: &Break| [Scope::Account, Scope::Instrument(instrument)].contains(&found.scope);
            let first = self.question.first && !self.plan.breaks.iter().any(contradicted);
            if first || self.question.accepted.contains(&instrument) {
                let quantity = theirs - ours;
                self.book.adopt_external(instrument, quantity);
                self.plan.corrections.push(Correction::Adopt { instrument, quantity });
            } else {
                let difference = format!(
                    "the broker holds {theirs}, the book {}: {ours} of ours and {others} of other hands",
                    ours + others
                );
                self.broken_in(instrument, difference);
            }
        }
    }
}
