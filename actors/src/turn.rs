//! Lockstep for compressed time.
//!
//! A `Turn` travels with every message that one market event causes. When the last copy is
//! dropped, everything that the event caused has been handled, and whoever waits goes on. A panic
//! drops its copies while unwinding, so nobody waits for the dead. Live, turns are empty and free.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// No step of a compressed session takes this long; waiting longer means that something hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// A copy of a turn in progress, or nothing; with the tick that began it.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    held: Option<Arc<Held>>,
    /// When the tick that everything here follows from was brought: only to measure how long it took.
    tick: Option<Instant>,
}

#[derive(Debug)]
struct Held(Option<oneshot::Sender<()>>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            // Nobody waits any more when the waiter was stopped itself.
            let _ = done.send(());
        }
    }
}

/// The turn did not end in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a step of the compressed session did not end within {} s", LIMIT.as_secs())]
pub struct Hangs;

impl Turn {
    /// Nobody waits.
    pub const fn none() -> Self {
        Self { held: None, tick: None }
    }

    /// Nobody waits for what a tick causes that is brought now.
    pub fn of_tick() -> Self {
        Self::none().after(Some(Instant::now()))
    }

    /// The same turn, following from another tick, or from none.
    #[must_use]
    pub fn after(mut self, tick: Option<Instant>) -> Self {
        self.tick = tick;
        self
    }

    /// When the tick was brought that this follows from.
    pub const fn tick(&self) -> Option<Instant> {
        self.tick
    }

    /// Whether somebody waits for this turn.
    pub const fn is_paced(&self) -> bool {
        self.held.is_some()
    }

    /// Gives `send` a turn, and waits until all its copies are gone.
    ///
    /// # Errors
    /// Something holds on to a copy for too long.
    pub async fn run(send: impl FnOnce(Turn)) -> Result<(), Hangs> {
        let (done, wait) = oneshot::channel();
        send(Turn { held: Some(Arc::new(Held(Some(done)))), tick: None });
        match tokio::time::timeout(LIMIT, wait).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Hangs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_with_the_last_copy() {
        let (held, holder) = oneshot::channel::<Turn>();
        let waiting = tokio::spawn(Turn::run(move |turn| {
            let copy = turn.clone();
            drop(turn);
            held.send(copy).unwrap();
        }));
        let copy = holder.await.unwrap();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(copy);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_panicking_holder_does_not_keep_it() {
        let result = Turn::run(|turn| {
            tokio::spawn(async move {
                let _held = turn;
                panic!("expected in this test");
            });
        });
        assert_eq!(result.await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_is_never_dropped_is_an_error() {
        let mut kept = None;
        assert_eq!(Turn::run(|turn| kept = Some(turn)).await, Err(Hangs));
        assert!(kept.is_some_and(|turn| turn.is_paced()));
    }
}
