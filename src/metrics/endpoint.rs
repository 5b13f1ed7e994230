//! `GET /metrics`.

use contract::negotiation::negotiate;
use poem::{
    Endpoint, Request, Response,
    http::{
        HeaderValue, Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, VARY},
    },
};

use prometheus_client::encoding::prometheus_text;

use super::Metrics;

/// Media type of OpenMetrics, and with its parameters.
const OPENMETRICS: (&str, &str) =
    ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8");
/// Media type of the text format of Prometheus.
const PROMETHEUS_TEXT: &str = "text/plain";

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
        let offered = [OPENMETRICS.0, PROMETHEUS_TEXT].map(str::to_owned);
        // A client that accepts neither gets OpenMetrics.
        let (media_type, encoded) = match negotiate(request.headers(), &offered) {
            Some(PROMETHEUS_TEXT) => (prometheus_text::CONTENT_TYPE, self.0.to_prometheus_text()),
            _ => (OPENMETRICS.1, self.0.to_openmetrics()),
        };
        Ok(match encoded {
            Ok(metrics) => {
                let mut response = text(StatusCode::OK, media_type, metrics);
                response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
                response
            }
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
