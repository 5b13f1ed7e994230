//! Addresses of Redis: one server, or the primary that Sentinel names.

use std::fmt;

use ::redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult, TlsMode,
    aio::MultiplexedConnection,
    io::tcp::TcpSettings,
    sentinel::{SentinelClientBuilder, SentinelServerType},
};
use url::Url;

/// Default port of Sentinel.
const SENTINEL_PORT: u16 = 26_379;
const FORM: &str = "must have the form redis://USER:PASSWORD@HOST:PORT/DATABASE, rediss:// for TLS, unix:///PATH, or \
                    redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME, with special characters encoded, such as %40 for @";

/// The address of Redis, with its credentials. `Display` and `Debug` show no credentials.
#[derive(Clone)]
pub struct RedisAddress {
    text: String,
    target: Target,
}

#[derive(Clone)]
enum Target {
    Server(Box<ConnectionInfo>),
    Sentinel(Sentinel),
}

#[derive(Clone)]
struct Sentinel {
    nodes: Vec<ConnectionAddr>,
    /// The name of the primary.
    name: String,
    is_tls: bool,
    redis: RedisConnectionInfo,
    /// Credentials of the nodes of Sentinel; `None` if they need none.
    user: Option<String>,
    password: Option<String>,
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl RedisAddress {
    /// Parses a URL.
    ///
    /// # Errors
    /// The problem, without any part of the URL.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        if ["redis+cluster://", "rediss+cluster://", "redis-cluster://", "rediss-cluster://"]
            .iter()
            .any(|s| url.starts_with(s))
        {
            return Err(
                "Redis Cluster is not supported; use Sentinel: redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME",
            );
        }
        for (scheme, is_tls) in [("redis+sentinel://", false), ("rediss+sentinel://", true)] {
            if let Some(rest) = url.strip_prefix(scheme) {
                return Self::sentinel(rest, is_tls).ok_or(FORM);
            }
        }
        let parsed = Url::parse(url).map_err(|_| FORM)?;
        if parsed.fragment().is_some() {
            return Err("must not have a fragment: the certificate of the server is always verified");
        }
        let is_socket = parsed.scheme() == "unix" && parsed.path().len() > 1;
        if !is_socket && !matches!(parsed.scheme(), "redis" | "rediss") {
            return Err(FORM);
        }
        let text = if is_socket {
            format!("unix://{}", parsed.path())
        } else {
            let host = parsed.host_str().ok_or(FORM)?;
            format!("{}://{host}:{}", parsed.scheme(), parsed.port().unwrap_or(6_379))
        };
        let info = parsed.into_connection_info().map_err(|_| FORM)?;
        Ok(Self { text, target: Target::Server(Box::new(info)) })
    }

    /// Parses `[USER:PASSWORD@]HOST[:PORT],…/NAME[/DATABASE]`, and the credentials of Sentinel in the query.
    fn sentinel(rest: &str, is_tls: bool) -> Option<Self> {
        let (authority, path) = rest.split_once('/')?;
        let (credentials, hosts) = authority.rsplit_once('@').map_or(("", authority), |(left, right)| (left, right));
        // Only the credentials, the path and the query are left for the parser.
        let url = Url::parse(&format!("redis://{credentials}@sentinel/{path}")).ok()?;
        let mut segments = url.path_segments()?;
        let name = segments.next().filter(|name| !name.is_empty())?.to_owned();
        let database = segments.next().filter(|database| !database.is_empty()).unwrap_or("0");
        let mut server = url.clone();
        server.set_path(&format!("/{database}"));
        let info = server.into_connection_info().ok()?;
        let query = |key: &str| url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned());
        let nodes = hosts.split(',').map(|node| sentinel_node(node, is_tls)).collect::<Option<Vec<_>>>()?;
        let sentinel = Sentinel {
            nodes,
            name: name.clone(),
            is_tls,
            redis: info.redis_settings().clone(),
            user: query("sentinel_user"),
            password: query("sentinel_password"),
        };
        let scheme = if is_tls { "rediss+sentinel" } else { "redis+sentinel" };
        Some(Self { text: format!("{scheme}://{hosts}/{name}"), target: Target::Sentinel(sentinel) })
    }

    /// Returns whether the connection leaves the host without encryption.
    #[must_use]
    pub fn is_unencrypted(&self) -> bool {
        let is_remote = |host: &str| !matches!(host, "localhost" | "127.0.0.1" | "::1");
        let addresses = match &self.target {
            Target::Server(info) => std::slice::from_ref(info.addr()),
            Target::Sentinel(sentinel) => &sentinel.nodes,
        };
        addresses.iter().any(|address| matches!(address, ConnectionAddr::Tcp(host, _) if is_remote(host)))
    }

    /// Returns whether the connection uses TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.text.starts_with("rediss")
    }

    /// Returns the number of the database.
    #[must_use]
    pub fn database(&self) -> i64 {
        match &self.target {
            Target::Server(info) => info.redis_settings().db(),
            Target::Sentinel(sentinel) => sentinel.redis.db(),
        }
    }

    /// Opens a connection. The primary is looked up each time if there is Sentinel.
    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        // The caller limits the time of connecting and of each command.
        let config = ::redis::AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        match &self.target {
            Target::Server(info) => {
                let client = Client::open((**info).clone().set_tcp_settings(tcp_settings()))?;
                client.get_multiplexed_async_connection_with_config(&config).await
            }
            Target::Sentinel(sentinel) => {
                let mut client = sentinel.builder()?.build()?;
                client.get_async_connection_with_config(&config).await
            }
        }
    }
}

impl Sentinel {
    fn builder(&self) -> RedisResult<SentinelClientBuilder> {
        let mut builder = SentinelClientBuilder::new(self.nodes.clone(), &self.name, SentinelServerType::Master)?
            .set_client_to_redis_db(self.redis.db())
            .set_client_to_redis_tcp_settings(tcp_settings());
        if self.is_tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(user) = self.redis.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = self.redis.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(user) = &self.user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &self.password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        Ok(builder)
    }
}

/// Returns settings that send each command at once. Otherwise, a command waits until the previous one is acknowledged.
fn tcp_settings() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// Parses the host and the port of a node of Sentinel.
fn sentinel_node(node: &str, is_tls: bool) -> Option<ConnectionAddr> {
    let url = Url::parse(&format!("redis://{node}")).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?.trim_matches(['[', ']']).to_owned();
    let port = url.port().unwrap_or(SENTINEL_PORT);
    Some(if is_tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_displayed_without_credentials() {
        for (url, text) in [
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://:topsecret@cache.example.com:7000/2", "redis://cache.example.com:7000"),
            ("rediss://ada:topsecret@cache.example.com", "rediss://cache.example.com:6379"),
            ("redis://[::1]:7000", "redis://[::1]:7000"),
            ("unix:///run/redis.sock?db=1&user=ada&pass=topsecret", "unix:///run/redis.sock"),
            ("redis+sentinel://ada:topsecret@a:26379,b/main", "redis+sentinel://a:26379,b/main"),
            ("rediss+sentinel://a/main/3?sentinel_password=topsecret", "rediss+sentinel://a/main"),
        ] {
            let address = RedisAddress::parse(url).unwrap();
            assert_eq!((address.to_string(), format!("{address:?}")), (text.to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn credentials_and_database_are_parsed() {
        let Target::Server(info) = RedisAddress::parse("redis://a%40b:p%2Fq@localhost/3").unwrap().target else {
            panic!("one server")
        };
        let redis = info.redis_settings();
        assert_eq!((redis.username(), redis.password(), redis.db()), (Some("a@b"), Some("p/q"), 3));
        let url = "redis+sentinel://ada:pw@a,[::1]:7000/main/2?sentinel_user=s&sentinel_password=t";
        let Target::Sentinel(sentinel) = RedisAddress::parse(url).unwrap().target else { panic!("sentinel") };
        let tcp = |host: &str, port| ConnectionAddr::Tcp(host.to_owned(), port);
        assert_eq!(sentinel.nodes, [tcp("a", 26_379), tcp("::1", 7_000)]);
        assert_eq!((sentinel.name.as_str(), sentinel.redis.db()), ("main", 2));
        assert_eq!((sentinel.redis.username(), sentinel.redis.password()), (Some("ada"), Some("pw")));
        assert_eq!((sentinel.user.as_deref(), sentinel.password.as_deref()), (Some("s"), Some("t")));
    }

    #[test]
    fn invalid_urls_are_rejected_without_repeating_them() {
        for url in [
            "localhost:6379",
            "http://:topsecret@localhost",
            "redis://",
            "redis://:topsecret@localhost:port",
            "redis://:topsecret@localhost/name",
            "rediss://:topsecret@localhost/#insecure",
            "unix://",
            "redis+sentinel://a,b",
            "redis+sentinel:///main",
            "redis+sentinel://a:port/main",
        ] {
            let problem = RedisAddress::parse(url).unwrap_err();
            assert!(problem.starts_with("must ") && !problem.contains("topsecret"), "{url}: {problem}");
        }
    }

    #[test]
    fn redis_cluster_is_not_supported() {
        let problem = RedisAddress::parse("redis+cluster://:topsecret@localhost").unwrap_err();
        assert!(problem.starts_with("Redis Cluster is not supported; use Sentinel"), "{problem}");
    }

    #[test]
    fn unencrypted_remote_connection_is_detected() {
        for (url, expected) in [
            ("redis://localhost", false),
            ("redis://127.0.0.1", false),
            ("unix:///run/redis.sock", false),
            ("rediss://cache.example.com", false),
            ("redis://cache.example.com", true),
            ("redis+sentinel://localhost,cache.example.com/main", true),
        ] {
            assert_eq!(RedisAddress::parse(url).unwrap().is_unencrypted(), expected, "{url}");
        }
    }
}
