//! The unversioned routes: pages, OpenAPI documents, health checks and build information.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use contract::{ApiError, ErrorCode, conditional};
use poem::{
    Request, Response,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH},
    },
};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    pages::{self, PageInfo},
    pipeline::allow_any_origin,
    published,
    security_txt::{self, SecurityTxt},
};
use crate::{
    build_info,
    config::Config,
    db::{Db, DbConnection, migrations},
    domain::Clock,
    services::Error,
};

/// Seconds after which to retry a readiness check.
const RETRY_AFTER: u32 = 5;
/// Maximum time for the database to respond to a readiness check: less than the time that load balancers and orchestrators wait.
const READINESS_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the server accepts requests; shared with the code that shuts it down.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Makes the readiness check fail, because the server is shutting down.
    pub fn drain(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_draining(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Content of the routes that other modules provide.
#[derive(Clone, Debug)]
pub struct PublishedFiles {
    /// Email address and password of the demo account; the pages show them in development only.
    pub demo_login: Option<(&'static str, &'static str)>,
    /// Names and texts of the files under `/postman/`.
    pub postman: Vec<(&'static str, Cow<'static, str>)>,
    /// The public keys of access tokens, as a JWK set.
    pub public_keys: String,
}

/// The routes outside the versions.
pub struct UnversionedRoutes {
    files: HashMap<Cow<'static, str>, StaticFile>,
    db: Db,
    readiness: Readiness,
    security_txt: Option<SecurityTxt>,
}

/// A route of [`UnversionedRoutes`].
#[derive(Clone, Copy)]
pub(super) enum UnversionedRoute<'a> {
    File(&'a StaticFile),
    Live,
    Ready,
    Version,
    SecurityTxt(&'a SecurityTxt),
}

/// A file that does not change while the server runs.
pub(super) struct StaticFile {
    body: Bytes,
    content_type: &'static str,
    csp: Option<HeaderValue>,
    cache_control: HeaderValue,
    etag: HeaderValue,
    /// Whether pages of every origin may read the file.
    is_public: bool,
}

impl UnversionedRoutes {
    /// The methods of every route.
    pub(super) const ALLOW: &'static str = "GET, HEAD, OPTIONS";

    /// Builds the pages and documents.
    #[must_use]
    pub fn new(
        config: &Config,
        db: Db,
        readiness: Readiness,
        published_files: PublishedFiles,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut files = HashMap::new();
        // The current version first.
        let contracts: Vec<&str> = build_info::CONTRACTS.iter().rev().copied().collect();
        let info = PageInfo {
            version: build_info::VERSION,
            commit: build_info::COMMIT,
            environment: config.environment.as_str(),
            demo_login: published_files.demo_login,
            contracts: &contracts,
        };
        for page in pages::pages(&info) {
            let body = match page.body {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => Bytes::from(bytes),
            };
            files.insert(
                page.path,
                StaticFile {
                    body,
                    content_type: page.content_type,
                    csp: Some(HeaderValue::from_static(page.csp)),
                    cache_control: HeaderValue::from_static(page.cache_control),
                    etag: etag_header(&page.etag),
                    is_public: false,
                },
            );
        }
        for file in published::openapi_documents(config.is_public_url_set.then_some(&config.public_url)) {
            files.insert(file.path.into(), public_file(file.text, file.content_type));
        }
        for (name, text) in published_files.postman {
            let file = public_file(text.into_owned(), published::media_type(name));
            files.insert(format!("/postman/{name}").into(), file);
        }
        let keys = public_file(published_files.public_keys, "application/jwk-set+json");
        files.insert("/.well-known/jwks.json".into(), keys);
        Self { files, db, readiness, security_txt: SecurityTxt::new(config, clock) }
    }

    pub(super) fn find(&self, path: &str) -> Option<UnversionedRoute<'_>> {
        match path {
            "/health/live" => Some(UnversionedRoute::Live),
            "/health/ready" => Some(UnversionedRoute::Ready),
            "/version" => Some(UnversionedRoute::Version),
            security_txt::PATH => self.security_txt.as_ref().map(UnversionedRoute::SecurityTxt),
            path => self.files.get(path).map(UnversionedRoute::File),
        }
    }

    pub(super) async fn respond(&self, route: UnversionedRoute<'_>, request: &Request) -> Result<Response, ApiError> {
        match route {
            UnversionedRoute::File(file) => Ok(file.respond(request)),
            UnversionedRoute::Live => Ok(live()),
            UnversionedRoute::Ready => self.ready().await,
            UnversionedRoute::SecurityTxt(file) => {
                let text = file.text();
                let length = text.len();
                let response = Response::builder().content_type(security_txt::MEDIA_TYPE);
                Ok(with_length(response.header(CACHE_CONTROL, "public, max-age=86400").body(text), length))
            }
            UnversionedRoute::Version => Ok(json_response(
                "application/json",
                &json!({
                    "version": build_info::VERSION,
                    "commit": build_info::COMMIT,
                    "built": build_info::BUILT,
                    "contracts": build_info::CONTRACTS,
                }),
            )),
        }
    }

    async fn ready(&self) -> Result<Response, ApiError> {
        let not_ready = |reason: &str| ApiError {
            retry_after: Some(RETRY_AFTER),
            ..ApiError::new(ErrorCode::ServiceUnavailable).with_message(reason)
        };
        if self.readiness.is_draining() {
            return Err(not_ready("The server is shutting down."));
        }
        if !self.db.is_intact() {
            return Err(not_ready("The database file was removed or replaced while the server was running."));
        }
        let check = self
            .db
            .read(|c: &mut DbConnection| migrations::status(c).map_err(|error| Error::Internal(Box::new(error))));
        // At the same time, so that both together take one second at most.
        let (status, writable) = tokio::join!(tokio::time::timeout(READINESS_TIMEOUT, check), self.db.check_writable());
        let status = status
            .map_err(|_| not_ready("The database did not respond within 1 second."))?
            .map_err(|error| not_ready("The database is unavailable.").with_source(error))?;
        if status.required.is_some() {
            return Err(not_ready("The database schema is newer than this server."));
        }
        if !status.pending.is_empty() {
            return Err(not_ready("The database has pending migrations: run `bucketlist migrate up`."));
        }
        writable.map_err(|error| not_ready("The database cannot be written.").with_source(error))?;
        Ok(health(&json!({"status": "pass", "checks": {"database": "pass", "migrations": "pass"}})))
    }
}

impl UnversionedRoute<'_> {
    /// Returns whether pages of every origin may read the response.
    pub(super) fn is_public(&self) -> bool {
        matches!(self, Self::File(file) if file.is_public)
    }
}

impl StaticFile {
    fn respond(&self, request: &Request) -> Response {
        // A malformed condition is ignored.
        let condition = conditional::parse(request.headers().get_all(IF_NONE_MATCH)).ok().flatten();
        let etag = self.etag.to_str().unwrap_or_default().trim_matches('"');
        let not_modified = condition.and_then(|condition| condition.not_modified(etag)).map(|etag| etag_header(&etag));
        let mut response = if not_modified.is_some() {
            Response::builder().status(StatusCode::NOT_MODIFIED).finish()
        } else {
            let body = self.body.clone();
            let length = body.len();
            let response = Response::builder().content_type(self.content_type).body(body);
            with_length(response, length)
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, not_modified.unwrap_or_else(|| self.etag.clone()));
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        if let Some(csp) = &self.csp {
            headers.insert(CONTENT_SECURITY_POLICY, csp.clone());
        }
        if self.is_public {
            allow_any_origin(headers);
        }
        response
    }
}

fn with_length(mut response: Response, length: usize) -> Response {
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Returns the response of `/health/live`.
pub(super) fn live() -> Response {
    health(&json!({"status": "pass"}))
}

/// Returns the media type of draft-inadarei-api-health-check.
fn health(value: &serde_json::Value) -> Response {
    json_response("application/health+json", value)
}

fn json_response(media_type: &str, value: &serde_json::Value) -> Response {
    let text = value.to_string();
    let length = text.len();
    with_length(Response::builder().content_type(media_type).body(text), length)
}

fn etag_header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn public_file(body: impl Into<Bytes>, content_type: &'static str) -> StaticFile {
    let body = body.into();
    let digest = Sha256::digest(&body);
    let mut etag = String::from("\"");
    for byte in &digest[..8] {
        // Writing to a string cannot fail.
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    StaticFile {
        body,
        content_type,
        csp: None,
        cache_control: HeaderValue::from_static("public, no-cache"),
        etag: etag_header(&etag),
        is_public: true,
    }
}
