//! What the server listens on: the port of the API and, where it is served over HTTPS, a port that leads there.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use poem::{Endpoint, Response};
use tokio::sync::watch;

use super::CliError;
use crate::{
    config::{Config, Connections},
    http::{HttpsRedirect, connection_error_responses},
    server::{
        Limits, Server,
        tls::{Certificates, Files},
    },
};

/// Open files that are no connections of clients: the database, the log, the listeners.
const OTHER_FILES: u64 = 128;

/// Everything that listens, before anybody is let in.
pub(super) struct Listening {
    api: TcpListener,
    redirect: Option<TcpListener>,
    certificates: Option<Arc<Certificates>>,
}

/// The files of the certificate, if HTTPS is served.
pub(super) fn files(connections: &Connections) -> Option<Files> {
    let (certificate, key) = connections.certificate.clone()?;
    Some(Files { certificate, key })
}

/// The certificate, if HTTPS is served.
pub(super) fn certificates(config: &Config) -> Result<Option<Arc<Certificates>>, CliError> {
    let certificates = files(&config.connections).map(Certificates::open).transpose();
    certificates.map_err(|error| CliError::Message(error.to_string()))
}

/// How many connections there may be; fewer than configured where the system does not let a process open so many files.
pub(super) fn places(connections: &Connections) -> usize {
    let wanted = u64::from(connections.max).saturating_add(OTHER_FILES);
    let files = rlimit::increase_nofile_limit(wanted).unwrap_or(wanted);
    usize::try_from(files.saturating_sub(OTHER_FILES).clamp(1, u64::from(connections.max))).unwrap_or(1)
}

impl Listening {
    /// Takes the ports.
    pub(super) fn open(config: &Config, certificates: Option<Arc<Certificates>>) -> Result<Self, CliError> {
        let redirect = config.connections.redirect_port.map(|port| bind(config, port, "HTTP_REDIRECT_PORT"));
        Ok(Self { api: bind(config, config.port, "PORT")?, redirect: redirect.transpose()?, certificates })
    }

    /// Where the API is.
    pub(super) fn url(&self) -> io::Result<String> {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        Ok(url(scheme, self.api.local_addr()?))
    }

    /// What leads there.
    pub(super) fn redirect_url(&self) -> io::Result<Option<String>> {
        self.redirect.as_ref().map(|listener| Ok(url("http", listener.local_addr()?))).transpose()
    }

    /// Serves until it is asked to stop and what is in flight has ended.
    pub(super) async fn serve(
        self,
        config: &Config,
        endpoint: impl Endpoint<Output = Response> + 'static,
        asked_to_stop: impl Future<Output = ()>,
    ) -> Result<(), CliError> {
        let limits = limits(config);
        let acceptor = self.certificates.as_ref().map(Certificates::acceptor).transpose();
        let acceptor = acceptor.map_err(|error| CliError::Message(error.to_string()))?;
        let api = Server::new(self.api, acceptor, endpoint, connection_error_responses(config.is_https()), limits)?;
        let redirect = self.redirect.map(|listener| {
            let refuse = connection_error_responses(false);
            Server::new(listener, None, HttpsRedirect::new(&config.public_url, Arc::clone(&refuse)), refuse, limits)
        });
        let redirect = redirect.transpose()?;
        let watching = self
            .certificates
            .map(|certificates| tokio::spawn(certificates.watch(config.connections.certificate_interval)));
        let (stop, stopped) = watch::channel(false);
        let until_stopped = || {
            let mut stopped = stopped.clone();
            async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            }
        };
        let leading = async {
            if let Some(redirect) = redirect {
                redirect.run(until_stopped()).await;
            }
        };
        let stopping = async {
            asked_to_stop.await;
            let _ = stop.send(true);
        };
        tokio::join!(stopping, api.run(until_stopped()), leading);
        if let Some(watching) = watching {
            watching.abort();
        }
        Ok(())
    }
}

fn limits(config: &Config) -> Limits {
    let Connections { max, header_timeout, idle_timeout, send_timeout, .. } = config.connections;
    let places = places(&config.connections);
    if places < usize::try_from(max).unwrap_or(usize::MAX) {
        tracing::warn!(places, "fewer connections than MAX_CONNECTIONS: the system lets a process open no more files");
    }
    // The body may take its time to arrive, the answer as long to be made, and then it has to move.
    let answer_timeout = config.limits.request_timeout.saturating_mul(2).saturating_add(Duration::from_secs(2));
    Limits {
        connections: places,
        header_timeout,
        idle_timeout,
        send_timeout,
        answer_timeout: answer_timeout.saturating_add(send_timeout),
        shutdown_timeout: config.shutdown_timeout,
    }
}

fn url(scheme: &str, address: SocketAddr) -> String {
    let port = address.port();
    let host = if address.ip().is_unspecified() { format!("localhost:{port}") } else { address.to_string() };
    format!("{scheme}://{host}")
}

fn bind(config: &Config, port: u16, variable: &str) -> Result<TcpListener, CliError> {
    let address = SocketAddr::new(config.host, port);
    let listener = TcpListener::bind(address).map_err(|error| {
        CliError::Message(match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("port {port} is taken; stop the other server, or let {variable} name a free one")
            }
            io::ErrorKind::PermissionDenied => {
                format!("this user may not listen on port {port}; let {variable} name one above 1023")
            }
            _ => {
                format!("cannot listen on {address} ({error}); let HOST and {variable} name an address of this machine")
            }
        })
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
