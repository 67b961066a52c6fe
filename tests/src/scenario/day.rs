//! The day and its market: time moves, phases change, prices are told.

use brokers::Broker;
use desk::{Entry, Input};
use market::{
    AuctionKind, AuctionPrint, BoundsChange, Date, MarketEvent, OrderBounds, Phase, PhaseChange, Quantity, Quote,
    StatusChange, Timestamp, Trade, TradingStatus,
};

use super::setting;
use super::stage::Stage;
use super::words::{Words, traded};

/// Size on each side of a quote that names none.
const USUAL_SIZE: Quantity = Quantity::new(1_000_000);
/// Time between two ticks, as live.
const TICK: i64 = 250_000_000;

impl Stage {
    /// A person changes some of the limits.
    pub(super) fn limits(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let mut limits = Box::new(self.protocol.desk().limits().limits().clone());
        let mut global = limits.global.all();
        while let Some((key, text)) = words.pair()? {
            setting::limit(&mut global, key, text)?;
        }
        limits.global = global.or_wide();
        let (by, reason) = ("maria".to_owned(), "the scenario says so".to_owned());
        self.tell(Input::Limits { limits, by, second: None, reason })
    }

    pub(super) fn session(&mut self, date: Date) -> Result<(), String> {
        let session = self.desk.book.calendar.session(date).ok_or_else(|| format!("{date} is no session"))?;
        self.advance(session.start())
    }

    pub(super) fn phase(&mut self, name: &str) -> Result<(), String> {
        let phase = Phase::ALL.into_iter().find(|phase| phase.name() == name);
        let phase = phase.ok_or_else(|| format!("'{name}' is not a phase"))?;
        let date = self.clock.session();
        let session = self.desk.book.calendar.session(date).ok_or_else(|| format!("{date} is no session"))?;
        let scheduled = session.phases().iter().find(|span| span.phase == phase && span.start > self.now);
        match scheduled {
            Some(span) => self.advance(span.start),
            None if phase == Phase::Closed && session.end() > self.now => self.advance(session.end()),
            // A halt or a call of its own begins now; so does what it interrupted, when it is over.
            None => self.change(PhaseChange { at: self.now, phase, session: date }),
        }
    }

    pub(super) fn at(&mut self, time: chrono::NaiveTime) -> Result<(), String> {
        let moment = Timestamp::from_local(self.clock.session().and_time(time));
        self.advance(moment.ok_or("that time is out of range")?)
    }

    /// Seconds pass, and the protocol looks at its clock as often as it does live.
    pub(super) fn later(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let word = words.next("seconds such as 6s")?;
        let seconds: Option<i64> = word.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
        let seconds =
            seconds.filter(|seconds| *seconds > 0).ok_or_else(|| format!("'{word}' is not a time such as 6s"))?;
        let until = self.now.plus_nanos(seconds * market::time::NANOS_PER_SECOND);
        while self.now < until {
            self.advance(self.now.plus_nanos(TICK).min(until))?;
            self.tell(Input::Tick)?;
        }
        Ok(())
    }

    fn advance(&mut self, to: Timestamp) -> Result<(), String> {
        if to < self.now {
            return Err(format!("time cannot go back: it is {} already", self.now.local().time()));
        }
        let mut changes = Vec::new();
        self.clock.advance(to, &mut changes);
        for change in changes {
            self.now = change.at;
            self.change(change)?;
        }
        self.now = to;
        self.exchange(|exchange, reports| exchange.on_time(to, reports));
        self.settle()
    }

    fn change(&mut self, change: PhaseChange) -> Result<(), String> {
        self.exchange(|exchange, reports| exchange.on_phase(&change, reports));
        self.settle()?;
        self.tell(Input::Phase(change))
    }

    /// Hears what the exchange has reported; every report of it must fit.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.work_off()?;
        match (&self.exchange, self.written("anomaly")?) {
            (Some(_), Some(Entry::Anomaly { reason, .. })) => {
                Err(format!("a report of the exchange does not fit: {reason}"))
            }
            _ => Ok(()),
        }
    }

    // The market.

    pub(super) fn quote(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let instrument = self.instrument(words.next("a symbol")?)?;
        let bid = words.read("a bid")?;
        words.skip("/")?;
        let ask = words.read("an ask")?;
        let (mut bid_size, mut ask_size) = (USUAL_SIZE, USUAL_SIZE);
        if words.skip_if("x") {
            bid_size = words.read("a size")?;
            words.skip("/")?;
            ask_size = words.read("a size")?;
        }
        self.market(MarketEvent::Quote(Quote { at: self.now, instrument, bid, ask, bid_size, ask_size }))
    }

    pub(super) fn trade(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let instrument = self.instrument(words.next("a symbol")?)?;
        let (quantity, price) = traded(words)?;
        self.market(MarketEvent::Trade(Trade { at: self.now, instrument, price, quantity }))
    }

    pub(super) fn auction(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let instrument = self.instrument(words.next("a symbol")?)?;
        let kind = match words.next("an auction")? {
            "opening" => AuctionKind::Opening,
            "intraday" => AuctionKind::Intraday,
            "closing" => AuctionKind::Closing,
            other => return Err(format!("'{other}' is not an auction: opening, intraday or closing")),
        };
        let (quantity, price) = traded(words)?;
        self.market(MarketEvent::Auction(AuctionPrint { at: self.now, instrument, kind, price, quantity }))
    }

    pub(super) fn status(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let instrument = self.instrument(words.next("a symbol")?)?;
        let name = words.next("a status")?;
        let status = TradingStatus::ALL.into_iter().find(|status| status.name() == name);
        let status = status.ok_or_else(|| format!("'{name}' is not a status: trading, auction, halted or unknown"))?;
        self.market(MarketEvent::Status(StatusChange { at: self.now, instrument, status }))
    }

    pub(super) fn bounds(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let instrument = self.instrument(words.next("a symbol")?)?;
        let low_limit_price = words.read("a price")?;
        words.skip("/")?;
        let high_limit_price = words.read("a price")?;
        words.skip("x")?;
        let min_quantity = words.read("a quantity")?;
        words.skip("/")?;
        let max_quantity = words.read("a quantity")?;
        let bounds = OrderBounds { low_limit_price, high_limit_price, min_quantity, max_quantity };
        if !bounds.is_sound() {
            return Err("no order fits these bounds".to_owned());
        }
        self.market(MarketEvent::Bounds(BoundsChange { at: self.now, instrument, bounds }))
    }

    /// In the order of the backtest's loop: the exchange fills, the book is marked, the daily loss is
    /// looked at. A crossed quote reaches the desk, because the review has to see one.
    fn market(&mut self, event: MarketEvent) -> Result<(), String> {
        if event.is_sound() {
            self.exchange(|exchange, reports| exchange.on_market(&event, reports));
            self.settle()?;
        }
        let instrument = event.instrument();
        let top = &mut self.tops[instrument.index()];
        if top.apply(&event) {
            let top = *top;
            self.tell(Input::Look { instrument, top })?;
        }
        Ok(())
    }
}
