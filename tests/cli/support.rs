//! Runs the binary in a temporary directory: commands, and servers that are stopped when the test ends.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use bucketlist::db::{Options, Target, migrations::Migrator};
use diesel::connection::SimpleConnection;
use serde_json::Value;
use tempfile::TempDir;

#[path = "../support/engine.rs"]
#[macro_use]
mod engine;

#[path = "../support/proxy.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod proxy;

#[path = "../support/replication.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod replication;

#[path = "../support/collector.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the integration tests")]
mod collector;

#[path = "../support/redis.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod redis;

#[path = "../support/smtp.rs"]
mod smtp;

pub use collector::Collector;
use engine::PostgresSchema;
pub use engine::{Engine, server_url};
pub use proxy::{Proxy, StartupOptions};
pub use redis::RedisServer;
pub use replication::Replication;
pub use smtp::{Delivery, SmtpOptions, SmtpServer};

/// Time after which a test fails instead of waiting longer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Number of attempts to observe something that is about to happen.
pub const MAX_ATTEMPTS: usize = 5_000;

/// Returns the root directory of the repository.
pub fn repository_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A `JWT_SECRET` that is strong enough for production.
pub const STRONG_SECRET: &str = "q7Zk2mP9xW4vR8tY1nB6cD3fG5hJ0sLa";

/// A temporary directory in which the binary runs, with these environment variables and PATH only.
pub struct Sandbox {
    pub folder: TempDir,
    variables: Vec<(String, String)>,
    /// Dropped with the sandbox.
    _schema: Option<PostgresSchema>,
}

impl Sandbox {
    /// Creates an empty directory. Only errors are logged, so that standard error contains the messages of the command.
    pub fn new() -> Self {
        let sandbox = Self { folder: TempDir::new().unwrap(), variables: Vec::new(), _schema: None };
        sandbox.env("LOG_LEVEL", "error")
    }

    /// Removes an environment variable.
    pub fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self
    }

    /// Creates an empty directory and an empty database.
    pub fn on(engine: Engine) -> Self {
        let mut sandbox = Self::new();
        if engine == Engine::Sqlite {
            return sandbox;
        }
        let schema = PostgresSchema::create("cli");
        let url = schema.url.clone();
        sandbox._schema = Some(schema);
        sandbox.env("DATABASE_URL", &url)
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Returns an environment variable of the sandbox.
    #[track_caller]
    pub fn variable(&self, name: &str) -> &str {
        let variable = self.variables.iter().find(|(other, _)| other == name);
        &variable.unwrap_or_else(|| panic!("{name} is not set")).1
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bucketlist"));
        command.args(arguments);
        self.set_up(command)
    }

    /// Returns a command that signals end, even if this process ignores them, as a job in the background does.
    pub fn interruptible_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("env");
        command.args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_bucketlist")]).args(arguments);
        self.set_up(command)
    }

    fn set_up(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap());
        // Where instrumented code (`make coverage`) writes its counters.
        command.envs(std::env::var_os("LLVM_PROFILE_FILE").map(|path| ("LLVM_PROFILE_FILE", path)));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Returns the command `serve` with a socket, as systemd passes it.
    pub fn serve_on(&self, socket: impl Into<OwnedFd>) -> Command {
        let mut shell = Command::new("sh");
        let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve";
        shell.args(["-c", script, env!("CARGO_BIN_EXE_bucketlist")]);
        let mut command = self.set_up(shell);
        command.stdin(socket.into());
        command
    }

    /// Runs a command and waits for it to exit.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command with `input` on standard input.
    #[track_caller]
    pub fn run_with(&self, arguments: &[&str], input: &str) -> CommandOutput {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Writing fails if the command exits before it reads.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        CommandOutput::of(child.wait_with_output().unwrap())
    }

    fn options(&self) -> Options {
        let url = self.variables.iter().find(|(name, _)| name == "DATABASE_URL").map(|(_, url)| url.clone());
        options(url.map_or_else(|| Target::Sqlite(self.path("data/bucketlist.db")), Target::Postgres))
    }

    /// Connects to the database outside the binary.
    pub fn migrator(&self) -> Migrator {
        Migrator::connect(&self.options()).unwrap()
    }

    /// Runs SQL on a connection outside the binary.
    pub fn execute(&self, sql: &str) {
        self.migrator().connection().batch_execute(sql).unwrap();
    }

    pub fn serve(&self) -> TestServer {
        TestServer::start(self, &["serve"])
    }
}

fn options(target: Target) -> Options {
    Options { acquire_timeout: TIMEOUT, statement_timeout: TIMEOUT, ..Options::new(target, 1) }
}

/// Exit code and output of a command.
#[derive(Debug)]
#[must_use = "assert the exit code"]
pub struct CommandOutput {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl CommandOutput {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn expect_exit_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts success without messages on standard error; returns standard output.
    #[track_caller]
    pub fn expect_success(self) -> String {
        let outcome = self.expect_exit_code(0);
        assert_eq!(outcome.err, "", "{outcome:#?}");
        outcome.out
    }

    /// Expects exit code 1 and an error on standard error; returns the text after `error:`, including the help.
    #[track_caller]
    pub fn expect_error(self) -> String {
        let outcome = self.expect_exit_code(1);
        assert_eq!(outcome.out, "", "{outcome:#?}");
        let text = outcome.err.strip_suffix('\n').and_then(|text| text.strip_prefix("error: "));
        let text = text.unwrap_or_else(|| panic!("{outcome:#?}"));
        assert!(text.lines().skip(1).all(|line| line.starts_with("help: ")), "several lines: {outcome:#?}");
        text.to_owned()
    }
}

/// A running server. Killed when it is dropped.
pub struct TestServer {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    pub greeting: String,
    pub address: SocketAddr,
    log: PathBuf,
}

impl TestServer {
    /// Starts a server, on a free port unless the sandbox sets PORT.
    pub fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::run(sandbox, sandbox.command(arguments))
    }

    /// Starts a server with a command of [`Sandbox`].
    pub fn run(sandbox: &Sandbox, mut command: Command) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let log = sandbox.path(&format!("server-{}.log", COUNT.fetch_add(1, Ordering::Relaxed)));
        if !sandbox.variables.iter().any(|(name, _)| name == "PORT") {
            command.env("PORT", "0");
        }
        let mut child = command.stdout(Stdio::piped()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        // The last line of the startup message.
        let is_development = !sandbox.variables.iter().any(|(name, value)| name == "APP_ENV" && value != "development");
        let last = if is_development { "  Admin  " } else { "  Database  " };
        while !greeting.lines().last().is_some_and(|line| line.starts_with(last)) {
            let length = out.read_line(&mut greeting).unwrap();
            assert!(length > 0, "the server did not start:\n{greeting}{}", fs::read_to_string(&log).unwrap());
        }
        let api = greeting.lines().find_map(|line| line.strip_prefix("  API       http")).unwrap();
        let (_, address) = api.split_once("://").unwrap();
        let address = address.strip_suffix("/v1").unwrap().replace("localhost", "127.0.0.1").parse().unwrap();
        Self { child, out: Some(out), greeting, address, log }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn get(&self, path: &str, token: Option<&str>) -> TestResponse {
        self.send("GET", path, token, None).unwrap()
    }

    pub fn post(&self, path: &str, token: Option<&str>, body: &Value) -> TestResponse {
        self.send("POST", path, token, Some(body)).unwrap()
    }

    pub fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> std::io::Result<TestResponse> {
        send(self.address, method, path, token, body)
    }

    /// Registers a user and returns the access token.
    pub fn register(&self, email: &str) -> String {
        let body = serde_json::json!({"email": email, "password": "harbour-lantern-42", "name": "Ada"});
        let session = self.post("/v1/auth/register", None, &body).expect(201).json();
        session["access_token"].as_str().unwrap().to_owned()
    }

    /// Creates an administrator on the command line and returns the access token.
    pub fn create_admin(&self, sandbox: &Sandbox) -> String {
        let (email, password) = ("admin@example.com", "harbour-lantern-42");
        sandbox.run_with(&["user", "create", email, "--admin", "--password-stdin"], password).expect_success();
        let login = serde_json::json!({"email": email, "password": password});
        let session = self.post("/v2/auth/login", None, &login).expect(200).json();
        session["access_token"].as_str().unwrap().to_owned()
    }

    /// Sends a request until the response has this status.
    #[track_caller]
    pub fn wait_for_status(&self, path: &str, status: u16) -> TestResponse {
        for _ in 0..MAX_ATTEMPTS {
            let response = self.get(path, None);
            if response.status == status {
                return response;
            }
        }
        panic!("{path} is not {status} after {MAX_ATTEMPTS} attempts");
    }

    /// Sends requests until the log contains this text: lines are written after the event.
    #[track_caller]
    pub fn wait_until_logged(&self, text: &str) {
        self.wait_for_log(text, |log| log.contains(text));
    }

    /// Sends requests until the log meets this condition.
    #[track_caller]
    pub fn wait_for_log(&self, expected: &str, condition: impl Fn(&str) -> bool) {
        for _ in 0..MAX_ATTEMPTS {
            if condition(&self.log()) {
                return;
            }
            self.get("/health/live", None).expect(200);
        }
        panic!("`{expected}` is not in the log after {MAX_ATTEMPTS} attempts:\n{}", self.log());
    }

    /// Connects until the server stops accepting connections.
    #[track_caller]
    pub fn wait_until_closed(&self) {
        for _ in 0..MAX_ATTEMPTS {
            if TcpStream::connect(self.address).is_err() {
                return;
            }
            thread::yield_now();
        }
        panic!("the server still accepts connections after {MAX_ATTEMPTS} attempts");
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the server to exit.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let mut out = self.out.take().expect("the server exits once");
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut rest = String::new();
            let _ = out.read_to_string(&mut rest);
            let _ = sender.send(rest);
        });
        // Standard output is closed when the process exits.
        let Ok(rest) = receiver.recv_timeout(TIMEOUT) else {
            panic!("the server does not exit:\n{}", self.log());
        };
        assert_eq!(rest, "", "the server prints only the startup message");
        self.child.wait().unwrap()
    }

    /// Requests the server to exit, so that instrumented code (`make coverage`) writes its counters. Returns whether it has exited.
    fn terminate(&mut self) -> bool {
        let id = self.child.id().to_string();
        let is_signaled = Command::new("kill").args(["-s", "TERM", &id]).stderr(Stdio::null()).status();
        let Some(mut out) = self.out.take().filter(|_| is_signaled.is_ok_and(|status| status.success())) else {
            return false;
        };
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let _ = out.read_to_string(&mut String::new());
            let _ = sender.send(());
        });
        receiver.recv_timeout(TIMEOUT).is_ok()
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        assert!(!self.wait_for_exit().success());
    }

    pub fn stop(mut self) {
        self.signal("INT");
        assert!(self.wait_for_exit().success(), "{}", self.log());
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::env::var_os("LLVM_PROFILE_FILE").is_none() || !self.terminate() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A response to a request.
#[derive(Debug)]
pub struct TestResponse {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl TestResponse {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Reads a response to the end of its connection.
    pub fn read(mut stream: impl Read) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let broken = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, format!("half a response: {text:?}"));
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
        });
        if length.is_some_and(|length| length != body.len()) {
            return Err(broken());
        }
        Ok(Self { status, head: head.to_owned(), body: body.to_owned() })
    }
}

pub fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Returns the head of a request.
pub fn head(address: SocketAddr, method: &str, path: &str, token: Option<&str>, length: Option<usize>) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    if let Some(token) = token {
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if let Some(length) = length {
        head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"));
    }
    head
}

/// Sends a request on a new connection.
pub fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> std::io::Result<TestResponse> {
    let body = body.map(Value::to_string);
    let head = head(address, method, path, token, body.as_ref().map(String::len));
    let mut stream = connect(address)?;
    stream.write_all(format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes())?;
    TestResponse::read(stream)
}
