//! What is told of the run in one scrape.

use std::collections::BTreeMap;

use actors::Inquiry;
use actors::account::Snapshot;
use actors::keeper::Diary;
use actors::measures::{Hop, Kind};
use actors::notifier::ChannelStats;
use actors::quotes::Publication;
use desk::Link;
use market::Timestamp;
use prometheus::proto::MetricFamily;
use risk::HaltScope;
use risk::catalogue::{CONTROLS, OTHER_CODES};
use store::Connections;

use super::families::Families;
use super::process::Usage;
use super::room::Room;
use crate::collecting::SourceFigures;

/// Of a second.
const NANOSECOND: f64 = 1e-9;

/// The metrics of one scrape.
#[derive(Default)]
pub struct Page(Families);

impl Page {
    /// What was told.
    pub fn families(self) -> Vec<MetricFamily> {
        self.0.done()
    }

    /// One value without labels.
    pub fn one(&mut self, name: &str, value: f64) {
        self.many(name, [(vec![], value)]);
    }

    /// Counters too are told as what the account says they are: they begin anew when it does.
    fn many(&mut self, name: &str, values: impl IntoIterator<Item = (Vec<String>, f64)>) {
        self.0.values(name, values);
    }

    /// Which program.
    pub fn build(&mut self) {
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let told = vec![env!("CARGO_PKG_VERSION").to_owned(), build.to_owned()];
        self.many("pregao_build_info", [(told, 1.0)]);
    }

    /// What is known without asking the account.
    pub fn program(&mut self, inquiry: &Inquiry) {
        self.build();
        let mut levels: BTreeMap<String, f64> = BTreeMap::new();
        for scope in HaltScope::PROGRAM {
            levels.insert(scope.to_string(), 0.0);
        }
        for (scope, level) in inquiry.halt().standing() {
            levels.insert(scope.to_string(), f64::from(level as u8));
        }
        let levels = levels.into_iter().map(|(scope, level)| (vec![scope], level));
        self.many("pregao_halt_level", levels);
        let halts = inquiry.halts_by().into_iter().map(|(by, count)| (vec![by.to_owned()], count as f64));
        self.many("pregao_halts_total", halts);
        let restarts = inquiry.restarts().into_iter().map(|(actor, count)| (vec![actor], count as f64));
        self.many("pregao_actor_restarts_total", restarts);
        self.one("pregao_actors_given_up", inquiry.given_up().len() as f64);
        self.one("pregao_events_total", inquiry.stats().events() as f64);
        self.one("pregao_events_unsound_total", inquiry.stats().unsound_events() as f64);
        self.alerts(&inquiry.alerts().stats());
        self.times(inquiry);
        self.process();
        if let Some(publication) = inquiry.publication() {
            self.quotes(publication);
        }
        let universe = inquiry.universe();
        let quotes = universe.ids().map(|id| (id, inquiry.quote(id).at)).filter(|(_, at)| *at != Timestamp::MIN);
        let quotes = quotes.map(|(id, at)| (vec![universe.symbol(id).to_owned()], at.as_nanos() as f64 / 1e9));
        self.many("pregao_quote_timestamp_seconds", quotes);
        let crossed =
            universe.ids().map(|id| (vec![universe.symbol(id).to_string()], inquiry.stats().crossed(id) as f64));
        self.many("pregao_events_crossed_total", crossed);
        let scope = |strategy: Option<market::StrategyId>| match strategy {
            Some(id) => {
                inquiry.strategies().get(id.index()).map_or_else(String::new, |name| format!("strategy:{name}"))
            }
            None => HaltScope::Account.to_string(),
        };
        let used = inquiry.used();
        let used = used.iter().map(|used| (vec![used.limit.to_owned(), scope(used.strategy)], used.share));
        self.many("pregao_limit_used_ratio", used);
    }

    /// How long things take, and what waits.
    fn times(&mut self, inquiry: &Inquiry) {
        let measures = inquiry.measures();
        let hops = Hop::ALL.map(|hop| (vec![hop.name().to_owned()], measures.hop(hop).buckets()));
        self.0.histograms("pregao_hop_seconds", NANOSECOND, hops);
        self.0.histograms("pregao_journal_sync_seconds", NANOSECOND, [(vec![], measures.sync.buckets())]);
        self.0.histograms("pregao_journal_batch_entries", 1.0, [(vec![], measures.batch.buckets())]);
        let delays = Kind::ALL.map(|kind| (vec![kind.name().to_owned()], measures.kind(kind).delay.buckets()));
        self.0.histograms("pregao_mailbox_delay_seconds", NANOSECOND, delays);
        let handlers = Kind::ALL.map(|kind| (vec![kind.name().to_owned()], measures.kind(kind).handler.buckets()));
        self.0.histograms("pregao_handler_seconds", NANOSECOND, handlers);
        let depths = inquiry.mailboxes().map(|(kind, depth)| (vec![kind.name().to_owned()], depth as f64));
        self.many("pregao_mailbox_depth", depths);
    }

    /// What the process takes, where the system tells.
    pub fn process(&mut self) {
        let usage = Usage::now();
        for (name, value) in [
            ("pregao_process_resident_bytes", usage.resident_bytes),
            ("pregao_process_open_files", usage.open_files),
            ("pregao_process_threads", usage.threads),
            ("pregao_process_cpu_seconds_total", usage.cpu_seconds),
        ] {
            if let Some(value) = value {
                self.one(name, value);
            }
        }
    }

    /// The store: connections, where it has any, and what history takes.
    pub fn store(&mut self, connections: Option<Connections>, room: Option<&Room>) {
        if let Some(Connections { used, idle }) = connections {
            let told = [("used", used), ("idle", idle)];
            let told = told.map(|(state, count)| (vec![state.to_owned()], f64::from(count)));
            self.many("pregao_store_connections", told);
        }
        if let Some(room) = room {
            let told = |values: &[(String, u64)]| {
                values.iter().map(|(table, value)| (vec![table.clone()], *value as f64)).collect::<Vec<_>>()
            };
            self.many("pregao_store_bytes", told(&room.bytes));
            self.many("pregao_store_rows", told(&room.rows));
        }
    }

    fn quotes(&mut self, publication: Publication) {
        self.one("pregao_quotes_published_total", publication.published as f64);
        self.one("pregao_quotes_conflated_total", publication.conflated as f64);
        self.one("pregao_quotes_failed_total", publication.failed as f64);
        self.one("pregao_quotes_lag_seconds", publication.lag_nanoseconds as f64 / 1e9);
        if let Some(at) = publication.last_success {
            self.one("pregao_quotes_last_success_timestamp_seconds", at.as_nanos() as f64 / 1e9);
        }
    }

    fn alerts(&mut self, channels: &[ChannelStats]) {
        let by_channel = |figure: fn(&ChannelStats) -> f64| {
            let told = |stats: &ChannelStats| (vec![stats.channel.to_owned()], figure(stats));
            channels.iter().map(told).collect::<Vec<_>>()
        };
        self.many("pregao_alerts_sent_total", by_channel(|stats| stats.sent as f64));
        self.many("pregao_alerts_failed_total", by_channel(|stats| stats.failed as f64));
        self.many("pregao_alerts_dropped_total", by_channel(|stats| stats.dropped as f64));
        self.many("pregao_alerts_given_up_total", by_channel(|stats| stats.given_up as f64));
        let waiting = by_channel(|stats| stats.waiting_nanoseconds as f64 / 1e9);
        self.many("pregao_alerts_waiting_seconds", waiting);
    }

    /// The Keeper's chores.
    pub fn chores(&mut self, diary: &BTreeMap<String, Diary>) {
        let by_chore = |figure: fn(&Diary) -> f64| {
            let told = |(name, diary): (&String, &Diary)| (vec![name.clone()], figure(diary));
            diary.iter().map(told).collect::<Vec<_>>()
        };
        self.many("pregao_chores_done_total", by_chore(|diary| diary.done as f64));
        self.many("pregao_chores_failed_total", by_chore(|diary| diary.failed as f64));
        let last = by_chore(|diary| diary.last_done.map_or(0.0, |at| at.as_nanos() as f64 / 1e9));
        self.many("pregao_chore_last_done_timestamp_seconds", last);
    }

    /// Sources of market data.
    pub fn sources(&mut self, figures: &BTreeMap<String, SourceFigures>) {
        let tries = figures.iter().flat_map(|(source, of)| {
            of.tries.iter().map(|(outcome, count)| (vec![source.clone(), (*outcome).to_owned()], *count as f64))
        });
        self.many("pregao_source_requests_total", tries);
        let by_source = |figure: fn(&SourceFigures) -> f64| {
            let told = |(name, of): (&String, &SourceFigures)| (vec![name.clone()], figure(of));
            figures.iter().map(told).collect::<Vec<_>>()
        };
        self.many("pregao_source_bytes_total", by_source(|of| of.bytes as f64));
        self.many("pregao_source_items_total", by_source(|of| of.items as f64));
        let last = by_source(|of| of.last_success.unwrap_or(0) as f64);
        self.many("pregao_source_last_success_timestamp_seconds", last);
        let newest = by_source(|of| of.newest.unwrap_or(0) as f64);
        self.many("pregao_source_newest_timestamp_seconds", newest);
    }

    /// What the account knows.
    pub fn account(&mut self, snapshot: &Snapshot, inquiry: &Inquiry) {
        let strategies = inquiry.strategies();
        let (desk, record) = (&snapshot.desk, &snapshot.record);
        let (book, counts) = (desk.book(), record.counts);
        self.one("pregao_ready", f64::from(u8::from(snapshot.ready)));
        self.one("pregao_breaks", snapshot.breaks.len() as f64);
        self.one("pregao_orders_total", counts.orders as f64);
        self.one("pregao_orders_rejected_total", counts.rejections as f64);
        self.one("pregao_anomalies_total", counts.anomalies as f64);
        // Also those that have denied nothing: an alert on the first denial needs the zero before it.
        let mut denials: BTreeMap<&str, u64> =
            CONTROLS.iter().flat_map(|control| control.denies).chain(OTHER_CODES).map(|code| (*code, 0)).collect();
        denials.extend(desk.denials());
        let denials = denials.into_iter().map(|(check, count)| (vec![check.to_owned()], count as f64));
        self.many("pregao_orders_denied_total", denials);
        let by_strategy = |numbers: Vec<usize>| {
            let mut counts: Vec<f64> = vec![0.0; strategies.len()];
            for number in numbers {
                if let Some(count) = counts.get_mut(number) {
                    *count += 1.0;
                }
            }
            strategies.iter().map(|name| vec![name.clone()]).zip(counts).collect::<Vec<_>>()
        };
        let open = book.open_orders();
        let owners = open.iter().map(|order| order.intent.strategy.index()).collect();
        self.many("pregao_orders_open", by_strategy(owners));
        let unknown = open.iter().filter(|order| order.status == oms::OrderStatus::Unknown).count();
        self.one("pregao_orders_unknown", unknown as f64);
        let owners = record.fills.iter().map(|fill| fill.strategy.index()).collect();
        self.many("pregao_fills_total", by_strategy(owners));
        self.one("pregao_equity_brl", book.equity().to_f64());
        self.one("pregao_cash_brl", book.cash().total().to_f64());
        self.one("pregao_exposure_brl", book.gross_exposure().to_f64());
        self.one("pregao_realised_brl", book.realized().to_f64());
        self.one("pregao_fees_brl", book.fees().to_f64());
        let mut results: Vec<(Vec<String>, f64)> = strategies.iter().map(|name| (vec![name.clone()], 0.0)).collect();
        for (strategy, result) in book.results() {
            if let Some((_, told)) = results.get_mut(strategy.index()) {
                *told = result.to_f64();
            }
        }
        self.many("pregao_result_brl", results);
        let universe = inquiry.universe();
        let held = universe.ids().map(|id| {
            let worth = book.mark_of(id).times(book.position(id).quantity);
            (vec![universe.symbol(id).to_string()], worth.to_f64())
        });
        self.many("pregao_position_brl", held);
        let sessions = [Link::Down, Link::Comparing, Link::Ready]
            .map(|link| (vec![link.name().to_owned()], f64::from(u8::from(snapshot.link == link))));
        self.many("pregao_broker_session", sessions);
        if let Some(day) = record.days.last() {
            self.one("pregao_day_result_brl", (book.equity() - day.equity).to_f64());
        }
        self.one("pregao_journal_entries_total", snapshot.sequence as f64);
        self.one("pregao_journal_uncommitted", snapshot.uncommitted as f64);
    }
}
