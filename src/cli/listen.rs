//! Opens the ports of the server: the API and, with HTTPS, an optional port that redirects to it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use contract::BasePath;
use listenfd::ListenFd;
use poem::{Endpoint, Response};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{CliError, error::io_reason};
use crate::{
    config::{Config, ConnectionSettings},
    endpoints::longest_time_limit,
    http::{HttpsRedirect, connection_error_responses},
    metrics::MetricsEndpoint,
    server::{
        ConnectionLimits, Server,
        tls::{CertificateFiles, Certificates, TlsError},
    },
};

/// Number of open files that are not client connections: the database, the log and the listeners.
const OTHER_FILES: u64 = 128;

/// Maximum number of connections to the metrics listener: each Prometheus server needs one.
const METRICS_CONNECTIONS: usize = 16;

/// The open ports, before the first connection is accepted.
pub(super) struct Listeners {
    api: TcpListener,
    is_api_passed: bool,
    redirect: Option<TcpListener>,
    metrics: Option<TcpListener>,
    certificates: Option<Arc<Certificates>>,
}

/// Returns the certificate files, if HTTPS is configured.
pub(super) fn certificate_files(connections: &ConnectionSettings) -> Option<CertificateFiles> {
    let (certificate, key) = connections.certificate.clone()?;
    Some(CertificateFiles { certificate, key })
}

/// Loads the certificate, if HTTPS is configured.
pub(super) fn load_certificates(config: &Config) -> Result<Option<Arc<Certificates>>, TlsError> {
    certificate_files(&config.connections).map(Certificates::open).transpose()
}

/// Returns the maximum number of connections: `MAX_CONNECTIONS`, or fewer if the process may not open that many files.
pub(super) fn max_connections(connections: &ConnectionSettings) -> usize {
    let wanted = u64::from(connections.max).saturating_add(OTHER_FILES);
    let files = rlimit::increase_nofile_limit(wanted).unwrap_or(wanted);
    usize::try_from(files.saturating_sub(OTHER_FILES).clamp(1, u64::from(connections.max))).unwrap_or(1)
}

impl Listeners {
    /// Binds the ports. The port of the API may have been bound by systemd.
    pub(super) fn bind(config: &Config, certificates: Option<Arc<Certificates>>) -> Result<Self, CliError> {
        let address = |port| SocketAddr::new(config.host, port);
        let redirect = config.connections.redirect_port.map(|port| bind(address(port), "HTTP_REDIRECT_PORT"));
        let passed = passed_listener(&mut ListenFd::from_env())?;
        Ok(Self {
            is_api_passed: passed.is_some(),
            api: passed.map_or_else(|| bind(address(config.port), "PORT"), Ok)?,
            redirect: redirect.transpose()?,
            metrics: bind_metrics(config)?,
            certificates,
        })
    }

    /// Returns whether systemd has bound the port of the API.
    pub(super) fn is_api_passed(&self) -> bool {
        self.is_api_passed
    }

    /// Returns the base URL of the API on this machine.
    pub(super) fn url(&self) -> io::Result<String> {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        Ok(url(scheme, self.api.local_addr()?))
    }

    /// Returns the base URL of the port that redirects to HTTPS.
    pub(super) fn redirect_url(&self) -> io::Result<Option<String>> {
        self.redirect.as_ref().map(|listener| Ok(url("http", listener.local_addr()?))).transpose()
    }

    /// Returns the URL of the metrics.
    pub(super) fn metrics_url(&self) -> io::Result<Option<String>> {
        self.metrics.as_ref().map(metrics_url).transpose()
    }

    /// Takes the metrics listener, which is served separately.
    pub(super) fn take_metrics(&mut self) -> Option<TcpListener> {
        self.metrics.take()
    }

    /// Returns the certificate, if HTTPS is configured.
    pub(super) fn certificates(&self) -> Option<Arc<Certificates>> {
        self.certificates.clone()
    }

    /// Serves until `shutdown` is cancelled and the connections have closed. After `draining`, connections close after their next response.
    pub(super) async fn serve(
        self,
        config: &Config,
        endpoint: impl Endpoint<Output = Response> + 'static,
        limits: watch::Receiver<ConnectionLimits>,
        draining: CancellationToken,
        shutdown: CancellationToken,
    ) -> Result<(), CliError> {
        let connections = limits.borrow().connections;
        if connections < usize::try_from(config.connections.max).unwrap_or(usize::MAX) {
            tracing::warn!(connections, "MAX_CONNECTIONS exceeds the limit of open files");
        }
        let acceptor = self.certificates.as_ref().map(Certificates::acceptor).transpose()?;
        let base_path = BasePath::new(config.base_path());
        let responses = connection_error_responses(config.is_https(), &base_path);
        // Without proxies, no connection begins with a header.
        let proxies = if config.connections.proxy_protocol { config.trusted_proxies.clone() } else { Vec::new() };
        let api = Server::new(self.api, acceptor, endpoint, responses, limits.clone())?
            .expecting_proxy_headers_from(proxies.clone())
            .draining_after(draining.clone());
        let redirect = self.redirect.map(|listener| {
            let responses = connection_error_responses(false, &base_path);
            Server::new(
                listener,
                None,
                HttpsRedirect::new(&config.public_url, base_path, Arc::clone(&responses)),
                responses,
                limits,
            )
        });
        let redirect = redirect
            .transpose()?
            .map(|redirect| redirect.expecting_proxy_headers_from(proxies).draining_after(draining));
        let watching = self
            .certificates
            .map(|certificates| tokio::spawn(certificates.watch(config.connections.certificate_check_interval)));
        let redirecting = async {
            if let Some(redirect) = redirect {
                redirect.run(shutdown.clone()).await;
            }
        };
        tokio::join!(api.run(shutdown.clone()), redirecting);
        if let Some(watching) = watching {
            watching.abort();
        }
        Ok(())
    }
}

/// Binds the port of the metrics, if there is one.
pub(super) fn bind_metrics(config: &Config) -> Result<Option<TcpListener>, CliError> {
    config.metrics_address.map(|address| bind(address, "METRICS_ADDR")).transpose()
}

/// Like [`bind_metrics`], but returns `None` if another process, such as the server on this machine, uses the address.
pub(super) fn bind_metrics_if_free(config: &Config) -> Result<Option<TcpListener>, CliError> {
    let Some(address) = config.metrics_address else { return Ok(None) };
    match TcpListener::bind(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            tracing::warn!(%address, "METRICS_ADDR already in use; set another address for the worker to serve its metrics");
            Ok(None)
        }
        bound => check_bound(bound, address, "METRICS_ADDR").map(Some),
    }
}

/// Returns the URL of the metrics.
pub(super) fn metrics_url(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("{}/metrics", url("http", listener.local_addr()?)))
}

/// Serves the metrics until `shutdown` is cancelled.
pub(super) async fn serve_metrics(
    listener: TcpListener,
    endpoint: MetricsEndpoint,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
) {
    let limits = watch::channel(ConnectionLimits { connections: METRICS_CONNECTIONS, ..limits }).1;
    match Server::new(listener, None, endpoint, connection_error_responses(false, &BasePath::default()), limits) {
        Ok(server) => server.run(shutdown).await,
        Err(error) => tracing::error!(%error, "cannot serve metrics"),
    }
}

/// Returns the limits of connections.
pub(super) fn connection_limits(config: &Config) -> ConnectionLimits {
    let ConnectionSettings { header_timeout, idle_timeout, send_timeout, .. } = config.connections;
    // Receiving the request and processing it can each take REQUEST_TIMEOUT, and processing also the time limit of its operation. After
    // that, the response must make progress.
    let request_timeout = config.limits.request_timeout;
    let work = request_timeout.max(longest_time_limit());
    let response_timeout = request_timeout.saturating_add(work).saturating_add(Duration::from_secs(2));
    ConnectionLimits {
        connections: max_connections(&config.connections),
        header_timeout,
        idle_timeout,
        send_timeout,
        response_timeout: response_timeout.saturating_add(send_timeout),
        shutdown_timeout: connection_shutdown_timeout(config.shutdown_timeout),
        body_bytes: config.limits.body_bytes,
    }
}

/// Returns the part of `SHUTDOWN_TIMEOUT` that connections may use. The rest is reserved for background tasks, which complete the
/// work of the last requests.
fn connection_shutdown_timeout(total: Duration) -> Duration {
    const MAX_RESERVE: Duration = Duration::from_secs(2);
    total.saturating_sub((total / 4).min(MAX_RESERVE))
}

fn url(scheme: &str, address: SocketAddr) -> String {
    let port = address.port();
    let host = if address.ip().is_unspecified() { format!("localhost:{port}") } else { address.to_string() };
    format!("{scheme}://{host}")
}

/// Returns the socket that systemd has bound (socket activation). It accepts connections while the server restarts, and may have a
/// port below 1024.
fn passed_listener(passed: &mut ListenFd) -> Result<Option<TcpListener>, CliError> {
    let help = "use one `ListenStream=` with a port in the socket unit";
    let listener = match passed.len() {
        0 => return Ok(None),
        1 => passed.take_tcp_listener(0),
        count => return Err(CliError::with_help(format!("systemd has passed {count} sockets instead of one"), help)),
    };
    let listener = listener.map_err(|error| {
        CliError::with_help(format!("cannot use the socket that systemd has passed: {}", io_reason(&error)), help)
    })?;
    if let Some(listener) = &listener {
        listener.set_nonblocking(true)?;
        tracing::info!(address = %listener.local_addr()?, "listening on the socket of the service manager; HOST and PORT do not apply");
    }
    Ok(listener)
}

fn bind(address: SocketAddr, variable: &str) -> Result<TcpListener, CliError> {
    check_bound(TcpListener::bind(address), address, variable)
}

/// Describes an error of binding a port.
fn check_bound(bound: io::Result<TcpListener>, address: SocketAddr, variable: &str) -> Result<TcpListener, CliError> {
    let port = address.port();
    let listener = bound.map_err(|error| {
        let message = format!("cannot listen on {address}: {}", io_reason(&error));
        match error.kind() {
            io::ErrorKind::AddrInUse => CliError::with_help(
                format!("port {port} is already in use"),
                format!("stop the other server, or set {variable} to another port"),
            ),
            io::ErrorKind::PermissionDenied => {
                CliError::with_help(message, format!("set {variable} to a port above 1023"))
            }
            _ => CliError::with_help(
                message,
                match variable {
                    "METRICS_ADDR" => "set METRICS_ADDR to an address of this machine".to_owned(),
                    _ => format!("set HOST and {variable} to an address of this machine"),
                },
            ),
        }
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_time_for_background_tasks() {
        for (total, connections) in [(200, 150), (4_000, 3_000), (20_000, 18_000)] {
            let (total, connections) = (Duration::from_millis(total), Duration::from_millis(connections));
            assert_eq!(connection_shutdown_timeout(total), connections);
        }
    }
}
