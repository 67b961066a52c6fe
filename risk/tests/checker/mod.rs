//! The naive checker: random orders, replaces, cancels, fills, busts, rejections, losses, unknowns, quotes and
//! time against the real review, and an account on paper that works everything out again from lists of what
//! happened. For each order and replace every check's verdict must be the same, not only the first denial.
//!
//! A run is a seed: the same on every machine. `scripts/risk-check` makes millions of orders of many seeds.

pub(crate) mod paper;
pub(crate) mod rules;

use std::collections::BTreeMap;

use market::fees::Brokerage;
use market::order::{CancelOrder, Forecast, ReplaceOrder};
use market::{
    BoundsChange, Calendar, ClientOrderId, Date, ExecutionId, ExecutionReport, FeeSchedule, Instrument, InstrumentId,
    InstrumentKind, MarketEvent, Money, NewOrder, OrderBounds, OrderType, ParentOrder, Phase, Price, Quantity, Rate,
    ReportKind, Side, StatusChange, StrategyId, TimeInForce, Timestamp, TopOfBook, TradingStatus, Universe,
};
use oms::{Book, BookSettings};
use risk::limits::{Sector, SomeLimits, StrategyLimits};
use risk::{Activity, Count, Explanation, HaltLevel, LimitSet, LimitTable, Limits, Seconds, Tripped, View};

use paper::{CENT, Paper, Placed, Refused, Resumed, reals, units};
use rules::{Asked, MODEL, Moment, Rules, Written};

const SECOND: i64 = 1_000_000_000;
/// Orders of a run: lists on paper are searched from end to end, so runs are short and many.
const ORDERS_OF_A_RUN: u32 = 400;

/// What runs came across: orders and replaces, and by check how many it let pass and denied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) asked: u64,
    pub(crate) approved: u64,
    pub(crate) verdicts: BTreeMap<&'static str, (u64, u64)>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.approved += other.approved;
        for (name, (passed, denied)) in &other.verdicts {
            let sum = self.verdicts.entry(name).or_default();
            (sum.0, sum.1) = (sum.0 + passed, sum.1 + denied);
        }
    }
}

/// A small generator: the same run on every machine.
struct Dice(u64);

impl Dice {
    fn of(seed: u64) -> Self {
        // Seeds that follow each other must not make runs that resemble each other.
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1));
        for _ in 0..8 {
            dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From `from` to `to`, both included.
    fn within(&mut self, from: i64, to: i64) -> i64 {
        from + (self.next() % (to - from + 1) as u64) as i64
    }

    fn one_in(&mut self, many: i64) -> bool {
        self.within(1, many) == 1
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.within(0, of.len() as i64 - 1) as usize]
    }

    fn place(&mut self, len: usize) -> Option<usize> {
        (len > 0).then(|| self.within(0, len as i64 - 1) as usize)
    }
}

/// Runs one seed.
///
/// # Errors
/// The first disagreement, with what both sides say.
pub(crate) fn run(seed: u64) -> Result<Tally, String> {
    let mut run = Run::new(seed);
    let mut asked = 0;
    for step in 0.. {
        let told = if run.dice.one_in(2) { run.ask().inspect(|()| asked += 1) } else { run.aside() };
        told.and_then(|()| run.compare()).map_err(|found| format!("seed {seed}, step {step}: {found}"))?;
        if asked >= ORDERS_OF_A_RUN {
            break;
        }
    }
    run.book.verify().map_err(|found| format!("seed {seed}, at the end: {found}"))?;
    Ok(run.tally)
}

struct Run {
    dice: Dice,
    written: Written,
    book: Book,
    activity: Activity,
    table: LimitTable,
    universe: Universe,
    tops: [TopOfBook; 3],
    now: Timestamp,
    phase: Phase,
    level: HaltLevel,
    paper: Paper,
    names: u32,
    date: Date,
    tally: Tally,
}

fn cents(cents: i64) -> Price {
    Price::from_steps(cents * CENT as i64)
}

/// Limits that a run of some hundred orders of some hundred units at about ten meets now and then.
fn some_limits(dice: &mut Dice, written: i64) -> SomeLimits {
    let mut some = SomeLimits::default();
    macro_rules! sometimes {
        ($($key:ident: $value:expr;)*) => {
            $(if dice.within(1, 100) <= written { some.$key = Some($value); })*
        };
    }
    sometimes! {
        max_order_quantity: Quantity::new(dice.within(300, 900));
        max_order_notional: Money::from_cents(dice.within(300_000, 900_000));
        price_collar: Rate::from_ppm(dice.within(10_000, 60_000));
        book_collar: Rate::from_ppm(dice.within(5_000, 50_000));
        max_spread: Rate::from_ppm(dice.within(1_000, 20_000));
        max_repeated_executions: Count(dice.pick(&[3, 6, 12, 40]));
        repeated_execution_seconds: Seconds(dice.pick(&[1, 10, 60]));
        max_messages: Count(dice.pick(&[5, 10, 30, 1_000]));
        message_seconds: Seconds(dice.pick(&[1, 10, 60]));
        cancel_share: Rate::from_ppm(dice.pick(&[0, 100_000, 333_333]));
        max_order_to_trade: Count(dice.pick(&[2, 4, 20]));
        order_to_trade_grace: Count(dice.pick(&[0, 20, 100]));
        max_open_orders_per_symbol: Count(dice.pick(&[3, 6, 12]));
        max_open_orders: Count(dice.pick(&[6, 12, 30]));
        max_position_quantity: Quantity::new(dice.within(500, 2_500));
        max_gross_exposure: Rate::from_ppm(dice.within(400_000, 1_500_000));
        max_net_exposure: Rate::from_ppm(dice.within(400_000, 1_500_000));
        max_symbol_share: Rate::from_ppm(dice.within(200_000, 900_000));
        max_sector_share: Rate::from_ppm(dice.within(300_000, 1_200_000));
        max_group_share: Rate::from_ppm(dice.within(300_000, 1_200_000));
        max_rejects: Count(dice.pick(&[2, 4, 10]));
        max_losing_trades: Count(dice.pick(&[2, 4, 10]));
        burst_seconds: Seconds(dice.pick(&[1, 10, 60]));
        duplicate_seconds: Seconds(dice.pick(&[0, 1, 60]));
        max_quote_age_seconds: Seconds(dice.pick(&[5, 60, 600]));
        max_forecast_age_seconds: Seconds(dice.pick(&[10, 60, 600]));
    }
    some
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        let wide = LimitSet { price_collar: Rate::from_ppm(100_000), ..LimitSet::WIDE };
        let bites = dice.pick(&[10, 30, 60]);
        let now: Timestamp = "2025-06-12T15:00:00Z".parse().expect("a time");
        // Noon in São Paulo; a run takes some minutes.
        let minutes = dice.one_in(6).then(|| dice.within(1, 4));
        let written = Written {
            restricted: if dice.one_in(6) { vec![dice.within(0, 2) as usize] } else { Vec::new() },
            alpha_may: dice.one_in(6).then(|| vec![0, 1]),
            last_entry: minutes.map(|minutes| now.plus_nanos(minutes * 60 * SECOND)),
            global: wide.tightened(&some_limits(&mut dice, bites)).all(),
            account: some_limits(&mut dice, bites / 3),
            alpha: some_limits(&mut dice, bites / 3),
            symbol: some_limits(&mut dice, bites / 3),
            sector: some_limits(&mut dice, bites / 3),
        };
        let mut universe = Universe::new();
        let symbols = ["BOVA11", "PETR4", "VALE3"].map(|symbol| symbol.parse().expect("a symbol"));
        universe.add(Instrument::cash(symbols[0], InstrumentKind::ExchangeTradedFund));
        universe.add(Instrument::cash(symbols[1], InstrumentKind::Share));
        universe.add(Instrument::cash(symbols[2], InstrumentKind::Share));
        let mut limits = Limits::from(LimitSet::WIDE.tightened(&written.global));
        limits.account = written.account;
        limits.symbols.insert(symbols[1], written.symbol);
        let sector = Sector { symbols: [symbols[1], symbols[2]].into(), limits: written.sector };
        limits.sectors.insert("shares".to_owned(), sector);
        limits.groups.insert("index".to_owned(), [symbols[0], symbols[1]].into());
        limits.restricted = written.restricted.iter().map(|place| symbols[*place]).collect();
        limits.models = [MODEL.to_owned()].into();
        limits.hours.last_entry = minutes.map(|minutes| format!("12:{minutes:02}").parse().expect("a time of day"));
        let alpha_may = written.alpha_may.as_ref().map(|may| may.iter().map(|place| symbols[*place]).collect());
        let alpha = StrategyLimits { allowed: alpha_may, limits: written.alpha };
        limits.strategies.insert("alpha".to_owned(), alpha);
        let cash = Money::from_cents(dice.within(1_000_000, 3_000_000));
        let book = Book::new(BookSettings {
            cash,
            calendar: Calendar::b3(),
            fees: FeeSchedule::free(),
            brokerage: Brokerage::FREE,
            instruments: universe.len(),
        });
        let names = ["alpha".to_owned(), "beta".to_owned()];
        Self {
            book,
            activity: Activity::default(),
            table: LimitTable::new(limits, &universe, &names),
            universe,
            tops: [TopOfBook::default(); 3],
            now,
            phase: Phase::Continuous,
            level: HaltLevel::Active,
            paper: Paper { cash: cash.steps(), ..Paper::default() },
            names: 0,
            date: Date::from_ymd_opt(2025, 6, 12).expect("a date"),
            written,
            dice,
            tally: Tally::default(),
        }
    }

    fn view(&self, of: InstrumentId, strategy: StrategyId) -> View<'_> {
        View {
            book: &self.book,
            instrument: self.universe.get(of).expect("an instrument"),
            top: self.tops[of.index()],
            phase: self.phase,
            price_horizon: Timestamp::MIN,
            now: self.now,
            forecast: None,
            limits: self.table.of(strategy, of),
            table: &self.table,
            activity: &self.activity,
        }
    }

    fn moment(&self, instrument: usize) -> Moment {
        Moment { now: self.now, top: self.tops[instrument], is_continuous: self.phase == Phase::Continuous }
    }

    /// A price near the last one; now and then far away or nonsense.
    fn order_type(&mut self, instrument: usize) -> OrderType {
        let last = (self.tops[instrument].last.steps() / CENT as i64).max(900);
        match self.dice.within(1, 20) {
            1..=3 => OrderType::Market,
            4 => OrderType::Limit { limit_price: Price::from_steps(self.dice.within(-1, 2_000_000_000)) },
            _ => OrderType::Limit { limit_price: cents(last + self.dice.within(-40, 40)) },
        }
    }

    /// Mostly the decision that stands, now and then a new one, an older one, or one that pretends.
    fn parent(&mut self, strategy: u16, instrument: usize) -> Option<ParentOrder> {
        let of = |placed: &&Placed| (placed.strategy, placed.instrument) == (strategy, instrument);
        let latest = self.paper.orders.iter().filter(of).filter_map(|placed| placed.parent).max_by_key(ParentOrder::id);
        let quantity = units(self.dice.within(1, 12) * 100);
        let fresh = ParentOrder { decided_at: self.now, number: 0, quantity };
        let Some(latest) = latest else { return (!self.dice.one_in(3)).then_some(fresh) };
        match self.dice.within(1, 20) {
            1..=6 => None,
            7 => Some(ParentOrder { number: latest.number + 1, quantity, ..latest }),
            8 => Some(ParentOrder { decided_at: latest.decided_at.plus_nanos(-1), ..latest }),
            9 => Some(ParentOrder { quantity, ..latest }),
            10..=14 => Some(fresh),
            _ => Some(latest),
        }
    }

    /// Most orders rest on none; of the others most on a good one.
    fn forecast(&mut self) -> Option<Forecast> {
        if !self.dice.one_in(4) {
            return None;
        }
        let made_at = self.now.plus_nanos(self.dice.within(-90, 4) * SECOND);
        let value = self.dice.pick(&[0.01, -0.01, 0.0, 0.5, 0.25, f64::NAN, f64::INFINITY]);
        let model = self.dice.pick(&[MODEL, MODEL, MODEL, "0000"]).to_owned();
        Some(Forecast { made_at, value, model })
    }

    fn ask(&mut self) -> Result<(), String> {
        let (strategy, instrument) = (self.dice.within(0, 2) as u16, self.dice.within(0, 2) as usize);
        let may_sell = self.paper.held(instrument, None) > 0 || self.dice.one_in(8);
        let side = if may_sell && self.dice.one_in(2) { Side::Sell } else { Side::Buy };
        let quantity = match self.dice.within(1, 20) {
            1 => self.dice.within(-1, 1),
            2..=10 if instrument == 0 => self.dice.within(1, 400),
            _ => self.dice.within(1, 5) * 100,
        };
        let order_type = self.order_type(instrument);
        // The same again, now and then.
        let again = self.paper.orders.last().filter(|_| self.dice.one_in(8));
        let (strategy, instrument, side, quantity, order_type) = match again {
            Some(last) => (last.strategy, last.instrument, last.side, last.first_units, last.first_type),
            None => (strategy, instrument, side, quantity, order_type),
        };
        let parent = self.parent(strategy, instrument);
        let forecast = self.forecast();
        let asked = Asked {
            strategy,
            instrument,
            side,
            units: quantity,
            order_type,
            parent,
            forecast: forecast.clone(),
            changes: None,
        };
        let order = NewOrder {
            client_order_id: ClientOrderId::new("TEST", self.date, self.names + 1).expect("an identifier"),
            strategy: StrategyId(strategy),
            instrument: InstrumentId::new(instrument as u32),
            side,
            quantity: Quantity::new(quantity),
            order_type,
            time_in_force: TimeInForce::Day,
            decided_at: self.now,
            parent,
        };
        let view = View { forecast: forecast.as_ref(), ..self.view(order.instrument, order.strategy) };
        let (explained, reviewed) = (risk::explain(order, self.level, &view), risk::review(order, self.level, &view));
        let worst = self.agree(&asked, &explained, reviewed.as_ref().err().map(|denial| denial.check))?;
        let Ok(approved) = reviewed else { return Ok(()) };
        self.names += 1;
        self.book.enter(*approved.get(), approved.worst_price());
        self.activity.submitted(approved.get(), &self.book, self.now);
        let sent_at = self.paper.message(strategy, self.now);
        self.paper.orders.push(Placed {
            id: order.client_order_id,
            strategy,
            instrument,
            side,
            order_type,
            first_type: order_type,
            first_units: quantity,
            quantity,
            worst,
            change: None,
            acknowledged: false,
            cancel_asked: false,
            lost: false,
            ended: false,
            parent,
            sent_at,
        });
        Ok(())
    }

    /// Compares each check's verdict with the one on paper, and the review's with what the rules make of them.
    fn agree(
        &mut self,
        asked: &Asked,
        explained: &Explanation,
        denied_by: Option<&'static str>,
    ) -> Result<Price, String> {
        let moment = self.moment(asked.instrument);
        let rules = Rules { paper: &self.paper, written: &self.written, moment: &moment, asked };
        let (verdicts, worst, reduces) = (rules.verdicts(), rules.worst(), rules.reduces());
        let replaces = asked.changes.is_some();
        let may = match self.level {
            HaltLevel::Active => true,
            HaltLevel::Reducing => reduces && !replaces,
            _ => false,
        };
        let lost = self.paper.open().any(|(_, placed)| placed.lost && placed.instrument == asked.instrument);
        let allowed = may && (reduces || !lost) && verdicts.iter().all(|(_, passes)| *passes);
        self.tally.asked += 1;
        self.tally.approved += u64::from(allowed);
        for ((name, told), (known, passes)) in explained.checks.iter().zip(&verdicts) {
            let sum = self.tally.verdicts.entry(known).or_default();
            (sum.0, sum.1) = (sum.0 + u64::from(*passes), sum.1 + u64::from(!*passes));
            if name != known || told.is_ok() != *passes {
                return Err(format!("{known} on paper: {passes}; {name} in the review: {told:?}; {}", describe(asked)));
            }
        }
        if explained.checks.len() != verdicts.len() {
            return Err(format!("{} checks, {} on paper", explained.checks.len(), verdicts.len()));
        }
        if denied_by.is_none() != allowed {
            return Err(format!("allowed on paper: {allowed}; denied by {denied_by:?}; {}", describe(asked)));
        }
        if explained.worst_price != worst || explained.reduces != reduces {
            return Err(format!("worst {worst}, reduces {reduces}, the review: {explained:?}"));
        }
        Ok(worst)
    }

    fn aside(&mut self) -> Result<(), String> {
        match self.dice.within(1, 100) {
            1..=22 => self.quote(),
            23..=32 => self.wait(),
            33 => self.dress(),
            34 => self.resume(),
            35 => self.others(),
            36..=38 => return self.bust(),
            39..=40 => self.tell(),
            _ => return self.of_an_order(),
        }
        Ok(())
    }

    fn quote(&mut self) {
        let instrument = self.dice.within(0, 2) as usize;
        let bid = self.dice.within(960, 1_040);
        let (bid, ask) = match self.dice.within(1, 30) {
            1 => (0, bid + 1),
            2 => (bid, 0),
            3 => (bid + 1, bid), // crossed
            _ => (bid, bid + self.dice.within(1, 6)),
        };
        let last = bid.max(ask) - self.dice.within(0, 2);
        self.tops[instrument] =
            TopOfBook { at: self.now, last: cents(last), bid: cents(bid), ask: cents(ask), ..self.tops[instrument] };
        self.book.mark(InstrumentId::new(instrument as u32), cents(last));
        self.paper.marks[instrument] = cents(last).steps();
    }

    /// The exchange says how an instrument stands, or what it takes of it.
    fn tell(&mut self) {
        use TradingStatus::{Auction, Halted, Trading, Unknown, Untold};
        let place = self.dice.within(0, 2) as usize;
        let (at, instrument) = (self.now, InstrumentId::new(place as u32));
        let event = if self.dice.one_in(2) {
            let status =
                self.dice.pick(&[Untold, Trading, Trading, Trading, Trading, Trading, Auction, Halted, Unknown]);
            MarketEvent::Status(StatusChange { at, instrument, status })
        } else {
            let mut bounds = OrderBounds::default();
            if self.dice.one_in(2) {
                bounds.low_limit_price = cents(self.dice.within(940, 1_000));
                bounds.high_limit_price = cents(self.dice.within(1_000, 1_060));
                bounds.min_quantity = Quantity::new(self.dice.pick(&[0, 0, 100]));
                bounds.max_quantity = Quantity::new(self.dice.pick(&[0, 300, 400]));
            }
            MarketEvent::Bounds(BoundsChange { at, instrument, bounds })
        };
        self.tops[place].apply(&event);
    }

    /// Time passes; now and then a clock is set back.
    fn wait(&mut self) {
        let nanos = match self.dice.within(1, 20) {
            1 => -self.dice.within(1, 5) * SECOND,
            2..=4 => self.dice.within(1, 90) * SECOND,
            5..=8 => SECOND,
            _ => self.dice.within(0, SECOND),
        };
        self.now = self.now.plus_nanos(nanos);
    }

    /// Another phase, another halt, another session.
    fn dress(&mut self) {
        self.phase =
            if self.phase == Phase::Continuous && self.dice.one_in(5) { Phase::Halt } else { Phase::Continuous };
        self.level = self.dice.pick(&[HaltLevel::Active, HaltLevel::Active, HaltLevel::Reducing, HaltLevel::StopNew]);
        if self.dice.one_in(2) {
            self.date = self.date.succ_opt().expect("a date");
            self.book.start_session(self.date);
            self.activity.begin_session();
            self.paper.session += 1;
            self.names = 0;
        }
    }

    fn resume(&mut self) {
        let (trades, refusals) = (self.paper.trades.len(), self.paper.refusals.len());
        if self.dice.one_in(2) {
            let strategy = self.dice.within(0, 2) as u16;
            self.activity.rearm_strategy(StrategyId(strategy));
            self.paper.resumed.push(Resumed { strategy: Some(strategy), instrument: None, trades, refusals });
        } else {
            let instrument = self.dice.within(0, 2) as usize;
            self.activity.rearm_instrument(InstrumentId::new(instrument as u32));
            self.paper.resumed.push(Resumed { strategy: None, instrument: Some(instrument), trades, refusals });
        }
    }

    /// Other hands hold something else from now on.
    fn others(&mut self) {
        let instrument = self.dice.within(0, 2) as usize;
        let held = if self.dice.one_in(2) { 0 } else { self.dice.within(-3, 5) * 100 };
        self.book.adopt_external(InstrumentId::new(instrument as u32), Quantity::new(held));
        self.paper.others[instrument] = held;
    }

    fn report(&mut self, order: usize, kind: ReportKind) -> Result<(), String> {
        let placed = &self.paper.orders[order];
        let instrument = InstrumentId::new(placed.instrument as u32);
        let report = ExecutionReport { at: self.now, client_order_id: placed.id, instrument, kind };
        let applied = self.book.apply(&report).map_err(|anomaly| format!("{anomaly}: {report:?} of {placed:?}"))?;
        self.activity.reported(&report, &applied, placed.parent, true, self.now);
        let of = (applied.strategy, applied.instrument);
        let tripped: Vec<Tripped> = self.activity.due(of, &self.table, self.now).collect();
        tripped.iter().for_each(|tripped| self.activity.latch(tripped));
        self.paper.latest = Some(self.paper.at(self.now));
        Ok(())
    }

    fn bust(&mut self) -> Result<(), String> {
        let Some(trade) = self.dice.place(self.paper.trades.len()) else { return Ok(()) };
        let traded = self.paper.trades[trade].clone();
        // What ended in an earlier session may have been forgotten.
        if traded.taken_back || traded.session + 2 < self.paper.session {
            return Ok(());
        }
        let execution_id = ExecutionId::new(&format!("B{trade}"));
        self.report(traded.order, ReportKind::Bust { execution_id, reference: traded.name })?;
        self.paper.take_back(trade, self.now);
        Ok(())
    }

    fn of_an_order(&mut self) -> Result<(), String> {
        let open: Vec<usize> = self.paper.open().map(|(order, _)| order).collect();
        let Some(place) = self.dice.place(open.len()) else { return Ok(()) };
        let order = open[place];
        let placed = self.paper.orders[order].clone();
        let left = self.paper.left(order);
        let reason = String::new;
        match self.dice.within(1, 24) {
            1..=4 => {
                (self.paper.orders[order].acknowledged, self.paper.orders[order].lost) = (true, false);
                self.report(order, ReportKind::New)
            }
            5..=13 if left > 0 => self.fill(order, left),
            14..=16 if placed.acknowledged && !placed.lost && !placed.cancel_asked && placed.change.is_none() => {
                self.replace(order)
            }
            17..=18 if placed.change.is_some() => self.answer(order),
            19 if placed.acknowledged && !placed.lost && !placed.cancel_asked => self.cancel(order),
            20 if placed.cancel_asked => {
                let yes = self.dice.one_in(2);
                let placed = &mut self.paper.orders[order];
                if yes {
                    placed.ended = true;
                    return self.report(order, ReportKind::Canceled { reason: reason() });
                }
                (placed.cancel_asked, placed.lost) = (false, false);
                self.report(order, ReportKind::CancelRejected { reason: reason() })
            }
            21 => {
                self.paper.orders[order].ended = true;
                self.report(order, ReportKind::Expired)
            }
            22..=23 if !placed.acknowledged => {
                self.paper.orders[order].ended = true;
                self.report(order, ReportKind::Rejected { reason: reason() })?;
                let at = self.paper.at(self.now);
                self.paper.refusals.push(Refused { at, strategy: placed.strategy });
                Ok(())
            }
            24 => {
                self.paper.orders[order].lost = true;
                self.book.outcome_unknown(placed.id).map_err(|anomaly| anomaly.to_string())
            }
            _ => Ok(()),
        }
    }

    fn fill(&mut self, order: usize, left: i64) -> Result<(), String> {
        let traded = if self.dice.one_in(2) { left } else { self.dice.within(1, left) };
        let worst = self.paper.orders[order].worst.steps() / CENT as i64;
        let better = self.dice.within(0, 25) * -self.paper.orders[order].side.sign();
        let (price, name) =
            (cents((worst + better).max(1)), ExecutionId::new(&format!("X{}", self.paper.trades.len())));
        let kind = ReportKind::Fill { execution_id: name.clone(), price, quantity: Quantity::new(traded) };
        self.report(order, kind)?;
        self.paper.fill(order, name, traded, price, self.now);
        Ok(())
    }

    fn replace(&mut self, order: usize) -> Result<(), String> {
        let placed = self.paper.orders[order].clone();
        let lot = if placed.instrument == 0 { 1 } else { 100 };
        let total = (placed.quantity + self.dice.within(-3, 4) * lot * if lot == 1 { 20 } else { 1 }).max(0);
        let price = self.order_type(placed.instrument).limit_price().unwrap_or(placed.worst);
        let (order_type, limit_price) = match placed.order_type {
            OrderType::Limit { .. } => (placed.order_type.with_limit(price), Some(price)),
            other => (other, None),
        };
        let asked = Asked {
            strategy: placed.strategy,
            instrument: placed.instrument,
            side: placed.side,
            units: total - self.paper.filled(order),
            order_type,
            parent: placed.parent,
            forecast: None,
            changes: Some((order, total)),
        };
        let instrument = InstrumentId::new(placed.instrument as u32);
        let (client_order_id, quantity, decided_at) = (placed.id, Quantity::new(total), self.now);
        let replace = ReplaceOrder { client_order_id, instrument, quantity, limit_price, decided_at };
        let view = self.view(instrument, StrategyId(placed.strategy));
        let open = self.book.order(&placed.id).ok_or("an open order that the book does not know")?;
        let explained = risk::explain_replace(open, replace, self.level, &view);
        let reviewed = risk::review_replace(open, replace, self.level, &view);
        let worst = self.agree(&asked, &explained, reviewed.as_ref().err().map(|denial| denial.check))?;
        if let Ok(approved) = reviewed {
            self.book.request_replace(&replace, approved.worst_price()).map_err(|anomaly| anomaly.to_string())?;
            self.activity.message(StrategyId(placed.strategy), self.now);
            self.paper.message(placed.strategy, self.now);
            self.paper.orders[order].change = Some((total, worst));
        }
        Ok(())
    }

    fn answer(&mut self, order: usize) -> Result<(), String> {
        let filled = self.paper.filled(order);
        let placed = &mut self.paper.orders[order];
        let Some((total, worst)) = placed.change.take() else { return Ok(()) };
        placed.lost = false;
        if total > filled && !self.dice.one_in(3) {
            placed.acknowledged = true;
            let limit_price = placed.order_type.limit_price().map(|_| worst);
            (placed.quantity, placed.worst) = (total, worst);
            placed.order_type = limit_price.map_or(placed.order_type, |price| placed.order_type.with_limit(price));
            self.report(order, ReportKind::Replaced { quantity: Quantity::new(total), limit_price })?;
        } else {
            self.report(order, ReportKind::ReplaceRejected { reason: String::new() })?;
            let (at, strategy) = (self.paper.at(self.now), self.paper.orders[order].strategy);
            self.paper.refusals.push(Refused { at, strategy });
        }
        self.paper.end_if_done(order);
        Ok(())
    }

    fn cancel(&mut self, order: usize) -> Result<(), String> {
        let placed = &mut self.paper.orders[order];
        placed.cancel_asked = true;
        let (client_order_id, instrument) = (placed.id, InstrumentId::new(placed.instrument as u32));
        let strategy = placed.strategy;
        let cancel = CancelOrder { client_order_id, instrument, decided_at: self.now };
        self.book.request_cancel(&cancel).map_err(|anomaly| anomaly.to_string())?;
        self.activity.message(StrategyId(strategy), self.now);
        self.paper.message(strategy, self.now);
        Ok(())
    }

    /// What both sides say of the account as a whole.
    fn compare(&self) -> Result<(), String> {
        let (power, equity) = (reals(self.paper.power()), reals(self.paper.equity()));
        if (self.book.buying_power(), self.book.equity()) != (power, equity) {
            let (told, worth) = (self.book.buying_power(), self.book.equity());
            return Err(format!("power {power} and equity {equity} on paper, {told} and {worth} in the book"));
        }
        Ok(())
    }
}

fn describe(asked: &Asked) -> String {
    let Asked { strategy, instrument, side, units, order_type, parent, forecast, changes } = asked;
    format!(
        "strategy {strategy}, instrument {instrument}, {side} {units} {order_type:?}, {parent:?}, {forecast:?}, \
         changes {changes:?}"
    )
}
