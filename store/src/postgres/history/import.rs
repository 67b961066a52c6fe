//! The caller's side of an import: refuses what cannot be taken at once, gathers the rest into
//! chunks, and lets at most two of them be under way, which bounds the memory of any file. Besides
//! that an import holds what it needs to tell a repeated line, as the embedded one does.

use std::collections::HashMap;
use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use market::history::{CorporateAction, HistoryBar, IndexMember};
use market::{DailyRecord, Date, IndexClose};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::super::fault::Fault;
use super::super::server::Server;
use super::daily::ListingKey;
use super::running::{Answer, Step, run};
use crate::error::StoreError;
use crate::history::exact::{self, ExactDaily};
use crate::history::seen::{Places, Seen};
use crate::history::{Import, ImportCounts, ImportSource};

/// Records or bars of one chunk: 4 MB.
const CHUNK: usize = 16_384;
/// Rows of the kinds that are few.
const SMALL_CHUNK: usize = 1_000;
/// Chunks that the server has not confirmed.
const UNDER_WAY: usize = 2;
/// Longest that one chunk, or the end of an import, may take: several statements of at most a minute.
const STEP_LIMIT: Duration = Duration::from_secs(600);
/// Longest that an import that was given up waits for the server to have heard it.
const ABORT_LIMIT: Duration = Duration::from_secs(10);

pub(super) struct PostgresImport<'a> {
    server: &'a Server,
    steps: UnboundedSender<Step>,
    answers: Receiver<Result<Answer, Fault>>,
    task: Option<AbortHandle>,
    under_way: usize,
    days: HashMap<ListingKey, Places<Date>>,
    seen: Seen,
    daily: Vec<(DailyRecord, ExactDaily)>,
    bars: Vec<(HistoryBar, Option<i64>)>,
    closes: Vec<(String, IndexClose)>,
    members: Vec<IndexMember>,
    actions: Vec<CorporateAction>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Failed,
    Committed,
}

impl<'a> PostgresImport<'a> {
    pub(super) fn begin(server: &'a Server, source: &ImportSource) -> Result<Self, StoreError> {
        exact::text(&source.name, "name", || "an import".to_owned())?;
        exact::text(&source.kind, "kind", || format!("the import of {}", source.name))?;
        let (steps, heard) = unbounded_channel();
        let (answer, answers) = channel();
        let (place, source, failed) = (server.place().to_owned(), source.clone(), answer.clone());
        let task = server.beside(
            move |session| Box::pin(run(&session.client, place, source, heard, answer)),
            move |result| {
                if let Err(fault) = result {
                    // Nobody may be listening any more.
                    let _ = failed.send(Err(fault));
                }
            },
        );
        let mut import = Self {
            server,
            steps,
            answers,
            task,
            under_way: 1,
            days: HashMap::new(),
            seen: Seen::default(),
            daily: Vec::new(),
            bars: Vec::new(),
            closes: Vec::new(),
            members: Vec::new(),
            actions: Vec::new(),
            state: State::Open,
        };
        import.wait("begin an import")?;
        Ok(import)
    }

    /// Waits for one answer.
    fn wait(&mut self, doing: &'static str) -> Result<Answer, StoreError> {
        let answer = match self.answers.recv_timeout(STEP_LIMIT) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(Fault::NoAnswer),
        };
        self.under_way = self.under_way.saturating_sub(1);
        answer.map_err(|fault| {
            self.state = State::Failed;
            fault.at(self.server.place(), doing)
        })
    }

    fn send(&mut self, step: Step) -> Result<(), StoreError> {
        while self.under_way >= UNDER_WAY {
            self.wait("import rows")?;
        }
        self.under_way += 1;
        // A side that has ended has left its reason among the answers.
        let _ = self.steps.send(step);
        Ok(())
    }

    fn send_rest(&mut self) -> Result<(), StoreError> {
        let rest = [
            Step::Daily(mem::take(&mut self.daily)),
            Step::Bars(mem::take(&mut self.bars)),
            Step::Closes(mem::take(&mut self.closes)),
            Step::Members(mem::take(&mut self.members)),
            Step::Actions(mem::take(&mut self.actions)),
        ];
        rest.into_iter().filter(|step| !step.is_empty()).try_for_each(|step| self.send(step))
    }

    fn usable(&self) -> Result<(), StoreError> {
        if self.state == State::Open {
            return Ok(());
        }
        Err(StoreError::Failed {
            place: self.server.place().to_owned(),
            doing: "go on with an import that failed",
            source: "earlier rows could not be written, and nothing of this import was kept".into(),
        })
    }
}

impl Step {
    fn is_empty(&self) -> bool {
        match self {
            Self::Daily(rows) => rows.is_empty(),
            Self::Bars(rows) => rows.is_empty(),
            Self::Closes(rows) => rows.is_empty(),
            Self::Members(rows) => rows.is_empty(),
            Self::Actions(rows) => rows.is_empty(),
            Self::Commit | Self::Abort => false,
        }
    }
}

impl Import for PostgresImport<'_> {
    fn daily(&mut self, record: &DailyRecord) -> Result<(), StoreError> {
        self.usable()?;
        let exact = exact::daily(record)?;
        let key = || exact::daily_key(record);
        exact::text(&exact::fixed(&record.company), "company", key)?;
        exact::text(&exact::fixed(&record.specification), "specification", key)?;
        let listing = (record.symbol, record.market_type, record.term_days);
        if !self.days.entry(listing).or_default().take(record.date) {
            return Err(StoreError::DuplicateKey { key: key() });
        }
        self.daily.push((*record, exact));
        if self.daily.len() < CHUNK {
            return Ok(());
        }
        let chunk = mem::replace(&mut self.daily, Vec::with_capacity(CHUNK));
        self.send(Step::Daily(chunk))
    }

    fn bar(&mut self, bar: &HistoryBar) -> Result<(), StoreError> {
        self.usable()?;
        let turnover = exact::bar(bar)?;
        self.seen.bar(bar)?;
        self.bars.push((*bar, turnover));
        if self.bars.len() < CHUNK {
            return Ok(());
        }
        let chunk = mem::replace(&mut self.bars, Vec::with_capacity(CHUNK));
        self.send(Step::Bars(chunk))
    }

    fn index_close(&mut self, index: &str, close: &IndexClose) -> Result<(), StoreError> {
        self.usable()?;
        exact::index_close(index, close)?;
        self.seen.index_close(index, close)?;
        self.closes.push((index.to_owned(), *close));
        if self.closes.len() < SMALL_CHUNK {
            return Ok(());
        }
        let chunk = mem::take(&mut self.closes);
        self.send(Step::Closes(chunk))
    }

    fn index_member(&mut self, member: &IndexMember) -> Result<(), StoreError> {
        self.usable()?;
        exact::member(member)?;
        self.seen.member(member)?;
        self.members.push(*member);
        if self.members.len() < SMALL_CHUNK {
            return Ok(());
        }
        let chunk = mem::take(&mut self.members);
        self.send(Step::Members(chunk))
    }

    fn corporate_action(&mut self, action: &CorporateAction) -> Result<(), StoreError> {
        self.usable()?;
        exact::action(action)?;
        self.seen.action(action)?;
        self.actions.push(action.clone());
        if self.actions.len() < SMALL_CHUNK {
            return Ok(());
        }
        let chunk = mem::take(&mut self.actions);
        self.send(Step::Actions(chunk))
    }

    fn commit(mut self: Box<Self>) -> Result<ImportCounts, StoreError> {
        self.usable()?;
        self.send_rest()?;
        self.send(Step::Commit)?;
        loop {
            if let Answer::Committed(counts) = self.wait("commit an import")? {
                self.state = State::Committed;
                return Ok(counts);
            }
        }
    }
}

/// Given up: the next import should not find this one's lock.
impl Drop for PostgresImport<'_> {
    fn drop(&mut self) {
        if self.state == State::Open && self.steps.send(Step::Abort).is_ok() {
            while let Ok(Ok(answer)) = self.answers.recv_timeout(ABORT_LIMIT) {
                if matches!(answer, Answer::RolledBack) {
                    return;
                }
            }
        }
        if self.state != State::Committed
            && let Some(task) = &self.task
        {
            // Cuts the connection, if it is still there: the server rolls back when it notices.
            task.abort();
        }
    }
}
