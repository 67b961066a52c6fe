//! What the journal keeps of a desk, and how a desk is rebuilt from it.
//!
//! An entry is written before its effect leaves the house (intents) or as it arrives (reports).
//! Instruments are dense numbers inside a run, so every run begins with an entry that says which
//! symbol each number means; rebuilding translates to the numbers of today.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use market::fees::Brokerage;
use market::order::{CancelOrder, OrderRequest, ReplaceOrder, Signal};
use market::{
    Bar, ClientOrderId, ExecutionReport, Instrument, InstrumentId, MarketEvent, Money, NewOrder, PhaseChange, Price,
    Quantity, Quote, ReportKind, Side, StatedExecution, StatedOrder, StrategyId, Symbol, Timestamp, TopOfBook,
    Universe,
};
use oms::Applied;
use risk::{Denial, Figure, HaltLevel, HaltScope, Latch, Limits, Rule, Tripped};
use serde::{Deserialize, Serialize};

use crate::desk::Desk;
use crate::host::{HostSettings, Notice};
use crate::watched::WorthNoted;

/// What a decision was made on, beside the book: the price, what the switch allowed, and what else is worth.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// The hot quote.
    pub top: TopOfBook,
    /// The halt switch.
    pub halt: HaltLevel,
    /// Marks that have changed since the decision before: the worth of everything that is held is compared
    /// with limits. A decision rests on the latest of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<(InstrumentId, Price)>,
}

/// What a run decides with: enough to make the same decisions again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// Version of the program.
    pub version: String,
    /// When the run began.
    pub start: Timestamp,
    /// `b3` or `always_open`.
    pub calendar: String,
    /// What can be traded, by number.
    pub instruments: Vec<Instrument>,
    /// The limits in force.
    pub limits: Limits,
    /// What the broker charges.
    pub brokerage: Brokerage,
}

/// What a strategy began with: enough to make the same one again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StrategyOrigin {
    /// Its name in the list of strategies.
    pub kind: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, f64>,
    /// What its host was configured with.
    pub settings: HostSettings,
    /// The bars that it was warmed up with, in order.
    pub bars: Vec<Bar>,
}

/// Something that a strategy heard. Quotes are most of it, so they are kept short.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// A quote: when, of what, bid, ask, bid size, ask size.
    Quote(Timestamp, InstrumentId, Price, Price, Quantity, Quantity),
    /// Any other market event.
    Market(MarketEvent),
    /// News from the account.
    Notice(Notice),
    /// A request that it made of the event before went nowhere: the account was overloaded.
    Dropped(InstrumentId, Side, Quantity),
}

impl From<MarketEvent> for Heard {
    fn from(event: MarketEvent) -> Self {
        match event {
            MarketEvent::Quote(Quote { at, instrument, bid, ask, bid_size, ask_size }) => {
                Self::Quote(at, instrument, bid, ask, bid_size, ask_size)
            }
            other => Self::Market(other),
        }
    }
}

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
        /// What the run decides with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Box<Origin>>,
    },
    /// A strategy began, or began anew.
    StrategyStarted(Box<StrategyOrigin>),
    /// What a strategy has heard since its entry before.
    Heard {
        /// Which.
        strategy: StrategyId,
        /// Things that it had heard before these since it began: a gap shows that some were lost with a
        /// mailbox.
        after: u64,
        /// What, in order.
        heard: Vec<Heard>,
    },
    /// An order is about to be sent.
    Intent {
        /// The order.
        order: NewOrder,
        /// What a unit may cost at most.
        worst_price: Price,
        /// Why the strategy wants it.
        signal: Signal,
        /// What the review saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
        /// The engine's own closing order, while flattening.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        closes: bool,
    },
    /// A cancel is about to be sent.
    CancelIntent {
        /// Which.
        cancel: CancelOrder,
        /// The engine's own, because a halt takes it back or the program ends.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stops: bool,
    },
    /// A replace is about to be sent.
    ReplaceIntent {
        /// Which, and to what.
        replace: ReplaceOrder,
        /// What a unit may cost at most afterwards.
        worst_price: Price,
        /// What the review saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
    },
    /// A command passed the last gate into the connection. Written after the fact: without it a
    /// command may have left all the same.
    Sent {
        /// Of which order.
        client_order_id: ClientOrderId,
        /// `submit`, `cancel` or `replace`.
        command: Cow<'static, str>,
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
        /// What the review saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
        /// The engine's own closing order, while flattening.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        closes: bool,
    },
    /// A change of an open order was denied.
    ReplaceDenied {
        /// What was asked for.
        replace: ReplaceOrder,
        /// Which check.
        check: String,
        /// Its words.
        because: String,
        /// What was asked for, as the check saw it.
        asked: Figure,
        /// What is allowed.
        limit: Figure,
        /// What the review saw.
        evidence: Evidence,
    },
    /// The broker reported, and the book took it.
    Report {
        /// Its words.
        report: ExecutionReport,
        /// Place in the broker connection's stream of reports; zero for what a statement told, or
        /// what we concluded ourselves.
        broker_sequence: u64,
    },
    /// A rule of repetition has tripped: the strategy is stopped until a named person resumes it, by a halt
    /// entry with level `active` of its scope or of the symbol's.
    Latched {
        /// Which rule.
        rule: Rule,
        /// Whom it stops.
        strategy: StrategyId,
        /// In what; none: in everything.
        instrument: Option<InstrumentId>,
        /// When, and the figures.
        latch: Latch,
    },
    /// The broker reported something that does not fit; the book is unchanged.
    Anomaly {
        /// Its words.
        report: ExecutionReport,
        /// What does not fit.
        reason: String,
        /// As for a report.
        #[serde(default)]
        broker_sequence: u64,
    },
    /// The broker said something that cannot be understood.
    Unreadable {
        /// What came, cut to a bounded length.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What was sent for an order may or may not have arrived.
    OutcomeUnknown {
        /// The order.
        client_order_id: ClientOrderId,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// The connection to the broker is there.
    Connected,
    /// The connection to the broker is gone.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// An execution of an order that was placed elsewhere.
    External {
        /// The broker's words.
        execution: StatedExecution,
    },
    /// Units that the broker holds beyond our fills were adopted as held by somebody else.
    Adopted {
        /// Of what.
        instrument: InstrumentId,
        /// All units that are not ours, from now on.
        quantity: Quantity,
    },
    /// Book and broker were compared; what differed stands in the entries before, what nothing
    /// explains in those after.
    Reconciled {
        /// Open orders that were placed elsewhere, as they stood.
        external_orders: Vec<StatedOrder>,
    },
    /// Book and broker differ and nothing explains it: nothing new until a person has looked.
    Break {
        /// In what; none: the whole account.
        instrument: Option<InstrumentId>,
        /// Both figures.
        difference: String,
    },
    /// A named person has looked: what the broker says counts, and trading may go on.
    BreakAccepted {
        /// In what; none: the whole account.
        symbol: Option<Symbol>,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The session moved to another phase.
    Phase {
        /// To which, when.
        change: PhaseChange,
    },
    /// Other limits count from here on.
    Limits {
        /// All of them.
        limits: Box<Limits>,
        /// Who changed them.
        by: String,
        /// Who confirmed it, where that took a second person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second: Option<String>,
        /// Why.
        reason: String,
    },
    /// What the account and its strategies were worth when a session began or closed.
    Worth(WorthNoted),
    /// The halt switch was moved.
    Halt {
        /// For what; journals that knew one scope only meant everything.
        #[serde(default = "everything")]
        scope: HaltScope,
        /// To where.
        level: HaltLevel,
        /// By whom: a monitor's name or a person.
        by: String,
        /// Why.
        reason: String,
    },
}

fn everything() -> HaltScope {
    HaltScope::Global
}

impl Entry {
    /// Stable name of the kind, for the journal's own column.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::StrategyStarted(_) => "strategy_started",
            Self::Heard { .. } => "heard",
            Self::Intent { .. } => "intent",
            Self::CancelIntent { .. } => "cancel_intent",
            Self::ReplaceIntent { .. } => "replace_intent",
            Self::Sent { .. } => "sent",
            Self::Denied { .. } => "denied",
            Self::ReplaceDenied { .. } => "replace_denied",
            Self::Report { .. } => "report",
            Self::Latched { .. } => "latched",
            Self::Anomaly { .. } => "anomaly",
            Self::Unreadable { .. } => "unreadable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Connected => "connected",
            Self::Disconnected { .. } => "disconnected",
            Self::External { .. } => "external",
            Self::Adopted { .. } => "adopted",
            Self::Reconciled { .. } => "reconciled",
            Self::Break { .. } => "break",
            Self::BreakAccepted { .. } => "break_accepted",
            Self::Phase { .. } => "phase",
            Self::Limits { .. } => "limits",
            Self::Worth(_) => "worth",
            Self::Halt { .. } => "halt",
        }
    }

    /// A rule that has tripped.
    pub fn latched(tripped: &Tripped) -> Self {
        let Tripped { rule, strategy, instrument, latch } = *tripped;
        Self::Latched { rule, strategy, instrument, latch }
    }

    /// A denial with what it was about.
    pub fn denied(request: OrderRequest, denial: &Denial, evidence: Option<Evidence>) -> Self {
        Self::Denied {
            request,
            check: denial.check.to_owned(),
            because: denial.because.to_owned(),
            asked: denial.asked,
            limit: denial.limit,
            evidence,
            closes: false,
        }
    }

    /// A denial of a closing order with what it was about.
    pub fn denied_closing(request: OrderRequest, denial: &Denial, evidence: Evidence) -> Self {
        let mut denied = Self::denied(request, denial, Some(evidence));
        if let Self::Denied { closes, .. } = &mut denied {
            *closes = true;
        }
        denied
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

/// What entries leave to be known beside the desk.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Facts {
    /// Symbols of the recorded run by number; none before its `started` entry.
    pub instruments: Option<Vec<Symbol>>,
    /// Strategies of the recorded run by number.
    pub strategies: Vec<String>,
    /// The last report of the broker's stream.
    pub broker_sequence: u64,
    /// Fills applied.
    pub fills: u64,
    /// A statement of the broker has been taken in.
    pub compared: bool,
    /// Instruments whose difference a named person has accepted since the last statement.
    pub accepted: BTreeSet<Symbol>,
    /// Instruments in which nothing explains a difference.
    pub breaks: BTreeMap<Symbol, String>,
    /// A difference in the account as a whole.
    pub account_break: Option<String>,
    /// The engine's own closing orders that have not ended.
    pub closings: BTreeSet<ClientOrderId>,
}

/// Applies recorded entries to a fresh desk, one after another.
pub struct Rebuild<'a> {
    desk: &'a mut Desk,
    /// Strategies of today by number.
    today: &'a [String],
    facts: Facts,
}

/// Number of every strategy that is not configured any more.
pub(crate) const GONE: StrategyId = StrategyId(u16::MAX);

/// Begins rebuilding `desk`, which must be fresh.
pub fn rebuild(desk: &mut Desk) -> Rebuild<'_> {
    Rebuild { desk, today: &[], facts: Facts::default() }
}

impl<'a> Rebuild<'a> {
    /// With the strategies of today: what was recorded is told apart by name, not by place.
    #[must_use]
    pub fn for_strategies(mut self, names: &'a [String]) -> Self {
        self.today = names;
        self
    }

    /// From facts that a snapshot holds, with the desk that it leads to.
    #[must_use]
    pub(crate) fn from(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// Applies the next entry, which was written at `at`; gives what a report changed.
    ///
    /// # Errors
    /// The entry does not lead on from the ones before.
    pub fn apply(&mut self, sequence: u64, at: Timestamp, entry: Entry) -> Result<Option<Applied>, RebuildError> {
        let fails = |reason: String| RebuildError::DoesNotApply { sequence, reason };
        if let Entry::Started { instruments, strategies, origin, .. } = entry {
            if let Some(origin) = origin {
                self.desk.charge(origin.brokerage);
            }
            (self.facts.instruments, self.facts.strategies) = (Some(instruments), strategies);
            return Ok(None);
        }
        // A person writes this one while no run is on, also before the first.
        if let Entry::BreakAccepted { symbol, .. } = entry {
            self.accept(symbol);
            return Ok(None);
        }
        if self.facts.instruments.is_none() {
            return Err(RebuildError::NoStart(sequence));
        }
        match entry {
            Entry::Intent { order, worst_price, closes, .. } => {
                if closes {
                    self.facts.closings.insert(order.client_order_id);
                }
                let (instrument, strategy) =
                    (self.translate(sequence, order.instrument)?, self.translate_strategy(order.strategy));
                let order = NewOrder { instrument, strategy, ..order };
                if self.desk.book().order(&order.client_order_id).is_some() {
                    return Err(fails(format!("order {} was entered before", order.client_order_id)));
                }
                self.desk.restore_intent(order, worst_price);
            }
            Entry::CancelIntent { cancel, .. } => {
                let cancel = CancelOrder { instrument: self.translate(sequence, cancel.instrument)?, ..cancel };
                self.desk.restore_cancel(&cancel).map_err(|anomaly| fails(anomaly.to_string()))?;
            }
            Entry::ReplaceIntent { replace, worst_price, .. } => {
                let replace = ReplaceOrder { instrument: self.translate(sequence, replace.instrument)?, ..replace };
                self.desk.restore_replace(&replace, worst_price).map_err(|anomaly| fails(anomaly.to_string()))?;
            }
            Entry::Report { report, broker_sequence } => {
                self.facts.broker_sequence = self.facts.broker_sequence.max(broker_sequence);
                self.facts.fills += u64::from(matches!(report.kind, ReportKind::Fill { .. }));
                let report = ExecutionReport { instrument: self.translate(sequence, report.instrument)?, ..report };
                let applied = self.desk.restore_report(&report, broker_sequence > 0, at);
                let applied = applied.map_err(|anomaly| fails(anomaly.to_string()))?;
                if applied.status.is_terminal() {
                    self.facts.closings.remove(&report.client_order_id);
                }
                return Ok(Some(applied));
            }
            Entry::Anomaly { broker_sequence, .. } => {
                self.facts.broker_sequence = self.facts.broker_sequence.max(broker_sequence);
            }
            Entry::OutcomeUnknown { client_order_id, .. } => {
                self.desk.outcome_unknown(client_order_id).map_err(|anomaly| fails(anomaly.to_string()))?;
            }
            Entry::External { execution } => {
                let instrument = self.translate(sequence, execution.instrument)?;
                let execution = StatedExecution { instrument, ..execution };
                self.desk.external(&execution).map_err(|anomaly| fails(anomaly.to_string()))?;
            }
            Entry::Adopted { instrument, quantity } => {
                self.desk.adopt(self.translate(sequence, instrument)?, quantity);
            }
            Entry::Reconciled { .. } => {
                self.facts.compared = true;
                self.facts.accepted.clear();
            }
            Entry::Break { instrument: None, difference } => self.facts.account_break = Some(difference),
            Entry::Break { instrument: Some(instrument), difference } => {
                let symbol = self.recorded(sequence, instrument)?;
                self.facts.breaks.insert(symbol, difference);
            }
            Entry::Phase { change } => self.desk.phase(&change),
            Entry::Limits { limits, .. } => {
                let names = if self.today.is_empty() { &self.facts.strategies } else { self.today };
                self.desk.set_limits(*limits, names);
            }
            Entry::Latched { rule, strategy, instrument, latch } => {
                let instrument = instrument.map(|instrument| self.translate(sequence, instrument)).transpose()?;
                let name = self.facts.strategies.get(strategy.index()).cloned();
                let strategy = self.translate_strategy(strategy);
                let name = name.filter(|_| strategy == GONE);
                self.desk.restore_latch(&Tripped { rule, strategy, instrument, latch }, name);
            }
            Entry::Halt { scope, level: HaltLevel::Active, .. } => {
                let names = if self.today.is_empty() { &self.facts.strategies } else { self.today };
                self.desk.rearm(&scope, names);
            }
            Entry::Worth(mut noted) => {
                for (strategy, _) in &mut noted.results {
                    *strategy = self.translate_strategy(*strategy);
                }
                noted.results.sort_by_key(|(strategy, _)| *strategy);
                self.desk.watched_mut().note(&noted);
            }
            // Nothing of these stays in the book; the switch has its own durable record.
            Entry::Started { .. }
            | Entry::StrategyStarted(_)
            | Entry::Heard { .. }
            | Entry::Sent { .. }
            | Entry::Denied { .. }
            | Entry::ReplaceDenied { .. }
            | Entry::Unreadable { .. }
            | Entry::Connected
            | Entry::Disconnected { .. }
            | Entry::BreakAccepted { .. }
            | Entry::Halt { .. } => {}
        }
        Ok(None)
    }

    /// A person has looked: the next statement counts as it is.
    fn accept(&mut self, symbol: Option<Symbol>) {
        match symbol {
            Some(symbol) => {
                self.facts.breaks.remove(&symbol);
                self.facts.accepted.insert(symbol);
            }
            None => self.facts.account_break = None,
        }
    }

    /// What is known beside the desk.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The facts alone.
    pub(crate) fn into_facts(self) -> Facts {
        self.facts
    }

    /// The number that a strategy of the recorded run has today. One that is gone keeps a number
    /// that nobody has: what it held stays in the book, and no other strategy takes it for its own.
    fn translate_strategy(&self, recorded: StrategyId) -> StrategyId {
        if self.today.is_empty() {
            return recorded;
        }
        let name = self.facts.strategies.get(recorded.index());
        name.and_then(|name| number_of(name, self.today)).unwrap_or(GONE)
    }

    fn recorded(&self, sequence: u64, recorded: InstrumentId) -> Result<Symbol, RebuildError> {
        let symbol = self.facts.instruments.as_ref().and_then(|symbols| symbols.get(recorded.index()));
        let unknown = || RebuildError::UnknownSymbol { sequence, symbol: format!("number {}", recorded.index()) };
        symbol.copied().ok_or_else(unknown)
    }

    fn translate(&self, sequence: u64, recorded: InstrumentId) -> Result<InstrumentId, RebuildError> {
        let symbol = self.recorded(sequence, recorded)?;
        let universe: &Universe = self.desk.universe();
        let unknown = || RebuildError::UnknownSymbol { sequence, symbol: symbol.to_string() };
        universe.find(&symbol).ok_or_else(unknown)
    }
}

/// The number that a strategy of this name has among `names`.
pub(crate) fn number_of(name: &str, names: &[String]) -> Option<StrategyId> {
    let place = names.iter().position(|today| today == name)?;
    u16::try_from(place).ok().map(StrategyId)
}
