//! Selects the API version of a request.

use std::borrow::Cow;

use contract::ErrorCode;
use poem::{Request, Response, http::StatusCode};

use super::{context::RequestContext, errors::RequestError};
use crate::http::{UnversionedRoutes, versions};

/// Responds to a preflight for a path that names no version. A preflight lists `Accept-Version` among the headers of the
/// request that follows, but not its value: the response allows the methods of all versions.
pub(super) fn respond_to_preflight(
    path: &str,
    unversioned: &UnversionedRoutes,
    context: &mut RequestContext,
) -> Result<Option<Response>, RequestError> {
    if !context.is_preflight() || versions::of_path(path).is_some() || unversioned.find(path).is_some() {
        return Ok(None);
    }
    context.allow = versions::allowed_methods(path).map(Cow::Owned);
    match context.allow {
        Some(_) => Ok(Some(StatusCode::NO_CONTENT.into())),
        None => Err(ErrorCode::RouteNotFound.into()),
    }
}

/// Stores the version of the request in the context. A path that names no version is rewritten to the path of the version
/// that `Accept-Version` selects.
pub(super) fn select(
    request: &mut Request,
    unversioned: &UnversionedRoutes,
    context: &mut RequestContext,
) -> Result<(), RequestError> {
    let path = request.uri().path();
    context.version = versions::of_path(path);
    if context.version.is_some() || unversioned.find(path).is_some() {
        return Ok(());
    }
    let Some(selected) = versions::select(path, request.headers()) else { return Ok(()) };
    context.is_version_negotiated = true;
    let (version, mut target) = selected?;
    context.version = Some(version);
    if let Some(query) = request.uri().query() {
        target.push('?');
        target.push_str(query);
    }
    *request.uri_mut() = target.parse().map_err(|_| ErrorCode::RouteNotFound)?;
    Ok(())
}
