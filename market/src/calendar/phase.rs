//! Trading phases, and one session as a row of them.

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::time::{Date, Timestamp};

/// What the market is doing. Names are stable in JSON, tables and metrics.
///
/// The timetable knows the scheduled ones. `OpeningAuction`, `Auction`, `Halt` and `CircuitBreaker`
/// come from the exchange while it happens, for one instrument or for all: an opening call that is
/// extended past the open, an auction that a tunnel starts, a suspension. `Unknown` is a day that
/// the calendar does not cover.
///
/// Calls do get extended: in the one-minute bars of 2020 most first trades come between 10:07 and
/// 10:15, and the closing auctions that can be told apart between 17:07 and 17:10.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Outside the calendar's span, or not told yet. New risk is denied.
    Unknown,
    /// No session, or between its parts.
    Closed,
    /// Before the opening call: orders of earlier days can be cancelled.
    CancelOnly,
    /// The opening call: orders rest for the opening auction.
    PreOpen,
    /// The opening call, extended beyond the scheduled open.
    OpeningAuction,
    /// Orders trade as they meet.
    Continuous,
    /// A call within the day, usually of one instrument.
    Auction,
    /// Suspended.
    Halt,
    /// The whole market is suspended after a fall of the index.
    CircuitBreaker,
    /// The closing call: orders rest for the closing auction.
    ClosingAuction,
    /// After the close: day orders can be cancelled.
    CancelAfter,
    /// The evening session at prices around the close.
    AfterMarket,
}

impl Phase {
    /// Every phase, in the order of the enum.
    pub const ALL: [Self; 12] = [
        Self::Unknown,
        Self::Closed,
        Self::CancelOnly,
        Self::PreOpen,
        Self::OpeningAuction,
        Self::Continuous,
        Self::Auction,
        Self::Halt,
        Self::CircuitBreaker,
        Self::ClosingAuction,
        Self::CancelAfter,
        Self::AfterMarket,
    ];

    /// Stable name in JSON, tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Closed => "closed",
            Self::CancelOnly => "cancel_only",
            Self::PreOpen => "pre_open",
            Self::OpeningAuction => "opening_auction",
            Self::Continuous => "continuous",
            Self::Auction => "auction",
            Self::Halt => "halt",
            Self::CircuitBreaker => "circuit_breaker",
            Self::ClosingAuction => "closing_auction",
            Self::CancelAfter => "cancel_after",
            Self::AfterMarket => "after_market",
        }
    }

    /// Whether the book takes new orders and changes to orders.
    pub const fn accepts_new_orders(self) -> bool {
        matches!(
            self,
            Self::PreOpen
                | Self::OpeningAuction
                | Self::Continuous
                | Self::Auction
                | Self::ClosingAuction
                | Self::AfterMarket
        )
    }

    /// Whether an order only for the next auction is taken: for the opening during its call, for
    /// the closing any time from the open on. The after-market has no auction.
    pub const fn accepts_auction_orders(self) -> bool {
        self.accepts_new_orders() && !matches!(self, Self::AfterMarket)
    }

    /// Whether a cancel is worth sending. Yes when the phase is unknown: a cancel never adds risk,
    /// and the exchange rejects one that comes at the wrong time.
    pub const fn accepts_cancels(self) -> bool {
        !matches!(self, Self::Closed)
    }

    /// Whether orders trade as they meet, without a call.
    pub const fn trades_continuously(self) -> bool {
        matches!(self, Self::Continuous | Self::AfterMarket)
    }
}

/// The market goes into a phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
pub struct PhaseChange {
    /// From this instant on.
    pub at: Timestamp,
    /// Into this phase.
    pub phase: Phase,
    /// The trading day that the phase belongs to. `Closed` after the end of a day belongs to the
    /// day that just ended.
    pub session: Date,
}

/// One phase of a session: from `start` to just before `end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
pub struct PhaseSpan {
    /// What the market is doing.
    pub phase: Phase,
    /// The first instant.
    pub start: Timestamp,
    /// The first instant that is not part of it any more.
    pub end: Timestamp,
}

/// One trading day: its phases without gaps, from the first moment that orders can be touched to
/// the last. Before and after it the market is closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    pub(super) date: Date,
    pub(super) spans: Vec<PhaseSpan>,
    pub(super) open: Timestamp,
    pub(super) close: Timestamp,
    pub(super) evidence: Evidence,
}

impl Session {
    /// The trading day.
    pub fn date(&self) -> Date {
        self.date
    }

    /// The phases in order; each begins where the one before it ends.
    pub fn phases(&self) -> &[PhaseSpan] {
        &self.spans
    }

    /// When the opening auction is scheduled and continuous trading begins.
    pub fn open(&self) -> Timestamp {
        self.open
    }

    /// When the closing auction is scheduled: the end of the closing call.
    pub fn close(&self) -> Timestamp {
        self.close
    }

    /// When orders can first be touched.
    pub fn start(&self) -> Timestamp {
        self.spans.first().map_or(self.open, |span| span.start)
    }

    /// When the last phase ends, after the after-market where there is one.
    pub fn end(&self) -> Timestamp {
        self.spans.last().map_or(self.close, |span| span.end)
    }

    /// How well the hours of this day are supported.
    pub fn evidence(&self) -> Evidence {
        self.evidence
    }

    /// The phase at an instant; `Closed` outside this session.
    pub fn phase_at(&self, at: Timestamp) -> Phase {
        let begun = self.spans.partition_point(|span| span.start <= at);
        let current = begun.checked_sub(1).and_then(|last| self.spans.get(last));
        current.filter(|span| at < span.end).map_or(Phase::Closed, |span| span.phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_phase_allows() {
        // new orders, auction orders, cancels, continuous trading
        for (phase, allowed) in [
            (Phase::Unknown, "--c-"),
            (Phase::Closed, "----"),
            (Phase::CancelOnly, "--c-"),
            (Phase::PreOpen, "nac-"),
            (Phase::OpeningAuction, "nac-"),
            (Phase::Continuous, "nact"),
            (Phase::Auction, "nac-"),
            (Phase::Halt, "--c-"),
            (Phase::CircuitBreaker, "--c-"),
            (Phase::ClosingAuction, "nac-"),
            (Phase::CancelAfter, "--c-"),
            (Phase::AfterMarket, "n-ct"),
        ] {
            let flag = |is: bool, letter: char| if is { letter } else { '-' };
            let found = [
                flag(phase.accepts_new_orders(), 'n'),
                flag(phase.accepts_auction_orders(), 'a'),
                flag(phase.accepts_cancels(), 'c'),
                flag(phase.trades_continuously(), 't'),
            ];
            assert_eq!(String::from_iter(found), allowed, "{}", phase.name());
        }
    }

    #[test]
    fn names_are_the_ones_in_json() {
        for phase in Phase::ALL {
            let json = serde_json::to_string(&phase).unwrap();
            assert_eq!(json, format!("\"{}\"", phase.name()));
            assert_eq!(serde_json::from_str::<Phase>(&json).unwrap(), phase);
        }
    }
}
