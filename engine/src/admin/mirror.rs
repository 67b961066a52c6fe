//! How things stand, for everybody who asks: the account is asked at most once in a tenth of a second,
//! however many want to know, so that nobody who reads can hold up trading.

use std::sync::Arc;
use std::time::Duration;

use actors::Inquiry;
use actors::account::Snapshot;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::problem::{Problem, UNAVAILABLE};

/// An answer counts for everybody for so long.
const FRESH: Duration = Duration::from_millis(100);
/// That there is none, too: an account that does not answer is not asked by everybody in turn.
const FRESH_FAILURE: Duration = Duration::from_secs(1);
/// The longest that the account may take. It is busy with trading, not with us.
const PATIENCE: Duration = Duration::from_secs(5);

/// A snapshot, or why there is none.
type Seen = Result<Arc<Snapshot>, String>;

/// What was last seen.
pub struct Mirror {
    inquiry: Inquiry,
    seen: Mutex<Option<(Instant, Seen)>>,
}

impl Mirror {
    /// Nothing seen yet.
    pub fn of(inquiry: Inquiry) -> Self {
        Self { inquiry, seen: Mutex::default() }
    }

    /// How things stand, a tenth of a second ago at most.
    ///
    /// # Errors
    /// The account does not answer.
    pub async fn look(&self) -> Seen {
        let mut seen = self.seen.lock().await;
        if let Some((at, answer)) = &*seen
            && at.elapsed() < if answer.is_ok() { FRESH } else { FRESH_FAILURE }
        {
            return answer.clone();
        }
        let asked = tokio::time::timeout(PATIENCE, self.inquiry.snapshot()).await;
        let answer = match asked {
            Ok(Ok(snapshot)) => Ok(Arc::new(snapshot)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the account does not answer within {} s", PATIENCE.as_secs())),
        };
        *seen = Some((Instant::now(), answer.clone()));
        answer
    }

    /// The same, for a handler.
    ///
    /// # Errors
    /// The account does not answer.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, Problem> {
        self.look().await.map_err(|error| UNAVAILABLE.problem(error).after(FRESH_FAILURE))
    }
}
