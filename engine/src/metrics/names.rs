//! Every metric, with its labels and what it means. The page of the documentation is made of them (`tests`).
//!
//! What is told of the account is counted since it last started, so counters may begin anew; Prometheus takes
//! that for a restart, which it is.

/// A metric. Its kind follows from its name, see [`Metric::kind`].
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its labels: bounded words, never orders, paths or free text.
    pub labels: &'static [&'static str],
    /// What it is.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Goes up only.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Values by size.
    Histogram,
}

/// Metrics that are histograms.
const HISTOGRAMS: [&str; 6] = [
    "pregao_admin_request_seconds",
    "pregao_handler_seconds",
    "pregao_hop_seconds",
    "pregao_journal_batch_entries",
    "pregao_journal_sync_seconds",
    "pregao_mailbox_delay_seconds",
];

impl Metric {
    /// What it is.
    pub fn kind(&self) -> Kind {
        if HISTOGRAMS.contains(&self.name) {
            Kind::Histogram
        } else if self.name.ends_with("_total") {
            Kind::Counter
        } else {
            Kind::Gauge
        }
    }
}

const fn metric(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, labels, help }
}

/// All of them, by what they are about.
pub const METRICS: &[(&str, &[Metric])] = &[
    (
        "Program",
        &[
            metric("pregao_build_info", &["version", "build"], "1; version and kind of build"),
            metric("pregao_ready", &[], "1 while book and broker agree and new orders are taken on"),
            metric(
                "pregao_halt_level",
                &["scope"],
                "0 active, 1 reducing, 2 stop_new, 3 cancel_all, 4 flatten, 5 halted, by scope",
            ),
            metric("pregao_halts_total", &["by"], "halts of this run, by who threw them; people count as person"),
            metric("pregao_breaks", &[], "differences between book and broker that nothing explains; must be 0"),
            metric("pregao_anomalies_total", &[], "reports that did not fit the book; anything but 0 is a bug"),
            metric("pregao_actor_restarts_total", &["actor"], "restarts, by actor"),
            metric("pregao_actors_given_up", &[], "actors that were given up after failing again and again; must be 0"),
            metric(
                "pregao_mailbox_depth",
                &["actor"],
                "messages that wait, in the fullest mailbox of each kind of actor",
            ),
            metric(
                "pregao_mailbox_delay_seconds",
                &["actor"],
                "how long a message waited in its mailbox, one in sixteen, by kind of actor",
            ),
            metric(
                "pregao_handler_seconds",
                &["actor"],
                "how long a message took to be handled, one in sixteen, by kind of actor",
            ),
            metric("pregao_process_resident_bytes", &[], "memory of the process"),
            metric("pregao_process_open_files", &[], "file descriptors of the process"),
            metric("pregao_process_threads", &[], "threads of the process"),
            metric("pregao_process_cpu_seconds_total", &[], "processor time of the process"),
        ],
    ),
    (
        "Trading",
        &[
            metric("pregao_equity_brl", &[], "cash plus positions at their marks"),
            metric("pregao_cash_brl", &[], "cash"),
            metric(
                "pregao_exposure_brl",
                &[],
                "positions at their marks, longs and shorts added, open orders at their worst",
            ),
            metric(
                "pregao_position_brl",
                &["instrument"],
                "what is held at its mark, negative when short; zero when flat",
            ),
            metric(
                "pregao_day_result_brl",
                &[],
                "equity above that of the last day's close in this run; negative is a loss",
            ),
            metric("pregao_realised_brl", &[], "what closed positions have made since the book began, before fees"),
            metric("pregao_fees_brl", &[], "fees since the book began"),
            metric(
                "pregao_result_brl",
                &["strategy"],
                "what a strategy has made since the book began, at marks, after fees",
            ),
            metric(
                "pregao_limit_used_ratio",
                &["limit", "scope"],
                "how much of a limit is used, 1 is all of it: the account, and strategies with limits of their own",
            ),
            metric("pregao_orders_total", &[], "orders sent since the account last started"),
            metric(
                "pregao_orders_denied_total",
                &["check"],
                "requests denied since the account last started, by check",
            ),
            metric(
                "pregao_orders_rejected_total",
                &[],
                "orders that the broker rejected since the account last started",
            ),
            metric("pregao_orders_open", &["strategy"], "open orders, by strategy"),
            metric("pregao_orders_unknown", &[], "open orders whose outcome nobody knows"),
            metric("pregao_fills_total", &["strategy"], "fills of this run, by strategy"),
            metric(
                "pregao_broker_session",
                &["state"],
                "1 for how the connection to the broker stands: down, comparing, ready",
            ),
            metric(
                "pregao_hop_seconds",
                &["hop"],
                "each part of the way from a price to an order; tick_to_order is all of it",
            ),
        ],
    ),
    (
        "Market data",
        &[
            metric(
                "pregao_quote_timestamp_seconds",
                &["instrument"],
                "when a price last changed, by instrument; alert on time() minus this",
            ),
            metric("pregao_events_total", &[], "market events brought by the feed"),
            metric("pregao_events_unsound_total", &[], "market events dropped as unsound"),
            metric(
                "pregao_events_crossed_total",
                &["instrument"],
                "quotes dropped because their bid was not below their ask",
            ),
            metric("pregao_quotes_published_total", &[], "hot quotes that Redis has taken"),
            metric(
                "pregao_quotes_conflated_total",
                &[],
                "hot quotes that a newer one took the place of before they were published",
            ),
            metric("pregao_quotes_failed_total", &[], "batches of hot quotes that Redis did not take"),
            metric(
                "pregao_quotes_last_success_timestamp_seconds",
                &[],
                "when Redis took the last batch; alert on time() minus this",
            ),
            metric(
                "pregao_quotes_lag_seconds",
                &[],
                "how long a hot quote has been waiting that Redis does not have yet",
            ),
            metric(
                "pregao_source_requests_total",
                &["source", "outcome"],
                "requests to sources of market data, by source and outcome",
            ),
            metric("pregao_source_bytes_total", &["source"], "bytes that came, by source"),
            metric("pregao_source_items_total", &["source"], "items that were kept, by source"),
            metric("pregao_source_last_success_timestamp_seconds", &["source"], "when a source last answered well"),
            metric(
                "pregao_source_newest_timestamp_seconds",
                &["source"],
                "of when the newest item of a source is; time() minus this is its age",
            ),
        ],
    ),
    (
        "Store",
        &[
            metric("pregao_journal_entries_total", &[], "journal entries"),
            metric("pregao_journal_uncommitted", &[], "journal entries that are not durable yet"),
            metric("pregao_journal_sync_seconds", &[], "how long the store took to make a batch durable"),
            metric("pregao_journal_batch_entries", &[], "entries in a batch"),
            metric(
                "pregao_store_connections",
                &["state"],
                "connections to Postgres: used, idle; absent with the embedded store",
            ),
            metric(
                "pregao_store_bytes",
                &["table"],
                "room that a table of history takes, indexes included; looked at once a minute",
            ),
            metric("pregao_store_rows", &["table"], "daily records and bars of history; looked at once a minute"),
        ],
    ),
    (
        "House",
        &[
            metric("pregao_alerts_sent_total", &["channel"], "alerts that arrived, by channel"),
            metric("pregao_alerts_failed_total", &["channel"], "tries to deliver an alert that failed, by channel"),
            metric("pregao_alerts_dropped_total", &["channel"], "alerts that found no room, by channel; must be 0"),
            metric(
                "pregao_alerts_given_up_total",
                &["channel"],
                "alerts that were tried for too long or refused for good, by channel; must be 0",
            ),
            metric(
                "pregao_alerts_waiting_seconds",
                &["channel"],
                "age of the oldest alert that has not arrived, by channel; alert above 1",
            ),
            metric("pregao_chores_done_total", &["chore"], "times that a chore of the house was done, by chore"),
            metric("pregao_chores_failed_total", &["chore"], "times that it failed, by chore"),
            metric(
                "pregao_chore_last_done_timestamp_seconds",
                &["chore"],
                "when it was last done, by chore, 0 for never; alert on time() minus this",
            ),
        ],
    ),
    (
        "Interface",
        &[
            metric("pregao_admin_connections", &[], "open connections to the admin interface"),
            metric(
                "pregao_admin_requests_total",
                &["route", "status"],
                "requests to the admin interface, by route and status",
            ),
            metric("pregao_admin_request_seconds", &["route"], "how long they took"),
            metric(
                "pregao_admin_tokens_refused_total",
                &["reason"],
                "tokens and secrets that did not count, by reason",
            ),
        ],
    ),
];

/// One by its name.
pub fn find(name: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.name == name)
}

/// All of them in one row.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().flat_map(|(_, metrics)| metrics.iter())
}
