//! A TCP proxy in front of PostgreSQL whose connections can be closed or made silent.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
};

use bucketlist::db::Target;

/// A TCP proxy in front of PostgreSQL.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// What happens to new connections.
    mode: AtomicU8,
    /// Connections of an earlier generation are silent.
    generation: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

/// New connections are forwarded.
const FORWARD: u8 = 0;
/// New connections are closed.
const CLOSE: u8 = 1;
/// New connections are accepted and get no response.
const SILENT: u8 = 2;

/// The server that a PostgreSQL URL names.
enum Upstream {
    Socket(String),
    Address(String),
}

impl Upstream {
    fn of(url: &url::Url) -> Self {
        let port = url.port().unwrap_or(5432);
        let query = url.query_pairs().find(|(name, _)| name == "host").map(|(_, host)| host.into_owned());
        let host = query.unwrap_or_else(|| url.host_str().unwrap_or("localhost").replace("%2F", "/"));
        if host.starts_with('/') {
            Self::Socket(format!("{host}/.s.PGSQL.{port}"))
        } else {
            Self::Address(format!("{host}:{port}"))
        }
    }
}

impl Proxy {
    /// Starts a proxy in front of the server of a database.
    pub fn to(target: &Target) -> Self {
        let upstream = Upstream::of(&postgres_url(target));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&proxy.state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut open = state.open.lock().unwrap();
                match state.mode.load(Ordering::SeqCst) {
                    FORWARD => {
                        open.push(client.try_clone().unwrap());
                        join(client, &upstream, &state);
                    }
                    SILENT => open.push(client),
                    _ => {}
                }
            }
        });
        proxy
    }

    /// Returns the URL of a database through the proxy.
    pub fn target(&self, target: &Target) -> Target {
        through_address(self.address, target)
    }

    /// Closes all connections, and new ones until [`Self::restore`].
    pub fn interrupt(&self) {
        let mut open = self.state.open.lock().unwrap();
        self.state.mode.store(CLOSE, Ordering::SeqCst);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Makes the current connections silent: they stay open, and nothing is forwarded any more. New connections work.
    pub fn silence(&self) {
        self.state.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Makes all connections silent, also new ones until [`Self::restore`].
    pub fn silence_all(&self) {
        self.state.mode.store(SILENT, Ordering::SeqCst);
        self.silence();
    }

    /// Forwards new connections.
    pub fn restore(&self) {
        self.state.mode.store(FORWARD, Ordering::SeqCst);
    }
}

/// Copies bytes in both directions until one side closes the connection.
fn join(client: TcpStream, upstream: &Upstream, state: &Arc<State>) {
    match upstream {
        Upstream::Socket(path) => {
            let server = UnixStream::connect(path).unwrap();
            let (client_copy, server_copy) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (there, back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            forward(client_copy, there, move || drop(server_copy.shutdown(Shutdown::Both)), state);
            forward(server, back, move || drop(client.shutdown(Shutdown::Both)), state);
        }
        Upstream::Address(address) => {
            let server = TcpStream::connect(address).unwrap();
            let (client_copy, server_copy) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (there, back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            forward(client_copy, there, move || drop(server_copy.shutdown(Shutdown::Both)), state);
            forward(server, back, move || drop(client.shutdown(Shutdown::Both)), state);
        }
    }
}

fn forward(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    close: impl FnOnce() + Send + 'static,
    state: &Arc<State>,
) {
    let (state, generation) = (Arc::clone(state), state.generation.load(Ordering::SeqCst));
    thread::spawn(move || {
        let mut buffer = [0; 16_384];
        loop {
            let length = match from.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => 0,
            };
            // Neither data nor the end of the connection is forwarded any more; the sockets stay open.
            while state.generation.load(Ordering::SeqCst) != generation {
                thread::park();
            }
            if length == 0 || to.write_all(&buffer[..length]).is_err() {
                return close();
            }
        }
    });
}

fn postgres_url(target: &Target) -> url::Url {
    let Target::Postgres(url) = target else { panic!("{target:?} is not PostgreSQL") };
    url::Url::parse(url).unwrap()
}

/// Returns the URL of the same database at another address.
pub fn through_address(address: SocketAddr, target: &Target) -> Target {
    let url = postgres_url(target);
    let login = match (url.username(), url.password()) {
        (user, Some(password)) => format!("{user}:{password}@"),
        (user, None) => format!("{user}@"),
    };
    let query: Vec<&str> =
        url.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("host=")).collect();
    Target::Postgres(format!("postgres://{login}{address}{}?{}", url.path(), query.join("&")))
}
