//! The trace that a request belongs to: `traceparent` and `tracestate` (W3C Trace Context).

use std::str::FromStr;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Maximum length of `tracestate`. The standard requires at least 512 characters; a longer one is dropped.
const MAX_STATE_LEN: usize = 1_024;

/// The span of the caller that sent a request.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceParent(SpanContext);

impl TraceParent {
    /// Parses the headers of a request; `None` if `traceparent` is invalid, so that a new trace starts. An invalid `tracestate` is
    /// ignored.
    #[must_use]
    pub fn parse<'a>(traceparent: &str, tracestate: impl Iterator<Item = &'a str>) -> Option<Self> {
        let parts: Vec<&str> = traceparent.split('-').collect();
        let [version, trace, parent, flags, rest @ ..] = parts.as_slice() else { return None };
        // A later version may append fields.
        let is_version_valid = is_hex(version, 2) && *version != "ff" && (*version != "00" || rest.is_empty());
        if !is_version_valid || !is_hex(trace, 32) || !is_hex(parent, 16) || !is_hex(flags, 2) {
            return None;
        }
        let (trace, parent) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(parent).ok()?);
        // The other flags are not defined in version 00.
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        let context = SpanContext::new(trace, parent, flags, true, state(tracestate));
        // All zeros are invalid.
        context.is_valid().then_some(Self(context))
    }

    /// Returns the trace ID in hexadecimal.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.0.trace_id().to_string()
    }

    /// Returns whether the caller records the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    pub(super) const fn span_context(&self) -> &SpanContext {
        &self.0
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the state of the tracing systems that the request has passed.
fn state<'a>(headers: impl Iterator<Item = &'a str>) -> TraceState {
    let members: Vec<&str> = headers.flat_map(|header| header.split(',')).map(str::trim).collect();
    let text = members.join(",");
    // The parser accepts empty keys.
    let has_keys = members.iter().all(|member| !member.starts_with('='));
    if text.len() > MAX_STATE_LEN || !has_keys {
        return TraceState::default();
    }
    TraceState::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn parse(traceparent: &str, tracestate: &[&str]) -> Option<TraceParent> {
        TraceParent::parse(traceparent, tracestate.iter().copied())
    }

    #[test]
    fn valid_parent_has_a_trace_id_and_a_state() {
        for (flags, is_sampled) in [("00", false), ("01", true), ("03", true), ("fe", false)] {
            let parent = parse(&format!("00-{TRACE}-00f067aa0ba902b7-{flags}"), &["a=1, b=2 ", "c=3"]).unwrap();
            assert_eq!((parent.trace_id().as_str(), parent.is_sampled()), (TRACE, is_sampled), "{flags}");
            assert_eq!(parent.span_context().trace_state().header(), "a=1,b=2,c=3");
            assert_eq!(parent.span_context().span_id().to_string(), "00f067aa0ba902b7");
        }
        assert!(parse(&format!("cc-{TRACE}-00f067aa0ba902b7-01-more"), &[]).is_some(), "a later version");
    }

    #[test]
    fn invalid_parent_is_ignored() {
        let valid = format!("00-{TRACE}-00f067aa0ba902b7-01");
        for invalid in [
            "",
            "00",
            &valid.to_uppercase(),
            &valid.replace("00-4", "ff-4"),
            &format!("{valid}-more"),
            &format!("{valid}-"),
            &format!(" {valid}"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{TRACE}-00f067aa0ba902b7-1"),
            &format!("00-{TRACE}-00f067aa0ba902b7"),
        ] {
            assert_eq!(parse(invalid, &["a=1"]), None, "{invalid}");
        }
    }

    #[test]
    fn invalid_state_is_dropped_and_the_parent_is_accepted() {
        for state in ["no key", "=1", "a=1,a", &format!("a={}", "x".repeat(MAX_STATE_LEN))] {
            let parent = parse(&format!("00-{TRACE}-00f067aa0ba902b7-01"), &[state]).unwrap();
            assert_eq!(parent.span_context().trace_state().header(), "", "{state}");
        }
    }
}
