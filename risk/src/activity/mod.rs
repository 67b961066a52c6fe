//! What happened lately, as far as the rules of rate, repetition and sums need it: messages, executions,
//! rejections, losing trades, equal orders, the orders of a decision.
//!
//! A pure value beside the book. It changes with what the journal holds and with nothing else: an intent, a
//! cancel's or a replace's intent, a report, a session that begins, a latch, a person's resume; each with the
//! time of its entry. So recovery and replay come to the same one, and the same decisions.
//!
//! - `window`: when something happened, and how often within a time
//! - `recent`: the orders that were sent lately
//! - [`parent`]: decisions and the orders that serve them
//! - [`latch`]: what has stopped a strategy until a person resumes it
//! - [`state`]: all of it as a value that can be stored
//!
//! Each event costs a few steps, however much happened; every ring has an end. A clock that goes back opens
//! no window: nothing happens before what happened last.

pub mod latch;
pub mod parent;
mod recent;
pub mod state;
mod window;

use market::{ExecutionReport, InstrumentId, NewOrder, ParentOrder, ReportKind, Side, StrategyId, Timestamp};
use oms::{Applied, Book, FillEffect, Position};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::checks::Figure;
use crate::limits::LimitTable;
use crate::limits::amounts::{Count, Seconds};
use latch::{Latch, Rule, Tripped};
use parent::Parent;
use recent::{Key, Recent};
use state::AbsentStrategies;
use window::Window;

pub use recent::{KEPT_ORDERS, LONGEST_DUPLICATE};
pub use state::ActivityState;
pub use window::LONGEST;

/// Messages that are remembered of the account and of each strategy: the most that `max_messages` may be.
pub const KEPT_MESSAGES: usize = 8_192;
/// Executions of a side, rejections and losing trades that are remembered: the most that their limits may be.
pub const KEPT_EVENTS: usize = 1_024;

/// The most that a limit may be because of what is remembered; configuration refuses more.
pub fn most_remembered(key: &str) -> Option<Figure> {
    Some(match key {
        "max_messages" => Figure::Count(KEPT_MESSAGES as u64),
        "max_repeated_executions" | "max_rejects" | "max_losing_trades" => Figure::Count(KEPT_EVENTS as u64),
        "message_seconds" | "repeated_execution_seconds" | "burst_seconds" => Figure::Nanoseconds(LONGEST.nanos()),
        "duplicate_seconds" => Figure::Nanoseconds(LONGEST_DUPLICATE.nanos()),
        _ => return None,
    })
}

/// Messages to the broker and trades.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Traffic {
    lately: Window<KEPT_MESSAGES>,
    /// Of this session.
    messages: u64,
    /// Of this session.
    trades: u64,
}

impl Traffic {
    fn message(&mut self, at: Timestamp) {
        self.lately.push(at);
        self.messages += 1;
    }

    fn begin_session(&mut self) {
        (self.messages, self.trades) = (0, 0);
    }
}

/// Of one strategy in one instrument.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Line {
    buys: Window<KEPT_EVENTS>,
    sells: Window<KEPT_EVENTS>,
    /// What its own trades make at average cost: tells which of them lose.
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<Latch>,
}

/// Of one strategy.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct OfStrategy {
    traffic: Traffic,
    rejects: Window<KEPT_EVENTS>,
    losses: Window<KEPT_EVENTS>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Latch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    losing: Option<Latch>,
    /// In instruments of the run; stored by symbol, so not here.
    #[serde(skip)]
    lines: FxHashMap<InstrumentId, Line>,
}

/// Whose messages and trades.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    /// The account's.
    Account,
    /// One strategy's.
    Strategy(StrategyId),
}

/// What happened lately.
#[derive(Clone, Debug)]
pub struct Activity {
    /// The latest that anything happened: nothing happens before it.
    latest: Timestamp,
    account: Traffic,
    // Numbers of our own: speed before resistance to chosen keys.
    strategies: FxHashMap<StrategyId, OfStrategy>,
    recent: Recent,
    absent: AbsentStrategies,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            latest: Timestamp::MIN,
            account: Traffic::default(),
            strategies: FxHashMap::default(),
            recent: Recent::default(),
            absent: AbsentStrategies::default(),
        }
    }
}

impl Activity {
    /// When something that happens at `now` counts as happening.
    fn at(&self, now: Timestamp) -> Timestamp {
        now.max(self.latest)
    }

    fn happens(&mut self, now: Timestamp) -> Timestamp {
        self.latest = self.at(now);
        self.latest
    }

    fn strategy(&mut self, strategy: StrategyId) -> &mut OfStrategy {
        self.strategies.entry(strategy).or_default()
    }

    fn line(&self, strategy: StrategyId, instrument: InstrumentId) -> Option<&Line> {
        self.strategies.get(&strategy)?.lines.get(&instrument)
    }

    /// An order has been approved and entered in the book: a message, however its journal fares.
    pub fn submitted(&mut self, order: &NewOrder, book: &Book, now: Timestamp) {
        self.message(order.strategy, now);
        self.recent.push(self.latest, Key::of(order));
        if let Some(parent) = order.parent {
            let line = self.strategy(order.strategy).lines.entry(order.instrument).or_default();
            // A child of an earlier decision was denied, or recovery tells of one; it has no say any more.
            if line.parent.as_ref().is_none_or(|known| known.id() < parent.id()) {
                line.parent = Some(Parent::of(parent, order.side));
            }
            if let Some(known) = line.parent.as_mut().filter(|known| known.id() == parent.id()) {
                known.add(order.client_order_id, book);
            }
        }
    }

    /// A cancel or a replace has been approved.
    pub fn message(&mut self, strategy: StrategyId, now: Timestamp) {
        let at = self.happens(now);
        self.account.message(at);
        self.strategy(strategy).traffic.message(at);
    }

    /// The book has taken a report. `spoken`: the broker said so itself; what we conclude, such as that an
    /// order never left, is no rejection of the broker's.
    pub fn reported(
        &mut self,
        report: &ExecutionReport,
        applied: &Applied,
        parent: Option<ParentOrder>,
        spoken: bool,
        now: Timestamp,
    ) {
        let at = self.happens(now);
        if let Some(undone) = applied.revoked.as_ref().and_then(|revoked| revoked.undone.as_ref()) {
            self.traded(applied, parent, undone, -1);
        }
        if let Some(fill) = &applied.fill {
            let loses = self.traded(applied, parent, fill, 1);
            // A correction is no new trade.
            if matches!(report.kind, ReportKind::Fill { .. }) {
                self.account.trades += 1;
                let strategy = self.strategy(applied.strategy);
                strategy.traffic.trades += 1;
                if loses {
                    strategy.losses.push(at);
                }
                let line = strategy.lines.entry(applied.instrument).or_default();
                match fill.side {
                    Side::Buy => line.buys.push(at),
                    Side::Sell => line.sells.push(at),
                }
            }
        }
        // A cancel that comes too late is everyday; an order or a change that is refused is not.
        if spoken && matches!(report.kind, ReportKind::Rejected { .. } | ReportKind::ReplaceRejected { .. }) {
            self.strategy(applied.strategy).rejects.push(at);
        }
    }

    /// Applies a fill, or takes one back with `sign` minus one; says whether it realised a loss.
    fn traded(&mut self, applied: &Applied, parent: Option<ParentOrder>, fill: &FillEffect, sign: i64) -> bool {
        let line = self.strategy(applied.strategy).lines.entry(applied.instrument).or_default();
        if let (Some(known), Some(parent)) = (&mut line.parent, parent)
            && known.id() == parent.id()
        {
            known.fill(fill.quantity * sign);
        }
        let before = line.position.realized;
        line.position.trade(fill.side.signed(fill.quantity) * sign, fill.price);
        line.position.realized < before
    }

    /// Another session has begun.
    pub fn begin_session(&mut self) {
        self.account.begin_session();
        self.strategies.values_mut().for_each(|strategy| strategy.traffic.begin_session());
    }

    /// Messages within a time.
    pub fn messages(&self, sender: Sender, window: Seconds, now: Timestamp) -> u64 {
        self.traffic(sender).map_or(0, |traffic| traffic.lately.count(self.at(now), window))
    }

    /// How many messages may be counted at all: see [`KEPT_MESSAGES`].
    pub fn most_messages(limit: Count) -> u64 {
        Window::<KEPT_MESSAGES>::most(limit)
    }

    /// Messages and trades of this session.
    pub fn session(&self, sender: Sender) -> (u64, u64) {
        self.traffic(sender).map_or((0, 0), |traffic| (traffic.messages, traffic.trades))
    }

    fn traffic(&self, sender: Sender) -> Option<&Traffic> {
        match sender {
            Sender::Account => Some(&self.account),
            Sender::Strategy(strategy) => self.strategies.get(&strategy).map(|of| &of.traffic),
        }
    }

    /// How long ago the same order was sent, in nanoseconds; none if it never was, as far as is remembered.
    pub fn since_same(&self, order: &NewOrder, now: Timestamp) -> Option<i64> {
        self.recent.last(&Key::of(order)).map(|last| self.at(now).nanos_since(last))
    }

    /// The latest decision of a strategy on an instrument.
    pub fn parent(&self, strategy: StrategyId, instrument: InstrumentId) -> Option<&Parent> {
        self.line(strategy, instrument)?.parent.as_ref()
    }

    /// How often what a rule is about has happened within its time, and how often it may.
    pub fn seen(
        &self,
        rule: Rule,
        (strategy, instrument): (StrategyId, InstrumentId),
        limits: &LimitTable,
        now: Timestamp,
    ) -> (u64, u64) {
        let (at, of) = (self.at(now), self.strategies.get(&strategy));
        let most = Window::<KEPT_EVENTS>::most;
        match rule {
            Rule::RepeatedExecutions => {
                let limits = limits.of(strategy, instrument);
                let count = |window: &Window<KEPT_EVENTS>| window.count(at, limits.repeated_execution_seconds);
                let line = self.line(strategy, instrument);
                let seen = line.map_or(0, |line| count(&line.buys).max(count(&line.sells)));
                (seen, most(limits.max_repeated_executions))
            }
            Rule::Rejects => {
                let limits = limits.of_strategy(strategy);
                let seen = of.map_or(0, |of| of.rejects.count(at, limits.burst_seconds));
                (seen, most(limits.max_rejects))
            }
            Rule::LosingTrades => {
                let limits = limits.of_strategy(strategy);
                let seen = of.map_or(0, |of| of.losses.count(at, limits.burst_seconds));
                (seen, most(limits.max_losing_trades))
            }
        }
    }

    /// What the events so far trip in these limits and has not tripped yet: to be asked after a report, and
    /// latched.
    pub fn due(
        &self,
        of: (StrategyId, InstrumentId),
        limits: &LimitTable,
        now: Timestamp,
    ) -> impl Iterator<Item = Tripped> {
        Rule::ALL.into_iter().filter_map(move |rule| {
            let (strategy, instrument) = of;
            let instrument = rule.is_of_an_instrument().then_some(instrument);
            if self.latched(rule, of).is_some() {
                return None;
            }
            let (seen, limit) = self.seen(rule, of, limits, now);
            let latch = Latch { at: self.at(now), seen, limit };
            (seen >= limit).then_some(Tripped { rule, strategy, instrument, latch })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{KEYS, SomeLimits};

    #[test]
    fn what_is_remembered_bounds_limits_that_exist() {
        let bounded: Vec<&str> = KEYS.iter().map(|key| key.name).filter(|key| most_remembered(key).is_some()).collect();
        assert_eq!(bounded.len(), 8, "{bounded:?}");
        for key in KEYS {
            let Some(most) = most_remembered(key.name) else { continue };
            let mut some = SomeLimits::default();
            (key.read)(&mut some, "7").unwrap();
            let read = (key.value)(&some).unwrap();
            assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(&most), "{} has another unit", key.name);
        }
    }
}
