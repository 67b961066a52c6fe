//! What happened within sessions, again: stored minute bars or trades as events, at any speed.
//!
//! [`SessionReplay::poll`] says what there is now, as every feed does: the next event, or how long until
//! it is due. The time that it is measured by is a seam, so the same replay runs in a test without
//! waiting. A bar comes when it has ended, which is the first moment that anybody could know it.
//!
//! Nights, and everything else between two days, take no time. Daily bars are another matter, see
//! [`crate::replay`].

use std::sync::Arc;
use std::time::Duration;

use market::history::{HistoryBar, Interval};
use market::{Bar, InstrumentId, MarketEvent, Symbol, Timestamp, Trade};
use thiserror::Error;

use crate::fetch::Time;
use crate::source::SourceTrade;

/// How fast.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Speed {
    /// So many times as fast as it was; a number above zero.
    Times(f64),
    /// As fast as it goes.
    Unpaced,
}

/// What cannot be replayed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ReplaySessionError {
    /// A symbol that this run does not know.
    #[error("{0} is stored and not part of this run: add it to the instruments, or leave it out of the replay")]
    UnknownSymbol(Symbol),
    /// A bar of a day.
    #[error("the bar of {symbol} at {begin} is of a whole day: replay days by 'pregao backtest', minutes here")]
    WholeDay {
        /// Of what.
        symbol: Symbol,
        /// Its begin.
        begin: Timestamp,
    },
    /// No speed.
    #[error("a speed of '{0}' is none: give a number above zero, such as 1 or 60")]
    Speed(String),
}

/// What there is now.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Due {
    /// The next event.
    Event(MarketEvent),
    /// None for so long.
    In(Duration),
    /// None ever again.
    End,
}

/// Sessions that run again.
pub struct SessionReplay {
    events: std::vec::IntoIter<MarketEvent>,
    next: Option<MarketEvent>,
    speed: Speed,
    time: Arc<dyn Time>,
    /// The last event's own time, and when it was due by ours.
    last: Option<(Timestamp, Timestamp)>,
}

/// Stored bars of minutes as events, in the order of time, then of instruments. Each may be decided and
/// matched on.
///
/// # Errors
/// A symbol that this run does not know, or a bar of a day.
pub fn bars(
    bars: &[HistoryBar],
    instrument: impl Fn(Symbol) -> Option<InstrumentId>,
) -> Result<Vec<MarketEvent>, ReplaySessionError> {
    let event = |bar: &HistoryBar| {
        let symbol = bar.symbol;
        let Interval::Minutes(minutes) = bar.interval else {
            return Err(ReplaySessionError::WholeDay { symbol, begin: bar.begin });
        };
        let id = instrument(symbol).ok_or(ReplaySessionError::UnknownSymbol(symbol))?;
        Ok(MarketEvent::bar(Bar {
            end: bar.begin.plus_nanos(i64::from(minutes.get()) * 60_000_000_000),
            instrument: id,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
        }))
    };
    in_order(bars.iter().map(event))
}

/// Stored trades as events, in the order of time, then of instruments, then of their numbers. Those that
/// were canceled are left out: who replays a day knows it.
///
/// # Errors
/// A symbol that this run does not know.
pub fn trades(
    trades: &[SourceTrade],
    instrument: impl Fn(Symbol) -> Option<InstrumentId>,
) -> Result<Vec<MarketEvent>, ReplaySessionError> {
    let mut kept: Vec<&SourceTrade> = trades.iter().filter(|trade| !trade.canceled).collect();
    kept.sort_by_key(|trade| (trade.at, trade.trade_id));
    let event = |trade: &SourceTrade| {
        let id = instrument(trade.symbol).ok_or(ReplaySessionError::UnknownSymbol(trade.symbol))?;
        Ok(MarketEvent::Trade(Trade { at: trade.at, instrument: id, price: trade.price, quantity: trade.quantity }))
    };
    in_order(kept.into_iter().map(event))
}

/// By time, then by instrument; what is alike stays in its order.
fn in_order(
    events: impl Iterator<Item = Result<MarketEvent, ReplaySessionError>>,
) -> Result<Vec<MarketEvent>, ReplaySessionError> {
    let mut events = events.collect::<Result<Vec<_>, _>>()?;
    events.sort_by_key(|event| (event.at(), event.instrument()));
    Ok(events)
}

impl SessionReplay {
    /// These events, in the order of time, at this speed.
    ///
    /// # Errors
    /// The speed is none.
    pub fn new(events: Vec<MarketEvent>, speed: Speed, time: Arc<dyn Time>) -> Result<Self, ReplaySessionError> {
        if let Speed::Times(times) = speed
            && !(times.is_finite() && times > 0.0)
        {
            return Err(ReplaySessionError::Speed(times.to_string()));
        }
        let mut events = events.into_iter();
        let next = events.next();
        Ok(Self { events, next, speed, time, last: None })
    }

    /// What there is now. The first event is due at once; one that is late comes at once too, and those
    /// after it keep to the beat, so a slow reader catches up.
    pub fn poll(&mut self) -> Due {
        let Some(event) = self.next else { return Due::End };
        let now = self.time.now();
        let due = self.due(&event, now);
        let left = due.nanos_since(now);
        if left > 0 {
            return Due::In(Duration::from_nanos(left.unsigned_abs()));
        }
        self.last = Some((event.at(), due));
        self.next = self.events.next();
        Due::Event(event)
    }

    fn due(&self, event: &MarketEvent, now: Timestamp) -> Timestamp {
        match (self.last, self.speed) {
            (Some((last, was_due)), Speed::Times(times)) if last.local_date() == event.at().local_date() => {
                let gap = event.at().nanos_since(last).max(0);
                // A day has 1e14 nanoseconds, which a float holds exactly; what is beyond the range is held there.
                was_due.plus_nanos((gap as f64 / times) as i64)
            }
            // The first, the first of a day, and all where there is no pace.
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    use market::history::SourceName;
    use market::{Date, Price, Quantity};
    use proptest::prelude::*;

    /// Stands still until somebody sleeps.
    #[derive(Default)]
    struct Still(Mutex<i64>);

    impl Time for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(*self.0.lock().unwrap())
        }

        fn sleep(&self, span: Duration) {
            *self.0.lock().unwrap() += i64::try_from(span.as_nanos()).unwrap();
        }

        fn chance(&self) -> u64 {
            0
        }
    }

    fn at(day: u32, time: &str) -> Timestamp {
        let date = Date::from_ymd_opt(2026, 11, day).unwrap();
        Timestamp::from_local(date.and_time(time.parse().unwrap())).unwrap()
    }

    fn bar(symbol: &str, begin: Timestamp, interval: Interval) -> HistoryBar {
        let price: Price = "41.20".parse().unwrap();
        HistoryBar {
            source: SourceName::of("b3_trades"),
            symbol: symbol.parse().unwrap(),
            interval,
            begin,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Quantity::new(100),
            trades: None,
            turnover: None,
            adjusted_close: None,
        }
    }

    fn instrument(symbol: Symbol) -> Option<InstrumentId> {
        ["PETR4", "VALE3"]
            .iter()
            .position(|known| *known == symbol.as_str())
            .map(|place| InstrumentId::new(place as u32))
    }

    /// Everything, with the seconds that were waited for it.
    fn run(events: Vec<MarketEvent>, speed: Speed) -> Vec<(f64, String)> {
        let time = Arc::new(Still::default());
        let mut replay = SessionReplay::new(events, speed, time.clone()).unwrap();
        let mut told = Vec::new();
        loop {
            match replay.poll() {
                Due::Event(event) => {
                    let at = event.at().local().format("%d %H:%M:%S").to_string();
                    told.push((time.now().as_nanos() as f64 / 1e9, format!("{at} {}", event.instrument().index())));
                }
                Due::In(span) => time.sleep(span),
                Due::End => return told,
            }
        }
    }

    #[test]
    fn a_session_runs_again_at_the_speed_that_is_asked_for_and_nights_take_no_time() {
        let stored = [
            bar("VALE3", at(26, "10:07:00"), Interval::MINUTE),
            bar("PETR4", at(26, "10:07:00"), Interval::MINUTE),
            bar("PETR4", at(26, "10:09:00"), Interval::MINUTE),
            bar("PETR4", at(27, "10:00:00"), Interval::MINUTE),
            bar("PETR4", at(27, "10:00:00"), Interval::minutes(15).unwrap()),
        ];
        let names = ["26 10:08:00 0", "26 10:08:00 1", "26 10:10:00 0", "27 10:01:00 0", "27 10:15:00 0"];
        for (speed, waited) in [
            (Speed::Times(1.0), [0.0, 0.0, 120.0, 120.0, 960.0]),
            (Speed::Times(60.0), [0.0, 0.0, 2.0, 2.0, 16.0]),
            (Speed::Times(0.5), [0.0, 0.0, 240.0, 240.0, 1_920.0]),
            (Speed::Unpaced, [0.0; 5]),
        ] {
            let told = run(bars(&stored, instrument).unwrap(), speed);
            let expected: Vec<_> = waited.into_iter().zip(names.map(str::to_owned)).collect();
            assert_eq!(told, expected, "{speed:?}");
        }
    }

    #[test]
    fn trades_come_by_time_and_number_without_those_that_were_taken_back() {
        let trade = |id: u64, time: &str, canceled| SourceTrade {
            symbol: "PETR4".parse().unwrap(),
            at: at(26, time),
            session: at(26, time).local_date(),
            trade_id: id,
            price: "41.20".parse().unwrap(),
            quantity: Quantity::new(i64::try_from(id).unwrap()),
            canceled,
            after_market: false,
        };
        let stored = [
            trade(30, "10:07:20", false),
            trade(20, "10:07:19", false),
            trade(10, "10:07:19", false),
            trade(15, "10:07:19", true),
        ];
        let events = trades(&stored, instrument).unwrap();
        let sizes: Vec<i64> = events
            .iter()
            .map(|event| if let MarketEvent::Trade(trade) = event { trade.quantity.units() } else { 0 })
            .collect();
        assert_eq!(sizes, [10, 20, 30]);
        assert_eq!(run(events, Speed::Times(2.0)).last().unwrap().0, 0.5);
    }

    #[test]
    fn what_cannot_be_replayed_is_named() {
        let day = bar("PETR4", at(26, "00:00:00"), Interval::Day);
        let error = bars(&[day], instrument).unwrap_err().to_string();
        assert!(error.contains("PETR4") && error.contains("whole day"), "{error}");
        let error = bars(&[bar("ABEV3", at(26, "10:00:00"), Interval::MINUTE)], instrument).unwrap_err().to_string();
        assert!(error.starts_with("ABEV3 is stored and not part of this run"), "{error}");
        for times in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                SessionReplay::new(Vec::new(), Speed::Times(times), Arc::new(Still::default())).is_err(),
                "{times}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_event_comes_before_its_time(
            minutes in prop::collection::vec(0_u32..900, 0..30),
            times in prop_oneof![Just(0.25), Just(1.0), Just(7.0), Just(1e6)],
        ) {
            let midnight = at(26, "06:00:00");
            let stored: Vec<HistoryBar> = minutes
                .iter()
                .map(|minute| bar("PETR4", midnight.plus_nanos(i64::from(*minute) * 60_000_000_000), Interval::MINUTE))
                .collect();
            let told = run(bars(&stored, instrument).unwrap(), Speed::Times(times));
            prop_assert_eq!(told.len(), stored.len());
            if let (Some(first), Some(last)) = (minutes.iter().min(), minutes.iter().max()) {
                let span = f64::from(last - first) * 60.0 / times;
                prop_assert!((told.last().unwrap().0 - span).abs() < 1e-3, "{:?}", told.last());
            }
        }
    }
}
