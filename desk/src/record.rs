//! What a run leaves to be read afterwards: fills in order, equity by day, counts, a fingerprint.
//!
//! The live actors and the backtest keep the same record, so two runs can be compared byte by byte.

use std::sync::Arc;

use market::{
    ClientOrderId, Date, ExecutionId, InstrumentId, Money, Price, Quantity, Side, StrategyId, Timestamp, Universe,
};
use oms::{Applied, Book};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// One fill as it was applied.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RecordedFill {
    /// When.
    pub at: Timestamp,
    /// Of which order.
    pub client_order_id: ClientOrderId,
    /// The broker's name of it.
    pub execution_id: ExecutionId,
    /// Whose order.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Units.
    pub quantity: Quantity,
    /// Price per unit.
    pub price: Price,
    /// Fees charged for it.
    pub fee: Money,
}

/// The account at the end of a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct RecordedDay {
    /// Which day, exchange time.
    pub date: Date,
    /// Cash plus positions at their marks.
    pub equity: Money,
    /// Positions at their marks, longs and shorts added, open orders at worst.
    pub exposure: Money,
    /// Fees so far.
    pub fees: Money,
}

/// How often what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// Market events taken in.
    pub events: u64,
    /// Market events dropped as unsound.
    pub unsound_events: u64,
    /// Requests of strategies.
    pub requests: u64,
    /// Orders sent.
    pub orders: u64,
    /// Cancels sent.
    pub cancels: u64,
    /// Replaces sent.
    pub replaces: u64,
    /// Requests denied by us.
    pub denials: u64,
    /// Orders rejected by the broker.
    pub rejections: u64,
    /// Reports that did not fit.
    pub anomalies: u64,
    /// Fills.
    pub fills: u64,
}

/// The record of a run.
#[derive(Clone, Debug)]
pub struct Record {
    universe: Arc<Universe>,
    /// Fills in the order they were applied.
    pub fills: Vec<RecordedFill>,
    /// Days in order.
    pub days: Vec<RecordedDay>,
    /// How often what happened.
    pub counts: Counts,
    today: Option<Date>,
}

impl Record {
    /// Nothing yet.
    pub fn new(universe: Arc<Universe>) -> Self {
        Self { universe, fills: Vec::new(), days: Vec::new(), counts: Counts::default(), today: None }
    }

    /// Notes a fill, if the report was one; forgets one that was taken back.
    pub fn applied(&mut self, at: Timestamp, applied: &Applied) {
        if let Some(undone) = applied.revoked.as_ref().and_then(|revoked| revoked.undone.as_ref()) {
            let taken_back = |fill: &RecordedFill| fill.execution_id == undone.execution_id;
            if let Some(place) = self.fills.iter().rposition(taken_back) {
                self.fills.remove(place);
                self.counts.fills -= 1;
            }
        }
        let Some(fill) = &applied.fill else { return };
        self.counts.fills += 1;
        self.fills.push(RecordedFill {
            at,
            client_order_id: applied.client_order_id,
            execution_id: fill.execution_id.clone(),
            strategy: applied.strategy,
            instrument: applied.instrument,
            side: fill.side,
            quantity: fill.quantity,
            price: fill.price,
            fee: fill.fee,
        });
    }

    /// Called with the book as it stands before anything of `day` is applied: closes the day
    /// before, if there was one.
    #[inline]
    pub fn begin_day(&mut self, day: Date, book: &Book) {
        if self.today != Some(day) {
            self.close_day(book);
            self.today = Some(day);
        }
    }

    /// Closes the last day of the run.
    pub fn close_day(&mut self, book: &Book) {
        if let Some(date) = self.today.take() {
            let (equity, exposure, fees) = (book.equity(), book.gross_exposure(), book.fees());
            self.days.push(RecordedDay { date, equity, exposure, fees });
        }
    }

    /// SHA-256 over all fills in order, as lower-case hexadecimal: the same on every machine.
    ///
    /// Each fill is one line of text, `order,execution,symbol,side,quantity,price,fee,nanoseconds`.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for fill in &self.fills {
            let line = format!(
                "{},{},{},{},{},{},{},{}\n",
                fill.client_order_id,
                fill.execution_id,
                self.universe.symbol(fill.instrument),
                fill.side,
                fill.quantity,
                fill.price,
                fill.fee,
                fill.at.as_nanos(),
            );
            hasher.update(line.as_bytes());
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
