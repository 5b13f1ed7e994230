//! The request ID, which is that of the client if it is valid and otherwise a UUIDv7, and the trace ID.

use poem::Request;
use uuid::Uuid;

/// Header of the request ID, in requests and responses.
pub(in crate::http) const HEADER: &str = "x-request-id";
const MAX_LEN: usize = 128;

/// Returns the ID of the request.
pub(in crate::http) fn request_id(request: &Request) -> String {
    request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|value| is_valid(value))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Returns whether an ID contains only characters that cannot forge a log line or a header.
fn is_valid(id: &str) -> bool {
    (1..=MAX_LEN).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Returns the trace ID of `traceparent` (W3C Trace Context, level 1); `None` if the header is invalid.
pub(super) fn trace_id(request: &Request) -> Option<&str> {
    let value = request.headers().get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = value.split('-').collect();
    let is_hex =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    match parts.as_slice() {
        [version, trace, parent, flags, rest @ ..]
            if is_hex(version, 2)
                && *version != "ff"
                && (*version != "00" || rest.is_empty())
                && is_hex(trace, 32)
                && !is_zero(trace)
                && is_hex(parent, 16)
                && !is_zero(parent)
                && is_hex(flags, 2) =>
        {
            Some(trace)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(header: &'static str, value: &str) -> Request {
        Request::builder().header(header, value).finish()
    }

    #[test]
    fn invalid_request_id_is_replaced() {
        for valid in ["a", "A-1_b.c", &"x".repeat(128)] {
            assert_eq!(request_id(&with(HEADER, valid)), valid);
        }
        for invalid in ["", " ", "a b", "a\u{e9}", "a;b", &"x".repeat(129)] {
            let id = request_id(&with(HEADER, invalid));
            assert_ne!(id, invalid);
            assert_eq!(Uuid::parse_str(&id).map(|id| id.get_version_num()), Ok(7));
        }
    }

    #[test]
    fn invalid_traceparent_has_no_trace_id() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let valid = format!("00-{trace}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&with("traceparent", &valid)), Some(trace));
        for invalid in [
            "",
            "00",
            &valid.to_uppercase(),
            &valid.replace("00-", "ff-"),
            &format!("{valid}-more"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{trace}-0000000000000000-01"),
            &format!("00-{trace}-00f067aa0ba902b7-1"),
        ] {
            assert_eq!(trace_id(&with("traceparent", invalid)), None, "{invalid}");
        }
    }
}
