//! What breaks around the app: a database that is busy, locked, full, gone, killed, slow or not migrated. Each is answered
//! in the shape of every other answer, and over when its cause is.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use bucketlist::db::{Db, DbConnection, DbError, Target, migrations::Migrator};
use diesel::{connection::SimpleConnection, prelude::*, sql_query, sql_types::BigInt};
use futures_util::future::join_all;

use crate::support::{Actor, Database, Engine, TestApp, TestResponse, json};

/// Something to wait for, from a thread.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let (open, changed) = &*self.0;
        let patience = Duration::from_secs(60);
        let (open, _) = changed.wait_timeout_while(open.lock().unwrap(), patience, |open| !*open).unwrap();
        assert!(*open, "nobody opened the gate");
    }
}

/// Which of the ways to a connection.
#[derive(Clone, Copy)]
pub enum Way {
    Read,
    Write,
}

type Unit = tokio::task::JoinHandle<Result<(), DbError>>;

/// Sends a unit that says when it runs, and waits for the gate.
fn waiting(db: &Db, way: Way, gate: &Gate, says: impl FnOnce() + Send + 'static) -> Unit {
    let (db, gate) = (db.clone(), gate.clone());
    tokio::spawn(async move {
        let unit = move |_: &mut DbConnection| {
            says();
            gate.wait();
            Ok::<_, DbError>(())
        };
        match way {
            Way::Read => db.read(unit).await,
            Way::Write => db.write(unit).await,
        }
    })
}

/// Fills a way with units that wait for the gate, until there is no place left; returns how many fit, and the tasks.
async fn fill(db: &Db, way: Way, gate: &Gate) -> Vec<Unit> {
    let (refuse, mut refused) = tokio::sync::mpsc::unbounded_channel();
    let units: Vec<_> = (0..600)
        .map(|_| {
            let (unit, refuse) = (waiting(db, way, gate, || {}), refuse.clone());
            tokio::spawn(async move {
                let outcome = unit.await.unwrap();
                if matches!(outcome, Err(DbError::AcquireTimeout(_))) {
                    let _ = refuse.send(());
                }
                outcome
            })
        })
        .collect();
    refused.recv().await.expect("600 units are more than there are places for");
    units
}

/// As [`fill`], where nobody is waited for: one unit runs before the others come, so that they find no place.
pub async fn occupy(db: &Db, way: Way, gate: &Gate) -> Vec<Unit> {
    let first = loop {
        let (started, running) = tokio::sync::oneshot::channel();
        let unit = waiting(db, way, gate, || started.send(()).unwrap());
        // It never ran: the connection was still to be made.
        if running.await.is_ok() {
            break unit;
        }
    };
    let mut units = fill(db, way, gate).await;
    units.push(first);
    units
}

/// Not now, in the shape of every other error, and when to come back.
#[track_caller]
pub fn expect_unavailable(response: TestResponse) -> TestResponse {
    assert_eq!((response.status, response.code().as_str()), (503, "SERVICE_UNAVAILABLE"), "{response:?}");
    let seconds: u32 = response.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{response:?}");
    response
}

async fn expect_ready(app: &TestApp) {
    app.anonymous().get("/health/ready").await.expect(200);
}

/// The server lives, and says why it does not want requests.
async fn expect_not_ready(app: &TestApp, why: &str) {
    app.anonymous().get("/health/live").await.expect(200);
    let response = expect_unavailable(app.anonymous().get("/health/ready").await.any());
    let text = String::from_utf8_lossy(&response.body);
    assert!(text.contains(why), "{why}: {text}");
}

/// Sends `GET path` until it is answered 200; before that only 503 will do. Returns how often it was 503.
async fn until_well(user: &Actor<'_>, path: &str, tries: usize) -> usize {
    for failures in 0..=tries {
        let response = user.get(path).await.any();
        if response.status == 200 {
            return failures;
        }
        expect_unavailable(response);
    }
    panic!("{path} is still 503 after {tries} tries");
}

/// Between the app and its PostgreSQL server: can be cut and mended.
struct Proxy {
    address: SocketAddr,
    up: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

/// Where a PostgreSQL URL leads.
#[derive(Clone)]
enum Upstream {
    Socket(String),
    Address(String),
}

impl Upstream {
    fn of(url: &url::Url) -> Self {
        let port = url.port().unwrap_or(5432);
        let query = url.query_pairs().find(|(name, _)| name == "host").map(|(_, host)| host.into_owned());
        let host = query.unwrap_or_else(|| url.host_str().unwrap_or("localhost").replace("%2F", "/"));
        if host.starts_with('/') {
            Self::Socket(format!("{host}/.s.PGSQL.{port}"))
        } else {
            Self::Address(format!("{host}:{port}"))
        }
    }
}

fn pump(mut from: impl Read, mut to: impl Write) {
    // Ends when either side does; who is cut off finds out by that.
    let _ = io::copy(&mut from, &mut to);
}

impl Proxy {
    fn to(upstream: Upstream) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (up, open) = (Arc::new(AtomicBool::new(true)), Arc::<Mutex<Vec<TcpStream>>>::default());
        let proxy = Self { address, up: Arc::clone(&up), open: Arc::clone(&open) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut open = open.lock().unwrap();
                // While it is cut, callers are hung up on.
                if up.load(Ordering::SeqCst) {
                    open.push(client.try_clone().unwrap());
                    join(client, &upstream);
                }
            }
        });
        proxy
    }

    fn cut(&self) {
        let mut open = self.open.lock().unwrap();
        self.up.store(false, Ordering::SeqCst);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.up.store(true, Ordering::SeqCst);
    }
}

/// Copies bytes both ways, until one side hangs up.
fn join(client: TcpStream, upstream: &Upstream) {
    let back = client.try_clone().unwrap();
    match upstream {
        Upstream::Socket(path) => {
            let server = UnixStream::connect(path).unwrap();
            let there = server.try_clone().unwrap();
            thread::spawn(move || {
                pump(&client, &there);
                let _ = there.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                pump(&server, &back);
                let _ = back.shutdown(Shutdown::Both);
            });
        }
        Upstream::Address(address) => {
            let server = TcpStream::connect(address).unwrap();
            let there = server.try_clone().unwrap();
            thread::spawn(move || {
                pump(&client, &there);
                let _ = there.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                pump(&server, &back);
                let _ = back.shutdown(Shutdown::Both);
            });
        }
    }
}

fn postgres_url(target: &Target) -> url::Url {
    let Target::Postgres(url) = target else { panic!("{target:?} is not PostgreSQL") };
    url::Url::parse(url).unwrap()
}

/// The same database by way of `address`.
fn by_way_of(address: SocketAddr, target: &Target) -> Target {
    let url = postgres_url(target);
    let login = match (url.username(), url.password()) {
        (user, Some(password)) => format!("{user}:{password}@"),
        (user, None) => format!("{user}@"),
    };
    let query: Vec<&str> =
        url.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("host=")).collect();
    Target::Postgres(format!("postgres://{login}{address}{}?{}", url.path(), query.join("&")))
}

/// The same database, under a name that its connections can be found by.
fn named(target: &Target, name: &str) -> Target {
    let Target::Postgres(url) = target else { panic!("{target:?} is not PostgreSQL") };
    Target::Postgres(format!("{url}&application_name={name}"))
}

fn unique(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{what}_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// The number that a query calls n.
pub fn ask(c: &mut DbConnection, query: &str) -> Result<i64, diesel::result::Error> {
    let row: Number = match c {
        DbConnection::Sqlite(c) => sql_query(query).get_result(c)?,
        DbConnection::Postgres(c) => sql_query(query).get_result(c)?,
    };
    Ok(row.n)
}

fn ask_outside(database: &Database, query: &str) -> i64 {
    ask(database.migrator().connection(), query).unwrap()
}

/// A connection from outside on which `sql` has been executed; ends, and is rolled back, when it is dropped.
fn holding(database: &Database, sql: &str) -> Migrator {
    let mut migrator = database.migrator();
    migrator.connection().batch_execute(sql).unwrap();
    migrator
}

/// Kills the connections of this name; returns how many there were.
fn kill_connections(database: &Database, name: &str) -> i64 {
    let query = format!(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) AS n \
         FROM pg_stat_activity WHERE application_name = '{name}'"
    );
    ask_outside(database, &query)
}

both_engines! {
    async fn when_every_connection_is_taken_reads_are_503_until_one_is_free(engine: Engine) {
        let app = TestApp::configured(engine, |config| {
            config.database.pool_size = 1;
            config.database.acquire_timeout = Duration::from_millis(500);
        })
        .await;
        let user = app.user().await;
        let gate = Gate::default();
        let units = fill(&app.app.db, Way::Read, &gate).await;

        // The gate is closed: that these are answered at all shows that they do not wait for a unit to end.
        expect_unavailable(user.get("/v1/bucketlists").await.any());
        expect_unavailable(user.get("/v1/users/me").await.any());
        expect_not_ready(&app, "The database cannot be reached.").await;
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

    async fn when_the_writer_is_taken_writes_are_503_and_leave_nothing(engine: Engine) {
        let app = TestApp::configured(engine, |config| {
            config.database.pool_size = 1;
            config.database.acquire_timeout = Duration::from_millis(500);
        })
        .await;
        let user = app.user().await;
        let gate = Gate::default();
        let units = fill(&app.app.db, Way::Write, &gate).await;

        let body = json!({"name": "Not now"});
        expect_unavailable(user.post("/v1/bucketlists", &body).await.any());
        let newcomer = json!({"email": "late@example.com", "password": Actor::PASSWORD, "name": "Late"});
        expect_unavailable(app.anonymous().post("/v1/auth/register", &newcomer).await.any());
        if engine == Engine::Sqlite {
            // Readers have connections of their own.
            assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 0);
        }

        gate.open();
        join_all(units).await;
        assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 0, "nothing came late");
        user.post("/v1/bucketlists", &body).await.expect(201);
        app.anonymous().post("/v1/auth/register", &newcomer).await.expect(201);
    }

    async fn a_database_that_is_not_there_at_the_start_may_come_later(engine: Engine) {
        let database = Database::new(engine);
        // On SQLite the folder of the file is missing, on PostgreSQL the way to the server is cut.
        let (folder, away) = (database.folder.path().join("there"), database.folder.path().join("away"));
        let (target, proxy) = match &database.target {
            Target::Sqlite(path) => {
                std::fs::create_dir(&away).unwrap();
                std::fs::rename(path, away.join("test.db")).unwrap();
                (Target::Sqlite(folder.join("test.db")), None)
            }
            target @ Target::Postgres(_) => {
                let proxy = Proxy::to(Upstream::of(&postgres_url(target)));
                proxy.cut();
                (by_way_of(proxy.address, target), Some(proxy))
            }
        };
        let app = TestApp::over(database, |config| {
            config.database.acquire_timeout = Duration::from_millis(500);
            config.database.target = target;
        })
        .await;
        let newcomer = json!({"email": "early@example.com", "password": Actor::PASSWORD, "name": "Early"});
        expect_unavailable(app.anonymous().post("/v1/auth/register", &newcomer).await.any());
        expect_not_ready(&app, "The database cannot be reached.").await;

        match &proxy {
            Some(proxy) => proxy.mend(),
            None => std::fs::rename(&away, &folder).unwrap(),
        }
        let early = app.anonymous();
        until_well(&early, "/health/ready", 20).await;
        app.anonymous().post("/v1/auth/register", &newcomer).await.expect(201);
    }

    async fn a_database_without_tables_is_answered_in_the_envelope_and_is_not_ready(engine: Engine) {
        let app = TestApp::over(Database::unmigrated(engine), |_| {}).await;
        let newcomer = json!({"email": "early@example.com", "password": Actor::PASSWORD, "name": "Early"});
        let response = app.anonymous().post("/v1/auth/register", &newcomer).await.any();
        assert!([500, 503].contains(&response.status), "{response:?}");
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert!(!text.contains("relation") && !text.contains("no such table"), "what is inside stays inside: {text}");
        expect_not_ready(&app, "bucketlist migrate up").await;

        app.database.migrator().up().unwrap();
        app.anonymous().post("/v1/auth/register", &newcomer).await.expect(201);
        expect_ready(&app).await;
    }

    async fn a_pending_migration_makes_the_server_not_ready(engine: Engine) {
        let app = TestApp::new(engine).await;
        expect_ready(&app).await;
        let undone = app.database.migrator().down().unwrap();
        assert!(undone.is_some());
        expect_not_ready(&app, "The database has migrations to be done: run `bucketlist migrate up`.").await;
        app.database.migrator().up().unwrap();
        expect_ready(&app).await;
    }

    async fn a_migration_of_a_newer_server_makes_this_one_not_ready(engine: Engine) {
        let app = TestApp::new(engine).await;
        let user = app.user().await;
        app.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')");
        expect_not_ready(&app, "The database is newer than this server.").await;
        user.get("/v1/users/me").await.expect(200);
        app.execute("DELETE FROM __diesel_schema_migrations WHERE version = '20991231235959'");
        expect_ready(&app).await;
    }

    async fn a_server_that_is_stopping_is_not_ready_and_still_answers(engine: Engine) {
        let app = TestApp::new(engine).await;
        let user = app.user().await;
        app.app.readiness.drain();
        expect_not_ready(&app, "This server is stopping.").await;
        user.create_bucketlist("In the last moment").await;
    }

    async fn a_table_that_vanishes_is_a_500_that_tells_nothing_and_passes(engine: Engine) {
        let app = TestApp::new(engine).await;
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
        // Its neighbours are well, and nothing was half written: the count was raised before the item failed.
        let answer = user.get(&format!("/v1/bucketlists/{list}")).await.expect(200).json();
        assert_eq!(answer["items_total"], 0);
        app.execute("ALTER TABLE mislaid RENAME TO items");
        user.create_item(list, "Found").await;
        assert_eq!(user.get(&format!("/v1/bucketlists/{list}")).await.expect(200).json()["items_total"], 1);
    }
}

#[tokio::test]
async fn postgresql_that_goes_away_is_503_and_back_when_it_is() {
    let database = Database::new(Engine::Postgres);
    let proxy = Proxy::to(Upstream::of(&postgres_url(&database.target)));
    let app = TestApp::over(database, |config| {
        config.database.target = by_way_of(proxy.address, &config.database.target);
        config.database.acquire_timeout = Duration::from_millis(500);
    })
    .await;
    let user = app.user().await;
    let list = user.create_bucketlist("Before").await;
    expect_ready(&app).await;

    proxy.cut();
    expect_unavailable(user.get("/v1/bucketlists").await.any());
    expect_unavailable(user.post("/v1/bucketlists", &json!({"name": "Meanwhile"})).await.any());
    expect_not_ready(&app, "The database cannot be reached.").await;
    let login = json!({"email": user.email(), "password": Actor::PASSWORD});
    expect_unavailable(app.anonymous().post("/v1/auth/login", &login).await.any());

    proxy.mend();
    // Each of the two connections may be found dead by one request more.
    until_well(&user, "/v1/users/me", 4).await;
    expect_ready(&app).await;
    assert_eq!(user.get(&format!("/v1/bucketlists/{list}")).await.expect(200).json()["name"], "Before");
    assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 1, "nothing came late");
    user.create_bucketlist("Meanwhile").await;
}

#[tokio::test]
async fn postgresql_where_nobody_listens_is_503() {
    let database = Database::new(Engine::Postgres);
    // A port that was free a moment ago, and is given to nobody else so soon.
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let app = TestApp::over(database, |config| {
        config.database.target = by_way_of(address, &config.database.target);
        config.database.acquire_timeout = Duration::from_millis(500);
    })
    .await;
    let login = json!({"email": "ada@example.com", "password": Actor::PASSWORD});
    let response = expect_unavailable(app.anonymous().post("/v1/auth/login", &login).await.any());
    let text = String::from_utf8_lossy(&response.body).into_owned();
    assert!(!text.contains("127.0.0.1") && !text.contains("refused"), "what is inside stays inside: {text}");
    expect_not_ready(&app, "The database cannot be reached.").await;
}

#[tokio::test]
async fn connections_that_postgresql_kills_cost_one_answer_in_all() {
    let name = unique("killed");
    let app = TestApp::configured(Engine::Postgres, |config| {
        config.database.target = named(&config.database.target, &name);
    })
    .await;
    let user = app.user().await;
    for round in 0..3 {
        // Both at once, so that there are two connections.
        let both = std::sync::Arc::new(std::sync::Barrier::new(2));
        let units = (0..2).map(|_| {
            let (db, both) = (app.app.db.clone(), Arc::clone(&both));
            async move {
                let unit = db.read(move |c| {
                    both.wait();
                    ask(c, "SELECT count(*) AS n FROM users").map_err(DbError::from)
                });
                unit.await
            }
        });
        let answers = join_all(units).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(kill_connections(&app.database, &name), 2);

        let mut failures = 0;
        for number in 0..12 {
            let response = match number % 2 {
                0 => user.get("/v1/users/me").await.any(),
                _ => user.post("/v1/bucketlists", &json!({"name": format!("{round}/{number}")})).await.any(),
            };
            if !response.is_success() {
                expect_unavailable(response);
                failures += 1;
            }
        }
        assert_eq!(failures, 1, "answers for 2 dead connections");
    }
}

#[tokio::test]
async fn a_write_whose_connection_is_killed_half_way_leaves_nothing() {
    let name = unique("half_way");
    let app = TestApp::configured(Engine::Postgres, |config| {
        config.database.target = named(&config.database.target, &name);
    })
    .await;
    let user = app.user().await;
    let owner = user.id();
    let gate = Gate::default();
    let (started, running) = tokio::sync::oneshot::channel();
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
            // Whether or not it says anything more.
            Ok::<_, DbError>(())
        });
        unit.await
    });
    running.await.unwrap();
    assert!(kill_connections(&app.database, &name) >= 1);
    gate.open();
    let outcome = unit.await.unwrap();
    assert!(matches!(outcome, Err(DbError::Unavailable(_))), "{outcome:?}");
    assert_eq!(ask_outside(&app.database, "SELECT count(*) AS n FROM bucketlists"), 0);
    until_well(&user, "/v1/users/me", 2).await;
    user.create_bucketlist("Whole").await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_on_postgresql_is_given_up() {
    let app = TestApp::configured(Engine::Postgres, |config| {
        config.database.statement_timeout = Duration::from_millis(100);
    })
    .await;
    let user = app.user().await;
    let list = user.create_bucketlist("Locked").await;
    let path = format!("/v1/bucketlists/{list}");
    let lock = holding(&app.database, "BEGIN; LOCK TABLE bucketlists IN ACCESS EXCLUSIVE MODE");
    // More than there are connections: none of them may be lost.
    for _ in 0..4 {
        let response = user.get(&path).await.any();
        assert!([500, 503].contains(&response.status), "{response:?}");
        let response = user.post(&format!("{path}/items"), &json!({"name": "Slow"})).await.any();
        assert!([500, 503].contains(&response.status), "{response:?}");
    }
    user.get("/v1/users/me").await.expect(200);
    drop(lock);
    assert_eq!(user.get(&path).await.expect(200).json()["items_total"], 0);
    user.create_item(list, "Quick").await;
}

#[tokio::test]
async fn a_write_lock_of_another_process_makes_writes_503_and_leaves_reads_alone() {
    let app = TestApp::new(Engine::Sqlite).await;
    let user = app.user().await;
    // The writer's own patience is five seconds, which is no matter of this test.
    let impatient = |c: &mut DbConnection| c.batch_execute("PRAGMA busy_timeout = 20").map_err(DbError::from);
    app.app.db.write(impatient).await.unwrap();

    let lock = holding(&app.database, "BEGIN EXCLUSIVE");
    for number in 0..3 {
        expect_unavailable(user.post("/v1/bucketlists", &json!({"name": format!("List {number}")})).await.any());
    }
    assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 0);
    expect_ready(&app).await;

    drop(lock);
    user.create_bucketlist("List 0").await;
    assert_eq!(user.get("/v1/bucketlists").await.expect(200).json()["meta"]["total"], 1);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_answered_and_passes() {
    let app = TestApp::new(Engine::Sqlite).await;
    let user = app.user().await;
    // SQLite answers a file that may not grow as it does a full disk.
    let limit = |pages: i64| {
        let db = app.app.db.clone();
        async move {
            let unit = db.write(move |c| {
                let pages =
                    if pages > 0 { pages } else { ask(c, "SELECT page_count AS n FROM pragma_page_count")? + 20 };
                c.batch_execute(&format!("PRAGMA max_page_count = {pages}"))?;
                Ok::<_, DbError>(())
            });
            unit.await.unwrap();
        }
    };
    limit(0).await;
    let text = "a page is four kibibytes ".repeat(38);
    let body = |number: usize| json!({"name": format!("List {number:02}"), "description": text});
    let mut kept = Vec::new();
    let mut refused = 0;
    // A few that fit, and then many at once: where one of them finds no room at the commit they share, none is kept.
    for number in 0..5 {
        user.post("/v1/bucketlists", &body(number)).await.expect(201);
        kept.push(format!("List {number:02}"));
    }
    let bodies: Vec<_> = (5..65).map(body).collect();
    let responses = join_all(bodies.iter().map(|body| user.post("/v1/bucketlists", body))).await;
    for (body, response) in bodies.iter().zip(responses) {
        let response = response.any();
        match response.status {
            201 => kept.push(body["name"].as_str().unwrap().to_owned()),
            status => {
                assert!([500, 503].contains(&status), "{response:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && !kept.is_empty(), "some fit and some do not: {kept:?}");
    let page = user.get("/v1/bucketlists?per_page=100").await.expect(200).json();
    let mut names: Vec<String> =
        page["data"].as_array().unwrap().iter().map(|list| list["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, kept, "exactly what was answered 201 is there");

    limit(1_000_000).await;
    user.create_bucketlist("Room again").await;
    assert_eq!(
        ask_outside(&app.database, "SELECT count(*) AS n FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0
    );
}

#[tokio::test]
async fn a_database_file_that_is_gone_takes_no_more_writes() {
    let app = TestApp::new(Engine::Sqlite).await;
    let user = app.user().await;
    user.create_bucketlist("Before").await;
    let Target::Sqlite(path) = &app.database.target else { unreachable!("asked for SQLite") };
    std::fs::rename(path, path.with_extension("moved")).unwrap();
    expect_unavailable(user.post("/v1/bucketlists", &json!({"name": "Lost"})).await.any());
    expect_not_ready(&app, "The database file was removed or replaced under the server.").await;
    // Another file in its place is not it, either.
    std::fs::copy(path.with_extension("moved"), path).unwrap();
    expect_unavailable(user.post("/v1/bucketlists", &json!({"name": "Lost"})).await.any());
    std::fs::rename(path.with_extension("moved"), path).unwrap();
    user.create_bucketlist("After").await;
    expect_ready(&app).await;
}
