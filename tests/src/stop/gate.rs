//! How long after a kill an order of what was killed may still pass the gate, and whether any does after the
//! kill is acknowledged, with a million messages in the mailboxes on the way.
//!
//! An order that waits behind a million messages takes a while to come to the gate, and ten thousand kills
//! of everything would wait for ten thousand such queues. So most kills are of one symbol, and one queue
//! serves about a hundred. It is built while the venue stands still: block after block, in each the orders
//! of all strategies in one symbol, spread among messages that do nothing; behind the last one a whole
//! million more. Then the venue goes on, and the first order of a block that comes through the gate is the
//! sign to kill its symbol, whose other orders are right behind, or that of the next block, whose orders come
//! a moment later. Every fiftieth kill is of a strategy, which has one order in each block; the last one of
//! each queue is of everything.
//!
//! A trial counts only if the kill had something to stop: an order of its scope that had been reviewed and
//! handed over before the kill and that the gate, by the engine's own journal, held back because of it. And
//! only while the risk monitors are heard: their beats wait behind the same messages, and when one takes
//! longer than a second the gate is closed without anybody's kill, as it must be.

use std::sync::mpsc::Receiver;
use std::sync::{PoisonError, mpsc};
use std::time::{Duration, Instant};

use actors::halt::SharedHalt;
use actors::system::Mailbox;
use actors::{Inquiry, System};
use market::{InstrumentId, StrategyId};
use risk::{HaltLevel, HaltScope};

use super::floor::{Asked, Floor, Kind, floor, name, symbol};
use super::paper::{Paper, Whose, Written};
use super::pause;
use super::venue::{Arrival, Watched};

/// Blocks of a queue.
const INSTRUMENTS: u32 = 200;
/// Orders in each.
const STRATEGIES: u16 = 10;
/// From this block on the next kill is of everything, and the last of its queue.
const LAST: u64 = 180;
/// Of so many kills one is of a strategy.
const ONE_STRATEGY: u64 = 50;
/// So few messages wait when nothing of a queue does any more.
const FEW: u64 = 20;
/// A kill comes so many microseconds after its sign, at most: at any moment of an order's way.
const LATEST: u64 = 100;
/// Queues in which so many trials in a row had nothing to stop: then the proof proves nothing.
const FRUITLESS: u32 = 20;
/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What many kills showed.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    /// Kills that had something to stop: of a symbol, of a strategy, of everything.
    pub counted: [u64; 3],
    /// Kills that had nothing to stop: what they were of had passed already. Not counted.
    pub late: u64,
    /// Kills while the gate was closed anyway, because the risk monitors were not heard. Not counted.
    pub closed: u64,
    /// From the call to the last order of its scope at the gate; zero where none came after it. Sorted.
    pub last_order: Vec<Duration>,
    /// From the call to the acknowledgement, the halt stored. Sorted.
    pub acknowledged: Vec<Duration>,
    /// Kills during which an order of their scope passed, after the call and before the acknowledgement.
    pub raced: u64,
    /// Orders of a killed scope that passed the gate after the acknowledgement and before the resume.
    pub after_acknowledgement: u64,
    /// Orders decided before a kill that passed the gate after the resume.
    pub stale: u64,
    /// Orders that passed the gate altogether.
    pub orders: u64,
    /// Orders that the gate held back because of a kill.
    pub held_back: u64,
    /// Orders that it held back because the risk monitors were not heard for a second.
    pub lapsed: u64,
    /// The fewest messages that waited before the Broker, behind the orders' first one, when a kill was called.
    pub least_queued: u64,
    /// The most that waited before the Account then. It works them off meanwhile.
    pub account_queued: u64,
    /// Queues that were built.
    pub queues: u64,
}

/// One kill.
struct Trial {
    scope: HaltScope,
    called: Instant,
    acknowledged: Instant,
    /// At once after the acknowledgement, or when the queue is empty.
    resumed: Option<Instant>,
    /// The monitors' lease held all the while, so that nothing but the halt kept the gate closed.
    open: bool,
}

/// Kills so many times, with at least so many messages in the mailboxes.
///
/// # Panics
/// If something stands still for a minute, or queue after queue passes with nothing to stop: then the proof
/// proves nothing.
pub async fn trials(count: u64, queued: u64, halt_store: SharedHalt, mut progress: impl FnMut(u64)) -> Trials {
    let kind = Kind { instruments: INSTRUMENTS, strategies: STRATEGIES, rests: false };
    let Floor { settings, watched, turned, paper, quotes } = floor(kind, halt_store);
    let system = System::start(settings).await.expect("the system starts");
    let stand = Stand { system: &system, watched: &watched, turned: &turned, paper: &paper, quotes: &quotes, queued };
    let mut found = Trials { least_queued: u64::MAX, ..Trials::default() };
    let mut fruitless = 0;
    while found.total() < count {
        let before = found.total();
        // Other symbols come first in each queue.
        let first = found.queues * 7;
        stand.build(first);
        let trials = stand.kill_again_and_again(first, &mut found, count - before);
        let written = stand.ended();
        let arrivals = std::mem::take(&mut watched.seen().submitted);
        found.judge(trials, &arrivals, &written);
        stand.resume();
        progress(found.total());
        fruitless = if found.total() == before { fruitless + 1 } else { 0 };
        assert!(fruitless < FRUITLESS, "in {FRUITLESS} queues no kill had anything to stop: {found:?}");
    }
    assert!(system.restarts().by_actor().values().all(|restarts| *restarts == 0), "actors were restarted");
    system.abandon().await;
    found.last_order.sort_unstable();
    found.acknowledged.sort_unstable();
    found
}

/// Everything that a queue takes.
struct Stand<'a> {
    system: &'a System,
    watched: &'a Watched,
    turned: &'a Receiver<InstrumentId>,
    paper: &'a Paper,
    quotes: &'a Asked,
    queued: u64,
}

impl Stand<'_> {
    /// Orders, spread among as many messages as a queue has; and as many behind them. All of them wait.
    fn build(&self, first: u64) {
        self.watched.stand_still();
        let (mut poured, block) = (0, self.queued / u64::from(INSTRUMENTS));
        let between = (block / u64::from(STRATEGIES) / 2).max(1);
        for place in 0..u64::from(INSTRUMENTS) {
            let orders = (place + 1) * u64::from(STRATEGIES);
            self.quotes.lock().unwrap_or_else(PoisonError::into_inner).push_back(instrument(place + first));
            let (began, full) = (Instant::now(), poured + block);
            while self.system.waiting(Mailbox::Broker) < poured + orders {
                // Orders that are late must not lead to a queue without an end.
                if poured < full {
                    self.system.flood(Mailbox::Broker, between);
                    poured += between;
                } else {
                    std::thread::yield_now();
                }
                let trouble = || self.paper.trouble().unwrap_or_else(|| "nothing was denied".to_owned());
                assert!(began.elapsed() < PATIENCE, "the orders of block {place} do not come in: {}", trouble());
            }
            let rest = full.saturating_sub(poured);
            self.system.flood(Mailbox::Broker, rest);
            poured += rest;
        }
        self.system.flood(Mailbox::Broker, self.queued);
        self.system.flood(Mailbox::Account, self.queued);
        self.turned.try_iter().for_each(drop);
    }

    /// Lets the venue go on, and kills what comes through the gate, at most so many times.
    fn kill_again_and_again(&self, first: u64, found: &mut Trials, most: u64) -> Vec<Trial> {
        self.watched.go_on();
        let (inquiry, mut trials) = (self.system.inquiry(), Vec::new());
        while (trials.len() as u64) < most {
            let Some(passing) = self.newest() else { break };
            let passing = passing.index() as u64;
            let place = (passing + u64::from(INSTRUMENTS) - first % u64::from(INSTRUMENTS)) % u64::from(INSTRUMENTS);
            let number = found.total() + trials.len() as u64;
            let kind = match number {
                _ if place >= LAST => Of::Everything,
                number if number % ONE_STRATEGY == ONE_STRATEGY - 1 => Of::Strategy,
                _ => Of::Symbol,
            };
            pause(Duration::from_micros(number * 37 % LATEST));
            let waiting = self.system.waiting(Mailbox::Broker);
            // Nothing that passes now has that many messages behind it.
            if waiting < self.queued {
                break;
            }
            found.least_queued = waiting.min(found.least_queued);
            found.account_queued = self.system.waiting(Mailbox::Account).max(found.account_queued);
            let ahead = number / 2 % 2;
            let target = instrument(passing + ahead);
            trials.push(self.kill(&inquiry, &kind.scope(target, number), number.is_multiple_of(2)));
            if kind == Of::Everything {
                break;
            }
        }
        found.queues += 1;
        trials
    }

    /// The instrument whose orders have begun to come through the gate last; nothing when no more come.
    fn newest(&self) -> Option<InstrumentId> {
        while self.system.waiting(Mailbox::Broker) >= self.queued {
            match self.turned.recv_timeout(Duration::from_millis(1)) {
                Ok(next) => return Some(self.turned.try_iter().last().unwrap_or(next)),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the venue has gone"),
            }
        }
        None
    }

    fn kill(&self, inquiry: &Inquiry, scope: &HaltScope, resumes: bool) -> Trial {
        let pulse = self.system.pulse();
        let (open, called) = (pulse.holds(), Instant::now());
        let level = inquiry.kill(scope, HaltLevel::StopNew, "proof", "a trial").expect("it is stored");
        let acknowledged = Instant::now();
        let open = open && pulse.holds();
        assert_eq!(level, HaltLevel::StopNew);
        let switch = self.system.halt();
        let resumed = resumes.then(|| {
            let at = Instant::now();
            assert!(switch.lift(scope, switch.seen(scope)), "nobody else moves it");
            at
        });
        Trial { scope: scope.clone(), called, acknowledged, resumed, open }
    }

    /// What was written, once it is known of every order what became of it.
    fn ended(&self) -> Written {
        let began = Instant::now();
        loop {
            let waits = [Mailbox::Account, Mailbox::Broker].iter().any(|mailbox| self.system.waiting(*mailbox) > FEW);
            if let Some(written) = (!waits).then(|| self.paper.take_ended()).flatten() {
                assert!(written.other.is_empty(), "orders ended otherwise: {}", written.other[0]);
                assert_eq!(written.ended(), written.intents);
                return written;
            }
            assert!(began.elapsed() < PATIENCE, "the queue does not come to its end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn resume(&self) {
        let switch = self.system.halt();
        for (scope, _) in switch.standing() {
            assert!(switch.lift(&scope, switch.seen(&scope)), "nobody else moves it");
        }
    }
}

/// What a kill is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Symbol,
    Strategy,
    Everything,
}

impl Of {
    fn scope(self, instrument: InstrumentId, number: u64) -> HaltScope {
        match self {
            Self::Symbol => HaltScope::Symbol(symbol(instrument)),
            Self::Strategy => HaltScope::Strategy(name(whose(number))),
            Self::Everything => HaltScope::PROGRAM[number as usize % HaltScope::PROGRAM.len()].clone(),
        }
    }
}

/// The instrument of a block, counted round and round.
fn instrument(block: u64) -> InstrumentId {
    InstrumentId::new((block % u64::from(INSTRUMENTS)) as u32)
}

fn whose(number: u64) -> StrategyId {
    StrategyId((number / ONE_STRATEGY % u64::from(STRATEGIES)) as u16)
}

impl Trial {
    fn covers(&self, (strategy, instrument): Whose) -> bool {
        match &self.scope {
            HaltScope::Symbol(killed) => *killed == symbol(instrument),
            HaltScope::Strategy(killed) => *killed == name(strategy),
            _ => true,
        }
    }

    fn kind(&self) -> Of {
        match self.scope {
            HaltScope::Symbol(_) => Of::Symbol,
            HaltScope::Strategy(_) => Of::Strategy,
            _ => Of::Everything,
        }
    }
}

impl Trials {
    /// Kills that had something to stop.
    pub fn total(&self) -> u64 {
        self.counted.iter().sum()
    }

    fn judge(&mut self, trials: Vec<Trial>, arrivals: &[Arrival], written: &Written) {
        self.orders += arrivals.len() as u64;
        self.lapsed += written.lapsed;
        self.held_back += written.halted.len() as u64;
        // The first kill that an order fell under is the one that held it back.
        let mut stopped = vec![0_u64; trials.len()];
        for order in &written.halted {
            let first = trials.iter().position(|trial| trial.covers(*order));
            stopped[first.expect("nothing was killed that could hold this order back")] += 1;
        }
        for (trial, stopped) in trials.iter().zip(stopped) {
            let own = arrivals.iter().filter(|order| trial.covers((order.strategy, order.instrument)));
            let after: Vec<Instant> = own.map(|order| order.at).filter(|at| *at > trial.called).collect();
            // What passes is wrong whether the trial counts or not.
            for at in after.iter().filter(|at| **at > trial.acknowledged) {
                match trial.resumed {
                    Some(resumed) if *at >= resumed => self.stale += 1,
                    _ => self.after_acknowledgement += 1,
                }
            }
            if stopped == 0 || !trial.open {
                *(if trial.open { &mut self.late } else { &mut self.closed }) += 1;
                continue;
            }
            self.counted[trial.kind() as usize] += 1;
            self.raced += u64::from(!after.is_empty());
            self.last_order.push(after.iter().max().map_or(Duration::ZERO, |last| *last - trial.called));
            self.acknowledged.push(trial.acknowledged - trial.called);
        }
    }
}
