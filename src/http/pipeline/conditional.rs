//! Responds 304 if the client has the current representation (RFC 9110, section 13.1.2).

use contract::conditional::{self, ETagCondition, MalformedETags};
use poem::{
    Body, Request, Response,
    http::{
        HeaderValue, Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
};

/// `If-None-Match` of a GET request.
pub(super) struct ConditionalRequest(Result<Option<ETagCondition>, MalformedETags>);

impl ConditionalRequest {
    pub(super) fn new(request: &Request) -> Self {
        if *request.method() != Method::GET {
            return Self(Ok(None));
        }
        Self(conditional::parse(request.headers().get_all(IF_NONE_MATCH)))
    }

    /// Returns whether the operation will reject the header, so that the response must not come from the cache.
    pub(super) const fn is_malformed(&self) -> bool {
        self.0.is_err()
    }

    /// Replaces a response that the client already has by 304. A client may store a response with an ETag, but must revalidate it.
    pub(super) fn apply(&self, mut response: Response) -> Response {
        let Some(etag) = strong_etag(&response).filter(|_| response.status() == StatusCode::OK) else {
            return response;
        };
        let matching = self.0.as_ref().ok().and_then(Option::as_ref).and_then(|condition| condition.not_modified(etag));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        let Some(matching) = matching else { return response };
        let (mut parts, _) = response.into_parts();
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        if let Ok(etag) = HeaderValue::try_from(matching) {
            parts.headers.insert(ETAG, etag);
        }
        Response::from_parts(parts, Body::empty())
    }
}

/// Returns the strong ETag of a response, without quotes.
fn strong_etag(response: &Response) -> Option<&str> {
    response.headers().get(ETAG)?.to_str().ok()?.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(method: Method, if_none_match: Option<&str>, etag: Option<&str>, status: StatusCode) -> Response {
        let request = Request::builder().method(method);
        let request = if_none_match.into_iter().fold(request, |request, value| request.header(IF_NONE_MATCH, value));
        let response = Response::builder().status(status).content_type("application/json");
        let response = etag.into_iter().fold(response, |response, etag| response.header(ETAG, etag)).body("{}");
        ConditionalRequest::new(&request.finish()).apply(response)
    }

    #[test]
    fn matching_etag_is_304_without_a_body() {
        let response = apply(Method::GET, Some("W/\"a\""), Some("\"a\""), StatusCode::OK);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(&response.headers()[ETAG], "\"a\"");
        assert!(!response.headers().contains_key(CONTENT_TYPE));
        assert_eq!(response.headers()[CACHE_CONTROL], "private, no-cache");
    }

    #[test]
    fn other_responses_are_unchanged() {
        for (method, if_none_match, etag, status) in [
            (Method::GET, Some("\"b\""), Some("\"a\""), StatusCode::OK),
            (Method::GET, None, Some("\"a\""), StatusCode::OK),
            (Method::GET, Some("\"a\""), Some("W/\"a\""), StatusCode::OK),
            (Method::GET, Some("\"a\""), None, StatusCode::OK),
            (Method::GET, Some("*"), Some("\"a\""), StatusCode::NOT_FOUND),
            (Method::POST, Some("\"a\""), Some("\"a\""), StatusCode::OK),
            (Method::GET, Some("a"), Some("\"a\""), StatusCode::OK),
        ] {
            assert_eq!(apply(method, if_none_match, etag, status).status(), status);
        }
    }
}
