//! Values that are read at each scrape.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// The type of a metric whose values are read at each scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Never decreases while the server runs. The name gets the suffix `_total`.
    Counter,
    Gauge,
}

type Labels = Vec<(&'static str, &'static str)>;

/// One value of a metric.
pub struct Sample {
    labels: Labels,
    read: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl Sample {
    #[must_use]
    pub fn new<const N: usize>(
        labels: [(&'static str, &'static str); N],
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self { labels: labels.into(), read: Box::new(read) }
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sample").field(&self.labels).finish()
    }
}

/// A metric and the functions that read its values.
#[derive(Debug)]
pub(super) struct Sampled {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) samples: Vec<Sample>,
}

impl Collector for Sampled {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let metric_type = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        let mut family = encoder.encode_descriptor(self.name, self.help, None, metric_type)?;
        for Sample { labels, read } in &self.samples {
            let value = read();
            let encoder = family.encode_family(labels)?;
            match self.kind {
                Kind::Counter => ConstCounter::new(value).encode(encoder)?,
                Kind::Gauge => ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder)?,
            }
        }
        Ok(())
    }
}
