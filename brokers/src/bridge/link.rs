//! The connection's thread: connect, log on, read, say that we are still here, and begin again.
//!
//! One thread does all of it, so that a connection has one story. Commands are written by the thread
//! that owns the broker, over [`Link`]; what a connection has to say goes through one bounded queue.
//! A full queue stops the reading: TCP then holds the venue back. The thread goes on sending
//! heartbeats meanwhile, and does not count the time as the venue's silence.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use risk::disconnect::{Agreement, Terms};
use risk::silence::{MISSED_HEARTBEATS, Quiet, Silence};

use super::BridgeSettings;
use super::translation::{Heard, Translation, cut};
use super::wire::{ClientMessage, Environment, LONGEST_LINE, Lines, PROTOCOL, encode};
use crate::{BrokerEvent, Wake};

/// Events that wait for their owner. A busy second of one account is tens of reports; more than this
/// means that the owner stands still, and the venue should wait rather than our memory grow.
const QUEUE: usize = 1024;
/// Bytes taken from the socket at once.
const READ: usize = 64 << 10;
/// The shortest wait that a socket takes; zero would mean for ever.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Why something was not written.
pub(super) enum Unsent {
    /// No byte of it left.
    Before(String),
    /// Some of it may have.
    After(String),
}

/// A logged-on connection, as those see it who write to it.
pub(super) struct Link {
    /// Counts connections.
    number: u64,
    /// None once a write has failed: what follows half a line would be read as its end.
    stream: Mutex<Option<TcpStream>>,
    write_timeout: Duration,
}

impl Link {
    /// Writes a whole line, or closes the connection.
    pub(super) fn send(&self, line: &[u8]) -> Result<(), Unsent> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = stream.as_mut() else {
            return Err(Unsent::Before("the connection has failed".to_owned()));
        };
        match write(writer, line, self.write_timeout) {
            Ok(()) => Ok(()),
            Err(unsent) => {
                // It may be gone already; then there is nothing to close.
                let _ = writer.shutdown(Shutdown::Both);
                *stream = None;
                Err(unsent)
            }
        }
    }

    fn close(&self) {
        if let Some(stream) = self.stream.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The socket's own timeout bounds each call, the limit all of them: a counterpart that takes a byte
/// now and then would hold us for ever.
fn write(stream: &mut impl Write, line: &[u8], limit: Duration) -> Result<(), Unsent> {
    let began = Instant::now();
    let mut written = 0;
    let fails = |written: usize, problem: String| match written {
        0 => Unsent::Before(problem),
        _ => Unsent::After(format!("{problem} after {written} of {} bytes", line.len())),
    };
    while let Some(rest) = line.get(written..).filter(|rest| !rest.is_empty()) {
        if written > 0 && began.elapsed() > limit {
            return Err(fails(written, format!("not taken within {limit:?}")));
        }
        match stream.write(rest) {
            Ok(0) => return Err(fails(written, "the connection takes nothing more".to_owned())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => return Err(fails(written, format!("not taken within {limit:?}"))),
            Err(error) => return Err(fails(written, error.to_string())),
        }
    }
    Ok(())
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// What the owner and the thread share.
pub(super) struct Shared {
    pub(super) settings: BridgeSettings,
    pub(super) translation: Translation,
    state: Mutex<State>,
    /// The queue has room again, or it is time to stop.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Each with the number of its connection.
    queue: VecDeque<(u64, BrokerEvent)>,
    wake: Option<Wake>,
    stopped: bool,
    link: Option<Arc<Link>>,
    /// The request whose answer is waited for. Answers to others are out of date.
    awaited: Option<u64>,
    /// The mass cancel whose answer is waited for.
    awaited_cancel: Option<u64>,
    /// When the first thing was sent that nothing but heartbeats has followed.
    unanswered: Option<Instant>,
    elsewhere: u64,
}

impl Shared {
    pub(super) fn new(settings: BridgeSettings, translation: Translation) -> Self {
        Self { settings, translation, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection with this number, if it still stands.
    pub(super) fn link(&self, number: u64) -> Option<Arc<Link>> {
        self.state().link.as_ref().filter(|link| link.number == number).map(Arc::clone)
    }

    /// A command found the connection broken: nothing else leaves over it. The thread tells why.
    pub(super) fn broken(&self, number: u64) {
        self.state().link.take_if(|link| link.number == number);
    }

    /// From now on only the answer to this request counts: an older one that has come and was not taken
    /// yet tells of a time before orders that left since.
    pub(super) fn await_statement(&self, request: Option<u64>) {
        let mut state = self.state();
        state.awaited = request;
        state.queue.retain(|(_, event)| !matches!(event, BrokerEvent::Statement(_)));
    }

    /// From now on only the answer to this mass cancel counts.
    pub(super) fn await_mass_cancel(&self, request: u64) {
        self.state().awaited_cancel = Some(request);
    }

    /// Something is sent that the venue must answer.
    pub(super) fn asked(&self) {
        self.state().unanswered.get_or_insert_with(Instant::now);
    }

    /// The venue said something of substance, or could not be heard.
    fn answered(&self) {
        self.state().unanswered = None;
    }

    pub(super) fn set_wake(&self, wake: Wake) {
        let waiting = {
            let mut state = self.state();
            state.wake = Some(Arc::clone(&wake));
            !state.queue.is_empty()
        };
        if waiting {
            wake();
        }
    }

    /// Takes everything that waits.
    pub(super) fn take(&self) -> VecDeque<(u64, BrokerEvent)> {
        let taken = std::mem::take(&mut self.state().queue);
        self.changed.notify_all();
        taken
    }

    pub(super) fn elsewhere(&self) -> u64 {
        self.state().elsewhere
    }

    /// Ends the thread, wherever it is; at most one attempt to connect later it is gone.
    pub(super) fn stop(&self) {
        let link = {
            let mut state = self.state();
            state.stopped = true;
            state.link.take()
        };
        if let Some(link) = link {
            link.close();
        }
        self.changed.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Waits, unless it is time to stop.
    fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        while !state.stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn push(&self, number: u64, event: BrokerEvent) {
        let wake = {
            let mut state = self.state();
            state.queue.push_back((number, event));
            state.wake.clone()
        };
        if let Some(wake) = wake {
            wake();
        }
    }

    /// Whether there is room now; waits for it no longer than this.
    fn has_room(&self, wait: Duration) -> bool {
        let mut state = self.state();
        if state.queue.len() >= QUEUE && !state.stopped {
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.queue.len() < QUEUE || state.stopped
    }
}

/// Pauses between attempts: twice as long each time, up to a bound, each shortened by up to a half at
/// random, so that many clients of a venue that comes back do not come all at once.
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
    random: u64,
}

impl Backoff {
    fn new(settings: &BridgeSettings) -> Self {
        let first = settings.reconnect_first.min(settings.reconnect_most);
        Self { first, most: settings.reconnect_most, next: first, random: settings.jitter_seed }
    }

    fn reset(&mut self) {
        self.next = self.first;
    }

    fn pause(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.most);
        // SplitMix64 (Steele, Lea, Flood 2014): enough to spread clients, and the same from a seed.
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let share = f64::from((mixed >> 48) as u16) / f64::from(u16::MAX);
        whole.mul_f64(1.0 - share / 2.0)
    }
}

/// The thread's whole life.
pub(super) fn run(shared: &Shared) {
    let mut backoff = Backoff::new(&shared.settings);
    let mut addresses = Vec::new();
    let mut told = String::new();
    let mut number = 0;
    let mut gone: Option<Instant> = None;
    while !shared.is_stopped() {
        number += 1;
        let began = Instant::now();
        let ended = match connect(&shared.settings, &mut addresses) {
            Ok(stream) => Conversation::new(shared, number, gone).hold(stream),
            Err(reason) => Ended { logged_on: false, reason },
        };
        if ended.logged_on {
            gone = Some(Instant::now());
        }
        // One that lasted has shown that it can; one that ends at once is treated as no connection.
        if ended.logged_on && began.elapsed() >= shared.settings.heartbeat * MISSED_HEARTBEATS {
            backoff.reset();
        }
        // A venue that stays away says so once.
        if ended.logged_on || ended.reason != told {
            while !shared.has_room(shared.settings.heartbeat) {}
            told.clone_from(&ended.reason);
            shared.push(number, BrokerEvent::Disconnected { reason: ended.reason });
        }
        shared.pause(backoff.pause());
    }
}

/// The addresses of the last time serve when the name cannot be looked up (F34).
fn connect(settings: &BridgeSettings, addresses: &mut Vec<SocketAddr>) -> Result<TcpStream, String> {
    let place = &settings.address;
    match place.to_socket_addrs() {
        Ok(found) => *addresses = found.collect(),
        Err(error) if addresses.is_empty() => return Err(format!("{place} cannot be looked up: {error}")),
        Err(_) => {}
    }
    let mut last = format!("{place} has no address");
    for address in addresses.iter() {
        match TcpStream::connect_timeout(address, settings.connect_timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("{place} cannot be reached: {error}"),
        }
    }
    Err(last)
}

/// How a connection ended.
struct Ended {
    logged_on: bool,
    reason: String,
}

/// One connection from its first byte to its end.
struct Conversation<'a> {
    shared: &'a Shared,
    link: Arc<Link>,
    logged_on: bool,
    /// When the last connection that was logged on ended.
    gone: Option<Instant>,
    began: Instant,
    heard_at: Instant,
    said_at: Instant,
}

impl<'a> Conversation<'a> {
    fn new(shared: &'a Shared, number: u64, gone: Option<Instant>) -> Self {
        let now = Instant::now();
        let link = Link { number, stream: Mutex::new(None), write_timeout: shared.settings.write_timeout };
        Self { shared, link: Arc::new(link), logged_on: false, gone, began: now, heard_at: now, said_at: now }
    }

    fn hold(mut self, stream: TcpStream) -> Ended {
        let reason = self.read(stream).err().unwrap_or_else(|| "stopped".to_owned());
        {
            let mut state = self.shared.state();
            state.link.take_if(|link| link.number == self.link.number);
            (state.awaited, state.awaited_cancel, state.unanswered) = (None, None, None);
        }
        self.link.close();
        Ended { logged_on: self.logged_on, reason }
    }

    /// Reads until it is told to stop, or something ends the connection.
    fn read(&mut self, mut stream: TcpStream) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("the connection failed: {error}");
        // An order waits for nothing: no Nagle delay.
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_write_timeout(Some(self.shared.settings.write_timeout.max(SHORTEST_WAIT))).map_err(failed)?;
        let writer = stream.try_clone().map_err(failed)?;
        *self.link.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        let settings = &self.shared.settings;
        self.say(&ClientMessage::Logon {
            protocol: PROTOCOL,
            account: settings.account.clone(),
            heartbeat_milliseconds: u64::try_from(settings.heartbeat.as_millis()).unwrap_or(u64::MAX),
            role: settings.role,
            login: settings.login.clone(),
            cancel_on_disconnect_seconds: settings.cancel_on_disconnect.map(|window| window.as_secs()),
        })?;
        let (mut lines, mut bytes) = (Lines::new(LONGEST_LINE), vec![0; READ]);
        while !self.shared.is_stopped() {
            let wait = self.until_next_duty()?;
            stream.set_read_timeout(Some(wait.max(SHORTEST_WAIT))).map_err(failed)?;
            let count = match stream.read(&mut bytes) {
                Ok(0) => return Err("the venue closed the connection".to_owned()),
                Ok(count) => count,
                Err(error) if is_timeout(&error) || error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            self.heard_at = Instant::now();
            lines.add(bytes.get(..count).unwrap_or_default());
            while let Some(line) = lines.take().map_err(|error| error.to_string())? {
                let heard = self.shared.translation.hear(line);
                self.take(heard)?;
            }
        }
        Ok(())
    }

    fn say(&mut self, message: &ClientMessage) -> Result<(), String> {
        let line = encode(message).map_err(|error| error.to_string())?;
        self.said_at = Instant::now();
        self.link.send(&line).map_err(|unsent| match unsent {
            Unsent::Before(problem) | Unsent::After(problem) => format!("the connection failed: {problem}"),
        })
    }

    /// Sends a heartbeat that is due, and tells how long nothing is to be done.
    fn until_next_duty(&mut self) -> Result<Duration, String> {
        let settings = &self.shared.settings;
        let heartbeat = settings.heartbeat;
        let rule = Silence { heartbeat, substance: settings.substance };
        let unanswered = self.shared.state().unanswered.map(|since| since.elapsed());
        let quiet = Quiet { anything: self.heard_at.elapsed(), unanswered };
        if let Some(lost) = rule.judge(quiet) {
            return Err(format!("the venue {lost}"));
        }
        if !self.logged_on && self.began.elapsed() >= settings.connect_timeout {
            return Err(format!("the venue did not answer the logon within {:?}", settings.connect_timeout));
        }
        if self.said_at.elapsed() >= heartbeat {
            self.say(&ClientMessage::Heartbeat)?;
        }
        Ok(heartbeat.saturating_sub(self.said_at.elapsed()).min(rule.left(quiet)))
    }

    /// What a line means before and after the logon.
    fn take(&mut self, heard: Heard) -> Result<(), String> {
        if heard != Heard::Heartbeat {
            self.shared.answered();
        }
        let event = match heard {
            Heard::Heartbeat => return Ok(()),
            Heard::Refused(reason) => return Err(format!("the venue refused: {reason}")),
            Heard::LoggedOn { environment, venue, cancel_on_disconnect } if !self.logged_on => {
                return self.log_on(environment, &venue, cancel_on_disconnect);
            }
            Heard::Unreadable { text, .. } if !self.logged_on => {
                return Err(format!("what answered the logon is no venue: '{text}'"));
            }
            _ if !self.logged_on => {
                return Err("the venue said something else before it answered the logon".to_owned());
            }
            Heard::LoggedOn { venue, .. } => {
                BrokerEvent::Unreadable { text: venue, problem: "a second answer to the logon".to_owned() }
            }
            Heard::Report(report) => BrokerEvent::Report(report),
            Heard::External(execution) => BrokerEvent::External(execution),
            Heard::Elsewhere => {
                self.shared.state().elsewhere += 1;
                return Ok(());
            }
            Heard::Statement { request, statement } => {
                if self.shared.state().awaited.take_if(|awaited| *awaited == request).is_none() {
                    return Ok(());
                }
                BrokerEvent::Statement(statement)
            }
            Heard::MassCanceled { request, result } => {
                if self.shared.state().awaited_cancel.take_if(|awaited| *awaited == request).is_none() {
                    return Ok(());
                }
                BrokerEvent::MassCanceled(result)
            }
            Heard::Unreadable { text, problem } => BrokerEvent::Unreadable { text, problem },
        };
        self.deliver(event)
    }

    fn log_on(&mut self, environment: Environment, venue: &str, granted: Option<Duration>) -> Result<(), String> {
        if environment != Environment::Simulated {
            return Err(format!(
                "{} trades with real money, and this release trades on paper only: connect to a simulated venue",
                cut(venue)
            ));
        }
        self.logged_on = true;
        {
            // Before the news of it: whoever has taken that can send.
            let mut state = self.shared.state();
            if !state.stopped {
                state.link = Some(Arc::clone(&self.link));
            }
        }
        self.deliver(BrokerEvent::Connected)?;
        self.deliver(BrokerEvent::Terms(self.terms(granted)))
    }

    /// What this session was begun with, and what must have become of the orders of the one before: the
    /// venue may have seen its end as late as silence is seen.
    fn terms(&self, granted: Option<Duration>) -> Terms {
        let settings = &self.shared.settings;
        let agreement = Agreement::of(settings.cancel_on_disconnect, granted);
        let away = self.gone.map(|gone| gone.elapsed());
        Terms { agreement, expects: agreement.after(away, settings.heartbeat * MISSED_HEARTBEATS) }
    }

    /// Puts an event into the queue once there is room.
    fn deliver(&mut self, event: BrokerEvent) -> Result<(), String> {
        let mut waited = false;
        loop {
            let heartbeat = self.shared.settings.heartbeat;
            let wait = heartbeat.saturating_sub(self.said_at.elapsed()).max(SHORTEST_WAIT);
            if self.shared.has_room(wait) {
                break;
            }
            waited = true;
            if self.said_at.elapsed() >= heartbeat {
                self.say(&ClientMessage::Heartbeat)?;
            }
        }
        if waited {
            self.heard_at = Instant::now();
            self.shared.answered();
        }
        self.shared.push(self.link.number, event);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what it is told, then fails.
    struct Taking(Vec<std::io::Result<usize>>);

    impl Write for Taking {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = if self.0.is_empty() { Ok(bytes.len()) } else { self.0.remove(0) };
            taken.map(|count| count.min(bytes.len()))
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn error(kind: ErrorKind) -> std::io::Result<usize> {
        Err(kind.into())
    }

    #[test]
    fn only_a_failure_before_the_first_byte_is_certain() {
        let long = Duration::from_secs(60);
        let outcome = |script: Vec<std::io::Result<usize>>, limit| match write(&mut Taking(script), b"abcdef\n", limit)
        {
            Ok(()) => "sent".to_owned(),
            Err(Unsent::Before(problem)) => format!("before: {problem}"),
            Err(Unsent::After(problem)) => format!("after: {problem}"),
        };
        assert_eq!(outcome(vec![Ok(3), error(ErrorKind::Interrupted), Ok(1)], long), "sent");
        for (script, starts) in [
            (vec![error(ErrorKind::BrokenPipe)], "before: "),
            (vec![error(ErrorKind::WouldBlock)], "before: not taken within 60s"),
            (vec![Ok(0)], "before: the connection takes nothing more"),
            (vec![error(ErrorKind::Interrupted), error(ErrorKind::ConnectionReset)], "before: "),
            (vec![Ok(1), error(ErrorKind::ConnectionReset)], "after: "),
            (vec![Ok(6), error(ErrorKind::WouldBlock)], "after: not taken within 60s after 6 of 7 bytes"),
            (vec![Ok(6), Ok(0)], "after: "),
        ] {
            let found = outcome(script, long);
            assert!(found.starts_with(starts), "{found} is not {starts}");
        }
        assert!(outcome(vec![Ok(1)], Duration::ZERO).starts_with("after: "), "byte by byte has a limit too");
    }

    #[test]
    fn pauses_grow_to_their_bound_and_differ_by_seed() {
        let pauses = |seed| {
            let mut settings = BridgeSettings::new("127.0.0.1:1", "PAPR");
            settings.jitter_seed = seed;
            let mut backoff = Backoff::new(&settings);
            (0..12).map(|_| backoff.pause()).collect::<Vec<_>>()
        };
        let settings = BridgeSettings::new("127.0.0.1:1", "PAPR");
        for seed in 0..50 {
            let mut whole = settings.reconnect_first;
            for pause in pauses(seed) {
                assert!(pause <= whole && pause >= whole / 2, "{pause:?} of {whole:?}");
                whole = (whole * 2).min(settings.reconnect_most);
            }
        }
        assert_eq!(pauses(1), pauses(1));
        assert_ne!(pauses(1), pauses(2));
    }
}
