//! The same request twice: a change that carries an `Idempotency-Key` is carried out once, and whoever
//! sends it again, because the answer was lost, gets the first answer.
//!
//! Keys outlive the process, answers do not: some of them hold secrets. A key that was used before a restart is
//! therefore refused, whatever became of its request then. A resume that is sent again would otherwise lift a halt
//! that its sender has never seen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use market::Timestamp;
use ring::digest::{SHA256, digest};
use store::{MetaStore, StoreError};

use super::dispatch::Answer;
use super::problem::{CONFLICT, MALFORMED, Problem, UNAVAILABLE};

/// Requests remembered. The oldest is forgotten for a new one.
const MOST_KEPT: usize = 1_000;
/// And none longer than a day.
const KEPT: Duration = Duration::from_secs(86_400);
/// Longest key.
const LONGEST: usize = 128;
/// Where the keys of an account's interface are kept.
const PLACE: &str = "admin_requests";

type Digest = [u8; 32];

/// What a client calls a request, as the digest of both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key(Digest);

impl Key {
    /// From the header.
    ///
    /// # Errors
    /// It is empty, long, or not printable.
    pub fn new(client_id: &str, key: &str) -> Result<Self, Problem> {
        match !key.is_empty() && key.len() <= LONGEST && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(fingerprint(&[client_id.as_bytes(), key.as_bytes()]))),
            false => {
                let detail = format!("Idempotency-Key takes 1 to {LONGEST} printable characters without spaces");
                Err(MALFORMED.problem(detail))
            }
        }
    }
}

struct Known {
    at: Timestamp,
    state: State,
}

/// What is known of a request.
enum State {
    /// Under way.
    Begun(Digest),
    /// Answered.
    Answered(Digest, Answer),
    /// An earlier process had it.
    Before,
}

/// The requests that are known.
pub struct Repeats {
    requests: Mutex<Requests>,
    keys: Mutex<Box<dyn MetaStore>>,
    place: String,
}

/// By key, and their keys in the order in which they came.
#[derive(Default)]
struct Requests {
    by_key: BTreeMap<Key, Known>,
    order: VecDeque<Key>,
}

/// A request under its key, until it is answered. Dropped without an answer, it may come again.
pub struct Pending {
    repeats: Arc<Repeats>,
    key: Key,
}

impl Repeats {
    /// The requests of this account's interface, those of earlier processes included.
    ///
    /// # Errors
    /// The store cannot be read, or holds something else.
    pub fn of(account: &str, keys: Box<dyn MetaStore>) -> Result<Self, StoreError> {
        let place = format!("{PLACE}.{account}");
        let mut requests = Requests::default();
        if let Some(text) = keys.meta(&place)? {
            let kept = read(&text).map_err(|source| StoreError::Failed {
                place: format!("the named value {place}"),
                doing: "read the Idempotency-Keys that were used; set it to [] to forget them",
                source: source.into(),
            })?;
            kept.into_iter().for_each(|(key, at)| requests.insert(key, Known { at, state: State::Before }));
        }
        Ok(Self { requests: Mutex::new(requests), keys: Mutex::new(keys), place })
    }

    /// A request under a key: what it was answered before, or the right to answer it now. Waits for the store.
    ///
    /// # Errors
    /// The key stands for another request, its request is under way, an earlier process had it, or the store does not
    /// take it.
    pub fn begin(
        repeats: &Arc<Self>,
        key: Key,
        request: Digest,
        now: Timestamp,
    ) -> Result<Result<Pending, Answer>, Problem> {
        {
            let mut requests = repeats.requests();
            requests.forget_what_is_old(now);
            match requests.by_key.get(&key).map(|known| &known.state) {
                Some(State::Before) => {
                    let detail = "this Idempotency-Key was used before the daemon started again, and what was answered is \
                                  forgotten: look at the state or the audit, and take a new key if it still has to be done";
                    return Err(CONFLICT.problem(detail));
                }
                Some(State::Begun(before) | State::Answered(before, _)) if *before != request => {
                    return Err(CONFLICT.problem("this Idempotency-Key stands for another request; take a new one"));
                }
                Some(State::Answered(_, answer)) => return Ok(Err(answer.clone())),
                Some(State::Begun(_)) => {
                    return Err(CONFLICT.problem("the request with this Idempotency-Key is under way"));
                }
                None => requests.insert(key, Known { at: now, state: State::Begun(request) }),
            }
        }
        let pending = Pending { repeats: Arc::clone(repeats), key };
        // Before it is carried out: what may have been done is never done again. Dropped where that fails.
        repeats.keep().map_err(|error| {
            UNAVAILABLE.problem(format!("nothing was done, because the Idempotency-Key could not be kept: {error}"))
        })?;
        Ok(Ok(pending))
    }

    /// Makes every known key durable.
    fn keep(&self) -> Result<(), StoreError> {
        // Whoever writes last has seen all that were written before.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let text = self.requests().written();
        keys.set_meta(&self.place, &text)
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Requests {
    fn insert(&mut self, key: Key, known: Known) {
        if self.by_key.insert(key, known).is_none() {
            self.order.push_back(key);
        }
    }

    /// Leaves room for one more.
    fn forget_what_is_old(&mut self, now: Timestamp) {
        let kept = i64::try_from(KEPT.as_nanos()).unwrap_or(i64::MAX);
        let is_old = |known: &Known| now.nanos_since(known.at) > kept;
        while self.order.len() >= MOST_KEPT
            || self.order.front().and_then(|oldest| self.by_key.get(oldest)).is_some_and(is_old)
        {
            let Some(oldest) = self.order.pop_front() else { break };
            self.by_key.remove(&oldest);
        }
    }

    /// The oldest first: each key with its time.
    fn written(&self) -> String {
        let kept: Vec<(String, i64)> = self
            .order
            .iter()
            .filter_map(|key| Some((URL_SAFE_NO_PAD.encode(key.0), self.by_key.get(key)?.at.as_nanos())))
            .collect();
        serde_json::to_string(&kept).unwrap_or_default()
    }
}

/// What [`Requests::written`] wrote.
fn read(text: &str) -> Result<Vec<(Key, Timestamp)>, String> {
    let kept: Vec<(String, i64)> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let one = |(key, at): (String, i64)| {
        let bytes = URL_SAFE_NO_PAD.decode(&key).map_err(|error| format!("'{key}' is no key: {error}"))?;
        let key = Digest::try_from(bytes).map_err(|_| format!("'{key}' is no key: it has another length"))?;
        Ok((Key(key), Timestamp::from_nanos(at)))
    };
    kept.into_iter().map(one).collect()
}

impl Pending {
    /// What it was answered.
    pub fn answered(self, answer: &Answer) {
        if let Some(known) = self.repeats.requests().by_key.get_mut(&self.key)
            && let State::Begun(request) = known.state
        {
            known.state = State::Answered(request, answer.clone());
        }
    }
}

impl Drop for Pending {
    /// Forgotten here at once, and in the store with the next key: until then a restart refuses it, which does no
    /// harm.
    fn drop(&mut self) {
        let mut requests = self.repeats.requests();
        if requests.by_key.get(&self.key).is_some_and(|known| matches!(known.state, State::Begun(_))) {
            requests.by_key.remove(&self.key);
            requests.order.retain(|key| key != &self.key);
        }
    }
}

/// Of parts that cannot run into each other.
pub fn fingerprint(parts: &[&[u8]]) -> Digest {
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

    /// One named value that outlives whoever wrote it, and a disk that can be full.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<(Option<String>, bool)>>);

    impl Kept {
        fn is_full(&self, full: bool) {
            self.0.lock().unwrap().1 = full;
        }
    }

    impl MetaStore for Kept {
        fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
            assert_eq!(key, "admin_requests.TEST");
            Ok(self.0.lock().unwrap().0.clone())
        }

        fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
            assert_eq!(key, "admin_requests.TEST");
            let mut kept = self.0.lock().unwrap();
            if kept.1 {
                return Err(StoreError::Failed { place: "there".into(), doing: "write", source: "full".into() });
            }
            kept.0 = Some(value.to_owned());
            Ok(())
        }
    }

    fn over(kept: &Kept) -> Arc<Repeats> {
        Arc::new(Repeats::of("TEST", Box::new(kept.clone())).unwrap())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn key(name: &str) -> Key {
        Key::new("ana", name).unwrap()
    }

    fn begin(repeats: &Arc<Repeats>, name: &str, body: &str, now: i64) -> Result<Result<Pending, Answer>, u16> {
        let request = fingerprint(&[b"POST", body.as_bytes()]);
        let begun = Repeats::begin(repeats, key(name), request, at(now));
        begun.map_err(|problem| problem.status().as_u16())
    }

    fn done(repeats: &Arc<Repeats>, name: &str, now: i64) {
        begin(repeats, name, "x", now).unwrap().ok().unwrap().answered(&Answer::json(&serde_json::json!({})));
    }

    #[test]
    fn a_request_that_comes_again_gets_the_first_answer() {
        let repeats = over(&Kept::default());
        let pending = begin(&repeats, "a", "x", 0).unwrap().ok().unwrap();
        assert_eq!(begin(&repeats, "a", "x", 0).err(), Some(409), "under-way");
        let answer = Answer::json(&serde_json::json!({ "done": 1 }));
        pending.answered(&answer);
        assert_eq!(begin(&repeats, "a", "x", 86_400).unwrap().err(), Some(answer));
        assert_eq!(begin(&repeats, "a", "y", 1).err(), Some(409), "another request");
        assert!(begin(&repeats, "b", "x", 1).unwrap().is_ok());
        assert!(begin(&repeats, "a", "x", 86_402).unwrap().is_ok(), "forgotten after a day");
    }

    #[test]
    fn a_request_that_was_not_answered_may_come_again() {
        let repeats = over(&Kept::default());
        drop(begin(&repeats, "a", "x", 0).unwrap().ok().unwrap());
        assert!(begin(&repeats, "a", "y", 0).unwrap().is_ok());
    }

    #[test]
    fn a_key_is_used_up_over_a_restart_whether_it_was_answered_or_not() {
        let kept = Kept::default();
        let repeats = over(&kept);
        drop(begin(&repeats, "refused", "x", 0).unwrap().ok().unwrap());
        done(&repeats, "answered", 1);
        let under_way = begin(&repeats, "under-way", "x", 2).unwrap().ok().unwrap();
        // The process is killed here.
        let next = over(&kept);
        for used in ["answered", "under-way"] {
            let refused = Repeats::begin(&next, key(used), fingerprint(&[]), at(3)).err().unwrap();
            assert!(refused.status() == 409 && refused.detail().contains("started again"), "{used}: {refused:?}");
        }
        assert!(begin(&next, "refused", "x", 3).unwrap().is_ok(), "nothing was done under it");
        assert!(begin(&next, "answered", "x", 86_403).unwrap().is_ok(), "forgotten after a day");
        drop(under_way);
    }

    #[test]
    fn what_cannot_be_kept_is_not_carried_out_and_may_come_again() {
        let kept = Kept::default();
        let repeats = over(&kept);
        kept.is_full(true);
        assert_eq!(begin(&repeats, "a", "x", 0).err(), Some(503));
        kept.is_full(false);
        assert!(begin(&repeats, "a", "x", 0).unwrap().is_ok());
    }

    #[test]
    fn what_is_kept_is_read_or_refused() {
        for wrong in ["", "{}", "[1]", r#"[["a",1]]"#, r#"[["not base64!",1]]"#] {
            let kept = Kept::default();
            kept.0.lock().unwrap().0 = Some(wrong.to_owned());
            assert!(Repeats::of("TEST", Box::new(kept)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn memory_is_bounded_and_so_is_what_is_kept() {
        let kept = Kept::default();
        let repeats = over(&kept);
        for number in 0..MOST_KEPT + 100 {
            done(&repeats, &number.to_string(), 0);
        }
        let known = repeats.requests();
        assert_eq!((known.by_key.len(), known.order.len()), (MOST_KEPT, MOST_KEPT));
        let text = kept.0.lock().unwrap().0.clone().unwrap();
        assert!(text.len() < 100 * MOST_KEPT, "{}", text.len());
        assert_eq!(over(&kept).requests().order, known.order);
    }

    #[test]
    fn keys_are_short_and_printable() {
        for wrong in ["", " ", "a b", "é", &"x".repeat(129)] {
            assert!(Key::new("ana", wrong).is_err(), "{wrong}");
        }
        assert_ne!(key("a"), Key::new("rui", "a").unwrap(), "a key is its owner's");
    }
}
