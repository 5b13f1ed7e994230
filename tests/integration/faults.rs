//! Faults of the database: busy, locked, full, missing, terminated, slow or not migrated. Each has the usual error response,
//! and ends with its cause.

use std::{
    net::TcpListener,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bucketlist::db::{BatchableWork, Db, DbConnection, DbError, Target, migrations::Migrator};
use diesel::{connection::SimpleConnection, prelude::*, sql_query, sql_types::BigInt};
use futures_util::future::join_all;

use crate::support::{Actor, Database, Engine, Proxy, TestApp, TestResponse, json, through_address};

/// A gate that threads wait at.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub fn wait(&self) {
        let (open, changed) = &*self.0;
        let patience = Duration::from_secs(60);
        let (open, _) = changed.wait_timeout_while(open.lock().unwrap(), patience, |open| !*open).unwrap();
        assert!(*open, "the gate was not opened");
    }
}

/// A change that shares no statement.
pub struct UnsharedChange<F>(pub F);

impl<T: Send + 'static, F: Fn(&mut DbConnection) -> QueryResult<T> + Send + 'static> BatchableWork
    for UnsharedChange<F>
{
    type Output = T;

    fn run(&self, c: &mut DbConnection) -> QueryResult<T> {
        self.0(c)
    }

    fn run_all(changes: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<T>>> {
        changes.iter().map(|change| change.run(c).map(Some)).collect()
    }
}

/// How to acquire a connection.
#[derive(Clone, Copy)]
pub enum Access {
    Read,
    Write,
}

pub type Unit = tokio::task::JoinHandle<Result<(), DbError>>;

/// Starts a unit of work that calls `started` and waits for the gate.
pub fn start_unit(db: &Db, access: Access, gate: &Gate, started: impl Fn() + Send + 'static) -> Unit {
    let (db, gate) = (db.clone(), gate.clone());
    tokio::spawn(async move {
        let unit = move |_: &mut DbConnection| {
            started();
            gate.wait();
            Ok::<_, DbError>(())
        };
        match access {
            Access::Read => db.read(unit).await,
            Access::Write => db.write(unit).await,
        }
    })
}

/// Starts units of work that wait for the gate, until the queue is full; returns the tasks.
async fn fill_queue(db: &Db, access: Access, gate: &Gate) -> Vec<Unit> {
    let (rejection, mut rejected) = tokio::sync::mpsc::unbounded_channel();
    let units: Vec<_> = (0..600)
        .map(|_| {
            let (unit, rejection) = (start_unit(db, access, gate, || {}), rejection.clone());
            tokio::spawn(async move {
                let outcome = unit.await.unwrap();
                if matches!(outcome, Err(DbError::AcquireTimeout(_))) {
                    let _ = rejection.send(());
                }
                outcome
            })
        })
        .collect();
    rejected.recv().await.expect("600 units exceed the queue");
    units
}

/// Fills the queue of a pool without waiting time: one unit runs before the others are started.
pub async fn exhaust_pool(db: &Db, access: Access, gate: &Gate) -> Vec<Unit> {
    let first = loop {
        let (started, mut running) = tokio::sync::mpsc::unbounded_channel();
        let unit = start_unit(db, access, gate, move || started.send(()).unwrap());
        // The unit was rejected because the connection was not established yet.
        if running.recv().await.is_some() {
            break unit;
        }
    };
    let mut units = fill_queue(db, access, gate).await;
    units.push(first);
    units
}

/// Asserts a 503 with `Retry-After`.
#[track_caller]
pub fn expect_unavailable(response: TestResponse) -> TestResponse {
    assert_eq!((response.status, response.code().as_str()), (503, "SERVICE_UNAVAILABLE"), "{response:?}");
    let seconds: u32 = response.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{response:?}");
    response
}

pub async fn expect_ready(app: &TestApp) {
    app.anonymous().get("/health/ready").await.expect(200);
}

/// Asserts that the server is live but not ready, for this reason.
pub async fn expect_not_ready(app: &TestApp, reason: &str) {
    app.anonymous().get("/health/live").await.expect(200);
    let response = expect_unavailable(app.anonymous().get("/health/ready").await.any_status());
    let text = String::from_utf8_lossy(&response.body);
    assert!(text.contains(reason), "{reason}: {text}");
}

/// Sends `GET path` until it returns 200, and asserts that it returns 503 before. Returns the number of 503s.
pub async fn retry_until_ok(user: &Actor<'_>, path: &str, attempts: usize) -> usize {
    for failures in 0..=attempts {
        let response = user.get(path).await.any_status();
        if response.status == 200 {
            return failures;
        }
        expect_unavailable(response);
    }
    panic!("{path} is still 503 after {attempts} attempts");
}

/// Returns the same database with an `application_name` that identifies its connections.
pub fn with_application_name(target: &Target, name: &str) -> Target {
    with_parameter(target, "application_name", name)
}

/// Returns the same database with another parameter in its URL.
pub fn with_parameter(target: &Target, name: &str, value: &str) -> Target {
    let Target::Postgres(url) = target else { panic!("{target:?} is not PostgreSQL") };
    Target::Postgres(format!("{url}&{name}={value}"))
}

pub fn unique(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{what}_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Returns the column `n` of a query.
pub fn select_number(c: &mut DbConnection, query: &str) -> Result<i64, diesel::result::Error> {
    let row: Number = match c {
        DbConnection::Sqlite(c) => sql_query(query).get_result(c)?,
        DbConnection::Postgres(c) => sql_query(query).get_result(c)?,
    };
    Ok(row.n)
}

pub fn select_number_directly(database: &Database, query: &str) -> i64 {
    select_number(database.migrator().connection(), query).unwrap()
}

/// Returns a separate connection that has executed `sql`; it is rolled back when dropped.
pub fn hold_transaction(database: &Database, sql: &str) -> Migrator {
    let mut migrator = database.migrator();
    migrator.connection().batch_execute(sql).unwrap();
    migrator
}

/// Terminates the connections of this name and returns their number.
pub fn kill_connections(database: &Database, name: &str) -> i64 {
    let query = format!(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) AS n \
         FROM pg_stat_activity WHERE application_name = '{name}'"
    );
    select_number_directly(database, &query)
}

both_engines! {
    async fn exhausted_pool_returns_503_until_a_connection_is_free(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.database.pool_size = 1;
            config.database.acquire_timeout = Duration::from_millis(500);
        }).build();
        let user = app.user().await;
        let gate = Gate::default();
        let units = fill_queue(&app.app.db, Access::Read, &gate).await;

        // The gate is closed: a response shows that the request does not wait for a unit to end.
        expect_unavailable(user.get("/v1/bucketlists").await.any_status());
        expect_unavailable(user.get("/v1/users/me").await.any_status());
        expect_not_ready(&app, "The database is unavailable.").await;
        app.anonymous().get("/version").await.expect(200);
        app.anonymous().get("/openapi/v1.json").await.expect(200);

        gate.open();
        let outcomes: Vec<_> = join_all(units).await.into_iter().map(Result::unwrap).collect();
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert!(done >= 1 && outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(DbError::AcquireTimeout(_) | DbError::DeadlineExceeded))));
        user.get("/v1/bucketlists").await.expect(200);
        user.create_bucketlist("Possible again").await;
        expect_ready(&app).await;
    }

    async fn busy_writer_returns_503_and_writes_nothing(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.database.pool_size = 1;
            config.database.acquire_timeout = Duration::from_millis(500);
        }).build();
        let user = app.user().await;
        let gate = Gate::default();
        let units = fill_queue(&app.app.db, Access::Write, &gate).await;

        let body = json!({"name": "Not now"});
        expect_unavailable(user.post("/v1/bucketlists", &body).await.any_status());
        let newcomer = json!({"email": "late@example.com", "password": Actor::PASSWORD, "name": "Late"});
        expect_unavailable(app.anonymous().post("/v1/auth/register", &newcomer).await.any_status());
        if engine == Engine::Sqlite {
            // Readers use other connections.
            assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 0);
        }

        gate.open();
        join_all(units).await;
        assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 0, "a rejected write was executed");
        user.post("/v1/bucketlists", &body).await.expect(201);
        app.anonymous().post("/v1/auth/register", &newcomer).await.expect(201);
    }

    async fn server_recovers_when_a_missing_database_appears(engine: Engine) {
        let database = Database::new(engine);
        // On SQLite the directory of the file is missing; on PostgreSQL the connection is interrupted.
        let (folder, away) = (database.folder.path().join("there"), database.folder.path().join("away"));
        let (target, proxy) = match &database.target {
            Target::Sqlite(path) => {
                std::fs::create_dir(&away).unwrap();
                std::fs::rename(path, away.join("test.db")).unwrap();
                (Target::Sqlite(folder.join("test.db")), None)
            }
            target @ Target::Postgres(_) => {
                let proxy = Proxy::to(target);
                proxy.interrupt();
                (proxy.target(target), Some(proxy))
            }
        };
        let app = TestApp::builder().database(database).config(|config| {
            config.database.target = target;
        }).build();
        let newcomer = json!({"email": "early@example.com", "password": Actor::PASSWORD, "name": "Early"});
        expect_unavailable(app.anonymous().post("/v1/auth/register", &newcomer).await.any_status());
        expect_not_ready(&app, "The database is unavailable.").await;

        match &proxy {
            Some(proxy) => proxy.restore(),
            None => std::fs::rename(&away, &folder).unwrap(),
        }
        let early = app.anonymous();
        retry_until_ok(&early, "/health/ready", 20).await;
        app.anonymous().post("/v1/auth/register", &newcomer).await.expect(201);
    }

    async fn unmigrated_database_returns_500_and_is_not_ready(engine: Engine) {
        let app = TestApp::builder().database(Database::unmigrated(engine)).build();
        let newcomer = json!({"email": "early@example.com", "password": Actor::PASSWORD, "name": "Early"});
        let response = app.anonymous().post("/v1/auth/register", &newcomer).await.any_status();
        assert!([500, 503].contains(&response.status), "{response:?}");
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert!(!text.contains("relation") && !text.contains("no such table"), "internal details are exposed: {text}");
        expect_not_ready(&app, "bucketlist migrate up").await;

        app.database.migrator().up().unwrap();
        app.anonymous().post("/v1/auth/register", &newcomer).await.expect(201);
        expect_ready(&app).await;
    }

    async fn server_with_pending_migrations_is_not_ready(engine: Engine) {
        let app = TestApp::new(engine);
        expect_ready(&app).await;
        let undone = app.database.migrator().down().unwrap();
        assert!(undone.is_some());
        expect_not_ready(&app, "The database has pending migrations: run `bucketlist migrate up`.").await;
        app.database.migrator().up().unwrap();
        expect_ready(&app).await;
    }

    async fn server_older_than_the_schema_is_not_ready(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        app.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')");
        // The migration is additive: this server can still use the database.
        expect_ready(&app).await;
        app.execute("UPDATE schema_compatibility SET minimum_version = '20991231235959'");
        expect_not_ready(&app, "The database schema is newer than this server.").await;
        user.get("/v1/users/me").await.expect(200);
        app.execute("DELETE FROM __diesel_schema_migrations WHERE version = '20991231235959'");
        expect_ready(&app).await;
    }

    async fn draining_server_is_not_ready_but_responds(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        app.app.readiness.drain();
        expect_not_ready(&app, "The server is shutting down.").await;
        user.create_bucketlist("In the last moment").await;
    }

    async fn dropped_table_returns_500_without_details_until_restored(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("Kept").await;
        app.execute("ALTER TABLE items RENAME TO mislaid");
        for _ in 0..4 {
            let response = user.get(&format!("/v1/bucketlists/{list}/items")).await.expect_error(500, "INTERNAL_ERROR");
            let text = String::from_utf8_lossy(&response.body);
            assert!(!text.contains("items") && !text.contains("table"), "{text}");
        }
        let body = json!({"name": "Lost"});
        user.post(&format!("/v1/bucketlists/{list}/items"), &body).await.expect_error(500, "INTERNAL_ERROR");
        // Other tables work, and the transaction was rolled back: the count had been raised before the item failed.
        let response_body = user.get(&format!("/v1/bucketlists/{list}")).await.expect(200).json();
        assert_eq!(response_body["items_total"], 0);
        app.execute("ALTER TABLE mislaid RENAME TO items");
        user.create_item(list, "Found").await;
        assert_eq!(user.get(&format!("/v1/bucketlists/{list}")).await.expect(200).json()["items_total"], 1);
    }
}

#[tokio::test]
async fn unreachable_postgresql_returns_503_until_it_is_back() {
    let database = Database::new(Engine::Postgres);
    let proxy = Proxy::to(&database.target);
    let app = TestApp::builder()
        .database(database)
        .config(|config| {
            config.database.target = proxy.target(&config.database.target);
            config.database.acquire_timeout = Duration::from_millis(500);
        })
        .build();
    let user = app.user().await;
    let list = user.create_bucketlist("Before").await;
    expect_ready(&app).await;

    proxy.interrupt();
    expect_unavailable(user.get("/v1/bucketlists").await.any_status());
    expect_unavailable(user.post("/v1/bucketlists", &json!({"name": "Meanwhile"})).await.any_status());
    expect_not_ready(&app, "The database is unavailable.").await;
    let login = json!({"email": user.email(), "password": Actor::PASSWORD});
    expect_unavailable(app.anonymous().post("/v1/auth/login", &login).await.any_status());

    proxy.restore();
    // Attempts to connect fail at once for as long as the last one took.
    retry_until_ok(&user, "/v1/users/me", 100_000).await;
    expect_ready(&app).await;
    assert_eq!(user.get(&format!("/v1/bucketlists/{list}")).await.expect(200).json()["name"], "Before");
    assert_eq!(
        user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"],
        1,
        "a rejected write was executed"
    );
    user.create_bucketlist("Meanwhile").await;
}

#[tokio::test]
async fn postgresql_on_a_closed_port_returns_503() {
    let database = Database::new(Engine::Postgres);
    // A port that was free a moment ago and is unlikely to be reused at once.
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let app = TestApp::builder()
        .database(database)
        .config(|config| {
            config.database.target = through_address(address, &config.database.target);
            config.database.acquire_timeout = Duration::from_millis(500);
        })
        .build();
    let login = json!({"email": "ada@example.com", "password": Actor::PASSWORD});
    let response = expect_unavailable(app.anonymous().post("/v1/auth/login", &login).await.any_status());
    let text = String::from_utf8_lossy(&response.body).into_owned();
    assert!(!text.contains("127.0.0.1") && !text.contains("refused"), "internal details are exposed: {text}");
    expect_not_ready(&app, "The database is unavailable.").await;
}

#[tokio::test]
async fn terminated_connections_fail_no_request() {
    let name = unique("killed");
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.pool_size = 2;
            config.database.target = with_application_name(&config.database.target, &name);
        })
        .build();
    let user = app.user().await;
    for round in 0..3 {
        // Concurrent requests open two connections.
        let both = std::sync::Arc::new(std::sync::Barrier::new(2));
        let units = (0..2).map(|_| {
            let (db, both) = (app.app.db.clone(), Arc::clone(&both));
            async move {
                let unit = db.read(move |c| {
                    both.wait();
                    select_number(c, "SELECT count(*) AS n FROM users").map_err(DbError::from)
                });
                unit.await
            }
        });
        let responses = join_all(units).await;
        assert!(responses.iter().all(Result::is_ok), "{responses:?}");
        assert_eq!(kill_connections(&app.database, &name), 2);

        for number in 0..12 {
            match number % 2 {
                0 => user.get("/v1/users/me").await.expect(200),
                _ => user.post("/v1/bucketlists", &json!({"name": format!("{round}/{number}")})).await.expect(201),
            };
        }
    }
}

#[tokio::test]
async fn write_on_a_terminated_connection_is_rolled_back() {
    let name = unique("half_way");
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.target = with_application_name(&config.database.target, &name);
        })
        .build();
    let user = app.user().await;
    let owner = user.id();
    let gate = Gate::default();
    let (started, mut running) = tokio::sync::mpsc::unbounded_channel();
    let (db, killed) = (app.app.db.clone(), gate.clone());
    let unit = tokio::spawn(async move {
        let unit = db.write(move |c| {
            let insert = format!(
                "INSERT INTO bucketlists (user_id, name, search_text, created_at, updated_at) \
                 VALUES ({owner}, 'Half', 'half', 1, 1)"
            );
            c.batch_execute(&insert)?;
            started.send(()).unwrap();
            killed.wait();
            // The connection may be closed already.
            Ok::<_, DbError>(())
        });
        unit.await
    });
    running.recv().await.unwrap();
    assert!(kill_connections(&app.database, &name) >= 1);
    gate.open();
    let outcome = unit.await.unwrap();
    assert!(matches!(outcome, Err(DbError::Unavailable(_))), "{outcome:?}");
    assert_eq!(select_number_directly(&app.database, "SELECT count(*) AS n FROM bucketlists"), 0);
    retry_until_ok(&user, "/v1/users/me", 2).await;
    user.create_bucketlist("Whole").await;
}

#[tokio::test]
async fn slow_postgresql_statement_times_out() {
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.statement_timeout = Duration::from_millis(100);
        })
        .build();
    let user = app.user().await;
    let list = user.create_bucketlist("Locked").await;
    let path = format!("/v1/bucketlists/{list}");
    let lock = hold_transaction(&app.database, "BEGIN; LOCK TABLE bucketlists IN ACCESS EXCLUSIVE MODE");
    // More than the number of connections: each must be released.
    for _ in 0..4 {
        expect_unavailable(user.get(&path).await.any_status());
        expect_unavailable(user.post(&format!("{path}/items"), &json!({"name": "Slow"})).await.any_status());
    }
    user.get("/v1/users/me").await.expect(200);
    drop(lock);
    assert_eq!(user.get(&path).await.expect(200).json()["items_total"], 0);
    user.create_item(list, "Quick").await;
}

#[tokio::test]
async fn write_lock_of_another_process_returns_503_for_writes_only() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    // The busy timeout of the writer is five seconds; this test shortens it.
    let impatient = |c: &mut DbConnection| c.batch_execute("PRAGMA busy_timeout = 20").map_err(DbError::from);
    app.app.db.write(impatient).await.unwrap();

    let lock = hold_transaction(&app.database, "BEGIN EXCLUSIVE");
    for number in 0..3 {
        expect_unavailable(user.post("/v1/bucketlists", &json!({"name": format!("List {number}")})).await.any_status());
    }
    assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 0);
    expect_ready(&app).await;

    drop(lock);
    user.create_bucketlist("List 0").await;
    assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 1);
}

#[tokio::test]
async fn full_disk_loses_no_acknowledged_write() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    // SQLite reports a file that cannot grow in the same access as a full disk.
    let limit = |pages: i64| {
        let db = app.app.db.clone();
        async move {
            let unit = db.write(move |c| {
                let pages = if pages > 0 {
                    pages
                } else {
                    select_number(c, "SELECT page_count AS n FROM pragma_page_count")? + 20
                };
                c.batch_execute(&format!("PRAGMA max_page_count = {pages}"))?;
                Ok::<_, DbError>(())
            });
            unit.await.unwrap();
        }
    };
    limit(0).await;
    let text = "a page is four kibibytes ".repeat(38);
    let body = |number: usize| json!({"name": format!("List {number:02}"), "description": text});
    let mut stored = Vec::new();
    let (mut rejected, mut is_full) = (0, false);
    // A few writes that fit, then many at once: a shared commit that fails rolls back all of them.
    for number in 0..5 {
        user.post("/v1/bucketlists", &body(number)).await.expect(201);
        stored.push(format!("List {number:02}"));
    }
    let bodies: Vec<_> = (5..65).map(body).collect();
    let responses = join_all(bodies.iter().map(|body| user.post("/v1/bucketlists", body))).await;
    for (body, response) in bodies.iter().zip(responses) {
        let response = response.any_status();
        match response.status {
            201 => stored.push(body["name"].as_str().unwrap().to_owned()),
            _ => {
                let code = (response.status, response.code());
                // The writes that shared its commit were rolled back, too, and can be repeated.
                let expected = [(507, "INSUFFICIENT_STORAGE"), (503, "SERVICE_UNAVAILABLE")];
                assert!(expected.iter().any(|(status, name)| code == (*status, (*name).to_owned())), "{response:?}");
                is_full |= response.status == 507;
                rejected += 1;
            }
        }
    }
    assert!(is_full && rejected > 0 && !stored.is_empty(), "some writes succeed and some fail: {stored:?}");
    let page = user.get("/v1/bucketlists?per_page=100").await.expect(200).json();
    let mut names: Vec<String> =
        page["data"].as_array().unwrap().iter().map(|list| list["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, stored, "exactly the acknowledged writes are stored");

    limit(1_000_000).await;
    user.create_bucketlist("Room again").await;
    assert_eq!(
        select_number_directly(
            &app.database,
            "SELECT count(*) AS n FROM pragma_integrity_check WHERE integrity_check <> 'ok'"
        ),
        0
    );
}

#[tokio::test]
async fn deleted_database_file_rejects_writes() {
    let app = TestApp::new(Engine::Sqlite);
    let user = app.user().await;
    user.create_bucketlist("Before").await;
    let Target::Sqlite(path) = &app.database.target else { unreachable!("the engine is SQLite") };
    std::fs::rename(path, path.with_extension("moved")).unwrap();
    expect_unavailable(user.post("/v1/bucketlists", &json!({"name": "Lost"})).await.any_status());
    expect_not_ready(&app, "The database file was removed or replaced while the server was running.").await;
    // Another file in its place is not accepted either.
    std::fs::copy(path.with_extension("moved"), path).unwrap();
    expect_unavailable(user.post("/v1/bucketlists", &json!({"name": "Lost"})).await.any_status());
    std::fs::rename(path.with_extension("moved"), path).unwrap();
    user.create_bucketlist("After").await;
    expect_ready(&app).await;
}
