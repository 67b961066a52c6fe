//! The Account, as `actors::account` is: recovers, begins, takes its inputs, carries out the effects.

use std::borrow::Cow;

use desk::{Alert, Ask, Command, Effect, HostSettings, Input, Protocol, ProtocolSettings, Restore, Restored, Written};
use market::{ClientOrderId, ReportKind};
use oms::reconcile::NEVER_RECEIVED;
use risk::monitors::Hears;
use risk::{HaltLevel, HaltScope, Observation};
use store::{JournalEntry, Snapshot};

use super::Broken;
use super::coverage::Path;
use super::faults::Fault;
use super::process::{Stage, ToAccount, ToBroker, ToJournal, ToStrategy};
use super::traders;
use super::world::{Event, MILLISECOND, Milestone, SECOND, World};

/// How long a starting Account waits for an answer, as in `actors::account`.
const SETTLING_LIMIT: i64 = 10 * SECOND;

impl World {
    /// Puts a message into the Account's mailbox; false if nobody lives there.
    pub fn to_account(&mut self, process: usize, message: ToAccount) -> bool {
        let mailbox = &self.processes[process].account.mailbox;
        if !mailbox.is_open {
            return false;
        }
        let (at, generation) = self.post(process, |process| &mut process.account.mailbox);
        self.queue.put(at, Event::Account(process, generation, message));
        true
    }

    /// The Account's actor died: its mailbox and everything it knew are gone.
    pub fn account_dies(&mut self, process: usize) {
        let account = &mut self.processes[process].account;
        account.mailbox.lose();
        (account.stage, account.protocol) = (Stage::Down, None);
        account.stash.clear();
        let (pause, generation) =
            (self.random_nanos(0, 20 * MILLISECOND), self.processes[process].account.mailbox.generation);
        self.queue.put(self.now + pause, Event::AccountStart(process, generation));
    }

    /// What a predecessor handed to the Journal must be in the store before the store is read.
    pub fn account_starts(&mut self, process: usize, generation: u32) {
        if self.processes[process].account.mailbox.generation != generation {
            return;
        }
        if self.to_journal(process, ToJournal::Settle) {
            self.queue.put(self.now + SETTLING_LIMIT, Event::AccountImpatient(process, generation));
        } else {
            self.queue.put(self.now + 50 * MILLISECOND, Event::AccountStart(process, generation));
        }
    }

    /// Starting is recovering.
    pub fn account_settled(&mut self, process: usize, generation: u32) {
        let account = &self.processes[process].account;
        if account.mailbox.generation != generation || account.stage != Stage::Down {
            return;
        }
        let after = self.processes[process].record_after;
        let switch = match self.is_broken(Broken::IgnoresHalt) {
            true => risk::HaltSwitch::at(HaltLevel::Active),
            false => self.processes[process].switch.clone(),
        };
        let restored = match self.restore(switch, after) {
            Ok(restored) => restored,
            Err(error) => return self.violated(format!("the journal does not lead to a protocol: {error}")),
        };
        let state = &mut self.processes[process];
        state.incarnations += 1;
        let protocol = Protocol::new(self.protocol_settings(), restored, self.processes[process].incarnations);
        let account = &mut self.processes[process].account;
        (account.protocol, account.stage) = (Some(protocol), Stage::Beginning);
        account.mailbox.is_open = true;
        for instrument in self.universe.ids().collect::<Vec<_>>() {
            let top = self.processes[process].board[instrument.index()];
            if let Some(protocol) = &mut self.processes[process].account.protocol {
                protocol.mark(instrument, top);
            }
        }
        if self.to_broker(process, ToBroker::Begin) {
            self.queue.put(self.now + SETTLING_LIMIT, Event::AccountImpatient(process, generation));
        } else {
            self.account_begun(process, false);
        }
    }

    /// Whoever was asked does not say: it begins without.
    pub fn account_impatient(&mut self, process: usize, generation: u32) {
        let account = &self.processes[process].account;
        if account.mailbox.generation != generation {
            return;
        }
        match account.stage {
            Stage::Beginning => self.account_begun(process, false),
            Stage::Stating => self.account_up(process, Vec::new()),
            // The start has failed; it is started again.
            Stage::Down => self.account_starts(process, generation),
            Stage::Up => {}
        }
    }

    fn account_begun(&mut self, process: usize, connected: bool) {
        let now = self.wall();
        let mut effects = std::mem::take(&mut self.effects);
        let Some(protocol) = &mut self.processes[process].account.protocol else { return };
        let after = protocol.broker_sequence();
        protocol.begin(now, connected, &mut effects);
        let asks = |effect: &Effect| matches!(effect, Effect::AskStatement { .. });
        let asked = effects.iter().position(asks).map(|place| effects.remove(place));
        self.effects = effects;
        self.carry_out(process);
        if self.is_broken(Broken::ResendsAfterRestart) {
            self.resend_unanswered(process);
        }
        if let Some(Effect::AskStatement { question }) = asked
            && self.to_broker(process, ToBroker::StateNow { question, after })
        {
            self.processes[process].account.stage = Stage::Stating;
            let generation = self.processes[process].account.mailbox.generation;
            self.queue.put(self.now + SETTLING_LIMIT, Event::AccountImpatient(process, generation));
        } else {
            self.account_up(process, Vec::new());
        }
    }

    fn account_up(&mut self, process: usize, missed: Vec<(u64, market::ExecutionReport)>) {
        self.processes[process].account.stage = Stage::Up;
        for (sequence, report) in missed {
            self.take(process, Input::Report { report, sequence });
        }
        while self.processes[process].account.stage == Stage::Up {
            let Some(message) = self.processes[process].account.stash.pop_front() else { return };
            self.account_hears(process, message);
        }
    }

    /// A message is taken out of the mailbox.
    pub fn account_hears(&mut self, process: usize, message: ToAccount) {
        let stage = self.processes[process].account.stage;
        match (message, stage) {
            (ToAccount::Begun(connected), Stage::Beginning) => self.account_begun(process, connected),
            (ToAccount::Now(missed), Stage::Stating) => self.account_up(process, missed),
            (ToAccount::Begun(_) | ToAccount::Now(_), _) | (_, Stage::Down) => {}
            (message, Stage::Beginning | Stage::Stating) => self.processes[process].account.stash.push_back(message),
            (ToAccount::Input(input), Stage::Up) => self.take(process, *input),
            (ToAccount::Ask { strategy, after, heard, asks }, Stage::Up) => {
                if !heard.is_empty() {
                    self.take(process, Input::Heard { strategy, after, heard });
                }
                for ask in asks {
                    self.take_ask(process, strategy, ask);
                }
            }
            (ToAccount::StrategyStarted(strategy, origin), Stage::Up) => {
                self.take(process, Input::StrategyStarted(*origin));
                self.take(process, Input::Hello { strategy });
            }
            (ToAccount::Look(instrument), Stage::Up) => {
                let top = self.processes[process].board[instrument.index()];
                self.take(process, Input::Look { instrument, top });
            }
        }
    }

    fn take_ask(&mut self, process: usize, strategy: market::StrategyId, ask: Ask) {
        let Some(protocol) = self.processes[process].protocol() else { return };
        let instrument = match &ask {
            Ask::Submit(request) => Some(request.instrument),
            Ask::Cancel(id) | Ask::Replace { client_order_id: id, .. } => {
                protocol.desk().book().order(id).map(|order| order.intent.instrument)
            }
        };
        let top = instrument.map(|id| self.processes[process].board[id.index()]).unwrap_or_default();
        self.take(process, Input::Ask { strategy, ask, top });
    }

    /// The protocol takes an input, and its effects are carried out.
    pub fn take(&mut self, process: usize, input: Input) {
        let input = self.seen(process, input);
        let compares = matches!(input, Input::Statement { .. });
        let now = self.wall();
        let mut effects = std::mem::take(&mut self.effects);
        let Some(protocol) = &mut self.processes[process].account.protocol else { return };
        protocol.handle(now, input, &mut effects);
        let cancels =
            |effect: &Effect| matches!(effect, Effect::Append { entries, .. } if entries[0].kind == "cancel_intent");
        if compares && effects.iter().any(cancels) {
            self.reached(Path::CancelAgain);
        }
        self.effects = effects;
        self.carry_out(process);
    }

    /// What an input tells about the paths that are walked; a broken engine hears other things.
    fn seen(&mut self, process: usize, mut input: Input) -> Input {
        let renames = self.is_broken(Broken::RenamesExecutions);
        let Some(protocol) = self.processes[process].protocol() else { return input };
        match &mut input {
            Input::Report { report, .. } => {
                let id = report.client_order_id;
                let book = protocol.desk().book();
                let mut paths = Vec::new();
                match &mut report.kind {
                    ReportKind::Bust { reference, .. } | ReportKind::Corrected { reference, .. }
                        if !book.knows_execution(reference) =>
                    {
                        paths.push(Path::BustBeforeFill);
                    }
                    ReportKind::Fill { execution_id, .. } => {
                        if book.order(&id).is_some_and(|order| !order.acknowledged) {
                            paths.push(Path::FillBeforeAck);
                        }
                        let again = !self.heard_executions.insert(execution_id.clone());
                        if again && renames {
                            *execution_id = market::ExecutionId::new(&format!("{execution_id}-AGAIN"));
                        }
                    }
                    _ => {}
                }
                if let Some(milestone) = self.milestones.get_mut(&id) {
                    *milestone = Milestone::Reported;
                }
                paths.into_iter().for_each(|path| self.reached(path));
            }
            // Numbers of beginnings rise.
            Input::Committed { writer, .. } | Input::JournalFailed { writer, .. }
                if *writer < self.processes[process].writer =>
            {
                self.reached(Path::LateAnswer);
            }
            _ => {}
        }
        input
    }

    fn carry_out(&mut self, process: usize) {
        let mut effects = std::mem::take(&mut self.effects);
        let generation = self.processes[process].account.mailbox.generation;
        for effect in effects.drain(..) {
            // Between any two effects the process may end, or this actor alone.
            if self.crashes(process) {
                break;
            }
            self.effect(process, effect);
            if self.processes[process].account.mailbox.generation != generation {
                break;
            }
        }
        effects.clear();
        if self.effects.is_empty() {
            self.effects = effects;
        }
    }

    fn effect(&mut self, process: usize, effect: Effect) {
        match effect {
            Effect::Begin { writer, entries } => {
                self.processes[process].writer = writer;
                let entries = self.entries(&entries);
                self.to_journal(process, ToJournal::Begin(writer, entries));
            }
            Effect::Append { writer, entries } => {
                self.written(process, &entries);
                let through = entries.last().map_or(0, |entry| entry.sequence);
                let is_intent = entries.iter().any(|entry| entry.kind == "intent");
                let entries = self.entries(&entries);
                self.to_journal(process, ToJournal::Append(writer, entries));
                if is_intent && self.is_broken(Broken::SendsBeforeCommit) {
                    let early = ToAccount::Input(Box::new(Input::Committed { writer, through }));
                    self.to_account(process, early);
                }
            }
            Effect::Snapshot { sequence, state } => {
                let payload = serde_json::to_string(&state).expect("a snapshot is plain data");
                let snapshot = Snapshot { account: self.disk.account, sequence, at: self.wall(), payload };
                self.to_journal(process, ToJournal::Snapshot(snapshot));
            }
            Effect::Send(command) => self.hand_over(process, command),
            Effect::Resend { after } => {
                self.reached(Path::GapFound);
                self.to_broker(process, ToBroker::Resend(after));
            }
            Effect::AskStatement { question } => {
                self.to_broker(process, ToBroker::AskStatement(question));
            }
            Effect::Tell { strategy, notice } => {
                self.to_strategy(process, strategy.index(), ToStrategy::Notice(notice));
            }
            // Other limits come with the figures.
            Effect::Observe | Effect::Limits(_) => self.watch(process),
            Effect::Raise { scope, level, reason, .. } => self.raise(process, &scope, level, &reason),
            Effect::Lift { scope, seen, .. } => self.lift(process, &scope, seen),
            Effect::NotLifted { .. } | Effect::Traded { .. } => {}
            Effect::Alert(alert) => self.alert(process, alert),
        }
    }

    fn hand_over(&mut self, process: usize, command: Command) {
        let id = command.client_order_id();
        if matches!(command, Command::Cancel(_))
            && self.processes[process].protocol().is_some_and(|p| p.uncommitted() > 0)
            && self.is_down(process)
        {
            self.reached(Path::CancelWithoutJournal);
        }
        if let (Command::Submit(_), Some(milestone)) = (&command, self.milestones.get_mut(&id)) {
            *milestone = Milestone::Committed;
        }
        self.kept.insert(id, command);
        // Now and then the switch is thrown at the last moment.
        if self.strikes(Fault::Halt) && self.processes[process].switch.raise(&HaltScope::Global, HaltLevel::StopNew) {
            self.store_halt(process, &HaltScope::Global, HaltLevel::StopNew);
        }
        if self.strikes(Fault::ProcessPause) {
            self.pauses(process);
        }
        if !self.to_broker(process, ToBroker::Send(command)) {
            // Nothing carries commands now, so this one certainly has not left.
            let reason = "the broker connection is down".to_owned();
            self.to_account(process, ToAccount::Input(Box::new(Input::NotSent { command, reason })));
        }
    }

    /// The store has not taken what was written: an error window, seen from outside.
    fn is_down(&self, process: usize) -> bool {
        !self.processes[process].switch.standing().is_empty()
    }

    fn entries(&self, written: &[std::sync::Arc<Written>]) -> Vec<JournalEntry> {
        let entry = |written: &std::sync::Arc<Written>| JournalEntry {
            account: self.disk.account,
            sequence: written.sequence,
            at: written.at,
            kind: Cow::Borrowed(written.kind),
            payload: written.payload.clone(),
        };
        written.iter().map(entry).collect()
    }

    /// What new entries tell about the paths that are walked.
    fn written(&mut self, process: usize, entries: &[std::sync::Arc<Written>]) {
        for entry in entries {
            let text = &entry.payload;
            let concluded = text.contains("\"broker_sequence\":0");
            let path = match entry.kind {
                "report" if text.contains(NEVER_RECEIVED) => Some(Path::NeverReceived),
                "report" if text.contains("not sent: the journal failed") => Some(Path::WithdrawnByJournal),
                "report" if text.contains("not sent: book and broker differ") => Some(Path::WithdrawnByBreak),
                "report" if text.contains("not sent: trading is") => Some(Path::HaltAtGate),
                "report" if concluded && text.contains("\"kind\":\"fill\"") => Some(Path::FillFromStatement),
                "report" if concluded && text.contains("\"kind\":\"bust\"") => Some(Path::BustFromStatement),
                "report" if concluded && text.contains("as the broker states") => Some(Path::EndFromStatement),
                "report" if concluded && text.contains("\"kind\":\"expired\"") => Some(Path::EndFromStatement),
                "report" if concluded && text.contains("\"kind\":\"repl") => Some(Path::ReplaceResolved),
                "report" if text.contains("\"kind\":\"expired\"") => Some(Path::Expired),
                "anomaly" if text.contains("was applied before") => Some(Path::DuplicateExecution),
                "break" => {
                    let counts = self.processes[process].epoch == self.disk.epoch;
                    let stated = self.coverage.faults.contains_key(&Fault::WrongPosition);
                    if counts && !(stated && text.contains("the broker holds")) {
                        self.violated(format!("a difference that nothing explains: {text}"));
                    }
                    Some(Path::Break)
                }
                "cancel_intent" if text.contains("\"stops\":true") => Some(Path::CancelledByHalt),
                "external" => Some(Path::External),
                "adopted" => Some(Path::Adopted),
                "unreadable" => Some(Path::Unreadable),
                "denied" if text.contains("\"stale_quote\"") => Some(Path::StaleDenied),
                "denied" if text.contains("\"unknown_order\"") => Some(Path::FrozenDenied),
                "denied" if text.contains("have not been compared") => Some(Path::NotComparedDenied),
                "intent" => {
                    if let Some(id) = super::disk::named_order(text) {
                        self.intended(id);
                    }
                    None
                }
                _ => None,
            };
            if let Some(path) = path {
                self.reached(path);
            }
            self.trace.bytes(text.as_bytes());
            let kind = entry.kind;
            self.trace.note(self.now, || format!("journal {process} #{} {kind} {text}", entry.sequence));
        }
    }

    fn intended(&mut self, id: ClientOrderId) {
        self.milestones.insert(id, Milestone::Intended);
        let today = self.wall().local_date().format("%Y%m%d").to_string();
        if today.parse().is_ok_and(|today: u32| today < id.day()) {
            self.reached(Path::NameAheadOfClock);
        }
    }

    fn alert(&mut self, process: usize, alert: Alert) {
        match alert {
            Alert::OrderUnknown { client_order_id, reason } => {
                let path = match reason.as_str() {
                    "the broker did not answer in time" => Path::UnknownByTimeout,
                    "it was on its way when the engine ended" => Path::UnknownByRestart,
                    "its fate is still open" => return,
                    text if text.contains("uncertain") => Path::UnknownBySend,
                    _ => Path::UnknownByDisconnect,
                };
                self.reached(path);
                if path == Path::UnknownByTimeout
                    && self.is_broken(Broken::TimeoutIsRejection)
                    && let Some(command) = self.kept.get(&client_order_id).copied()
                {
                    let reason = "timed out".to_owned();
                    self.to_account(process, ToAccount::Input(Box::new(Input::NotSent { command, reason })));
                }
            }
            Alert::LateFill { .. } => self.reached(Path::LateFill),
            Alert::NothingOpen => self.nothing_may_be_open(process),
            _ => {}
        }
    }

    /// A broken engine: what was not answered before the start is sent once more.
    fn resend_unanswered(&mut self, process: usize) {
        let Some(protocol) = self.processes[process].protocol() else { return };
        let open = protocol.desk().book().open_orders();
        let unanswered: Vec<ClientOrderId> =
            open.iter().filter(|order| !order.acknowledged).map(|order| order.intent.client_order_id).collect();
        for id in unanswered {
            if let Some(command @ Command::Submit(_)) = self.kept.get(&id).copied() {
                self.to_broker(process, ToBroker::Send(command));
            }
        }
    }

    /// Lets the monitors look, as the Limits do.
    fn watch(&mut self, process: usize) {
        let now = self.wall();
        let state = &mut self.processes[process];
        let Some(protocol) = state.account.protocol.as_ref() else { return };
        protocol.figures(now, &mut state.figures);
        let changed = std::mem::replace(&mut state.seen, state.figures.changes) != state.figures.changes;
        let mut found = Vec::new();
        for watch in &mut state.watches {
            if watch.hears == Hears::Marks || watch.hears == Hears::Changes && changed {
                watch.observe(Observation::Account(&state.figures), &mut found);
            }
        }
        for breach in found.into_iter().filter(|breach| breach.level != HaltLevel::Active) {
            self.raise(process, &breach.scope, breach.level, &breach.to_string());
        }
    }

    /// Throws the switch, then makes it durable, as `actors::halt` does.
    pub fn raise(&mut self, process: usize, scope: &HaltScope, level: HaltLevel, reason: &str) {
        if !self.processes[process].switch.raise(scope, level) {
            return;
        }
        self.reached(Path::HaltByEngine);
        self.trace.note(self.now, || format!("halted {scope} {level:?}: {reason}"));
        self.store_halt(process, scope, level);
    }

    /// Stored first, then open, unless something came on top of what the person saw.
    fn lift(&mut self, process: usize, scope: &HaltScope, seen: risk::Seen) {
        let state = &self.processes[process];
        let can_store = state.epoch == self.disk.epoch && self.now >= self.disk.error_until;
        if !can_store || state.switch.seen(scope) != seen {
            return;
        }
        self.disk.halts.remove(scope);
        if self.processes[process].switch.lift(scope, seen) {
            self.reached(Path::ResumedRunning);
            self.trace.note(self.now, || format!("lifted {scope}"));
        }
    }

    /// The engine says that everything a halt takes back has ended: nothing of it may be open at the
    /// broker either.
    fn nothing_may_be_open(&mut self, process: usize) {
        self.reached(Path::NothingOpen);
        let state = &self.processes[process];
        let Some(protocol) = state.protocol().filter(|_| state.epoch == self.disk.epoch) else { return };
        let mut left = Vec::new();
        for reference in self.venue.open() {
            let market::OrderReference::Own(id) = reference else { continue };
            let order = protocol.desk().book().order(&id);
            let is_left = order.is_none_or(|order| {
                let (strategy, instrument) = (order.intent.strategy, order.intent.instrument);
                let level = state.switch.level_of(strategy, instrument);
                let closes = self.closings.contains(&id) && level == HaltLevel::Flatten;
                state.switch.cancels(strategy, instrument) && !closes
            });
            if is_left {
                left.push(id);
            }
        }
        if !left.is_empty() && !self.is_broken(Broken::IgnoresHalt) {
            self.violated(format!("the engine says that nothing is open, the broker has {left:?}"));
        }
    }

    /// Reads what is durable, as `actors::recovery` does.
    ///
    /// # Errors
    /// It does not lead to a protocol.
    pub fn restore(&mut self, switch: risk::HaltSwitch, record_after: u64) -> Result<Restored, String> {
        let names: Vec<String> = traders::settings(&self.universe).into_iter().map(|settings| settings.name).collect();
        let mut restore = Restore::new(self.desk.clone(), names.clone(), switch.clone(), record_after);
        let mut from = 1;
        let usable = self.disk.snapshots.iter().rev().find(|kept| kept.snapshot.sequence <= record_after).cloned();
        if let Some(kept) = usable {
            let text = if kept.damaged {
                &kept.snapshot.payload[..kept.snapshot.payload.len() / 2]
            } else {
                &kept.snapshot.payload
            };
            match restore.snapshot(kept.snapshot.sequence, kept.snapshot.at, text) {
                Ok(()) => {
                    from = kept.snapshot.sequence + 1;
                    self.reached(Path::SnapshotUsed);
                }
                Err(_) if kept.damaged => {
                    self.reached(Path::SnapshotPassedOver);
                    restore = Restore::new(self.desk.clone(), names, switch, record_after);
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        let mut failed = None;
        self.disk.read(from, |sequence, at, payload| {
            if failed.is_none() {
                failed = restore.entry(sequence, at, payload).err();
            }
        })?;
        match failed {
            Some(error) => Err(error.to_string()),
            None => restore.finish().map_err(|error| error.to_string()),
        }
    }

    /// What a protocol is made of here.
    pub fn protocol_settings(&self) -> ProtocolSettings {
        let strategies: Vec<HostSettings> = traders::settings(&self.universe);
        ProtocolSettings {
            strategies,
            patience: desk::Patience::default(),
            origin: desk::Origin {
                version: "simulation".to_owned(),
                start: self.desk.start,
                calendar: "b3".to_owned(),
                instruments: self.universe.iter().map(|(_, instrument)| instrument.clone()).collect(),
                limits: self.desk.limits.limits().clone(),
                brokerage: self.desk.book.brokerage,
            },
            snapshot_every: 150,
        }
    }

    /// Whether this actor's step is one at which the process, or the Account alone, ends.
    pub fn crashes(&mut self, process: usize) -> bool {
        if self.crashes < 8 && self.strikes(Fault::ProcessCrash) {
            self.process_crashes(process);
            return true;
        }
        let account = self.climate.rate(Fault::AccountRestart) / 12;
        if self.chaos && self.random.chance(account) && self.processes[process].account.stage == Stage::Up {
            self.injected(Fault::AccountRestart);
            self.account_dies(process);
            return true;
        }
        false
    }
}
