//! Settings of traces.

use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;
use secrecy::SecretString;

/// The collector that receives spans, and which traces are recorded.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// URL that spans are sent to.
    pub endpoint: String,
    /// Headers of each export, such as the credentials of the collector.
    pub headers: Vec<(String, SecretString)>,
    /// Maximum time of an export.
    pub timeout: Duration,
    pub service_name: String,
    pub resource_attributes: Vec<(String, String)>,
    pub sampler: TraceSampler,
}

/// Decides which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TraceSampler {
    AlwaysOn,
    AlwaysOff,
    /// This share of the traces.
    Ratio(f64),
    /// As the caller decides in `traceparent`; without a caller, all.
    ParentBasedAlwaysOn,
    /// As the caller decides in `traceparent`; without a caller, none.
    ParentBasedAlwaysOff,
    /// As the caller decides in `traceparent`; without a caller, this share of the traces.
    ParentBasedRatio(f64),
}

impl TraceSampler {
    pub(super) fn to_sdk(self) -> Sampler {
        let parent_based = |root: Sampler| Sampler::ParentBased(Box::new(root));
        match self {
            Self::AlwaysOn => Sampler::AlwaysOn,
            Self::AlwaysOff => Sampler::AlwaysOff,
            Self::Ratio(share) => Sampler::TraceIdRatioBased(share),
            Self::ParentBasedAlwaysOn => parent_based(Sampler::AlwaysOn),
            Self::ParentBasedAlwaysOff => parent_based(Sampler::AlwaysOff),
            Self::ParentBasedRatio(share) => parent_based(Sampler::TraceIdRatioBased(share)),
        }
    }
}
