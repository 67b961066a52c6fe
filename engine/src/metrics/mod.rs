//! Metrics in the Prometheus text format, all names in one place. Labels are bounded: no order names, no
//! free text, no paths of strangers.
//!
//! What the account knows is read from a snapshot when somebody scrapes; only what the interface itself
//! counts is kept here.

use std::collections::BTreeMap;
use std::time::Duration;

use actors::Inquiry;
use actors::account::Snapshot;
use actors::keeper::Diary;
use actors::notifier::ChannelStats;
use actors::quotes::Publication;
use market::Timestamp;
use prometheus::core::Collector;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};
use risk::HaltScope;
use risk::catalogue::{CONTROLS, OTHER_CODES};

use crate::admin::House;
use crate::collecting::SourceFigures;

/// Every name, with what it means; docs/http.md lists them.
pub const NAMES: &[(&str, &str)] = &[
    ("pregao_build_info", "1; version and kind of build"),
    ("pregao_ready", "1 while book and broker agree and new orders are taken on"),
    ("pregao_halt_level", "0 active, 1 reducing, 2 stop_new, 3 cancel_all, 4 flatten, 5 halted, by scope"),
    ("pregao_halts_total", "halts of this run, by who threw them; people count as person"),
    ("pregao_breaks", "differences between book and broker that nothing explains; must be 0"),
    ("pregao_orders_total", "orders sent since the account last started"),
    ("pregao_orders_denied_total", "requests denied since the account last started, by check"),
    ("pregao_orders_rejected_total", "orders that the broker rejected since the account last started"),
    ("pregao_orders_open", "open orders, by strategy"),
    ("pregao_orders_unknown", "open orders whose outcome nobody knows"),
    ("pregao_fills_total", "fills of this run, by strategy"),
    ("pregao_anomalies_total", "reports that did not fit the book; anything but 0 is a bug"),
    ("pregao_equity_brl", "cash plus positions at their marks"),
    ("pregao_cash_brl", "cash"),
    ("pregao_exposure_brl", "positions at their marks, longs and shorts added, open orders at their worst"),
    ("pregao_day_result_brl", "equity above that of the last day's close in this run; negative is a loss"),
    ("pregao_quote_timestamp_seconds", "when a price last changed, by instrument; alert on time() minus this"),
    ("pregao_quotes_published_total", "hot quotes that Redis has taken"),
    ("pregao_quotes_conflated_total", "hot quotes that a newer one took the place of before they were published"),
    ("pregao_quotes_failed_total", "batches of hot quotes that Redis did not take"),
    ("pregao_quotes_last_success_timestamp_seconds", "when Redis took the last batch; alert on time() minus this"),
    ("pregao_quotes_lag_seconds", "how long a hot quote has been waiting that Redis does not have yet"),
    ("pregao_events_total", "market events brought by the feed"),
    ("pregao_events_unsound_total", "market events dropped as unsound"),
    ("pregao_journal_entries_total", "journal entries"),
    ("pregao_journal_uncommitted", "journal entries that are not durable yet"),
    ("pregao_actor_restarts_total", "restarts, by actor"),
    ("pregao_actors_given_up", "actors that were given up after failing again and again; must be 0"),
    ("pregao_alerts_sent_total", "alerts that arrived, by channel"),
    ("pregao_alerts_failed_total", "tries to deliver an alert that failed, by channel"),
    ("pregao_alerts_dropped_total", "alerts that found no room, by channel; must be 0"),
    ("pregao_alerts_given_up_total", "alerts that were tried for too long or refused for good, by channel; must be 0"),
    ("pregao_alerts_waiting_seconds", "age of the oldest alert that has not arrived, by channel; alert above 1"),
    ("pregao_chores_done_total", "times that a chore of the house was done, by chore"),
    ("pregao_chores_failed_total", "times that it failed, by chore"),
    ("pregao_chore_last_done_timestamp_seconds", "when it was last done, by chore; alert on time() minus this"),
    ("pregao_source_requests_total", "requests to sources of market data, by source and outcome"),
    ("pregao_source_bytes_total", "bytes that came, by source"),
    ("pregao_source_items_total", "items that were kept, by source"),
    ("pregao_source_last_success_timestamp_seconds", "when a source last answered well"),
    ("pregao_source_newest_timestamp_seconds", "of when the newest item of a source is; time() minus this is its age"),
    ("pregao_admin_connections", "open connections to the admin interface"),
    ("pregao_admin_requests_total", "requests to the admin interface, by route and status"),
    ("pregao_admin_request_seconds", "how long they took"),
    ("pregao_admin_tokens_refused_total", "tokens and secrets that did not count, by reason"),
];

/// Around a millisecond, to the patience of a handler.
const SECONDS: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];

/// The content type of a scrape.
pub const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a daemon that stands by tells: there is no account to count anything of.
pub fn waiting() -> String {
    let registry = Registry::new();
    let page = Page(&registry);
    page.build();
    page.one("pregao_ready", 0.0);
    TextEncoder::new().encode_to_string(&registry.gather()).unwrap_or_default()
}

/// What the interface counts.
pub struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    refused: IntCounterVec,
    registry: Registry,
}

fn opts(name: &str) -> Opts {
    let help = NAMES.iter().find(|(known, _)| *known == name).map_or("", |(_, help)| help);
    Opts::new(name, help)
}

/// A metric whose name and labels are written here and tested: it cannot be refused.
fn made<T>(metric: prometheus::Result<T>) -> T {
    metric.unwrap_or_else(|error| panic!("a metric of ours is not one: {error}"))
}

fn register(registry: &Registry, metric: impl Collector + 'static) {
    made(registry.register(Box::new(metric)));
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let requests = made(IntCounterVec::new(opts("pregao_admin_requests_total"), &["route", "status"]));
        let histogram = HistogramOpts::from(opts("pregao_admin_request_seconds")).buckets(SECONDS.to_vec());
        let seconds = made(HistogramVec::new(histogram, &["route"]));
        let refused = made(IntCounterVec::new(opts("pregao_admin_tokens_refused_total"), &["reason"]));
        let registry = Registry::new();
        register(&registry, requests.clone());
        register(&registry, seconds.clone());
        register(&registry, refused.clone());
        Self { requests, seconds, refused, registry }
    }

    /// A request was answered. `route` is one of the list, or `none`.
    pub fn request(&self, route: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[route, &status.to_string()]).inc();
        self.seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// A token or a secret did not count. `reason` is one of a few words.
    pub fn refused_token(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    /// Everything, as text. Without a snapshot, what is known without the account.
    pub fn render(&self, inquiry: &Inquiry, snapshot: Option<&Snapshot>, connections: usize, house: &House) -> String {
        let registry = Registry::new();
        let page = Page(&registry);
        page.program(inquiry);
        page.one("pregao_admin_connections", connections as f64);
        page.chores(&house.chores.diary());
        page.sources(&house.observed.figures());
        if let Some(snapshot) = snapshot {
            page.account(snapshot, inquiry.strategies());
        } else {
            page.one("pregao_ready", 0.0);
        }
        let mut families = registry.gather();
        families.extend(self.registry.gather());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

/// The metrics of one scrape.
struct Page<'a>(&'a Registry);

impl Page<'_> {
    fn one(&self, name: &str, value: f64) {
        self.many(name, &[], [(vec![], value)]);
    }

    /// Counters too are told as what the account says they are: they begin anew when it does.
    fn many(&self, name: &str, labels: &[&str], values: impl IntoIterator<Item = (Vec<String>, f64)>) {
        let gauges = made(GaugeVec::new(opts(name), labels));
        for (values, value) in values {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            gauges.with_label_values(&values).set(value);
        }
        register(self.0, gauges);
    }

    fn build(&self) {
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let told = vec![env!("CARGO_PKG_VERSION").to_owned(), build.to_owned()];
        self.many("pregao_build_info", &["version", "build"], [(told, 1.0)]);
    }

    fn program(&self, inquiry: &Inquiry) {
        self.build();
        let mut levels: BTreeMap<String, f64> = BTreeMap::new();
        for scope in HaltScope::PROGRAM {
            levels.insert(scope.to_string(), 0.0);
        }
        for (scope, level) in inquiry.halt().standing() {
            levels.insert(scope.to_string(), f64::from(level as u8));
        }
        let levels = levels.into_iter().map(|(scope, level)| (vec![scope], level));
        self.many("pregao_halt_level", &["scope"], levels);
        let halts = inquiry.halts_by().into_iter().map(|(by, count)| (vec![by.to_owned()], count as f64));
        self.many("pregao_halts_total", &["by"], halts);
        let restarts = inquiry.restarts().into_iter().map(|(actor, count)| (vec![actor], count as f64));
        self.many("pregao_actor_restarts_total", &["actor"], restarts);
        self.one("pregao_actors_given_up", inquiry.given_up().len() as f64);
        self.one("pregao_events_total", inquiry.stats().events() as f64);
        self.one("pregao_events_unsound_total", inquiry.stats().unsound_events() as f64);
        self.alerts(&inquiry.alerts().stats());
        if let Some(publication) = inquiry.publication() {
            self.quotes(publication);
        }
        let universe = inquiry.universe();
        let quotes = universe.ids().map(|id| (id, inquiry.quote(id).at)).filter(|(_, at)| *at != Timestamp::MIN);
        let quotes = quotes.map(|(id, at)| (vec![universe.symbol(id).to_owned()], at.as_nanos() as f64 / 1e9));
        self.many("pregao_quote_timestamp_seconds", &["instrument"], quotes);
    }

    fn quotes(&self, publication: Publication) {
        self.one("pregao_quotes_published_total", publication.published as f64);
        self.one("pregao_quotes_conflated_total", publication.conflated as f64);
        self.one("pregao_quotes_failed_total", publication.failed as f64);
        self.one("pregao_quotes_lag_seconds", publication.lag_nanoseconds as f64 / 1e9);
        if let Some(at) = publication.last_success {
            self.one("pregao_quotes_last_success_timestamp_seconds", at.as_nanos() as f64 / 1e9);
        }
    }

    fn alerts(&self, channels: &[ChannelStats]) {
        let by_channel = |figure: fn(&ChannelStats) -> f64| {
            let told = |stats: &ChannelStats| (vec![stats.channel.to_owned()], figure(stats));
            channels.iter().map(told).collect::<Vec<_>>()
        };
        let labels = &["channel"];
        self.many("pregao_alerts_sent_total", labels, by_channel(|stats| stats.sent as f64));
        self.many("pregao_alerts_failed_total", labels, by_channel(|stats| stats.failed as f64));
        self.many("pregao_alerts_dropped_total", labels, by_channel(|stats| stats.dropped as f64));
        self.many("pregao_alerts_given_up_total", labels, by_channel(|stats| stats.given_up as f64));
        let waiting = by_channel(|stats| stats.waiting_nanoseconds as f64 / 1e9);
        self.many("pregao_alerts_waiting_seconds", labels, waiting);
    }

    fn chores(&self, diary: &BTreeMap<String, Diary>) {
        let by_chore = |figure: fn(&Diary) -> Option<f64>| {
            let told = |(name, diary): (&String, &Diary)| Some((vec![name.clone()], figure(diary)?));
            diary.iter().filter_map(told).collect::<Vec<_>>()
        };
        let labels = &["chore"];
        self.many("pregao_chores_done_total", labels, by_chore(|diary| Some(diary.done as f64)));
        self.many("pregao_chores_failed_total", labels, by_chore(|diary| Some(diary.failed as f64)));
        let last = by_chore(|diary| Some(diary.last_done?.as_nanos() as f64 / 1e9));
        self.many("pregao_chore_last_done_timestamp_seconds", labels, last);
    }

    fn sources(&self, figures: &BTreeMap<String, SourceFigures>) {
        let tries = figures.iter().flat_map(|(source, of)| {
            of.tries.iter().map(|(outcome, count)| (vec![source.clone(), (*outcome).to_owned()], *count as f64))
        });
        self.many("pregao_source_requests_total", &["source", "outcome"], tries);
        let by_source = |figure: fn(&SourceFigures) -> Option<f64>| {
            let told = |(name, of): (&String, &SourceFigures)| Some((vec![name.clone()], figure(of)?));
            figures.iter().filter_map(told).collect::<Vec<_>>()
        };
        let labels = &["source"];
        self.many("pregao_source_bytes_total", labels, by_source(|of| Some(of.bytes as f64)));
        self.many("pregao_source_items_total", labels, by_source(|of| Some(of.items as f64)));
        let last = by_source(|of| of.last_success.map(|at| at as f64));
        self.many("pregao_source_last_success_timestamp_seconds", labels, last);
        let newest = by_source(|of| of.newest.map(|at| at as f64));
        self.many("pregao_source_newest_timestamp_seconds", labels, newest);
    }

    fn account(&self, snapshot: &Snapshot, strategies: &[String]) {
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
        self.many("pregao_orders_denied_total", &["check"], denials);
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
        self.many("pregao_orders_open", &["strategy"], by_strategy(owners));
        let unknown = open.iter().filter(|order| order.status == oms::OrderStatus::Unknown).count();
        self.one("pregao_orders_unknown", unknown as f64);
        let owners = record.fills.iter().map(|fill| fill.strategy.index()).collect();
        self.many("pregao_fills_total", &["strategy"], by_strategy(owners));
        self.one("pregao_equity_brl", book.equity().to_f64());
        self.one("pregao_cash_brl", book.cash().total().to_f64());
        self.one("pregao_exposure_brl", book.gross_exposure().to_f64());
        if let Some(day) = record.days.last() {
            self.one("pregao_day_result_brl", (book.equity() - day.equity).to_f64());
        }
        self.one("pregao_journal_entries_total", snapshot.sequence as f64);
        self.one("pregao_journal_uncommitted", snapshot.uncommitted as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::NAMES;

    #[test]
    fn the_documentation_lists_every_metric() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/http.md");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut told: Vec<&str> = text.split('`').filter(|word| word.starts_with("pregao_")).collect();
        let mut listed: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        told.sort_unstable();
        listed.sort_unstable();
        assert_eq!(told, listed);
    }
}
