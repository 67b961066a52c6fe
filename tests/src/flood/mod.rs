//! A flood of requests against the admin interface: what is sent, how often, and what came of it.
//!
//! Of ten senders eight keep their connection and send one request after the other, each at its time; one makes
//! a new connection for each, with a whole TLS handshake; one asks for tokens, rightly and wrongly, which the
//! interface makes slow on purpose. A sender that is late sends at once, so a slow interface is not spared.

pub mod wire;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wire::{Line, Place, request};

/// Where guesses of secrets come from: their address is locked out, and nobody else's with it.
const GUESSING: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// Where everything else comes from.
const FLOODING: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// After a connection that broke.
const BREATH: Duration = Duration::from_millis(5);

/// What is flooded, and how.
pub struct Plan {
    /// Where.
    pub place: Place,
    /// Requests a second.
    pub rate: u64,
    /// Senders, each with one connection at a time.
    pub senders: u64,
    /// A valid token.
    pub token: String,
    /// Name and secret of its holder, as HTTP Basic wants them.
    pub basic: String,
}

/// What came of it so far.
#[derive(Default)]
pub struct Counts {
    /// Requests that were begun.
    pub begun: AtomicU64,
    /// Answers, by status.
    answers: Mutex<BTreeMap<u16, u64>>,
    /// Connections that broke off, or could not be made.
    pub broken: AtomicU64,
}

impl Counts {
    /// Answers, by status.
    pub fn answers(&self) -> BTreeMap<u16, u64> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One of the requests that a flood is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Whether the process lives.
    Probe,
    /// Something that takes a token, without one.
    Stranger,
    /// The same with a token that counts.
    Known,
    /// A token, with the secret.
    Token,
    /// A token, with a wrong secret.
    Guess,
    /// A path that there is not, with a token that is none and a long header.
    Junk,
    /// A body that is no JSON.
    Garbage,
}

/// What most senders send, in turn.
const CHEAP: [Kind; 9] = {
    use Kind::{Garbage, Junk, Known, Probe, Stranger};
    [Probe, Stranger, Known, Junk, Probe, Stranger, Known, Garbage, Probe]
};
/// What one in ten sends: secrets are hashed slowly.
const DEAR: [Kind; 2] = [Kind::Token, Kind::Guess];

/// How a sender behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Manner {
    mix: &'static [Kind],
    /// A new connection for each request.
    anew: bool,
}

impl Manner {
    const fn of(number: u64) -> Self {
        match number % 10 {
            0 => Self { mix: &DEAR, anew: true },
            1 => Self { mix: &CHEAP, anew: true },
            _ => Self { mix: &CHEAP, anew: false },
        }
    }
}

impl Kind {
    fn request(self, plan: &Plan) -> Vec<u8> {
        let bearer = format!("Bearer {}", plan.token);
        let basic = format!("Basic {}", plan.basic);
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        match self {
            Self::Probe => request("GET", "/livez", &[], ""),
            Self::Stranger => request("GET", "/v1/orders", &[], ""),
            Self::Known => request("GET", "/v1/state", &[("Authorization", &bearer)], ""),
            Self::Token => {
                request("POST", "/oauth/token", &[("Authorization", &basic), form], "grant_type=client_credentials")
            }
            Self::Guess => {
                // "nobody:guess".
                let fields = [("Authorization", "Basic bm9ib2R5Omd1ZXNz"), form];
                request("POST", "/oauth/token", &fields, "grant_type=client_credentials")
            }
            Self::Junk => {
                let long = "x".repeat(4_000);
                request("GET", "/v1/../../etc", &[("Authorization", "Bearer a.b.c"), ("X-Long", &long)], "")
            }
            Self::Garbage => {
                let fields = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
                request("POST", "/v1/resume", &fields, "{\"reason\": [[[[[[[[")
            }
        }
    }

    /// Guesses come from elsewhere, or everybody here would be locked out with them.
    const fn from(self) -> IpAddr {
        if matches!(self, Self::Guess) { GUESSING } else { FLOODING }
    }
}

/// Floods until it is told to stop.
pub async fn flood(plan: Arc<Plan>, counts: Arc<Counts>, stop: Arc<AtomicBool>) {
    let mut all = tokio::task::JoinSet::new();
    for number in 0..plan.senders {
        let (plan, counts, stop) = (Arc::clone(&plan), Arc::clone(&counts), Arc::clone(&stop));
        all.spawn(async move { one(&plan, &counts, &stop, number).await });
    }
    all.join_all().await;
}

/// One sender's part of it.
async fn one(plan: &Plan, counts: &Counts, stop: &AtomicBool, number: u64) {
    let every = Duration::from_secs(1).mul_f64(plan.senders as f64 / plan.rate as f64);
    let began = Instant::now() + every.mul_f64(number as f64 / plan.senders as f64);
    let (manner, mut line, mut sent) = (Manner::of(number), None, 0_u32);
    while !stop.load(Ordering::Acquire) {
        let due = began + every * sent;
        tokio::time::sleep_until(due.into()).await;
        let kind = manner.mix[(sent as usize + number as usize / 10) % manner.mix.len()];
        sent += 1;
        counts.begun.fetch_add(1, Ordering::Relaxed);
        if say(plan, &mut line, kind, counts).await.is_err() {
            counts.broken.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(BREATH).await;
        } else if manner.anew {
            line = None;
        }
    }
}

async fn say(plan: &Plan, line: &mut Option<Line>, kind: Kind, counts: &Counts) -> std::io::Result<()> {
    let mut speaking = match line.take() {
        Some(line) => line,
        None => plan.place.connect(kind.from()).await?,
    };
    let told = speaking.exchange(&kind.request(plan)).await?;
    *counts.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(told.status).or_default() += 1;
    *line = (!told.ends).then_some(speaking);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_was_meant() {
        let bytes = request("POST", "/x", &[("A", "b")], "body");
        let text = String::from_utf8(bytes).expect("it is text");
        assert_eq!(text, "POST /x HTTP/1.1\r\nHost: localhost\r\nA: b\r\nContent-Length: 4\r\n\r\nbody");
    }

    #[test]
    fn of_ten_senders_eight_keep_their_connection_and_one_guesses() {
        let manners: Vec<Manner> = (0..10).map(Manner::of).collect();
        assert_eq!(manners.iter().filter(|manner| !manner.anew).count(), 8);
        assert_eq!(manners.iter().filter(|manner| manner.mix.contains(&Kind::Guess)).count(), 1);
    }
}
