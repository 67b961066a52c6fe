//! What is measured on the way from a price to an order, against what has happened: each order is counted once at each
//! hop, and every tick until a strategy has decided on it.

use actors::measures::{Buckets, Hop, Kind};
use tests::{World, run_to_end};

fn count(buckets: &Buckets) -> u64 {
    buckets.counts.iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_order_is_counted_once_at_each_hop() {
    let world = World::random(1, 4, 120, 20);
    let (snapshot, system) = run_to_end(world.system()).await;
    let (inquiry, counts) = (system.inquiry(), snapshot.record.counts);
    let measures = inquiry.measures();
    let of = |hop| count(&measures.hop(hop).buckets());
    assert!(counts.orders > 20, "a world in which little happens proves little: {counts:?}");
    for hop in [Hop::JournalCommit, Hop::HandOver, Hop::TickToOrder] {
        assert_eq!(of(hop), counts.orders, "{}", hop.name());
    }
    // Cancels are reviewed, too.
    assert!(of(Hop::Review) >= counts.orders + counts.denials, "{}", of(Hop::Review));
    assert!(of(Hop::TickToDecision) >= counts.events, "{} of {}", of(Hop::TickToDecision), counts.events);
    // The whole way takes longer than its parts.
    let sum = |hop| measures.hop(hop).buckets().sum;
    assert!(sum(Hop::TickToOrder) > sum(Hop::JournalCommit) && sum(Hop::TickToOrder) > sum(Hop::HandOver));
    // Every entry went in some batch, and a batch took some time.
    assert_eq!(measures.batch.buckets().sum, snapshot.sequence);
    assert_eq!(count(&measures.batch.buckets()), count(&measures.sync.buckets()));
    for kind in [Kind::Account, Kind::Broker, Kind::Symbol, Kind::Strategy, Kind::Journal] {
        let of = measures.kind(kind);
        assert!(count(&of.delay.buckets()) > 0 && count(&of.handler.buckets()) > 0, "{}", kind.name());
    }
    assert!(inquiry.mailboxes().iter().all(|(_, depth)| *depth == 0), "{:?}", inquiry.mailboxes());
    system.stop().await.expect("it stops");
}
