//! The broker's answer to "what is true?".

use market::{InstrumentId, Quantity, StatedOrder, StatedStatus, Statement, Timestamp};

use super::Venue;

impl Venue {
    /// How everything stands now; what ended, and executions, from `since` on.
    pub fn statement(&self, since: Timestamp, at: Timestamp) -> Statement {
        let listed = self.orders.values().filter(|order| order.status == StatedStatus::Open || order.ended_at >= since);
        let orders = listed.map(|order| StatedOrder {
            reference: order.reference.clone(),
            instrument: order.instrument,
            side: order.side,
            quantity: order.quantity,
            limit_price: order.limit_price,
            cumulative: order.cumulative,
            status: order.status,
        });
        let recent = self.executions.iter().filter(|execution| execution.stated.at >= since);
        let executions =
            recent.filter(|execution| execution.revoked_at.is_none()).map(|execution| execution.stated.clone());
        let revoked = self.executions.iter().filter(|execution| execution.revoked_at.is_some_and(|when| when >= since));
        let held = self.positions.iter().enumerate().filter(|(_, units)| **units != 0);
        Statement {
            at,
            since,
            orders: orders.collect(),
            executions: executions.collect(),
            revoked: revoked.map(|execution| execution.stated.execution_id.clone()).collect(),
            positions: held.map(|(place, units)| (InstrumentId::new(place as u32), Quantity::new(*units))).collect(),
            elsewhere: Vec::new(),
        }
    }
}
