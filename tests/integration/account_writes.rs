//! Writes of one account on PostgreSQL: they wait for each other without occupying database threads, and share transactions.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bucketlist::{
    db::{DbConnection, DbError},
    domain::UserId,
};
use diesel::connection::SimpleConnection;
use futures_util::future::join_all;

use crate::{
    faults::{Gate, hold_transaction, select_number_directly},
    support::{Engine, TestApp, json},
};

/// An account that no user has. The queues do not need one.
const ACCOUNT: UserId = UserId::new(4711);

/// Starts a unit of `ACCOUNT` that waits for the gate, then one for each of `statements`, which wait for the first one. Opens the gate,
/// and returns the results of the statements and how often each was sent.
async fn run_together(app: &TestApp, statements: &[&'static str]) -> Vec<(Result<(), DbError>, u32)> {
    let db = &app.app.db;
    let (gate, (started, mut running)) = (Gate::default(), tokio::sync::mpsc::unbounded_channel());
    let first = {
        let (db, gate) = (db.clone(), gate.clone());
        tokio::spawn(async move {
            let work = move |_: &mut DbConnection| {
                started.send(()).unwrap();
                gate.wait();
                Ok::<_, DbError>(())
            };
            db.write_account_then_as(ACCOUNT, "first", work, |()| ()).await
        })
    };
    running.recv().await.unwrap();
    let units: Vec<_> = statements
        .iter()
        .map(|statement| {
            let (db, runs) = (db.clone(), Arc::new(AtomicU32::new(0)));
            let (statement, counter) = (*statement, Arc::clone(&runs));
            tokio::spawn(async move {
                let work = move |c: &mut DbConnection| {
                    counter.fetch_add(1, Ordering::SeqCst);
                    c.batch_execute(statement).map_err(DbError::from)
                };
                (db.write_statement_then(ACCOUNT, work, |()| ()).await, runs.load(Ordering::SeqCst))
            })
        })
        .collect();
    // Tasks of this runtime run in order: when this task runs, the units are queued.
    tokio::spawn(async {}).await.unwrap();
    gate.open();
    first.await.unwrap().unwrap();
    join_all(units).await.into_iter().map(Result::unwrap).collect()
}

fn numbers(app: &TestApp) -> (i64, i64) {
    let read = |query: &str| select_number_directly(&app.database, query);
    (read("SELECT count(*) AS n FROM numbers"), read("SELECT count(DISTINCT xmin::text) AS n FROM numbers"))
}

fn app_with_numbers() -> TestApp {
    let app = TestApp::new(Engine::Postgres);
    app.execute("CREATE TABLE numbers (n bigint PRIMARY KEY)");
    app
}

const INSERTS: [&str; 4] = [
    "INSERT INTO numbers VALUES (1)",
    "INSERT INTO numbers VALUES (2)",
    "INSERT INTO numbers VALUES (3)",
    "INSERT INTO numbers VALUES (4)",
];

#[tokio::test]
async fn waiting_statements_of_an_account_share_a_transaction() {
    let app = app_with_numbers();
    for (result, runs) in run_together(&app, &INSERTS).await {
        assert!(matches!((result, runs), (Ok(()), 1)));
    }
    assert_eq!(numbers(&app), (4, 1), "four rows of one transaction");
}

#[tokio::test]
async fn statement_that_fails_does_not_affect_others_of_its_transaction() {
    let app = app_with_numbers();
    let duplicate = [INSERTS[0], INSERTS[1], INSERTS[0], INSERTS[2]];
    let outcomes = run_together(&app, &duplicate).await;
    let results: Vec<_> = outcomes.iter().map(|(result, _)| result.is_ok()).collect();
    assert_eq!(results, [true, true, false, true], "{outcomes:?}");
    assert!(matches!(outcomes[2].0, Err(DbError::UniqueViolation(_))), "{outcomes:?}");
    assert_eq!(numbers(&app), (3, 3), "each statement has run alone");
}

#[tokio::test]
async fn connection_lost_before_the_commit_fails_only_the_statement_that_lost_it() {
    let app = app_with_numbers();
    let statements = [INSERTS[0], "SELECT pg_terminate_backend(pg_backend_pid())", INSERTS[1]];
    let outcomes = run_together(&app, &statements).await;
    let results: Vec<_> = outcomes.iter().map(|(result, _)| result.is_ok()).collect();
    assert_eq!(results, [true, false, true], "{outcomes:?}");
    assert!(matches!(outcomes[1].0, Err(DbError::Unavailable(_))), "{outcomes:?}");
    assert_eq!(numbers(&app).0, 2);
}

#[tokio::test]
async fn timeout_in_a_shared_transaction_is_not_repeated() {
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| config.database.lock_timeout = Duration::from_millis(100))
        .build();
    app.execute("CREATE TABLE numbers (n bigint PRIMARY KEY); CREATE TABLE locked (n bigint PRIMARY KEY)");
    let _lock = hold_transaction(&app.database, "BEGIN; LOCK TABLE locked");
    let outcomes = run_together(&app, &[INSERTS[0], "INSERT INTO locked VALUES (1)", INSERTS[1]]).await;
    for (result, _) in &outcomes {
        assert!(matches!(result, Err(DbError::Unavailable(_))), "{outcomes:?}");
    }
    assert_eq!(outcomes.iter().map(|(_, runs)| *runs).collect::<Vec<_>>(), [1, 1, 0]);
    assert_eq!(numbers(&app).0, 0);
}

#[tokio::test]
async fn concurrent_creations_of_an_account_are_all_stored() {
    let app = TestApp::new(Engine::Postgres);
    let user = app.user().await;
    let list = user.create_bucketlist("Parallel").await;
    let path = format!("/v2/bucketlists/{list}/items");
    let bodies: Vec<_> =
        (0..60).map(|number| json!({"name": format!("Item {number}"), "done": number % 2 == 0})).collect();
    // Every tenth creation of a bucketlist has a name that exists.
    let lists: Vec<_> = (0..30)
        .map(|number| json!({"name": if number % 10 == 9 { "Parallel".to_owned() } else { format!("List {number}") }}))
        .collect();
    let items = join_all(bodies.iter().map(|body| user.post(&path, body)));
    let lists = join_all(lists.iter().map(|body| user.post("/v2/bucketlists", body)));
    let (items, lists) = futures_util::future::join(items, lists).await;
    for response in items {
        response.expect(201);
    }
    let mut counts = HashMap::new();
    for response in lists {
        *counts.entry(response.any_status().status).or_insert(0) += 1;
    }
    assert_eq!(counts, HashMap::from([(201_u16, 27), (409, 3)]));
    let stored = user.get(&format!("/v2/bucketlists/{list}")).await.expect(200).json();
    assert_eq!((&stored["items_total"], &stored["items_done"]), (&json!(60), &json!(30)));
}

#[tokio::test]
async fn locked_account_occupies_one_thread() {
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.pool_size = 4;
            config.database.acquire_timeout = Duration::from_secs(20);
            config.database.lock_timeout = Duration::from_secs(30);
            config.database.statement_timeout = Duration::from_secs(30);
            config.database.transaction_timeout = Duration::from_secs(40);
        })
        .build();
    let (locked, other) = (app.user().await, app.user().await);
    let id = locked.id();
    let lock = hold_transaction(&app.database, &format!("BEGIN; SELECT * FROM users WHERE id = {id} FOR UPDATE"));
    let bodies: Vec<_> = (0..10).map(|number| json!({"name": format!("List {number}")})).collect();
    let waiting = join_all(bodies.iter().map(|body| locked.post("/v2/bucketlists", body)));
    let others = async {
        // All threads that run writes would wait for the lock, and these requests with them.
        for body in &bodies {
            other.post("/v2/bucketlists", body).await.expect(201);
        }
        drop(lock);
    };
    let (created, ()) = futures_util::future::join(waiting, others).await;
    for response in created {
        response.expect(201);
    }
}
