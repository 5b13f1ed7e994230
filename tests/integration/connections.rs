//! Connections to PostgreSQL that are silent, closed, read-only or in conflict, and writers that wait for a lock. Callers get their
//! response in time, and the server recovers without a restart.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bucketlist::{
    config::Config,
    db::{Db, DbConnection, DbError, Options, Target},
    domain::UserId,
};
use diesel::connection::SimpleConnection;
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::{
    faults::{
        Access, Gate, UnsharedChange, expect_not_ready, expect_ready, expect_unavailable, hold_transaction,
        kill_connections, retry_until_ok, select_number, select_number_directly, start_unit, unique,
        with_application_name, with_parameter,
    },
    support::{Actor, Database, Engine, Proxy, TestApp, json},
};

/// More than every limit of these tests, and less than the limits of the server's connections.
const SOON: Duration = Duration::from_secs(10);

/// Starts an app behind a proxy.
fn app_behind_proxy(change: impl FnOnce(&mut Config)) -> (TestApp, Proxy) {
    let database = Database::new(Engine::Postgres);
    let proxy = Proxy::to(&database.target);
    let app = TestApp::builder()
        .database(database)
        .config(|config| {
            config.database.target = proxy.target(&config.database.target);
            // More than the time to open a connection on a busy machine.
            config.database.transaction_timeout = Duration::from_secs(1);
            config.database.pool_size = 2;
            change(config);
        })
        .build();
    (app, proxy)
}

/// Opens both connections of the pool.
async fn open_connections(app: &TestApp) {
    let both = Arc::new(Barrier::new(2));
    let units = (0..2).map(|_| {
        let both = Arc::clone(&both);
        app.app.db.read(move |c| {
            both.wait();
            select_number(c, "SELECT 1::bigint AS n").map_err(DbError::from)
        })
    });
    assert!(join_all(units).await.iter().all(Result::is_ok));
}

/// Returns a unit that selects a number.
fn number(sql: String) -> impl FnMut(&mut DbConnection) -> Result<i64, DbError> + Send + 'static {
    move |c| select_number(c, &sql).map_err(DbError::from)
}

#[tokio::test]
async fn silent_connections_are_replaced() {
    let (app, proxy) = app_behind_proxy(|_| {});
    let user = app.user().await;
    for round in 0..5 {
        open_connections(&app).await;
        proxy.silence();
        // The connection of the first request may be silent. The other one is replaced before it is used.
        let failures = retry_until_ok(&user, "/v1/users/me", 2).await;
        assert!(failures <= 1, "{failures} requests failed in round {round}");
        user.create_bucketlist(&format!("List {round}")).await;
        expect_ready(&app).await;
    }
}

#[tokio::test]
async fn unit_that_exceeds_its_limit_is_not_committed() {
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| config.database.transaction_timeout = Duration::from_millis(200))
        .build();
    let owner = app.user().await.id();
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let finished = std::sync::Mutex::new(finished);
    let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
    let unit = app.app.db.write(move |c| {
        let insert = format!(
            "INSERT INTO bucketlists (user_id, name, search_text, created_at, updated_at) VALUES ({owner}, 'Late', 'late', 1, 1)"
        );
        c.batch_execute("SET idle_in_transaction_session_timeout = 0")?;
        c.batch_execute(&insert)?;
        finished.lock().unwrap().recv().unwrap();
        ended.send(()).unwrap();
        Ok::<_, DbError>(())
    });
    let outcome = timeout(SOON, unit).await.expect("the run time of a unit has a limit");
    assert!(matches!(outcome, Err(DbError::TransactionTimeout(_))), "{outcome:?}");
    // The unit continues after its caller has received the error.
    finish.send(()).unwrap();
    end.recv().await.unwrap();
    // Waits for the transaction of the unit.
    app.execute("BEGIN; LOCK TABLE bucketlists IN ACCESS EXCLUSIVE MODE; COMMIT");
    assert_eq!(select_number_directly(&app.database, "SELECT count(*) AS n FROM bucketlists"), 0);
}

#[tokio::test]
async fn thread_that_exceeded_the_limit_of_a_unit_is_replaced_by_one_other() {
    let name = unique("abandoned");
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.pool_size = 1;
            config.database.acquire_timeout = Duration::from_millis(300);
            config.database.target = with_application_name(&config.database.target, &name);
            config.database.transaction_timeout = Duration::from_secs(2);
        })
        .build();
    let db = &app.app.db;
    let gate = Gate::default();
    let exceeded = start_unit(db, Access::Read, &gate, || {}).await.unwrap();
    assert!(matches!(exceeded, Err(DbError::TransactionTimeout(_))), "{exceeded:?}");
    let count = format!("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = '{name}'");
    // The new thread may not have a connection yet when the time to wait for it has passed.
    let connections = loop {
        match db.read(number(count.clone())).await {
            Err(DbError::DeadlineExceeded) => {}
            connections => break connections,
        }
    };
    assert!(matches!(connections, Ok(2)), "the new thread has another connection: {connections:?}");
    gate.open();
    let deadline = Instant::now() + SOON;
    while select_number_directly(&app.database, &count) > 1 {
        assert!(Instant::now() < deadline, "the connection of the first thread is still open");
    }
    // The first thread has ended: while the other one is busy, no unit runs.
    let gate = Gate::default();
    let (started, mut running) = tokio::sync::mpsc::unbounded_channel();
    let busy = start_unit(db, Access::Read, &gate, move || started.send(()).unwrap());
    running.recv().await.unwrap();
    let waiting = db.read(number("SELECT 1::bigint AS n".to_owned())).await;
    assert!(matches!(waiting, Err(DbError::DeadlineExceeded)), "{waiting:?}");
    gate.open();
    busy.await.unwrap().unwrap();
}

#[tokio::test]
async fn transaction_of_a_server_that_is_cut_off_releases_its_locks() {
    let (app, proxy) = app_behind_proxy(|_| {});
    let gate = Gate::default();
    let (started, mut running) = tokio::sync::mpsc::unbounded_channel();
    let (db, open) = (app.app.db.clone(), gate.clone());
    let unit = tokio::spawn(async move {
        let unit = db.write(move |c| {
            c.batch_execute("LOCK TABLE bucketlists IN ACCESS EXCLUSIVE MODE")?;
            started.send(()).unwrap();
            open.wait();
            Ok::<_, DbError>(())
        });
        unit.await
    });
    running.recv().await.unwrap();
    proxy.silence();
    // Fails if PostgreSQL does not end the transaction.
    let lock = format!("SET lock_timeout = {}; BEGIN; LOCK TABLE bucketlists; COMMIT", SOON.as_millis());
    let locked = app.database.migrator().connection().batch_execute(&lock);
    gate.open();
    locked.unwrap();
    let outcome = unit.await.unwrap();
    assert!(matches!(outcome, Err(DbError::TransactionTimeout(_))), "{outcome:?}");
}

#[tokio::test]
async fn connection_that_became_silent_while_idle_fails_no_unit() {
    let (app, proxy) = app_behind_proxy(|config| {
        config.database.pool_size = 1;
        config.database.check_after = Duration::ZERO;
    });
    let select = || number("SELECT 1::bigint AS n".to_owned());
    assert!(matches!(app.app.db.read(select()).await, Ok(1)));
    proxy.silence();
    let outcome = app.app.db.read(select()).await;
    assert!(matches!(outcome, Ok(1)), "{outcome:?}");
}

#[tokio::test]
async fn opening_a_connection_is_limited_over_all_addresses() {
    let database = Database::new(Engine::Postgres);
    let proxy = Proxy::to(&database.target);
    let options = Options {
        open_timeout: Duration::from_millis(300),
        acquire_timeout: Duration::from_secs(60),
        // More than the limit of the test.
        ..Options::new(with_parameter(&proxy.target(&database.target), "connect_timeout", "60"), 1)
    };
    proxy.silence_all();
    let db = Db::open(options).unwrap();
    let unit = tokio::spawn(async move { db.read(number("SELECT 1::bigint AS n".to_owned())).await });
    // The first connection stays silent. The unit gets another one.
    let proxy = tokio::task::spawn_blocking(move || {
        proxy.wait_for_connection();
        proxy
    });
    proxy.await.unwrap().restore();
    let outcome = timeout(SOON, unit).await.expect("opening a connection has a limit").unwrap();
    assert!(matches!(outcome, Ok(1)), "{outcome:?}");
}

#[tokio::test]
async fn silent_server_returns_503_in_time() {
    let (app, proxy) = app_behind_proxy(|config| config.database.acquire_timeout = Duration::from_millis(300));
    let user = app.user().await;
    user.get("/v2/bucketlists").await.expect(200);
    open_connections(&app).await;
    proxy.silence_all();
    let started = Instant::now();
    for path in ["/v2/bucketlists", "/v1/users/me", "/v1/bucketlists"] {
        expect_unavailable(user.get(path).await.any_status());
    }
    expect_unavailable(user.post("/v1/bucketlists", &json!({"name": "Meanwhile"})).await.any_status());
    expect_not_ready(&app, "The database is unavailable.").await;
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());

    proxy.restore();
    // Attempts to connect fail at once for a second.
    let deadline = Instant::now() + SOON;
    while user.get("/v1/users/me").await.any_status().status != 200 {
        assert!(Instant::now() < deadline, "reads are still rejected");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The connections for writes can be replaced later than those for reads.
    for attempt in 0.. {
        let response = user.post("/v1/bucketlists", &json!({"name": "Afterwards"})).await.any_status();
        if response.status == 201 {
            break;
        }
        assert!(attempt < 100, "writes are still rejected");
        expect_unavailable(response);
    }
    expect_ready(&app).await;
}

#[tokio::test]
async fn request_timeout_applies_to_cached_reads_and_readiness_has_its_own_limit() {
    let minute = Duration::from_secs(60);
    let (app, proxy) = app_behind_proxy(|config| {
        config.database.transaction_timeout = minute;
        config.database.acquire_timeout = minute;
        config.limits.request_timeout = Duration::from_secs(1);
    });
    let user = app.user().await;
    user.get("/v2/bucketlists").await.expect(200);
    open_connections(&app).await;
    proxy.silence_all();
    let started = Instant::now();
    expect_unavailable(user.get("/v2/bucketlists").await.any_status());
    expect_not_ready(&app, "The database did not respond within 1 second.").await;
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[tokio::test]
async fn request_timeout_applies_to_operations_whose_responses_are_cached() {
    let minute = Duration::from_secs(60);
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.lock_timeout = minute;
            config.database.statement_timeout = minute;
            config.database.transaction_timeout = minute;
            config.limits.request_timeout = Duration::from_secs(1);
        })
        .build();
    let user = app.user().await;
    // The caller is authenticated, and the list cannot be read.
    let _lock = hold_transaction(&app.database, "BEGIN; LOCK TABLE bucketlists");
    let started = Instant::now();
    expect_unavailable(user.get("/v2/bucketlists").await.any_status());
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[tokio::test]
async fn connections_closed_while_idle_fail_no_request() {
    let name = unique("idle");
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.pool_size = 2;
            config.database.target = with_application_name(&config.database.target, &name);
        })
        .build();
    let user = app.user().await;
    for round in 0..3 {
        open_connections(&app).await;
        assert_eq!(kill_connections(&app.database, &name), 2);
        for number in 0..4 {
            user.get("/v1/users/me").await.expect(200);
            user.create_bucketlist(&format!("List {round}/{number}")).await;
        }
    }
}

#[tokio::test]
async fn single_statement_is_sent_once() {
    let name = unique("single");
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.pool_size = 1;
            config.database.target = with_application_name(&config.database.target, &name);
        })
        .build();
    let statement = |sql: &'static str| {
        let runs = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&runs);
        let change = UnsharedChange(move |c: &mut DbConnection| {
            counter.fetch_add(1, Ordering::SeqCst);
            select_number(c, sql)
        });
        let unit = app.app.db.write_batchable_then_as::<_, DbError>(UserId::new(1), "change", change, |_| ());
        async move { (unit.await, runs.load(Ordering::SeqCst)) }
    };
    // A connection that the server has closed is replaced before the statement is sent.
    for _ in 0..3 {
        assert!(matches!(statement("SELECT 1::bigint AS n").await, (Ok(1), 1)));
        assert_eq!(kill_connections(&app.database, &name), 1);
    }
    // The connection is lost during the statement, which may have taken effect.
    let outcome = statement("SELECT pg_terminate_backend(pg_backend_pid())::integer::bigint AS n").await;
    assert!(matches!(outcome, (Err(DbError::Unavailable(_)), 1)), "{outcome:?}");
    assert!(matches!(statement("SELECT 1::bigint AS n").await, (Ok(1), 1)));
}

#[tokio::test]
async fn unit_is_not_repeated_after_its_deadline() {
    // The second unit has passed its deadline when its connection is lost.
    let short = Duration::from_millis(500);
    for (limit, delay, expected_runs) in [(SOON, Duration::ZERO, 2), (short, short * 2, 1)] {
        let name = unique("deadline");
        let app = TestApp::builder()
            .engine(Engine::Postgres)
            .config(|config| {
                config.database.pool_size = 1;
                config.database.acquire_timeout = limit;
                config.database.target = with_application_name(&config.database.target, &name);
            })
            .build();
        let runs = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&runs);
        let outcome = app.app.db.read(move |c| {
            if counter.fetch_add(1, Ordering::SeqCst) == 0 {
                std::thread::sleep(delay);
                return select_number(c, "SELECT pg_terminate_backend(pg_backend_pid())::integer::bigint AS n")
                    .map_err(DbError::from);
            }
            select_number(c, "SELECT 1::bigint AS n").map_err(DbError::from)
        });
        let outcome = outcome.await;
        let is_expected = matches!((&outcome, expected_runs), (Ok(1), 2) | (Err(DbError::Unavailable(_)), 1));
        assert!(is_expected, "{delay:?}: {outcome:?}");
        assert_eq!(runs.load(Ordering::SeqCst), expected_runs, "{delay:?}");
    }
}

#[tokio::test]
async fn connections_are_closed_when_idle_and_replaced_when_old() {
    let name = unique("aged");
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.target = with_application_name(&config.database.target, &name);
            config.database.idle_timeout = Duration::from_millis(1);
            config.database.max_lifetime = Duration::ZERO;
        })
        .build();
    let pid = |c: &mut DbConnection| select_number(c, "SELECT pg_backend_pid()::bigint AS n").map_err(DbError::from);
    let (first, second) = (app.app.db.write(pid).await.unwrap(), app.app.db.write(pid).await.unwrap());
    assert_ne!(first, second, "a connection is used after its maximum lifetime");
    let query = format!("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = '{name}'");
    let deadline = Instant::now() + SOON;
    while select_number_directly(&app.database, &query) > 0 {
        assert!(Instant::now() < deadline, "idle connections are not closed");
    }
}

#[tokio::test]
async fn locked_row_delays_neither_reads_nor_readiness() {
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.pool_size = 4;
            config.database.acquire_timeout = Duration::from_secs(2);
            config.database.lock_timeout = Duration::from_secs(4);
        })
        .build();
    let reader = app.user().await;
    // More accounts than threads: the writes of one account occupy one thread.
    let mut writers = Vec::new();
    for _ in 0..5 {
        let writer = app.user().await;
        let path = format!("/v1/bucketlists/{}", writer.create_bucketlist("Locked").await);
        writers.push((writer, path));
    }
    let lock =
        hold_transaction(&app.database, "BEGIN; SELECT * FROM bucketlists FOR UPDATE; SELECT * FROM users FOR UPDATE");
    let body = &json!({"name": "Waits"});
    let writes = join_all(writers.iter().cycle().take(20).map(|(writer, path)| async move {
        let started = Instant::now();
        (writer.put(path, body).await.any_status(), started.elapsed())
    }));
    let reads = async {
        for _ in 0..20 {
            let started = Instant::now();
            reader.get("/v1/bucketlists").await.expect(200);
            expect_ready(&app).await;
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        }
    };
    let (responses, ()) = futures_util::future::join(writes, reads).await;
    // The lock is still held: each write got its response when its time was up, those that waited for a thread included.
    for (response, elapsed) in responses {
        expect_unavailable(response);
        assert!(elapsed < SOON, "{elapsed:?}");
    }
    drop(lock);
    for (writer, path) in &writers {
        writer.put(path, body).await.expect(200);
    }
}

#[tokio::test]
async fn deadlock_is_repeated_until_both_transactions_succeed() {
    let app = TestApp::new(Engine::Postgres);
    app.execute(
        "CREATE TABLE counters (id integer PRIMARY KEY, n bigint NOT NULL); INSERT INTO counters VALUES (1, 0), (2, 0)",
    );
    let both = Arc::new(Barrier::new(2));
    let runs = Arc::new(AtomicU32::new(0));
    let units = [(1, 2), (2, 1)].map(|(first, second)| {
        let (both, runs, mut is_repeated) = (Arc::clone(&both), Arc::clone(&runs), false);
        app.app.db.write(move |c| {
            runs.fetch_add(1, Ordering::Relaxed);
            let increment = |id: i32| format!("UPDATE counters SET n = n + 1 WHERE id = {id}");
            c.batch_execute(&increment(first))?;
            if !std::mem::replace(&mut is_repeated, true) {
                both.wait();
            }
            c.batch_execute(&increment(second))?;
            Ok::<_, DbError>(())
        })
    });
    for outcome in join_all(units).await {
        outcome.unwrap();
    }
    assert_eq!(select_number_directly(&app.database, "SELECT sum(n)::bigint AS n FROM counters"), 4);
    // PostgreSQL may choose the repeated transaction again.
    assert!(runs.load(Ordering::Relaxed) >= 3, "one of the transactions was repeated");
}

#[tokio::test]
async fn isolation_level_of_the_role_does_not_apply() {
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            let Target::Postgres(url) = &config.database.target else { panic!("the engine is PostgreSQL") };
            let options = "-csearch_path%3D";
            let serializable = format!("-cdefault_transaction_isolation%3Dserializable%20{options}");
            config.database.target = Target::Postgres(url.replace(options, &serializable));
        })
        .build();
    let user = app.user().await;
    let bodies: Vec<_> = (0..20).map(|number| json!({"name": format!("{number}")})).collect();
    for response in join_all(bodies.iter().map(|body| user.post("/v1/bucketlists", body))).await {
        response.expect(201);
    }
    let level = "SELECT count(*) AS n FROM pg_settings \
                 WHERE name = 'default_transaction_isolation' AND setting = 'read committed'";
    let is_read_committed = app.app.db.read(move |c| select_number(c, level).map_err(DbError::from)).await.unwrap();
    assert_eq!(is_read_committed, 1);
}

/// Every SQLSTATE whose response is not 500, with a message as PostgreSQL writes it, and how often the unit runs.
const RAISED: &[(&str, &str, u32)] = &[
    ("0A000", "cached plan must not change result type", 1),
    ("25006", "cannot execute INSERT in a read-only transaction", 1),
    ("40001", "could not serialize access due to concurrent update", 4),
    ("40P01", "deadlock detected", 4),
    ("53000", "could not open file \"base/1\": Too many open files in system", 1),
    ("53100", "could not extend file \"base/1\": No space left on device", 1),
    ("53200", "out of memory", 1),
    ("53300", "too many connections for role \"bucketlist\"", 1),
    ("53400", "temporary file size exceeds temp_file_limit (64kB)", 1),
    ("55P03", "canceling statement due to lock timeout", 1),
    ("57014", "canceling statement due to statement timeout", 1),
    ("57P01", "terminating connection due to administrator command", 1),
    ("57P02", "terminating connection because of crash of another server process", 1),
    ("57P03", "the database system is shutting down", 1),
    ("58030", "could not read block 1 in file \"base/1\": Input/output error", 1),
];

#[tokio::test]
async fn every_temporary_sqlstate_is_unavailable_and_conflicts_are_repeated() {
    let app = TestApp::new(Engine::Postgres);
    for (state, message, expected_runs) in RAISED {
        let runs = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&runs);
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = '{message}'; END $$");
        let outcome = app.app.db.write(move |c| {
            counter.fetch_add(1, Ordering::Relaxed);
            c.batch_execute(&raise).map_err(DbError::from)
        });
        match (outcome.await, *state) {
            (Err(DbError::StorageFull(_)), "53100") | (Err(DbError::Unavailable(_)), _) => {}
            (outcome, state) => panic!("{state}: {outcome:?}"),
        }
        assert_eq!(runs.load(Ordering::Relaxed), *expected_runs, "{state}");
    }
    let defect = app.app.db.write(|c| c.batch_execute("SELECT 1 / 0").map_err(DbError::from)).await;
    assert!(matches!(defect, Err(DbError::Query(_))), "{defect:?}");
    app.user().await;
}

both_engines! {
    async fn request_timeout_and_readiness_do_not_wait_for_a_busy_connection(engine: Engine) {
        let minute = Duration::from_secs(60);
        let app = TestApp::builder()
            .engine(engine)
            .config(|config| {
                config.database.pool_size = 1;
                config.database.acquire_timeout = minute;
                config.database.transaction_timeout = minute;
                config.limits.request_timeout = Duration::from_secs(1);
            })
            .build();
        let user = app.user().await;
        // The server then knows the user. On SQLite, it reads only the list.
        user.get("/v2/bucketlists").await.expect(200);
        let gate = Gate::default();
        let (is_started, mut running) = tokio::sync::mpsc::unbounded_channel();
        let unit = start_unit(&app.app.db, Access::Read, &gate, move || is_started.send(()).unwrap());
        running.recv().await.unwrap();
        let started = Instant::now();
        expect_unavailable(user.get("/v2/bucketlists?per_page=7").await.any_status());
        expect_not_ready(&app, "The database did not respond within 1 second.").await;
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
        gate.open();
        unit.await.unwrap().unwrap();
    }

    async fn read_only_connection_is_replaced(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.database.pool_size = 1).build();
        let user = app.user().await;
        // As after a failover, or when the file system was read-only for a moment.
        let setting = match engine {
            Engine::Sqlite => "PRAGMA query_only = ON",
            Engine::Postgres => "SET default_transaction_read_only = on",
        };
        app.app.db.write(|c| c.batch_execute(setting).map_err(DbError::from)).await.unwrap();
        let body = json!({"name": "Writable again"});
        expect_unavailable(user.post("/v1/bucketlists", &body).await.any_status());
        user.post("/v1/bucketlists", &body).await.expect(201);
    }
}

#[tokio::test]
async fn rejected_connection_returns_503_at_once() {
    let database = Database::new(Engine::Postgres);
    let proxy = Proxy::to(&database.target);
    proxy.interrupt();
    let app = TestApp::builder()
        .database(database)
        .config(|config| {
            config.database.target = proxy.target(&config.database.target);
            config.database.acquire_timeout = Duration::from_secs(60);
        })
        .build();
    let login = json!({"email": "ada@example.com", "password": Actor::PASSWORD});
    let started = Instant::now();
    expect_unavailable(app.anonymous().post("/v1/auth/login", &login).await.any_status());
    expect_not_ready(&app, "The database is unavailable.").await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
