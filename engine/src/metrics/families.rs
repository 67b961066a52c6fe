//! Values into the form of the library that writes them. Name, kind and labels are those of the list; what is not
//! in it is a bug that the first scrape of any test shows.

use actors::measures::Buckets;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::names::{self, Kind};

/// Metrics that have been given values, in the order in which that was done.
#[derive(Default)]
pub struct Families(Vec<MetricFamily>);

impl Families {
    /// All of them.
    pub fn done(self) -> Vec<MetricFamily> {
        self.0
    }

    /// A counter or a gauge; without values it is not told.
    pub fn values(&mut self, name: &str, values: impl IntoIterator<Item = (Vec<String>, f64)>) {
        let is_counter = names::find(name).is_some_and(|metric| metric.kind() == Kind::Counter);
        let kind = if is_counter { MetricType::COUNTER } else { MetricType::GAUGE };
        self.add(name, kind, values, |metric, value| {
            if is_counter {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            } else {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        });
    }

    /// A histogram, whose bounds and sums are in steps of `unit`.
    pub fn histograms(&mut self, name: &str, unit: f64, values: impl IntoIterator<Item = (Vec<String>, Buckets)>) {
        self.add(name, MetricType::HISTOGRAM, values, |metric, buckets| {
            let mut histogram = Histogram::default();
            let mut through = 0;
            let mut told = Vec::with_capacity(buckets.bounds.len());
            for (bound, count) in buckets.bounds.iter().zip(&buckets.counts) {
                through += count;
                let mut bucket = Bucket::default();
                // A bound in whole steps of a billionth, written short.
                bucket.set_upper_bound((*bound as f64 * unit * 1e9).round() / 1e9);
                bucket.set_cumulative_count(through);
                told.push(bucket);
            }
            histogram.set_bucket(told);
            histogram.set_sample_count(buckets.counts.iter().sum());
            histogram.set_sample_sum(buckets.sum as f64 * unit);
            metric.set_histogram(histogram);
        });
    }

    fn add<T>(
        &mut self,
        name: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = (Vec<String>, T)>,
        set: impl Fn(&mut Metric, T),
    ) {
        let listed = names::find(name).unwrap_or_else(|| panic!("{name} is not in the list of metrics"));
        let told = values.into_iter().map(|(words, value)| {
            assert_eq!(words.len(), listed.labels.len(), "labels of {name}");
            let pairs = listed.labels.iter().zip(words).map(|(label, word)| {
                let mut pair = LabelPair::default();
                pair.set_name((*label).to_owned());
                pair.set_value(word);
                pair
            });
            let mut metric = Metric::default();
            metric.set_label(pairs.collect());
            set(&mut metric, value);
            metric
        });
        let told: Vec<Metric> = told.collect();
        if told.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(listed.help.to_owned());
        family.set_field_type(kind);
        family.set_metric(told);
        self.0.push(family);
    }
}
