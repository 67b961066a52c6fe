//! How a venue misbehaves: a table of chances by level, drawn from a seed.
//!
//! Timing on a real machine is not repeatable, so a seed gives the same *kinds* of trouble in the
//! same proportion, not the same run.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// At least 0, below `bound`, which must be positive.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_number() % bound.max(1)
    }

    /// True with this many chances in a thousand.
    pub fn happens(&mut self, per_thousand: u32) -> bool {
        self.below(1000) < u64::from(per_thousand)
    }

    /// A time from `least` to `most` milliseconds.
    pub fn milliseconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most.saturating_sub(least) + 1))
    }
}

/// Chances in a thousand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chaos {
    /// An order fills in several parts, over some time.
    pub partial: u32,
    /// An order rests and does not fill by itself.
    pub rests: u32,
    /// A report is sent later than what comes after it.
    pub late_report: u32,
    /// A report is sent twice.
    pub repeated_report: u32,
    /// A new order is rejected.
    pub reject: u32,
    /// A cancel or replace is refused although it could be done.
    pub refuse: u32,
    /// A cancel or replace is handled some time after it came.
    pub late_command: u32,
    /// A statement is made some time after it was asked for.
    pub late_statement: u32,
    /// An open order is cancelled by the venue, or expires.
    pub unsolicited_end: u32,
    /// The connection is dropped instead of handling a message.
    pub drop_before: u32,
    /// The connection is dropped after handling a message, before answering it.
    pub drop_after: u32,
    /// The connection stays open and nothing more comes out of it.
    pub half_open: u32,
    /// A fill is taken back later.
    pub bust: u32,
    /// A fill is corrected later.
    pub correct: u32,
    /// Somebody trades the account by hand, each time that it is looked at.
    pub by_hand: u32,
}

impl Chaos {
    /// Acknowledges and fills everything at once.
    pub const NONE: Self = Self {
        partial: 0,
        rests: 0,
        late_report: 0,
        repeated_report: 0,
        reject: 0,
        refuse: 0,
        late_command: 0,
        late_statement: 0,
        unsolicited_end: 0,
        drop_before: 0,
        drop_after: 0,
        half_open: 0,
        bust: 0,
        correct: 0,
        by_hand: 0,
    };

    /// A number for the command line: 0 none; 1 a slow and untidy market; 2 a bad connection on top;
    /// 3 what makes an operator's day on top of that: half-open sockets, busts, trades by hand.
    pub fn level(level: u8) -> Self {
        let mut chaos = Self::NONE;
        if level >= 1 {
            (chaos.partial, chaos.rests) = (350, 150);
            (chaos.late_report, chaos.repeated_report) = (250, 100);
            (chaos.late_command, chaos.late_statement) = (250, 250);
        }
        if level >= 2 {
            (chaos.reject, chaos.refuse, chaos.unsolicited_end) = (40, 60, 40);
            (chaos.drop_before, chaos.drop_after) = (15, 25);
        }
        if level >= 3 {
            chaos.half_open = 8;
            (chaos.bust, chaos.correct, chaos.by_hand) = (20, 20, 300);
        }
        chaos
    }
}
