//! `bucketlist doctor`: what is configured, what is reachable, what is wrong and how to mend it.

use std::{
    io::Write,
    net::{IpAddr, TcpListener},
    path::Path,
    process::ExitCode,
    time::SystemTime,
};

use secrecy::ExposeSecret;
use serde::Serialize;

use super::{CliError, OutputFormat, environment, listen, prepare_folders};
use crate::{
    build_info,
    config::{Config, ConfigError, Environment, variables},
    db::{Target, migrations::Migrator, repositories::search::count_missing},
};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

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

/// Exits 1 when something must be mended.
pub(super) fn run(format: OutputFormat, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let given = environment::variables()?;
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
    let report = Report {
        version: build_info::VERSION,
        commit: build_info::COMMIT,
        settings: settings.collect(),
        checks: match Config::from_variables(&given) {
            Ok(config) => examine(&config),
            Err(ConfigError(mistakes)) => mistakes
                .into_iter()
                .map(|mistake| Check { name: mistake.variable, verdict: Verdict::Fail, detail: mistake.problem })
                .collect(),
        },
    };
    match format {
        OutputFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report).unwrap_or_default())?,
        OutputFormat::Text => print(&report, out)?,
    }
    let failed = report.checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn examine(config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |name, verdict, detail: String| checks.push(Check { name, verdict, detail });
    add("configuration", Verdict::Ok, format!("valid for {}", config.environment.as_str()));
    if !is_absent(&config.data_dir) {
        match prepare_folders(config) {
            Ok(()) => add("data folder", Verdict::Ok, format!("`{}` can be written", config.data_dir.display())),
            Err(error) => add("data folder", Verdict::Fail, error.to_string()),
        }
    } else {
        add("data folder", Verdict::Ok, format!("`{}` is not there yet; serving makes it", config.data_dir.display()));
    }
    let engine = config.database.target.engine();
    // Connecting to the embedded database would make it, and looking should change nothing.
    let migrator = if is_missing(&config.database.target) { None } else { Some(Migrator::connect(&config.database)) };
    match migrator {
        None => add("database", Verdict::Ok, format!("{engine}: the file is not there yet; serving makes it")),
        Some(Err(error)) => add("database", Verdict::Fail, format!("{engine}: {error}; start it or mend DATABASE_URL")),
        Some(Ok(mut migrator)) => {
            add("database", Verdict::Ok, format!("{engine} answers"));
            match migrator.status() {
                Ok(status) if status.is_current() => {
                    add("migrations", Verdict::Ok, format!("all {} are done", status.applied.len()));
                    match count_missing(migrator.connection()) {
                        Ok(missing) if missing > 0 => {
                            let how = "are not found by searches; run `bucketlist migrate up`";
                            add("search", Verdict::Warn, format!("{missing} bucketlists and items {how}"));
                        }
                        Ok(_) => {}
                        Err(error) => add("search", Verdict::Fail, error.to_string()),
                    }
                }
                Ok(status) if !status.unknown.is_empty() => add(
                    "migrations",
                    Verdict::Fail,
                    format!(
                        "the database has {} that this binary does not know; start the newer one",
                        status.unknown.join(", ")
                    ),
                ),
                Ok(status) => add(
                    "migrations",
                    Verdict::Warn,
                    format!("{} to be done; run `bucketlist migrate up`", status.pending.len()),
                ),
                Err(error) => add("migrations", Verdict::Fail, error.to_string()),
            }
        }
    }
    if let Target::Postgres(url) = &config.database.target
        && config.environment.is_exposed()
        && is_readable_on_its_way(url)
    {
        let how = "nobody proves to be the database; let DATABASE_URL end with ?sslmode=verify-full".to_owned();
        add("database connection", Verdict::Warn, how);
    }
    if let Some((verdict, detail)) = https(config) {
        add("https", verdict, detail);
    }
    let (places, wanted) = (listen::places(&config.connections), config.connections.max);
    if places < usize::try_from(wanted).unwrap_or(usize::MAX) {
        let why = "the system lets a process open no more files (`ulimit -n`)";
        add("connections", Verdict::Warn, format!("{places} instead of {wanted}: {why}"));
    }
    match TcpListener::bind((config.host, config.port)) {
        Ok(_) => add("port", Verdict::Ok, format!("{} is free", config.port)),
        Err(error) => add("port", Verdict::Warn, format!("{} cannot be listened on: {error}", config.port)),
    }
    match (&config.tokens.secret, config.environment) {
        (Some(_), _) => add("secret", Verdict::Ok, "JWT_SECRET is set".to_owned()),
        (None, environment) => add(
            "secret",
            if environment == Environment::Development { Verdict::Ok } else { Verdict::Warn },
            format!("made by itself and kept in `{}`", config.secret_file().display()),
        ),
    }
    match &config.smtp_url {
        Some(url) if config.environment.is_exposed() && is_readable_on_its_way(url.expose_secret()) => {
            add(
                "mail",
                Verdict::Warn,
                "travels readable; let SMTP_URL be smtps://… or end with ?tls=required".to_owned(),
            );
        }
        Some(_) => add("mail", Verdict::Ok, "SMTP_URL is set".to_owned()),
        None => add(
            "mail",
            if config.environment.is_exposed() { Verdict::Warn } else { Verdict::Ok },
            format!("written to `{}`; set SMTP_URL to send it", config.mail_dir().display()),
        ),
    }
    if !config.limits.rate_limit && config.environment.is_exposed() {
        add("rate limits", Verdict::Warn, "RATE_LIMIT is off".to_owned());
    }
    checks
}

/// How clients reach the server; nothing to say where nobody expects HTTPS.
fn https(config: &Config) -> Option<(Verdict, String)> {
    const A_DAY: u64 = 86_400;
    let Some(files) = listen::files(&config.connections) else {
        return (config.environment.is_exposed() && !config.is_https()).then(|| {
            (Verdict::Warn, "off; set TLS_CERT and TLS_KEY, or let PUBLIC_URL be the https:// of a proxy".to_owned())
        });
    };
    let certificate = match files.load() {
        Ok(certificate) => certificate,
        Err(error) => return Some((Verdict::Fail, error.to_string())),
    };
    let now = SystemTime::now();
    let host = url::Url::parse(&config.public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.unwrap_or_default();
    let (Some(begins), Some(ends)) = (certificate.begins(), certificate.ends()) else {
        return Some((Verdict::Warn, "from when until when the certificate is good cannot be told".to_owned()));
    };
    let day = |time: SystemTime| chrono::DateTime::<chrono::Utc>::from(time).format("%Y-%m-%d");
    let left = ends.duration_since(now).map_or(0, |left| left.as_secs() / A_DAY);
    Some(if now > ends {
        (Verdict::Fail, format!("the certificate was good until {}; renew it", day(ends)))
    } else if now < begins {
        (Verdict::Fail, format!("the certificate is not good before {}; is the clock right?", day(begins)))
    } else if !certificate.names(host.trim_matches(['[', ']'])) {
        (Verdict::Warn, format!("the certificate does not name `{host}`, the host of PUBLIC_URL"))
    } else if left < 14 {
        (Verdict::Warn, format!("the certificate is good for {left} days more; renew it"))
    } else {
        (Verdict::Ok, format!("the certificate is good until {}", day(ends)))
    })
}

/// Whether others on the network could read, or pretend to be, what this URL leads to. What is on this machine is nobody
/// else's to reach.
fn is_readable_on_its_way(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    // To libpq, a host may stand behind the question mark; a folder is where a socket is.
    let named = url.query_pairs().find(|(name, _)| name == "host").map(|(_, host)| host);
    let host = named.as_deref().or(url.host_str()).unwrap_or_default().trim_matches(['[', ']']);
    let is_socket = host.is_empty() || host.starts_with('/') || host.starts_with("%2F");
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let says = |name: &str, value: &str| url.query_pairs().any(|(n, v)| n == name && v == value);
    !is_socket && !is_here && url.scheme() != "smtps" && !says("tls", "required") && !says("sslmode", "verify-full")
}

fn is_missing(target: &Target) -> bool {
    matches!(target, Target::Sqlite(path) if is_absent(path))
}

/// Not there, rather than there and not to be reached.
fn is_absent(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn print(report: &Report, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "BucketList API {} ({})\n", report.version, report.commit)?;
    for setting in &report.settings {
        let mark = if setting.is_default { ' ' } else { '*' };
        writeln!(out, "  {mark} {:<28} {}", setting.name, setting.value)?;
    }
    writeln!(out, "\n  * set by the environment or .env\n")?;
    for Check { name, verdict, detail } in &report.checks {
        let word = match verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        writeln!(out, "  {word}  {name}: {detail}")?;
    }
    Ok(())
}
