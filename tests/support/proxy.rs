//! A TCP proxy in front of PostgreSQL whose connections can be closed or made silent, or that treats the startup message like a
//! connection pooler.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{
        Arc, Condvar, Mutex,
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
    /// Wakes those who wait for a connection.
    opened: Condvar,
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

/// What a proxy does with the parameter `options` of the startup message, which poolers do not support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartupOptions {
    Forward,
    /// Like PgBouncer with `ignore_startup_parameters = options`.
    Ignore,
    /// Like PgBouncer by default.
    Reject,
}

impl Proxy {
    /// Starts a proxy in front of the server of a database.
    pub fn to(target: &Target) -> Self {
        Self::start(target, StartupOptions::Forward)
    }

    /// Starts a proxy that treats startup messages like a pooler. Each of its connections is one to the server.
    pub fn pooler(target: &Target, options: StartupOptions) -> Self {
        Self::start(target, options)
    }

    fn start(target: &Target, options: StartupOptions) -> Self {
        let upstream = Upstream::of(&postgres_url(target));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&proxy.state);
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let startup = match options {
                    StartupOptions::Forward => Some(Vec::new()),
                    _ => startup_message(&mut client, options),
                };
                let Some(startup) = startup else { continue };
                let mut open = state.open.lock().unwrap();
                match state.mode.load(Ordering::SeqCst) {
                    FORWARD => {
                        open.push(client.try_clone().unwrap());
                        join(client, &upstream, &startup, &state);
                    }
                    SILENT => open.push(client),
                    _ => {}
                }
                state.opened.notify_all();
            }
        });
        proxy
    }

    /// Returns the URL of a database through the proxy.
    pub fn target(&self, target: &Target) -> Target {
        through_address(self.address, target)
    }

    /// Waits until a connection is open.
    pub fn wait_for_connection(&self) {
        let open = self.state.open.lock().unwrap();
        drop(self.state.opened.wait_while(open, |open| open.is_empty()).unwrap());
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

/// Reads the startup message and removes `options`. Returns `None` if it was rejected.
fn startup_message(client: &mut TcpStream, options: StartupOptions) -> Option<Vec<u8>> {
    const PROTOCOL_3: u32 = 196_608;
    loop {
        let (mut length, mut code) = ([0; 4], [0; 4]);
        client.read_exact(&mut length).ok()?;
        client.read_exact(&mut code).ok()?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 8];
        client.read_exact(&mut body).ok()?;
        if u32::from_be_bytes(code) != PROTOCOL_3 {
            // A request for encryption.
            client.write_all(b"N").ok()?;
            continue;
        }
        let words: Vec<&[u8]> = body.split(|byte| *byte == 0).collect();
        let mut parameters = Vec::new();
        for pair in words.chunks_exact(2).filter(|pair| !pair[0].is_empty()) {
            if pair[0] != b"options" {
                parameters.extend([pair[0], b"\0", pair[1], b"\0"].concat());
            } else if options == StartupOptions::Reject {
                let fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
                let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
                client.write_all(&[b"E", &length[..], fields].concat()).ok()?;
                return None;
            }
        }
        parameters.push(0);
        let length = u32::try_from(parameters.len() + 8).unwrap().to_be_bytes();
        return Some([&length[..], &code, &parameters].concat());
    }
}

/// Sends the startup message and copies bytes in both directions until one side closes the connection.
fn join(client: TcpStream, upstream: &Upstream, startup: &[u8], state: &Arc<State>) {
    match upstream {
        Upstream::Socket(path) => {
            let mut server = UnixStream::connect(path).unwrap();
            server.write_all(startup).unwrap();
            let (client_copy, server_copy) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (there, back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            forward(client_copy, there, move || drop(server_copy.shutdown(Shutdown::Both)), state);
            forward(server, back, move || drop(client.shutdown(Shutdown::Both)), state);
        }
        Upstream::Address(address) => {
            let mut server = TcpStream::connect(address).unwrap();
            server.write_all(startup).unwrap();
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
