//! Connections through a pooler, which may run each transaction on another connection to the server. `make pgbouncer` runs other tests
//! through PgBouncer.

use std::time::Duration;

use bucketlist::db::{
    Db, DbConnection, DbError, Options, PreparedStatements, Target,
    exclusive::{ExclusiveLock, ExclusiveLockError},
    loses_prepared_statements,
    migrations::Migrator,
    schema::bucketlists,
};
use diesel::{
    QueryableByName,
    connection::SimpleConnection,
    dsl::count_star,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};

use crate::{
    faults::expect_ready,
    support::{Database, Engine, PostgresSchema, Proxy, StartupOptions, TestApp, server_url},
};

const POOLERS: [StartupOptions; 2] = [StartupOptions::Ignore, StartupOptions::Reject];

#[derive(QueryableByName, Debug, PartialEq, Eq)]
struct Session {
    #[diesel(sql_type = Text)]
    isolation: String,
    #[diesel(sql_type = Text)]
    statement_timeout: String,
    #[diesel(sql_type = Text)]
    lock_timeout: String,
    #[diesel(sql_type = BigInt)]
    prepared: i64,
}

impl Session {
    fn read(c: &mut DbConnection) -> Result<Self, DbError> {
        // A statement that is prepared, if statements are.
        let _: i64 = bucketlists::table.filter(bucketlists::id.eq(1_i64)).select(count_star()).first(c)?;
        let DbConnection::Postgres(c) = c else { panic!("the target is PostgreSQL") };
        let query = "SELECT current_setting('transaction_isolation') AS isolation, \
                     current_setting('statement_timeout') AS statement_timeout, \
                     current_setting('lock_timeout') AS lock_timeout, \
                     (SELECT count(*) FROM pg_prepared_statements) AS prepared";
        Ok(sql_query(query).get_result(c)?)
    }
}

/// A schema with all migrations, whose role has another isolation level.
fn schema() -> PostgresSchema {
    let schema = PostgresSchema::for_role("pooler", &server_url());
    let mut migrator = Migrator::connect(&Options::new(Target::Postgres(schema.url.clone()), 1)).unwrap();
    migrator.up().unwrap();
    let role = format!("ALTER ROLE {} SET default_transaction_isolation = 'serializable'", schema.name());
    migrator.connection().batch_execute(&role).unwrap();
    schema
}

fn options(target: Target, prepared: PreparedStatements) -> Options {
    let (statement_timeout, lock_timeout) = (Duration::from_secs(67), Duration::from_secs(61));
    Options { statement_timeout, lock_timeout, prepared, ..Options::new(target, 1) }
}

async fn sessions(target: Target, prepared: PreparedStatements) -> [Session; 3] {
    let db = Db::open(options(target, prepared)).unwrap();
    let mut sessions = Vec::new();
    sessions.push(db.read(Session::read).await.unwrap());
    sessions.push(db.snapshot(Session::read).await.unwrap());
    sessions.push(db.write(Session::read).await.unwrap());
    sessions.try_into().unwrap()
}

fn expected(isolation: &str, prepared: i64) -> Session {
    let (statement_timeout, lock_timeout) = ("67s".to_owned(), "61s".to_owned());
    Session { isolation: isolation.to_owned(), statement_timeout, lock_timeout, prepared }
}

#[tokio::test]
async fn settings_apply_to_each_transaction() {
    let schema = schema();
    let target = Target::Postgres(schema.url.clone());
    for pooler in POOLERS {
        let proxy = Proxy::pooler(&target, pooler);
        let [read, snapshot, write] = sessions(proxy.target(&target), PreparedStatements::Auto).await;
        assert_eq!(read, expected("read committed", 0), "{pooler:?}");
        assert_eq!(snapshot, expected("repeatable read", 0), "{pooler:?}");
        assert_eq!(write, expected("read committed", 0), "{pooler:?}");
    }
}

#[tokio::test]
async fn settings_of_the_session_do_not_change_through_a_pooler() {
    let schema = schema();
    let target = Target::Postgres(schema.url.clone());
    let proxy = Proxy::pooler(&target, StartupOptions::Reject);
    let db = Db::open(options(proxy.target(&target), PreparedStatements::Auto)).unwrap();
    db.read(Session::read).await.unwrap();
    // In another transaction of the same session, as the next client of the pooler has.
    let after = db
        .read(|c| {
            c.batch_execute("COMMIT; BEGIN")?;
            Session::read(c)
        })
        .await
        .unwrap();
    assert_eq!((&*after.statement_timeout, &*after.isolation), ("0", "serializable"));
}

#[tokio::test]
async fn statements_are_prepared_unless_the_connection_uses_a_pooler() {
    let schema = schema();
    let target = Target::Postgres(schema.url.clone());
    let [read, snapshot, write] = sessions(target.clone(), PreparedStatements::Auto).await;
    assert_eq!(
        (read, snapshot, write),
        (expected("read committed", 1), expected("repeatable read", 1), expected("read committed", 1))
    );
    let [.., write] = sessions(target.clone(), PreparedStatements::Off).await;
    assert_eq!(write.prepared, 0);
    let proxy = Proxy::pooler(&target, StartupOptions::Reject);
    let [.., write] = sessions(proxy.target(&target), PreparedStatements::On).await;
    assert_eq!(write.prepared, 1);
}

#[tokio::test]
async fn server_is_ready_through_a_pooler() {
    let database = Database::new(Engine::Postgres);
    for pooler in POOLERS {
        let schema = schema();
        let target = Target::Postgres(schema.url.clone());
        let proxy = Proxy::pooler(&target, pooler);
        let app = TestApp::builder()
            .database(database.shared())
            .config(|config| config.database.target = proxy.target(&target))
            .build();
        expect_ready(&app).await;
        app.user().await;
    }
}

#[tokio::test]
async fn pooler_that_loses_prepared_statements_is_detected() {
    let target = Target::Postgres(server_url());
    assert!(!loses_prepared_statements(&target).unwrap());
    // Each client has its own connection to the server, as in session mode.
    let proxy = Proxy::pooler(&target, StartupOptions::Reject);
    assert!(!loses_prepared_statements(&proxy.target(&target)).unwrap());
    // Transactions of several clients run on the same connection (`scripts/with-pgbouncer`).
    if let Ok(url) = std::env::var("TEST_POOLER_URL") {
        let is_supported = std::env::var_os("PREPARED").is_some();
        for _ in 0..3 {
            assert_eq!(loses_prepared_statements(&Target::Postgres(url.clone())).unwrap(), !is_supported);
        }
    }
}

#[tokio::test]
async fn exclusive_lock_requires_a_direct_connection() {
    let target = Target::Postgres(server_url());
    for pooler in POOLERS {
        let proxy = Proxy::pooler(&target, pooler);
        let Target::Postgres(url) = proxy.target(&target) else { unreachable!("the target is PostgreSQL") };
        assert!(matches!(ExclusiveLock::new(&url), Err(ExclusiveLockError::Pooler)), "{pooler:?}");
    }
}

#[tokio::test]
async fn migrations_are_applied_and_reverted_through_a_pooler() {
    let schema = PostgresSchema::for_role("pooler", &server_url());
    let target = Target::Postgres(schema.url.clone());
    let proxy = Proxy::pooler(&target, StartupOptions::Reject);
    let mut migrator = Migrator::connect(&Options::new(proxy.target(&target), 1)).unwrap();
    assert!(migrator.uses_pooler());
    let applied = migrator.up().unwrap();
    assert_eq!(migrator.redo().unwrap().as_ref(), applied.last());
    assert!(migrator.status().unwrap().is_current());
}
