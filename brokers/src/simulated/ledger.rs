//! What a simulated exchange can state about an account: it reads its own commands and reports.
//!
//! Kept only where somebody asks for statements (paper trading, not a backtest), and of executions and
//! ended orders only those of the current session.

use market::{
    ClientOrderId, ExecutionReport, InstrumentId, NewOrder, OrderReference, OrderType, Price, Quantity, ReportKind,
    StatedExecution, StatedOrder, StatedStatus, Statement, Timestamp,
};
use rustc_hash::FxHashMap;

/// Orders, executions and positions of the one account that trades here.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    since: Timestamp,
    orders: FxHashMap<ClientOrderId, StatedOrder>,
    executions: Vec<StatedExecution>,
    positions: Vec<Quantity>,
    /// Names that came again and have not been rejected yet.
    again: Vec<ClientOrderId>,
}

impl Ledger {
    pub(super) fn new(instruments: usize, since: Timestamp) -> Self {
        let positions = vec![Quantity::ZERO; instruments];
        Self { since, orders: FxHashMap::default(), executions: Vec::new(), positions, again: Vec::new() }
    }

    /// An order was sent here.
    pub(super) fn sent(&mut self, order: &NewOrder) {
        if self.orders.contains_key(&order.client_order_id) {
            return self.again.push(order.client_order_id);
        }
        self.orders.insert(order.client_order_id, stated(order, order.order_type, order.quantity));
    }

    /// An order rested here before a restart.
    pub(super) fn restored(
        &mut self,
        order: &NewOrder,
        order_type: OrderType,
        quantity: Quantity,
        cumulative: Quantity,
    ) {
        self.orders.insert(order.client_order_id, StatedOrder { cumulative, ..stated(order, order_type, quantity) });
    }

    /// So many units were held before a restart.
    pub(super) fn held(&mut self, instrument: InstrumentId, quantity: Quantity) {
        if let Some(position) = self.positions.get_mut(instrument.index()) {
            *position = quantity;
        }
    }

    /// A new session: what ended before it is not stated any more.
    pub(super) fn begin_session(&mut self, at: Timestamp) {
        // What is stamped with the very boundary belongs to the session that ends there.
        self.since = at.plus_nanos(1);
        self.executions.clear();
        self.orders.retain(|_, order| order.status == StatedStatus::Open);
    }

    /// The exchange reported.
    pub(super) fn take(&mut self, report: &ExecutionReport) {
        let id = report.client_order_id;
        let Some(order) = self.orders.get_mut(&id) else { return };
        match &report.kind {
            ReportKind::Fill { execution_id, price, quantity } => {
                order.cumulative += *quantity;
                if order.cumulative >= order.quantity {
                    order.status = StatedStatus::Filled;
                }
                self.executions.push(StatedExecution {
                    execution_id: execution_id.clone(),
                    reference: order.reference.clone(),
                    instrument: order.instrument,
                    side: order.side,
                    price: *price,
                    quantity: *quantity,
                    at: report.at,
                });
                self.positions[order.instrument.index()] += order.side.signed(*quantity);
            }
            ReportKind::Replaced { quantity, limit_price } => {
                order.quantity = *quantity;
                order.limit_price = limit_price.or(order.limit_price);
            }
            ReportKind::Canceled { .. } => order.status = StatedStatus::Canceled,
            ReportKind::Expired => order.status = StatedStatus::Expired,
            ReportKind::Rejected { .. } => match self.again.iter().position(|name| *name == id) {
                // The rejection of a name that came again says nothing about the order of that name.
                Some(place) => drop(self.again.swap_remove(place)),
                None => order.status = StatedStatus::Rejected,
            },
            _ => {}
        }
    }

    pub(super) fn statement(&self, at: Timestamp) -> Statement {
        let mut orders: Vec<StatedOrder> = self.orders.values().cloned().collect();
        orders.sort_by(|one, other| one.reference.cmp(&other.reference));
        let held = self.positions.iter().enumerate().filter(|(_, quantity)| !quantity.is_zero());
        let instrument = |index| InstrumentId::new(u32::try_from(index).unwrap_or(u32::MAX));
        Statement {
            at,
            since: self.since,
            orders,
            executions: self.executions.clone(),
            revoked: Vec::new(),
            positions: held.map(|(index, quantity)| (instrument(index), *quantity)).collect(),
            elsewhere: Vec::new(),
        }
    }
}

fn stated(order: &NewOrder, order_type: OrderType, quantity: Quantity) -> StatedOrder {
    let limit_price: Option<Price> = order_type.limit_price();
    StatedOrder {
        reference: OrderReference::Own(order.client_order_id),
        instrument: order.instrument,
        side: order.side,
        quantity,
        limit_price,
        cumulative: Quantity::ZERO,
        status: StatedStatus::Open,
    }
}
