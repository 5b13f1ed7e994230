//! IDs of traces and spans. The sampler decides by the ID of a trace, before the trace has a span.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    /// The ID of the trace whose first span this thread starts.
    static TRACE_ID: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Generates random IDs, except for a trace that has one.
#[derive(Debug)]
pub(super) struct TraceIds;

impl IdGenerator for TraceIds {
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

/// Calls `start`, whose new trace gets an ID.
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
        let (first, second) = with_trace_id(given, || (TraceIds.new_trace_id(), TraceIds.new_trace_id()));
        assert_eq!(first, given);
        assert_ne!(second, given);
        // A trace that continues that of a caller uses no new ID.
        with_trace_id(given, || ());
        assert_ne!(TraceIds.new_trace_id(), given);
    }
}
