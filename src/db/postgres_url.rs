//! The parts of a PostgreSQL URL that the server checks. libpq parses the URL itself.

use std::net::IpAddr;

use url::form_urlencoded;

/// A URL as libpq accepts it: `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME?PARAMETER=VALUE`, where every part is optional.
#[derive(Debug)]
pub struct PostgresUrl {
    hosts: Vec<String>,
    name: String,
    parameters: Vec<(String, String)>,
}

impl PostgresUrl {
    /// Parses a URL; `None` if it has another scheme or an invalid port.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        let addresses = authority.rsplit_once('@').map_or(authority, |(_, addresses)| addresses);
        let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut hosts = addresses.split(',').map(host).collect::<Option<Vec<_>>>()?;
        if let Some((_, list)) = parameters.iter().find(|(name, _)| name == "host") {
            hosts = list.split(',').map(str::to_owned).collect();
        }
        Some(Self { hosts, name: decode(name), parameters })
    }

    /// Returns whether the URL names a database. Without a name, libpq uses the name of the user.
    #[must_use]
    pub fn has_name(&self) -> bool {
        !self.name.is_empty() || self.parameter("dbname").is_some_and(|name| !name.is_empty())
    }

    /// Returns the value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether every host is this machine: a socket, `localhost` or a loopback address.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.hosts.iter().all(|host| {
            let is_socket = host.is_empty() || host.starts_with(['/', '@']);
            is_socket || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }
}

/// Returns the host of `HOST` or `HOST:PORT`; `None` if the port is not a number.
fn host(address: &str) -> Option<String> {
    let (host, port) = match address.strip_prefix('[').and_then(|address| address.split_once(']')) {
        Some((host, rest)) if rest.is_empty() || rest.starts_with(':') => (host, rest.strip_prefix(':')),
        Some(_) => return None,
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let is_valid = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    is_valid.then(|| decode(host))
}

/// Decodes percent-encoding, as of a socket's folder: `%2Fvar%2Frun%2Fpostgresql`.
fn decode(text: &str) -> String {
    // A plus sign is not a space outside of a form.
    let text = text.replace('+', "%2B");
    form_urlencoded::parse(text.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_and_loopback_addresses_are_local() {
        for (url, is_local) in [
            ("postgres:///lists", true),
            ("postgres://ada:p@localhost:5432/lists", true),
            ("postgres://127.0.0.1,[::1]:5433/lists", true),
            ("postgres://%2Fvar%2Frun%2Fpostgresql/lists", true),
            ("postgres://ada@/lists?host=/socket", true),
            ("postgres://localhost,db.example.com/lists", false),
            ("postgres://localhost/lists?host=db.example.com", false),
        ] {
            assert_eq!(PostgresUrl::parse(url).unwrap().is_local(), is_local, "{url}");
        }
        assert!(PostgresUrl::parse("sqlite://lists.db").is_none());
        let url = PostgresUrl::parse("postgres://db/lists?sslmode=verify-full").unwrap();
        assert_eq!((url.parameter("sslmode"), url.parameter("host")), (Some("verify-full"), None));
    }
}
