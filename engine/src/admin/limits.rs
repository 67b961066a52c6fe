//! How often somebody may try: failed log-ins by client and by address, requests by client.
//!
//! Nothing here is asked on the stop path. Who is meant is hashed into a fixed number of places with a
//! key that is drawn at the start: the memory is bounded whatever names a stranger makes up, and nobody
//! can tell from outside whose place he shares.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, Reference};
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// Failed tries after which a client or an address is locked out, and for how long.
const MOST_FAILURES: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// Within any such span no more than that many.
pub const LOCK_OUT: Duration = Duration::from_secs(15 * 60);
/// Requests of one client at once.
const BURST: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// And one more after each of these: 25 a second.
const REQUEST_EVERY: Duration = Duration::from_millis(40);
/// Places that names are hashed into.
const PLACES: u64 = 4_096;

type Place = u64;
type Keyed<C, M> = RateLimiter<Place, HashMapStateStore<Place>, C, M>;

/// The limits of one interface.
pub struct Limits<C: Clock = DefaultClock> {
    hashing: RandomState,
    clients: LockOut<C>,
    addresses: LockOut<C>,
    requests: Keyed<C, NoOpMiddleware<C::Instant>>,
    clock: C,
}

/// Failures of one kind of name.
struct LockOut<C: Clock> {
    failures: Keyed<C, StateInformationMiddleware>,
    until: Mutex<Vec<Option<C::Instant>>>,
}

impl Limits {
    /// On the machine's monotonic clock.
    pub fn new() -> Self {
        Self::with_clock(DefaultClock::default())
    }
}

impl<C: Clock + Clone> Limits<C> {
    /// On any clock.
    pub fn with_clock(clock: C) -> Self {
        let every = |period: Duration, burst| {
            Quota::with_period(period).unwrap_or_else(|| Quota::per_second(burst)).allow_burst(burst)
        };
        let lock_out = || LockOut::new(every(LOCK_OUT, MOST_FAILURES), clock.clone());
        let requests = every(REQUEST_EVERY, BURST);
        Self {
            hashing: RandomState::new(),
            clients: lock_out(),
            addresses: lock_out(),
            requests: RateLimiter::new(requests, HashMapStateStore::default(), clock.clone()),
            clock,
        }
    }

    /// Whether a client may try its secret from there now.
    ///
    /// # Errors
    /// It is locked out, for this long.
    pub fn may_try(&self, client_id: &str, from: IpAddr) -> Result<(), Duration> {
        let now = self.clock.now();
        let by_client = self.clients.locked(self.place(client_id), now);
        let by_address = self.addresses.locked(self.place(network(from)), now);
        by_client.max(by_address).map_or(Ok(()), Err)
    }

    /// A try that failed.
    pub fn failed(&self, client_id: &str, from: IpAddr) {
        let now = self.clock.now();
        self.clients.failed(self.place(client_id), now);
        self.addresses.failed(self.place(network(from)), now);
    }

    /// Whether a client may make another request now.
    ///
    /// # Errors
    /// Not for this long.
    pub fn may_ask(&self, client_id: &str) -> Result<(), Duration> {
        let checked = self.requests.check_key(&self.place(client_id));
        checked.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    fn place(&self, name: impl Hash) -> Place {
        self.hashing.hash_one(name) % PLACES
    }
}

impl<C: Clock> LockOut<C> {
    fn new(quota: Quota, clock: C) -> Self {
        let failures = RateLimiter::new(quota, HashMapStateStore::default(), clock);
        let places = usize::try_from(PLACES).unwrap_or_default();
        Self { failures, until: Mutex::new(vec![None; places]) }
    }

    fn locked(&self, place: Place, now: C::Instant) -> Option<Duration> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner).get(index(place))?;
        until.filter(|until| *until > now).map(|until| until.duration_since(now).into())
    }

    /// Who has used up the last failure is locked out at once: the next guess is not looked at, also
    /// when it would be right.
    fn failed(&self, place: Place, now: C::Instant) {
        let used_up = match self.failures.check_key(&place) {
            Ok(state) => state.remaining_burst_capacity() == 0,
            Err(_) => true,
        };
        if let Some(until) = self.until.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index(place))
            && used_up
        {
            *until = Some(now + Nanos::from(LOCK_OUT));
        }
    }
}

fn index(place: Place) -> usize {
    usize::try_from(place).unwrap_or_default()
}

/// Whoever has one address of a version 6 network has all of it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn here() -> IpAddr {
        IpAddr::from([127, 0, 0, 1])
    }

    #[test]
    fn the_sixth_try_is_not_looked_at_for_a_quarter_of_an_hour() {
        let clock = FakeRelativeClock::default();
        let limits = Limits::with_clock(clock.clone());
        for _ in 0..5 {
            assert_eq!(limits.may_try("ana", here()), Ok(()));
            limits.failed("ana", here());
        }
        assert_eq!(limits.may_try("ana", here()), Err(LOCK_OUT));
        let elsewhere = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(limits.may_try("ana", elsewhere), Err(LOCK_OUT), "the client is locked out everywhere");
        assert_eq!(limits.may_try("bia", here()), Err(LOCK_OUT), "the address is locked out for everybody");
        assert_eq!(limits.may_try("bia", elsewhere), Ok(()));
        clock.advance(LOCK_OUT - Duration::from_secs(1));
        assert_eq!(limits.may_try("ana", here()), Err(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(limits.may_try("ana", here()), Ok(()));
        limits.failed("ana", here());
        assert_eq!(limits.may_try("ana", here()), Err(LOCK_OUT), "one more, and again");
    }

    #[test]
    fn no_span_of_a_quarter_of_an_hour_sees_more_than_five_failures() {
        let clock = FakeRelativeClock::default();
        let limits = Limits::with_clock(clock.clone());
        let (step, mut tries) = (Duration::from_secs(20), Vec::new());
        for tick in 0..2_000_u32 {
            if limits.may_try("ana", here()).is_ok() {
                limits.failed("ana", here());
                tries.push(tick);
            }
            clock.advance(step);
        }
        for first in &tries {
            let within = tries.iter().filter(|at| **at >= *first && (**at - *first) * 20 < 900).count();
            assert!(within <= 5, "{within} from tick {first}");
        }
        assert!(tries.len() > 40, "a lock-out ends: {}", tries.len());
    }

    #[test]
    fn neighbours_in_a_version_6_network_are_one_address() {
        let clock = FakeRelativeClock::default();
        let limits = Limits::with_clock(clock);
        for last in 1..=5_u16 {
            limits.failed(&format!("guess {last}"), IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]));
        }
        assert!(limits.may_try("other", IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9])).is_err());
        assert!(limits.may_try("other", IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])).is_ok());
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        assert_eq!(network(mapped), here());
    }

    #[test]
    fn requests_of_a_client_come_at_a_rate() {
        let clock = FakeRelativeClock::default();
        let limits = Limits::with_clock(clock.clone());
        for _ in 0..BURST.get() {
            assert_eq!(limits.may_ask("ana"), Ok(()));
        }
        assert_eq!(limits.may_ask("ana"), Err(REQUEST_EVERY));
        clock.advance(REQUEST_EVERY);
        assert_eq!(limits.may_ask("ana"), Ok(()));
    }
}
