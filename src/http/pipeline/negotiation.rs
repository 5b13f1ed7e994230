//! Selects the media type of the response by `Accept`.

use contract::{ApiError, ErrorCode, negotiation};
use poem::http::HeaderMap;

use super::route::OperationRoute;

/// Selects the media type that the client prefers; empty where the response has no body.
///
/// # Errors
/// `NOT_ACCEPTABLE` if the client accepts none of the operation's media types.
pub(super) fn select(headers: &HeaderMap, operation: OperationRoute) -> Result<&'static str, ApiError> {
    let offered = &operation.documented.response_media_types;
    negotiation::negotiate(headers, offered).ok_or_else(|| {
        let message = format!("This operation responds with {}.", offered.join(", "));
        ApiError::new(ErrorCode::NotAcceptable).with_message(message)
    })
}
