//! The venue's books: orders, executions, positions. Shares no code with `oms` or the simulated
//! exchange: what it says is a second opinion.

use std::collections::BTreeMap;

use brokers::bridge::wire::{SubmitOrder, WireExecution, WireOrder, WirePosition, WireStatement};
use market::{ExecutionId, Price, Quantity, Side, StatedStatus, Symbol, TimeInForce, Timestamp};

/// An order in the books.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Client order id, or the name of an order by hand.
    pub name: String,
    /// Of what.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Total.
    pub quantity: i64,
    /// Worst price.
    pub limit_price: Option<Price>,
    /// Traded and standing.
    pub cumulative: i64,
    /// Where it stands.
    pub status: StatedStatus,
    /// It stays when its session is gone.
    pub stays: bool,
}

impl Order {
    /// What may still trade.
    pub fn leaves(&self) -> i64 {
        if self.status == StatedStatus::Open { self.quantity - self.cumulative } else { 0 }
    }
}

/// The books of one account.
#[derive(Clone, Debug)]
pub struct Books {
    since: Timestamp,
    orders: Vec<Order>,
    places: BTreeMap<String, usize>,
    /// Those that stand, in the order in which they happened.
    executions: Vec<WireExecution>,
    revoked: Vec<ExecutionId>,
    positions: BTreeMap<Symbol, i64>,
    names: u64,
}

impl Books {
    /// Empty, complete from now on.
    pub fn new(since: Timestamp) -> Self {
        Self {
            since,
            orders: Vec::new(),
            places: BTreeMap::new(),
            executions: Vec::new(),
            revoked: Vec::new(),
            positions: BTreeMap::new(),
            names: 0,
        }
    }

    /// Every order, in the order of arrival.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// Names of the orders that are open.
    pub fn open(&self) -> Vec<String> {
        self.orders.iter().filter(|order| order.status == StatedStatus::Open).map(|order| order.name.clone()).collect()
    }

    /// Executions that stand.
    pub fn executions(&self) -> &[WireExecution] {
        &self.executions
    }

    /// Units held by symbol; nothing is not listed.
    pub fn positions(&self) -> impl Iterator<Item = (Symbol, i64)> {
        self.positions.iter().filter(|(_, units)| **units != 0).map(|(symbol, units)| (*symbol, *units))
    }

    /// The order with this name.
    pub fn order(&self, name: &str) -> Option<&Order> {
        self.places.get(name).and_then(|place| self.orders.get(*place))
    }

    fn order_mut(&mut self, name: &str) -> Option<&mut Order> {
        self.places.get(name).and_then(|place| self.orders.get_mut(*place))
    }

    /// A name for an execution or an order by hand, never used again.
    pub fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{:06}", self.names)
    }

    /// Takes an order, unless its name was used before.
    pub fn enter(&mut self, order: &SubmitOrder) -> bool {
        self.enter_as(Order {
            name: order.client_order_id.to_string(),
            symbol: order.symbol,
            side: order.side,
            quantity: order.quantity.units(),
            limit_price: order.order_type.limit_price(),
            cumulative: 0,
            status: StatedStatus::Open,
            stays: matches!(order.time_in_force, TimeInForce::GoodTillCancel | TimeInForce::GoodTillDate(_)),
        })
    }

    /// Takes an order in the books' own form.
    pub fn enter_as(&mut self, order: Order) -> bool {
        if self.places.contains_key(&order.name) {
            return false;
        }
        self.places.insert(order.name.clone(), self.orders.len());
        self.orders.push(order);
        true
    }

    /// Ends an open order.
    pub fn end(&mut self, name: &str, status: StatedStatus) -> bool {
        let Some(order) = self.order_mut(name).filter(|order| order.status == StatedStatus::Open) else { return false };
        order.status = status;
        true
    }

    /// Changes an open order. One that is left with nothing to trade is not changed.
    pub fn replace(&mut self, name: &str, quantity: i64, limit_price: Option<Price>) -> bool {
        let Some(order) = self.order_mut(name) else { return false };
        if order.status != StatedStatus::Open || quantity <= order.cumulative {
            return false;
        }
        order.quantity = quantity;
        order.limit_price = limit_price.or(order.limit_price);
        true
    }

    /// Trades part of an open order.
    pub fn fill(&mut self, name: &str, quantity: i64, price: Price, at: Timestamp) -> Option<WireExecution> {
        let execution_id = ExecutionId::new(&self.name("V"));
        let order = self.order_mut(name)?;
        let units = quantity.min(order.leaves());
        if units <= 0 {
            return None;
        }
        order.cumulative += units;
        if order.cumulative == order.quantity {
            order.status = StatedStatus::Filled;
        }
        let (symbol, side) = (order.symbol, order.side);
        let quantity = Quantity::new(units);
        let execution = WireExecution { execution_id, order: name.to_owned(), symbol, side, price, quantity, at };
        *self.positions.entry(symbol).or_default() += side.sign() * units;
        self.executions.push(execution.clone());
        Some(execution)
    }

    /// Takes an execution back, as if it had never been. An order that ended stays ended.
    pub fn bust(&mut self, name: &ExecutionId) -> Option<WireExecution> {
        let place = self.executions.iter().position(|execution| execution.execution_id == *name)?;
        let execution = self.executions.remove(place);
        self.revoked.push(execution.execution_id.clone());
        let units = execution.quantity.units();
        *self.positions.entry(execution.symbol).or_default() -= execution.side.sign() * units;
        let order = self.order_mut(&execution.order)?;
        order.cumulative -= units;
        Some(execution)
    }

    /// Lets an execution stand at another price, under another name.
    pub fn correct(&mut self, name: &ExecutionId, price: Price) -> Option<WireExecution> {
        let execution_id = ExecutionId::new(&self.name("V"));
        let execution = self.executions.iter_mut().find(|execution| execution.execution_id == *name)?;
        self.revoked.push(std::mem::replace(&mut execution.execution_id, execution_id));
        execution.price = price;
        Some(execution.clone())
    }

    /// How the account stands.
    pub fn statement(&self, request: u64, at: Timestamp) -> WireStatement {
        let stated = |order: &Order| WireOrder {
            order: order.name.clone(),
            symbol: order.symbol,
            side: order.side,
            quantity: Quantity::new(order.quantity),
            limit_price: order.limit_price,
            cumulative: Quantity::new(order.cumulative),
            status: order.status,
        };
        let positions =
            self.positions().map(|(symbol, units)| WirePosition { symbol, quantity: Quantity::new(units) }).collect();
        WireStatement {
            request,
            at,
            since: self.since,
            orders: self.orders.iter().map(stated).collect(),
            executions: self.executions.clone(),
            revoked: self.revoked.clone(),
            positions,
        }
    }
}
