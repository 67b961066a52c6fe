//! Hot quotes: the newest top of book of each symbol, for whoever looks from outside the trading path.
//!
//! One slot a symbol, the latest wins, and a quote counts for a time only: one that nobody has renewed vanishes
//! rather than lies. [`InProcessQuotes`] is what the program itself reads and all that it needs;
//! [`RedisQuotes`] shows the same to other programs (docs/redis.md). A store of hot quotes may forget
//! everything at any time: nothing is ever decided by what it holds.

mod in_process;
pub mod redis;

use std::time::Instant;

use market::history::{DelayClass, SourceName};
use market::{Price, Quantity, Symbol, Timestamp};

use crate::error::StoreError;

pub use in_process::{InProcessQuotes, OriginId, Top};
pub use redis::{ANSWER_LIMIT, CHANNEL, KEY_PREFIX, RedisQuotes, RedisSettings, WRITER_KEY};

/// The newest top of book of a symbol. A price or size that is not known is zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HotQuote {
    /// Of what.
    pub symbol: Symbol,
    /// When a price of it last changed, by the source's clock.
    pub at: Timestamp,
    /// Last traded price, or the middle of the quote.
    pub last: Price,
    /// Best buy price.
    pub bid: Price,
    /// Best sell price.
    pub ask: Price,
    /// Units wanted at the bid.
    pub bid_size: Quantity,
    /// Units offered at the ask.
    pub ask_size: Quantity,
    /// Who told it.
    pub source: SourceName,
    /// How old it was when it was told.
    pub delay: DelayClass,
    /// Counts the symbol's quotes in this run of the program, from one. A gap is what was conflated; a smaller
    /// number than before means that the program has started anew.
    pub sequence: u64,
}

/// A quote, and until when it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fresh {
    /// The quote.
    pub quote: HotQuote,
    /// From then on it has vanished.
    pub until: Instant,
}

/// Whether a store still holds what it was told before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// It does.
    AsBefore,
    /// It was empty before this batch: it is new, was wiped, or has lost everything. Tell it all again.
    Nothing,
    /// Somebody else publishes to it as well.
    WithAnother,
}

/// Where hot quotes are shown.
pub trait HotQuotes: Send + Sync {
    /// Puts each quote in place of the one before, all of them or none, in one round trip. One whose time is
    /// over by `now` is left out. An empty batch only asks what is kept.
    ///
    /// # Errors
    /// It cannot be reached or takes nothing. Whether the batch is there then is not known; publishing the
    /// newest again makes it right.
    fn publish(&self, batch: &[Fresh], now: Instant) -> Result<Kept, StoreError>;

    /// The newest quote of a symbol, none once its time is over.
    ///
    /// # Errors
    /// It cannot be reached, or what it holds is no quote.
    fn newest(&self, symbol: Symbol, now: Instant) -> Result<Option<HotQuote>, StoreError>;
}

/// The class with this name.
pub fn delay_class(name: &str) -> Option<DelayClass> {
    use DelayClass::{Delayed, EndOfDay, Realtime, Synthetic};
    [Realtime, Delayed, EndOfDay, Synthetic].into_iter().find(|class| class.name() == name)
}
