//! Pages whose commands contain the address of the server: `PUBLIC_URL`, otherwise the `Host` of the request.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};

use poem::{
    Request, Response,
    http::{header::HOST, uri::Authority},
};

use super::{
    pages::{self, Page},
    static_file::{StaticFile, etag_of},
};
use crate::config::Config;

/// Maximum number of addresses for which a page is stored. For others it is filled in for each request: a client can send any `Host`.
const MAX_STORED: usize = 4;

/// The address of the server.
#[derive(Clone, Debug)]
pub(super) struct ServerAddress {
    /// Without a slash at its end.
    url: String,
    /// Whether `PUBLIC_URL` is set. Otherwise, the host of the URL is a guess.
    is_configured: bool,
    scheme: &'static str,
}

impl ServerAddress {
    pub(super) fn new(config: &Config) -> Self {
        let scheme = if config.is_https() { "https" } else { "http" };
        Self { url: config.public_url.clone(), is_configured: config.is_public_url_set, scheme }
    }

    /// Returns the URL at which the client of a request reaches the server.
    fn of_request(&self, request: &Request) -> Cow<'_, str> {
        let host = || request.headers().get(HOST)?.to_str().ok()?.parse::<Authority>().ok();
        match request.uri().authority().cloned().or_else(host).filter(|_| !self.is_configured) {
            Some(host) if is_plain(host.as_str()) => Cow::Owned(format!("{}://{host}", self.scheme)),
            _ => Cow::Borrowed(&self.url),
        }
    }
}

/// Returns whether a host with an optional port has no user name and no characters with a meaning in a shell or in HTML.
fn is_plain(host: &str) -> bool {
    host.len() <= 255 && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

/// A page that is completed for each address.
pub(super) struct PageTemplate {
    page: Page,
    address: ServerAddress,
    /// Whether the page shows the state of the server.
    has_state: bool,
    stored: Mutex<Vec<(String, Arc<StaticFile>)>>,
}

impl PageTemplate {
    /// Returns the page as a template, or as it is if nothing in it depends on the request.
    pub(super) fn new(page: Page, address: &ServerAddress) -> Result<Self, Page> {
        let has_state = pages::has_state(&page);
        if !has_state && !pages::has_address(&page) {
            return Err(page);
        }
        Ok(Self { page, address: address.clone(), has_state, stored: Mutex::default() })
    }

    pub(super) const fn has_state(&self) -> bool {
        self.has_state
    }

    /// Returns whether pages of every origin may read it.
    pub(super) fn is_public(&self) -> bool {
        self.page.is_for_programs()
    }

    /// Returns the page for the address of a request. `state` is the state of the server in words.
    pub(super) fn respond(&self, request: &Request, state: &str) -> Response {
        let url = self.address.of_request(request);
        if self.has_state {
            return self.fill(&url, state).sent_once().respond(request);
        }
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = stored.iter().find(|(known, _)| *known == *url) {
            let file = Arc::clone(file);
            drop(stored);
            return file.respond(request);
        }
        let file = self.fill(&url, state);
        if stored.len() >= MAX_STORED {
            return file.sent_once().respond(request);
        }
        let file = Arc::new(file);
        stored.push((url.into_owned(), Arc::clone(&file)));
        drop(stored);
        file.respond(request)
    }

    fn fill(&self, url: &str, state: &str) -> StaticFile {
        let mut page = self.page.clone();
        let body = pages::fill_in(&page, url, state).into_bytes();
        page.etag = etag_of(&body);
        page.body = Cow::Owned(body);
        StaticFile::from(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_the_public_url_or_the_host_of_the_request() {
        let address = |url: &str, is_configured| ServerAddress { url: url.to_owned(), is_configured, scheme: "http" };
        let request = |host: &str| Request::builder().header(HOST, host).finish();
        let unset = address("http://localhost:8000", false);
        for (host, expected) in [
            ("127.0.0.1:4100", "http://127.0.0.1:4100"),
            ("api.example.com", "http://api.example.com"),
            ("[::1]:8000", "http://[::1]:8000"),
            ("user@example.com", "http://localhost:8000"),
            ("x$(id)", "http://localhost:8000"),
            ("x&y", "http://localhost:8000"),
            ("", "http://localhost:8000"),
        ] {
            assert_eq!(unset.of_request(&request(host)), expected, "{host}");
        }
        let set = address("https://example.com/api", true);
        assert_eq!(set.of_request(&request("evil.example")), "https://example.com/api");
    }
}
