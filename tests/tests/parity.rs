//! The same sessions through the actors in compressed time and through the backtest's loop give the
//! same fills, the same days and the same fingerprint.

use desk::Execution;
use tests::{World, run_to_end};

fn worlds() -> Vec<(&'static str, World)> {
    let plain = World::random(1, 4, 120, 20);
    let mut momentum = World::random(2, 6, 120, 20);
    momentum.kinds.push(("cross_sectional_momentum", Execution::Auction));
    let mut slow = World::random(3, 3, 90, 20);
    slow.simulation.latency_milliseconds = 1_500;
    let mut thin = World::random(4, 3, 90, 20);
    thin.simulation.participation = market::Rate::from_ppm(2_000);
    let mut poor = World::random(5, 5, 200, 20);
    poor.cash = market::Money::from_cents(7_500_000);
    let mut losing = World::random(6, 5, 150, 20);
    losing.limits.max_daily_loss = market::Money::from_cents(150_000);
    let mut falling = World::random(6, 5, 150, 20);
    falling.limits.max_drawdown = market::Rate::from_ppm(30_000);
    let mut one = World::random(6, 5, 150, 20);
    one.first_limits.max_daily_loss = Some(market::Money::from_cents(90_000));
    let mut large = World::random(9, 4, 120, 20);
    // Room for one strategy's position and little more: what carries it beyond is the price.
    large.limits.max_symbol_share = market::Rate::from_ppm(170_000);
    vec![
        ("plain", plain),
        ("momentum", momentum),
        ("latency", slow),
        ("partial fills", thin),
        ("denied for cash", poor),
        ("halted by the daily loss", losing),
        ("halted by the drawdown", falling),
        ("one strategy halted by its loss", one),
        ("a symbol halted by its share", large),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actors_and_backtest_agree_to_the_last_fill() {
    for (name, world) in worlds() {
        let mut backtest = world.backtest();
        for event in &world.events {
            backtest.step(event);
        }
        let (expected, desk, breaches) = backtest.finish();
        assert!(expected.fills.len() > 20, "{name}: a world in which little happens proves little");
        desk.book().verify().unwrap();

        let (snapshot, system) = run_to_end(world.system()).await;
        snapshot.desk.book().verify().unwrap();
        for (ours, theirs) in snapshot.record.fills.iter().zip(&expected.fills) {
            assert_eq!(ours, theirs, "{name}");
        }
        assert_eq!(snapshot.record.fills.len(), expected.fills.len(), "{name}");
        assert_eq!(snapshot.record.fingerprint(), expected.fingerprint(), "{name}");
        assert_eq!(snapshot.record.days, expected.days, "{name}");
        assert_eq!(snapshot.desk.denials(), desk.denials(), "{name}");
        assert_eq!(snapshot.desk.book().equity(), desk.book().equity(), "{name}");
        assert_eq!(snapshot.desk.halt().standing(), desk.halt().standing(), "{name}");
        assert_eq!(desk.halt().standing().is_empty(), breaches.is_empty(), "{name}");
        assert_eq!(system.restarts().total(), 0, "{name}");
        system.stop().await.unwrap();

        match name {
            "denied for cash" => assert!(desk.denials().contains_key("buying_power")),
            "halted by the daily loss" | "halted by the drawdown" => {
                assert!(!breaches.is_empty() && desk.denials().contains_key("halted"));
            }
            "one strategy halted by its loss" => {
                let scope = risk::HaltScope::Strategy(world.names()[0].clone());
                assert_eq!(desk.halt().standing(), [(scope, risk::HaltLevel::Reducing)]);
                assert!(desk.denials().contains_key("halted"));
            }
            "a symbol halted by its share" => {
                let of_symbol = |scope: &risk::HaltScope| matches!(scope, risk::HaltScope::Symbol(_));
                assert!(!breaches.is_empty(), "{:?}", desk.denials());
                let standing = desk.halt().standing();
                assert!(standing.iter().all(|(scope, _)| of_symbol(scope)), "{standing:?}");
            }
            "partial fills" => {
                let mut whole = world.clone();
                whole.simulation = Default::default();
                let mut unhindered = whole.backtest();
                whole.events.iter().for_each(|event| unhindered.step(event));
                assert_ne!(unhindered.finish().0.fingerprint(), expected.fingerprint());
            }
            _ => {}
        }
    }
}

#[test]
fn a_backtest_repeats_itself() {
    let world = World::random(7, 4, 100, 20);
    let run = || {
        let mut backtest = world.backtest();
        world.events.iter().for_each(|event| backtest.step(event));
        backtest.finish().0.fingerprint()
    };
    assert_eq!(run(), run());
}

#[test]
fn the_first_session_trades_on_the_bar_of_the_evening_before() {
    let first_day_fills = |warm| {
        let world = World::random(8, 4, 90, warm);
        let first = world.events.first().map(|event| event.at().local_date());
        let mut backtest = world.backtest();
        let of_first = world.events.iter().filter(|event| Some(event.at().local_date()) == first);
        of_first.for_each(|event| backtest.step(event));
        backtest.finish().0.fills.len()
    };
    assert!((20..80).map(first_day_fills).sum::<usize>() > 10, "a replay must not sleep through its first session");
}
