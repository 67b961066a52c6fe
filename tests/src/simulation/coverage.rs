//! What was reached: a fault that never struck, or a rare path that nobody walked, proves nothing.

use std::collections::BTreeMap;

use super::faults::{Fault, named};

named! {
    /// Rare paths through the engine. Each must have been walked "sometimes".
    Path {
        /// The broker did not answer in time.
        UnknownByTimeout = "order unknown: no answer in time",
        /// The connection went away.
        UnknownByDisconnect = "order unknown: connection gone",
        /// The engine ended in between.
        UnknownByRestart = "order unknown: engine ended",
        /// The connection could not tell.
        UnknownBySend = "order unknown: send uncertain",
        /// A statement's silence ended an order.
        NeverReceived = "concluded: never received",
        /// A fill that only a statement told of.
        FillFromStatement = "fill first seen in a statement",
        /// An end that only a statement told of.
        EndFromStatement = "end first seen in a statement",
        /// The same execution again.
        DuplicateExecution = "duplicate execution ignored",
        /// A bust overtook its fill.
        BustBeforeFill = "bust before its fill",
        /// A bust that only a statement told of.
        BustFromStatement = "bust first seen in a statement",
        /// A fill overtook the acknowledgement.
        FillBeforeAck = "fill before acknowledgement",
        /// A fill of an order that had ended.
        LateFill = "fill after the end of its order",
        /// The terms in a statement answered a replace.
        ReplaceResolved = "replace answered by a statement",
        /// A cancel that got lost was asked for again.
        CancelAgain = "cancel asked for again",
        /// Book and broker differed.
        Break = "difference stops an instrument",
        /// A person accepted it.
        BreakAccepted = "difference accepted by a person",
        /// Other hands traded.
        External = "execution of another hand",
        /// Unreadable text led to a statement.
        Unreadable = "unreadable message journaled",
        /// A predecessor tried to write.
        ZombieRefused = "append of a predecessor refused",
        /// A predecessor tried to send.
        ZombieGated = "command of a predecessor stopped at the gate",
        /// A predecessor's bytes came to the broker.
        DeadSession = "command on a dead session dropped",
        /// No order without its entry.
        WithdrawnByJournal = "order withdrawn: journal failed",
        /// No order while the instrument is stopped.
        WithdrawnByBreak = "order withdrawn: difference",
        /// Cancels leave all the same.
        CancelWithoutJournal = "cancel released while the journal is down",
        /// Entries whose answer was lost came again.
        AppendedTwice = "entries recognised that came again",
        /// A start from a snapshot.
        SnapshotUsed = "snapshot used",
        /// A start from the whole journal, because the snapshot was damaged.
        SnapshotPassedOver = "snapshot passed over",
        /// A write that a crash had torn.
        TornTailCut = "torn tail cut",
        /// F01.
        CrashBeforeCommit = "crash between intent and commit",
        /// F02.
        CrashBeforeSend = "crash between commit and send",
        /// F03.
        CrashBeforeReport = "crash between send and report",
        /// F04.
        CrashBeforeReportCommit = "crash between report and its commit",
        /// A report was missing.
        GapFound = "report number gap: resend asked for",
        /// An answer to a predecessor within the process.
        LateAnswer = "answer of an earlier conversation ignored",
        /// Identifiers go on though the clock went back over midnight.
        NameAheadOfClock = "clock back: identifiers go on",
        /// The switch stopped an order that was approved.
        HaltAtGate = "order stopped at the gate by the switch",
        /// The engine raised the switch itself.
        HaltByEngine = "halt raised by the engine",
        /// A halt survived a crash.
        HaltSurvived = "halt found at the start",
        /// A halt took an open order back.
        CancelledByHalt = "order cancelled by a halt",
        /// The engine closed what was held.
        ClosedByHalt = "closing order of the engine's own",
        /// The broker's statement confirmed that nothing is left open.
        NothingOpen = "nothing left open, stated by the broker",
        /// A person resumed without a restart.
        ResumedRunning = "halt lifted while running",
        /// A person resumed.
        Resumed = "trading resumed by a person",
        /// The right ran out before a renewal.
        RightRanOut = "right to trade ran out",
        /// A question whose answer was overdue.
        AskedAgain = "statement asked for again",
        /// An answer to a question that had been asked again.
        SupersededStatement = "superseded statement dropped",
        /// A start over what other hands hold.
        Adopted = "position of other hands adopted",
        /// Half-open until the heartbeats stopped.
        HalfOpenDetected = "half-open session detected",
        /// The day ended for an order.
        Expired = "day order expired",
        /// Quotes that were dropped.
        QuoteDropped = "unsound quote dropped",
        /// A price too old to trade on.
        StaleDenied = "order denied: price too old",
        /// An unknown order froze its instrument.
        FrozenDenied = "order denied: instrument frozen",
        /// No order before book and broker were compared.
        NotComparedDenied = "order denied: not compared yet",
        /// No order into a journal that does not answer.
        JournalDenied = "order denied: journal down",
    }
}

/// How often what happened, in one run or in many.
#[derive(Clone, Default, Debug)]
pub struct Coverage {
    /// Faults injected.
    pub faults: BTreeMap<Fault, u64>,
    /// Runs that a fault struck in.
    pub runs_with: BTreeMap<Fault, u64>,
    /// Paths walked.
    pub paths: BTreeMap<Path, u64>,
}

impl Coverage {
    /// A fault struck.
    pub fn injected(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// A path was walked.
    pub fn reached(&mut self, path: Path) {
        *self.paths.entry(path).or_default() += 1;
    }

    /// Takes in what one more run reached.
    pub fn add(&mut self, run: &Self) {
        for (fault, times) in &run.faults {
            *self.faults.entry(*fault).or_default() += times;
            *self.runs_with.entry(*fault).or_default() += 1;
        }
        for (path, times) in &run.paths {
            *self.paths.entry(*path).or_default() += times;
        }
    }

    /// What never happened, by name.
    pub fn missing(&self) -> Vec<&'static str> {
        let faults = Fault::ALL.iter().filter(|fault| !self.faults.contains_key(fault)).map(|fault| fault.name());
        let paths = Path::ALL.iter().filter(|path| !self.paths.contains_key(path)).map(|path| path.name());
        faults.chain(paths).collect()
    }
}
