//! A slice of the proofs of `tests::stop`, small enough for every run of the tests: `scripts/stop-proof` is
//! the whole of it.

use actors::system::shared;
use tests::MemoryHalt;
use tests::stop::cancels::cancel_all;
use tests::stop::gate::trials;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_passes_the_gate_after_a_kill_is_acknowledged() {
    let found = trials(20, 50_000, shared(MemoryHalt::default()), |_| {}).await;
    assert_eq!((found.after_acknowledgement, found.stale), (0, 0), "{found:?}");
    assert!(found.held_back > 20 && found.orders > 20, "{found:?}");
    assert!(found.least_queued >= 50_000, "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_open_order_is_cancelled_at_one_word() {
    cancel_all(500, shared(MemoryHalt::default())).await;
}
