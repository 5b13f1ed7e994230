//! Requests and headers below the base path.
//!
//! Some proxies remove the base path from requests, others do not. Both work, because no route of the server begins with the first
//! segment of the base path (`config::RESERVED_SEGMENTS`).

use contract::BasePath;
use poem::{
    Request, Response,
    http::{
        HeaderValue, Uri,
        header::{HeaderName, LINK, LOCATION},
        uri::PathAndQuery,
    },
};

/// Removes the base path from the URI of a request.
pub(super) fn strip(base: &BasePath, request: &mut Request) {
    if let Some(uri) = stripped(base, request.uri()) {
        *request.uri_mut() = uri;
    }
}

/// Returns the URI without the base path; `None` if it is not below it.
pub(super) fn stripped(base: &BasePath, uri: &Uri) -> Option<Uri> {
    let path = base.strip(uri.path())?;
    let target: PathAndQuery = match uri.query() {
        Some(query) => format!("{path}?{query}").parse().ok()?,
        None => path.parse().ok()?,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).ok()
}

/// Adds the base path to the paths in `Location` and `Link`.
pub(super) fn write_headers(base: &BasePath, response: &mut Response) {
    if base.is_root() {
        return;
    }
    rewrite(response, LOCATION, |location| location.starts_with('/').then(|| base.join(location)));
    // Each link is in angle brackets; those in a query are percent-encoded.
    rewrite(response, LINK, |links| Some(links.replace("</", &format!("<{}/", base.as_str()))));
}

fn rewrite(response: &mut Response, name: HeaderName, change: impl Fn(&str) -> Option<String>) {
    let value = response.headers().get(&name).and_then(|value| change(value.to_str().ok()?));
    if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_path_is_removed_from_the_uri() {
        let base = BasePath::new("/api");
        for (uri, expected) in [
            ("/api", "/"),
            ("/api?x=1", "/?x=1"),
            ("/api/", "/"),
            ("/api/v2/bucketlists?q=/api/v2", "/v2/bucketlists?q=/api/v2"),
            ("https://api.example.com/api/v2/x", "https://api.example.com/v2/x"),
            ("/api//evil.example/x", "//evil.example/x"),
            ("/v2/bucketlists", "/v2/bucketlists"),
            ("/apix/v2", "/apix/v2"),
            ("*", "*"),
        ] {
            let mut request = Request::builder().uri_str(uri).finish();
            strip(&base, &mut request);
            let expected: Uri = expected.parse().unwrap();
            assert_eq!(*request.uri(), expected, "{uri}");
        }
    }

    #[test]
    fn paths_in_headers_get_the_base_path() {
        let mut response = Response::builder()
            .header(LOCATION, "/v2/bucketlists/1")
            .header(LINK, "</v2/x?a=%3C/b>; rel=\"self\", </v2/x?b=1>; rel=\"next\"")
            .finish();
        write_headers(&BasePath::default(), &mut response);
        assert_eq!(response.headers()[LOCATION], "/v2/bucketlists/1");
        write_headers(&BasePath::new("/api"), &mut response);
        assert_eq!(response.headers()[LOCATION], "/api/v2/bucketlists/1");
        assert_eq!(response.headers()[LINK], "</api/v2/x?a=%3C/b>; rel=\"self\", </api/v2/x?b=1>; rel=\"next\"");
        let mut other = Response::builder().header(LOCATION, "https://example.com/x").finish();
        write_headers(&BasePath::new("/api"), &mut other);
        assert_eq!(other.headers()[LOCATION], "https://example.com/x");
    }
}
