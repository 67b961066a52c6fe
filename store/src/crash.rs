//! Named places at which a test may kill the process: `PREGAO_CRASH_AT=after_commit:3` ends it with
//! SIGKILL the third time that it comes by. Compiled in only with the feature `crash_points`, which no
//! release has; without it a point is nothing.

/// Every place, in the order in which an order passes them: the kill test goes through the list.
pub const POINTS: &[&str] = &[
    "before_append",
    "before_commit",
    "after_commit",
    "commit_heard",
    "before_hand_over",
    "before_send",
    "after_send",
    "report_received",
    "statement_received",
    "statement_applied",
];

/// A place at which the process may be killed.
#[cfg(not(feature = "crash_points"))]
#[inline(always)]
pub fn point(_name: &str) {}

/// A place at which the process may be killed.
#[cfg(feature = "crash_points")]
pub fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    debug_assert!(POINTS.contains(&name), "{name} is not in the list of crash points");
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("PREGAO_CRASH_AT").ok()?;
        let (name, number) = text.split_once(':')?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    if let Some((wanted, number)) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *number
    {
        // A signal that nothing can catch: no destructor runs and no buffer is written.
        let me = std::process::id().to_string();
        let _ = std::process::Command::new("kill").args(["-9", &me]).status();
        std::process::abort();
    }
}
