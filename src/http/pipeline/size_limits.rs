//! Limits on the size of the URL, the header block and the body.

use contract::{ApiError, ErrorCode};
use poem::{Request, http::header::CONTENT_LENGTH};

/// Maximum size of the header block, in bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Maximum length of path and query, in bytes.
pub(in crate::http) const MAX_URL_BYTES: usize = 8 * 1024;

/// Rejects a request whose URL or header block is too large.
pub(super) fn check_head(request: &Request) -> Result<(), ErrorCode> {
    let url = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if url > MAX_URL_BYTES {
        return Err(ErrorCode::UriTooLong);
    }
    // Name, colon, space, value and line end, as in HTTP/1.1.
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > MAX_HEADER_BYTES { Err(ErrorCode::HeadersTooLarge) } else { Ok(()) }
}

/// Rejects a body whose `Content-Length` exceeds the limit, before reading it.
pub(super) fn check_content_length(request: &Request, max_bytes: usize) -> Result<(), ApiError> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > max_bytes) { Err(payload_too_large(max_bytes)) } else { Ok(()) }
}

/// Returns the error of a body that is larger than the limit.
pub(super) fn payload_too_large(max_bytes: usize) -> ApiError {
    ApiError::new(ErrorCode::PayloadTooLarge)
        .with_message(format!("The request body is larger than the limit of {max_bytes} bytes."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_and_header_block_have_a_maximum_size() {
        let request = |url: usize, header: usize| {
            Request::builder().uri_str(format!("/{}", "x".repeat(url - 1))).header("a", "x".repeat(header - 5)).finish()
        };
        assert_eq!(check_head(&request(MAX_URL_BYTES, MAX_HEADER_BYTES)), Ok(()));
        assert_eq!(check_head(&request(MAX_URL_BYTES + 1, 10)), Err(ErrorCode::UriTooLong));
        assert_eq!(check_head(&request(1, MAX_HEADER_BYTES + 1)), Err(ErrorCode::HeadersTooLarge));
    }

    #[test]
    fn content_length_over_the_limit_is_rejected() {
        let check = |length: &str| {
            let request = Request::builder().header(CONTENT_LENGTH, length).finish();
            check_content_length(&request, 10).map_err(|error| error.to_string())
        };
        assert_eq!(check("10"), Ok(()));
        let message = "PAYLOAD_TOO_LARGE: The request body is larger than the limit of 10 bytes.";
        assert_eq!(check("11"), Err(message.to_owned()));
        assert_eq!(check("nonsense"), Ok(()));
        assert!(check_content_length(&Request::default(), 0).is_ok());
    }
}
