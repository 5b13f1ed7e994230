//! Validates the parameters of a request against the OpenAPI document.
//!
//! A request without invalid parameters continues to its operation, whose arguments validate headers and body. A request with
//! invalid parameters ends here; its body is validated as well, so that the response lists all violations.

use contract::{
    ApiError, Detail, ErrorCode,
    payload::{self, Incoming},
};
use poem::Request;

use super::route::OperationRoute;

/// Rejects a request with invalid path or query parameters.
pub(super) async fn check(
    request: &mut Request,
    operation: OperationRoute,
    path_params: &[(&str, &str)],
    incoming: &Incoming,
) -> Result<(), ApiError> {
    let violations = operation.documented.validate_parameters(path_params, request.uri().query());
    if violations.is_empty() {
        return Ok(());
    }
    let details: Vec<Detail> = violations.into_iter().map(Detail::from).collect();
    if !operation.has_body() {
        return Err(ApiError::invalid(details));
    }
    let body = request.take_body().into_bytes().await;
    let body = body.map_err(|error| ApiError::new(ErrorCode::InternalError).with_source(error))?;
    payload::validate(request.headers(), &body, incoming, details).map(drop)
}
