//! Starts a CSV response with a byte order mark if the client requests it.

use bytes::Bytes;
use contract::table::RowFormat;
use futures_util::{StreamExt, stream};
use poem::{
    Body, Response,
    http::{HeaderValue, header::CONTENT_LENGTH},
};

/// U+FEFF in UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Adds the mark to a successful CSV response.
pub(super) fn add(response: Response) -> Response {
    let media_type = response.content_type().and_then(|value| value.split(';').next()).unwrap_or_default();
    if !response.is_success() || media_type.trim() != RowFormat::Csv.media_type() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if let Some(length) = length {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length + MARK.len()));
    }
    let mark = stream::iter([Ok(Bytes::from_static(MARK))]);
    Response::from_parts(parts, Body::from_bytes_stream(mark.chain(body.into_bytes_stream())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_csv_starts_with_the_mark() {
        let response = |content_type: &str| {
            Response::builder().content_type(content_type).header(CONTENT_LENGTH, 4).body("id\r\n")
        };
        let marked = add(response("text/csv; charset=utf-8"));
        assert_eq!(marked.headers()[CONTENT_LENGTH], "7");
        assert_eq!(marked.into_body().into_bytes().await.unwrap(), &b"\xEF\xBB\xBFid\r\n"[..]);
        let unchanged = add(response("application/x-ndjson"));
        assert_eq!(unchanged.into_body().into_bytes().await.unwrap(), &b"id\r\n"[..]);
    }
}
