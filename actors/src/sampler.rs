//! Sampler: looks at what lies beside the account, for the monitors that watch it: the machine's clock
//! (once a second) and the alerts on their way (four times).
//!
//! A thread of its own, so that neither the kernel nor a lock of a channel can hold up trading. Live only: in
//! compressed time no clock of this machine may change what a session decides. It ends when it is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use market::Timestamp;
use risk::monitors::{ClockReading, DeliveryReading, Synchronisation};
use rtime_clock::adjtime::{Timex, adjtimex};

use crate::address::Address;
use crate::clock::Clock;
use crate::limit;
use crate::notifier::Alerts;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Looks between two at the clock.
const CLOCK_EVERY: u32 = 4;
/// What may wait for a Limit; more says nothing that the next look does not say.
const MOST_WAITING: u64 = 8;

/// `STA_UNSYNC` of `linux/timex.h`: nobody keeps the clock.
const UNSYNCHRONISED: i32 = 0x0040;
/// `STA_NANO` of the same: offsets are in nanoseconds, else in microseconds.
const IN_NANOSECONDS: i32 = 0x2000;

/// What was seen of the machine's clock last.
pub(crate) type LastReading = Arc<Mutex<Option<ClockReading>>>;

/// Who is told.
pub(crate) struct Readers {
    pub(crate) clock: Option<Address<limit::Message>>,
    pub(crate) delivery: Option<Address<limit::Message>>,
    pub(crate) alerts: Alerts,
    pub(crate) last: LastReading,
}

/// The thread at work.
pub(crate) struct Sampler {
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Starts looking.
    pub(crate) fn start(readers: Readers) -> std::io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let look = move || {
            let mut steps = Steps::since(Instant::now(), Clock::System.now());
            let mut looks = 0;
            while !stop.load(Ordering::Acquire) {
                if looks % CLOCK_EVERY == 0 {
                    readers.look_at_clock(&mut steps);
                }
                readers.look_at_alerts();
                looks = (looks + 1) % CLOCK_EVERY;
                std::thread::park_timeout(LOOK_EVERY);
            }
        };
        let thread = Builder::new().name("sampler".to_owned()).spawn(look)?;
        Ok(Self { stopping, thread: Some(thread) })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Readers {
    fn look_at_clock(&self, steps: &mut Steps) {
        let at = Clock::System.now();
        let reading = ClockReading { at, step: steps.step(Instant::now(), at), synchronisation: synchronisation() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        tell(self.clock.as_ref(), limit::Message::Clock(reading));
    }

    fn look_at_alerts(&self) {
        let at = Clock::System.now();
        for (stats, slowest) in self.alerts.look() {
            let lost = stats.dropped + stats.given_up;
            let (channel, waiting) = (stats.channel, stats.waiting_nanoseconds);
            let reading = DeliveryReading { at, channel, waiting, lost, slowest };
            tell(self.delivery.as_ref(), limit::Message::Delivery(reading));
        }
    }
}

fn tell(to: Option<&Address<limit::Message>>, message: limit::Message) {
    if let Some(to) = to.filter(|to| to.depth() < MOST_WAITING) {
        // While it is down its scope is halted; it hears the next one.
        let _ = to.send(message);
    }
}

/// The wall clock against one that nobody sets.
struct Steps {
    monotonic: Instant,
    wall: Timestamp,
}

impl Steps {
    fn since(monotonic: Instant, wall: Timestamp) -> Self {
        Self { monotonic, wall }
    }

    /// By how many nanoseconds the wall clock has moved against the other one since the last look.
    fn step(&mut self, monotonic: Instant, wall: Timestamp) -> i64 {
        let passed = monotonic.saturating_duration_since(self.monotonic).as_nanos();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let step = wall.nanos_since(self.wall).saturating_sub(passed);
        (self.monotonic, self.wall) = (monotonic, wall);
        step
    }
}

/// What the machine's time service believes of the clock.
pub fn synchronisation() -> Synchronisation {
    // Modes zero: it only reads.
    let mut state = Timex::default();
    if adjtimex(&mut state).is_err() {
        return Synchronisation::Unknown;
    }
    let state = &state.0;
    if state.status & UNSYNCHRONISED != 0 {
        return Synchronisation::Unsynchronised;
    }
    let unit = if state.status & IN_NANOSECONDS == 0 { 1_000 } else { 1 };
    // The estimated error is in microseconds whatever the unit of the offset.
    let (offset, error) = (state.offset.saturating_mul(unit), state.esterror.saturating_mul(1_000));
    Synchronisation::Within(offset.saturating_abs().max(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_the_wall_clock_moved_more_than_time_has_passed() {
        let (start, wall) = (Instant::now(), Timestamp::from_nanos(1_000_000_000_000));
        let mut steps = Steps::since(start, wall);
        let second = Duration::from_secs(1);
        let at = |seconds: i64| wall.plus_nanos(seconds * 1_000_000_000);
        assert_eq!(steps.step(start + second, at(1)), 0);
        assert_eq!(steps.step(start + 2 * second, at(3_602)), 3_600_000_000_000, "an hour forward");
        assert_eq!(steps.step(start + 3 * second, at(3_603)), 0, "and on from there");
        assert_eq!(steps.step(start + 4 * second, at(3)), -3_601_000_000_000, "and back");
    }

    #[test]
    fn the_kernel_tells_whether_anybody_keeps_the_clock() {
        // Whatever it is on this machine, asking works and changes nothing.
        assert_eq!(matches!(synchronisation(), Synchronisation::Unknown), adjtimex(&mut Timex::default()).is_err());
    }
}
