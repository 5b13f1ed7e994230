//! The routes outside the versions: pages, documents, health and version.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use contract::{ApiError, ErrorCode, conditional, v1, v2};
use poem::{
    Request, Response,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH},
    },
};
use serde_json::json;

use super::{
    pages::{self, PageInfo},
    security_txt::{self, SecurityTxt},
};
use crate::{
    build_info,
    config::{Config, Environment},
    db::{Db, DbConnection, migrations},
    domain::Clock,
    postman, seed,
    services::Error,
};

/// Whether the server wants requests; shared with whoever stops it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on the server is stopping.
    pub fn drain(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_draining(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The routes outside the versions.
pub struct UnversionedRoutes {
    files: HashMap<Cow<'static, str>, File>,
    db: Db,
    readiness: Readiness,
    retry_after: u32,
    security: Option<SecurityTxt>,
}

/// A route of [`UnversionedRoutes`].
#[derive(Clone, Copy)]
pub(super) enum Route<'a> {
    File(&'a File),
    Live,
    Ready,
    Version,
    Security(&'a SecurityTxt),
}

/// Something that never changes while the server runs.
pub(super) struct File {
    body: Bytes,
    content_type: &'static str,
    csp: Option<HeaderValue>,
    cache_control: HeaderValue,
    etag: HeaderValue,
}

impl UnversionedRoutes {
    /// What every route outside the versions offers.
    pub(super) const ALLOW: &'static str = "GET, HEAD, OPTIONS";

    /// With the pages and documents of this build, and the keys that others can verify our tokens with.
    #[must_use]
    pub fn new(
        config: &Config,
        db: Db,
        readiness: Readiness,
        public_keys: &serde_json::Value,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut files = HashMap::new();
        let info = PageInfo {
            version: build_info::VERSION,
            commit: build_info::COMMIT,
            environment: config.environment.as_str(),
            demo_login: (config.environment == Environment::Development)
                .then_some((seed::DEMO_EMAIL, seed::DEMO_PASSWORD)),
            contracts: build_info::CONTRACTS,
        };
        for page in pages::pages(&info) {
            let body = match page.body {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => Bytes::from(bytes),
            };
            files.insert(
                page.path,
                File {
                    body,
                    content_type: page.content_type,
                    csp: Some(HeaderValue::from_static(page.csp)),
                    cache_control: HeaderValue::from_static(page.cache_control),
                    etag: header(&page.etag),
                },
            );
        }
        for (version, document) in [("v1", v1::document()), ("v2", v2::document())] {
            files.insert(format!("/openapi/{version}.json").into(), text(document.to_json(), "application/json"));
            files.insert(format!("/openapi/{version}.yaml").into(), text(document.to_yaml(), "application/yaml"));
            let modern = document.to_openapi_3_1();
            files.insert(format!("/openapi/{version}-3.1.json").into(), text(modern.to_json(), "application/json"));
            files.insert(format!("/openapi/{version}-3.1.yaml").into(), text(modern.to_yaml(), "application/yaml"));
        }
        // Committed, not made at each start: the check before a commit says that it is what the code would make.
        let environment = postman::environment(config.environment.as_str(), &config.public_url);
        files.insert("/postman/environment.json".into(), text(environment, "application/json"));
        files.insert("/postman/collection.json".into(), text(postman::COLLECTION, "application/json"));
        files.insert("/.well-known/jwks.json".into(), text(public_keys.to_string(), "application/jwk-set+json"));
        Self { files, db, readiness, retry_after: 5, security: SecurityTxt::new(config, clock) }
    }

    pub(super) fn find(&self, path: &str) -> Option<Route<'_>> {
        match path {
            "/health/live" => Some(Route::Live),
            "/health/ready" => Some(Route::Ready),
            "/version" => Some(Route::Version),
            security_txt::PATH => self.security.as_ref().map(Route::Security),
            path => self.files.get(path).map(Route::File),
        }
    }

    pub(super) async fn answer(&self, route: Route<'_>, request: &Request) -> Result<Response, ApiError> {
        match route {
            Route::File(file) => Ok(file.respond(request)),
            Route::Live => Ok(live()),
            Route::Ready => self.ready().await,
            Route::Security(security) => {
                let text = security.text();
                let length = text.len();
                let response = Response::builder().content_type(security_txt::MEDIA_TYPE);
                Ok(with_length(response.header(CACHE_CONTROL, "public, max-age=86400").body(text), length))
            }
            Route::Version => Ok(json_body(
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
        let not_ready = |why: &str| ApiError {
            retry_after: Some(self.retry_after),
            ..ApiError::new(ErrorCode::ServiceUnavailable).with_message(why)
        };
        if self.readiness.is_draining() {
            return Err(not_ready("This server is stopping."));
        }
        if !self.db.is_intact() {
            return Err(not_ready("The database file was removed or replaced under the server."));
        }
        let status = self
            .db
            .read(|c: &mut DbConnection| migrations::status(c).map_err(|error| Error::Internal(Box::new(error))))
            .await
            .map_err(|error| not_ready("The database cannot be reached.").with_source(error))?;
        if !status.unknown.is_empty() {
            return Err(not_ready("The database is newer than this server."));
        }
        if !status.pending.is_empty() {
            return Err(not_ready("The database has migrations to be done: run `bucketlist migrate up`."));
        }
        Ok(health(&json!({"status": "pass", "checks": {"database": "pass", "migrations": "pass"}})))
    }
}

impl File {
    fn respond(&self, request: &Request) -> Response {
        // A condition that is malformed is none.
        let known = conditional::parse(request.headers().get_all(IF_NONE_MATCH)).ok().flatten();
        let opaque = self.etag.to_str().unwrap_or_default().trim_matches('"');
        let not_modified = known.and_then(|known| known.not_modified(opaque)).map(|etag| header(&etag));
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
        response
    }
}

fn with_length(mut response: Response, length: usize) -> Response {
    response.headers_mut().insert(poem::http::header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// The response of `/health/live`.
pub(super) fn live() -> Response {
    health(&json!({"status": "pass"}))
}

fn health(value: &serde_json::Value) -> Response {
    json_body("application/health+json", value)
}

fn json_body(media_type: &str, value: &serde_json::Value) -> Response {
    let text = value.to_string();
    let length = text.len();
    with_length(Response::builder().content_type(media_type).body(text), length)
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn text(body: impl Into<Bytes>, content_type: &'static str) -> File {
    let body = body.into();
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(&body);
    let mut etag = String::from("\"");
    for byte in &digest[..8] {
        // Writing to a string does not fail.
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    File {
        body,
        content_type,
        csp: None,
        cache_control: HeaderValue::from_static("public, no-cache"),
        etag: header(&etag),
    }
}
