//! Responses until the application has started.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use contract::BasePath;
use poem::{Endpoint, Request, Response, endpoint::BoxEndpoint, http::Method};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Readiness, connection_errors::connection_error_responses, pipeline, unversioned_response};
use crate::server::{ErrorResponder, RejectReason};

/// Forwards requests to the application. Until it has started, `/health/live` returns 200 and all other requests are rejected
/// with 503: migrating and indexing a large database can take minutes.
pub struct StartupGate {
    app: OnceLock<(BoxEndpoint<'static, Response>, Readiness)>,
    started: CancellationToken,
    wait: Duration,
    error_responder: Arc<ErrorResponder>,
    is_https: bool,
    base_path: BasePath,
}

impl StartupGate {
    /// Creates a gate. Requests other than health checks wait for the application for at most `wait`.
    #[must_use]
    pub fn new(is_https: bool, base_path: BasePath, wait: Duration) -> Self {
        let error_responder = connection_error_responses(is_https, &base_path);
        Self { app: OnceLock::new(), started: CancellationToken::new(), wait, error_responder, is_https, base_path }
    }

    /// Forwards requests to the application from now on.
    pub fn open(&self, endpoint: BoxEndpoint<'static, Response>, readiness: Readiness) {
        let _ = self.app.set((endpoint, readiness));
        self.started.cancel();
    }

    /// Makes the readiness check fail. It also fails until the application has started.
    pub fn drain(&self) {
        if let Some((_, readiness)) = self.app.get() {
            readiness.drain();
        }
    }
}

impl Endpoint for StartupGate {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if let Some((app, _)) = self.app.get() {
            return app.call(request).await;
        }
        let path = self.base_path.strip(request.uri().path()).unwrap_or(request.uri().path());
        if path == "/health/live" && matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = unversioned_response::live();
            pipeline::complete(&mut response, &Uuid::now_v7().to_string(), Duration::ZERO, self.is_https);
            return Ok(response);
        }
        let is_health_check = path.starts_with("/health/");
        if !is_health_check
            && timeout(self.wait, self.started.cancelled()).await.is_ok()
            && let Some((app, _)) = self.app.get()
        {
            return app.call(request).await;
        }
        Ok((self.error_responder)(RejectReason::Starting, request.uri().path()))
    }
}
