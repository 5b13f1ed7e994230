//! Redirects browsers from HTTP to HTTPS, only for the public host name of the server. Requests of API clients are rejected
//! instead: a client that followed the redirect would keep sending its token unencrypted.

use std::{sync::Arc, time::Duration};

use contract::BasePath;
use poem::{
    Endpoint, Request, Response,
    http::{
        HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_LENGTH, HOST, LOCATION},
        uri::Authority,
    },
};

use super::{
    base_path,
    pipeline::{self, MAX_URL_BYTES},
    versions,
};
use crate::server::{ErrorResponder, RejectReason};

/// The endpoint of the unencrypted port.
pub struct HttpsRedirect {
    public_url: String,
    host: String,
    base_path: BasePath,
    error_response: Arc<ErrorResponder>,
}

impl HttpsRedirect {
    /// Creates the endpoint, which redirects requests for the host of `public_url`.
    #[must_use]
    pub fn new(public_url: &str, base_path: BasePath, error_response: Arc<ErrorResponder>) -> Self {
        let host = url::Url::parse(public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
        Self { public_url: public_url.to_owned(), host: host.unwrap_or_default(), base_path, error_response }
    }

    fn redirect(&self, request: &Request) -> Result<Response, RejectReason> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let host = request.uri().authority().cloned().or(host);
        // Another host name may be an attack, so the response does not contain it.
        if !host.is_some_and(|host| host.host().eq_ignore_ascii_case(&self.host)) {
            return Err(RejectReason::UnknownHost);
        }
        // The public URL contains the base path.
        let stripped = base_path::stripped(&self.base_path, request.uri());
        let uri = stripped.as_ref().unwrap_or(request.uri());
        let target = uri.path_and_query().map(|target| target.as_str());
        let target = target.filter(|target| target.starts_with('/')).ok_or(RejectReason::Malformed)?;
        if target.len() > MAX_URL_BYTES {
            return Err(RejectReason::UriTooLong);
        }
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        let is_versioned = versions::of_path(uri.path()).is_some();
        if !is_safe || is_versioned || request.headers().contains_key(AUTHORIZATION) {
            return Err(RejectReason::HttpsRequired);
        }
        let location = HeaderValue::try_from(format!("{}{target}", self.public_url));
        let response = Response::builder().status(StatusCode::PERMANENT_REDIRECT).header(CONTENT_LENGTH, 0);
        Ok(response.header(LOCATION, location.map_err(|_| RejectReason::Malformed)?).finish())
    }
}

impl Endpoint for HttpsRedirect {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(match self.redirect(&request) {
            Ok(mut response) => {
                // Strict-Transport-Security is not allowed over HTTP (RFC 6797, section 7.2).
                pipeline::complete(&mut response, &pipeline::request_id(&request), Duration::ZERO, false);
                response
            }
            Err(reason) => (self.error_response)(reason, request.uri().path()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::connection_error_responses;

    fn https_redirect(public_url: &str, base_path: &str) -> HttpsRedirect {
        let base_path = BasePath::new(base_path);
        let responses = connection_error_responses(false, &base_path);
        HttpsRedirect::new(public_url, base_path, responses)
    }

    async fn get(uri: &str, host: Option<&str>) -> Response {
        let redirect = https_redirect("https://api.example.com:8443", "");
        let request = Request::builder().uri_str(uri);
        let request = host.into_iter().fold(request, |request, host| request.header(HOST, host));
        redirect.call(request.finish()).await.unwrap()
    }

    #[tokio::test]
    async fn only_the_public_host_is_redirected() {
        for (uri, location) in [
            ("/", "https://api.example.com:8443/"),
            ("/docs?contract=v2&y=%2F", "https://api.example.com:8443/docs?contract=v2&y=%2F"),
            ("//evil.example/x", "https://api.example.com:8443//evil.example/x"),
            ("/@evil.example", "https://api.example.com:8443/@evil.example"),
            ("http://api.example.com/x", "https://api.example.com:8443/x"),
        ] {
            let response = get(uri, Some("API.example.com:8080")).await;
            assert_eq!(response.status(), 308, "{uri}");
            assert_eq!(response.headers()[LOCATION], location);
            assert!(!response.headers().contains_key("strict-transport-security"));
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        }
        for host in [None, Some("evil.example"), Some("api.example.com.evil.example"), Some("")] {
            let response = get("/", host).await;
            assert_eq!(response.status(), 400, "{host:?}");
            assert!(!response.headers().contains_key(LOCATION));
        }
        assert_eq!(get("http://evil.example/x", Some("api.example.com")).await.status(), 400);
        assert_eq!(get("*", Some("api.example.com")).await.status(), 400);
        assert_eq!(get(&format!("/{}", "x".repeat(MAX_URL_BYTES)), Some("api.example.com")).await.status(), 414);
    }

    #[tokio::test]
    async fn api_requests_are_rejected() {
        let redirect = https_redirect("https://api.example.com", "");
        for (method, uri, token) in [
            (Method::GET, "/v1/users/me", None),
            (Method::HEAD, "/v2/bucketlists", None),
            (Method::POST, "/auth/login", None),
            (Method::OPTIONS, "/docs", None),
            (Method::GET, "/users/me", Some("Bearer a.b.c")),
        ] {
            let request = Request::builder().method(method.clone()).uri_str(uri).header(HOST, "api.example.com");
            let request = token.into_iter().fold(request, |request, token| request.header(AUTHORIZATION, token));
            let response = redirect.call(request.finish()).await.unwrap();
            assert_eq!(response.status(), 400, "{method} {uri}");
            assert!(!response.headers().contains_key(LOCATION));
            let body = response.into_body().into_string().await.unwrap();
            assert!(body.contains("require HTTPS") && body.contains("MALFORMED_REQUEST"), "{body}");
        }
    }

    #[tokio::test]
    async fn base_path_is_not_repeated() {
        let redirect = https_redirect("https://example.com/api", "/api");
        for (uri, location) in [
            ("/", Some("https://example.com/api/")),
            ("/docs?x=1", Some("https://example.com/api/docs?x=1")),
            ("/api", Some("https://example.com/api/")),
            ("/api?x=1", Some("https://example.com/api/?x=1")),
            ("/api/docs", Some("https://example.com/api/docs")),
            ("/apix/docs", Some("https://example.com/api/apix/docs")),
            ("/api//evil.example/", Some("https://example.com/api//evil.example/")),
            ("/v2/bucketlists", None),
            ("/api/v2/bucketlists", None),
        ] {
            let request = Request::builder().uri_str(uri).header(HOST, "example.com").finish();
            let response = redirect.call(request).await.unwrap();
            let found = response.headers().get(LOCATION).map(|location| location.to_str().unwrap());
            assert_eq!(found, location, "{uri}");
        }
    }
}
