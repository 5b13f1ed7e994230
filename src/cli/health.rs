//! `bucketlist health`: checks whether the server on this machine is ready.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ::incidents::replay::Client;
use proxy_header::ProxyHeader;

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
    let preface = preface(config, &url);
    let request = async { Client::new(&url)?.with_preface(preface).send("GET", PATH, &[], b"").await };
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

/// Returns the header that the server expects from this machine: none, or a PROXY protocol header without a client.
fn preface(config: &Config, url: &str) -> Vec<u8> {
    let host = url::Url::parse(url).ok().and_then(|url| url.host().map(|host| host.to_owned()));
    let address: IpAddr = match host {
        Some(url::Host::Ipv4(address)) => address.into(),
        Some(url::Host::Ipv6(address)) => address.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    let is_trusted = config.trusted_proxies.iter().any(|network| network.contains(&address.to_canonical()));
    let mut header = Vec::new();
    if config.connections.proxy_protocol && is_trusted {
        // Writing to a vector cannot fail.
        let _ = ProxyHeader::with_local().encode_v2(&mut header);
    }
    header
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
    fn proxy_protocol_header_is_sent_from_trusted_addresses() {
        let config = |proxy_protocol: &str, trusted: &str| {
            let variables = [("PROXY_PROTOCOL", proxy_protocol), ("TRUSTED_PROXIES", trusted)];
            Config::from_variables(&variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).unwrap()
        };
        for (proxy_protocol, trusted, url, expected) in [
            ("off", "127.0.0.1", "http://127.0.0.1:8000", 0),
            ("on", "10.0.0.0/8", "http://127.0.0.1:8000", 0),
            ("on", "127.0.0.0/8", "http://127.0.0.1:8000", 16),
            ("on", "127.0.0.0/8", "https://localhost:8000", 16),
            ("on", "::1", "http://[::1]:8000", 16),
            ("on", "::1", "http://127.0.0.1:8000", 0),
        ] {
            assert_eq!(preface(&config(proxy_protocol, trusted), url).len(), expected, "{trusted} {url}");
        }
    }

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
