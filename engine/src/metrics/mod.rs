//! Metrics in the Prometheus text format, all names in one place. Labels are bounded: no order names, no
//! free text, no paths of strangers.
//!
//! What the account knows is read from a snapshot when somebody scrapes; only what the interface itself
//! counts is kept here.
//!
//! - [`names`]: every metric; docs/metrics.md is made of it
//! - `page`: what is told of the run in one scrape
//! - `families`: values into the form of the library that writes them
//! - [`room`]: what history takes, looked at once a minute
//! - `process`: what the process takes, from `/proc`

use std::time::Duration;

use actors::Inquiry;
use actors::account::Snapshot;
use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use crate::admin::House;

mod families;
pub mod names;
mod page;
mod process;
pub mod room;
#[cfg(test)]
mod tests;

use page::Page;
use room::Room;

/// Around a millisecond, to the patience of a handler.
const SECONDS: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];

/// The content type of a scrape.
pub const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a daemon that stands by tells: there is no account to count anything of.
pub fn waiting() -> String {
    let mut page = Page::default();
    page.build();
    page.process();
    page.one("pregao_ready", 0.0);
    TextEncoder::new().encode_to_string(&page.families()).unwrap_or_default()
}

/// What the interface counts.
pub struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    refused: IntCounterVec,
    registry: Registry,
}

fn opts(name: &str) -> Opts {
    Opts::new(name, names::find(name).map_or("", |metric| metric.help))
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
    pub fn render(
        &self,
        inquiry: &Inquiry,
        snapshot: Option<&Snapshot>,
        connections: usize,
        house: &House,
        room: Option<&Room>,
    ) -> String {
        let mut page = Page::default();
        page.program(inquiry);
        page.one("pregao_admin_connections", connections as f64);
        page.chores(&house.chores.diary());
        page.sources(&house.observed.figures());
        page.store(house.history.connections(), room);
        if let Some(snapshot) = snapshot {
            page.account(snapshot, inquiry);
        } else {
            page.one("pregao_ready", 0.0);
        }
        let mut families = page.families();
        families.extend(self.registry.gather());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}
