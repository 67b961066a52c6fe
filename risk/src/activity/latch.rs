//! What has stopped a strategy until a named person resumes it.
//!
//! A rule of repetition that trips stays tripped: the strategy that ran away does not come back because a
//! minute has passed. A latch is an entry of the journal like a decision, so that it holds over a restart
//! whatever the limits are then. Resuming the strategy, or the symbol, lifts it and begins its count anew.

use market::{InstrumentId, StrategyId, Symbol, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Activity, OfStrategy};

/// A rule that latches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// C06: executions on one side of one instrument.
    RepeatedExecutions,
    /// C16: rejections by the broker.
    Rejects,
    /// C16: trades that realised a loss.
    LosingTrades,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::RepeatedExecutions, Self::Rejects, Self::LosingTrades];

    /// Stable name in the journal and in alerts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RepeatedExecutions => "repeated_executions",
            Self::Rejects => "rejects",
            Self::LosingTrades => "losing_trades",
        }
    }

    /// Whether it stops a strategy in one instrument, rather than everywhere.
    pub const fn is_of_an_instrument(self) -> bool {
        matches!(self, Self::RepeatedExecutions)
    }
}

/// When a rule tripped, and the figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Latch {
    /// When.
    pub at: Timestamp,
    /// How often it had happened.
    pub seen: u64,
    /// How often it may.
    pub limit: u64,
}

/// A rule that has tripped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tripped {
    /// Which.
    pub rule: Rule,
    /// Whom it stops.
    pub strategy: StrategyId,
    /// In what; none: in everything.
    pub instrument: Option<InstrumentId>,
    /// When, and the figures.
    pub latch: Latch,
}

impl OfStrategy {
    fn latch_of(&mut self, rule: Rule, instrument: Option<InstrumentId>) -> Option<&mut Option<Latch>> {
        match rule {
            Rule::RepeatedExecutions => Some(&mut self.lines.entry(instrument?).or_default().repeated),
            Rule::Rejects => Some(&mut self.rejected),
            Rule::LosingTrades => Some(&mut self.losing),
        }
    }
}

impl Activity {
    /// The strategy is stopped from now on. Of a rule that has tripped before, the first time stays.
    pub fn latch(&mut self, tripped: &Tripped) {
        let latch = self.strategy(tripped.strategy).latch_of(tripped.rule, tripped.instrument);
        if let Some(latch) = latch.filter(|latch| latch.is_none()) {
            *latch = Some(tripped.latch);
        }
    }

    /// A strategy that this run does not have was stopped: it still is when a run has it again.
    pub fn latch_absent(&mut self, name: String, symbol: Option<Symbol>, rule: Rule, latch: Latch) {
        let kept = self.absent.entry(name).or_default().latch_of(rule, symbol);
        if let Some(kept) = kept.filter(|kept| kept.is_none()) {
            *kept = Some(latch);
        }
    }

    /// A named person resumes a strategy that this run does not have.
    pub fn rearm_absent(&mut self, name: &str) {
        self.absent.remove(name);
    }

    /// Whether, and when, a rule has stopped a strategy in an instrument.
    pub fn latched(&self, rule: Rule, (strategy, instrument): (StrategyId, InstrumentId)) -> Option<Latch> {
        let of = self.strategies.get(&strategy)?;
        match rule {
            Rule::RepeatedExecutions => of.lines.get(&instrument)?.repeated,
            Rule::Rejects => of.rejected,
            Rule::LosingTrades => of.losing,
        }
    }

    /// Everything that is stopped, in a fixed order: for people.
    pub fn stopped(&self) -> Vec<Tripped> {
        let mut stopped: Vec<Tripped> = Vec::new();
        for (strategy, of) in &self.strategies {
            let mut add = |rule, instrument, latch: Option<Latch>| {
                let tripped = |latch| Tripped { rule, strategy: *strategy, instrument, latch };
                stopped.extend(latch.map(tripped));
            };
            for (instrument, line) in &of.lines {
                add(Rule::RepeatedExecutions, Some(*instrument), line.repeated);
            }
            add(Rule::Rejects, None, of.rejected);
            add(Rule::LosingTrades, None, of.losing);
        }
        stopped.sort_by_key(|tripped| (tripped.strategy, tripped.rule, tripped.instrument));
        stopped
    }

    /// A named person resumes a strategy: in everything, and with nothing of what tripped its rules on record.
    pub fn rearm_strategy(&mut self, strategy: StrategyId) {
        let Some(of) = self.strategies.get_mut(&strategy) else { return };
        (of.rejected, of.losing) = (None, None);
        of.rejects.clear();
        of.losses.clear();
        of.lines.values_mut().for_each(|line| {
            line.repeated = None;
            line.buys.clear();
            line.sells.clear();
        });
    }

    /// A named person resumes an instrument: for every strategy, as far as a rule stops it in that instrument.
    pub fn rearm_instrument(&mut self, instrument: InstrumentId) {
        for line in self.strategies.values_mut().filter_map(|of| of.lines.get_mut(&instrument)) {
            line.repeated = None;
            line.buys.clear();
            line.sells.clear();
        }
    }
}
