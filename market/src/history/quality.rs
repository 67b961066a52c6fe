//! What was found wrong with a stored value. A mark never deletes: it quarantines, and says why.

use serde::Serialize;

use super::bar::Interval;
use super::source::SourceName;
use crate::instrument::Symbol;
use crate::time::Timestamp;

/// A rule with a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QualityRule {
    /// A bar on a day on which the exchange was closed.
    PhantomSession,
    /// A session of the calendar without a bar, between the first and the last.
    MissingSession,
    /// The high is below the low, or open or close lie outside them.
    HighBelowLow,
    /// A price of zero or less.
    ZeroPrice,
    /// All four prices and the volume are those of the session before.
    RepeatedPrice,
    /// Far from both neighbours, which agree with each other.
    OutlierAgainstNeighbours,
    /// A return far from the symbol's usual one on a day on which the index did nothing of the kind.
    OutlierAgainstIndex,
    /// Units traded and no trade.
    VolumeWithoutTrades,
    /// The same close for many sessions, without volume.
    StaleRun,
    /// The best bid is not below the best ask.
    CrossedQuote,
    /// A tick that is older than the one before it.
    OutOfOrderTick,
    /// Another source says another price.
    SourcesDisagree,
    /// The source's adjusted close is not what the corporate actions lead to.
    AdjustmentDisagrees,
}

impl QualityRule {
    /// Every rule.
    pub const ALL: [Self; 13] = [
        Self::PhantomSession,
        Self::MissingSession,
        Self::HighBelowLow,
        Self::ZeroPrice,
        Self::RepeatedPrice,
        Self::OutlierAgainstNeighbours,
        Self::OutlierAgainstIndex,
        Self::VolumeWithoutTrades,
        Self::StaleRun,
        Self::CrossedQuote,
        Self::OutOfOrderTick,
        Self::SourcesDisagree,
        Self::AdjustmentDisagrees,
    ];

    /// Stable name in JSON, tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PhantomSession => "phantom_session",
            Self::MissingSession => "missing_session",
            Self::HighBelowLow => "high_below_low",
            Self::ZeroPrice => "zero_price",
            Self::RepeatedPrice => "repeated_price",
            Self::OutlierAgainstNeighbours => "outlier_against_neighbours",
            Self::OutlierAgainstIndex => "outlier_against_index",
            Self::VolumeWithoutTrades => "volume_without_trades",
            Self::StaleRun => "stale_run",
            Self::CrossedQuote => "crossed_quote",
            Self::OutOfOrderTick => "out_of_order_tick",
            Self::SourcesDisagree => "sources_disagree",
            Self::AdjustmentDisagrees => "adjustment_disagrees",
        }
    }
}

/// One finding. The key is (source, symbol, interval, at, rule).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct QualityMark {
    /// Whose value.
    pub source: SourceName,
    /// Of what.
    pub symbol: Symbol,
    /// Of bars of this length.
    pub interval: Interval,
    /// Of which bar: its beginning. For a day midnight in São Paulo.
    pub at: Timestamp,
    /// Which rule.
    pub rule: QualityRule,
    /// The value, and what it was compared with.
    pub detail: String,
    /// Whether readers of clean history leave the bar out.
    pub quarantined: bool,
}
