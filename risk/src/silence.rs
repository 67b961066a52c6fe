//! C33, the silent connection: when one that stands counts as lost.
//!
//! Two ways to be dead while the socket is open. A half-open line carries nothing: no heartbeat comes
//! either. A gateway whose insides have died goes on sending heartbeats: something was sent, and no
//! word that is more than a heartbeat answers it.

use std::fmt;
use std::time::Duration;

/// Heartbeats that may be missing (F12: dead in at most three).
pub const MISSED_HEARTBEATS: u32 = 3;

/// What counts as too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Silence {
    /// How often the other side says something at least.
    pub heartbeat: Duration,
    /// How long what was sent may go without a word of substance.
    pub substance: Duration,
}

/// How quiet a connection has been.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quiet {
    /// Since anything at all came.
    pub anything: Duration,
    /// Since the first thing was sent that no message but heartbeats has followed; none: nothing waits.
    pub unanswered: Option<Duration>,
}

/// Why a connection counts as lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// Nothing came at all.
    Mute {
        /// The interval that was agreed on.
        heartbeat: Duration,
    },
    /// Heartbeats came, and nothing else.
    Hollow {
        /// For this long.
        substance: Duration,
    },
}

impl Silence {
    /// Whether the connection is lost.
    pub fn judge(&self, quiet: Quiet) -> Option<Lost> {
        if quiet.anything >= self.heartbeat * MISSED_HEARTBEATS {
            return Some(Lost::Mute { heartbeat: self.heartbeat });
        }
        let hollow = quiet.unanswered.is_some_and(|since| since >= self.substance);
        hollow.then_some(Lost::Hollow { substance: self.substance })
    }

    /// How long it takes until it may be lost: nobody need look before.
    pub fn left(&self, quiet: Quiet) -> Duration {
        let mute = (self.heartbeat * MISSED_HEARTBEATS).saturating_sub(quiet.anything);
        quiet.unanswered.map_or(mute, |since| mute.min(self.substance.saturating_sub(since)))
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mute { heartbeat } => write!(f, "was silent for {MISSED_HEARTBEATS} heartbeats of {heartbeat:?}"),
            Self::Hollow { substance } => {
                write!(f, "said nothing but heartbeats for {substance:?} although something waits for its answer")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Silence = Silence { heartbeat: Duration::from_millis(1_000), substance: Duration::from_secs(60) };

    #[test]
    fn a_connection_is_lost_at_its_limits_and_not_before() {
        for (anything, unanswered, lost) in [
            (0, None, ""),
            (2_999, None, ""),
            (3_000, None, "mute"),
            // Nothing waits: an idle connection may have nothing to say for a day.
            (900, None, ""),
            (900, Some(0), ""),
            (900, Some(59_999), ""),
            (900, Some(60_000), "hollow"),
            (900, Some(86_400_000), "hollow"),
            // Both: the plainer reason.
            (3_000, Some(60_000), "mute"),
        ] {
            let milliseconds = Duration::from_millis;
            let quiet = Quiet { anything: milliseconds(anything), unanswered: unanswered.map(milliseconds) };
            let found = match RULE.judge(quiet) {
                None => "",
                Some(Lost::Mute { .. }) => "mute",
                Some(Lost::Hollow { .. }) => "hollow",
            };
            assert_eq!(found, lost, "{quiet:?}");
            assert_eq!(RULE.left(quiet).is_zero(), !lost.is_empty(), "{quiet:?}");
        }
    }

    #[test]
    fn the_reason_has_the_figures() {
        let mute = Lost::Mute { heartbeat: RULE.heartbeat };
        assert_eq!(mute.to_string(), "was silent for 3 heartbeats of 1s");
        assert!(Lost::Hollow { substance: RULE.substance }.to_string().contains("heartbeats for 60s"));
    }
}
