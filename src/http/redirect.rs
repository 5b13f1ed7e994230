//! From HTTP to HTTPS: the same address, at the server's own public name and nowhere else, and for people only. A program
//! that calls an operation over HTTP would never notice that all it sends is readable: it is refused.

use std::{sync::Arc, time::Duration};

use poem::{
    Endpoint, Request, Response,
    http::{
        HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CONTENT_LENGTH, HOST, LOCATION},
        uri::Authority,
    },
};

use super::{headers, request_id, stack::MAX_URL, versions};
use crate::server::{ErrorResponder, RejectReason};

/// Answers requests for pages by where they should have gone.
pub struct HttpsRedirect {
    public_url: String,
    host: String,
    refuse: Arc<ErrorResponder>,
}

impl HttpsRedirect {
    /// To `public_url`, whose host is the only one that is answered for.
    #[must_use]
    pub fn new(public_url: &str, refuse: Arc<ErrorResponder>) -> Self {
        let host = url::Url::parse(public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
        Self { public_url: public_url.to_owned(), host: host.unwrap_or_default(), refuse }
    }

    fn answer(&self, request: &Request) -> Result<Response, RejectReason> {
        let named = request.headers().get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let named = request.uri().authority().cloned().or(named);
        // A name that is not ours may be somebody's trick: nothing of it is repeated, and nobody is sent on for it.
        if !named.is_some_and(|named| named.host().eq_ignore_ascii_case(&self.host)) {
            return Err(RejectReason::UnknownHost);
        }
        let target = request.uri().path_and_query().map(|target| target.as_str());
        let target = target.filter(|target| target.starts_with('/')).ok_or(RejectReason::Malformed)?;
        if target.len() > MAX_URL {
            return Err(RejectReason::UriTooLong);
        }
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_read || versions::of(request.uri().path()).is_some() || request.headers().contains_key(AUTHORIZATION) {
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
        Ok(match self.answer(&request) {
            Ok(mut response) => {
                // Over plain HTTP no policy on transport is to be given (RFC 6797, section 7.2).
                headers::complete(&mut response, &request_id::of(&request), Duration::ZERO, false);
                response
            }
            Err(refusal) => (self.refuse)(refusal, request.uri().path()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::connection_error_responses;

    async fn answer(uri: &str, host: Option<&str>) -> Response {
        let redirect = HttpsRedirect::new("https://api.example.com:8443", connection_error_responses(false));
        let request = Request::builder().uri_str(uri);
        let request = host.into_iter().fold(request, |request, host| request.header(HOST, host));
        redirect.call(request.finish()).await.unwrap()
    }

    #[tokio::test]
    async fn it_leads_to_the_public_name_only() {
        for (uri, location) in [
            ("/", "https://api.example.com:8443/"),
            ("/docs?contract=v2&y=%2F", "https://api.example.com:8443/docs?contract=v2&y=%2F"),
            ("//evil.example/x", "https://api.example.com:8443//evil.example/x"),
            ("/@evil.example", "https://api.example.com:8443/@evil.example"),
            ("http://api.example.com/x", "https://api.example.com:8443/x"),
        ] {
            let response = answer(uri, Some("API.example.com:8080")).await;
            assert_eq!(response.status(), 308, "{uri}");
            assert_eq!(response.headers()[LOCATION], location);
            assert!(!response.headers().contains_key("strict-transport-security"));
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        }
        for host in [None, Some("evil.example"), Some("api.example.com.evil.example"), Some("")] {
            let response = answer("/", host).await;
            assert_eq!(response.status(), 400, "{host:?}");
            assert!(!response.headers().contains_key(LOCATION));
        }
        assert_eq!(answer("http://evil.example/x", Some("api.example.com")).await.status(), 400);
        assert_eq!(answer("*", Some("api.example.com")).await.status(), 400);
        assert_eq!(answer(&format!("/{}", "x".repeat(MAX_URL)), Some("api.example.com")).await.status(), 414);
    }

    #[tokio::test]
    async fn what_a_program_sends_is_refused_so_that_somebody_notices() {
        let redirect = HttpsRedirect::new("https://api.example.com", connection_error_responses(false));
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
            let said = response.into_body().into_string().await.unwrap();
            assert!(said.contains("over HTTPS only") && said.contains("MALFORMED_REQUEST"), "{said}");
        }
    }
}
