//! The figures that monitors look at: a value that whoever owns the book fills in.

use std::collections::BTreeMap;
use std::sync::Arc;

use market::{Date, InstrumentId, Money, Phase, StrategyId, Timestamp, Universe};
use oms::Book;
use serde::{Deserialize, Serialize};

use crate::halt::HaltScope;
use crate::limits::LimitTable;

/// How the worth of something stands to where it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Now.
    pub now: Money,
    /// When the session began.
    pub start: Money,
    /// At its highest close, or at the beginning if that was higher.
    pub peak: Money,
}

/// What the account and its strategies are worth. A strategy's worth is the money that the book began with
/// and what the strategy has made: what the account would be worth if it were the only one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Worth {
    /// The account.
    pub account: Standing,
    /// The strategies by number.
    pub strategies: Vec<Standing>,
}

/// What was sent in a session, and what came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sent {
    /// Orders, replaces and cancels.
    pub messages: u64,
    /// Executions.
    pub trades: u64,
}

/// Exposures at the worst that open orders can make of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exposure {
    /// Longs and shorts added.
    pub gross: Money,
    /// Shorts taken off longs, or the other way round.
    pub net: Money,
    /// By instrument.
    pub instruments: Vec<Money>,
    /// Gross and net by strategy; nothing where no limit of these is written for it.
    pub strategies: Vec<Option<(Money, Money)>>,
}

/// How the comparisons of book and broker went.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Comparison {
    /// Comparisons in a row that could not be made: no statement was to be had.
    pub failed: u32,
    /// Comparisons in a row that found an unexplained difference in the account as a whole.
    pub account: u32,
    /// And in an instrument.
    pub instruments: BTreeMap<InstrumentId, u32>,
}

/// All that is known of an account. Counts only grow, within what they count.
#[derive(Clone, Debug)]
pub struct Figures {
    /// When they were taken.
    pub at: Timestamp,
    /// In which session.
    pub session: Date,
    /// In which phase.
    pub phase: Phase,
    /// Since when that holds.
    pub phase_since: Timestamp,
    /// The limits in force.
    pub limits: Arc<LimitTable>,
    /// What can be traded.
    pub universe: Arc<Universe>,
    /// What things are worth; nothing until everything held has a price of this run.
    pub worth: Option<Worth>,
    /// Cash plus positions at their marks.
    pub equity: Money,
    /// Exposures, at most a second old.
    pub exposure: Exposure,
    /// What was sent in this session.
    pub sent: Sent,
    /// The same by strategy.
    pub sent_by: Vec<Sent>,
    /// Denials by check since the engine started.
    pub denials: BTreeMap<&'static str, u64>,
    /// When the feed brought something last.
    pub heard_at: Option<Timestamp>,
    /// Book and broker.
    pub comparison: Comparison,
    /// Moves when anything but marks was brought up to date: then monitors of changes look.
    pub changes: u64,
    /// When that was.
    pub changed_at: Timestamp,
    /// The owner's count of what had changed by then.
    pub counted: u64,
}

impl Figures {
    /// Nothing known yet.
    pub fn new(limits: Arc<LimitTable>, universe: Arc<Universe>) -> Self {
        Self {
            at: Timestamp::MIN,
            session: Date::MIN,
            phase: Phase::Unknown,
            phase_since: Timestamp::MIN,
            limits,
            universe,
            worth: None,
            equity: Money::ZERO,
            exposure: Exposure::default(),
            sent: Sent::default(),
            sent_by: Vec::new(),
            denials: BTreeMap::new(),
            heard_at: None,
            comparison: Comparison::default(),
            changes: 0,
            changed_at: Timestamp::MIN,
            counted: 0,
        }
    }

    /// What was sent for a strategy in this session, or for all.
    pub fn sent_of(&self, strategy: Option<StrategyId>) -> Sent {
        match strategy {
            None => self.sent,
            Some(strategy) => self.sent_by.get(strategy.index()).copied().unwrap_or_default(),
        }
    }

    /// The scope of an instrument; of one that is not of the run, the account.
    pub fn scope_of(&self, instrument: InstrumentId) -> HaltScope {
        self.universe.get(instrument).map_or(HaltScope::Account, |known| HaltScope::Symbol(known.symbol))
    }

    /// How the worth of a strategy stands, or of the account.
    pub fn standing(&self, strategy: Option<StrategyId>) -> Option<Standing> {
        let worth = self.worth.as_ref()?;
        match strategy {
            None => Some(worth.account),
            Some(strategy) => worth.strategies.get(strategy.index()).copied(),
        }
    }
}

impl Exposure {
    /// Measures a book, in place. What other hands hold counts: it is the same account that bears it.
    pub fn measure(&mut self, book: &Book, limits: &LimitTable, strategies: usize) {
        let (mut gross, mut most, mut least) = (Money::ZERO, Money::ZERO, Money::ZERO);
        self.instruments.clear();
        for id in (0..book.instruments() as u32).map(InstrumentId::new) {
            let (mark, held) = (book.mark_of(id), book.position(id).quantity + book.external(id));
            let (high, low) = (held + book.open_buys(id), held - book.open_sells(id));
            let worst = mark.times(high.abs().max(low.abs()));
            gross += worst;
            most += mark.times(high);
            least += mark.times(low);
            self.instruments.push(worst);
        }
        (self.gross, self.net) = (gross, most.abs().max(least.abs()));
        self.strategies.clear();
        self.strategies.extend((0..strategies as u16).map(|number| of_strategy(book, limits, StrategyId(number))));
    }
}

fn of_strategy(book: &Book, limits: &LimitTable, strategy: StrategyId) -> Option<(Money, Money)> {
    let written = limits.strategy(strategy);
    written.max_gross_exposure.or(written.max_net_exposure)?;
    let (mut gross, mut net, mut worst_net) = (Money::ZERO, Money::ZERO, Money::ZERO);
    for (instrument, holding) in book.holdings_of(strategy) {
        let mark = book.mark_of(instrument);
        let after = holding.position + holding.working;
        gross += mark.times(holding.position.abs().max(after.abs()));
        net += mark.times(holding.position);
        worst_net += mark.times(after);
    }
    Some((gross, net.abs().max(worst_net.abs())))
}
