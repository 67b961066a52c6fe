//! The scheduler: one queue of everything that is to happen, and the loop that lets it happen.
//!
//! Time here is true time. The engine's clock is true time plus a skew that jumps; the broker's clock
//! and the order of events never do. Nothing reads the machine's clock, and nothing that is gone over
//! has an order that a hash table made, so one seed gives one run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use desk::{DeskSettings, Effect};
use market::fees::Brokerage;
use market::{
    Calendar, ClientOrderId, Date, ExecutionId, FeeSchedule, Instrument, InstrumentKind, Money, PhaseChange, Quantity,
    Quote, Rate, SessionClock, Timestamp, Universe,
};
use oms::BookSettings;
use risk::{LimitSet, LimitTable, Seconds};

use super::coverage::{Coverage, Path};
use super::disk::Disk;
use super::faults::{Climate, Fault};
use super::process::{Process, ToAccount, ToBroker, ToJournal, ToStrategy};
use super::queue::Queue;
use super::random::Random;
use super::trace::Trace;
use super::venue::{Answer, Message, Venue};
use super::{Broken, Settings};

/// A millisecond.
pub const MILLISECOND: i64 = 1_000_000;
/// A second.
pub const SECOND: i64 = 1_000 * MILLISECOND;
/// A minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Instruments that are traded.
pub const INSTRUMENTS: u32 = 3;
/// The account.
pub const ACCOUNT: &str = "TEST";
/// Between two looks of the Account at what waits, as in `actors::account`.
const TICK: i64 = 250 * MILLISECOND;
/// Between two looks where nothing is going on: nights are long.
const IDLE: i64 = 20 * MINUTE;

/// What is to happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message is taken out of a mailbox.
    Account(usize, u32, ToAccount),
    Broker(usize, u32, ToBroker),
    Journal(usize, u32, ToJournal),
    Strategy(usize, usize, u32, ToStrategy),
    /// An actor starts again.
    AccountStart(usize, u32),
    AccountSettled(usize, u32),
    /// A starting Account waits no longer for the Broker.
    AccountImpatient(usize, u32),
    BrokerStart(usize, u32),
    JournalStart(usize, u32),
    StrategyStart(usize, usize, u32),
    /// The store answers.
    DiskDone(usize),
    /// The answer of the store reaches the Journal.
    DiskAnswer(usize, u32, Result<u64, String>, u64, bool),
    /// Time passes in a process.
    Tick(usize),
    Renew(usize),
    /// A feed brings a quote.
    Feed(usize, Quote),
    /// The connection tries to log on.
    LogOn(usize, u64),
    /// The connection is found dead.
    Dead(usize, u64, &'static str),
    /// Bytes reach the broker over this session.
    AtVenue(u64, Message),
    /// Bytes reach the process over this connection.
    FromVenue(usize, u64, Answer, bool),
    /// The broker finds the session dead.
    VenueNotices(u64),
    /// The broker makes a statement.
    Stating(u64, u64),
    /// The broker's own clock.
    VenuePhase(PhaseChange),
    /// The market moves.
    Quotes,
    /// Open orders trade, trades are busted, people trade by hand.
    VenueLook,
    /// The nervous trader has an idea.
    Idea,
    /// A second in which something may go wrong.
    Trouble,
    /// The clock is put right.
    ClockRight,
    /// The process crashes in the middle of a write.
    Crash(usize),
    /// The process is woken.
    Wake(usize),
    /// The service manager starts a process.
    Start,
    /// A person looks.
    Person,
    /// Faults end.
    Heal,
    /// The last crash, and the last start.
    LastCrash,
    /// The run is over.
    End,
}

/// How far an order has come, seen from outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Milestone {
    Intended,
    Committed,
    Sent,
    Reported,
}

/// Everything.
pub struct World {
    pub settings: Settings,
    pub random: Random,
    pub climate: Climate,
    pub coverage: Coverage,
    pub queue: Queue<Event>,
    pub now: i64,
    pub skew: i64,
    /// Faults strike.
    pub chaos: bool,
    /// Traders trade.
    pub trading: bool,
    pub venue: Venue,
    pub disk: Disk,
    pub processes: Vec<Process>,
    pub universe: Arc<Universe>,
    pub calendar: Arc<Calendar>,
    pub desk: DeskSettings,
    /// Spans of true time in which something goes on.
    pub spans: Vec<(i64, i64)>,
    pub sessions: Vec<Date>,
    pub trace: Trace,
    pub violations: Vec<String>,
    pub milestones: BTreeMap<ClientOrderId, Milestone>,
    /// Executions that a report brought to the engine: the same one again is a duplicate.
    pub heard_executions: BTreeSet<ExecutionId>,
    /// Broken engines: commands kept to be sent again, names made up.
    pub kept: BTreeMap<ClientOrderId, desk::Command>,
    /// The engine's own closing orders that have left.
    pub closings: BTreeSet<ClientOrderId>,
    pub last_quotes: Vec<Option<Quote>>,
    pub requests: u64,
    pub crashes: u64,
    pub starts: u64,
    pub orders_sent: u64,
    pub effects: Vec<Effect>,
}

impl World {
    /// The world of this seed, nothing started yet.
    pub fn new(settings: Settings) -> Self {
        let mut random = Random::new(settings.seed);
        let climate = Climate::draw(&mut random);
        let calendar = Calendar::b3();
        let first = Date::from_ymd_opt(2025, 6, 2).unwrap_or_default();
        let skip = random.below(120) as usize;
        let days = if settings.days == 0 { random.between(3, 5) as usize } else { settings.days };
        let all = calendar.sessions(first, calendar.horizon());
        let sessions: Vec<Date> = all.into_iter().skip(skip).take(days).collect();
        let mut universe = Universe::new();
        for number in 0..INSTRUMENTS {
            if let Ok(symbol) = format!("TEST{number}").parse() {
                universe.add(Instrument::cash(symbol, InstrumentKind::Share));
            }
        }
        let universe = Arc::new(universe);
        let spans = spans(&calendar, &sessions, &mut random);
        let now = spans[0].0 - MINUTE;
        let start = Timestamp::from_nanos(now);
        // In one run of eight a small loss halts.
        let loss = if random.chance(1_250) { 20_000 } else { 100_000_000 };
        let desk = DeskSettings {
            account: ACCOUNT.to_owned(),
            universe: Arc::clone(&universe),
            book: BookSettings {
                cash: Money::from_cents(50_000_000),
                calendar: Arc::clone(&calendar),
                fees: FeeSchedule::b3(),
                brokerage: Brokerage::FREE,
                instruments: universe.len(),
            },
            limits: Arc::new(LimitTable::uniform(
                LimitSet {
                    max_order_quantity: Quantity::new(5_000),
                    max_order_notional: Money::from_cents(20_000_000),
                    price_collar: Rate::from_ppm(100_000),
                    max_position_quantity: Quantity::new(8_000),
                    max_quote_age_seconds: Seconds(60),
                    max_daily_loss: Money::from_cents(loss),
                    ..LimitSet::WIDE
                },
                &universe,
            )),
            start,
        };
        let cents: Vec<i64> = (0..INSTRUMENTS).map(|number| 2_000 + 700 * i64::from(number)).collect();
        let venue = Venue::new(universe.len(), calendar.phase_at(start), cents);
        let tag = ACCOUNT.parse().expect("a tag");
        let mut world = Self {
            trace: Trace::new(settings.verbose),
            disk: Disk::new(tag),
            chaos: true,
            trading: true,
            skew: 0,
            coverage: Coverage::default(),
            queue: Queue::default(),
            processes: Vec::new(),
            violations: Vec::new(),
            milestones: BTreeMap::new(),
            heard_executions: BTreeSet::new(),
            kept: BTreeMap::new(),
            closings: BTreeSet::new(),
            last_quotes: vec![None; universe.len()],
            requests: 0,
            crashes: 0,
            starts: 0,
            orders_sent: 0,
            effects: Vec::new(),
            random,
            climate,
            now,
            venue,
            universe,
            calendar,
            desk,
            spans,
            sessions,
            settings,
        };
        world.plan();
        world
    }

    /// What happens by itself.
    fn plan(&mut self) {
        // What other hands hold before our first start.
        if self.random.chance(3_000) {
            let place = self.random.below(u64::from(INSTRUMENTS)) as usize;
            self.venue.positions[place] = self.random.between(1, 20) * 100;
        }
        let mut clock = SessionClock::new(Arc::clone(&self.calendar), Timestamp::from_nanos(self.now));
        let last = self.spans[self.spans.len() - 1].1;
        let mut changes = Vec::new();
        clock.advance(Timestamp::from_nanos(last), &mut changes);
        for change in changes {
            self.queue.put(change.at.as_nanos(), Event::VenuePhase(change));
        }
        let first = self.now;
        self.queue.put(first, Event::Start);
        for event in [Event::Quotes, Event::VenueLook, Event::Idea, Event::Trouble, Event::Person] {
            let wait = self.random_nanos(SECOND, 2 * SECOND);
            let at = self.next(wait);
            self.queue.put(at, event);
        }
        // The last span is the healing: see `heal`.
        let healing = self.spans[self.spans.len() - 1].0;
        self.queue.put(healing, Event::Heal);
    }

    /// A span of time.
    pub fn random_nanos(&mut self, least: i64, most: i64) -> i64 {
        self.random.between(least, most)
    }

    /// The instant after `wait`, or the next one at which anything goes on.
    pub fn next(&self, wait: i64) -> i64 {
        let at = self.now + wait;
        match self.spans.iter().find(|(_, until)| *until > at) {
            Some((from, _)) => at.max(*from),
            None => at,
        }
    }

    /// The same, looking now and then even where nothing goes on.
    pub fn next_or_idle(&self, wait: i64) -> i64 {
        self.next(wait).min((self.now + IDLE).max(self.now + wait))
    }

    /// What the engine takes for now.
    pub fn wall(&self) -> Timestamp {
        Timestamp::from_nanos(self.now + self.skew)
    }

    /// What is now.
    pub fn true_time(&self) -> Timestamp {
        Timestamp::from_nanos(self.now)
    }

    /// Whether a fault strikes on this occasion.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.chaos && self.random.chance(self.climate.rate(fault));
        if strikes {
            self.injected(fault);
        }
        strikes
    }

    /// Notes a fault.
    pub fn injected(&mut self, fault: Fault) {
        self.coverage.injected(fault);
        self.trace.fault(self.now, fault.name());
    }

    /// Notes a path.
    pub fn reached(&mut self, path: Path) {
        self.coverage.reached(path);
        self.trace.note(self.now, || format!("· {}", path.name()));
    }

    /// Notes what must never be.
    pub fn violated(&mut self, what: String) {
        self.trace.note(self.now, || format!("VIOLATION {what}"));
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    /// Lets everything happen.
    pub fn run(&mut self) {
        while let Some((at, number, event)) = self.queue.take() {
            self.now = at;
            self.trace.event(at, number, &event);
            if matches!(event, Event::End) {
                return;
            }
            self.happen(event);
        }
    }

    /// Of which process an event is part.
    const fn process_of(event: &Event) -> Option<usize> {
        match event {
            Event::Account(process, ..)
            | Event::Broker(process, ..)
            | Event::Journal(process, ..)
            | Event::Strategy(process, ..)
            | Event::AccountStart(process, _)
            | Event::AccountSettled(process, _)
            | Event::AccountImpatient(process, _)
            | Event::BrokerStart(process, _)
            | Event::JournalStart(process, _)
            | Event::StrategyStart(process, ..)
            | Event::DiskAnswer(process, ..)
            | Event::Tick(process)
            | Event::Crash(process)
            | Event::Renew(process)
            | Event::Feed(process, _)
            | Event::LogOn(process, _)
            | Event::Dead(process, ..)
            | Event::FromVenue(process, ..) => Some(*process),
            _ => None,
        }
    }

    fn happen(&mut self, event: Event) {
        if let Some(process) = Self::process_of(&event) {
            let process = &mut self.processes[process];
            if !process.alive {
                return;
            }
            if process.paused {
                return process.stash.push(event);
            }
        }
        match event {
            Event::Account(process, generation, message) => {
                if self.processes[process].account.mailbox.generation == generation {
                    self.account_hears(process, message);
                }
            }
            Event::Broker(process, generation, message) => {
                if self.processes[process].broker.mailbox.generation == generation {
                    self.broker_hears(process, message);
                }
            }
            Event::Journal(process, generation, message) => {
                if self.processes[process].journal.mailbox.generation == generation {
                    self.journal_hears(process, message);
                }
            }
            Event::Strategy(process, place, generation, message) => {
                if self.processes[process].strategies[place].mailbox.generation == generation {
                    self.strategy_hears(process, place, message);
                }
            }
            Event::AccountStart(process, generation) => self.account_starts(process, generation),
            Event::AccountSettled(process, generation) => self.account_settled(process, generation),
            Event::AccountImpatient(process, generation) => self.account_impatient(process, generation),
            Event::BrokerStart(process, generation) => self.broker_starts(process, generation),
            Event::JournalStart(process, generation) => self.journal_starts(process, generation),
            Event::StrategyStart(process, place, generation) => self.strategy_starts(process, place, generation),
            Event::DiskDone(process) => self.disk_done(process),
            Event::DiskAnswer(process, generation, answer, writer, settled) => {
                self.disk_answers(process, generation, answer, writer, settled);
            }
            Event::Tick(process) => self.tick(process),
            Event::Renew(process) => self.renew(process),
            Event::Feed(process, quote) => self.feed(process, quote),
            Event::LogOn(process, number) => self.log_on(process, number),
            Event::Dead(process, number, reason) => self.found_dead(process, number, reason),
            Event::AtVenue(session, message) => self.at_venue(session, message),
            Event::FromVenue(process, number, answer, garbage) => self.from_venue(process, number, answer, garbage),
            Event::VenueNotices(session) => self.venue_notices(session),
            Event::Stating(session, request) => self.stating(session, request),
            Event::VenuePhase(change) => {
                self.venue.begin_phase(change.phase, Timestamp::from_nanos(self.now), &mut self.random);
                self.speak();
            }
            Event::Quotes => self.quotes(),
            Event::VenueLook => self.venue_look(),
            Event::Idea => self.idea(),
            Event::Trouble => self.trouble(),
            Event::ClockRight => self.set_skew(0),
            Event::Crash(process) => self.process_crashes(process),
            Event::Wake(process) => self.wake(process),
            Event::Start => self.start(),
            Event::Person => self.person(),
            Event::Heal => self.heal(),
            Event::LastCrash => self.last_crash(),
            Event::End => {}
        }
    }

    pub fn tick(&mut self, process: usize) {
        let wall = self.wall();
        let mut changes = Vec::new();
        let state = &mut self.processes[process];
        state.session.advance(wall, &mut changes);
        state.ticks += 1;
        if state.ticks.is_multiple_of(20) {
            changes.push(PhaseChange { at: wall, phase: state.session.phase(), session: state.session.session() });
        }
        for change in changes {
            self.to_broker(process, ToBroker::Phase(change));
        }
        self.to_account(process, ToAccount::Input(Box::new(desk::Input::Tick)));
        let at = self.next_or_idle(TICK);
        self.queue.put(at, Event::Tick(process));
    }

    /// The engine that trades now.
    pub fn running(&self) -> Option<usize> {
        let last = self.processes.len().checked_sub(1)?;
        let process = &self.processes[last];
        (process.alive && !process.paused).then_some(last)
    }

    /// Whether the engine under test is broken in this way.
    pub fn is_broken(&self, how: Broken) -> bool {
        self.settings.broken == how
    }
}

/// A few spans around what matters of each session, and a last one for the healing.
fn spans(calendar: &Calendar, sessions: &[Date], random: &mut Random) -> Vec<(i64, i64)> {
    let mut spans = Vec::new();
    for (place, date) in sessions.iter().enumerate() {
        let Some(session) = calendar.session(*date) else { continue };
        let (open, close) = (session.open().as_nanos(), session.close().as_nanos());
        spans.push((open - 12 * SECOND, open + 25 * SECOND));
        let middle = open + random.between(10, 200) * MINUTE;
        spans.push((middle, middle + 45 * SECOND));
        if place + 1 == sessions.len() {
            let healing = middle + 30 * MINUTE;
            spans.push((healing, healing + 4 * MINUTE));
        } else {
            spans.push((close - 6 * MINUTE, close - 6 * MINUTE + 25 * SECOND));
            spans.push((close - 4 * SECOND, close + 6 * SECOND));
        }
    }
    spans
}
