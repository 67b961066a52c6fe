//! The life cycle of an order, as one table.
//!
//! Terms are FIX's (39, OrdStatus), with one simplification: `Working` covers New and Partially
//! Filled, which differ only in the cumulative quantity; `Order::fix_status` tells them apart.

use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Intended, and perhaps on its way; the broker has not answered.
    PendingNew,
    /// In the broker's book.
    Working,
    /// In the book; we asked to cancel it.
    PendingCancel,
    /// In the book; we asked to change it.
    PendingReplace,
    /// We sent something and do not know what became of it. Only the broker's word ends this.
    Unknown,
    /// Wholly traded.
    Filled,
    /// Cancelled with something left.
    Canceled,
    /// Never in the book.
    Rejected,
    /// Its time in force ended with something left.
    Expired,
}

impl OrderStatus {
    /// Every status, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::PendingNew,
        Self::Working,
        Self::PendingCancel,
        Self::PendingReplace,
        Self::Unknown,
        Self::Filled,
        Self::Canceled,
        Self::Rejected,
        Self::Expired,
    ];

    /// Nothing more is expected of it.
    #[inline]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Rejected | Self::Expired)
    }

    /// Stable name in JSON, tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PendingNew => "pending_new",
            Self::Working => "working",
            Self::PendingCancel => "pending_cancel",
            Self::PendingReplace => "pending_replace",
            Self::Unknown => "unknown",
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// What can happen to an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderEvent {
    /// The broker has it in its book.
    Acknowledged,
    /// Part of it traded.
    PartialFill,
    /// The last of it traded.
    FinalFill,
    /// We asked to cancel.
    CancelRequested,
    /// The broker cancelled it, asked or not.
    Canceled,
    /// The broker refused to cancel.
    CancelRejected,
    /// We asked to change it.
    ReplaceRequested,
    /// The broker changed it.
    Replaced,
    /// The broker refused to change it.
    ReplaceRejected,
    /// The broker refused it.
    Rejected,
    /// Its time in force ended.
    Expired,
    /// What we sent may or may not have arrived.
    OutcomeUnknown,
}

impl OrderEvent {
    /// Every event, for tables and tests.
    pub const ALL: [Self; 12] = [
        Self::Acknowledged,
        Self::PartialFill,
        Self::FinalFill,
        Self::CancelRequested,
        Self::Canceled,
        Self::CancelRejected,
        Self::ReplaceRequested,
        Self::Replaced,
        Self::ReplaceRejected,
        Self::Rejected,
        Self::Expired,
        Self::OutcomeUnknown,
    ];
}

/// The status after `event`, or `None` where the event has no place: the caller records it, counts
/// it and changes nothing.
pub const fn transition(status: OrderStatus, event: OrderEvent) -> Option<OrderStatus> {
    use OrderEvent as E;
    use OrderStatus as S;
    Some(match (status, event) {
        (S::PendingNew, E::Acknowledged) => S::Working,
        // Brokers may report the fill before the acknowledgement (failure catalogue F07).
        (S::PendingNew, E::PartialFill) => S::Working,
        (S::PendingNew, E::FinalFill) => S::Filled,
        (S::PendingNew, E::CancelRequested) => S::PendingCancel,
        (S::PendingNew, E::Rejected) => S::Rejected,
        // An immediate-or-cancel order may end without ever being acknowledged.
        (S::PendingNew, E::Canceled) => S::Canceled,
        (S::PendingNew, E::Expired) => S::Expired,
        (S::PendingNew, E::OutcomeUnknown) => S::Unknown,

        // The late acknowledgement of an order whose fill came first.
        (S::Working, E::Acknowledged) => S::Working,
        (S::Working, E::PartialFill) => S::Working,
        (S::Working, E::FinalFill) => S::Filled,
        (S::Working, E::CancelRequested) => S::PendingCancel,
        (S::Working, E::ReplaceRequested) => S::PendingReplace,
        (S::Working, E::Canceled) => S::Canceled,
        (S::Working, E::Expired) => S::Expired,
        // An exchange restates orders on its own account.
        (S::Working, E::Replaced) => S::Working,
        (S::Working, E::OutcomeUnknown) => S::Unknown,
        // The answer to a second cancel, or to a replace that a cancel overtook.
        (S::Working, E::CancelRejected | E::ReplaceRejected) => S::Working,
        // The refusal of a cancel or replace may overtake the refusal of the order itself, and looks like
        // the word that it works. The book lets this pass only where no other word said so.
        (S::Working | S::PendingReplace, E::Rejected) => S::Rejected,

        (S::PendingCancel, E::Acknowledged) => S::PendingCancel,
        (S::PendingCancel, E::PartialFill) => S::PendingCancel,
        (S::PendingCancel, E::FinalFill) => S::Filled,
        (S::PendingCancel, E::Canceled) => S::Canceled,
        (S::PendingCancel, E::CancelRejected) => S::Working,
        (S::PendingCancel, E::Rejected) => S::Rejected,
        (S::PendingCancel, E::Expired) => S::Expired,
        // The answer to a replace that was on its way when we asked to cancel: what it changed counts.
        (S::PendingCancel, E::Replaced | E::ReplaceRejected) => S::PendingCancel,
        // Asking again is allowed: a cancel is never too many.
        (S::PendingCancel, E::CancelRequested) => S::PendingCancel,
        (S::PendingCancel, E::OutcomeUnknown) => S::Unknown,

        (S::PendingReplace, E::Acknowledged) => S::PendingReplace,
        (S::PendingReplace, E::PartialFill) => S::PendingReplace,
        (S::PendingReplace, E::FinalFill) => S::Filled,
        (S::PendingReplace, E::Replaced) => S::Working,
        (S::PendingReplace, E::ReplaceRejected) => S::Working,
        // The answer to the second of two cancels.
        (S::PendingReplace, E::CancelRejected) => S::PendingReplace,
        (S::PendingReplace, E::CancelRequested) => S::PendingCancel,
        (S::PendingReplace, E::Canceled) => S::Canceled,
        (S::PendingReplace, E::Expired) => S::Expired,
        (S::PendingReplace, E::OutcomeUnknown) => S::Unknown,

        // Any word of the broker resolves the unknown.
        (S::Unknown, E::Acknowledged | E::PartialFill | E::Replaced) => S::Working,
        (S::Unknown, E::CancelRejected | E::ReplaceRejected) => S::Working,
        (S::Unknown, E::FinalFill) => S::Filled,
        (S::Unknown, E::Canceled) => S::Canceled,
        (S::Unknown, E::Rejected) => S::Rejected,
        (S::Unknown, E::Expired) => S::Expired,
        (S::Unknown, E::CancelRequested) => S::Unknown,
        (S::Unknown, E::OutcomeUnknown) => S::Unknown,

        // A fill that was on its way when the order ended is real money: applied, and alerted.
        (S::Canceled, E::PartialFill | E::FinalFill) => S::Canceled,
        (S::Expired, E::PartialFill | E::FinalFill) => S::Expired,

        // Units that a bust has freed may have traded again before the order ended.
        (S::Filled, E::PartialFill | E::FinalFill) => S::Filled,

        // The late acknowledgement of an order whose fills, or whose end, came first (F07).
        (S::Filled | S::Canceled | S::Expired, E::Acknowledged) => status,

        // The answers to a cancel or replace that crossed with the end of the order.
        (S::Filled | S::Canceled | S::Expired | S::Rejected, E::CancelRejected | E::ReplaceRejected) => status,

        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table once more, as a grid that a person can check: rows are statuses, columns events
    /// in the order of `OrderEvent::ALL`; a letter is the status after, a dot has no place.
    #[test]
    fn the_whole_grid() {
        let letter = |status: OrderStatus| match status {
            OrderStatus::PendingNew => 'N',
            OrderStatus::Working => 'W',
            OrderStatus::PendingCancel => 'C',
            OrderStatus::PendingReplace => 'P',
            OrderStatus::Unknown => 'U',
            OrderStatus::Filled => 'F',
            OrderStatus::Canceled => 'K',
            OrderStatus::Rejected => 'R',
            OrderStatus::Expired => 'E',
        };
        #[rustfmt::skip]
        let grid = [
            // ack part final creq canc crej preq repl prej rej exp unk
            "WWFCK....REU", // pending new
            "WWFCKWPWWREU", // working
            "CCFCKW.CCREU", // pending cancel
            "PPFCKP.WWREU", // pending replace
            "WWFUKW.WWREU", // unknown
            "FFF..F..F...", // filled
            "KKK..K..K...", // canceled
            ".....R..R...", // rejected
            "EEE..E..E...", // expired
        ];
        for (status, row) in OrderStatus::ALL.into_iter().zip(grid) {
            let seen: String =
                OrderEvent::ALL.into_iter().map(|event| transition(status, event).map_or('.', letter)).collect();
            assert_eq!(seen, row, "{}", status.name());
        }
    }

    #[test]
    fn nothing_returns_from_a_terminal_status() {
        for status in OrderStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
            for event in OrderEvent::ALL {
                assert!(transition(status, event).is_none_or(|after| after == status), "{status:?} {event:?}");
            }
        }
    }
}
