//! Validates the parameters of a request against the OpenAPI document.
//!
//! A request without invalid parameters continues to its operation, whose arguments validate headers and body. A request with
//! invalid parameters ends here; its body is validated as well, so that the response lists all violations.

use contract::{
    ApiError, Detail, ErrorCode,
    payload::{self, BodyContext},
};
use poem::Request;

use super::route::OperationRoute;

/// Rejects a request with invalid path or query parameters.
pub(super) async fn check(
    request: &mut Request,
    operation: OperationRoute,
    path_params: &[(&str, &str)],
    context: &BodyContext,
) -> Result<(), ApiError> {
    join_lists(request, operation);
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
    payload::validate(request.headers(), &body, context, details).map(drop)
}

/// Rewrites list parameters that clients repeat or leave empty, because poem-openapi reads only the first value of a name.
fn join_lists(request: &mut Request, operation: OperationRoute) {
    let Some(query) = request.uri().query().and_then(|query| operation.documented.join_lists(query)) else { return };
    let path = request.uri().path();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    if let Ok(uri) = target.parse() {
        *request.uri_mut() = uri;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use contract::payload::BodyRules;
    use poem::http::Method;
    use serde_json::Value;

    use super::*;
    use crate::http::pipeline::{context::RequestContext, route};

    struct NoRules;

    impl BodyRules for NoRules {
        fn violations(&self, _: &str, _: &Value) -> Vec<Detail> {
            Vec::new()
        }
    }

    async fn validate(
        method: Method,
        path: &str,
        params: &[(&str, &str)],
        body: &'static str,
    ) -> Result<(), Vec<String>> {
        let mut context = RequestContext::new(&Request::default(), 0);
        route::find(&method, path.split('?').next().unwrap(), None, &mut context).unwrap();
        let operation = context.operation.unwrap();
        let context = BodyContext { operation: operation.documented, rules: Arc::new(NoRules), inputs: Arc::default() };
        let mut request = Request::builder().method(method).uri_str(path).content_type("application/json").body(body);
        check(&mut request, operation, params, &context)
            .await
            .map_err(|error| error.details.into_iter().map(|detail| format!("{:?}", detail.location)).collect())
    }

    #[tokio::test]
    async fn violations_of_parameters_and_body_are_listed_together() {
        let params = [("bucketlist_id", "x")];
        let items = "/v2/bucketlists/x/items?color=1";
        assert_eq!(validate(Method::GET, items, &params, "").await.unwrap_err().len(), 2);
        assert_eq!(validate(Method::POST, items, &params, "{\"name\": 1}").await.unwrap_err().len(), 3);
        assert_eq!(validate(Method::POST, items, &params, "{\"name\": \"a\"}").await.unwrap_err().len(), 2);
    }

    #[tokio::test]
    async fn body_of_a_request_with_valid_parameters_is_not_read() {
        assert_eq!(validate(Method::POST, "/v2/bucketlists/7/items", &[("bucketlist_id", "7")], "{").await, Ok(()));
    }
}
