//! Connections to PostgreSQL: defaults of the URL, settings of the session, and requirements on the database.

use std::{env, sync::mpsc, thread, time::Duration};

use diesel::{
    PgConnection, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    result::QueryResult,
    sql_query,
    sql_types::{Bool, Text},
};

/// Parameters of libpq that a URL without them gets, with the variable that also sets them. A server that does not respond is
/// noticed within seconds: by the handshake, by data that it does not confirm, or by probes on an idle connection.
const URL_DEFAULTS: &[(&str, &str, Option<&str>)] = &[
    ("connect_timeout", "3", Some("PGCONNECT_TIMEOUT")),
    ("tcp_user_timeout", "5000", None),
    ("keepalives_idle", "10", None),
    ("keepalives_interval", "5", None),
    ("keepalives_count", "3", None),
];

/// The encoding that a database must have. Others cannot store every character that the API accepts.
const ENCODING: &str = "UTF8";

/// Limits of a session on the server. Zero disables a limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SessionTimeouts {
    pub(super) statement: Duration,
    /// Maximum time that a statement waits for a lock.
    pub(super) lock: Duration,
    /// Maximum time between the statements of a transaction. A server that is cut off releases its locks after that.
    pub(super) idle_in_transaction: Duration,
}

/// Returns the URL with [`URL_DEFAULTS`].
pub(super) fn with_defaults(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value, variable) in URL_DEFAULTS {
        let is_set = has_parameter(&url, name) || variable.is_some_and(|variable| env::var_os(variable).is_some());
        if !is_set {
            let separator = match url.split_once('?') {
                None => "?",
                Some((_, "")) => "",
                Some(_) => "&",
            };
            url.push_str(&format!("{separator}{name}={value}"));
        }
    }
    url
}

fn has_parameter(url: &str, name: &str) -> bool {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    parameters.split('&').any(|parameter| parameter.split('=').next() == Some(name))
}

/// Applies the settings that units of work rely on to a connection without a pooler.
pub(super) fn set_up(connection: &mut PgConnection, timeouts: &SessionTimeouts) -> QueryResult<()> {
    // A role or a database can have another isolation level, in which statements fail with 40001.
    connection.batch_execute(&format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SET default_transaction_isolation = 'read committed'; SET TIME ZONE 'UTC'; SET client_min_messages = warning;",
        timeouts.statement.as_millis(),
        timeouts.lock.as_millis(),
        timeouts.idle_in_transaction.as_millis(),
    ))?;
    if !has_unlocalized_messages(connection)? {
        // Only a superuser may change it, unless the parameter is granted. `doctor` reports what follows from it.
        let _ = connection.batch_execute("SET lc_messages = 'C'");
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

fn setting(connection: &mut PgConnection, name: &str) -> QueryResult<String> {
    let setting: Setting = sql_query(format!("SELECT current_setting('{name}') AS value")).get_result(connection)?;
    Ok(setting.value)
}

/// Returns whether the messages of the server are not localized, as [`super::failure`] requires.
pub(super) fn has_unlocalized_messages(connection: &mut PgConnection) -> QueryResult<bool> {
    let locale = setting(connection, "lc_messages")?;
    Ok(locale.is_empty() || ["C", "POSIX", "en"].iter().any(|prefix| locale.starts_with(prefix)))
}

/// Returns the encoding of the database if it cannot store every character.
pub(super) fn unsupported_encoding(connection: &mut PgConnection) -> QueryResult<Option<String>> {
    let encoding = setting(connection, "server_encoding")?;
    Ok((encoding != ENCODING).then_some(encoding))
}

/// Returns the schema of new tables and the role, if the role may not create tables in it.
pub(super) fn missing_create_privilege(connection: &mut PgConnection) -> QueryResult<Option<(String, String)>> {
    let privilege: Privilege = sql_query(
        "SELECT coalesce(current_schema(), 'public') AS schema, current_user::text AS role, \
         coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS is_granted",
    )
    .get_result(connection)?;
    Ok((!privilege.is_granted).then_some((privilege.schema, privilege.role)))
}

#[derive(QueryableByName)]
struct Privilege {
    #[diesel(sql_type = Text)]
    schema: String,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Bool)]
    is_granted: bool,
}

/// Runs calls to a database that may not respond on a separate thread. Returns `None` after `limit`; the thread is abandoned then.
pub fn run_within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, result) = mpsc::channel();
    let run = move || {
        // Fails after the limit.
        let _ = sender.send(work());
    };
    thread::Builder::new().name("db-bounded".to_owned()).spawn(run).ok()?;
    result.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_gets_the_defaults_that_it_does_not_set() {
        let defaults = "tcp_user_timeout=5000&keepalives_idle=10&keepalives_interval=5&keepalives_count=3";
        for (url, expected) in [
            ("postgres://h/n", format!("postgres://h/n?connect_timeout=3&{defaults}")),
            ("postgres://h/n?", format!("postgres://h/n?connect_timeout=3&{defaults}")),
            ("postgres:///n?host=/socket", format!("postgres:///n?host=/socket&connect_timeout=3&{defaults}")),
            ("postgres://h/n?connect_timeout=9", format!("postgres://h/n?connect_timeout=9&{defaults}")),
        ] {
            assert_eq!(with_defaults(url), expected);
        }
        let all = "postgres://h/n?keepalives_count=1&keepalives_interval=1&keepalives_idle=1&tcp_user_timeout=1&connect_timeout=2";
        assert_eq!(with_defaults(all), all);
    }
}
