//! Replay: stored daily bars as the stream of events that a session would have brought.
//!
//! A daily file tells a whole day at once. To replay it without looking ahead, each piece comes
//! when it could first have been known or traded on:
//!
//! | when | event | for |
//! |---|---|---|
//! | one second into the opening call | yesterday's bar (`Decide`) | strategies |
//! | open | opening print at the open price | auction orders |
//! | close | the day's range (`Match`) | resting orders |
//! | close | closing print at the close price | closing-auction orders |
//!
//! Both prints carry the day's volume, because the file does not know the auctions' own; the
//! simulated exchange takes one share of it for the whole day.

use market::calendar::Session;
use market::time::NANOS_PER_SECOND;
use market::{AuctionKind, AuctionPrint, Bar, BarUse, Calendar, Date, InstrumentId, MarketEvent, Phase, Timestamp};

/// Daily bars that cannot be replayed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReplayError {
    /// A bar on a day on which the exchange was closed.
    #[error("there is a bar on {date}, which was no session ({reason}): run 'pregao data verify'")]
    NoSession {
        /// The day.
        date: Date,
        /// Why the exchange was closed.
        reason: String,
    },
}

/// Bars of many instruments, each in the order of time.
#[derive(Clone, Debug, Default)]
pub struct BarHistory {
    /// By instrument number.
    by_instrument: Vec<Vec<Bar>>,
}

impl BarHistory {
    /// From bars in any order.
    pub fn new(instruments: usize, bars: impl IntoIterator<Item = Bar>) -> Self {
        let mut by_instrument = vec![Vec::new(); instruments];
        for bar in bars {
            if let Some(own) = by_instrument.get_mut(bar.instrument.index()) {
                own.push(bar);
            }
        }
        for own in &mut by_instrument {
            own.sort_by_key(|bar: &Bar| bar.end);
        }
        Self { by_instrument }
    }

    /// The last `count` bars of each of these instruments that had ended by `until`, in the order
    /// in which they would have been seen: by time, then by instrument number.
    pub fn last(&self, instruments: &[InstrumentId], count: usize, until: Timestamp) -> Vec<Bar> {
        let mut found: Vec<Bar> = instruments
            .iter()
            .filter_map(|instrument| self.by_instrument.get(instrument.index()))
            .flat_map(|own| {
                let ended = own.partition_point(|bar| bar.end <= until);
                own[ended.saturating_sub(count)..ended].iter().copied()
            })
            .collect();
        found.sort_by_key(|bar| (bar.end, bar.instrument));
        found
    }

    /// The last `count` bars of each of these instruments that a replay has delivered by `until`: a
    /// day's bar comes in the next session's opening call, so what has ended is not yet known.
    pub fn delivered(
        &self,
        calendar: &Calendar,
        instruments: &[InstrumentId],
        count: usize,
        until: Timestamp,
    ) -> Vec<Bar> {
        // The latest session whose opening call has come: everything before it is known.
        let mut day = Some(calendar.trading_day(until));
        while let Some(date) = day {
            if let Some(session) = calendar.session(date).filter(|session| decide_at(session) <= until) {
                return self.last(instruments, count, session.start().plus_nanos(-1));
            }
            day = calendar.previous_session(date);
        }
        Vec::new()
    }

    /// All bars that ended within a span of days, by time, then by instrument number.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Vec<Bar> {
        let within = |bar: &&Bar| (from..=to).contains(&bar.end);
        let mut found: Vec<Bar> = self.by_instrument.iter().flatten().filter(within).copied().collect();
        found.sort_by_key(|bar| (bar.end, bar.instrument));
        found
    }
}

/// When strategies decide on the day before: one second into the opening call.
fn decide_at(session: &Session) -> Timestamp {
    let call = session.phases().iter().find(|span| span.phase == Phase::PreOpen);
    call.map_or(session.start(), |span| span.start).plus_nanos(NANOS_PER_SECOND)
}

/// The events of the sessions that `bars` cover. Bars come by time, then by instrument, each ending
/// with its session ([`Calendar`]'s close); the bars of the last day before the first session, if
/// given in `before`, are what strategies decide on in the first opening call.
///
/// # Errors
/// A bar on a day without a session.
pub fn daily_stream(calendar: &Calendar, before: &[Bar], bars: &[Bar]) -> Result<Vec<MarketEvent>, ReplayError> {
    let mut events = Vec::with_capacity(bars.len() * 4);
    let mut yesterday = before;
    for day in bars.chunk_by(|a, b| a.end.local_date() == b.end.local_date()) {
        let Some(date) = day.first().map(|bar| bar.end.local_date()) else { continue };
        let session = calendar.session(date).ok_or_else(|| ReplayError::NoSession {
            date,
            reason: calendar.closing_reason(date).unwrap_or("beyond the calendar").to_owned(),
        })?;
        let decide_at = decide_at(&session);
        events.extend(yesterday.iter().map(|bar| MarketEvent::Bar { at: decide_at, bar: *bar, used: BarUse::Decide }));
        let print = |bar: &Bar, at, kind, price| {
            MarketEvent::Auction(AuctionPrint { at, instrument: bar.instrument, kind, price, quantity: bar.volume })
        };
        events.extend(day.iter().map(|bar| print(bar, session.open(), AuctionKind::Opening, bar.open)));
        let close = session.close();
        events.extend(day.iter().map(|bar| MarketEvent::Bar {
            at: close,
            bar: Bar { end: close, ..*bar },
            used: BarUse::Match,
        }));
        events.extend(day.iter().map(|bar| print(bar, close, AuctionKind::Closing, bar.close)));
        yesterday = day;
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Price, Quantity};

    fn bar(calendar: &Calendar, date: Date, instrument: u32, cents: i64) -> Bar {
        let price = |cents| Price::from_cents(cents).unwrap();
        Bar {
            end: calendar.session(date).map_or(Timestamp::MIN, |session| session.close()),
            instrument: InstrumentId::new(instrument),
            open: price(cents),
            high: price(cents + 10),
            low: price(cents - 10),
            close: price(cents + 5),
            volume: Quantity::new(1000),
        }
    }

    #[test]
    fn each_piece_comes_when_it_could_first_be_known() {
        let calendar = Calendar::b3();
        let day = |d| Date::from_ymd_opt(2017, 12, d).unwrap();
        let bars: Vec<Bar> = [20, 21].iter().flat_map(|d| [0, 1].map(|id| bar(&calendar, day(*d), id, 1000))).collect();
        let before = [bar(&calendar, day(19), 0, 990)];
        let events = daily_stream(&calendar, &before, &bars).unwrap();
        let told: Vec<(String, u32, &str)> = events
            .iter()
            .map(|event| {
                let kind = match event {
                    MarketEvent::Bar { used: BarUse::Decide, .. } => "decide",
                    MarketEvent::Bar { .. } => "match",
                    MarketEvent::Auction(print) if print.kind == AuctionKind::Opening => "opening",
                    MarketEvent::Auction(_) => "closing",
                    _ => "other",
                };
                (event.at().local().format("%d %H:%M:%S").to_string(), event.instrument().index() as u32, kind)
            })
            .collect();
        let expected = [
            ("20 09:45:01", 0, "decide"),
            ("20 10:00:00", 0, "opening"),
            ("20 10:00:00", 1, "opening"),
            ("20 18:00:00", 0, "match"),
            ("20 18:00:00", 1, "match"),
            ("20 18:00:00", 0, "closing"),
            ("20 18:00:00", 1, "closing"),
            ("21 09:45:01", 0, "decide"),
            ("21 09:45:01", 1, "decide"),
            ("21 10:00:00", 0, "opening"),
        ];
        for (told, expected) in told.iter().zip(expected) {
            assert_eq!((told.0.as_str(), told.1, told.2), expected);
        }
        assert!(events.iter().all(MarketEvent::is_sound));
        assert!(events.is_sorted_by_key(MarketEvent::at));
    }

    #[test]
    fn a_phantom_session_is_refused_with_its_reason() {
        let calendar = Calendar::b3();
        let christmas = Date::from_ymd_opt(2017, 12, 25).unwrap();
        let noon = Timestamp::from_local(christmas.and_hms_opt(12, 0, 0).unwrap()).unwrap();
        let phantom = Bar { end: noon, ..bar(&calendar, christmas, 0, 1000) };
        let error = daily_stream(&calendar, &[], &[phantom]).unwrap_err().to_string();
        assert!(error.contains("2017-12-25") && error.contains("was no session"), "{error}");
    }

    #[test]
    fn the_last_bars_of_a_history_end_before_the_moment() {
        let calendar = Calendar::b3();
        let day = |d| Date::from_ymd_opt(2017, 12, d).unwrap();
        let all = [19, 20, 21].iter().flat_map(|d| [1, 0].map(|id| bar(&calendar, day(*d), id, 1000)));
        let history = BarHistory::new(2, all.collect::<Vec<_>>());
        let both = [InstrumentId::new(0), InstrumentId::new(1)];
        let until = calendar.session(day(20)).unwrap().close();
        let seen: Vec<(u32, u32)> = history
            .last(&both, 1, until)
            .iter()
            .map(|bar| (chrono::Datelike::day(&bar.end.local_date()), bar.instrument.index() as u32))
            .collect();
        assert_eq!(seen, [(20, 0), (20, 1)]);
        assert_eq!(history.last(&both, 9, until).len(), 4);
        assert_eq!(history.last(&both, 9, until.plus_nanos(-1)).len(), 2);
        assert_eq!(history.between(until, until).len(), 2);
        // At the close of the 20th, and all night, the 19th is what a replay has delivered.
        let call = calendar.session(day(21)).unwrap().start().plus_nanos(20 * 60 * NANOS_PER_SECOND);
        for (until, delivered) in [(until, 2), (call.plus_nanos(-10 * 60 * NANOS_PER_SECOND), 2), (call, 4)] {
            assert_eq!(history.delivered(&calendar, &both, 9, until).len(), delivered, "{until}");
        }
    }
}
