//! The request ID, which is that of the client if it is valid and otherwise a UUIDv7.

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
}
