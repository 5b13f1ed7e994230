//! A primary and a standby of PostgreSQL that a test controls. Included by each binary with `#[path]`.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use bucketlist::db::{DbConnection, Options, Target, migrations::Migrator};
use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text};
use tempfile::TempDir;

/// Time after which a test fails instead of waiting longer.
const TIMEOUT: Duration = Duration::from_secs(60);
const PRIMARY: u16 = 5432;
const STANDBY: u16 = 5433;

/// A primary and a standby that replicates it, in one directory and on its sockets. Both are stopped with this value.
pub struct Replication {
    primary: Mutex<Child>,
    standby: Mutex<Child>,
    folder: TempDir,
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = Text)]
    value: String,
}

impl Replication {
    /// Starts a primary with an empty database, and a standby of it.
    pub fn start() -> Self {
        // The path of a socket must be short.
        let folder = tempfile::Builder::new().prefix("bucketlist-replication.").tempdir_in("/tmp").unwrap();
        if let Some((user, group)) = owner() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let (primary_data, standby_data) = (folder.path().join("primary"), folder.path().join("standby"));
        run(
            folder.path(),
            "initdb",
            &["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D", "primary"],
        );
        let socket = folder.path().display();
        append(
            &primary_data.join("postgresql.conf"),
            &format!(
                "listen_addresses = ''\nunix_socket_directories = '{socket}'\nport = {PRIMARY}\nfsync = off\n\
                 shared_buffers = 16MB\nautovacuum = off\n"
            ),
        );
        // A role that needs a password, which no role has.
        let rules = primary_data.join("pg_hba.conf");
        let other_rules = fs::read_to_string(&rules).unwrap();
        fs::write(&rules, format!("local all secured scram-sha-256\n{other_rules}")).unwrap();
        let primary = spawn(folder.path(), &primary_data);
        wait_until("the primary accepts connections", || connect(&target(folder.path(), PRIMARY)).is_some());
        run(
            folder.path(),
            "pg_basebackup",
            &["-h", &socket.to_string(), "-U", "postgres", "-R", "-c", "fast", "--no-sync", "-D", "standby"],
        );
        append(&standby_data.join("postgresql.conf"), &format!("port = {STANDBY}\n"));
        let standby = spawn(folder.path(), &standby_data);
        let replication = Self { primary: Mutex::new(primary), standby: Mutex::new(standby), folder };
        replication.wait_for_standby();
        replication
    }

    /// Returns the location of the primary.
    pub fn primary(&self) -> Target {
        target(self.folder.path(), PRIMARY)
    }

    /// Returns the location of the standby.
    pub fn standby(&self) -> Target {
        target(self.folder.path(), STANDBY)
    }

    /// Runs a query on the primary and returns its value.
    pub fn on_primary(&self, query: &str) -> String {
        value(&self.primary(), query)
    }

    /// Runs a query on the standby and returns its value.
    pub fn on_standby(&self, query: &str) -> String {
        value(&self.standby(), query)
    }

    /// Waits until the standby has replayed everything that was committed.
    pub fn wait_for_replay(&self) {
        let position = self.on_primary("SELECT pg_current_wal_insert_lsn()::text AS value");
        let query = format!("SELECT (pg_last_wal_replay_lsn() >= '{position}')::text AS value");
        wait_until("the standby has replayed everything", || self.on_standby(&query) == "true");
    }

    /// Delays the standby until [`Self::resume_replay`].
    pub fn pause_replay(&self) {
        self.wait_for_replay();
        execute(&self.standby(), "SELECT pg_wal_replay_pause()");
        let state = "SELECT pg_get_wal_replay_pause_state() AS value";
        wait_until("the replay is paused", || self.on_standby(state) == "paused");
    }

    /// Resumes the replay and waits for it.
    pub fn resume_replay(&self) {
        execute(&self.standby(), "SELECT pg_wal_replay_resume()");
        self.wait_for_replay();
    }

    /// Stops the standby without notice to its clients.
    pub fn kill_standby(&self) {
        quit(&self.standby);
    }

    pub fn start_standby(&self) {
        *self.standby.lock().unwrap() = spawn(self.folder.path(), &self.folder.path().join("standby"));
        self.wait_for_standby();
    }

    /// Makes the standby a second primary.
    pub fn promote_standby(&self) {
        execute(&self.standby(), "SELECT pg_promote()");
    }

    fn wait_for_standby(&self) {
        wait_until("the standby accepts connections", || connect(&self.standby()).is_some());
    }
}

impl Drop for Replication {
    fn drop(&mut self) {
        quit(&self.standby);
        quit(&self.primary);
    }
}

fn target(folder: &Path, port: u16) -> Target {
    let host = folder.to_str().unwrap().replace('/', "%2F");
    Target::Postgres(format!("postgres://postgres@{host}:{port}/postgres?gssencmode=disable"))
}

fn connect(target: &Target) -> Option<Migrator> {
    Migrator::connect(&Options::new(target.clone(), 1)).ok()
}

fn execute(target: &Target, sql: &str) {
    connect(target).unwrap().connection().batch_execute(sql).unwrap();
}

fn value(target: &Target, query: &str) -> String {
    let mut migrator = connect(target).unwrap();
    let DbConnection::Postgres(c) = migrator.connection() else { unreachable!("the target is PostgreSQL") };
    sql_query(query).get_result::<Value>(c).unwrap().value
}

#[track_caller]
fn wait_until(what: &str, mut is_reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_reached() {
        assert!(started.elapsed() < TIMEOUT, "{what}: not within {TIMEOUT:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the user that PostgreSQL runs as, if this process runs as root, which PostgreSQL rejects.
fn owner() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let name = if id(&["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
    Some((id(&["-u", name]).unwrap(), id(&["-g", name]).unwrap()))
}

/// Returns the path of a program of PostgreSQL. Debian installs them per version, outside of PATH.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map(|entry| entry.unwrap().path());
    let version = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().parse().unwrap_or(0);
    let newest = versions.map(|path: PathBuf| (version(&path), path.join("bin").join(name)));
    newest.filter(|(_, path): &(u32, PathBuf)| path.exists()).max().map_or_else(|| name.into(), |(_, path)| path)
}

/// A command that ends with the thread that starts it, so that a killed test leaves no server.
fn command(folder: &Path, name: &str) -> Command {
    let mut command = Command::new("setpriv");
    if let Some((user, group)) = owner() {
        command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]);
    }
    // SIGQUIT is an immediate shutdown.
    command.args(["--pdeathsig", "QUIT"]).arg(program(name)).current_dir(folder).stdin(Stdio::null());
    for (variable, _) in std::env::vars_os().filter(|(variable, _)| variable.to_string_lossy().starts_with("PG")) {
        command.env_remove(variable);
    }
    command
}

fn run(folder: &Path, name: &str, arguments: &[&str]) {
    let output = command(folder, name).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

fn spawn(folder: &Path, data: &Path) -> Child {
    let log = fs::File::options().create(true).append(true).open(data.with_extension("log")).unwrap();
    let mut postgres = command(folder, "postgres");
    postgres.arg("-D").arg(data).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

fn quit(server: &Mutex<Child>) {
    // Also after a test that has failed.
    let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
    server.wait().unwrap();
}

fn append(path: &Path, text: &str) {
    let before = fs::read_to_string(path).unwrap();
    fs::write(path, before + text).unwrap();
}
