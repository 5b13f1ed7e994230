//! Parses the settings of connections.

use std::{net::SocketAddr, path::PathBuf};

use super::{ConnectionSettings, parse::VariableParser};

impl VariableParser<'_> {
    pub(super) fn parse_connections(&mut self, port: u16) -> ConnectionSettings {
        let certificate = self.parse_certificate();
        let redirect_port = self.parse_redirect_port("HTTP_REDIRECT_PORT", port);
        let proxy_protocol = self.parse_boolean("PROXY_PROTOCOL");
        if proxy_protocol && self.non_empty("TRUSTED_PROXIES").is_none() {
            self.add_error(
                "PROXY_PROTOCOL",
                "requires TRUSTED_PROXIES, the addresses of the proxies that send the header",
            );
        }
        ConnectionSettings {
            certificate,
            certificate_check_interval: self.parse_duration("TLS_CHECK_INTERVAL"),
            redirect_port,
            proxy_protocol,
            max: self.parse_integer("MAX_CONNECTIONS"),
            header_timeout: self.parse_duration("HEADER_TIMEOUT"),
            idle_timeout: self.parse_duration("IDLE_TIMEOUT"),
            send_timeout: self.parse_duration("SEND_TIMEOUT"),
        }
    }

    pub(super) fn parse_metrics_address(&mut self, name: &'static str) -> Option<SocketAddr> {
        let text = self.non_empty(name)?;
        let address = text.parse().ok();
        if address.is_none() {
            self.add_error(name, format!("`{text}` is not an IP address and a port, such as 127.0.0.1:9100"));
        }
        address
    }

    fn parse_certificate(&mut self) -> Option<(PathBuf, PathBuf)> {
        match (self.non_empty("TLS_CERT"), self.non_empty("TLS_KEY")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            (Some(_), None) => {
                self.add_error("TLS_KEY", "must be set if TLS_CERT is set");
                None
            }
            (None, Some(_)) => {
                self.add_error("TLS_CERT", "must be set if TLS_KEY is set");
                None
            }
        }
    }

    fn parse_redirect_port(&mut self, name: &'static str, port: u16) -> Option<u16> {
        let text = self.non_empty(name)?;
        let has_tls = self.non_empty("TLS_CERT").is_some();
        let is_https = self.non_empty("PUBLIC_URL").map_or(has_tls, |url| url.starts_with("https://"));
        match text.parse::<u16>() {
            Err(_) => self.add_error(name, format!("`{text}` is not a port number from 0 to 65535")),
            Ok(_) if !is_https => self.add_error(name, "requires a PUBLIC_URL that starts with https://"),
            Ok(other) if other == port && port != 0 => self.add_error(name, "must differ from PORT"),
            Ok(other) => return Some(other),
        }
        None
    }
}
