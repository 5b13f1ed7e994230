//! Settings of traces.

use std::time::Duration;

use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};
use secrecy::SecretString;

use super::TraceParent;

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
    /// Decides whether a trace is recorded.
    pub(super) fn is_sampled(self, trace_id: TraceId, parent: Option<&TraceParent>) -> bool {
        let from_parent = |root: bool| parent.map_or(root, TraceParent::is_sampled);
        match self {
            Self::AlwaysOn => true,
            Self::AlwaysOff => false,
            Self::Ratio(share) => is_in_share(share, trace_id),
            Self::ParentBasedAlwaysOn => from_parent(true),
            Self::ParentBasedAlwaysOff => from_parent(false),
            Self::ParentBasedRatio(share) => {
                parent.map_or_else(|| is_in_share(share, trace_id), TraceParent::is_sampled)
            }
        }
    }
}

/// Decides by the trace ID, as every other service with the same share does.
fn is_in_share(share: f64, trace_id: TraceId) -> bool {
    let sampler = Sampler::TraceIdRatioBased(share);
    let result = sampler.should_sample(None, trace_id, "", &SpanKind::Server, &[], &[]);
    result.decision == SamplingDecision::RecordAndSample
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: TraceId = TraceId::from_bytes([1; 16]);
    const HIGH: TraceId = TraceId::from_bytes([0xFE; 16]);

    fn parent(flags: &str) -> TraceParent {
        let header = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        TraceParent::parse(&header, std::iter::empty()).unwrap()
    }

    #[test]
    fn sampler_decides_by_the_parent_or_by_the_trace_id() {
        let (recorded, not_recorded) = (parent("01"), parent("00"));
        // Without a parent, with a low and a high ID; with a parent that is recorded, and with one that is not.
        for (sampler, expected) in [
            (TraceSampler::AlwaysOn, [true; 4]),
            (TraceSampler::AlwaysOff, [false; 4]),
            (TraceSampler::Ratio(0.0), [false; 4]),
            (TraceSampler::Ratio(0.5), [true, false, true, true]),
            (TraceSampler::Ratio(1.0), [true; 4]),
            (TraceSampler::ParentBasedAlwaysOn, [true, true, true, false]),
            (TraceSampler::ParentBasedAlwaysOff, [false, false, true, false]),
            (TraceSampler::ParentBasedRatio(0.5), [true, false, true, false]),
        ] {
            let decisions = [
                sampler.is_sampled(LOW, None),
                sampler.is_sampled(HIGH, None),
                sampler.is_sampled(LOW, Some(&recorded)),
                sampler.is_sampled(LOW, Some(&not_recorded)),
            ];
            assert_eq!(decisions, expected, "{sampler:?}");
        }
    }
}
