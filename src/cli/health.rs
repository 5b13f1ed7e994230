//! `bucketlist health`: checks whether the server on this machine is ready.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ::incidents::replay::Client;

use super::CliError;
use crate::config::Config;

/// Shorter than the timeout of a container's health check.
const TIMEOUT: Duration = Duration::from_secs(2);
const PATH: &str = "/health/ready";

/// Fails unless the server is ready.
pub(super) fn run(config: &Config, url: Option<&str>, out: &mut dyn Write) -> Result<(), CliError> {
    let url = match url {
        Some(url) => url.to_owned(),
        None if config.is_https() => {
            return Err(CliError::with_help(
                "the server has a TLS certificate, and HOST is not a name in it",
                "pass --url with a name of the certificate, such as --url https://localhost:8443",
            ));
        }
        None => local_url(config.host, config.port),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let request = async { Client::new(&url)?.send("GET", PATH, &[], b"").await };
    let response = match runtime.block_on(async { tokio::time::timeout(TIMEOUT, request).await }) {
        Ok(response) => response.map_err(|error| CliError::Message(error.to_string()))?,
        Err(_) => {
            return Err(CliError::Message(format!("{url} did not respond within {} seconds", TIMEOUT.as_secs())));
        }
    };
    if response.status == 200 {
        writeln!(out, "{url} is ready")?;
        return Ok(());
    }
    Err(CliError::Message(format!("{url} is not ready: {PATH} returned {}", response.status)))
}

/// Returns the URL of a server that listens on this address.
fn local_url(host: IpAddr, port: u16) -> String {
    let host = match host {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    format!("http://{}", SocketAddr::new(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_on_all_addresses_is_checked_on_the_loopback_address() {
        for (host, url) in [
            ("0.0.0.0", "http://127.0.0.1:8000"),
            ("127.0.0.1", "http://127.0.0.1:8000"),
            ("192.0.2.1", "http://192.0.2.1:8000"),
            ("::", "http://[::1]:8000"),
        ] {
            assert_eq!(local_url(host.parse().unwrap(), 8000), url);
        }
    }
}
