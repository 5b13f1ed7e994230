//! Connection poolers such as PgBouncer. In transaction mode, each transaction may run on another connection to the server, so
//! that named prepared statements, settings of the session and session locks do not survive the end of a transaction.

use std::env;

use diesel::{
    Connection as _, ConnectionError, PgConnection, QueryDsl, QueryableByName, RunQueryDsl, TextExpressionMethods,
    connection::{CacheSize, SimpleConnection},
    result::QueryResult,
    sql_query,
    sql_types::{Bool, Integer},
};
use url::form_urlencoded;

use super::{
    DbError, Target,
    postgres::{SessionTimeouts, with_defaults},
    postgres_url::mask_password,
};

/// Whether the server prepares each statement once per connection, under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreparedStatements {
    On,
    Off,
    /// On, unless the connection uses a pooler.
    Auto,
}

/// A setting in the startup message. PostgreSQL accepts settings of applications. Poolers reject or ignore them, because they open
/// their connections to the server at other times.
const PROBE: &str = "bucketlist.direct";

/// Texts of the errors of poolers that reject it: PgBouncer and those derived from it, and Amazon RDS Proxy.
const REJECTIONS: [&str; 2] = ["unsupported startup parameter", "support command-line options"];

/// A connection, and whether it uses a pooler.
pub(super) struct Connected {
    pub(super) connection: PgConnection,
    pub(super) uses_pooler: bool,
}

/// Opens a connection. `is_pooler_known` omits the probe.
pub(super) fn connect(
    url: &str,
    prepared: PreparedStatements,
    is_pooler_known: bool,
) -> Result<Connected, ConnectionError> {
    let url = with_defaults(url);
    let connected = if is_pooler_known { through_pooler(&url) } else { probe(&url) };
    let mut connected = connected.map_err(|error| match error {
        ConnectionError::BadConnection(message) => ConnectionError::BadConnection(mask_password(&url, &message)),
        error => error,
    })?;
    let is_enabled = match prepared {
        PreparedStatements::On => true,
        PreparedStatements::Off => false,
        PreparedStatements::Auto => !connected.uses_pooler,
    };
    if !is_enabled {
        connected.connection.set_prepared_statement_cache_size(CacheSize::Disabled);
    }
    Ok(connected)
}

fn probe(url: &str) -> Result<Connected, ConnectionError> {
    match PgConnection::establish(&with_probe(url, env::var("PGOPTIONS").ok().as_deref())) {
        Ok(mut connection) => {
            let uses_pooler = !has_probe(&mut connection).map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(Connected { connection, uses_pooler })
        }
        Err(ConnectionError::BadConnection(message)) if REJECTIONS.iter().any(|text| message.contains(text)) => {
            through_pooler(url)
        }
        Err(error) => Err(error),
    }
}

fn through_pooler(url: &str) -> Result<Connected, ConnectionError> {
    Ok(Connected { connection: PgConnection::establish(url)?, uses_pooler: true })
}

/// Adds the probe to the parameter `options`, or to the variable that applies without this parameter.
fn with_probe(url: &str, variable: Option<&str>) -> String {
    let option = format!("-c {PROBE}=on");
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parameters: Vec<String> = query.split('&').filter(|text| !text.is_empty()).map(str::to_owned).collect();
    if let Some(options) = parameters.iter_mut().find(|parameter| parameter.starts_with("options=")) {
        options.push_str(&encode(&format!(" {option}")));
    } else {
        let options = variable.map_or_else(|| option.clone(), |variable| format!("{variable} {option}"));
        parameters.push(format!("options={}", encode(&options)));
    }
    format!("{base}?{}", parameters.join("&"))
}

/// Percent-encodes a value. libpq does not interpret a plus sign as a space.
fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[derive(QueryableByName)]
struct Probe {
    #[diesel(sql_type = Bool)]
    is_set: bool,
}

fn has_probe(connection: &mut PgConnection) -> QueryResult<bool> {
    let query = format!("SELECT coalesce(current_setting('{PROBE}', true) = 'on', false) AS is_set");
    Ok(sql_query(query).get_result::<Probe>(connection)?.is_set)
}

diesel::table! {
    /// The statements that the current connection to the server has prepared.
    pg_prepared_statements (name) {
        name -> Text,
    }
}

/// Maximum number of transactions that are compared.
const MAX_COMPARED: usize = 20;

/// Returns whether the database is reached through a pooler that loses prepared statements: it passes their names to the server unchanged, and runs transactions of two clients on
/// the same connection to the server. PgBouncer 1.21 and later replaces the names; in session mode, each client has its own connection.
///
/// # Errors
/// [`DbError::Unavailable`].
pub fn loses_prepared_statements(target: &Target) -> Result<bool, DbError> {
    let Target::Postgres(url) = target else { return Ok(false) };
    let connect = || connect(url, PreparedStatements::On, false).map_err(|error| DbError::unreachable(&error));
    let (first, second) = (connect()?, connect()?);
    if !first.uses_pooler {
        return Ok(false);
    }
    let (mut first, mut second) = (first.connection, second.connection);
    Ok(passes_names(&mut first)? && shares_connections(&mut first, &mut second)?)
}

/// Returns whether the server knows a statement by the name that the client has given it.
fn passes_names(connection: &mut PgConnection) -> QueryResult<bool> {
    connection.batch_execute("BEGIN")?;
    let names = pg_prepared_statements::table
        .filter(pg_prepared_statements::name.like("\\_\\_diesel\\_stmt\\_%"))
        .select(pg_prepared_statements::name)
        .load::<String>(connection);
    let Ok(names) = names else {
        // Another client has prepared a statement of this name on the same connection.
        connection.batch_execute("ROLLBACK")?;
        return Ok(true);
    };
    for name in &names {
        connection.batch_execute(&format!("DEALLOCATE \"{name}\""))?;
    }
    connection.batch_execute("COMMIT")?;
    Ok(!names.is_empty())
}

#[derive(QueryableByName)]
struct Process {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

/// Returns whether transactions of two clients that are both connected have run on the same connection to the server.
fn shares_connections(first: &mut PgConnection, second: &mut PgConnection) -> QueryResult<bool> {
    let pid = |connection: &mut PgConnection| {
        sql_query("SELECT pg_backend_pid() AS pid").get_result::<Process>(connection).map(|process| process.pid)
    };
    let mut seen = Vec::new();
    for _ in 0..MAX_COMPARED {
        seen.push(pid(first)?);
        if seen.contains(&pid(second)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The statements that begin transactions on a connection to PostgreSQL. They set the isolation level, which a role or a database
/// may have changed.
#[derive(Clone, Debug, Default)]
pub(super) struct BeginStatements {
    /// For a single SELECT. `None` without a transaction.
    pub(super) read: Option<String>,
    pub(super) snapshot: Option<String>,
    pub(super) write: Option<String>,
}

impl BeginStatements {
    /// Without a pooler, the timeouts are settings of the session. With one, they are settings of each transaction.
    pub(super) fn new(uses_pooler: bool, timeouts: &SessionTimeouts) -> Self {
        let begin = |mode: &str| {
            let begin = format!("BEGIN ISOLATION LEVEL {mode}");
            if !uses_pooler {
                return begin;
            }
            format!(
                "{begin}; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; \
                 SET LOCAL idle_in_transaction_session_timeout = {}",
                timeouts.statement.as_millis(),
                timeouts.lock.as_millis(),
                timeouts.idle_in_transaction.as_millis(),
            )
        };
        Self {
            // Not READ ONLY: the readiness check reads whether the server is.
            read: uses_pooler.then(|| begin("READ COMMITTED")),
            snapshot: Some(begin("REPEATABLE READ READ ONLY")),
            // Without READ WRITE, which a standby rejects with a different error than a write.
            write: Some(begin("READ COMMITTED")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn probe_is_added_to_other_options() {
        for (url, variable, expected) in [
            ("postgres://h/n", None, "postgres://h/n?options=-c%20bucketlist.direct%3Don"),
            (
                "postgres://h/n?sslmode=require",
                None,
                "postgres://h/n?sslmode=require&options=-c%20bucketlist.direct%3Don",
            ),
            (
                "postgres://h/n?options=-csearch_path%3Da&sslmode=require",
                Some("-c geqo=off"),
                "postgres://h/n?options=-csearch_path%3Da%20-c%20bucketlist.direct%3Don&sslmode=require",
            ),
            (
                "postgres:///n?host=/socket",
                Some("-c geqo=off"),
                "postgres:///n?host=/socket&options=-c%20geqo%3Doff%20-c%20bucketlist.direct%3Don",
            ),
        ] {
            assert_eq!(with_probe(url, variable), expected);
        }
    }

    #[test]
    fn transactions_through_a_pooler_set_the_timeouts() {
        let timeouts = SessionTimeouts {
            statement: Duration::from_secs(1),
            lock: Duration::from_millis(20),
            idle_in_transaction: Duration::ZERO,
        };
        let direct = BeginStatements::new(false, &timeouts);
        assert_eq!(direct.read, None);
        assert_eq!(direct.write.as_deref(), Some("BEGIN ISOLATION LEVEL READ COMMITTED"));
        let pooled = BeginStatements::new(true, &timeouts);
        for begin in [pooled.read, pooled.snapshot, pooled.write] {
            let begin = begin.unwrap();
            let settings = "; SET LOCAL statement_timeout = 1000; SET LOCAL lock_timeout = 20; \
                            SET LOCAL idle_in_transaction_session_timeout = 0";
            assert!(begin.starts_with("BEGIN ISOLATION LEVEL ") && begin.ends_with(settings), "{begin}");
        }
    }
}
