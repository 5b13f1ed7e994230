//! `bucketlist doctor`: checks the configuration and the services it refers to.

mod https;
mod redis;
mod replicas;
mod servers;
mod storage;

use std::{
    io::{self, Write},
    net::{IpAddr, TcpListener},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{
    CliError, OutputFormat, Settings,
    error::io_reason,
    listen,
    migrate::{RESPONSE_TIMEOUT, connection_help, ensure_writable},
    serve::UNLIMITED_PROXIES,
};
use crate::{
    build_info,
    config::{self, Config, ConfigError, Environment, variables},
    db::{
        PostgresUrl, PreparedStatements, Target, loses_prepared_statements,
        migrations::{self, MigrationError, Migrator},
        repositories::search::count_missing,
        run_within,
    },
    mail::{MailError, SmtpMailer},
};

/// Maximum time for connecting to the mail server and authenticating.
const MAIL_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of one check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: CheckStatus,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckStatus {
    Ok,
    Warn,
    Fail,
}

use CheckStatus::{Fail, Ok as Pass, Warn};

#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    commit: &'static str,
    settings: Vec<Setting>,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
struct Setting {
    name: &'static str,
    value: String,
    is_default: bool,
}

/// The checks so far.
#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, name: &'static str, status: CheckStatus, detail: impl Into<String>) {
        self.0.push(Check { name, status, detail: detail.into() });
    }
}

/// Exits with 1 if a check failed.
pub(super) fn run(source: &Settings, format: OutputFormat, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let given = &source.variables;
    let settings = variables::ALL.iter().map(|variable| {
        let value = given.get(variable.name).map(String::as_str).filter(|value| !value.trim().is_empty());
        Setting {
            name: variable.name,
            value: match value {
                Some(_) if variable.secret => "[redacted]".to_owned(),
                Some(value) => value.to_owned(),
                None => variable.default.to_owned(),
            },
            is_default: value.is_none(),
        }
    });
    let mut checks = Checks::default();
    check_variables(source, &mut checks);
    match Config::from_variables(given) {
        Ok(config) => check_all(&config, &mut checks),
        Err(ConfigError(invalid)) => {
            for invalid in invalid {
                checks.add(invalid.name, Fail, invalid.problem);
            }
        }
    }
    let report = Report {
        version: build_info::VERSION,
        commit: build_info::COMMIT,
        settings: settings.collect(),
        checks: checks.0,
    };
    match format {
        OutputFormat::Json => {
            let text = serde_json::to_string_pretty(&report).map_err(|error| CliError::Message(error.to_string()))?;
            writeln!(out, "{text}")?;
        }
        OutputFormat::Text => print(&report, out)?,
    }
    let has_failed = report.checks.iter().any(|check| check.status == Fail);
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn check_variables(source: &Settings, checks: &mut Checks) {
    let detail = match &source.file {
        Some(file) => format!("{} and the environment", file.display()),
        None => "the environment; there is no .env in the current directory".to_owned(),
    };
    checks.add("configuration source", Pass, detail);
    for (name, known) in config::misspelled(&source.variables) {
        checks.add("unknown variable", Warn, format!("{name} is ignored; did you mean {known}?"));
    }
    for (name, file) in source.duplicates() {
        let detail = format!("{name} is set more than once in {}; the last value applies", file.display());
        checks.add("duplicate variable", Warn, detail);
    }
}

fn check_all(config: &Config, checks: &mut Checks) {
    checks.add("configuration", Pass, format!("valid for {}", config.environment.as_str()));
    storage::check_data_directory(config, checks);
    storage::check_backup_directory(config, checks);
    check_database(config, checks);
    redis::check_redis(config, checks);
    replicas::check(config, checks);
    https::check(config, checks);
    check_listener(config, checks);
    if let Some(network) = config.unlimited_proxy_network() {
        checks.add("trusted proxies", Warn, format!("{network} contains every address: {UNLIMITED_PROXIES}"));
    }
    check_secret(config, checks);
    check_mail(config, checks);
    if !config.limits.rate_limit && config.environment.is_deployed() {
        checks.add("rate limits", Warn, "disabled; set RATE_LIMIT=on");
    }
}

fn check_database(config: &Config, checks: &mut Checks) {
    let target = &config.database.target;
    let engine = target.engine();
    // Connecting to SQLite would create the file, and a check must not change anything.
    if matches!(target, Target::Sqlite(path) if is_absent(path)) {
        return checks.add("database", Pass, format!("{engine}: the file does not exist yet; `serve` creates it"));
    }
    let check = {
        let config = config.clone();
        move || {
            let mut checks = Checks::default();
            check_connection(&config, &mut checks);
            checks
        }
    };
    match run_within(RESPONSE_TIMEOUT, check) {
        Some(Checks(done)) => checks.0.extend(done),
        None => checks.add("database", Fail, format!("{engine}: {}", MigrationError::NoResponse(RESPONSE_TIMEOUT))),
    }
    if let Target::Postgres(url) = target
        && config.environment.is_deployed()
        && is_unauthenticated(url)
    {
        let detail = "the certificate of the database server is not verified; set sslmode=verify-full in DATABASE_URL";
        checks.add("database connection", Warn, detail);
    }
}

/// Returns whether the certificate of a PostgreSQL server on another machine is not verified.
fn is_unauthenticated(url: &str) -> bool {
    PostgresUrl::parse(url).is_some_and(|url| !url.is_local() && url.parameter("sslmode") != Some("verify-full"))
}

fn check_connection(config: &Config, checks: &mut Checks) {
    let engine = config.database.target.engine();
    let mut migrator = match Migrator::connect(&config.database) {
        Ok(migrator) => migrator,
        Err(error) => {
            let help = error.help().unwrap_or_else(|| connection_help(&config.database.target, &error).to_owned());
            return checks.add("database", Fail, format!("{engine}: {error}; {help}"));
        }
    };
    let pooler = if migrator.uses_pooler() { " through a connection pooler" } else { "" };
    match ensure_writable(config, &mut migrator) {
        Ok(()) => checks.add("database", Pass, format!("connected to {engine}{pooler}")),
        Err(error) => checks.add("database", Fail, describe(&error)),
    }
    if migrator.has_localized_messages().unwrap_or_default() {
        let detail = "PostgreSQL messages are localized, so deadlocks and disk-full errors are not recognized and \
                      return 500; set lc_messages to 'C' for the database";
        checks.add("database messages", Warn, detail);
    }
    if migrator.uses_pooler() && config.is_exclusive {
        checks.add("database exclusive", Fail, "requires a direct connection; set DATABASE_EXCLUSIVE=false");
    }
    if migrator.uses_pooler() && config.database.prepared == PreparedStatements::On {
        let help = "use PgBouncer 1.21 or later with max_prepared_statements above 0, or set DATABASE_PREPARED=auto";
        match loses_prepared_statements(&config.database.target) {
            Ok(false) => checks.add("database prepared", Pass, "supported by the connection pooler"),
            Ok(true) => {
                let detail = format!("not supported by the connection pooler, so statements are not prepared; {help}");
                checks.add("database prepared", Warn, detail);
            }
            Err(error) => checks.add("database prepared", Fail, error.to_string()),
        }
    }
    if check_migrations(&mut migrator, checks) {
        servers::check(config, migrator.connection(), checks);
    }
}

/// Returns whether all migrations are applied.
fn check_migrations(migrator: &mut Migrator, checks: &mut Checks) -> bool {
    let (status, detail) = match migrator.status() {
        Ok(status) => describe_migrations(migrator, &status),
        Err(error) => (Fail, error.to_string()),
    };
    checks.add("migrations", status, detail);
    if status != Pass {
        return false;
    }
    match count_missing(migrator.connection()) {
        Ok(0) => {}
        Ok(rows) => {
            let detail = format!("{rows} bucketlists and items are not indexed; run `bucketlist migrate up`");
            checks.add("search", Warn, detail);
        }
        Err(error) => checks.add("search", Fail, error.to_string()),
    }
    true
}

fn describe_migrations(migrator: &mut Migrator, status: &migrations::MigrationStatus) -> (CheckStatus, String) {
    let unknown = status.unknown.join(", ");
    if status.min_version.is_some() {
        return (Fail, format!("unknown to this version: {unknown}; use the newer version"));
    }
    if !status.pending.is_empty() {
        let count = status.pending.len();
        return match migrator.check_privileges() {
            Ok(()) => (Warn, format!("{count} pending; run `bucketlist migrate up`")),
            Err(error) => {
                let help = error.help().map_or_else(String::new, |help| format!("; {help}"));
                (Fail, format!("{count} pending, and {error}{help}"))
            }
        };
    }
    let compatible =
        if unknown.is_empty() { unknown } else { format!("; unknown to this version, but compatible: {unknown}") };
    (Pass, format!("all {} applied{compatible}", status.applied.len()))
}

fn check_listener(config: &Config, checks: &mut Checks) {
    let (connections, wanted) = (listen::max_connections(&config.connections), config.connections.max);
    if connections < usize::try_from(wanted).unwrap_or(usize::MAX) {
        let detail = format!(
            "only {connections} of MAX_CONNECTIONS={wanted} are possible; raise the open file limit (`ulimit -n`)"
        );
        checks.add("connections", Warn, detail);
    }
    match TcpListener::bind((config.host, config.port)) {
        Ok(_) => checks.add("port", Pass, format!("{} is available", config.port)),
        Err(error) => checks.add("port", Warn, format!("cannot listen on {}: {}", config.port, io_reason(&error))),
    }
}

fn check_secret(config: &Config, checks: &mut Checks) {
    if config.tokens.secret.is_some() {
        return checks.add("secret", Pass, "JWT_SECRET is set");
    }
    let is_development = config.environment == Environment::Development;
    let detail = format!("generated and stored in {}", config.secret_file().display());
    checks.add("secret", if is_development { Pass } else { Warn }, detail);
}

fn check_mail(config: &Config, checks: &mut Checks) {
    let is_deployed = config.environment.is_deployed();
    match &config.smtp_url {
        Some(url) if is_deployed && is_unencrypted(url.expose_secret()) => {
            checks.add("mail", Warn, "sent unencrypted; use smtps:// in SMTP_URL, or add ?tls=required");
        }
        Some(_) => checks.add("mail", Pass, "SMTP_URL is set"),
        None => {
            let detail = format!("written to files in {}; set SMTP_URL to send it", config.mail_dir().display());
            checks.add("mail", if is_deployed { Warn } else { Pass }, detail);
        }
    }
    if let Some(url) = &config.smtp_url {
        check_mail_server(config, url, checks);
    }
}

/// Connects to the mail server and authenticates, without sending mail.
fn check_mail_server(config: &Config, url: &SecretString, checks: &mut Checks) {
    let mailer = match SmtpMailer::new(url, &config.mail_from) {
        Ok(mailer) => mailer,
        Err(error) => return checks.add("mail server", Fail, format!("{error}; correct SMTP_URL or MAIL_FROM")),
    };
    let connect = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| MailError::Failed(error.to_string()))?;
        let result = runtime.block_on(mailer.check(MAIL_TIMEOUT));
        // A name that is still being resolved must not delay the report.
        runtime.shutdown_background();
        result
    };
    let result = run_within(MAIL_TIMEOUT * 2, connect);
    match result.unwrap_or_else(|| Err(MailError::Failed("the mail server did not respond".to_owned()))) {
        Ok(()) => checks.add("mail server", Pass, connected(url.expose_secret())),
        Err(MailError::Failed(error) | MailError::Rejected(error)) => {
            let is_rejected = ["530", "534", "535", "538"].iter().any(|code| error.contains(&format!("with {code}")));
            let remedy = if is_rejected { "correct the user and the password in SMTP_URL" } else { "check SMTP_URL" };
            checks.add("mail server", Fail, format!("{error}; {remedy}"));
        }
    }
}

/// Describes a connection to the mail server at a URL, without its credentials.
fn connected(url: &str) -> String {
    let Ok(url) = url::Url::parse(url) else { return "connected".to_owned() };
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let authenticated = if url.username().is_empty() { "" } else { ", authenticated" };
    format!("connected to {}{port}{authenticated}", url.host_str().unwrap_or_default())
}

/// Returns the error and its help in one line.
fn describe(error: &CliError) -> String {
    error.help().map_or_else(|| error.to_string(), |help| format!("{error}; {help}"))
}

/// Returns whether the URL of a mail server allows an unencrypted connection over a network. Connections within this machine count
/// as safe.
fn is_unencrypted(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let requires_tls = url.scheme() == "smtps" || url.query_pairs().any(|(n, v)| n == "tls" && v == "required");
    !is_local && !requires_tls
}

/// Returns whether nothing exists at the path. An error other than "not found" counts as existing.
fn is_absent(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn print(report: &Report, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "BucketList API {} ({})\n", report.version, report.commit)?;
    for setting in &report.settings {
        let mark = if setting.is_default { ' ' } else { '*' };
        writeln!(out, "  {mark} {:<28} {}", setting.name, setting.value)?;
    }
    writeln!(out, "\n  * set in the environment or the settings file\n")?;
    for Check { name, status, detail } in &report.checks {
        let label = match status {
            Pass => "ok  ",
            Warn => "warn",
            Fail => "FAIL",
        };
        writeln!(out, "  {label}  {name}: {detail}")?;
    }
    Ok(())
}
