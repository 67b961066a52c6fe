//! What a service manager is told: systemd's notification protocol, over the socket in `NOTIFY_SOCKET`. Where
//! nobody has set one, nothing is sent.
//!
//! `READY` once the daemon has recovered and trades (or stands by), `RELOADING` and `READY` around a SIGHUP,
//! `STOPPING` when it ends, and one line of `STATUS` for `systemctl status`. The manager's watchdog is fed only by
//! what proves that the work goes on ([`Feeder`]): the beats that went through the actors, a standby's answered
//! questions, a watchdog's looks. No thread feeds it by the clock.
//!
//! The words are the crate's, the sending is not: it would wait for a manager that does not read, and neither trading
//! nor the heartbeat may.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Feeds within one interval of the manager's watchdog: three may be late.
const FEEDS_PER_INTERVAL: u32 = 4;

fn tell(states: &[NotifyState<'_>]) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told: String = states.iter().map(|state| format!("{state}\n")).collect();
    if let Err(error) = send(&place, &told) {
        tracing::warn!(%error, ?place, "the service manager cannot be told; look at the socket in NOTIFY_SOCKET");
    }
}

/// Sends at once or not at all.
fn send(place: &OsStr, told: &str) -> io::Result<()> {
    let address = match place.as_bytes().split_first() {
        // A name that is in no file system.
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(told.as_bytes(), &address).map(drop)
}

/// The protocol has a line for each word.
fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("; ")
}

/// It works now; `status` for people.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// What it does, for people.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(&one_line(status))]);
}

/// It reads its configuration again; [`ready`] ends that, whatever came of it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // By the time the manager knows which of two reloads this one answers.
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "no monotonic clock: the service manager is not told of the reload"),
    }
}

/// It ends.
pub fn stopping(reason: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(&one_line(&format!("stopping: {reason}")))]);
}

/// Compressed time has no pulse to feed a watchdog with: the manager is asked not to expect one.
pub fn without_watchdog() {
    tell(&[NotifyState::WatchdogUsec(0)]);
}

/// Feeds the manager's watchdog, where it has one for this process.
pub struct Feeder {
    every: Option<Duration>,
    last: Option<Instant>,
    feed: Box<dyn FnMut() + Send>,
}

impl Feeder {
    /// As the environment says.
    pub fn of_manager() -> Self {
        Self::new(sd_notify::watchdog_enabled(), || tell(&[NotifyState::Watchdog]))
    }

    /// With the manager's interval and a way to feed.
    pub fn new(interval: Option<Duration>, feed: impl FnMut() + Send + 'static) -> Self {
        let every = interval.filter(|interval| !interval.is_zero()).map(|interval| interval / FEEDS_PER_INTERVAL);
        Self { every, last: None, feed: Box::new(feed) }
    }

    /// The work went on at `now`.
    pub fn alive(&mut self, now: Instant) {
        let Some(every) = self.every else { return };
        if self.last.is_none_or(|last| now.saturating_duration_since(last) >= every) {
            self.last = Some(now);
            (self.feed)();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn it_is_fed_at_the_first_sign_and_then_four_times_an_interval() {
        let began = Instant::now();
        for (interval, signs, expected) in [
            (Some(4_000), &[0, 1, 999, 1_000, 1_001, 1_999, 2_000][..], 3),
            // After a silence the next sign feeds, once.
            (Some(4_000), &[0, 9_000, 9_500][..], 2),
            (Some(0), &[0, 1_000][..], 0),
            (None, &[0, 1_000][..], 0),
        ] {
            let fed = Arc::new(AtomicU32::new(0));
            let count = Arc::clone(&fed);
            let mut feeder = Feeder::new(interval.map(Duration::from_millis), move || {
                count.fetch_add(1, Ordering::Relaxed);
            });
            for sign in signs {
                feeder.alive(began + Duration::from_millis(*sign));
            }
            assert_eq!(fed.load(Ordering::Relaxed), expected, "{interval:?} {signs:?}");
        }
    }

    #[test]
    fn a_manager_that_does_not_read_is_not_waited_for() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("notify.sock");
        assert_eq!(send(path.as_os_str(), "READY=1\n").unwrap_err().kind(), io::ErrorKind::NotFound);
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), "READY=1\n").unwrap();
        // The system's queue ends somewhere.
        let full = (0..100_000).find_map(|_| send(path.as_os_str(), "WATCHDOG=1\n").err()).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let mut bytes = [0; 64];
        let length = manager.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"READY=1\n");
    }

    #[test]
    fn a_name_outside_the_file_system_is_reached_as_well() {
        let name = format!("pregao-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(OsStr::new(&format!("@{name}")), "STOPPING=1\n").unwrap();
        let mut bytes = [0; 64];
        let length = manager.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"STOPPING=1\n");
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("a: no\nREADY=1\r\nb"), "a: no; READY=1; b");
    }
}
