//! Trades to one-minute bars.
//!
//! What was canceled is left out, and so is the after-market: its bars would look like a session that
//! goes on. A minute without a trade has no bar. The first and last price of a minute are those of the
//! first and last trade by time and then by number, in whatever order they come in.

use std::collections::BTreeMap;

use market::history::{HistoryBar, Interval, SourceName};
use market::{Money, Price, Quantity, Symbol, Timestamp};

use crate::source::SourceTrade;

const NANOS_PER_MINUTE: i64 = 60_000_000_000;

/// Bars in the making.
#[derive(Clone, Debug)]
pub struct MinuteBars {
    source: SourceName,
    minutes: BTreeMap<(Symbol, Timestamp), Minute>,
    left_out: u64,
}

#[derive(Clone, Debug)]
struct Minute {
    first: Place,
    last: Place,
    open: Price,
    high: Price,
    low: Price,
    close: Price,
    units: i64,
    trades: u32,
    turnover: Money,
}

/// When, and which of that moment.
type Place = (Timestamp, u64);

impl MinuteBars {
    /// None yet; they will be of this source.
    pub fn new(source: SourceName) -> Self {
        Self { source, minutes: BTreeMap::new(), left_out: 0 }
    }

    /// Takes a trade in.
    pub fn add(&mut self, trade: &SourceTrade) {
        if trade.canceled || trade.after_market || trade.price <= Price::ZERO || !trade.quantity.is_positive() {
            self.left_out += 1;
            return;
        }
        let nanos = trade.at.as_nanos();
        let begin = Timestamp::from_nanos(nanos - nanos.rem_euclid(NANOS_PER_MINUTE));
        let place = (trade.at, trade.trade_id);
        let price = trade.price;
        let minute = self.minutes.entry((trade.symbol, begin)).or_insert(Minute {
            first: place,
            last: place,
            open: price,
            high: price,
            low: price,
            close: price,
            units: 0,
            trades: 0,
            turnover: Money::ZERO,
        });
        if place < minute.first {
            (minute.first, minute.open) = (place, price);
        }
        if place >= minute.last {
            (minute.last, minute.close) = (place, price);
        }
        minute.high = minute.high.max(price);
        minute.low = minute.low.min(price);
        minute.units = minute.units.saturating_add(trade.quantity.units());
        minute.trades = minute.trades.saturating_add(1);
        // Held at the end of the range: what a stranger writes must not stop the engine.
        let steps = minute.turnover.steps().saturating_add(price.times(trade.quantity).steps());
        minute.turnover = Money::from_steps(steps);
    }

    /// Trades that are in no bar: canceled, after the market, or without price or units.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The bars, by symbol and time.
    pub fn finish(self) -> Vec<HistoryBar> {
        let source = self.source;
        let bar = |((symbol, begin), minute): ((Symbol, Timestamp), Minute)| HistoryBar {
            source,
            symbol,
            interval: Interval::MINUTE,
            begin,
            open: minute.open,
            high: minute.high,
            low: minute.low,
            close: minute.close,
            volume: Quantity::new(minute.units),
            trades: Some(minute.trades),
            turnover: Some(minute.turnover),
            adjusted_close: None,
        };
        self.minutes.into_iter().map(bar).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Date;

    fn trade(symbol: &str, time: &str, id: u64, price: &str, units: i64) -> SourceTrade {
        let session = Date::from_ymd_opt(2026, 7, 14).unwrap();
        SourceTrade {
            symbol: symbol.parse().unwrap(),
            at: Timestamp::from_local(session.and_time(time.parse().unwrap())).unwrap(),
            session,
            trade_id: id,
            price: price.parse().unwrap(),
            quantity: Quantity::new(units),
            canceled: false,
            after_market: false,
        }
    }

    #[test]
    fn a_minute_is_what_was_traded_and_stayed() {
        let mut bars = MinuteBars::new(SourceName::of("b3_trades"));
        for trade in [
            // Two at one moment, in the wrong order: the number decides.
            trade("PETR4", "10:07:19.126", 20, "41.25", 100),
            trade("PETR4", "10:07:19.126", 10, "41.20", 5_500),
            trade("PETR4", "10:07:59.999", 30, "41.10", 200),
            trade("PETR4", "10:09:00", 40, "41.30", 100),
            SourceTrade { canceled: true, ..trade("PETR4", "10:07:30", 25, "99.00", 100) },
            SourceTrade { after_market: true, ..trade("PETR4", "17:40:00", 90, "41.30", 100) },
            trade("PETR4", "10:07:30", 26, "0", 100),
            trade("ABEV3", "10:07:00", 1, "13.01", 300),
        ] {
            bars.add(&trade);
        }
        assert_eq!(bars.left_out(), 3);
        let told: Vec<String> = bars
            .finish()
            .iter()
            .map(|bar| {
                let (o, h, l, c) = (bar.open, bar.high, bar.low, bar.close);
                let begin = bar.begin.local().format("%H:%M");
                let (trades, turnover) = (bar.trades.unwrap(), bar.turnover.unwrap());
                format!("{} {begin} {o} {h} {l} {c} {} {trades} {turnover}", bar.symbol, bar.volume)
            })
            .collect();
        assert_eq!(
            told,
            [
                "ABEV3 10:07 13.01 13.01 13.01 13.01 300 1 3903.00",
                "PETR4 10:07 41.20 41.25 41.10 41.10 5800 3 238945.00",
                "PETR4 10:09 41.30 41.30 41.30 41.30 100 1 4130.00",
            ]
        );
    }
}
