//! Units of work on PostgreSQL that wait for the same account without occupying database threads, and units that share statements.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bucketlist::{
    db::{
        BatchableWork, DbConnection, DbError,
        repositories::item_pages::{ListItemsByCursor, ListItemsByOffset},
    },
    domain::{BucketlistId, CursorQuery, ItemFilter, ItemScope, Keyset, OffsetQuery, UserId},
};
use diesel::{connection::SimpleConnection, prelude::*, sql_query, sql_types::BigInt};
use futures_util::future::join_all;

use crate::{
    faults::{Gate, hold_transaction, select_number, select_number_directly},
    support::{Engine, TestApp, json},
    transactions::block_writer,
};

/// A change that can share a statement.
#[derive(Clone)]
enum Change {
    /// Inserts a number.
    Insert(i64),
    /// Locks a table that another transaction has locked.
    Lock,
    /// Loses the connection.
    Disconnect,
}

/// A change that counts how often it runs alone.
struct CountedChange(Change, Arc<AtomicU32>);

impl BatchableWork for CountedChange {
    type Output = ();

    fn run(&self, c: &mut DbConnection) -> QueryResult<()> {
        self.1.fetch_add(1, Ordering::SeqCst);
        c.batch_execute(&match self.0 {
            Change::Insert(number) => format!("INSERT INTO numbers VALUES ({number})"),
            Change::Lock => "LOCK TABLE locked".to_owned(),
            Change::Disconnect => "SELECT pg_terminate_backend(pg_backend_pid())".to_owned(),
        })
    }

    fn run_all(changes: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<()>>> {
        let numbers: Vec<String> = changes
            .iter()
            .map(|change| match change.0 {
                Change::Insert(number) => format!("({number})"),
                Change::Lock => "((SELECT n FROM locked))".to_owned(),
                Change::Disconnect => "(pg_terminate_backend(pg_backend_pid())::integer)".to_owned(),
            })
            .collect();
        let statement = format!("INSERT INTO numbers VALUES {} ON CONFLICT DO NOTHING RETURNING n", numbers.join(", "));
        let DbConnection::Postgres(c) = c else { unreachable!("these tests run on PostgreSQL") };
        let inserted: Vec<NumberRow> = sql_query(statement).load(c)?;
        let mut inserted: Vec<i64> = inserted.into_iter().map(|row| row.n).collect();
        let mut take = |number| inserted.iter().position(|inserted| *inserted == number).map(|at| inserted.remove(at));
        let is_inserted = |change: &&Self| match change.0 {
            Change::Insert(number) => take(number).map(drop),
            Change::Lock | Change::Disconnect => None,
        };
        Ok(changes.iter().map(is_inserted).collect())
    }
}

#[derive(QueryableByName)]
struct NumberRow {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// A read that selects a number, or loses the connection if it is not alone.
struct CountedRead(i64, Arc<AtomicU32>);

impl BatchableWork for CountedRead {
    type Output = i64;

    fn run(&self, c: &mut DbConnection) -> QueryResult<i64> {
        self.1.fetch_add(1, Ordering::SeqCst);
        select_number(c, &format!("SELECT {}::bigint AS n", self.0))
    }

    fn run_all(works: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<i64>>> {
        if works.iter().any(|work| work.0 == 0) {
            c.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())")?;
        }
        let DbConnection::Postgres(c) = c else { unreachable!("these tests run on PostgreSQL") };
        let numbers: Vec<String> = works.iter().map(|work| work.0.to_string()).collect();
        let rows: Vec<NumberRow> =
            sql_query(format!("SELECT unnest('{{{}}}'::bigint[]) AS n", numbers.join(","))).load(c)?;
        Ok(rows.into_iter().map(|row| Some(row.n)).collect())
    }
}

/// Occupies the only database thread, starts a unit for each number, and releases the thread. Returns the results, how often each work was
/// done alone, and the number of statements.
async fn read_together(app: &TestApp, numbers: &[i64]) -> (Vec<(i64, u32)>, u64) {
    let runs: Vec<Arc<AtomicU32>> = numbers.iter().map(|_| Arc::default()).collect();
    let works = numbers.iter().zip(&runs).map(|(number, runs)| CountedRead(*number, Arc::clone(runs))).collect();
    let (outputs, statements) = run_works_together(app, works).await;
    (outputs.into_iter().zip(runs.iter().map(|runs| runs.load(Ordering::SeqCst))).collect(), statements)
}

/// Like [`read_together`], for any work. Returns the outputs and the number of statements.
async fn run_works_together<W: BatchableWork>(app: &TestApp, works: Vec<W>) -> (Vec<W::Output>, u64) {
    let db = &app.app.db;
    let gate = Gate::default();
    let blocker = block_writer(db, &gate).await;
    let units: Vec<_> = works
        .into_iter()
        .map(|work| {
            let db = db.clone();
            tokio::spawn(async move { db.read_batchable_as("read", work).await.unwrap() })
        })
        .collect();
    // Tasks of this runtime run in order: when this task runs, the units are queued.
    tokio::spawn(async {}).await.unwrap();
    let statements = db.statements();
    gate.open();
    blocker.await.unwrap().unwrap();
    let results = join_all(units).await.into_iter().map(Result::unwrap).collect();
    (results, db.statements() - statements)
}

#[tokio::test]
async fn waiting_reads_share_a_statement() {
    let app = app_with_numbers();
    let (results, statements) = read_together(&app, &[1, 2, 3]).await;
    assert_eq!(results, [(1, 0), (2, 0), (3, 0)]);
    // The transaction of the blocker ends with one.
    assert_eq!(statements, 2);
}

#[tokio::test]
async fn waiting_pages_of_items_share_a_statement() {
    let app = app_with_numbers();
    let users = [app.user().await, app.user().await];
    let mut lists = Vec::new();
    for user in &users {
        let list = user.create_bucketlist("List").await;
        for number in 0..3 {
            user.create_item(list, &format!("Item {number} of {}", user.id())).await;
        }
        lists.push(ItemScope { owner: UserId::new(user.id()), bucketlist_id: BucketlistId::new(list) });
    }
    let [own, others] = lists[..] else { unreachable!("two users have lists") };
    let of_another = ItemScope { owner: own.owner, ..others };
    let scopes = [own, others, of_another, own];
    let expected = |names: &[i64]| {
        scopes.map(|scope| {
            let name = |number: &i64| format!("Item {number} of {}", scope.owner);
            (scope != of_another).then(|| names.iter().map(name).collect::<Vec<_>>())
        })
    };

    let page = |scope| ListItemsByOffset::new(scope, &OffsetQuery { page: 2, per_page: 2, q: None }).unwrap();
    let (pages, statements) = run_works_together(&app, scopes.map(page).into()).await;
    let names: Vec<_> = pages
        .into_iter()
        .map(|page| {
            let page = page?;
            assert_eq!(page.total, 3);
            Some(page.data.into_iter().map(|item| item.name).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(names, expected(&[2]));
    // The transaction of the blocker ends with one.
    assert_eq!(statements, 2);

    let query = CursorQuery { filter: ItemFilter::default(), keyset: Keyset::oldest_first(None, 1), with_total: true };
    let page = |scope| ListItemsByCursor::new(scope, &query).unwrap();
    let (pages, statements) = run_works_together(&app, scopes.map(page).into()).await;
    let names: Vec<_> =
        pages.into_iter().map(|page| Some(page?.1.into_iter().map(|item| item.name).collect::<Vec<_>>())).collect();
    // The page and the first row of the next one.
    assert_eq!(names, expected(&[0, 1]));
    assert_eq!(statements, 2);
}

/// Each account gets the items of its bucketlists, also if one statement reads the pages of all of them.
#[tokio::test]
async fn concurrent_pages_of_items_of_several_accounts_are_not_mixed() {
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.pool_size = 2;
            config.responses.cache_bytes = 0;
        })
        .build();
    let users = [app.user().await, app.user().await, app.user().await];
    let mut lists = Vec::new();
    for user in &users {
        for list in 0..2 {
            let id = user.create_bucketlist(&format!("List {list}")).await;
            let names: Vec<_> = (0..25 + 3 * list).map(|item| format!("{item} of {id} of {}", user.id())).collect();
            let items: Vec<_> = names.iter().map(|name| json!({"name": name, "done": name.starts_with('1')})).collect();
            user.post(&format!("/v2/bucketlists/{id}/items/batch"), &json!({"items": items})).await.expect(201);
            lists.push((user, id, names));
        }
    }
    let mut cursors = Vec::new();
    for (user, id, _) in &lists {
        let page = user.get(&format!("/v2/bucketlists/{id}/items?per_page=6&include=total")).await.expect(200).json();
        cursors.push(page["links"]["next"].as_str().unwrap().to_owned());
    }
    // The account, the path, and the names and the total to expect; `None` for a bucketlist of another account.
    let mut requests = Vec::new();
    for ((owner, id, names), cursor) in lists.iter().zip(&cursors) {
        for user in &users {
            let is_owner = user.id() == owner.id();
            let expected = |names: &[String]| is_owner.then(|| names.to_vec());
            let total = names.len();
            let (v1, v2) = (format!("/v1/bucketlists/{id}/items"), format!("/v2/bucketlists/{id}/items"));
            requests.push((user, v1.clone(), expected(&names[..20]), json!(total)));
            requests.push((user, format!("{v1}?page=3&per_page=10"), expected(&names[20..]), json!(total)));
            requests.push((user, format!("{v2}?include=total"), expected(&names[..20]), json!(total)));
            requests.push((user, format!("{v2}?per_page=3"), expected(&names[..3]), json!(null)));
            requests.push((user, format!("{v2}?per_page=100&done=true"), expected(&names[..0]), json!(null)));
            if is_owner {
                requests.push((user, cursor.clone(), expected(&names[6..12]), json!(total)));
            }
        }
    }
    for _ in 0..3 {
        let responses = join_all(requests.iter().map(|(user, path, ..)| user.get(path))).await;
        for ((_, path, expected, total), response) in requests.iter().zip(responses) {
            let Some(expected) = expected else {
                response.expect_error(404, "BUCKETLIST_NOT_FOUND");
                continue;
            };
            let page = response.expect(200).json();
            let names: Vec<_> =
                page["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
            if path.contains("done=true") {
                assert!(names.len() == 11 && names.iter().all(|name| name.starts_with('1')), "{path}: {names:?}");
            } else {
                assert_eq!(names, *expected, "{path}");
            }
            assert_eq!(page["meta"]["total"], *total, "{path}");
        }
    }
}

#[tokio::test]
async fn reads_of_a_statement_that_loses_the_connection_are_repeated_alone() {
    let app = app_with_numbers();
    let (results, _) = read_together(&app, &[1, 0, 3]).await;
    assert_eq!(results, [(1, 1), (0, 1), (3, 1)]);
}

/// Occupies the only database thread, sends changes, each of the account with its number, and releases the thread. Returns the results of the
/// changes and how often each has run alone.
async fn run_together(app: &TestApp, changes: &[(i64, Change)]) -> Vec<(Result<(), DbError>, u32)> {
    let db = &app.app.db;
    let gate = Gate::default();
    let blocker = block_writer(db, &gate).await;
    let units: Vec<_> = changes
        .iter()
        .map(|(account, change)| {
            let (db, runs) = (db.clone(), Arc::new(AtomicU32::new(0)));
            let (account, change) = (UserId::new(*account), CountedChange(change.clone(), Arc::clone(&runs)));
            tokio::spawn(async move {
                let result = db.write_batchable_then_as(account, "change", change, |()| ()).await;
                (result, runs.load(Ordering::SeqCst))
            })
        })
        .collect();
    // Tasks of this runtime run in order: when this task runs, the units are queued.
    tokio::spawn(async {}).await.unwrap();
    gate.open();
    blocker.await.unwrap().unwrap();
    join_all(units).await.into_iter().map(Result::unwrap).collect()
}

/// Returns the number of rows, and of the transactions that have inserted them.
fn numbers(app: &TestApp) -> (i64, i64) {
    let read = |query: &str| select_number_directly(&app.database, query);
    (read("SELECT count(*) AS n FROM numbers"), read("SELECT count(DISTINCT xmin::text) AS n FROM numbers"))
}

/// An app with one database thread.
fn app_with_numbers() -> TestApp {
    let app = TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.pool_size = 1;
            config.database.lock_timeout = Duration::from_millis(100);
        })
        .build();
    app.execute("CREATE TABLE numbers (n bigint PRIMARY KEY CHECK (n > 0)); CREATE TABLE locked (n bigint)");
    app
}

fn results(outcomes: &[(Result<(), DbError>, u32)]) -> Vec<(bool, u32)> {
    outcomes.iter().map(|(result, runs)| (result.is_ok(), *runs)).collect()
}

#[tokio::test]
async fn waiting_changes_of_one_or_more_accounts_share_a_statement() {
    let app = app_with_numbers();
    let changes = [(1, Change::Insert(1)), (2, Change::Insert(2)), (1, Change::Insert(3)), (1, Change::Insert(4))];
    let outcomes = run_together(&app, &changes).await;
    assert_eq!(results(&outcomes), [(true, 0); 4], "{outcomes:?}");
    assert_eq!(numbers(&app), (4, 1), "four rows of one transaction");
}

#[tokio::test]
async fn change_that_a_statement_skips_runs_alone() {
    let app = app_with_numbers();
    let changes = [(1, Change::Insert(1)), (2, Change::Insert(1)), (3, Change::Insert(2)), (2, Change::Insert(3))];
    let outcomes = run_together(&app, &changes).await;
    assert_eq!(results(&outcomes), [(true, 0), (false, 1), (true, 0), (true, 0)], "{outcomes:?}");
    assert!(matches!(outcomes[1].0, Err(DbError::UniqueViolation(_))), "{outcomes:?}");
    assert_eq!(numbers(&app), (3, 1));
}

#[tokio::test]
async fn changes_of_a_statement_that_fails_run_alone() {
    let app = app_with_numbers();
    // The second one violates a constraint that the statement does not handle.
    let changes = [(1, Change::Insert(1)), (2, Change::Insert(-1)), (3, Change::Insert(2)), (3, Change::Insert(3))];
    let outcomes = run_together(&app, &changes).await;
    assert_eq!(results(&outcomes), [(true, 1), (false, 1), (true, 1), (true, 1)], "{outcomes:?}");
    assert_eq!(numbers(&app), (3, 3), "each in a separate transaction");
}

#[tokio::test]
async fn changes_of_a_statement_that_loses_the_connection_are_not_repeated() {
    let app = app_with_numbers();
    let changes = [(1, Change::Insert(1)), (2, Change::Disconnect), (3, Change::Insert(2))];
    let outcomes = run_together(&app, &changes).await;
    assert_eq!(results(&outcomes), [(false, 0); 3], "{outcomes:?}");
    for (result, _) in &outcomes {
        assert!(matches!(result, Err(DbError::Unavailable(_))), "{outcomes:?}");
    }
    assert_eq!(numbers(&app).0, 0);
    let outcomes = run_together(&app, &[(1, Change::Insert(1))]).await;
    assert_eq!(results(&outcomes), [(true, 0)], "the accounts are usable afterwards");
}

#[tokio::test]
async fn timeout_of_a_statement_is_not_repeated() {
    let app = app_with_numbers();
    let _lock = hold_transaction(&app.database, "BEGIN; LOCK TABLE locked");
    let outcomes = run_together(&app, &[(1, Change::Insert(1)), (2, Change::Lock), (3, Change::Insert(2))]).await;
    assert_eq!(results(&outcomes), [(false, 0); 3], "{outcomes:?}");
    for (result, _) in &outcomes {
        assert!(matches!(result, Err(DbError::Unavailable(_))), "{outcomes:?}");
    }
    assert_eq!(numbers(&app).0, 0);
}

/// Each response has the ID of the row that it created, also if many rows are created by one statement.
#[tokio::test]
async fn concurrent_creations_of_several_accounts_are_stored_as_requested() {
    let app = TestApp::builder().engine(Engine::Postgres).config(|config| config.database.pool_size = 2).build();
    let users = [app.user().await, app.user().await, app.user().await];
    let requests: Vec<_> = users
        .iter()
        .flat_map(|user| {
            (0..20).map(move |number| {
                let description =
                    if number % 3 == 0 { json!(null) } else { json!(format!("Of {} \u{1f3d4}", user.id())) };
                (user, json!({"name": format!("List {number}"), "description": description}))
            })
        })
        .collect();
    let created = join_all(requests.iter().map(|(user, body)| user.post("/v2/bucketlists", body))).await;
    let mut lists = Vec::new();
    for ((user, body), response) in requests.iter().zip(created) {
        let list = response.expect(201).json();
        assert_eq!((&list["name"], &list["description"]), (&body["name"], &body["description"]));
        let stored = user.get(&format!("/v2/bucketlists/{}", list["id"])).await.expect(200).json();
        assert_eq!(stored, list);
        lists.push((*user, format!("/v2/bucketlists/{}", list["id"])));
    }
    let items: Vec<_> = (0..90)
        .map(|number| {
            let (user, list) = &lists[number % 3 * 20];
            let due_on = if number % 2 == 0 { json!(null) } else { json!("2027-05-01") };
            (user, list, json!({"name": format!("Item {number}"), "done": number % 5 == 0, "due_on": due_on}))
        })
        .collect();
    let paths: Vec<_> = items.iter().map(|(_, list, _)| format!("{list}/items")).collect();
    let created = join_all(items.iter().zip(&paths).map(|((user, _, body), path)| user.post(path, body))).await;
    for ((user, list, body), response) in items.iter().zip(created) {
        let item = response.expect(201).json();
        for field in ["name", "done", "due_on"] {
            assert_eq!(item[field], body[field], "{item}");
        }
        assert_eq!(user.get(&format!("{list}/items/{}", item["id"])).await.expect(200).json(), item);
    }
    for (user, list) in [&lists[0], &lists[20], &lists[40]] {
        let list = user.get(list).await.expect(200).json();
        assert_eq!((&list["items_total"], &list["items_done"]), (&json!(30), &json!(6)));
        let found = user.get("/v2/search?q=item&per_page=100").await.expect(200).json();
        assert_eq!(found["data"].as_array().map(Vec::len), Some(30));
    }
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

/// An app with four database threads, which waits for locks longer than a test takes.
fn app_that_waits_for_locks() -> TestApp {
    TestApp::builder()
        .engine(Engine::Postgres)
        .config(|config| {
            config.database.pool_size = 4;
            config.database.acquire_timeout = Duration::from_secs(20);
            config.database.lock_timeout = Duration::from_secs(30);
            config.database.statement_timeout = Duration::from_secs(30);
            config.database.transaction_timeout = Duration::from_secs(40);
        })
        .build()
}

#[tokio::test]
async fn locked_account_occupies_one_thread() {
    let app = app_that_waits_for_locks();
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

/// Creations that wait for a locked row do not delay those of other accounts, although they could share a statement.
#[tokio::test]
async fn locked_rows_do_not_delay_creations_of_other_accounts() {
    let app = app_that_waits_for_locks();
    let (locked, other) = (app.user().await, app.user().await);
    let paths = [
        format!("/v2/bucketlists/{}/items", locked.create_bucketlist("Locked").await),
        format!("/v2/bucketlists/{}/items", other.create_bucketlist("Free").await),
    ];
    for table in ["users", "bucketlists"] {
        let query = match table {
            "users" => format!("BEGIN; SELECT * FROM users WHERE id = {} FOR UPDATE", locked.id()),
            _ => format!("BEGIN; SELECT * FROM bucketlists WHERE user_id = {} FOR UPDATE", locked.id()),
        };
        let lock = hold_transaction(&app.database, &query);
        let body = json!({"name": "Item"});
        let waiting = join_all((0..5).map(|_| locked.post(&paths[0], &body)));
        let others = async {
            for response in join_all((0..20).map(|_| other.post(&paths[1], &body))).await {
                response.expect(201);
            }
            drop(lock);
        };
        let (created, ()) = futures_util::future::join(waiting, others).await;
        for response in created {
            response.expect(201);
        }
    }
}
