//! Named places at which a test may kill the process: `PREGAO_CRASH_AT=after_commit:3` ends it with
//! SIGKILL the third time that it comes by. Compiled in only with the feature `crash_points`, which no
//! release has; without it a point is nothing.

/// On which way through the program a place lies: what a test must do to come by there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Passed once by every start.
    Start,
    /// Passed by orders and what the broker says of them, many times.
    Order,
    /// Passed when somebody stops trading over the control socket.
    Halt,
    /// Passed once by an orderly end.
    Stop,
}

/// A place, and what stands still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// As `PREGAO_CRASH_AT` names it.
    pub name: &'static str,
    /// How to come by.
    pub way: Way,
    /// What is done by then, and what is not.
    pub means: &'static str,
}

const fn at(way: Way, name: &'static str, means: &'static str) -> Place {
    Place { name, way, means }
}

/// Every place, in the order in which a life passes them: the kill test goes through the list.
pub const POINTS: &[Place] = &[
    at(Way::Start, "lease_taken", "the account is ours, the journal is not read yet"),
    at(Way::Start, "recovered", "the journal is read, no actor runs"),
    at(Way::Start, "before_snapshot", "a snapshot is made, its transaction has not begun"),
    at(Way::Start, "in_snapshot", "the snapshot is in its transaction, which is not committed"),
    at(Way::Start, "after_snapshot", "the snapshot is kept, nobody was told"),
    at(Way::Start, "statement_received", "the broker's statement is here, the book does not know it"),
    at(Way::Start, "statement_applied", "the corrections are in the book, their entries on the way to the journal"),
    at(Way::Order, "before_append", "an entry is numbered and in the book, the journal has not got it"),
    at(Way::Order, "before_commit", "the journal has the entries, the store does not"),
    at(Way::Order, "in_transaction", "a transaction for the entries is open, not committed"),
    at(Way::Order, "committed", "the entries are durable, the journal does not know"),
    at(Way::Order, "after_commit", "the journal knows, the account does not"),
    at(Way::Order, "commit_heard", "the account knows, the command has not been handed over"),
    at(Way::Order, "before_hand_over", "the command is released, the broker has not got it"),
    at(Way::Order, "before_gate", "the broker has the command, the gate was not asked"),
    at(Way::Order, "before_send", "the command is past the gate, no byte has left"),
    at(Way::Order, "after_send", "the command has left, the account does not know"),
    at(Way::Order, "sent_heard", "the account knows that it left, the journal does not"),
    at(Way::Order, "report_polled", "a report is out of the connection, not in the log of reports"),
    at(Way::Order, "report_received", "a report is with the account, the book does not know it"),
    at(Way::Order, "report_applied", "a report is in the book, its entry on the way to the journal"),
    at(Way::Order, "external_received", "a trade of another hand is here, the book does not know it"),
    at(Way::Halt, "kill_heard", "somebody asked to stop trading, the switch is not thrown"),
    at(Way::Halt, "before_halt_stored", "the switch is thrown, the halt is not stored"),
    at(Way::Halt, "after_halt_stored", "the halt is stored, not journaled, and nobody has an answer"),
    at(Way::Halt, "kill_answered", "the answer has left"),
    at(Way::Stop, "stopping", "told to stop, everything still runs"),
    at(Way::Stop, "stopped", "no actor is left, the account is still ours"),
    at(Way::Stop, "lease_released", "the account is anybody's, the process has not ended"),
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

    use rustix::process::{Signal, getpid, kill_process};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    debug_assert!(POINTS.iter().any(|place| place.name == name), "{name} is not in the list of crash points");
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("PREGAO_CRASH_AT").ok()?;
        let (name, number) = text.split_once(':')?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    if let Some((wanted, number)) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *number
    {
        // A signal that nothing can catch: no destructor runs and no buffer is written. It is in force
        // before the call returns, so nothing comes after it on this thread.
        let _ = kill_process(getpid(), Signal::KILL);
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_name_of_its_own() {
        for (place, point) in POINTS.iter().enumerate() {
            assert!(POINTS.iter().skip(place + 1).all(|other| other.name != point.name), "{}", point.name);
        }
    }
}
