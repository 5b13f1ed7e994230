//! `GET /metrics`.

use poem::{
    Endpoint, Request, Response,
    http::{
        HeaderValue, Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH},
    },
};

use super::Metrics;

/// Media type of OpenMetrics.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The endpoint of the metrics listener.
pub struct MetricsEndpoint(Metrics);

impl MetricsEndpoint {
    #[must_use]
    pub const fn new(metrics: Metrics) -> Self {
        Self(metrics)
    }
}

impl Endpoint for MetricsEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if request.uri().path() != "/metrics" {
            return Ok(text(
                StatusCode::NOT_FOUND,
                "text/plain",
                "not found: the metrics are at /metrics\n".to_owned(),
            ));
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "use GET\n".to_owned());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Ok(response);
        }
        Ok(match self.0.to_text() {
            Ok(metrics) => text(StatusCode::OK, MEDIA_TYPE, metrics),
            Err(error) => {
                tracing::error!(%error, "cannot encode metrics");
                text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "cannot encode metrics; see the log\n".to_owned())
            }
        })
    }
}

fn text(status: StatusCode, media_type: &str, body: String) -> Response {
    Response::builder()
        .status(status)
        .content_type(media_type)
        .header(CACHE_CONTROL, "no-store")
        .header(CONTENT_LENGTH, body.len())
        .body(body)
}
