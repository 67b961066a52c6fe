//! What a feed says: quotes, trades, bars and auction prints, and the stream they form.
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
        }
    }
}

/// What is known of an instrument's price now: the hot quote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TopOfBook {
    /// When any of it last changed; `Timestamp::MIN` before the first price.
    pub at: Timestamp,
    /// Last traded price, bar close, or the quote's middle where there is no trade. Zero: none yet.
    pub last: Price,
    /// Best bid, zero where unknown.
    pub bid: Price,
    /// Best ask, zero where unknown.
    pub ask: Price,
}

impl Default for TopOfBook {
    fn default() -> Self {
        Self { at: Timestamp::MIN, last: Price::ZERO, bid: Price::ZERO, ask: Price::ZERO }
    }
}

impl TopOfBook {
    /// Takes in an event; `true` if the price that positions are marked at may have changed.
    /// An event older than what is known is ignored: the latest wins.
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
    fn a_bar_delivered_before_it_ended_is_unsound() {
        let bar = bar("10", "11", "9", "10.50");
        let early = MarketEvent::Bar { at: Timestamp::from_nanos(9), bar, used: BarUse::Decide };
        assert!(!early.is_sound());
        assert!(MarketEvent::bar(bar).is_sound());
    }
}
