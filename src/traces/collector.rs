//! Sends spans to the collector over HTTP.

use std::{io::Read as _, sync::Arc, time::Duration};

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio_rustls::rustls::crypto::ring;
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// Maximum size of a response of the collector.
const MAX_RESPONSE_BYTES: u64 = 64 * 1024;

/// An HTTP client that blocks its thread, which only exports.
#[derive(Debug)]
pub(super) struct CollectorClient(Agent);

impl CollectorClient {
    /// Creates a client. `timeout` limits each request.
    pub(super) fn new(timeout: Duration, is_https: bool) -> Self {
        let certificates = if is_https { system_certificates() } else { Vec::new() };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(certificates)))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls)
            .user_agent(concat!("bucketlist/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(config.new_agent())
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let response = self.0.run(Request::from_parts(parts, body.as_ref()))?;
        let (parts, body) = response.into_parts();
        let mut bytes = Vec::new();
        body.into_reader().take(MAX_RESPONSE_BYTES).read_to_end(&mut bytes)?;
        Ok(Response::from_parts(parts, bytes.into()))
    }
}

/// Returns the certificate authorities that the system trusts.
fn system_certificates() -> Vec<Certificate<'static>> {
    let loaded = rustls_native_certs::load_native_certs();
    for error in loaded.errors {
        tracing::warn!(%error, "cannot load a certificate authority of the system");
    }
    loaded.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}

#[async_trait::async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.send(request)
    }
}
