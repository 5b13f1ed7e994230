//! The unversioned routes: pages, OpenAPI documents, health checks and build information.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use contract::{ApiError, BasePath, ErrorCode, negotiation, problem};
use poem::{
    Request, Response,
    http::{Method, StatusCode, header::CACHE_CONTROL},
};
use serde_json::json;

use super::{
    page_template::{PageTemplate, ServerAddress},
    pages::{self, ListedDeprecation, MailPreview, PageInfo},
    precompressed::{self, Precompressed},
    published,
    security_txt::{self, SecurityTxt},
    static_file::StaticFile,
    unversioned_response::{health, json_response, live, redirect, with_length},
};
use crate::{
    build_info,
    config::{Config, Environment},
    db::{Db, DbConnection, migrations},
    domain::Clock,
    redis::Redis,
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
    /// Email address and password of the administrator; the pages show them in development only.
    pub admin_login: Option<(&'static str, &'static str)>,
    /// The deprecated operations.
    pub deprecations: Vec<ListedDeprecation>,
    /// Names and texts of the files under `/postman/`.
    pub postman: Vec<(&'static str, Cow<'static, str>)>,
    /// The public keys of access tokens, as a JWK set.
    pub public_keys: String,
    /// Mail with sample data; the pages show it in development only.
    pub mails: Vec<MailPreview>,
}

/// The routes outside the versions.
pub struct UnversionedRoutes {
    files: HashMap<Cow<'static, str>, ServedFile>,
    /// The places of operations in the reference, by their path in lower case: `/reference/v2/createitem`.
    operations: HashMap<String, String>,
    not_found_page: StaticFile,
    db: Db,
    /// `None` if servers share no Redis.
    redis: Option<Redis>,
    readiness: Readiness,
    security_txt: Option<SecurityTxt>,
}

/// A file of [`UnversionedRoutes`].
pub(super) enum ServedFile {
    Static(StaticFile),
    Template(PageTemplate),
}

impl From<StaticFile> for ServedFile {
    fn from(file: StaticFile) -> Self {
        Self::Static(file)
    }
}

/// A route of [`UnversionedRoutes`].
#[derive(Clone, Copy)]
pub(super) enum UnversionedRoute<'a> {
    File(&'a ServedFile),
    /// Another spelling of the path of a file.
    Redirect(&'a str),
    /// An operation in the reference.
    Operation(&'a str),
    /// The former path of the reference.
    Moved,
    /// The short path of the changelog.
    Changelog,
    Live,
    Ready,
    Version,
    SecurityTxt(&'a SecurityTxt),
}

impl UnversionedRoutes {
    /// The methods of every route.
    pub(super) const ALLOW: &'static str = "GET, HEAD, OPTIONS";

    /// Builds the pages and documents.
    #[must_use]
    pub fn new(
        config: &Config,
        db: Db,
        redis: Option<Redis>,
        readiness: Readiness,
        published_files: PublishedFiles,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut files = HashMap::new();
        // The current version first.
        let contracts: Vec<&str> = build_info::CONTRACTS.iter().rev().copied().collect();
        let base_path = BasePath::new(config.base_path());
        let captures = config.incidents.limits.filter.to_string();
        let mail_dir = config.smtp_url.is_none().then(|| config.mail_dir().display().to_string());
        let info = PageInfo {
            base_path: base_path.as_str(),
            version: build_info::VERSION,
            commit: build_info::COMMIT,
            environment: config.environment.as_str(),
            demo_login: published_files.demo_login,
            admin_login: published_files.admin_login,
            contracts: &contracts,
            deprecations: &published_files.deprecations,
            mails: &published_files.mails,
            mail_dir: mail_dir.as_deref(),
            captures: &captures,
        };
        // The examples of errors on the pages contain paths.
        let address = ServerAddress::new(config);
        for page in base_path.sync_scope(|| pages::pages(&info)) {
            let path = page.path.clone();
            let file = match PageTemplate::new(page, &address) {
                Ok(template) => ServedFile::Template(template),
                Err(page) => StaticFile::from(page).into(),
            };
            files.insert(path, file);
        }
        for file in published::openapi_documents(config.is_public_url_set.then_some(&config.public_url), &base_path) {
            let body = match file.text {
                Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
                Cow::Owned(text) => Bytes::from(text),
            };
            files.insert(file.path.into(), StaticFile::public(body, file.content_type).into());
        }
        for (name, text) in published_files.postman {
            let file = StaticFile::public(text.into_owned(), published::media_type(name));
            files.insert(format!("/postman/{name}").into(), file.into());
        }
        let keys = StaticFile::public(published_files.public_keys, "application/jwk-set+json");
        files.insert("/.well-known/jwks.json".into(), keys.into());
        // Debug builds compress slowly, and other environments restart often.
        if config.environment == Environment::Production && !cfg!(debug_assertions) {
            compress_ahead(&files);
        }
        let not_found_page = StaticFile::from(pages::not_found(&info));
        Self {
            files,
            operations: pages::operation_anchors().collect(),
            not_found_page,
            db,
            redis,
            readiness,
            security_txt: SecurityTxt::new(config, clock),
        }
    }

    pub(super) fn find(&self, path: &str) -> Option<UnversionedRoute<'_>> {
        match path {
            "/health/live" => Some(UnversionedRoute::Live),
            "/health/ready" => Some(UnversionedRoute::Ready),
            "/version" => Some(UnversionedRoute::Version),
            "/redoc" | "/redoc/" => Some(UnversionedRoute::Moved),
            "/changelog" | "/changelog/" => Some(UnversionedRoute::Changelog),
            security_txt::PATH => self.security_txt.as_ref().map(UnversionedRoute::SecurityTxt),
            path => match self.files.get(path) {
                Some(file) => Some(UnversionedRoute::File(file)),
                None => self
                    .canonical_path(path)
                    .map(UnversionedRoute::Redirect)
                    .or_else(|| self.operation(path).map(UnversionedRoute::Operation)),
            },
        }
    }

    /// Returns the path of the file that this path misspells: with a slash at the end, or with an error code as in a response.
    fn canonical_path<'a>(&'a self, path: &str) -> Option<&'a str> {
        let path = path.trim_end_matches('/');
        let mut candidate = Cow::Borrowed(path);
        if path.starts_with(problem::PAGES_PATH) {
            candidate = Cow::Owned(path.to_ascii_lowercase().replace('_', "-"));
        }
        self.files.get_key_value(candidate.as_ref()).map(|(path, _)| path.as_ref())
    }

    /// Returns the place of an operation in the reference.
    fn operation(&self, path: &str) -> Option<&str> {
        let is_below = path.starts_with("/reference/");
        let key = is_below.then(|| path.trim_end_matches('/').to_ascii_lowercase())?;
        self.operations.get(&key).map(String::as_str)
    }

    /// Returns the path of the reference of the version in a query, `contract=v1`.
    fn reference_of(&self, query: Option<&str>) -> &str {
        let contract = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("contract=")));
        let path = contract.map(|contract| format!("/reference/{contract}"));
        let file = path.and_then(|path| self.files.get_key_value(path.as_str()));
        file.map_or("/reference", |(path, _)| path.as_ref())
    }

    /// Returns the page for an unknown path if the client prefers HTML, as browsers do.
    pub(super) fn not_found(&self, request: &Request) -> Option<Response> {
        static OFFERED: LazyLock<[String; 2]> = LazyLock::new(|| [problem::MEDIA_TYPE, "text/html"].map(str::to_owned));
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let prefers_html = negotiation::negotiate(request.headers(), &*OFFERED) == Some("text/html");
        (is_read && prefers_html).then(|| self.not_found_page.with_status(StatusCode::NOT_FOUND))
    }

    pub(super) async fn respond(&self, route: UnversionedRoute<'_>, request: &Request) -> Result<Response, ApiError> {
        match route {
            UnversionedRoute::File(file) => Ok(self.file(file, request).await),
            // Without the query: the target has a fragment.
            UnversionedRoute::Operation(target) => Ok(redirect(target, None)),
            UnversionedRoute::Redirect(path) => Ok(redirect(path, request.uri().query())),
            UnversionedRoute::Moved => {
                let query = request.uri().query();
                let target = self.reference_of(query);
                // The path replaces the version in the query.
                let pairs = query.into_iter().flat_map(|query| query.split('&'));
                let rest: Vec<&str> = pairs.filter(|pair| !pair.starts_with("contract=")).collect();
                let rest = rest.join("&");
                Ok(redirect(target, Some(rest.as_str()).filter(|rest| !rest.is_empty())))
            }
            UnversionedRoute::Changelog => Ok(redirect("/guides/changelog", None)),
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

    /// Returns a file, or its Markdown if the client prefers that.
    async fn file(&self, file: &ServedFile, request: &Request) -> Response {
        static OFFERED: LazyLock<[String; 2]> = LazyLock::new(|| ["text/html", "text/markdown"].map(str::to_owned));
        let markdown = self.files.get(format!("{}.md", request.uri().path()).as_str());
        let Some(markdown) = markdown else { return self.send(file, request).await };
        let prefers_markdown = negotiation::negotiate(request.headers(), &*OFFERED) == Some("text/markdown");
        // Every response varies by `Accept`.
        self.send(if prefers_markdown { markdown } else { file }, request).await
    }

    async fn send(&self, file: &ServedFile, request: &Request) -> Response {
        match file {
            ServedFile::Static(file) => file.respond(request),
            ServedFile::Template(page) if page.has_state() => page.respond(request, &self.state().await),
            ServedFile::Template(page) => page.respond(request, ""),
        }
    }

    /// Returns the state of the server in words.
    async fn state(&self) -> String {
        match self.check().await {
            Ok(checks) if checks["status"] == "pass" => "Ready".to_owned(),
            Ok(_) => "Ready, without Redis".to_owned(),
            Err(error) => format!("Not ready. {}", error.message.unwrap_or_default()),
        }
    }

    async fn ready(&self) -> Result<Response, ApiError> {
        self.check().await.map(|checks| health(&checks))
    }

    /// Checks whether the server can process requests, and returns the body of `/health/ready`.
    async fn check(&self) -> Result<serde_json::Value, ApiError> {
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
            .read(|c: &mut DbConnection| migrations::read_status(c).map_err(|error| Error::Internal(Box::new(error))));
        // At the same time, so that both together take one second at most.
        let (status, writable) = tokio::join!(tokio::time::timeout(READINESS_TIMEOUT, check), self.db.check_writable());
        let status = status
            .map_err(|_| not_ready("The database did not respond within 1 second."))?
            .map_err(|error| not_ready("The database is unavailable.").with_source(error))?;
        if status.min_version.is_some() {
            return Err(not_ready("The database schema is newer than this server."));
        }
        if !status.pending.is_empty() {
            return Err(not_ready("The database has pending migrations: run `bucketlist migrate up`."));
        }
        writable.map_err(|error| not_ready("The database cannot be written.").with_source(error))?;
        let mut checks = json!({"database": "pass", "migrations": "pass"});
        // Without Redis, the server is slower and its rate limits are its own, but every request succeeds.
        let redis = self.redis.as_ref().map(|redis| ("redis", redis.is_connected()));
        // Without a replica, the primary is busier.
        let replicas = self.db.has_all_replicas().map(|has_all| ("replicas", has_all));
        let status = |passes: bool| if passes { "pass" } else { "warn" };
        let mut passes = true;
        for (name, check_passes) in redis.into_iter().chain(replicas) {
            checks[name] = status(check_passes).into();
            passes &= check_passes;
        }
        Ok(json!({"status": status(passes), "checks": checks}))
    }
}

impl UnversionedRoute<'_> {
    /// Returns whether pages of every origin may read the response.
    pub(super) fn is_public(&self) -> bool {
        match self {
            Self::File(ServedFile::Static(file)) => file.is_public(),
            Self::File(ServedFile::Template(page)) => page.is_public(),
            _ => false,
        }
    }
}

/// Compresses the largest files in the background: the assets of the pages, and the OpenAPI documents.
fn compress_ahead(files: &HashMap<Cow<'static, str>, ServedFile>) {
    let is_large = |path: &str, file: &StaticFile| file.is_immutable() || path.starts_with("/openapi/");
    let large: Vec<Precompressed> = files
        .iter()
        .filter_map(|(path, file)| match file {
            ServedFile::Static(file) if is_large(path, file) => file.compressed(),
            _ => None,
        })
        .collect();
    precompressed::in_background(move || large.iter().for_each(Precompressed::compress_ahead));
}
