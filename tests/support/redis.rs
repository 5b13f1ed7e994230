//! A Redis that a test starts, stalls and stops. Included by each test binary with `#[path]`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bucketlist::redis::{RedisAddress, RedisSettings};
use tempfile::TempDir;

/// A Redis that listens on a socket in a temporary directory. It stores nothing on disk, so it is empty after a restart.
pub struct RedisServer {
    folder: TempDir,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts a Redis.
    pub fn start() -> Self {
        Self::with_arguments(&[])
    }

    /// Starts a Redis with further arguments.
    pub fn with_arguments(arguments: &[&str]) -> Self {
        // The path of a socket must be short.
        let folder = tempfile::Builder::new().prefix("redis").tempdir_in("/tmp").unwrap();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = Self { folder, arguments, process: None };
        server.restart();
        server
    }

    /// Returns the address of a Redis that does not run.
    pub fn stopped() -> Self {
        let mut server = Self::start();
        server.stop();
        server
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Returns the value of `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Returns settings with a time limit that a loaded machine does not exceed.
    pub fn settings(&self) -> RedisSettings {
        RedisSettings {
            address: RedisAddress::parse(&self.url()).unwrap(),
            prefix: "test".to_owned(),
            timeout: Duration::from_secs(1),
        }
    }

    /// Starts it again, without any data.
    pub fn restart(&mut self) {
        self.stop();
        let socket = self.socket();
        let _ = fs::remove_file(&socket);
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts; install it with `scripts/deps redis`");
        self.process = Some(process);
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < deadline, "redis-server did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops it.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Suspends the process, so that connections remain open without a response.
    pub fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Resumes the process.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Runs a command and returns its output.
    pub fn run(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli").arg("-s").arg(self.socket()).args(command).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Returns the directory of the socket.
    #[allow(dead_code, reason = "used by some test binaries")]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}
