//! The parts of a PostgreSQL URL that the server checks. libpq parses the URL itself.

use std::net::IpAddr;

use url::form_urlencoded;

/// A URL as libpq accepts it: `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME?PARAMETER=VALUE`, where every part is optional.
#[derive(Debug)]
pub struct PostgresUrl {
    hosts: Vec<String>,
    addresses: String,
    name: String,
    parameters: Vec<(String, String)>,
}

impl PostgresUrl {
    /// Parses a URL. Returns `None` if it has another scheme, an invalid port or encoding, or an `@` in the password: libpq would
    /// mistake the rest of the password for the host and print it.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
        if !is_percent_encoded(rest) {
            return None;
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        let addresses = authority.split_once('@').map_or(authority, |(_, addresses)| addresses);
        if addresses.contains('@') || name.contains('@') {
            return None;
        }
        let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut hosts = addresses.split(',').map(host).collect::<Option<Vec<_>>>()?;
        if let Some((_, list)) = parameters.iter().find(|(name, _)| name == "host") {
            hosts = list.split(',').map(str::to_owned).collect();
        }
        let addresses = if addresses.is_empty() {
            // A socket.
            let value = |name: &str| parameters.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
            [value("host"), value("port")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(":")
        } else {
            decode(addresses)
        };
        Some(Self { hosts, addresses, name: decode(name), parameters })
    }

    /// Returns whether the URL names a database. Without a name, libpq uses the name of the user.
    #[must_use]
    pub fn has_name(&self) -> bool {
        self.name().is_some()
    }

    /// Returns the name of the database.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.parameter("dbname").or(Some(&self.name)).filter(|name| !name.is_empty())
    }

    /// Returns the hosts with their ports, without credentials.
    #[must_use]
    pub fn addresses(&self) -> &str {
        &self.addresses
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

/// Replaces the password of a URL in a message of libpq, which prints parts of a URL that it cannot parse.
pub(super) fn mask_password(url: &str, message: &str) -> String {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
    let password = login.split_once(':').map_or("", |(_, password)| password);
    let mut message = message.to_owned();
    for secret in [password.to_owned(), decode(password)] {
        if !secret.is_empty() {
            message = message.replace(&secret, "***");
        }
    }
    message
}

/// Returns whether each percent sign is followed by two hexadecimal digits that are not zero.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.get(..2).unwrap_or_default();
        digits.len() == 2 && digits != "00" && digits.chars().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// Returns the host of `HOST` or `HOST:PORT`; `None` if the port is not a number.
fn host(address: &str) -> Option<String> {
    let (host, port) = match address.strip_prefix('[').and_then(|address| address.split_once(']')) {
        Some((host, rest)) if !host.is_empty() && (rest.is_empty() || rest.starts_with(':')) => {
            (host, rest.strip_prefix(':'))
        }
        Some(_) => return None,
        None if address.starts_with('[') => return None,
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let is_valid = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    is_valid.then(|| decode(host))
}

/// Decodes percent-encoding, as of a socket's directory: `%2Fvar%2Frun%2Fpostgresql`.
fn decode(text: &str) -> String {
    // A plus sign is not a space outside of a form.
    let text = text.replace('+', "%2B");
    form_urlencoded::parse(text.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_libpq_would_print_are_rejected() {
        for url in [
            "postgres://ada:sec%zzret@h/n",
            "postgres://ada:secret%@h/n",
            "postgres://ada:sec%00ret@h/n",
            "postgres://ada:sec@ret@h/n",
            "postgres://ada:12/sec@h/n",
            "postgres://ada:secret@[]/n",
            "postgres://ada:secret@[::1/n",
            "postgres://ada:secret@[abc/n",
        ] {
            assert!(PostgresUrl::parse(url).is_none(), "{url}");
        }
        assert!(PostgresUrl::parse("postgres://ada:sec%40ret@h,[::1]:5433/n?host=a%2Fb").is_some());
    }

    #[test]
    fn password_is_masked_in_messages() {
        let url = "postgres://ada:s%40cret@h/n";
        let message = "cannot parse \"postgres://ada:s%40cret@h/n\" with s@cret";
        assert_eq!(mask_password(url, message), "cannot parse \"postgres://ada:***@h/n\" with ***");
        for url in ["postgres://ada@h/n", "postgres:///n", "postgres://ada:@h/n"] {
            assert_eq!(mask_password(url, message), message, "{url}");
        }
    }

    #[test]
    fn addresses_have_no_credentials() {
        for (url, expected) in [
            ("postgres://ada:pw@db1.example.com:5433,db2/lists", "db1.example.com:5433,db2"),
            ("postgres://ada:pw@/lists?host=/socket&port=5433&password=pw", "/socket:5433"),
            ("postgres://ada:pw@%2Fsocket:5433/lists", "/socket:5433"),
            ("postgres:///lists", ""),
        ] {
            assert_eq!(PostgresUrl::parse(url).unwrap().addresses(), expected, "{url}");
        }
    }

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
