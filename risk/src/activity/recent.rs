//! Orders that were sent lately, to know one that comes again.

use std::collections::VecDeque;

use market::{InstrumentId, NewOrder, OrderType, Quantity, Side, StrategyId, Timestamp};
use rustc_hash::FxHashMap;

use crate::limits::amounts::Seconds;

/// Orders that are remembered. If more than these come within the time that no order may come twice, nobody
/// knows whether the next is one of them, and it counts as one.
pub const KEPT_ORDERS: usize = 8_192;

/// The longest time that the same order may be kept from coming again: an hour.
pub const LONGEST_DUPLICATE: Seconds = Seconds(3_600);

/// What makes two orders the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    pub(super) strategy: StrategyId,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    pub(super) quantity: Quantity,
    /// With its prices.
    pub(super) order_type: OrderType,
}

impl Key {
    pub(super) fn of(order: &NewOrder) -> Self {
        let NewOrder { strategy, instrument, side, quantity, order_type, .. } = *order;
        Self { strategy, instrument, side, quantity, order_type }
    }
}

/// Orders that were sent lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    /// When the same order was sent last.
    // Keys are our own orders: speed before resistance to chosen keys.
    last: FxHashMap<Key, Timestamp>,
    /// Oldest first.
    sent: VecDeque<(Timestamp, Key)>,
    /// When the last one went that had to make room.
    forgotten: Option<Timestamp>,
}

impl Recent {
    pub(super) fn push(&mut self, at: Timestamp, key: Key) {
        let horizon = at.plus_nanos(-LONGEST_DUPLICATE.nanos());
        while let Some((sent, _)) = self.sent.front()
            && (self.sent.len() >= KEPT_ORDERS || *sent <= horizon)
        {
            let Some((sent, key)) = self.sent.pop_front() else { break };
            if sent > horizon {
                self.forgotten = Some(sent);
            }
            if self.last.get(&key) == Some(&sent) {
                self.last.remove(&key);
            }
        }
        self.sent.push_back((at, key));
        self.last.insert(key, at);
    }

    /// When the same order was sent, as far as that matters: one that may have been forgotten counts as one
    /// that was sent when the last was forgotten.
    pub(super) fn last(&self, key: &Key) -> Option<Timestamp> {
        self.last.get(key).copied().max(self.forgotten)
    }

    pub(super) fn sent(&self) -> impl Iterator<Item = (Timestamp, &Key)> {
        self.sent.iter().map(|(at, key)| (*at, key))
    }

    pub(super) fn forgotten(&self) -> Option<Timestamp> {
        self.forgotten
    }

    pub(super) fn restore_forgotten(&mut self, at: Option<Timestamp>) {
        self.forgotten = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::time::NANOS_PER_SECOND;

    fn key(units: i64) -> Key {
        Key {
            strategy: StrategyId(0),
            instrument: InstrumentId::new(0),
            side: Side::Buy,
            quantity: Quantity::new(units),
            order_type: OrderType::Market,
        }
    }

    #[test]
    fn what_had_to_make_room_may_have_been_the_same() {
        let mut recent = Recent::default();
        let at = |thousandth: i64| Timestamp::from_nanos(thousandth * (NANOS_PER_SECOND / 1_000));
        for number in 0..KEPT_ORDERS as i64 {
            recent.push(at(number), key(number));
        }
        assert_eq!((recent.last(&key(0)), recent.last(&key(-1))), (Some(at(0)), None));
        recent.push(at(KEPT_ORDERS as i64), key(5));
        assert_eq!(recent.last(&key(-1)), Some(at(0)), "the first may have been it");
        assert_eq!(recent.last(&key(5)), Some(at(KEPT_ORDERS as i64)), "the later of two");
        assert_eq!(recent.sent.len(), KEPT_ORDERS);
        // Hours later everything has gone by its age, which leaves no doubt about anything newer.
        recent.push(at(KEPT_ORDERS as i64 + 2_000 * i64::from(LONGEST_DUPLICATE.0)), key(7));
        assert_eq!((recent.sent.len(), recent.last.len()), (1, 1));
        assert_eq!(recent.last(&key(5)), Some(at(0)));
    }
}
