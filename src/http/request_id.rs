//! The name of a request: the caller's own if it is valid, else a UUIDv7.

use poem::Request;
use uuid::Uuid;

/// The header, in both directions.
pub(super) const HEADER: &str = "x-request-id";
const MAX_LENGTH: usize = 128;

/// The name of this request.
pub(super) fn of(request: &Request) -> String {
    request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|value| is_valid(value))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// 1 to 128 of `A-Za-z0-9._-`: nothing that could forge a log line or a header.
fn is_valid(id: &str) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// The trace id of a valid `traceparent` (W3C Trace Context, level 1); an invalid header counts as none.
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
    fn a_valid_name_is_kept_and_another_is_replaced() {
        for good in ["a", "A-1_b.c", &"x".repeat(128)] {
            assert_eq!(of(&with(HEADER, good)), good);
        }
        for bad in ["", " ", "a b", "a\u{e9}", "a;b", &"x".repeat(129)] {
            let id = of(&with(HEADER, bad));
            assert_ne!(id, bad);
            assert_eq!(Uuid::parse_str(&id).map(|id| id.get_version_num()), Ok(7));
        }
    }

    #[test]
    fn only_a_valid_traceparent_counts() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{trace}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&with("traceparent", &good)), Some(trace));
        for bad in [
            "",
            "00",
            &good.to_uppercase(),
            &good.replace("00-", "ff-"),
            &format!("{good}-more"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{trace}-0000000000000000-01"),
            &format!("00-{trace}-00f067aa0ba902b7-1"),
        ] {
            assert_eq!(trace_id(&with("traceparent", bad)), None, "{bad}");
        }
    }
}
