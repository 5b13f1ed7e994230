//! Serializes the error response to a request that never reached hyper's parser or failed in it.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::FutureExt;
use poem::http::{
    HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING},
};

use super::{ErrorResponder, RejectReason};

/// Serializes the error response to a request whose first bytes are `head`, with `Connection: close`.
pub(super) fn serialize(error_responder: &ErrorResponder, reason: RejectReason, head: &[u8]) -> Bytes {
    let (is_head, path) = parse_request_line(head);
    let (parts, body) = error_responder(reason, path).into_parts();
    // The body is in memory, so it is ready at once.
    let body = body.into_bytes().now_or_never().and_then(Result::ok).unwrap_or_else(|| {
        tracing::error!(status = parts.status.as_u16(), "error response has no readable body");
        Bytes::new()
    });
    let mut bytes = BytesMut::with_capacity(1024);
    let mut line = |name: &[u8], value: &[u8]| {
        for piece in [name, b": ", value, b"\r\n"] {
            bytes.put_slice(piece);
        }
    };
    for (name, value) in &parts.headers {
        if !is_framing(name) {
            line(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    line(CONNECTION.as_str().as_bytes(), b"close");
    line(CONTENT_LENGTH.as_str().as_bytes(), HeaderValue::from(body.len()).as_bytes());
    line(DATE.as_str().as_bytes(), httpdate::fmt_http_date(std::time::SystemTime::now()).as_bytes());
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let status_line = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_u16());
    let body = if is_head { Bytes::new() } else { body };
    [status_line.as_bytes(), &bytes, b"\r\n", &body].concat().into()
}

fn is_framing(name: &HeaderName) -> bool {
    [CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING].contains(name)
}

/// Returns whether the method is `HEAD`, and the known part of the path.
fn parse_request_line(head: &[u8]) -> (bool, &str) {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let mut parts = line.split(|byte| *byte == b' ');
    let is_head = parts.next() == Some(b"HEAD");
    let target = parts.next().and_then(|target| std::str::from_utf8(target).ok()).unwrap_or_default();
    let is_whole = parts.next().is_some() || line.len() < head.len();
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    let path = if !is_path {
        "/"
    } else if is_whole || path.len() < target.len() {
        path
    } else {
        // The path is truncated: only its first segment, the version, is certain.
        path.char_indices().filter(|(_, letter)| *letter == '/').nth(1).map_or("/", |(at, _)| &path[..at])
    };
    (is_head, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem::{Response, http::StatusCode};

    fn respond(_: RejectReason, path: &str) -> Response {
        let response = Response::builder().status(StatusCode::BAD_REQUEST).header("x-request-id", "7");
        response.header("content-length", 99).body(format!("at {path}"))
    }

    #[test]
    fn response_has_its_headers_and_closes_the_connection() {
        let text =
            String::from_utf8(serialize(&respond, RejectReason::Malformed, b"GET /v1/x HTTP/1.1\r\nHo").to_vec())
                .unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "at /v1/x");
        let mut lines: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with("date: ")).collect();
        assert_eq!(lines.remove(0), "HTTP/1.1 400 Bad Request");
        lines.retain(|line| !line.starts_with("content-type"));
        assert_eq!(lines, ["x-request-id: 7", "connection: close", "content-length: 8"]);
        let to_head = serialize(&respond, RejectReason::Malformed, b"HEAD / HTTP/1.1\r\n");
        assert!(to_head.ends_with(b"\r\n\r\n"));
    }

    #[test]
    fn path_is_known_up_to_the_truncation() {
        for (start, path) in [
            ("GET /v1/lists HTTP/1.1\r\n", "/v1/lists"),
            ("GET /v2/lists?q=a", "/v2/lists"),
            ("GET /v2/lists\r\n", "/v2/lists"),
            ("GET /v2/a-very-long-pa", "/v2"),
            ("GET /v2", "/"),
            ("GET", "/"),
            ("", "/"),
            ("GET http://x/v1 HTTP/1.1\r\n", "/"),
            ("GET /\u{7f}x HTTP/1.1\r\n", "/"),
            ("\0\0\0", "/"),
        ] {
            assert_eq!(parse_request_line(start.as_bytes()), (false, path), "{start:?}");
        }
        assert!(parse_request_line(b"HEAD / HTTP/1.1").0);
    }
}
