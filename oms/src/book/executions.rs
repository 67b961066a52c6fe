//! Executions: fills, and what a bust or a correction makes of them.
//!
//! A broker may take an execution back (bust) or put another in its place (correction), and the
//! report of that may overtake the fill itself. So the book remembers every execution of an order
//! and every report that took one back, each once, by the broker's name of it: whatever the order
//! of arrival, an execution counts if it has arrived and nobody has taken it back.
//!
//! Taking back is a trade in the opposite direction at the same price, booked to the settlement
//! date of the original, with its fee returned. So cash and equity are as if it had never been;
//! where other trades came in between, part of the result may stand as realised instead of as
//! cost. Brokerage is the order's: it stays charged as long as any of its executions stands.
//!
//! A bust changes what has traded and never where the order stands. On an open order the units are
//! open again, because leaves are quantity less cumulative quantity (FIX 151) and limits count the
//! worst case. An order that has ended stays ended: the exchange does not put it back into its book
//! (FIX 4.4, appendix D, the trade cancel after a fill; B3 cancels the trade, not the order's end).
//!
//! One case is left to the statement: a fill that could trade only because of a bust, and that
//! overtakes it, is more than the order has left and is refused.

use market::{
    ClientOrderId, Date, ExecutionId, ExecutionReport, InstrumentId, Money, Price, Quantity, Side, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{Anomaly, Book};
use crate::day_trade::{DayTerms, DayTraded};
use crate::life_cycle::{OrderEvent, OrderStatus, transition};
use crate::order::Order;

/// An execution of one of our orders.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Execution {
    /// The broker's name of it.
    pub execution_id: ExecutionId,
    /// Price per unit.
    pub price: Price,
    /// Units.
    pub quantity: Quantity,
    /// When.
    pub at: Timestamp,
    /// Exchange fee charged for it, at the normal rate. Brokerage is the order's.
    pub fee: Money,
    /// Day of the trade, exchange time.
    pub trade_date: Date,
    /// When its cash moves.
    pub settles: Date,
}

/// A report that took an execution back: a bust, or a correction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revocation {
    /// The broker's name of the report; of a correction also that of the execution as it stands now.
    pub by: ExecutionId,
    /// The execution that it took back, which may not have arrived yet.
    pub reference: ExecutionId,
}

/// What a fill did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FillEffect {
    /// The broker's name of it.
    pub execution_id: ExecutionId,
    /// Buy or sell.
    pub side: Side,
    /// Units.
    pub quantity: Quantity,
    /// Price per unit.
    pub price: Price,
    /// Exchange fees and brokerage charged for it.
    pub fee: Money,
    /// It came after the order had ended: legal, and worth an alert.
    pub late: bool,
}

/// What a bust or a correction did: the mirror of a fill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevokedEffect {
    /// The execution that does not count.
    pub execution_id: ExecutionId,
    /// The report that took it back.
    pub by: ExecutionId,
    /// What it had done and what is undone now, with the fees returned. None when nothing had been
    /// done: the report came before the execution, or this is the execution, arriving after it.
    pub undone: Option<FillEffect>,
}

/// What a report about an execution did.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) fill: Option<FillEffect>,
    pub(super) revoked: Option<RevokedEffect>,
}

impl Book {
    pub(super) fn apply_fill(
        &mut self,
        place: usize,
        report: &ExecutionReport,
        execution_id: &ExecutionId,
        price: Price,
        quantity: Quantity,
    ) -> Result<Effects, Anomaly> {
        let id = report.client_order_id;
        if self.executions.contains_key(execution_id) {
            return Err(Anomaly::DuplicateExecution { client_order_id: id, execution_id: execution_id.clone() });
        }
        let terms = self.terms_at(report.at);
        let entered = self.orders.at(place);
        if let Some(by) = entered.revoked_by(execution_id) {
            let by = by.clone();
            check_revoked(&entered.order, price, quantity)?;
            self.remember(place, report, execution_of(report, execution_id, price, quantity, terms?));
            let revoked = RevokedEffect { execution_id: execution_id.clone(), by, undone: None };
            return Ok(Effects { fill: None, revoked: Some(revoked) });
        }
        let after = check_fill(&entered.order, price, quantity, Quantity::ZERO)?;
        let terms = terms?;
        // Nothing can fail from here on: the fill is applied whole.
        let late = entered.order.status.is_terminal();
        let execution = execution_of(report, execution_id, price, quantity, terms);
        Ok(Effects { fill: Some(self.take_in(place, report, execution, terms, after, late)), revoked: None })
    }

    pub(super) fn apply_bust(
        &mut self,
        place: usize,
        report: &ExecutionReport,
        by: &ExecutionId,
        reference: &ExecutionId,
    ) -> Result<Effects, Anomaly> {
        self.check_revocation(place, report, by, reference)?;
        let undone = self.take_back(place, report, by, reference);
        let revoked = RevokedEffect { execution_id: reference.clone(), by: by.clone(), undone };
        Ok(Effects { fill: None, revoked: Some(revoked) })
    }

    /// A correction is a bust and a fill in one go.
    pub(super) fn apply_corrected(
        &mut self,
        place: usize,
        report: &ExecutionReport,
        execution_id: &ExecutionId,
        reference: &ExecutionId,
        price: Price,
        quantity: Quantity,
    ) -> Result<Effects, Anomaly> {
        self.check_revocation(place, report, execution_id, reference)?;
        let terms = self.terms_at(report.at);
        let entered = self.orders.at(place);
        // A correction may itself have been taken back by one that came first.
        let counts = entered.revoked_by(execution_id).is_none();
        let returned = entered.execution(reference).map_or(Quantity::ZERO, |execution| execution.quantity);
        let after = if counts {
            check_fill(&entered.order, price, quantity, returned)?
        } else {
            check_revoked(&entered.order, price, quantity)?;
            entered.order.status
        };
        let original = entered.execution(reference).map(|execution| execution.trade_date);
        // It is the trade of the original's day, whenever it is put right.
        let terms = original.map_or(terms, |date| self.terms_on(date))?;

        let undone = self.take_back(place, report, execution_id, reference);
        let execution = execution_of(report, execution_id, price, quantity, terms);
        let fill = if counts {
            Some(self.take_in(place, report, execution, terms, after, false))
        } else {
            self.remember(place, report, execution);
            None
        };
        let revoked = RevokedEffect { execution_id: reference.clone(), by: execution_id.clone(), undone };
        Ok(Effects { fill, revoked: Some(revoked) })
    }

    /// Whether the report `by` may take back `reference`.
    fn check_revocation(
        &self,
        place: usize,
        report: &ExecutionReport,
        by: &ExecutionId,
        reference: &ExecutionId,
    ) -> Result<(), Anomaly> {
        let id = report.client_order_id;
        if self.executions.contains_key(by) {
            return Err(Anomaly::DuplicateExecution { client_order_id: id, execution_id: by.clone() });
        }
        let impossible = |reason: String| {
            let (client_order_id, reference) = (id, reference.clone());
            Err(Anomaly::ImpossibleBust { client_order_id, reference, reason })
        };
        let entered = self.orders.at(place);
        if entered.order.status == OrderStatus::Rejected {
            let (status, event) = (entered.order.status.name(), report.kind.name());
            return Err(Anomaly::OutOfLifeCycle { client_order_id: id, status, event });
        }
        if by == reference {
            return impossible("a report cannot take itself back".to_owned());
        }
        if let Some(first) = entered.revoked_by(reference) {
            return impossible(format!("{first} took it back before"));
        }
        match self.executions.get(reference) {
            Some(Owner::Order(owner)) if *owner != id => impossible(format!("it is of {owner}")),
            Some(Owner::External) => impossible("it is of an order placed elsewhere".to_owned()),
            Some(Owner::Order(_)) if entered.execution(reference).is_none() => {
                impossible("it is itself the report of a bust".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Notes an execution under its name, without any effect.
    fn remember(&mut self, place: usize, report: &ExecutionReport, execution: Execution) {
        self.executions.insert(execution.execution_id.clone(), Owner::Order(report.client_order_id));
        self.orders.at_mut(place).executions.push(execution);
    }

    /// What an execution does to everything. Cannot fail: the checks come before.
    fn take_in(
        &mut self,
        place: usize,
        report: &ExecutionReport,
        execution: Execution,
        terms: DayTerms,
        after: OrderStatus,
        late: bool,
    ) -> FillEffect {
        let Execution { price, quantity, fee, .. } = execution;
        let execution_id = execution.execution_id.clone();
        self.executions.insert(execution_id.clone(), Owner::Order(report.client_order_id));
        let notional = price.times(quantity);
        let entered = self.orders.at_mut(place);
        let order = &mut entered.order;
        let was_unknown = order.status == OrderStatus::Unknown;
        order.status = after;
        order.cumulative += quantity;
        order.traded += notional;
        let (side, strategy) = (order.intent.side, order.intent.strategy);
        let brokerage = if entered.brokerage.is_some() { Money::ZERO } else { self.settings.brokerage.fee() };
        entered.brokerage = entered.brokerage.or(Some(execution.settles));
        entered.executions.push(execution);
        let fee = fee + brokerage;

        if self.terms.is_none_or(|known| known.from < terms.from) {
            self.terms = Some(terms);
        }
        // A first fill may come before any mark: the trade itself is the best price known.
        if self.mark_of(report.instrument) == Price::ZERO {
            self.mark(report.instrument, price);
        }
        let signed = side.signed(quantity);
        let line = &mut self.lines[report.instrument.index()];
        line.position.trade(signed, price);
        line.position.fees += fee;
        line.fills += signed;
        line.unknown -= u32::from(was_unknown);
        assert_eq!(line.position.quantity, line.fills, "position differs from the sum of fills after {execution_id}");
        self.market_value += line.mark.times(signed);
        let flow = -price.times(signed) - fee;
        self.results.trade((strategy, report.instrument), signed, flow, line.mark);
        // A day whose trades have settled is not rated again.
        if self.session.is_none_or(|session| terms.settles > session) {
            let day = self.day_traded.entry((terms.date, report.instrument)).or_insert_with(|| DayTraded::on(terms));
            day.add(side, quantity, notional);
        }
        self.holdings.entry((strategy, report.instrument)).or_default().position += signed;
        self.cash.book(terms.settles, flow);
        self.fees += fee;
        FillEffect { execution_id, side, quantity, price, fee, late }
    }

    /// Notes that `by` takes `reference` back, and undoes what it did if it has arrived.
    fn take_back(
        &mut self,
        place: usize,
        report: &ExecutionReport,
        by: &ExecutionId,
        reference: &ExecutionId,
    ) -> Option<FillEffect> {
        self.executions.insert(by.clone(), Owner::Order(report.client_order_id));
        let entered = self.orders.at_mut(place);
        entered.revocations.push(Revocation { by: by.clone(), reference: reference.clone() });
        let execution = entered.execution(reference)?.clone();
        let Execution { price, quantity, fee, trade_date, settles, .. } = execution;
        let notional = price.times(quantity);
        let order = &mut entered.order;
        let (side, strategy) = (order.intent.side, order.intent.strategy);
        order.cumulative -= quantity;
        order.traded -= notional;
        let brokerage = if entered.standing().next().is_none() { entered.brokerage.take() } else { None };

        let signed = side.signed(quantity);
        self.cash.book(settles, price.times(signed) + fee);
        let mut returned = fee;
        if let Some(settles) = brokerage {
            self.cash.book(settles, self.settings.brokerage.fee());
            returned += self.settings.brokerage.fee();
        }
        self.fees -= returned;
        let line = &mut self.lines[report.instrument.index()];
        line.position.trade(-signed, price);
        line.position.fees -= returned;
        line.fills -= signed;
        assert_eq!(line.position.quantity, line.fills, "position differs from the sum of fills after {by}");
        self.market_value -= line.mark.times(signed);
        let flow = price.times(signed) + returned;
        self.results.trade((strategy, report.instrument), -signed, flow, line.mark);
        // As above: the days of trades that have settled are gone.
        if let Some(day) = self.day_traded.get_mut(&(trade_date, report.instrument)) {
            day.add(side, -quantity, -notional);
        }
        self.holdings.entry((strategy, report.instrument)).or_default().position -= signed;
        Some(FillEffect { execution_id: reference.clone(), side, quantity, price, fee: returned, late: false })
    }

    /// The executions of an order that have arrived, in the order of their arrival, each with
    /// whether it stands.
    pub fn executions_of(&self, id: &ClientOrderId) -> impl Iterator<Item = (&Execution, bool)> {
        let entered = self.orders.get(id);
        entered.into_iter().flat_map(|entered| {
            entered
                .executions
                .iter()
                .map(|execution| (execution, entered.revoked_by(&execution.execution_id).is_none()))
        })
    }

    /// Whose execution a name is.
    pub(crate) fn owner_of(&self, execution_id: &ExecutionId) -> Option<Owner> {
        self.executions.get(execution_id).copied()
    }

    /// The report that took an execution of an order back, be it one that has not arrived.
    pub(crate) fn revoked_by(&self, id: &ClientOrderId, execution_id: &ExecutionId) -> Option<&ExecutionId> {
        self.orders.get(id)?.revoked_by(execution_id)
    }

    /// Whether an execution of an order has arrived and counts.
    pub(crate) fn stands(&self, id: &ClientOrderId, execution_id: &ExecutionId) -> bool {
        let entered = self.orders.get(id);
        entered.is_some_and(|entered| {
            entered.execution(execution_id).is_some() && entered.revoked_by(execution_id).is_none()
        })
    }

    /// Whether any execution of an order was taken back.
    pub(crate) fn was_taken_back(&self, id: &ClientOrderId) -> bool {
        self.orders.get(id).is_some_and(|entered| !entered.revocations.is_empty())
    }

    /// Executions from `since` on that count, by order and then as they arrived.
    pub(crate) fn standing_since(&self, since: Timestamp) -> Vec<(ClientOrderId, InstrumentId, Execution)> {
        let mut found: Vec<_> = self
            .orders
            .values()
            .flat_map(|entered| entered.standing().map(move |execution| (&entered.order.intent, execution)))
            .filter(|(_, execution)| execution.at >= since)
            .map(|(intent, execution)| (intent.client_order_id, intent.instrument, execution.clone()))
            .collect();
        found.sort_by_key(|(id, ..)| *id);
        found
    }

    /// Whether a report of that name has been applied, be it an execution, a bust or a correction.
    pub fn knows_execution(&self, execution_id: &ExecutionId) -> bool {
        self.executions.contains_key(execution_id)
    }
}

/// Whose execution a name is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// Of an order of ours, or of a bust of one.
    Order(ClientOrderId),
    /// Of an order placed by hand or by another program.
    External,
}

/// Where the order would stand after a fill, if `returned` units of it were taken back before.
fn check_fill(order: &Order, price: Price, quantity: Quantity, returned: Quantity) -> Result<OrderStatus, Anomaly> {
    let id = order.intent.client_order_id;
    // What an ended order had left may still arrive late, so its own leaves do not bound it.
    let left = order.most() - order.cumulative + returned;
    if !quantity.is_positive() || quantity > left || price <= Price::ZERO {
        return Err(Anomaly::ImpossibleFill { client_order_id: id, quantity, price, leaves: left });
    }
    // With a replace on its way this may be its first fill rather than the old order's last:
    // the answer to the replace tells.
    let event = if quantity == left { OrderEvent::FinalFill } else { OrderEvent::PartialFill };
    transition(order.status, event).ok_or(Anomaly::OutOfLifeCycle {
        client_order_id: id,
        status: order.status.name(),
        event: "fill",
    })
}

/// An execution that counts for nothing needs no room, but garbage is garbage.
fn check_revoked(order: &Order, price: Price, quantity: Quantity) -> Result<(), Anomaly> {
    if quantity.is_positive() && price > Price::ZERO {
        return Ok(());
    }
    let client_order_id = order.intent.client_order_id;
    let leaves = order.most() - order.cumulative;
    Err(Anomaly::ImpossibleFill { client_order_id, quantity, price, leaves })
}

fn execution_of(
    report: &ExecutionReport,
    execution_id: &ExecutionId,
    price: Price,
    quantity: Quantity,
    terms: DayTerms,
) -> Execution {
    Execution {
        execution_id: execution_id.clone(),
        price,
        quantity,
        at: report.at,
        fee: price.times(quantity).scaled(terms.rate),
        trade_date: terms.date,
        settles: terms.settles,
    }
}
