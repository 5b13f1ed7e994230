//! Response headers: those of every response, and those that depend on the context.

use std::time::Duration;

use poem::{
    Body, Response,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, SERVER, STRICT_TRANSPORT_SECURITY, VARY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
};

use super::{context::RequestContext, rate_limit, request_id};
use crate::http::versions;

const REQUEST_ID: HeaderName = HeaderName::from_static(request_id::HEADER);
const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");
/// Media type of PATCH requests (RFC 5789).
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The recommendations of the OWASP Secure Headers Project. Pages have their own content security policies.
const SECURITY: [(HeaderName, HeaderValue); 8] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), HeaderValue::from_static("none")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp")),
];

/// Adds the headers that follow from the context.
pub(super) fn write_context(context: &RequestContext, headers: &mut HeaderMap) {
    if let Some(decision) = &context.rate_limit {
        rate_limit::write_headers(decision, headers);
    }
    if let Some(Ok(allow)) = context.allow.as_deref().map(HeaderValue::from_str) {
        headers.insert(ALLOW, allow);
    }
    if let Some(media_type) = context.accept_patch {
        headers.insert(ACCEPT_PATCH, HeaderValue::from_static(media_type));
    }
    if let Some(Err(error)) = context.deprecation.as_ref().map(|deprecation| deprecation.write(headers)) {
        tracing::debug!(%error, "cannot write the deprecation headers");
    }
    if context.is_version_negotiated {
        headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding, Accept-Version"));
        if let Some(version) = context.version {
            headers.insert(versions::CONTENT_VERSION, HeaderValue::from_static(version.number));
        }
    }
}

/// Adds the headers that every response has.
pub(in crate::http) fn complete(response: &mut Response, request_id: &str, duration: Duration, is_https: bool) {
    let headers = response.headers_mut();
    // At once, instead of growing several times.
    headers.reserve(SECURITY.len() + 8);
    for (name, value) in &SECURITY {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if is_https {
        // Two years, as the preload lists of browsers require.
        let policy = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.insert(STRICT_TRANSPORT_SECURITY, policy);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if !headers.contains_key(VARY) {
        headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let seconds = format!("{}.{:03}s", duration.as_secs(), duration.subsec_millis());
    if let Ok(value) = HeaderValue::try_from(seconds) {
        headers.insert(RESPONSE_TIME, value);
    }
    headers.remove(SERVER);
}

/// Removes the body from the response to HEAD (RFC 9110, section 9.3.2).
pub(super) fn without_body(response: Response) -> Response {
    let (parts, _) = response.into_parts();
    Response::from_parts(parts, Body::empty())
}

#[cfg(test)]
mod tests {
    use poem::Request;

    use super::*;

    #[test]
    fn every_response_has_the_security_headers() {
        let mut response =
            Response::builder().header(CONTENT_SECURITY_POLICY, "default-src 'self'").header(SERVER, "x").finish();
        complete(&mut response, "id-1", Duration::from_millis(1_007), true);
        let headers = response.headers();
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "default-src 'self'", "a page has its own policy");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("vary", "Accept, Accept-Encoding"),
            ("x-request-id", "id-1"),
            ("x-response-time", "1.007s"),
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ] {
            assert_eq!(headers[name], value);
        }
        assert!(!headers.contains_key(SERVER));
    }

    #[test]
    fn context_is_written_into_headers() {
        let mut context = RequestContext::new(&Request::default(), 0);
        context.allow = Some("GET, HEAD".into());
        context.accept_patch = Some("application/json");
        context.version = versions::of_path("/v2/bucketlists");
        context.is_version_negotiated = true;
        let mut headers = HeaderMap::new();
        write_context(&context, &mut headers);
        for (name, value) in [
            ("allow", "GET, HEAD"),
            ("accept-patch", "application/json"),
            ("content-version", "2"),
            ("vary", "Accept, Accept-Encoding, Accept-Version"),
        ] {
            assert_eq!(headers[name], value);
        }
        assert_eq!(headers.len(), 4);
    }
}
