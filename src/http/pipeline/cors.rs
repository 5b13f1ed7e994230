//! CORS (Fetch standard): allows pages of the configured origins, and no others, to call the API.
//!
//! Callers authenticate with a bearer token, which a page must have in order to send it. The API uses no cookies, so credentials are
//! never allowed. The headers are added to finished responses, errors included, and never cached. Public files, such as the
//! OpenAPI documents, are an exception: pages of every origin may read them.

use poem::{
    Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN, VARY,
        },
    },
};

/// Request headers that a page may send.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, X-API-Key, Content-Type, Accept-Version, If-Match, If-None-Match, Idempotency-Key, X-Request-ID, \
     traceparent, tracestate",
);
/// Response headers that a page may read.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "Accept-Patch, Accept-Post, Allow, Cache-Status, Content-Disposition, Content-Version, Deprecation, ETag, Idempotency-Replayed, \
     Link, Location, RateLimit, RateLimit-Policy, Retry-After, Sunset, WWW-Authenticate, X-Debug-Captured, X-Request-ID, X-Response-Time",
);
/// Seconds for which a browser may cache the response to a preflight; the maximum that browsers accept.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Allows pages of every origin to read a public file. The response is the same for every caller.
pub(in crate::http) fn allow_any_origin(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
}

/// Allows pages of every origin to request a public file with any header.
pub(super) fn allow_any_preflight(headers: &mut HeaderMap, methods: &'static str) {
    allow_any_origin(headers);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
}

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The allowed origins.
pub(crate) struct Cors(Vec<HeaderValue>);

/// Result of the CORS check of one request.
pub(super) struct CorsGrant {
    /// The origin of the request, if it is allowed.
    origin: Option<HeaderValue>,
    pub(super) is_preflight: bool,
}

impl Cors {
    /// Creates the policy; `None` if no origin is allowed, which disables CORS.
    pub(crate) fn new(origins: &[String]) -> Option<Self> {
        // Browsers cannot send an origin that is not a valid header value.
        let origins: Vec<_> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
        (!origins.is_empty()).then_some(Self(origins))
    }

    /// Compares origins byte by byte, because browsers send each origin in only one form.
    pub(super) fn check(&self, request: &Request) -> CorsGrant {
        let mut origins = request.headers().get_all(ORIGIN).iter();
        let origin = origins.next().filter(|origin| self.0.contains(origin)).cloned();
        let origin = origin.filter(|_| origins.next().is_none());
        let is_preflight = origin.is_some()
            && *request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        CorsGrant { origin, is_preflight }
    }
}

impl CorsGrant {
    /// Returns whether the origin is allowed.
    pub(super) fn is_allowed(&self) -> bool {
        self.origin.is_some()
    }

    /// Adds the CORS headers. `Vary: Origin` is added for every origin, so that no cache returns the response for one
    /// origin to another.
    pub(super) fn write_headers(&self, headers: &mut HeaderMap) {
        let vary = match headers.get(VARY).and_then(|vary| vary.to_str().ok()) {
            Some(vary) => HeaderValue::try_from(format!("{vary}, Origin")).ok(),
            None => None,
        };
        headers.insert(VARY, vary.unwrap_or_else(|| HeaderValue::from_static("Origin")));
        let Some(origin) = &self.origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        // An allowed page can fetch the response, so it may embed it as well.
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
        if !self.is_preflight {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        } else if let Some(methods) = headers.get(ALLOW).cloned() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origins: &[&str], method: Method) -> HeaderMap {
        let cors = Cors::new(&["https://app.example".to_owned()]).unwrap();
        let request = Request::builder().method(method).header(ACCESS_CONTROL_REQUEST_METHOD, "PUT");
        let request = origins.iter().fold(request, |request, origin| request.header(ORIGIN, *origin)).finish();
        let mut headers: HeaderMap = [(ALLOW, HeaderValue::from_static("GET, PUT"))].into_iter().collect();
        cors.check(&request).write_headers(&mut headers);
        headers
    }

    #[test]
    fn only_allowed_origins_get_headers() {
        assert!(Cors::new(&[]).is_none());
        assert_eq!(headers(&["https://app.example"], Method::GET)[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        for origins in [&[][..], &["https://other.example"], &["https://app.example", "https://app.example"]] {
            let headers = headers(origins, Method::OPTIONS);
            assert_eq!((headers.len(), &headers[VARY]), (2, &HeaderValue::from_static("Origin")), "{origins:?}");
        }
    }

    #[test]
    fn preflight_allows_the_methods_of_the_path() {
        let headers = headers(&["https://app.example"], Method::OPTIONS);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "GET, PUT");
        assert!(!headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS));
    }
}
