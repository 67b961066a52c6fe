//! Proofs that a stop works: the real actors, thousands of orders among a million messages, halted again and
//! again while they are on their way.
//!
//! What they measure is what a person relies on: how long after the word an order may still leave, that
//! none leaves once the word is acknowledged, and how soon every open order has been asked to be cancelled.

pub mod cancels;
pub mod floor;
pub mod gate;
pub mod paper;
pub mod venue;

use std::time::{Duration, Instant};

/// The value below which the given part of all lies (`0.99`: the 99th percentile). Zero of nothing.
pub fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let place = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(place.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Waits without letting go of the processor: less than a timer can.
fn pause(long: Duration) {
    let began = Instant::now();
    while began.elapsed() < long {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_hundred() {
        let all: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        let of = |part| quantile(&all, part).as_millis();
        assert_eq!([of(0.0), of(0.5), of(0.99), of(1.0)], [1, 50, 99, 100]);
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }
}
