//! Finds the operation of a request.

use contract::{ApiError, ErrorCode, payload::ACCEPT_PATCH};
use poem::http::Method;

use super::{context::RequestContext, deprecation::DeprecationHeaders, errors::RequestError};
use crate::http::{UnversionedRoutes, unversioned::UnversionedRoute, versions};

/// An operation: as the OpenAPI document describes it and as its endpoint trait declares it.
#[derive(Clone, Copy)]
pub(super) struct OperationRoute {
    pub(super) documented: &'static openapi_model::Operation,
    pub(super) declared: &'static contract::Operation,
}

/// What a method and path lead to.
pub(super) enum Route<'u, 'p> {
    /// An operation, with the names and values of its path parameters.
    Operation(OperationRoute, Vec<(&'static str, &'p str)>),
    Unversioned(UnversionedRoute<'u>),
    /// OPTIONS of an existing path; the context has its `Allow`.
    Options,
    NotFound,
}

impl OperationRoute {
    pub(super) fn has_body(&self) -> bool {
        self.documented.body().is_some()
    }

    /// Whether the response contains tokens.
    pub(super) fn carries_tokens(&self) -> bool {
        self.declared.carries_tokens
    }

    /// Whether only administrators may call it.
    pub(super) fn is_admin_only(&self) -> bool {
        self.declared.is_admin_only()
    }
}

/// Finds the route of a request and stores what is known of it in the context.
pub(super) fn find<'u, 'p>(
    method: &Method,
    path: &'p str,
    unversioned: &'u UnversionedRoutes,
    context: &mut RequestContext,
) -> Result<Route<'u, 'p>, RequestError> {
    let Some((version, found)) = versions::find(path) else {
        let Some(route) = unversioned.find(path) else { return Ok(Route::NotFound) };
        context.is_unversioned = true;
        return match *method {
            Method::GET | Method::HEAD => Ok(Route::Unversioned(route)),
            _ => not_offered(method, UnversionedRoutes::ALLOW, context),
        };
    };
    context.accept_patch = found.item.operation("PATCH").map(|_| ACCEPT_PATCH);
    let Some(documented) = found.item.operation(method.as_str()) else {
        return not_offered(method, found.item.allow(), context);
    };
    let declared = version.operation(&documented.id);
    let route = OperationRoute { documented, declared };
    context.operation = Some(route);
    context.deprecation =
        declared.deprecation.as_ref().map(|deprecation| DeprecationHeaders::new(deprecation, &found.params));
    Ok(Route::Operation(route, found.params))
}

fn not_offered<'u, 'p>(
    method: &Method,
    allow: &'static str,
    context: &mut RequestContext,
) -> Result<Route<'u, 'p>, RequestError> {
    context.allow = Some(allow.into());
    if method == Method::OPTIONS {
        return Ok(Route::Options);
    }
    let message = format!("This path supports {allow}.");
    Err(ApiError::new(ErrorCode::MethodNotAllowed).with_message(message).into())
}
