//! What a feed says: quotes, trades, bars, auction prints, the state and bounds of an instrument, and
//! the stream they form.
//!
//! One stream, one order: every consumer (live actors, backtest, replay) sees `MarketEvent`s in
//! the order of their timestamps.

use serde::{Deserialize, Serialize};

use crate::decimal::{Price, Quantity};
use crate::instrument::InstrumentId;
use crate::time::Timestamp;

/// Best bid and ask. A side without orders has price and size zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Quote {
    /// When it was valid from.
    pub at: Timestamp,
    /// Of what.
    pub instrument: InstrumentId,
    /// Best buy price.
    pub bid: Price,
    /// Best sell price.
    pub ask: Price,
    /// Units wanted at the bid.
    pub bid_size: Quantity,
    /// Units offered at the ask.
    pub ask_size: Quantity,
}

impl Quote {
    /// Both sides present and the bid below the ask.
    pub fn is_sound(&self) -> bool {
        self.bid > Price::ZERO && self.bid < self.ask && self.bid_size.is_positive() && self.ask_size.is_positive()
    }
}

/// One trade print of the continuous market.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trade {
    /// When it happened.
    pub at: Timestamp,
    /// Of what.
    pub instrument: InstrumentId,
    /// At what price.
    pub price: Price,
    /// How many units.
    pub quantity: Quantity,
}

/// What a bar in the stream is for. A daily file knows a whole day at once; replaying it without
/// looking ahead means matching against it when the day ends and deciding on it afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarUse {
    /// An intraday bar: resting orders match against it, then strategies decide on it.
    MatchAndDecide,
    /// Resting orders match against its range; strategies do not see it yet.
    Match,
    /// Strategies decide on it; its prices are past and match nothing.
    Decide,
}

/// Open, high, low, close and volume of an interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bar {
    /// When the interval ended, which is the earliest moment that anybody can know the bar.
    pub end: Timestamp,
    /// Of what.
    pub instrument: InstrumentId,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Units traded.
    pub volume: Quantity,
}

impl Bar {
    /// Positive prices, low ≤ open, close ≤ high, volume not negative.
    pub fn is_sound(&self) -> bool {
        self.low > Price::ZERO
            && self.low <= self.open.min(self.close)
            && self.open.max(self.close) <= self.high
            && self.volume >= Quantity::ZERO
    }
}

/// Which call auction a print belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuctionKind {
    /// The call that opens the session.
    Opening,
    /// A call during the session (volatility, news, large block).
    Intraday,
    /// The call that closes the session.
    Closing,
}

/// The one price at which a call auction traded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuctionPrint {
    /// When the auction uncrossed.
    pub at: Timestamp,
    /// Of what.
    pub instrument: InstrumentId,
    /// Which auction.
    pub kind: AuctionKind,
    /// The uncrossing price.
    pub price: Price,
    /// Units that our orders may take a share of: the auction's own volume where the feed knows
    /// it; the day's where only a daily file is at hand.
    pub quantity: Quantity,
}

/// What the exchange lets happen in one instrument now (FIX 326), as far as the feed says it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradingStatus {
    /// Not a word of it: what the timetable says stands alone. Files of quotes and bars leave it so.
    #[default]
    Untold,
    /// As the phase of the session says.
    Trading,
    /// A call of its own within the day: a tunnel was hit, news are coming, a block is on offer.
    Auction,
    /// Suspended: the exchange takes nothing but cancels.
    Halted,
    /// The feed said something that means nothing to us, or lost track. New risk is denied.
    Unknown,
}

impl TradingStatus {
    /// Every status, in the order of the enum.
    pub const ALL: [Self; 5] = [Self::Untold, Self::Trading, Self::Auction, Self::Halted, Self::Unknown];

    /// Stable name in JSON, tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Untold => "untold",
            Self::Trading => "trading",
            Self::Auction => "auction",
            Self::Halted => "halted",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing was said.
    pub const fn is_untold(&self) -> bool {
        matches!(self, Self::Untold)
    }

    /// Whether orders trade as they meet where the session's phase says so too.
    pub const fn trades_continuously(self) -> bool {
        matches!(self, Self::Untold | Self::Trading)
    }
}

/// The exchange says how an instrument stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusChange {
    /// From this moment on.
    pub at: Timestamp,
    /// Of what.
    pub instrument: InstrumentId,
    /// How it stands.
    pub status: TradingStatus,
}

/// Prices and quantities outside which the exchange rejects an order: its rejection tunnels
/// (`docs/b3-rules.md`). Zero: no bound of that kind is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderBounds {
    /// The lowest price of an order (FIX 1148).
    pub low_limit_price: Price,
    /// The highest price of an order (FIX 1149).
    pub high_limit_price: Price,
    /// Fewest units of one order.
    pub min_quantity: Quantity,
    /// Most units of one order.
    pub max_quantity: Quantity,
}

impl OrderBounds {
    /// Nothing negative, and no lower bound above its upper one: an order must be able to fit.
    pub fn is_sound(&self) -> bool {
        let ordered = |low: i64, high: i64| low >= 0 && high >= 0 && (high == 0 || low <= high);
        ordered(self.low_limit_price.steps(), self.high_limit_price.steps())
            && ordered(self.min_quantity.units(), self.max_quantity.units())
    }
}

/// The exchange replaces the bounds of an instrument, which it may do during the day with five
/// minutes' notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BoundsChange {
    /// From this moment on.
    pub at: Timestamp,
    /// Of what.
    pub instrument: InstrumentId,
    /// All of them, in place of those before.
    pub bounds: OrderBounds,
}

/// One event of the market's stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum MarketEvent {
    /// The best bid and ask changed.
    Quote(Quote),
    /// A trade happened.
    Trade(Trade),
    /// An interval ended, or an ended interval is delivered.
    Bar {
        /// When this event is delivered: `bar.end`, or later for `BarUse::Decide`.
        at: Timestamp,
        /// The interval.
        bar: Bar,
        /// What it is for.
        used: BarUse,
    },
    /// A call auction uncrossed.
    Auction(AuctionPrint),
    /// An instrument was suspended, goes into a call of its own, or trades again.
    Status(StatusChange),
    /// The exchange takes other prices and quantities than before.
    Bounds(BoundsChange),
}

impl MarketEvent {
    /// An intraday bar at its own end.
    pub fn bar(bar: Bar) -> Self {
        Self::Bar { at: bar.end, bar, used: BarUse::MatchAndDecide }
    }

    /// When it is delivered.
    #[inline]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Quote(quote) => quote.at,
            Self::Trade(trade) => trade.at,
            Self::Bar { at, .. } => *at,
            Self::Auction(print) => print.at,
            Self::Status(change) => change.at,
            Self::Bounds(change) => change.at,
        }
    }

    /// Of what.
    #[inline]
    pub fn instrument(&self) -> InstrumentId {
        match self {
            Self::Quote(quote) => quote.instrument,
            Self::Trade(trade) => trade.instrument,
            Self::Bar { bar, .. } => bar.instrument,
            Self::Auction(print) => print.instrument,
            Self::Status(change) => change.instrument,
            Self::Bounds(change) => change.instrument,
        }
    }

    /// Whether anything may be decided or matched on it: an unsound event is dropped and counted.
    #[inline]
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Quote(quote) => quote.is_sound(),
            Self::Trade(trade) => trade.price > Price::ZERO && trade.quantity.is_positive(),
            Self::Bar { at, bar, .. } => *at >= bar.end && bar.is_sound(),
            Self::Auction(print) => print.price > Price::ZERO && print.quantity >= Quantity::ZERO,
            Self::Status(_) => true,
            Self::Bounds(change) => change.bounds.is_sound(),
        }
    }
}

/// What is known of an instrument's price now, and of what the exchange lets happen in it: the hot
/// quote. What a decision saw of it is journaled whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TopOfBook {
    /// When any price of it last changed; `Timestamp::MIN` before the first one.
    pub at: Timestamp,
    /// Last traded price, bar close, or the quote's middle where there is no trade. Zero: none yet.
    pub last: Price,
    /// Best bid, zero where unknown.
    pub bid: Price,
    /// Best ask, zero where unknown.
    pub ask: Price,
    /// How the exchange says that the instrument stands.
    #[serde(default, skip_serializing_if = "TradingStatus::is_untold")]
    pub status: TradingStatus,
    /// What the exchange takes now, once it has said so in the stream; until then the instrument's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<OrderBounds>,
}

impl Default for TopOfBook {
    fn default() -> Self {
        Self {
            at: Timestamp::MIN,
            last: Price::ZERO,
            bid: Price::ZERO,
            ask: Price::ZERO,
            status: TradingStatus::Untold,
            bounds: None,
        }
    }
}

impl TopOfBook {
    /// Takes in an event; `true` if the price that positions are marked at may have changed.
    /// A price older than what is known is ignored: the latest wins. Status and bounds make no price
    /// fresher, and are never conflated, so the one that comes last is the latest.
    #[inline]
    pub fn apply(&mut self, event: &MarketEvent) -> bool {
        let (at, last) = match event {
            MarketEvent::Quote(quote) => {
                if quote.at < self.at {
                    return false;
                }
                (self.bid, self.ask) = (quote.bid, quote.ask);
                (quote.at, Price::from_steps(quote.bid.steps() / 2 + quote.ask.steps() / 2))
            }
            MarketEvent::Trade(trade) => (trade.at, trade.price),
            // Known since its end, however late it is delivered.
            MarketEvent::Bar { bar, .. } => (bar.end, bar.close),
            MarketEvent::Auction(print) => (print.at, print.price),
            MarketEvent::Status(change) => {
                self.status = change.status;
                return false;
            }
            MarketEvent::Bounds(change) => {
                self.bounds = Some(change.bounds);
                return false;
            }
        };
        if at < self.at {
            return false;
        }
        (self.at, self.last) = (at, last);
        true
    }

    /// Whether any price is known.
    pub fn is_known(&self) -> bool {
        self.last > Price::ZERO
    }

    /// Both sides known and bid not below ask: nothing may be priced off it.
    pub fn is_crossed(&self) -> bool {
        self.bid > Price::ZERO && self.ask > Price::ZERO && self.bid >= self.ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn bar(open: &str, high: &str, low: &str, close: &str) -> Bar {
        Bar {
            end: Timestamp::from_nanos(10),
            instrument: InstrumentId::new(0),
            open: price(open),
            high: price(high),
            low: price(low),
            close: price(close),
            volume: Quantity::new(100),
        }
    }

    #[test]
    fn soundness_of_bars() {
        for (bar, sound) in [
            (bar("10", "11", "9", "10.50"), true),
            (bar("10", "10", "10", "10"), true),
            (bar("10", "9.99", "9", "9.50"), false),
            (bar("10", "11", "10.01", "10.50"), false),
            (bar("0", "11", "0", "10.50"), false),
        ] {
            assert_eq!(bar.is_sound(), sound, "{bar:?}");
        }
    }

    #[test]
    fn the_latest_price_wins_and_an_older_one_is_ignored() {
        let mut top = TopOfBook::default();
        assert!(!top.is_known());
        let quote = |at, bid: &str, ask: &str| {
            MarketEvent::Quote(Quote {
                at: Timestamp::from_nanos(at),
                instrument: InstrumentId::new(0),
                bid: price(bid),
                ask: price(ask),
                bid_size: Quantity::new(100),
                ask_size: Quantity::new(100),
            })
        };
        assert!(top.apply(&quote(20, "38.10", "38.12")));
        assert_eq!(top.last, price("38.11"));
        assert!(!top.apply(&quote(19, "1", "2")));
        assert!(!top.apply(&MarketEvent::bar(bar("10", "11", "9", "10.50"))));
        assert_eq!((top.bid, top.ask, top.last), (price("38.10"), price("38.12"), price("38.11")));
        assert!(!top.is_crossed());
        assert!(top.apply(&quote(20, "38.12", "38.12")));
        assert!(top.is_crossed());
    }

    #[test]
    fn status_and_bounds_leave_the_price_and_its_age_alone() {
        let (instrument, at) = (InstrumentId::new(0), Timestamp::from_nanos(50));
        let mut top = TopOfBook::default();
        assert!(top.apply(&MarketEvent::bar(bar("10", "11", "9", "10.50"))));
        let before = top;
        for status in TradingStatus::ALL {
            assert!(!top.apply(&MarketEvent::Status(StatusChange { at, instrument, status })), "{}", status.name());
            assert_eq!(top, TopOfBook { status, ..before });
            let json = serde_json::to_string(&top).unwrap();
            assert_eq!(serde_json::from_str::<TopOfBook>(&json).unwrap(), top);
            assert_eq!(json.contains("status"), status != TradingStatus::Untold, "{json}");
        }
        let bounds = OrderBounds { high_limit_price: price("11"), ..OrderBounds::default() };
        assert!(!top.apply(&MarketEvent::Bounds(BoundsChange { at, instrument, bounds })));
        assert_eq!((top.bounds, top.at, top.last), (Some(bounds), before.at, before.last));
    }

    #[test]
    fn bounds_that_no_order_fits_are_unsound() {
        let bounds = |low: &str, high: &str, min, max| OrderBounds {
            low_limit_price: price(low),
            high_limit_price: price(high),
            min_quantity: Quantity::new(min),
            max_quantity: Quantity::new(max),
        };
        for (bounds, sound) in [
            (OrderBounds::default(), true),
            (bounds("9", "11", 100, 1_000), true),
            (bounds("9", "9", 1, 1), true),
            (bounds("9", "0", 100, 0), true),
            (bounds("9", "8.99", 0, 0), false),
            (bounds("0", "0", 2, 1), false),
            (bounds("-1", "0", 0, 0), false),
            (bounds("0", "0", 0, -1), false),
        ] {
            assert_eq!(bounds.is_sound(), sound, "{bounds:?}");
        }
    }

    #[test]
    fn a_bar_delivered_before_it_ended_is_unsound() {
        let bar = bar("10", "11", "9", "10.50");
        let early = MarketEvent::Bar { at: Timestamp::from_nanos(9), bar, used: BarUse::Decide };
        assert!(!early.is_sound());
        assert!(MarketEvent::bar(bar).is_sound());
    }
}
