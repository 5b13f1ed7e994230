//! Selects the API version of a request.

use std::borrow::Cow;

use contract::ErrorCode;
use poem::{Request, Response, http::StatusCode};

use super::{context::RequestContext, errors::RequestError};
use crate::http::versions;

/// Responds to a preflight for an unversioned path. A preflight lists `Accept-Version` among the headers of the
/// request that follows, but not its value: the response allows the methods of all versions.
pub(super) fn respond_to_preflight(path: &str, context: &mut RequestContext) -> Result<Option<Response>, RequestError> {
    if !context.is_preflight() || context.is_unversioned || versions::of_path(path).is_some() {
        return Ok(None);
    }
    context.allow = versions::allowed_methods(path).map(Cow::Owned);
    match context.allow {
        Some(_) => Ok(Some(StatusCode::NO_CONTENT.into())),
        None => Err(ErrorCode::RouteNotFound.into()),
    }
}

/// Stores the version of the request in the context. An unversioned path is rewritten to the path of the version
/// that `Accept-Version` selects.
pub(super) fn select(request: &mut Request, context: &mut RequestContext) -> Result<(), RequestError> {
    let path = request.uri().path();
    context.version = versions::of_path(path);
    if context.version.is_some() || context.is_unversioned {
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

#[cfg(test)]
mod tests {
    use contract::ApiError;
    use poem::http::{HeaderValue, Method, header};

    use super::*;
    use crate::http::pipeline::cors::Cors;

    fn select_version(uri: &str, accept_version: Option<&str>) -> Result<(String, Option<&'static str>), ErrorCode> {
        let request = Request::builder().uri_str(uri);
        let mut request = accept_version
            .into_iter()
            .fold(request, |request, number| request.header("accept-version", number))
            .finish();
        let mut context = RequestContext::new(&request, 0);
        select(&mut request, &mut context).map_err(|error| ApiError::from(error).code)?;
        let negotiated = context.version.filter(|_| context.is_version_negotiated);
        Ok((request.uri().to_string(), negotiated.map(|version| version.number)))
    }

    #[test]
    fn unversioned_path_is_rewritten_with_its_query() {
        for (uri, accept_version, expected, negotiated) in [
            ("/bucketlists?q=a", None, "/v1/bucketlists?q=a", Some("1")),
            ("/bucketlists?q=a", Some("2"), "/v2/bucketlists?q=a", Some("2")),
            ("/v2/bucketlists?q=a", Some("1"), "/v2/bucketlists?q=a", None),
            ("/nothing", Some("2"), "/nothing", None),
        ] {
            assert_eq!(select_version(uri, accept_version), Ok((expected.to_owned(), negotiated)));
        }
        assert_eq!(select_version("/bucketlists", Some("3")), Err(ErrorCode::UnsupportedVersion));
    }

    #[test]
    fn preflight_of_an_unversioned_path_needs_no_version() {
        let respond = |path: &str, origin: &'static str| {
            let request = Request::builder().method(Method::OPTIONS).uri_str(path).header(header::ORIGIN, origin);
            let request =
                request.header(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PUT")).finish();
            let mut context = RequestContext::new(&request, 0);
            context.cors = Cors::new(&["https://app.example".to_owned()]).map(|cors| cors.check(&request));
            let response = respond_to_preflight(path, &mut context).map_err(|error| ApiError::from(error).code);
            (response.map(|response| response.map(|response| response.status().as_u16())), context.allow)
        };
        let (response, allow) = respond("/bucketlists/1", "https://app.example");
        assert_eq!(response, Ok(Some(204)));
        assert!(allow.unwrap().contains("PATCH"), "of v2");
        assert_eq!(respond("/nothing", "https://app.example").0, Err(ErrorCode::RouteNotFound));
        assert_eq!(respond("/v2/bucketlists", "https://app.example").0, Ok(None));
        assert_eq!(respond("/bucketlists", "https://other.example").0, Ok(None));
    }
}
