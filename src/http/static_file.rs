//! Files that do not change while the server runs: pages, assets and documents.

use std::{borrow::Cow, fmt::Write as _};

use bytes::Bytes;
use contract::conditional;
use poem::{
    Request, Response,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, LINK},
    },
};
use sha2::{Digest, Sha256};

use super::{pages::Page, pipeline::allow_any_origin, precompressed::Precompressed, unversioned_response::with_length};

/// A file that does not change while the server runs.
pub(super) struct StaticFile {
    body: Bytes,
    /// `None` if the file is not sent often enough.
    compressed: Option<Precompressed>,
    content_type: &'static str,
    csp: Option<HeaderValue>,
    cache_control: HeaderValue,
    etag: HeaderValue,
    /// The value of `Link`.
    link: Option<HeaderValue>,
    /// Whether pages of every origin may read the file.
    is_public: bool,
}

/// The paths from which a client finds the catalog of the API (RFC 9727, section 3), and the header that names it.
const CATALOG_LINKED_FROM: [&str; 2] = ["/", "/.well-known/api-catalog"];
const CATALOG_LINK: &str = "</.well-known/api-catalog>; rel=\"api-catalog\"";

impl From<Page> for StaticFile {
    fn from(page: Page) -> Self {
        let is_public = page.is_for_programs();
        let body = match page.body {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        Self {
            compressed: Some(Precompressed::new(body.clone())),
            body,
            content_type: page.content_type,
            csp: Some(HeaderValue::from_static(page.csp)),
            cache_control: HeaderValue::from_static(page.cache_control),
            etag: etag_header(&page.etag),
            link: CATALOG_LINKED_FROM.contains(&&*page.path).then(|| HeaderValue::from_static(CATALOG_LINK)),
            is_public,
        }
    }
}

impl StaticFile {
    /// Creates a file that pages of every origin may read.
    pub(super) fn public(body: impl Into<Bytes>, content_type: &'static str) -> Self {
        let body = body.into();
        let etag = etag_of(&body);
        Self {
            compressed: Some(Precompressed::new(body.clone())),
            body,
            content_type,
            csp: None,
            cache_control: HeaderValue::from_static("public, no-cache"),
            etag: etag_header(&etag),
            link: None,
            is_public: true,
        }
    }

    /// Returns the compressed forms of the file.
    pub(super) fn compressed(&self) -> Option<Precompressed> {
        self.compressed.clone()
    }

    /// Returns the file without compressing it ahead, because it is sent once.
    pub(super) fn sent_once(mut self) -> Self {
        self.compressed = None;
        self
    }

    /// Returns whether the response may be cached without validation.
    pub(super) fn is_immutable(&self) -> bool {
        self.cache_control.as_bytes().ends_with(b"immutable")
    }

    pub(super) fn is_public(&self) -> bool {
        self.is_public
    }

    /// Returns 200 with the file, or 304 if the client has it.
    pub(super) fn respond(&self, request: &Request) -> Response {
        // A malformed condition is ignored.
        let condition = conditional::parse(request.headers().get_all(IF_NONE_MATCH)).ok().flatten();
        let etag = self.etag.to_str().unwrap_or_default().trim_matches('"');
        let not_modified = condition.and_then(|condition| condition.not_modified(etag)).map(|etag| etag_header(&etag));
        let mut response = if not_modified.is_some() {
            Response::builder().status(StatusCode::NOT_MODIFIED).finish()
        } else {
            self.content(StatusCode::OK)
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, not_modified.unwrap_or_else(|| self.etag.clone()));
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        self.write_policies(&mut response);
        response
    }

    /// Returns the file as the body of an error response, which is not cached.
    pub(super) fn with_status(&self, status: StatusCode) -> Response {
        let mut response = self.content(status);
        self.write_policies(&mut response);
        response
    }

    fn content(&self, status: StatusCode) -> Response {
        let response = Response::builder().status(status).content_type(self.content_type).body(self.body.clone());
        let mut response = with_length(response, self.body.len());
        if let Some(compressed) = &self.compressed {
            response.extensions_mut().insert(compressed.clone());
        }
        response
    }

    fn write_policies(&self, response: &mut Response) {
        let headers = response.headers_mut();
        if let Some(csp) = &self.csp {
            headers.insert(CONTENT_SECURITY_POLICY, csp.clone());
        }
        if let Some(link) = &self.link {
            headers.insert(LINK, link.clone());
        }
        if self.is_public {
            allow_any_origin(headers);
        }
    }
}

/// Returns an ETag for this content.
pub(super) fn etag_of(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let mut etag = String::from("\"");
    for byte in &digest[..8] {
        // Writing to a string cannot fail.
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    etag
}

fn etag_header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}
