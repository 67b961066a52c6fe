//! How a running tree ends: in order, so that the journal's last entry is the last thing that happened, or at once.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{ANSWER_LIMIT, System, SystemError};
use crate::account::{self, Snapshot};
use crate::{feed, journal};

/// Between two looks at what the broker has answered.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// What the journal is given even when the broker has used up all the time.
const LEAST_TO_FINISH: Duration = Duration::from_secs(2);

/// How a tree ends when it is told to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindDown {
    /// Take back what would otherwise rest until the session ends.
    pub cancel_day_orders: bool,
    /// Longest that the broker and the journal are waited for.
    pub within: Duration,
}

impl System {
    /// Stops in order: the feed, so that nothing new happens; then the account, which hears nothing more once
    /// everything it has heard is durable; then everything else. What is returned is how the journal ends.
    ///
    /// # Errors
    /// The account is down or does not answer in time; everything is stopped all the same.
    pub async fn stop(self) -> Result<Snapshot, SystemError> {
        self.wind_down(&WindDown { cancel_day_orders: false, within: ANSWER_LIMIT }).await
    }

    /// As [`System::stop`], after nothing new is taken on and, where wanted, orders for the day are taken back.
    /// Whatever is not done in time is left: the journal and the broker know it, and the next start finds it.
    ///
    /// # Errors
    /// As for [`System::stop`].
    pub async fn wind_down(self, how: &WindDown) -> Result<Snapshot, SystemError> {
        let deadline = Instant::now() + how.within;
        let cancel_day_orders = how.cancel_day_orders;
        // A feed or an account that is down brings nothing either.
        let _ = self.addresses.account.send(account::Message::WindDown { cancel_day_orders });
        while cancel_day_orders && self.is_cancelling().await && Instant::now() < deadline {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let _ = self.addresses.feed.send(feed::Message::Stop);
        let (reply, answer) = oneshot::channel();
        let last = match self.addresses.account.send(account::Message::Finish(reply)) {
            Ok(()) => tokio::time::timeout_at(deadline.max(Instant::now() + LEAST_TO_FINISH), answer).await.ok(),
            Err(_) => None,
        };
        let last = match last {
            Some(Ok(snapshot)) => {
                self.settle().await;
                Ok(snapshot)
            }
            // The journal does not answer, or nobody is there.
            _ => self.snapshot().await,
        };
        self.abandon().await;
        last
    }

    /// Whether an order waits for the broker's answer to a cancel.
    async fn is_cancelling(&self) -> bool {
        let Ok(snapshot) = self.snapshot().await else { return false };
        let waits = |order: &&oms::Order| order.cancel_requested;
        snapshot.desk.book().open_orders().iter().any(waits)
    }

    /// Until the journal has written what it was handed, the last snapshot included.
    async fn settle(&self) {
        let (settled, answer) = oneshot::channel();
        if self.addresses.journal.send(journal::Message::Settle(settled)).is_ok() {
            let _ = tokio::time::timeout(ANSWER_LIMIT, answer).await;
        }
    }

    /// Stops at once, whatever has not been made durable: there is no journal to wait for any more.
    pub async fn abandon(mut self) {
        drop(self.sampler.take());
        // The supervisor takes its children along.
        if let Err(error) = self.supervisor.stop_and_wait(None, Some(ANSWER_LIMIT)).await {
            tracing::error!(%error, "the actors did not stop in time");
        }
    }
}
