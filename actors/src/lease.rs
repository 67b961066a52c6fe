//! Lease: keeps the right to write to the account, and says at once when it is gone.
//!
//! Owns the store's lease. Hears only its own "renew". Writes the [`Right`] that the last gate reads for
//! every order: what was renewed holds for its term, counted from before it was asked for, on a clock
//! that nobody sets. A process that was paused finds its right run out when it wakes, before it has
//! spoken to anybody.
//!
//! When it dies: restarted, renews at once. While it is down the right runs out by itself, and no new
//! order leaves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use risk::{HaltLevel, HaltScope, HaltSwitch};
use store::{Lease as Store, StoreError};
use tokio::sync::watch;

/// Renewals within one term: two may fail before the right runs out.
const RENEWALS_PER_TERM: u32 = 3;
/// Part of the term that is not used: the store's clock and ours may run apart.
const MARGIN: u32 = 5;

/// A store's lease that outlives the actor's restarts.
pub type SharedLease = Arc<Mutex<Box<dyn Store>>>;

const UNLIMITED: u64 = u64::MAX;
const LOST: u64 = 0;

/// The right to send, as the last gate reads it. Clones are the same right.
#[derive(Clone, Debug)]
pub struct Right {
    began: Instant,
    /// Nanoseconds since `began` until which it holds.
    until: Arc<AtomicU64>,
}

impl Right {
    /// Holds until the process ends: a lock guards the store.
    pub fn unlimited() -> Self {
        Self { began: Instant::now(), until: Arc::new(AtomicU64::new(UNLIMITED)) }
    }

    /// Holds for `term` from `since` on.
    pub fn until(since: Instant, term: Duration) -> Self {
        let right = Self { began: since, until: Arc::new(AtomicU64::new(1)) };
        right.confirmed(since, term);
        right
    }

    /// Whether a new order may leave now.
    #[inline]
    pub fn holds(&self) -> bool {
        match self.until.load(Ordering::Acquire) {
            UNLIMITED => true,
            until => u128::from(until) > self.began.elapsed().as_nanos(),
        }
    }

    /// Whether another process has taken over: not even a cancel may leave.
    #[inline]
    pub fn is_lost(&self) -> bool {
        self.until.load(Ordering::Acquire) == LOST
    }

    /// Confirmed at `since` for `term`. A right that is lost stays lost.
    pub fn confirmed(&self, since: Instant, term: Duration) {
        let usable = term - term / MARGIN;
        let until = since.duration_since(self.began) + usable;
        let until = u64::try_from(until.as_nanos()).unwrap_or(UNLIMITED - 1).max(1);
        // Lost is for ever: whoever took over may be sending by now.
        let _ = self.until.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now != LOST).then_some(until));
    }

    /// Another process has taken over.
    pub fn lose(&self) {
        self.until.store(LOST, Ordering::Release);
    }
}

/// What the Lease hears.
#[derive(Debug)]
pub enum Message {
    /// Renew now.
    Renew,
}

/// What a Lease is made of.
#[derive(Clone)]
pub struct Arguments {
    /// The store's lease.
    pub lease: SharedLease,
    /// What the gate reads.
    pub right: Right,
    /// The switch: in memory only, for the successor trades on by the stored one.
    pub halt: HaltSwitch,
    /// Told when another process has taken over.
    pub lost: watch::Sender<Option<String>>,
}

/// A Lease at work.
pub struct State {
    arguments: Arguments,
}

/// The kind of actor.
pub struct Lease;

impl Actor for Lease {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let term = arguments.lease.lock().unwrap_or_else(PoisonError::into_inner).term();
        if let Some(term) = term {
            myself.send_message(Message::Renew)?;
            myself.send_interval(term / RENEWALS_PER_TERM, || Message::Renew);
        }
        Ok(State { arguments })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Renew => state.renew(),
        }
        Ok(())
    }
}

impl State {
    fn renew(&self) {
        let Arguments { lease, right, halt, lost } = &self.arguments;
        if right.is_lost() {
            return;
        }
        let before = Instant::now();
        let mut lease = lease.lock().unwrap_or_else(PoisonError::into_inner);
        match lease.renew() {
            Ok(()) => right.confirmed(before, lease.term().unwrap_or_default()),
            Err(error @ StoreError::LeaseLost { .. }) => {
                right.lose();
                halt.raise(&HaltScope::Account, HaltLevel::Halted);
                tracing::error!(%error, "the account was taken over");
                lost.send_replace(Some(error.to_string()));
            }
            Err(error) => tracing::error!(%error, "the lease could not be renewed; new orders stop when it runs out"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_holds_for_its_term_and_never_again_once_lost() {
        let term = Duration::from_secs(3_600);
        let now = Instant::now();
        let right = Right::until(now, term);
        assert!(right.holds() && !right.is_lost());
        // Its term is over: somebody else may have the account by now.
        let paused = Right::until(now, Duration::from_nanos(10));
        assert!(!paused.holds() && !paused.is_lost());
        paused.confirmed(Instant::now(), term);
        assert!(paused.holds());
        right.lose();
        right.confirmed(Instant::now(), term);
        assert!(!right.holds() && right.is_lost());
        assert!(Right::unlimited().holds());
    }
}
