//! Selects the media type of the response by `Accept`.

use contract::{ApiError, ErrorCode, negotiation};
use poem::http::HeaderMap;

pub(super) use contract::negotiation::accepts_byte_order_mark;

use super::route::OperationRoute;

/// Selects the media type that the client prefers; empty if the response has no body.
///
/// # Errors
/// `NOT_ACCEPTABLE` if the client accepts none of the operation's media types.
pub(super) fn select(headers: &HeaderMap, operation: OperationRoute) -> Result<&'static str, ApiError> {
    let offered = &operation.documented.response_media_types;
    negotiation::negotiate(headers, offered).ok_or_else(|| {
        let message = format!("This operation returns {}.", offered.join(", "));
        ApiError::new(ErrorCode::NotAcceptable).with_message(message)
    })
}

#[cfg(test)]
mod tests {
    use poem::http::{Method, header::ACCEPT};

    use super::*;
    use crate::http::pipeline::{context::RequestContext, route};

    #[test]
    fn unacceptable_media_types_are_rejected() {
        let mut context = RequestContext::new(&poem::Request::default(), 0);
        route::find(&Method::GET, "/v2/bucketlists", None, &mut context).unwrap();
        let operation = context.operation.unwrap();
        let select = |accept: &str| select(&[(ACCEPT, accept.parse().unwrap())].into_iter().collect(), operation);
        assert_eq!(select("text/csv").unwrap(), "text/csv");
        let error = select("image/png").unwrap_err();
        assert_eq!(error.code, ErrorCode::NotAcceptable);
        assert!(error.message().contains("application/json"), "{error}");
    }
}
