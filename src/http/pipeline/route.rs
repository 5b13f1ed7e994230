//! Finds the operation of a request.

use contract::{ApiError, ErrorCode, payload::ACCEPT_PATCH};
use poem::http::Method;

use super::{context::RequestContext, deprecation::DeprecationHeaders, errors::RequestError};
use crate::http::{UnversionedRoutes, unversioned::UnversionedRoute, versions};

/// The methods of all operations and routes.
const SERVER_METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

/// An operation: as the OpenAPI document describes it and as its endpoint trait declares it.
#[derive(Clone, Copy)]
pub(super) struct OperationRoute {
    pub(super) documented: &'static openapi_model::Operation,
    pub(super) declared: &'static contract::Operation,
}

/// The result of routing a request.
pub(super) enum Route<'u, 'p> {
    /// An operation, with the names and values of its path parameters.
    Operation(OperationRoute, Vec<(&'static str, &'p str)>),
    Unversioned(UnversionedRoute<'u>),
    /// OPTIONS of an existing path; the context contains its `Allow`.
    Options,
    NotFound,
}

impl OperationRoute {
    pub(super) fn has_body(&self) -> bool {
        self.documented.body().is_some()
    }

    /// Returns whether the response contains tokens.
    pub(super) fn carries_tokens(&self) -> bool {
        self.declared.carries_tokens
    }

    /// Returns whether only administrators may call it.
    pub(super) fn is_admin_only(&self) -> bool {
        self.declared.is_admin_only()
    }
}

/// Finds the target of a request and stores it in the context. `unversioned` is the unversioned route at this path.
pub(super) fn find<'u, 'p>(
    method: &Method,
    path: &'p str,
    unversioned: Option<UnversionedRoute<'u>>,
    context: &mut RequestContext,
) -> Result<Route<'u, 'p>, RequestError> {
    // The target is not a resource: `OPTIONS *` asks for the methods of the server, and `CONNECT host:port` for a tunnel.
    if path == "*" || path.is_empty() {
        return reject_method(method, SERVER_METHODS, context);
    }
    let Some((version, found)) = versions::find(path) else {
        let Some(route) = unversioned else { return Ok(Route::NotFound) };
        return match *method {
            Method::GET | Method::HEAD => Ok(Route::Unversioned(route)),
            _ => reject_method(method, UnversionedRoutes::ALLOW, context),
        };
    };
    context.accept_patch = found.item.operation("PATCH").map(|_| ACCEPT_PATCH);
    let Some(documented) = found.item.operation(method.as_str()) else {
        return reject_method(method, found.item.allow(), context);
    };
    let declared = version.operation(&documented.id);
    let route = OperationRoute { documented, declared };
    context.operation = Some(route);
    context.deprecation =
        declared.deprecation.as_ref().map(|deprecation| DeprecationHeaders::new(deprecation, &found.params));
    Ok(Route::Operation(route, found.params))
}

fn reject_method<'u, 'p>(
    method: &Method,
    allow: &'static str,
    context: &mut RequestContext,
) -> Result<Route<'u, 'p>, RequestError> {
    context.allow = Some(allow.into());
    if method == Method::OPTIONS {
        return Ok(Route::Options);
    }
    let subject = if allow == SERVER_METHODS { "The server" } else { "This path" };
    let message = format!("{subject} supports {allow}.");
    Err(ApiError::new(ErrorCode::MethodNotAllowed).with_message(message).into())
}

#[cfg(test)]
mod tests {
    use poem::Request;

    use super::*;

    fn find_route(method: &str, path: &str, unversioned: Option<UnversionedRoute<'_>>) -> (String, RequestContext) {
        let mut context = RequestContext::new(&Request::default(), 0);
        let route = match find(&method.parse().unwrap(), path, unversioned, &mut context) {
            Ok(Route::Operation(operation, params)) => format!("{} {params:?}", operation.documented.id),
            Ok(Route::Unversioned(_)) => "unversioned".to_owned(),
            Ok(Route::Options) => "OPTIONS".to_owned(),
            Ok(Route::NotFound) => "not found".to_owned(),
            Err(error) => ApiError::from(error).code.as_str().to_owned(),
        };
        (route, context)
    }

    #[test]
    fn operation_is_found_by_method_and_path() {
        for (method, path, expected, allow) in [
            ("GET", "/v2/bucketlists/7", "getBucketlist [(\"bucketlist_id\", \"7\")]", None),
            ("HEAD", "/v2/bucketlists/7", "getBucketlist [(\"bucketlist_id\", \"7\")]", None),
            ("OPTIONS", "/v2/search", "OPTIONS", Some("GET, HEAD, OPTIONS")),
            ("PUT", "/v2/search", "METHOD_NOT_ALLOWED", Some("GET, HEAD, OPTIONS")),
            ("OPTIONS", "*", "OPTIONS", Some(SERVER_METHODS)),
            ("GET", "*", "METHOD_NOT_ALLOWED", Some(SERVER_METHODS)),
            ("CONNECT", "", "METHOD_NOT_ALLOWED", Some(SERVER_METHODS)),
            ("CONNECT", "/v2/search", "METHOD_NOT_ALLOWED", Some("GET, HEAD, OPTIONS")),
            ("GET", "/v2/nothing", "not found", None),
            ("GET", "/health/live", "not found", None),
        ] {
            let (route, context) = find_route(method, path, None);
            assert_eq!((route.as_str(), context.allow.as_deref()), (expected, allow), "{method} {path}");
        }
        let (_, context) = find_route("GET", "/v2/bucketlists/7", None);
        assert_eq!(context.operation_id(), Some("getBucketlist"));
        assert_eq!(context.accept_patch, Some(ACCEPT_PATCH));
    }

    #[test]
    fn unversioned_routes_are_read_only() {
        for (method, expected) in [("GET", "unversioned"), ("OPTIONS", "OPTIONS"), ("DELETE", "METHOD_NOT_ALLOWED")] {
            assert_eq!(find_route(method, "/health/live", Some(UnversionedRoute::Live)).0, expected);
        }
    }

    #[test]
    fn access_and_tokens_are_declared() {
        let operation = |method, path| find_route(method, path, None).1.operation.unwrap();
        assert!(operation("POST", "/v2/auth/login").carries_tokens());
        assert!(!operation("GET", "/v2/bucketlists").carries_tokens());
        for path in ["/v1/users", "/v1/users/7", "/v2/admin/users", "/v2/admin/audit", "/v2/admin/incidents"] {
            assert!(operation("GET", path).is_admin_only(), "{path}");
        }
        for path in ["/v1/users/me", "/v2/users/me", "/v2/bucketlists"] {
            assert!(!operation("GET", path).is_admin_only(), "{path}");
        }
    }
}
