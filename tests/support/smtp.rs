//! An SMTP server on a local port: EHLO, STARTTLS, AUTH PLAIN and LOGIN, and the commands that deliver a message.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Time after which a test fails instead of waiting longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the server does.
#[derive(Clone, Default)]
pub struct SmtpOptions {
    /// User and password. Without them, the server accepts mail without authentication.
    pub credentials: Option<(String, String)>,
    /// Offers STARTTLS with this certificate, and requires it before authentication.
    pub tls: Option<Arc<ServerConfig>>,
    /// The response to RCPT, instead of accepting the recipient.
    pub recipient_response: Option<String>,
    /// Accepts connections and sends nothing.
    pub is_silent: bool,
}

/// A message that the server has accepted, or a command that ended its delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub from: String,
    pub to: String,
    /// Headers and body, without the dots that SMTP adds. Empty if the recipient was rejected.
    pub data: String,
    pub is_encrypted: bool,
    pub is_authenticated: bool,
}

#[derive(Default)]
struct State {
    options: SmtpOptions,
    deliveries: Vec<Delivery>,
    /// Number of connections.
    connections: usize,
    /// Number of sessions that ended with QUIT.
    quits: usize,
    /// Connections of the silent server, so that they stay open.
    open: Vec<TcpStream>,
}

/// An SMTP server.
pub struct SmtpServer {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl SmtpServer {
    pub fn start(options: SmtpOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new((Mutex::new(State { options, ..State::default() }), Condvar::new()));
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let state = Arc::clone(&accepting);
                thread::spawn(move || {
                    // A client that closes its connection early is not a failure of the server.
                    let _ = Session::run(stream, &state);
                });
            }
        });
        Self { address, state }
    }

    /// Waits until `count` messages were delivered or rejected; returns all.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Delivery> {
        self.wait(|state| state.deliveries.len() >= count, &format!("{count} messages")).deliveries.clone()
    }

    /// Waits until `count` connections were accepted.
    #[track_caller]
    pub fn wait_for_connections(&self, count: usize) {
        drop(self.wait(|state| state.connections >= count, &format!("{count} connections")));
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state.0.lock().unwrap().deliveries.clone()
    }

    pub fn quits(&self) -> usize {
        self.state.0.lock().unwrap().quits
    }

    #[track_caller]
    fn wait(&self, is_met: impl Fn(&State) -> bool, what: &str) -> std::sync::MutexGuard<'_, State> {
        let (state, changed) = &*self.state;
        let deadline = Instant::now() + TIMEOUT;
        let mut state = state.lock().unwrap();
        while !is_met(&state) {
            let left = deadline.checked_duration_since(Instant::now()).unwrap_or_else(|| panic!("no {what}"));
            state = changed.wait_timeout(state, left).unwrap().0;
        }
        state
    }
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Reads a line byte by byte, so that nothing after STARTTLS is buffered.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            let read = match self {
                Self::Plain(stream) => stream.read(&mut byte)?,
                Self::Encrypted(stream) => stream.read(&mut byte)?,
            };
            match (read, byte[0]) {
                (0, _) => return Ok(None),
                (_, b'\n') => return Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned())),
                (_, byte) => line.push(byte),
            }
        }
    }

    fn send(&mut self, text: &str) -> io::Result<()> {
        let text = format!("{text}\r\n");
        match self {
            Self::Plain(stream) => stream.write_all(text.as_bytes()),
            Self::Encrypted(stream) => stream.write_all(text.as_bytes()).and_then(|()| stream.flush()),
        }
    }
}

struct Session<'a> {
    stream: Stream,
    options: SmtpOptions,
    state: &'a (Mutex<State>, Condvar),
    is_authenticated: bool,
    from: String,
    to: String,
}

impl Session<'_> {
    fn run(stream: TcpStream, state: &(Mutex<State>, Condvar)) -> io::Result<()> {
        let options = {
            let mut locked = state.0.lock().unwrap();
            locked.connections += 1;
            if locked.options.is_silent {
                locked.open.push(stream.try_clone()?);
            }
            state.1.notify_all();
            locked.options.clone()
        };
        if options.is_silent {
            return Ok(());
        }
        let (from, to) = (String::new(), String::new());
        let mut session = Session { stream: Stream::Plain(stream), options, state, is_authenticated: false, from, to };
        session.stream.send("220 localhost ESMTP")?;
        while let Some(line) = session.stream.line()? {
            if !session.respond(&line)? {
                break;
            }
        }
        Ok(())
    }

    fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Encrypted(_))
    }

    /// Executes a command; returns whether the session continues.
    fn respond(&mut self, line: &str) -> io::Result<bool> {
        let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
        match command.to_ascii_uppercase().as_str() {
            "EHLO" => {
                let mut features = vec!["localhost"];
                if self.options.tls.is_some() && !self.is_encrypted() {
                    features.push("STARTTLS");
                } else if self.options.credentials.is_some() {
                    features.push("AUTH PLAIN LOGIN");
                }
                for feature in features {
                    self.stream.send(&format!("250-{feature}"))?;
                }
                self.stream.send("250 8BITMIME")?;
            }
            "STARTTLS" => {
                let Some(tls) = self.options.tls.clone() else {
                    self.stream.send("502 5.5.1 not supported")?;
                    return Ok(true);
                };
                self.stream.send("220 2.0.0 ready")?;
                if let Stream::Plain(stream) = &self.stream {
                    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
                    self.stream = Stream::Encrypted(Box::new(StreamOwned::new(connection, stream.try_clone()?)));
                }
            }
            "AUTH" => self.authenticate(argument)?,
            "MAIL" if self.options.credentials.is_some() && !self.is_authenticated => {
                self.stream.send("530 5.7.0 authentication required")?;
            }
            "MAIL" => {
                self.from = address(argument);
                self.stream.send("250 2.1.0 ok")?;
            }
            "RCPT" => {
                self.to = address(argument);
                match self.options.recipient_response.clone() {
                    Some(response) => {
                        self.stream.send(&response.replace("{}", &self.to))?;
                        self.record(String::new());
                    }
                    None => self.stream.send("250 2.1.5 ok")?,
                }
            }
            "DATA" => {
                self.stream.send("354 go ahead")?;
                let mut data = String::new();
                while let Some(line) = self.stream.line()?.filter(|line| line != ".") {
                    data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    data.push_str("\r\n");
                }
                self.stream.send("250 2.0.0 accepted")?;
                self.record(data);
            }
            "QUIT" => {
                // Before the response, which the client waits for.
                self.state.0.lock().unwrap().quits += 1;
                self.stream.send("221 2.0.0 bye")?;
                return Ok(false);
            }
            "NOOP" | "RSET" => self.stream.send("250 2.0.0 ok")?,
            _ => self.stream.send("502 5.5.2 unknown command")?,
        }
        Ok(true)
    }

    fn authenticate(&mut self, argument: &str) -> io::Result<()> {
        let decode =
            |text: &str| String::from_utf8_lossy(&BASE64_STANDARD.decode(text).unwrap_or_default()).into_owned();
        let given = if let Some(text) = argument.strip_prefix("PLAIN ") {
            let text = decode(text);
            let mut parts = text.splitn(3, '\0').skip(1).map(str::to_owned);
            parts.next().zip(parts.next())
        } else {
            self.stream.send("334 VXNlcm5hbWU6")?;
            let user = self.stream.line()?.map(|text| decode(&text));
            self.stream.send("334 UGFzc3dvcmQ6")?;
            user.zip(self.stream.line()?.map(|text| decode(&text)))
        };
        self.is_authenticated = given.is_some() && given == self.options.credentials;
        let response = if self.is_authenticated { "235 2.7.0 ok" } else { "535 5.7.8 wrong credentials for {}" };
        self.stream.send(response)
    }

    fn record(&self, data: String) {
        let delivery = Delivery {
            from: self.from.clone(),
            to: self.to.clone(),
            data,
            is_encrypted: self.is_encrypted(),
            is_authenticated: self.is_authenticated,
        };
        self.state.0.lock().unwrap().deliveries.push(delivery);
        self.state.1.notify_all();
    }
}

/// Returns the address in `FROM:<a@b.c>`.
fn address(argument: &str) -> String {
    argument.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}
