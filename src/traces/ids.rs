//! IDs of traces and spans. The sampler needs the trace ID before the first span exists, so the ID is generated first and passed to the span.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    /// The trace ID of the next span without a parent that this thread starts.
    static TRACE_ID: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Generates random IDs, unless [`with_trace_id`] has set the ID of the next trace.
#[derive(Debug)]
pub(super) struct PresetIdGenerator;

impl IdGenerator for PresetIdGenerator {
    fn new_trace_id(&self) -> TraceId {
        TRACE_ID.take().unwrap_or_else(random_trace_id)
    }

    fn new_span_id(&self) -> SpanId {
        random_span_id()
    }
}

pub(super) fn random_trace_id() -> TraceId {
    RandomIdGenerator::default().new_trace_id()
}

pub(super) fn random_span_id() -> SpanId {
    RandomIdGenerator::default().new_span_id()
}

/// Calls `start`; the first trace that it starts gets `trace_id`.
pub(super) fn with_trace_id<T>(trace_id: TraceId, start: impl FnOnce() -> T) -> T {
    TRACE_ID.set(Some(trace_id));
    let started = start();
    TRACE_ID.set(None);
    started
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_trace_gets_the_given_id() {
        let given = random_trace_id();
        let (first, second) =
            with_trace_id(given, || (PresetIdGenerator.new_trace_id(), PresetIdGenerator.new_trace_id()));
        assert_eq!(first, given);
        assert_ne!(second, given);
        // A span with a remote parent does not use the ID.
        with_trace_id(given, || ());
        assert_ne!(PresetIdGenerator.new_trace_id(), given);
    }
}
