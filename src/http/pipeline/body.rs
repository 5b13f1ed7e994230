//! Reads the request body into memory, with limits on its size and on the time.

use std::{io, time::Duration};

use bytes::Bytes;
use contract::{ApiError, ErrorCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited, combinators::BoxBody};
use poem::Request;

use super::size_limits::payload_too_large;

/// Replaces the body of the request by its bytes in memory. Returns their number.
pub(super) async fn read(request: &mut Request, max_bytes: usize, timeout: Duration) -> Result<u64, ApiError> {
    let body = request.take_body();
    if body.is_empty() {
        return Ok(0);
    }
    // Unlike `Body::into_bytes_limit`, this needs no buffer of 4 KiB, and does not copy a body that arrives in one piece.
    let reading = Limited::new(BoxBody::<Bytes, io::Error>::from(body), max_bytes).collect();
    let bytes = match tokio::time::timeout(timeout, reading).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(payload_too_large(max_bytes)),
        // The connection broke or the framing is invalid.
        Ok(Err(error)) => {
            return Err(ApiError::new(ErrorCode::MalformedRequest).with_source(io::Error::other(error)));
        }
        Err(_) => return Err(ErrorCode::RequestTimeout.into()),
    };
    let length = bytes.len() as u64;
    request.set_body(bytes);
    Ok(length)
}

#[cfg(test)]
mod tests {
    use futures_util::{Stream, StreamExt, stream};
    use poem::Body;

    use super::*;

    async fn read_stream(
        chunks: impl Stream<Item = io::Result<&'static str>> + Send + 'static,
    ) -> Result<String, ErrorCode> {
        let chunks = chunks.map(|chunk| chunk.map(|text| Bytes::from_static(text.as_bytes())));
        let mut request = Request::builder().body(Body::from_bytes_stream(chunks));
        // With a timeout of zero, only data that is already available is read.
        read(&mut request, 10, Duration::ZERO).await.map_err(|error| error.code)?;
        Ok(request.take_body().into_string().await.unwrap())
    }

    #[tokio::test]
    async fn body_is_read_within_its_limits() {
        assert_eq!(read_stream(stream::iter([Ok("12345"), Ok("67890")])).await, Ok("1234567890".to_owned()));
        assert_eq!(read_stream(stream::iter([Ok("12345"), Ok("67890x")])).await, Err(ErrorCode::PayloadTooLarge));
        assert_eq!(read_stream(stream::iter([Err(io::Error::other("reset"))])).await, Err(ErrorCode::MalformedRequest));
        assert_eq!(read_stream(stream::pending()).await, Err(ErrorCode::RequestTimeout));
    }
}
