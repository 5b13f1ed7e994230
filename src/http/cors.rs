//! Which pages of other sites may call the API from a browser: none, except those of the origins that are listed.
//!
//! The CORS protocol of the Fetch standard. Callers are told apart by their bearer token, which a page has to hold to send
//! it; cookies are not used, so credentials are never allowed. What is written here goes onto finished answers, errors
//! included, and onto nothing that is kept: an answer from memory is granted anew to whoever asks.

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

/// What a page may send besides what every page may send.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Accept-Version, If-Match, If-None-Match, Idempotency-Key, X-Request-ID, traceparent, \
     tracestate",
);
/// What a page may read besides what every page may read.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "Accept-Patch, Allow, Cache-Status, Content-Disposition, Content-Version, Deprecation, ETag, Idempotency-Replayed, \
     Link, Location, RateLimit, RateLimit-Policy, Retry-After, Sunset, WWW-Authenticate, X-Request-ID, X-Response-Time",
);
/// For how many seconds a browser may remember what it was granted; none remembers it for longer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The origins whose pages may call.
pub(crate) struct Cors(Vec<HeaderValue>);

/// What is granted to the page that sent a request.
pub(super) struct Grant {
    /// The page's origin, if it is one of those listed.
    origin: Option<HeaderValue>,
    /// Whether a browser asks what the page may do, before it does it.
    pub(super) is_preflight: bool,
}

impl Cors {
    /// `None` when no origin is listed: then nothing is ever said about origins.
    pub(crate) fn new(origins: &[String]) -> Option<Self> {
        // What a header cannot hold, no browser can send.
        let origins: Vec<_> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
        (!origins.is_empty()).then_some(Self(origins))
    }

    /// Compares byte by byte: a browser writes an origin in one way only.
    pub(super) fn grant(&self, request: &Request) -> Grant {
        let mut origins = request.headers().get_all(ORIGIN).iter();
        let origin = origins.next().filter(|origin| self.0.contains(origin)).cloned();
        let origin = origin.filter(|_| origins.next().is_none());
        let is_preflight = origin.is_some()
            && *request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Grant { origin, is_preflight }
    }
}

impl Grant {
    /// Whether the page's origin is one of those listed.
    pub(super) fn is_granted(&self) -> bool {
        self.origin.is_some()
    }

    /// Writes what is granted into the headers of the answer. That the answer depends on the origin is said to everybody:
    /// whoever keeps it must not show it to a page of another one.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        let vary = match headers.get(VARY).and_then(|vary| vary.to_str().ok()) {
            Some(vary) => HeaderValue::try_from(format!("{vary}, Origin")).ok(),
            None => None,
        };
        headers.insert(VARY, vary.unwrap_or_else(|| HeaderValue::from_static("Origin")));
        let Some(origin) = self.origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        // An allowed page may also embed what it may fetch.
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
