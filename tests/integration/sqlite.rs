//! The maintenance of an SQLite database while a server uses it, and the check that a database can be written.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use bucketlist::db::{DbConnection, DbError, IdleCheckpoint, Target};
use diesel::{
    connection::SimpleConnection,
    prelude::*,
    sql_query,
    sql_types::{Integer, Text},
};

use crate::{
    faults::expect_unavailable,
    support::{Database, Engine, TestApp, json},
};

/// Maximum size of a log that is not in use.
const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;

fn log_bytes(app: &TestApp) -> u64 {
    let Target::Sqlite(path) = &app.database.target else { unreachable!("the engine is SQLite") };
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    fs::metadata(PathBuf::from(log)).unwrap().len()
}

/// Runs SQL on the writer of the app.
async fn write(app: &TestApp, sql: &'static str) {
    app.app.db.write(move |c: &mut DbConnection| c.batch_execute(sql).map_err(DbError::from)).await.unwrap();
}

#[tokio::test]
async fn log_is_truncated_while_the_database_is_idle() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    let mut checkpoint = IdleCheckpoint::default();
    for name in ["First", "Second"] {
        user.create_bucketlist(name).await;
        assert!(!checkpoint.run(&app.app.db).await.unwrap(), "the database was in use");
        assert!(log_bytes(&app) > 0);
    }
    assert!(checkpoint.run(&app.app.db).await.unwrap(), "the database was idle");
    assert_eq!(log_bytes(&app), 0);
    assert!(!checkpoint.run(&app.app.db).await.unwrap(), "the log is empty");
    user.create_bucketlist("Third").await;
}

#[tokio::test]
async fn log_is_checkpointed_in_the_background() {
    #[derive(QueryableByName)]
    struct LogState {
        #[diesel(sql_type = Integer)]
        checkpointed: i32,
    }
    let app = TestApp::new(Engine::Sqlite);
    let mut observer = app.database.migrator();
    let DbConnection::Sqlite(observer) = observer.connection() else { unreachable!("the engine is SQLite") };
    // About 1,500 pages: enough for the background, and too few for the checkpoint within a commit.
    write(&app, "CREATE TABLE large (content BLOB); INSERT INTO large VALUES (zeroblob(6000000))").await;
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let state: LogState = sql_query("PRAGMA wal_checkpoint(NOOP)").get_result(observer).unwrap();
        if state.checkpointed >= 1_000 {
            break;
        }
        assert!(Instant::now() < deadline, "the log is not checkpointed");
        std::thread::yield_now();
    }
    assert!(log_bytes(&app) <= MAX_LOG_BYTES);
}

#[tokio::test]
async fn idle_checkpoint_does_not_wait_for_readers() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    user.create_bucketlist("First").await;
    let mut checkpoint = IdleCheckpoint::default();
    checkpoint.run(&app.app.db).await.unwrap();
    let mut reader = app.database.migrator();
    reader.connection().batch_execute("BEGIN; SELECT count(*) FROM users").unwrap();
    assert!(!checkpoint.run(&app.app.db).await.unwrap(), "a reader uses the log");
    assert!(log_bytes(&app) > 0);
    drop(reader);
    assert!(checkpoint.run(&app.app.db).await.unwrap());
    assert_eq!(log_bytes(&app), 0);
}

#[tokio::test]
async fn log_that_a_long_read_has_enlarged_is_truncated_when_it_is_reused() {
    let app = TestApp::new(Engine::Sqlite);
    let mut reader = app.database.migrator();
    reader.connection().batch_execute("BEGIN; SELECT count(*) FROM users").unwrap();
    write(
        &app,
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)
         INSERT INTO jobs (kind, payload, run_at, created_at)
         SELECT 'none', hex(zeroblob(2000)), 9000000000000000, 1 FROM numbers",
    )
    .await;
    assert!(log_bytes(&app) > MAX_LOG_BYTES, "{}", log_bytes(&app));
    drop(reader);
    // A commit, or the background, copies the whole log into the database file, and the next commit starts the log again. A change to
    // the same value writes nothing.
    let deadline = Instant::now() + Duration::from_secs(60);
    while log_bytes(&app) > MAX_LOG_BYTES {
        assert!(Instant::now() < deadline, "{}", log_bytes(&app));
        write(&app, "UPDATE jobs SET created_at = created_at + 1 WHERE id = 1").await;
    }
}

#[tokio::test]
async fn connection_that_cannot_write_is_replaced() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    for round in 0..2 {
        // The next write on this connection fails as on read-only storage.
        write(&app, "PRAGMA query_only = ON").await;
        expect_unavailable(user.post("/v1/bucketlists", &json!({"name": format!("Lost {round}")})).await.any_status());
        user.create_bucketlist(&format!("Stored {round}")).await;
        assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], round + 1);
    }
    app.anonymous().get("/health/ready").await.expect(200);
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Returns the tables that have query planner statistics.
fn analyzed_tables(c: &mut DbConnection) -> Vec<String> {
    let DbConnection::Sqlite(c) = c else { unreachable!("the engine is SQLite") };
    let rows: Vec<Name> = sql_query("SELECT DISTINCT tbl AS name FROM sqlite_stat1 ORDER BY tbl").load(c).unwrap();
    rows.into_iter().map(|row| row.name).collect()
}

/// Inserts this number of jobs that are never due.
fn insert_jobs(c: &mut DbConnection, count: u32) {
    let insert = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
         INSERT INTO jobs (kind, payload, run_at, created_at)
         SELECT 'none', '{{}}', 9000000000000000, 1 FROM numbers"
    );
    c.batch_execute(&insert).unwrap();
}

#[tokio::test]
async fn statistics_cover_large_tables_without_the_search_index() {
    let app = TestApp::new(Engine::Sqlite);
    app.user().await.create_bucketlist("Paris").await;
    let mut migrator = app.database.migrator();
    let c = migrator.connection();
    insert_jobs(c, 1_000);
    c.batch_execute("ANALYZE").unwrap();
    let analyzed = analyzed_tables(c);
    assert!(analyzed.iter().any(|table| table.starts_with("search_index_")), "{analyzed:?}");
    assert!(analyzed.contains(&"users".to_owned()), "{analyzed:?}");

    // At the start of a server.
    migrator.refresh_statistics().unwrap();
    assert_eq!(analyzed_tables(migrator.connection()), ["jobs"]);
    // A running server repairs statistics that another program has collected.
    assert!(!app.app.db.repair_statistics().await.unwrap());
    migrator.connection().batch_execute("ANALYZE").unwrap();
    assert!(app.app.db.repair_statistics().await.unwrap());
    assert_eq!(analyzed_tables(migrator.connection()), ["jobs"]);
    // A table that is no longer large.
    migrator.connection().batch_execute("DELETE FROM jobs WHERE id > 999").unwrap();
    app.app.db.refresh_statistics().await.unwrap();
    assert_eq!(analyzed_tables(migrator.connection()), Vec::<String>::new());
}

#[tokio::test]
async fn statistics_of_a_new_database_are_not_collected() {
    let app = TestApp::new(Engine::Sqlite);
    app.app.db.refresh_statistics().await.unwrap();
    assert!(!app.app.db.repair_statistics().await.unwrap());
    let mut migrator = app.database.migrator();
    let DbConnection::Sqlite(c) = migrator.connection() else { unreachable!("the engine is SQLite") };
    let tables: Vec<Name> = sql_query("SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'").load(c).unwrap();
    assert!(tables.is_empty());
}

both_engines! {
    async fn read_only_database_is_not_ready(engine: Engine) {
        let database = Database::new(engine);
        // Another connection, so that SQLite has the files of its log.
        let mut migrator = database.migrator();
        assert!(migrator.check_writable().is_ok());
        let target = match &database.target {
            Target::Sqlite(path) => Target::Sqlite(format!("file:{}?mode=ro", path.display()).into()),
            Target::Postgres(url) => {
                assert!(url.contains("options="), "{url}");
                Target::Postgres(format!("{url}%20-cdefault_transaction_read_only%3Don"))
            }
        };
        let app = TestApp::builder().database(database).config(|config| config.database.target = target).build();
        // The second response reuses the result of the check.
        for _ in 0..2 {
            let response = expect_unavailable(app.anonymous().get("/health/ready").await.any_status());
            let text = String::from_utf8_lossy(&response.body);
            assert!(text.contains("The database cannot be written."), "{text}");
        }
        app.anonymous().get("/health/live").await.expect(200);
    }

    async fn check_of_a_writable_database_is_reused(engine: Engine) {
        let app = TestApp::new(engine);
        app.app.db.check_writable().await.unwrap();
        let before = app.app.db.statements();
        app.app.db.check_writable().await.unwrap();
        assert_eq!(app.app.db.statements(), before, "the result is reused");
    }
}
