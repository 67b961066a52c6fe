//! The last gate and the risk monitors' lease: what leaves while nobody watches.

#[path = "../../brokers/tests/simulated/approve.rs"]
mod approve;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brokers::{Broker as Connection, SendError};
use desk::Command;
use market::order::{CancelOrder, ReplaceOrder};
use market::{
    ClientOrderId, ExecutionReport, InstrumentId, NewOrder, OrderType, Price, Quantity, Side, StrategyId, TimeInForce,
    Timestamp,
};
use ractor::Actor;
use risk::monitors::Configured;
use risk::{Approved, HaltLevel, HaltSwitch};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::address::Address;
use crate::board::QuoteSlots;
use crate::broker::{self, ReportLog};
use crate::clock::Clock;
use crate::conversation_tests::{halter, next, probe};
use crate::figures::FigureBoard;
use crate::lease::Right;
use crate::pulse::{LEASE, Pulse};
use crate::system::shared;
use crate::turn::Turn;
use crate::{account, limit, supervisor};

use approve::Approver;

/// Takes everything.
struct Open(Arc<Mutex<Vec<ClientOrderId>>>);

impl Open {
    fn took(&self, id: ClientOrderId) -> Result<(), SendError> {
        self.0.lock().expect("nobody panicked").push(id);
        Ok(())
    }
}

impl Connection for Open {
    fn name(&self) -> &str {
        "open"
    }

    fn submit(
        &mut self,
        order: &Approved<NewOrder>,
        _: Timestamp,
        _: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.took(order.get().client_order_id)
    }

    fn cancel(
        &mut self,
        cancel: &Approved<CancelOrder>,
        _: Timestamp,
        _: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.took(cancel.get().client_order_id)
    }

    fn replace(
        &mut self,
        replace: &Approved<ReplaceOrder>,
        _: Timestamp,
        _: &mut Vec<ExecutionReport>,
    ) -> Result<(), SendError> {
        self.took(replace.get().client_order_id)
    }
}

fn id(sequence: u32) -> ClientOrderId {
    ClientOrderId::new("TEST", Clock::System.now().local_date(), sequence).expect("an identifier")
}

fn order(sequence: u32, side: Side) -> NewOrder {
    NewOrder {
        client_order_id: id(sequence),
        strategy: StrategyId(0),
        instrument: InstrumentId::new(0),
        side,
        quantity: Quantity::new(100),
        order_type: OrderType::Limit { limit_price: Price::from_cents(1_000).expect("a price") },
        time_in_force: TimeInForce::Day,
        decided_at: Clock::System.now(),
        parent: None,
    }
}

/// A purchase, a sale of what is held, a change and a cancel; what of them left, and why the others did not.
async fn send_each(pulse: Pulse) -> (Vec<ClientOrderId>, Vec<String>) {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (account, mut told) = probe::<account::Message>("account", Some).await;
    let to = Address::new("broker");
    let halt = HaltSwitch::at(HaltLevel::Active);
    let now = halt.epoch();
    let arguments = broker::Arguments {
        address: to.clone(),
        account,
        connection: shared(Open(Arc::clone(&taken))),
        log: shared(ReportLog::after(0)),
        halt,
        right: Right::unlimited(),
        pulse,
        quotes: Arc::new(QuoteSlots::new(1)),
        clock: Clock::System,
    };
    let (actor, _) = Actor::spawn(None, broker::Broker, arguments).await.expect("it starts");
    let mut approver = Approver::new(1);
    let replace = ReplaceOrder {
        client_order_id: id(3),
        instrument: InstrumentId::new(0),
        quantity: Quantity::new(200),
        limit_price: None,
        decided_at: Clock::System.now(),
    };
    let (client_order_id, instrument, decided_at) = (id(4), InstrumentId::new(0), Clock::System.now());
    let commands = [
        Command::Submit(approver.order(order(1, Side::Buy)).decided_in(now)),
        Command::Submit(approver.order(order(2, Side::Sell)).decided_in(now)),
        Command::Replace(approver.replace(&order(3, Side::Buy), replace).decided_in(now)),
        Command::Cancel(risk::approve_cancel(CancelOrder { client_order_id, instrument, decided_at })),
    ];
    let mut refused = Vec::new();
    for command in commands {
        to.send(broker::Message::Send { command, handed: Instant::now(), turn: Turn::none() }).expect("it lives");
        refused.extend(outcome(&mut told).await);
    }
    actor.stop(None);
    let taken = taken.lock().expect("nobody panicked").clone();
    (taken, refused)
}

/// What the Account is told of a command: nothing where it left.
async fn outcome(told: &mut UnboundedReceiver<account::Message>) -> Option<String> {
    next(told, |message| match message {
        account::Message::Told { sent: Some(_), .. } => Some(None),
        account::Message::NotSent { reason, .. } => Some(Some(reason)),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn only_cancels_and_reducing_orders_leave_while_the_risk_monitors_are_not_heard() {
    let long_ago = Instant::now().checked_sub(LEASE * 10).expect("this machine has run for ten seconds");
    let (taken, refused) = send_each(Pulse::since(long_ago)).await;
    assert_eq!(taken, [id(2), id(4)]);
    assert_eq!(refused, ["not sent: the risk monitors have not been heard for 1s"; 2]);
    // Compressed time has no lease that a slow machine could let run out.
    let (taken, refused) = send_each(Pulse::of(&Clock::simulated(Timestamp::from_nanos(0)))).await;
    assert_eq!((taken, refused), (vec![id(1), id(2), id(3), id(4)], Vec::new()));
}

/// A Supervisor without children, whose beats go to the given place.
async fn supervise(pulse: &Pulse, account: Address<account::Message>) -> ractor::ActorRef<supervisor::Message> {
    let (given_up, _) = tokio::sync::watch::channel(Vec::new());
    let arguments = supervisor::Arguments {
        children: Vec::new(),
        policy: crate::RestartPolicy::default(),
        halt: halter(),
        restarts: crate::Restarts::default(),
        given_up,
        pulse: pulse.clone(),
        account,
    };
    Actor::spawn(None, supervisor::Supervisor, arguments).await.expect("it starts").0
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_does_not_take_the_beat_closes_the_gate_and_is_not_flooded() {
    // The Account's place hands beats on to a mailbox that nobody reads.
    let (account, mut beats) = probe::<account::Message>("account", Some).await;
    let pulse = Pulse::since(Instant::now());
    let supervisor = supervise(&pulse, account).await;
    let waiting = next(&mut beats, |message| match message {
        account::Message::Pulse(beat) => Some(beat),
        _ => None,
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(beats.try_recv().is_err(), "an hour of beats would wait behind the first");
    assert_eq!(pulse.beats(), 0, "nothing has renewed the lease");
    drop(waiting);
    let again = next(&mut beats, |message| matches!(message, account::Message::Pulse(_)).then_some(())).await;
    assert_eq!(again, (), "one that got lost makes room for the next");
    supervisor.stop(None);
}

#[tokio::test]
async fn a_limit_that_lives_keeps_the_pulse_going() {
    let pulse = Pulse::since(Instant::now());
    let to_limit = Address::new("limit");
    let (account, _told) = probe::<account::Message>("account", Some).await;
    let universe = Arc::new(market::Universe::new());
    let limits = Arc::new(risk::LimitTable::uniform(risk::LimitSet::WIDE, &universe));
    let watch = || {
        let settings = risk::MonitorSettings::default();
        risk::monitors::watches(&Configured { settings, strategies: &[] }).swap_remove(0)
    };
    let arguments = limit::Arguments {
        address: to_limit.clone(),
        account,
        watch: Arc::new(watch),
        figures: Arc::new(FigureBoard::new(limits, universe, 1)),
        place: 0,
        halt: halter(),
        alerts: crate::Alerts::default(),
        next: None,
        pulse: pulse.clone(),
        outside: None,
    };
    let (limit, _) = Actor::spawn(None, limit::Limit, arguments).await.expect("it starts");
    // Where the Account would stand: it hands each beat on.
    let (account, mut beats) = probe::<account::Message>("account", Some).await;
    let supervisor = supervise(&pulse, account).await;
    for count in 1..=3 {
        let beat = next(&mut beats, |message| match message {
            account::Message::Pulse(beat) => Some(beat),
            _ => None,
        })
        .await;
        to_limit.send(limit::Message::Pulse(beat)).expect("it lives");
        let came_through = async {
            while pulse.beats() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), came_through).await.expect("the beat comes through");
    }
    supervisor.stop(None);
    limit.stop(None);
}
