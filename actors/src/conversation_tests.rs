//! The numbered conversation of Account and Journal, message by message: which answers count, and
//! what a restart on either side may not lose or let out. (`tests/tests/journal.rs` plays the same
//! with everything running at once.)

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use desk::{Ask, DeskSettings, Execution, HostSettings, Listen, Origin, Patience, Sizing};
use market::fees::Brokerage;
use market::order::{OrderRequest, Signal};
use market::{
    Calendar, FeeSchedule, Instrument, InstrumentId, InstrumentKind, Money, OrderType, Price, Quantity, Rate, Side,
    Statement, StrategyId, TimeInForce, TopOfBook, Universe,
};
use oms::BookSettings;
use ractor::{Actor, ActorProcessingErr, ActorRef, Message};
use risk::monitors::Hears;
use risk::{HaltLevel, HaltSwitch, LimitSet, LimitTable, Seconds};
use store::{HaltRecord, HaltStore, Journal as Store, JournalEntry, MemoryJournal, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::address::Address;
use crate::board::Board;
use crate::clock::Clock;
use crate::figures::FigureBoard;
use crate::halt::Halter;
use crate::limits::LimitsInForce;
use crate::system::shared;
use crate::turn::Turn;
use crate::{account, broker, journal, limit, strategy};

/// Stands where an actor would stand, and shows what it is sent. A journal's place settles at once.
struct Probe<M>(mpsc::UnboundedSender<M>, fn(M) -> Option<M>);

impl<M: Message + Sync> Actor for Probe<M> {
    type Msg = M;
    type State = ();
    type Arguments = Address<M>;

    async fn pre_start(&self, myself: ActorRef<M>, address: Address<M>) -> Result<(), ActorProcessingErr> {
        address.bind(myself);
        Ok(())
    }

    async fn handle(&self, _: ActorRef<M>, message: M, (): &mut ()) -> Result<(), ActorProcessingErr> {
        if let Some(message) = (self.1)(message) {
            self.0.send(message).map_err(|_| "the test has ended")?;
        }
        Ok(())
    }
}

pub(crate) async fn probe<M: Message + Sync>(
    name: &str,
    pass: fn(M) -> Option<M>,
) -> (Address<M>, mpsc::UnboundedReceiver<M>) {
    let (to, seen) = mpsc::unbounded_channel();
    let address = Address::new(name);
    Actor::spawn(None, Probe(to, pass), address.clone()).await.expect("a probe starts");
    (address, seen)
}

/// The next message that `pick` wants; the limit only ends a test that hangs.
pub(crate) async fn next<M, T>(seen: &mut mpsc::UnboundedReceiver<M>, pick: impl Fn(M) -> Option<T>) -> T {
    let wait = async {
        loop {
            let message = seen.recv().await.expect("the probe lives");
            if let Some(wanted) = pick(message) {
                return wanted;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the message comes")
}

fn entry(sequence: u64, payload: &str) -> JournalEntry {
    JournalEntry {
        account: "TEST".parse().expect("a tag"),
        sequence,
        at: Clock::System.now(),
        kind: Cow::Borrowed("intent"),
        payload: payload.to_owned(),
    }
}

fn stored(memory: &MemoryJournal) -> Vec<String> {
    let mut payloads = Vec::new();
    let account = "TEST".parse().expect("a tag");
    let read = memory.read(account, 1, &mut |entry| {
        payloads.push(entry.payload);
        Ok(())
    });
    read.expect("a whole journal");
    payloads
}

#[tokio::test]
async fn the_journal_settles_for_a_new_writer_and_drops_what_is_left_of_the_old() {
    let (account, mut answers) = probe::<account::Message>("account", Some).await;
    let memory = MemoryJournal::default();
    let arguments = journal::Arguments {
        address: Address::new("journal"),
        account,
        journal: shared(memory.clone()),
        durable: true,
    };
    let to = arguments.address.clone();
    let append = |writer, sequence, payload: &str| {
        let entries = vec![entry(sequence, payload)];
        to.send(journal::Message::Append { writer, entries, turn: Turn::none() }).expect("it lives");
    };
    let begin = |writer, entries| to.send(journal::Message::Begin { writer, entries }).expect("it lives");
    let committed = |message| match message {
        account::Message::Committed { writer, through, .. } => Some((writer, through)),
        account::Message::JournalFailed { reason, .. } => panic!("{reason}"),
        _ => None,
    };

    let (first, _) = Actor::spawn(None, journal::Journal, arguments.clone()).await.expect("it starts");
    begin(1, Vec::new());
    append(1, 1, "a");
    append(1, 2, "b");
    let (settled, answer) = oneshot::channel();
    to.send(journal::Message::Settle(settled)).expect("it lives");
    answer.await.expect("it settles");
    assert_eq!(stored(&memory), ["a", "b"], "what was handed over is in the store before anybody reads it");

    append(1, 3, "late, of a writer that is gone");
    begin(2, Vec::new());
    append(2, 3, "c");
    assert_eq!(next(&mut answers, committed).await, (1, 2));
    assert_eq!(next(&mut answers, committed).await, (2, 3));
    assert_eq!(stored(&memory), ["a", "b", "c"]);

    // A restart: what arrives before the writer begins anew is dropped, not taken for a gap.
    first.stop_and_wait(None, None).await.expect("it stops");
    let (second, _) = Actor::spawn(None, journal::Journal, arguments).await.expect("it starts");
    append(2, 5, "after one that died with the mailbox");
    begin(3, vec![entry(4, "d"), entry(5, "e")]);
    assert_eq!(next(&mut answers, committed).await, (3, 5));
    assert_eq!(stored(&memory), ["a", "b", "c", "d", "e"]);
    second.stop(None);
}

struct NoHalt;

impl HaltStore for NoHalt {
    fn load_halts(&self) -> Result<Vec<HaltRecord>, StoreError> {
        Ok(Vec::new())
    }

    fn save_halt(&mut self, _: &HaltRecord) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A switch that stands at active, and is kept nowhere.
pub(crate) fn halter() -> Halter {
    Halter::new(HaltSwitch::at(HaltLevel::Active), shared(NoHalt), Clock::System)
}

const ONE: InstrumentId = InstrumentId::new(0);

pub(crate) fn settings() -> DeskSettings {
    let mut universe = Universe::new();
    universe.add(Instrument::cash("TEST3".parse().expect("a symbol"), InstrumentKind::Share));
    let cash = Money::from_cents(100_000_000);
    let universe = Arc::new(universe);
    DeskSettings {
        account: "TEST".to_owned(),
        universe: Arc::clone(&universe),
        book: BookSettings {
            cash,
            calendar: Calendar::always_open(),
            fees: FeeSchedule::b3(),
            brokerage: Brokerage::FREE,
            instruments: 1,
        },
        limits: Arc::new(LimitTable::uniform(
            LimitSet {
                max_order_quantity: Quantity::new(1_000),
                max_order_notional: cash,
                price_collar: Rate::from_ppm(100_000),
                max_position_quantity: Quantity::new(1_000),
                max_quote_age_seconds: Seconds(60),
                max_daily_loss: cash,
                ..LimitSet::WIDE
            },
            &universe,
        )),
        start: Clock::System.now(),
    }
}

fn buy() -> account::Message {
    let request = OrderRequest {
        strategy: StrategyId(0),
        instrument: ONE,
        side: Side::Buy,
        quantity: Quantity::new(100),
        order_type: OrderType::Market,
        time_in_force: TimeInForce::Day,
        decided_at: Clock::System.now(),
        parent: None,
        signal: Signal::default(),
    };
    account::Message::Ask {
        strategy: StrategyId(0),
        after: 0,
        heard: Vec::new(),
        asks: vec![Ask::Submit(request)],
        turn: Turn::none(),
    }
}

fn nothing_happened() -> Statement {
    Statement {
        at: Clock::System.now(),
        since: Clock::System.now(),
        orders: Vec::new(),
        executions: Vec::new(),
        revoked: Vec::new(),
        positions: Vec::new(),
        elsewhere: Vec::new(),
    }
}

#[tokio::test]
async fn an_order_leaves_only_on_an_answer_of_its_own_conversation() {
    let (journal, mut written) = probe("journal", |message| match message {
        journal::Message::Settle(settled) => {
            let _ = settled.send(());
            None
        }
        other => Some(other),
    })
    .await;
    // The broker's place is connected, and states an account in which nothing has happened.
    let (broker, mut sent) = probe("broker", |message| match message {
        broker::Message::Begin(reply) => {
            let _ = reply.send(true);
            None
        }
        broker::Message::StateNow { reply, .. } => {
            let statement = Some(Box::new(nothing_happened()));
            let _ = reply.send(broker::Now { reports: Vec::new(), statement });
            None
        }
        other => Some(other),
    })
    .await;
    let (limit, _observed) = probe::<limit::Message>("limit", Some).await;
    let (own, _noticed) = probe::<strategy::Message>("strategy", Some).await;
    let board = Arc::new(Board::new(1));
    let price = Price::from_cents(1_000).expect("a price");
    board.write(ONE, TopOfBook { at: Clock::System.now(), last: price, ..TopOfBook::default() });
    let host = HostSettings {
        id: StrategyId(0),
        name: "own".to_owned(),
        instruments: vec![ONE],
        listen: Listen::Bars,
        sizing: Sizing::Quantity(Quantity::new(100)),
        execution: Execution::Market,
        flat_by: None,
    };
    let to = Address::new("account");
    let arguments = account::Arguments {
        address: to.clone(),
        journal,
        stored: shared(MemoryJournal::default()),
        broker,
        watching: vec![(limit.clone(), Hears::Marks)],
        pulse_to: limit,
        figures: Arc::new(FigureBoard::new(settings().limits, settings().universe, 1)),
        strategies: vec![(own, host)],
        desk: settings(),
        origin: Origin {
            version: String::new(),
            start: Clock::System.now(),
            calendar: "always_open".to_owned(),
            instruments: Vec::new(),
            limits: settings().limits.limits().clone(),
            brokerage: Brokerage::FREE,
        },
        limits: LimitsInForce::new(settings().limits),
        patience: Patience::default(),
        snapshot_every: u64::MAX,
        record_after: 0,
        halt: halter(),
        incarnations: Arc::default(),
        board,
        clock: Clock::System,
    };
    let (running, _) = Actor::spawn(None, account::Account, arguments).await.expect("it starts");
    let committed = |writer, through| {
        to.send(account::Message::Committed { writer, through, turns: Vec::new() }).expect("it lives");
    };
    // Once the account has answered, it has handled everything sent before; so has the broker's
    // place, when it has passed on the question that follows.
    let orders_out = async |sent: &mut mpsc::UnboundedReceiver<broker::Message>| {
        to.send(account::Message::BrokerRestarted { connected: true }).expect("it lives");
        let mut orders = 0;
        loop {
            match sent.recv().await.expect("the probe lives") {
                broker::Message::Send { .. } => orders += 1,
                broker::Message::AskStatement { .. } => return orders,
                _ => {}
            }
        }
    };
    let first = next(&mut written, |message| match message {
        journal::Message::Begin { writer, .. } => Some(writer),
        _ => None,
    })
    .await;
    // Whatever else is written, the intent's own place in the journal is what counts.
    let intent = async |written: &mut mpsc::UnboundedReceiver<journal::Message>| {
        let of_intent = |entries: Vec<JournalEntry>| {
            entries.iter().find(|entry| entry.kind == "intent").map(|entry| entry.sequence)
        };
        next(written, |message| match message {
            journal::Message::Append { entries, .. } => of_intent(entries),
            _ => None,
        })
        .await
    };
    assert_eq!(orders_out(&mut sent).await, 0);

    to.send(buy()).expect("it lives");
    let sequence = intent(&mut written).await;
    committed(first + 7, u64::MAX);
    assert_eq!(orders_out(&mut sent).await, 0, "an answer to somebody else lets nothing out");
    committed(first, sequence - 1);
    assert_eq!(orders_out(&mut sent).await, 0, "its entry is not durable");
    committed(first, sequence);
    assert_eq!(orders_out(&mut sent).await, 1, "its own answer lets the order out");

    // The journal restarts with an order unanswered: everything unanswered comes again, under a new
    // number, and the old number's answer is worth nothing.
    to.send(buy()).expect("it lives");
    let sequence = intent(&mut written).await;
    to.send(account::Message::JournalRestarted).expect("it lives");
    let (second, again) = next(&mut written, |message| match message {
        journal::Message::Begin { writer, entries } => Some((writer, entries)),
        _ => None,
    })
    .await;
    assert!(second > first);
    assert_eq!(again.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [sequence]);
    committed(first, sequence);
    assert_eq!(orders_out(&mut sent).await, 0);
    committed(second, sequence);
    assert_eq!(orders_out(&mut sent).await, 1);
    running.stop(None);
}
