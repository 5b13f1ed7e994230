//! Parses `PUBLIC_URL`.

use super::{Config, parse::VariableParser};

/// First segments of the paths that the server serves. The base path must not begin with one of them. Otherwise, the server could not
/// tell whether a proxy has already removed the base path from a request.
pub const RESERVED_SEGMENTS: &[&str] = &[
    "v1",
    "v2",
    ".well-known",
    "admin",
    "auth",
    "bucketlists",
    "changelog",
    "console",
    "docs",
    "exports",
    "favicon.ico",
    "favicon.svg",
    "guides",
    "health",
    "imports",
    "llms.txt",
    "openapi",
    "postman",
    "problems",
    "redoc",
    "reference",
    "robots.txt",
    "search",
    "users",
    "version",
];

/// Maximum length of the base path. Responses contain it in every link.
const MAX_BASE_PATH: usize = 100;

impl VariableParser<'_> {
    pub(super) fn parse_public_url(&mut self, name: &'static str, port: u16) -> String {
        let has_tls = self.non_empty("TLS_CERT").is_some();
        let Some(text) = self.non_empty(name) else {
            return format!("{}://localhost:{port}", if has_tls { "https" } else { "http" });
        };
        if has_tls && text.starts_with("http://") {
            self.add_error(name, "must start with https:// if TLS_CERT is set");
        }
        let text = text.trim_end_matches('/');
        match url::Url::parse(text).ok().filter(is_base_url) {
            Some(url) => {
                // Parsing normalizes a path such as `/a/../b`.
                let path = url.path().trim_end_matches('/');
                if base_path(text) == path {
                    self.check_base_path(name, path);
                    return text.to_owned();
                }
                self.add_error(name, format!("`{text}` has a path that is not normalized; use {url}"));
            }
            None => self.add_error(
                name,
                format!("`{text}` is not a URL such as https://api.example.com or https://example.com/api"),
            ),
        }
        String::new()
    }

    fn check_base_path(&mut self, name: &'static str, path: &str) {
        let mut segments = path.split('/').skip(1);
        // Other characters could end a header value, an attribute or a shell word.
        let is_segment = |segment: &str| {
            !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        if path.len() > MAX_BASE_PATH {
            self.add_error(name, format!("has a path of more than {MAX_BASE_PATH} characters"));
        } else if !segments.clone().all(is_segment) {
            self.add_error(name, format!("has the path `{path}`: use only letters, digits and -._~ in its segments"));
        } else if let Some(first) = segments.next().filter(|first| RESERVED_SEGMENTS.contains(first)) {
            self.add_error(name, format!("must not have a path that begins with /{first}, which is a path of the API"));
        }
    }
}

fn is_base_url(url: &url::Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

/// Returns the host of a URL, with its port, without parsing it.
fn host(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority.split('/').next().unwrap_or_default()
}

/// Returns the path of a URL without a query, without parsing it.
fn base_path(url: &str) -> &str {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    authority.find('/').map_or("", |at| &authority[at..])
}

impl Config {
    /// Returns the path of `PUBLIC_URL`, without a slash at its end.
    #[must_use]
    pub fn base_path(&self) -> &str {
        base_path(&self.public_url)
    }

    /// Returns the host of `PUBLIC_URL`, with its port.
    #[must_use]
    pub fn public_host(&self) -> &str {
        host(&self.public_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Variables;

    fn parse(url: &str) -> Result<(String, String), String> {
        let variables: Variables = [("PUBLIC_URL".to_owned(), url.to_owned())].into();
        let config = Config::from_variables(&variables).map_err(|error| error.to_string())?;
        let base_path = config.base_path().to_owned();
        Ok((config.public_url, base_path))
    }

    #[test]
    fn host_of_a_url_includes_its_port() {
        for (url, expected) in [
            ("http://localhost:8000", "localhost:8000"),
            ("https://example.com/api", "example.com"),
            ("https://[2001:db8::1]:8443/api", "[2001:db8::1]:8443"),
        ] {
            assert_eq!(host(url), expected);
        }
    }

    #[test]
    fn path_of_the_public_url_is_the_base_path() {
        for (text, url, path) in [
            ("https://example.com", "https://example.com", ""),
            ("https://example.com/", "https://example.com", ""),
            ("http://localhost:8000", "http://localhost:8000", ""),
            ("https://example.com/api", "https://example.com/api", "/api"),
            ("https://example.com/api/", "https://example.com/api", "/api"),
            (
                "https://example.com:8443/team-a/lists_2.~",
                "https://example.com:8443/team-a/lists_2.~",
                "/team-a/lists_2.~",
            ),
            ("https://[2001:db8::1]/api", "https://[2001:db8::1]/api", "/api"),
            ("https://example.com/apix/v2", "https://example.com/apix/v2", "/apix/v2"),
            ("https://example.com/v2x", "https://example.com/v2x", "/v2x"),
        ] {
            assert_eq!(parse(text), Ok((url.to_owned(), path.to_owned())), "{text}");
        }
    }

    #[test]
    fn ambiguous_and_unsafe_paths_are_rejected() {
        for (url, expected) in [
            ("https://example.com/v2", "begins with /v2"),
            ("https://example.com/docs/api", "begins with /docs"),
            ("https://example.com/.well-known/api", "begins with /.well-known"),
            ("https://example.com//api", "use only letters"),
            ("https://example.com/a//b", "use only letters"),
            ("https://example.com/a/../b", "not normalized"),
            ("https://example.com/./a", "not normalized"),
            ("https://example.com/a b", "not normalized"),
            ("https://example.com/a\"b", "not normalized"),
            ("https://example.com/a<b>", "not normalized"),
            ("https://example.com/a\r\nX-Header: 1", "not normalized"),
            ("https://example.com/a%0d%0aX-Header:1", "use only letters"),
            ("https://example.com/{id}", "not normalized"),
            ("https://example.com/a;b", "use only letters"),
            ("https://example.com/a'b", "use only letters"),
            ("https://example.com/api?x=1", "not a URL such as"),
            ("https://example.com/api#x", "not a URL such as"),
            ("https://user@example.com/api", "not a URL such as"),
            ("ftp://example.com/api", "not a URL such as"),
            ("/api", "not a URL such as"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains("PUBLIC_URL: ") && error.contains(expected), "{url}: {error}");
        }
        assert!(parse(&format!("https://example.com/{}", "a".repeat(100))).unwrap_err().contains("100 characters"));
    }
}
