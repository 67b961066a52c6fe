//! How a running tree ends: the journal ends with the last thing that happened, and orders for the day are taken
//! back where that is wanted.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::system::shared;
use actors::{System, WindDown};
use desk::Entry;
use store::{Journal, MemoryJournal};
use tests::MemoryHalt;
use tests::stop::floor::{Floor, Kind, floor};

/// Orders that come to rest.
const RESTING: u32 = 20;
const LONG: Duration = Duration::from_secs(30);

/// A floor with resting orders, told to end so; the snapshot, what the venue saw, and how the journal ends.
async fn ended(cancel_day_orders: bool) -> (actors::account::Snapshot, usize, Vec<(u64, Entry)>) {
    let halts = Arc::new(Mutex::new(MemoryHalt::default()));
    let kind = Kind { instruments: RESTING, strategies: 1, rests: true };
    let Floor { mut settings, watched, .. } = floor(kind, halts);
    let memory = MemoryJournal::default();
    settings.journal = shared(memory.clone());
    let system = System::start(settings).await.expect("the system starts");
    let limit = tokio::time::Instant::now() + LONG;
    while watched.seen().submitted.len() < RESTING as usize {
        assert!(tokio::time::Instant::now() < limit, "the orders never came");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let last = system.wind_down(&WindDown { cancel_day_orders, within: LONG }).await.expect("it ends");
    let (mut entries, cancels) = (Vec::new(), watched.seen().canceled.len());
    let read = memory.read("STOP".parse().expect("a tag"), 1, &mut |entry| {
        entries.push((entry.sequence, serde_json::from_str(&entry.payload).expect("an entry")));
        Ok(())
    });
    read.expect("the journal reads");
    (last, cancels, entries)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_for_the_day_are_taken_back_and_their_end_is_durable() {
    let (last, cancels, entries) = ended(true).await;
    assert_eq!(cancels, RESTING as usize, "each once");
    assert_eq!(last.desk.book().open_orders(), Vec::<&oms::Order>::new());
    let own = entries.iter().filter(|(_, entry)| matches!(entry, Entry::CancelIntent { stops: true, .. }));
    assert_eq!(own.count(), RESTING as usize);
    assert_eq!((last.uncommitted, entries.last().map(|(sequence, _)| *sequence)), (0, Some(last.sequence)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_stay_where_nothing_else_is_said_and_the_journal_ends_with_what_was_told() {
    for _ in 0..10 {
        let (last, cancels, entries) = ended(false).await;
        assert_eq!((cancels, last.desk.book().open_orders().len()), (0, RESTING as usize));
        assert_eq!((last.uncommitted, entries.last().map(|(sequence, _)| *sequence)), (0, Some(last.sequence)));
    }
}
