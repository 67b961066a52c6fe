//! What the journal keeps of a desk, and how a desk is rebuilt from it.
//!
//! An entry is written before its effect leaves the house (intents) or as it arrives (reports).
//! Instruments are dense numbers inside a run, so every run begins with an entry that says which
//! symbol each number means; rebuilding translates to the numbers of today.

use market::order::{CancelOrder, OrderRequest, ReplaceOrder, Signal};
use market::{
    ExecutionReport, InstrumentId, Money, NewOrder, PhaseChange, Price, ReportKind, StrategyId, Symbol, Universe,
};
use oms::Applied;
use risk::{Denial, Figure, HaltLevel};
use serde::{Deserialize, Serialize};

use crate::desk::Desk;

/// One entry of an account's journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum Entry {
    /// A run begins: which symbol each instrument number means, and who the strategies are.
    Started {
        /// Symbols by instrument number.
        instruments: Vec<Symbol>,
        /// Strategy names by number.
        strategies: Vec<String>,
        /// Money that the book began with.
        cash: Money,
    },
    /// An order is about to be sent.
    Intent {
        /// The order.
        order: NewOrder,
        /// What a unit may cost at most.
        worst_price: Price,
        /// Why the strategy wants it.
        signal: Signal,
    },
    /// A cancel is about to be sent.
    CancelIntent {
        /// Which.
        cancel: CancelOrder,
    },
    /// A replace is about to be sent.
    ReplaceIntent {
        /// Which, and to what.
        replace: ReplaceOrder,
        /// What a unit may cost at most afterwards.
        worst_price: Price,
    },
    /// A request was denied.
    Denied {
        /// What was asked for.
        request: OrderRequest,
        /// Which check.
        check: String,
        /// Its words.
        because: String,
        /// What was asked for, as the check saw it.
        asked: Figure,
        /// What is allowed.
        limit: Figure,
    },
    /// The broker reported, and the book took it.
    Report {
        /// Its words.
        report: ExecutionReport,
        /// Place in the broker connection's stream of reports; zero for what we concluded ourselves.
        broker_sequence: u64,
    },
    /// The broker reported something that does not fit; the book is unchanged.
    Anomaly {
        /// Its words.
        report: ExecutionReport,
        /// What does not fit.
        reason: String,
    },
    /// What was sent for an order may or may not have arrived.
    OutcomeUnknown {
        /// The order.
        client_order_id: market::ClientOrderId,
    },
    /// The session moved to another phase.
    Phase {
        /// To which, when.
        change: PhaseChange,
    },
    /// The halt switch was moved.
    Halt {
        /// To where.
        level: HaltLevel,
        /// By whom: a monitor's name or a person.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Entry {
    /// Stable name of the kind, for the journal's own column.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Intent { .. } => "intent",
            Self::CancelIntent { .. } => "cancel_intent",
            Self::ReplaceIntent { .. } => "replace_intent",
            Self::Denied { .. } => "denied",
            Self::Report { .. } => "report",
            Self::Anomaly { .. } => "anomaly",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Phase { .. } => "phase",
            Self::Halt { .. } => "halt",
        }
    }

    /// A denial with what it was about.
    pub fn denied(request: OrderRequest, denial: &Denial) -> Self {
        Self::Denied {
            request,
            check: denial.check.to_owned(),
            because: denial.because.to_owned(),
            asked: denial.asked,
            limit: denial.limit,
        }
    }
}

/// Why a journal does not lead to a desk.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RebuildError {
    /// The journal does not begin with a `started` entry.
    #[error("journal entry {0} comes before any 'started' entry: the journal's beginning is missing")]
    NoStart(u64),
    /// The journal speaks of a symbol that this run does not know.
    #[error(
        "journal entry {sequence} is about {symbol}, which is not configured: add it to the symbols, or close its position first"
    )]
    UnknownSymbol {
        /// Place in the journal.
        sequence: u64,
        /// The symbol, or its old number where even that is unknown.
        symbol: String,
    },
    /// An entry that was applied once cannot be applied now: the journal was tampered with, or the
    /// code has changed its mind.
    #[error("journal entry {sequence} does not apply: {reason}")]
    DoesNotApply {
        /// Place in the journal.
        sequence: u64,
        /// What went wrong.
        reason: String,
    },
}

/// Applies recorded entries to a fresh desk, one after another.
pub struct Rebuild<'a> {
    desk: &'a mut Desk,
    /// Symbols of the recorded run by number.
    recorded: Option<Vec<Symbol>>,
    /// Strategies of the recorded run by number.
    strategies: Vec<String>,
    /// Strategies of today by number.
    today: &'a [String],
    /// Entries applied.
    applied: u64,
    broker_sequence: u64,
    fills: u64,
}

/// Number of every strategy that is not configured any more.
const GONE: StrategyId = StrategyId(u16::MAX);

/// Begins rebuilding `desk`, which must be fresh.
pub fn rebuild(desk: &mut Desk) -> Rebuild<'_> {
    Rebuild { desk, recorded: None, strategies: Vec::new(), today: &[], applied: 0, broker_sequence: 0, fills: 0 }
}

impl<'a> Rebuild<'a> {
    /// With the strategies of today: what was recorded is told apart by name, not by place.
    #[must_use]
    pub fn for_strategies(mut self, names: &'a [String]) -> Self {
        self.today = names;
        self
    }

    /// Applies the next entry; gives what a report changed.
    ///
    /// # Errors
    /// The entry does not lead on from the ones before.
    pub fn apply(&mut self, sequence: u64, entry: Entry) -> Result<Option<Applied>, RebuildError> {
        let fails = |reason: String| RebuildError::DoesNotApply { sequence, reason };
        if let Entry::Started { instruments, strategies, .. } = entry {
            self.recorded = Some(instruments);
            self.strategies = strategies;
            return Ok(None);
        }
        if self.recorded.is_none() {
            return Err(RebuildError::NoStart(sequence));
        }
        self.applied += 1;
        match entry {
            Entry::Intent { order, worst_price, .. } => {
                let (instrument, strategy) =
                    (self.translate(sequence, order.instrument)?, self.translate_strategy(order.strategy));
                let order = NewOrder { instrument, strategy, ..order };
                if self.desk.book().order(&order.client_order_id).is_some() {
                    return Err(fails(format!("order {} was entered before", order.client_order_id)));
                }
                self.desk.restore_intent(order, worst_price);
            }
            Entry::CancelIntent { cancel } => {
                let cancel = CancelOrder { instrument: self.translate(sequence, cancel.instrument)?, ..cancel };
                self.desk.book_mut().request_cancel(&cancel).map_err(|anomaly| fails(anomaly.to_string()))?;
            }
            Entry::ReplaceIntent { replace, worst_price } => {
                let replace = ReplaceOrder { instrument: self.translate(sequence, replace.instrument)?, ..replace };
                let book = self.desk.book_mut();
                book.request_replace(&replace, worst_price).map_err(|anomaly| fails(anomaly.to_string()))?;
            }
            Entry::Report { report, broker_sequence } => {
                self.broker_sequence = self.broker_sequence.max(broker_sequence);
                self.fills += u64::from(matches!(report.kind, ReportKind::Fill { .. }));
                let report = ExecutionReport { instrument: self.translate(sequence, report.instrument)?, ..report };
                return self.desk.report(&report).map(Some).map_err(|anomaly| fails(anomaly.to_string()));
            }
            Entry::OutcomeUnknown { client_order_id } => {
                self.desk.outcome_unknown(client_order_id).map_err(|anomaly| fails(anomaly.to_string()))?;
            }
            Entry::Phase { change } => self.desk.phase(&change),
            // Nothing of these stays in the book; the switch has its own durable record.
            Entry::Started { .. } | Entry::Denied { .. } | Entry::Anomaly { .. } | Entry::Halt { .. } => {}
        }
        Ok(None)
    }

    /// The last report of the broker's stream that the journal holds.
    pub fn broker_sequence(&self) -> u64 {
        self.broker_sequence
    }

    /// Fills applied so far.
    pub fn fills(&self) -> u64 {
        self.fills
    }

    /// Entries applied so far.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The number that a strategy of the recorded run has today. One that is gone keeps a number
    /// that nobody has: what it held stays in the book, and no other strategy takes it for its own.
    fn translate_strategy(&self, recorded: StrategyId) -> StrategyId {
        if self.today.is_empty() {
            return recorded;
        }
        let name = self.strategies.get(recorded.index());
        let place = name.and_then(|name| self.today.iter().position(|today| today == name));
        place.and_then(|place| u16::try_from(place).ok()).map_or(GONE, StrategyId)
    }

    fn translate(&self, sequence: u64, recorded: InstrumentId) -> Result<InstrumentId, RebuildError> {
        let symbol = self.recorded.as_ref().and_then(|symbols| symbols.get(recorded.index()));
        let universe: &Universe = self.desk.universe();
        symbol.and_then(|symbol| universe.find(symbol)).ok_or_else(|| RebuildError::UnknownSymbol {
            sequence,
            symbol: symbol.map_or_else(|| format!("number {}", recorded.index()), Symbol::to_string),
        })
    }
}
