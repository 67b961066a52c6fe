//! The pre-trade checks: one file and one list entry each.
//!
//! A check sees a proposed order at its worst and the account as it stands, and denies or lets it
//! pass; either way it says what it compared. We *deny*; a broker or exchange *rejects*.

mod book_collar;
mod burst;
mod buying_power;
mod concentration;
mod correlated_group;
mod duplicate_order;
mod exposure;
mod forecast;
mod last_entry;
mod lot_and_tick;
mod message_rate;
mod open_orders;
mod order_bounds;
mod order_notional;
mod order_quantity;
mod order_to_trade;
mod parent_quantity;
mod position_per_symbol;
mod price_collar;
mod repeated_executions;
mod self_trade;
mod session_phase;
mod short_sale;
mod stale_quote;
mod sums;
mod symbol_list;
mod trading_status;
mod wide_spread;

use std::fmt;

use market::order::Forecast;
use market::{
    Instrument, Money, NewOrder, OrderBounds, Phase, Price, Quantity, Rate, Side, Timestamp, TopOfBook, TradingStatus,
};
use oms::Book;
use serde::{Deserialize, Serialize};

use crate::activity::Activity;
use crate::limits::{LimitSet, LimitTable};

/// One check: its stable name, and the rule.
pub struct Check {
    /// Reject code, counted and shown under this name.
    pub name: &'static str,
    /// Denies or lets pass, with the figures that were compared.
    pub review: fn(&Proposal, &View<'_>) -> Result<Passed, Denial>,
}

/// Every check, in the order they run: cheap and fundamental ones first.
pub const CHECKS: &[Check] = &[
    Check { name: session_phase::NAME, review: session_phase::review },
    Check { name: trading_status::NAME, review: trading_status::review },
    Check { name: last_entry::NAME, review: last_entry::review },
    Check { name: symbol_list::NAME, review: symbol_list::review },
    Check { name: lot_and_tick::NAME, review: lot_and_tick::review },
    Check { name: order_bounds::NAME, review: order_bounds::review },
    Check { name: stale_quote::NAME, review: stale_quote::review },
    Check { name: wide_spread::NAME, review: wide_spread::review },
    Check { name: forecast::NAME, review: forecast::review },
    Check { name: order_quantity::NAME, review: order_quantity::review },
    Check { name: price_collar::NAME, review: price_collar::review },
    Check { name: book_collar::NAME, review: book_collar::review },
    Check { name: order_notional::NAME, review: order_notional::review },
    Check { name: short_sale::NAME, review: short_sale::review },
    Check { name: position_per_symbol::NAME, review: position_per_symbol::review },
    Check { name: self_trade::NAME, review: self_trade::review },
    Check { name: buying_power::NAME, review: buying_power::review },
    Check { name: repeated_executions::NAME, review: repeated_executions::review },
    Check { name: burst::NAME, review: burst::review },
    Check { name: message_rate::NAME, review: message_rate::review },
    Check { name: order_to_trade::NAME, review: order_to_trade::review },
    Check { name: open_orders::NAME, review: open_orders::review },
    Check { name: duplicate_order::NAME, review: duplicate_order::review },
    Check { name: parent_quantity::NAME, review: parent_quantity::review },
    Check { name: exposure::NAME, review: exposure::review },
    Check { name: concentration::NAME, review: concentration::review },
    Check { name: correlated_group::NAME, review: correlated_group::review },
];

/// Denials that do not come from the list: the switch, a frozen instrument, an exhausted day.
pub mod code {
    /// The halt switch does not allow it.
    pub const HALTED: &str = "halted";
    /// An order of unknown outcome freezes the instrument.
    pub const UNKNOWN_ORDER: &str = "unknown_order";
    /// All identifiers of the day are used.
    pub const IDENTIFIERS: &str = "order_identifiers";
    /// The order to cancel or replace is not open.
    pub const NOT_OPEN: &str = "order_not_open";
    /// The journal does not answer, so no intent can be made durable.
    pub const JOURNAL: &str = "journal";
    /// There is no connection to the broker, or book and broker have not been compared over it.
    pub const BROKER: &str = "broker";
    /// Book and broker differ, and nothing explains it.
    pub const RECONCILIATION: &str = "reconciliation";
    /// A closing order would go beyond what is held.
    pub const NOT_REDUCING: &str = "not_reducing";
    /// The instrument is not part of this run.
    pub const UNKNOWN_INSTRUMENT: &str = "unknown_instrument";
}

/// A proposed order with what every check needs of it.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// The order.
    pub order: NewOrder,
    /// Units by which it may grow what is open now: all of a new order, the increase of a replace.
    pub added: Quantity,
    /// The worst price a unit may trade at.
    pub worst_price: Price,
    /// What those may cost at worst, fees aside; nothing for a sale.
    pub added_notional: Money,
    /// It only takes away from a position, whatever else is open.
    pub reduces: bool,
    /// It is the change of an open order.
    pub replaces: bool,
    /// It is the engine's own closing order.
    pub closes: bool,
    /// Cash that it would set aside beyond what is set aside now; nothing for a sale. None when its
    /// fills could not be booked.
    pub cost: Option<Money>,
}

impl Proposal {
    /// Whether nothing that the account could come to hold grows by it: it takes away from a position,
    /// as the engine's own closing orders do, or changes an order to no more than it is.
    pub fn adds_nothing(&self) -> bool {
        self.reduces || self.closes || (self.added <= Quantity::ZERO && self.added_notional <= Money::ZERO)
    }
}

/// The account and market as they stand at the moment of the review.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The account's book.
    pub book: &'a Book,
    /// The order's instrument.
    pub instrument: &'a Instrument,
    /// Its price now.
    pub top: TopOfBook,
    /// Session phase now.
    pub phase: Phase,
    /// When the current session began to take orders: a price from before it is from another day.
    pub price_horizon: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// The prediction that the order rests on; none of a replace, which changes an order that rested on one.
    pub forecast: Option<&'a Forecast>,
    /// The limits in force for this order's strategy and instrument: the tightest of every scope.
    pub limits: &'a LimitSet,
    /// All limits, for what concerns more than this order.
    pub table: &'a LimitTable,
    /// What happened lately.
    pub activity: &'a Activity,
}

impl View<'_> {
    /// The price that a market order on this side would meet.
    pub fn reference(&self, side: Side) -> Option<Price> {
        let best = match side {
            Side::Buy => self.top.ask,
            Side::Sell => self.top.bid,
        };
        [best, self.top.last].into_iter().find(|price| *price > Price::ZERO)
    }

    /// Whether orders in the instrument trade as they meet: the session's phase says so, and the
    /// exchange has not taken the instrument out of it.
    pub const fn trades_continuously(&self) -> bool {
        self.phase.trades_continuously() && self.top.status.trades_continuously()
    }

    /// What the exchange takes now: what its stream said last, or the instrument's own.
    pub fn bounds(&self) -> OrderBounds {
        self.top.bounds.unwrap_or(self.instrument.bounds)
    }
}

/// A figure in a denial: exact, with its unit, made into text only when somebody reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Units.
    Quantity(Quantity),
    /// BRL.
    Money(Money),
    /// BRL per unit.
    Price(Price),
    /// A fraction.
    Rate(Rate),
    /// Nanoseconds.
    Nanoseconds(i64),
    /// A session phase.
    Phase(Phase),
    /// How the exchange says that an instrument stands.
    Status(TradingStatus),
    /// A moment.
    Time(Timestamp),
    /// A count.
    Count(u64),
    /// There is none.
    None,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantity(value) => value.fmt(f),
            Self::Money(value) => value.fmt(f),
            Self::Price(value) => value.fmt(f),
            Self::Rate(value) => value.fmt(f),
            Self::Nanoseconds(value) => write!(f, "{}ms", value / 1_000_000),
            Self::Phase(value) => f.write_str(value.name()),
            Self::Status(value) => f.write_str(value.name()),
            Self::Time(value) => value.fmt(f),
            Self::Count(value) => value.fmt(f),
            Self::None => f.write_str("none"),
        }
    }
}

/// What a check compared when it let an order pass. `Figure::None` where there was nothing to compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Passed {
    /// What was asked for.
    pub asked: Figure,
    /// What is allowed.
    pub limit: Figure,
}

/// Why an order was denied: a stable code, a sentence, and the two figures that were compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Denial {
    /// Which check.
    pub check: &'static str,
    /// What it found, in a few words.
    pub because: &'static str,
    /// What was asked for.
    pub asked: Figure,
    /// What is allowed.
    pub limit: Figure,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (asked={} limit={})", self.check, self.because, self.asked, self.limit)
    }
}

impl std::error::Error for Denial {}
