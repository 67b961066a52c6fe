//! The same request twice: a change that carries an `Idempotency-Key` is carried out once, and whoever
//! sends it again, because the answer was lost, gets the first answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use market::Timestamp;
use ring::digest::{SHA256, digest};

use super::dispatch::Answer;
use super::problem::{CONFLICT, MALFORMED, Problem};

/// Answers kept. The oldest is forgotten for a new one.
const MOST_KEPT: usize = 1_000;
/// And none longer than a day.
const KEPT: Duration = Duration::from_secs(86_400);
/// Longest key.
const LONGEST: usize = 128;

/// What a client calls a request.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    client_id: String,
    key: String,
}

impl Key {
    /// From the header.
    ///
    /// # Errors
    /// It is empty, long, or not printable.
    pub fn new(client_id: &str, key: &str) -> Result<Self, Problem> {
        match !key.is_empty() && key.len() <= LONGEST && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self { client_id: client_id.to_owned(), key: key.to_owned() }),
            false => {
                let detail = format!("Idempotency-Key takes 1 to {LONGEST} printable characters without spaces");
                Err(MALFORMED.problem(detail))
            }
        }
    }
}

struct Known {
    request: [u8; 32],
    at: Timestamp,
    /// Nothing while it is under way.
    answer: Option<Answer>,
}

/// The requests that are known.
#[derive(Default)]
pub struct Repeats(Mutex<Requests>);

/// By key, and their keys in the order in which they came.
type Requests = (BTreeMap<Key, Known>, VecDeque<Key>);

/// A request under its key, until it is answered. Dropped without an answer, it may come again.
pub struct Pending {
    repeats: Arc<Repeats>,
    key: Key,
}

impl Repeats {
    /// A request under a key: what it was answered before, or the right to answer it now.
    ///
    /// # Errors
    /// The key stands for another request, or its request is under way.
    pub fn begin(
        repeats: &Arc<Self>,
        key: Key,
        request: &[&[u8]],
        now: Timestamp,
    ) -> Result<Result<Pending, Answer>, Problem> {
        let request = fingerprint(request);
        let mut known = repeats.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (by_key, order) = &mut *known;
        let kept = i64::try_from(KEPT.as_nanos()).unwrap_or(i64::MAX);
        while order
            .front()
            .and_then(|oldest| by_key.get(oldest))
            .is_some_and(|oldest| now.nanos_since(oldest.at) > kept)
            || order.len() >= MOST_KEPT
        {
            let Some(oldest) = order.pop_front() else { break };
            by_key.remove(&oldest);
        }
        match by_key.get(&key) {
            Some(before) if before.request != request => {
                Err(CONFLICT.problem("this Idempotency-Key stands for another request; take a new one"))
            }
            Some(Known { answer: Some(answer), .. }) => Ok(Err(answer.clone())),
            Some(_) => Err(CONFLICT.problem("the request with this Idempotency-Key is under way")),
            None => {
                by_key.insert(key.clone(), Known { request, at: now, answer: None });
                order.push_back(key.clone());
                Ok(Ok(Pending { repeats: Arc::clone(repeats), key }))
            }
        }
    }
}

impl Pending {
    /// What it was answered.
    pub fn answered(self, answer: &Answer) {
        let mut known = self.repeats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(request) = known.0.get_mut(&self.key) {
            request.answer = Some(answer.clone());
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut known = self.repeats.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (by_key, order) = &mut *known;
        if by_key.get(&self.key).is_some_and(|request| request.answer.is_none()) {
            by_key.remove(&self.key);
            order.retain(|key| key != &self.key);
        }
    }
}

/// Of parts that cannot run into each other.
fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut all = Vec::new();
    for part in parts {
        all.extend(part.len().to_be_bytes());
        all.extend(*part);
    }
    digest(&SHA256, &all).as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn key(name: &str) -> Key {
        Key::new("ana", name).unwrap()
    }

    fn begin(repeats: &Arc<Repeats>, name: &str, body: &str, now: i64) -> Result<Result<Pending, Answer>, u16> {
        let begun = Repeats::begin(repeats, key(name), &[b"POST", body.as_bytes()], at(now));
        begun.map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn a_request_that_comes_again_gets_the_first_answer() {
        let repeats = Arc::<Repeats>::default();
        let pending = begin(&repeats, "a", "x", 0).unwrap().ok().unwrap();
        assert_eq!(begin(&repeats, "a", "x", 0).err(), Some(409), "under way");
        let answer = Answer::json(&serde_json::json!({ "done": 1 }));
        pending.answered(&answer);
        assert_eq!(begin(&repeats, "a", "x", 86_400).unwrap().err(), Some(answer));
        assert_eq!(begin(&repeats, "a", "y", 1).err(), Some(409), "another request");
        assert!(begin(&repeats, "b", "x", 1).unwrap().is_ok());
        assert!(begin(&repeats, "a", "x", 86_402).unwrap().is_ok(), "forgotten after a day");
    }

    #[test]
    fn a_request_that_was_not_answered_may_come_again() {
        let repeats = Arc::<Repeats>::default();
        drop(begin(&repeats, "a", "x", 0).unwrap().ok().unwrap());
        assert!(begin(&repeats, "a", "y", 0).unwrap().is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let repeats = Arc::<Repeats>::default();
        for number in 0..3 * MOST_KEPT {
            let pending = begin(&repeats, &number.to_string(), "x", 0).unwrap().ok().unwrap();
            pending.answered(&Answer::json(&serde_json::json!({})));
        }
        let known = repeats.0.lock().unwrap();
        assert_eq!((known.0.len(), known.1.len()), (MOST_KEPT, MOST_KEPT));
    }

    #[test]
    fn keys_are_short_and_printable() {
        for wrong in ["", " ", "a b", "é", &"x".repeat(129)] {
            assert!(Key::new("ana", wrong).is_err(), "{wrong}");
        }
    }
}
