//! The machine's clock, by the same reading and rule as the monitor's.

use actors::sampler::synchronisation;
use market::Universe;
use risk::LimitTable;
use risk::monitors::{ClockReading, Synchronisation, may_arm};

use super::{Finding, Patient};

const FIX: &str = "start a time service such as chrony, and wait until it keeps the clock";

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let config = &patient.config;
    // The clock's limit is the account's: it needs to know of no instrument.
    let limits = LimitTable::new(config.limits.clone(), &Universe::default(), &[]);
    let reading = ClockReading { at: patient.now, step: 0, synchronisation: synchronisation() };
    vec![judged(&reading, |reading| may_arm(reading, &limits, config.monitors.clock_must_be_synchronised))]
}

fn judged(reading: &ClockReading, may_arm: impl Fn(&ClockReading) -> Result<(), String>) -> Finding {
    if let Err(problem) = may_arm(reading) {
        return Finding::failed(problem, FIX);
    }
    match reading.synchronisation {
        Synchronisation::Within(nanos) => {
            Finding::ok(format!("kept, within {} ms", nanos.saturating_abs() / 1_000_000))
        }
        Synchronisation::Unsynchronised => Finding::warning("nobody keeps the clock", FIX),
        Synchronisation::Unknown => Finding::warning("whether anybody keeps the clock cannot be told", FIX),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use market::Timestamp;

    #[test]
    fn a_clock_that_nobody_keeps_is_told_and_one_that_may_not_be_fails() {
        let of = |synchronisation, may: Result<(), String>| {
            let reading = ClockReading { at: Timestamp::from_nanos(0), step: 0, synchronisation };
            judged(&reading, |_| may.clone()).verdict
        };
        assert_eq!(of(Synchronisation::Within(2_000_000), Ok(())), Verdict::Ok);
        assert_eq!(of(Synchronisation::Unsynchronised, Ok(())), Verdict::Warning);
        assert_eq!(of(Synchronisation::Unknown, Ok(())), Verdict::Warning);
        assert_eq!(of(Synchronisation::Unsynchronised, Err("off".to_owned())), Verdict::Failed);
    }
}
