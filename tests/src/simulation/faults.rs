//! The kinds of fault, and which of them a seed suffers how often.
//!
//! Each run draws its own climate: about half of the kinds, each with its own frequency. Runs that
//! suffer everything at once hide what two faults alone would show (swarm testing, Groce et al. 2012).

use super::random::Random;

macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$case_about:meta])* $case:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum $name { $($(#[$case_about])* $case,)* }

        impl $name {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$case,)*];

            /// Its name for people.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$case => $text,)* }
            }
        }
    };
}
pub(super) use named;

named! {
    /// What can be done to the engine and its world. The numbers are of the failure catalogue.
    Fault {
        /// F01–F04: everything in memory is gone, at any step.
        ProcessCrash = "process crash",
        /// F27.
        AccountRestart = "account restart",
        /// F27.
        BrokerRestart = "broker restart",
        /// F27.
        JournalRestart = "journal restart",
        /// F27.
        StrategyRestart = "strategy restart",
        /// F23: stopped for a while by the system, awake again later.
        ProcessPause = "process pause",
        /// A message between two actors went to a mailbox that was just closed.
        HopLost = "message between actors lost",
        /// F16.
        DiskSlow = "store slow",
        /// F16: no answer for seconds.
        DiskStall = "store stalls",
        /// F16: full, read-only.
        DiskError = "store error",
        /// F17: durable, and the answer is an error.
        DiskAnswerLost = "store answer lost after commit",
        /// F18: a crash in the middle of a write.
        TornWrite = "write torn by a crash",
        /// A stored snapshot that cannot be used.
        SnapshotDamaged = "snapshot damaged",
        /// F11.
        Disconnect = "disconnect",
        /// F12.
        HalfOpen = "half-open session",
        /// F11: the broker does not let us log on.
        LogonRefused = "logon refused",
        /// F11: the broker cancels when a session ends.
        CancelOnDisconnect = "broker cancels on disconnect",
        /// The connection cannot tell whether it has sent.
        SendUncertain = "send of uncertain outcome",
        /// F03.
        CommandLost = "command lost",
        /// Reports that never come.
        ReportLost = "report lost",
        /// F06.
        ReportDuplicated = "report duplicated",
        /// F07.
        ReportReordered = "report reordered",
        /// F03: an answer that comes after our patience is over.
        ReportLate = "report late",
        /// F03: the broker acts and says nothing.
        AnswerNeverSent = "answer never sent",
        /// F32.
        Garbage = "unreadable message",
        /// The broker refuses.
        Rejection = "rejection",
        /// F10.
        UnsolicitedCancel = "unsolicited cancel",
        /// F08.
        CancelRace = "fill races cancel",
        /// F09.
        ReplaceRace = "fill races replace",
        /// F10.
        Bust = "trade bust",
        /// F10.
        Correction = "trade correction",
        /// F38.
        ExternalOrder = "order by hand",
        /// Statements that take long.
        StatementLate = "statement late",
        /// Statements that never come.
        StatementLost = "statement lost",
        /// The broker states a position that it does not hold.
        WrongPosition = "wrong position stated",
        /// F22.
        ClockForward = "clock jumps forward",
        /// F22.
        ClockBack = "clock jumps back",
        /// F20.
        QuoteCrossed = "quote crossed",
        /// F20.
        QuoteZero = "quote at zero",
        /// F20.
        QuoteNegative = "quote negative",
        /// F20.
        QuoteTimesHundred = "quote a hundred times too high",
        /// F20.
        QuoteStale = "quote stale",
        /// F20.
        QuoteFuture = "quote from the future",
        /// F20.
        QuoteDuplicate = "quote twice",
        /// A person or monitor throws the switch.
        Halt = "halt raised by a person",
    }
}

/// How often each kind strikes in one run, of ten thousand occasions.
#[derive(Clone, Debug)]
pub struct Climate(Vec<u64>);

impl Climate {
    /// The climate of a run.
    pub fn draw(random: &mut Random) -> Self {
        // One run in twenty has fair weather: the rest of the machinery must do without faults as well.
        let fair = random.chance(500);
        let rates = Fault::ALL.iter().map(|fault| {
            let (suffers, harshness) = (random.chance(5_000), random.between(1, 4) as u64);
            if suffers && !fair { usual(*fault) * harshness / 2 } else { 0 }
        });
        Self(rates.collect())
    }

    /// How often this kind strikes.
    pub fn rate(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }
}

/// Of ten thousand occasions. What an occasion is depends on the kind: a step of an actor, a message, a
/// write, a second.
const fn usual(fault: Fault) -> u64 {
    match fault {
        // An occasion is a step between two effects: there are thousands of them.
        Fault::ProcessCrash => 15,
        Fault::AccountRestart | Fault::BrokerRestart | Fault::JournalRestart => 60,
        Fault::StrategyRestart | Fault::ProcessPause => 50,
        Fault::HopLost => 100,
        Fault::DiskSlow => 800,
        Fault::DiskStall => 60,
        Fault::DiskError => 60,
        Fault::DiskAnswerLost => 120,
        Fault::TornWrite => 8_000,
        Fault::SnapshotDamaged => 5_000,
        Fault::Disconnect => 60,
        Fault::HalfOpen => 40,
        Fault::LogonRefused => 3_000,
        Fault::CancelOnDisconnect => 8_000,
        Fault::SendUncertain => 250,
        Fault::CommandLost | Fault::AnswerNeverSent | Fault::ReportLost => 300,
        Fault::ReportDuplicated | Fault::ReportReordered => 900,
        Fault::ReportLate => 200,
        Fault::Garbage => 30,
        Fault::Rejection => 500,
        Fault::UnsolicitedCancel => 100,
        Fault::CancelRace | Fault::ReplaceRace => 3_000,
        Fault::Bust | Fault::Correction => 60,
        Fault::ExternalOrder => 60,
        Fault::StatementLate => 1_000,
        Fault::StatementLost => 600,
        Fault::WrongPosition => 100,
        Fault::ClockForward | Fault::ClockBack => 25,
        Fault::QuoteCrossed | Fault::QuoteZero | Fault::QuoteNegative | Fault::QuoteTimesHundred => 150,
        Fault::QuoteStale | Fault::QuoteFuture | Fault::QuoteDuplicate => 150,
        Fault::Halt => 15,
    }
}
