//! Transactions are atomic, isolated and durable, with failures, panics and concurrent writers.

use bucketlist::{
    db::{
        Db, DbConnection, DbError, Target, UniqueConstraint,
        repositories::{bucketlists, items, users},
        schema,
    },
    domain::{BucketlistContent, BucketlistId, ItemContent, NewBucketlist, NewItem, Timestamp, UserId},
};
use diesel::{dsl::count_star, prelude::*};
use futures_util::future::join_all;

use crate::{
    faults::{Gate, UnsharedChange},
    support::{Actor, Database, TestApp, UncheckedResponse, Value, json},
};

/// The error of a unit of work in these tests.
#[derive(Debug)]
pub enum UnitError {
    Intended,
    Db(DbError),
}

impl From<DbError> for UnitError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<diesel::result::Error> for UnitError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

fn list(owner: UserId, name: &str) -> NewBucketlist {
    let content = BucketlistContent { name: name.to_owned(), description: None };
    let now = Timestamp::from_micros(1);
    NewBucketlist { owner, content, created_at: now, updated_at: now }
}

fn item(bucketlist_id: BucketlistId, name: &str) -> NewItem {
    let content = ItemContent { name: name.to_owned(), description: None, done: false, due_on: None };
    let now = Timestamp::from_micros(1);
    NewItem { bucketlist_id, content, done_at: None, created_at: now, updated_at: now }
}

/// Inserts a bucketlist with two items; returns the first error.
fn write_list_with_items(c: &mut DbConnection, owner: UserId, name: &str) -> Result<BucketlistId, UnitError> {
    let id = bucketlists::insert(c, &list(owner, name))?.id;
    for name in ["first", "second"] {
        items::insert(c, &item(id, name))?;
        bucketlists::adjust_counts(c, owner, id, 1, 0)?;
    }
    Ok(id)
}

/// Returns the number of bucketlists and items, read on this connection.
fn counts(c: &mut DbConnection) -> (i64, i64) {
    let lists = schema::bucketlists::table.select(count_star()).first(c).unwrap();
    let items = schema::items::table.select(count_star()).first(c).unwrap();
    (lists, items)
}

/// Returns the number of bucketlists and items, read on a connection outside the app.
fn committed_counts(database: &Database) -> (i64, i64) {
    counts(database.migrator().connection())
}

/// Returns the number of rows of a user, read on a connection outside the app: account, sessions, refresh tokens,
/// password resets, bucketlists and items.
fn count_user_rows(database: &Database, user: i64) -> [i64; 6] {
    use schema::{password_resets, refresh_tokens, sessions, users};
    let mut migrator = database.migrator();
    let c = migrator.connection();
    let sessions_of = sessions::table.filter(sessions::user_id.eq(user));
    let lists_of = schema::bucketlists::table.filter(schema::bucketlists::user_id.eq(user));
    [
        users::table.find(user).select(count_star()).first(c).unwrap(),
        sessions_of.select(count_star()).first(c).unwrap(),
        refresh_tokens::table
            .filter(refresh_tokens::session_id.eq_any(sessions_of.select(sessions::id)))
            .select(count_star())
            .first(c)
            .unwrap(),
        password_resets::table.filter(password_resets::user_id.eq(user)).select(count_star()).first(c).unwrap(),
        lists_of.select(count_star()).first(c).unwrap(),
        schema::items::table
            .filter(schema::items::bucketlist_id.eq_any(lists_of.select(schema::bucketlists::id)))
            .select(count_star())
            .first(c)
            .unwrap(),
    ]
}

/// Returns the number of all refresh tokens and items, which would include orphans of a deleted user.
fn count_all_tokens_and_items(database: &Database) -> (i64, i64) {
    let mut migrator = database.migrator();
    let c = migrator.connection();
    let tokens = schema::refresh_tokens::table.select(count_star()).first(c).unwrap();
    let items = schema::items::table.select(count_star()).first(c).unwrap();
    (tokens, items)
}

async fn total(user: &Actor<'_>, path: &str) -> Value {
    user.get(path).await.expect(200).json()["meta"]["total"].clone()
}

/// Starts a unit of `db.write` that waits for `gate`; returns when it runs.
pub async fn block_writer(db: &Db, gate: &Gate) -> tokio::task::JoinHandle<Result<(), UnitError>> {
    let (started, mut running) = tokio::sync::mpsc::unbounded_channel();
    let (db, gate) = (db.clone(), gate.clone());
    let unit = tokio::spawn(async move {
        db.write(move |_| -> Result<(), UnitError> {
            started.send(()).unwrap();
            gate.wait();
            Ok(())
        })
        .await
    });
    running.recv().await.unwrap();
    unit
}

both_engines! {
    async fn failed_transaction_leaves_no_changes(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let owner = UserId::new(user.id());
        let failed = app.app.db.write(move |c| {
            write_list_with_items(c, owner, "Half a list")?;
            assert_eq!(counts(c), (1, 2), "the unit reads its own writes");
            Err::<(), _>(UnitError::Intended)
        });
        let failure = failed.await.unwrap_err();
        assert!(matches!(failure, UnitError::Intended), "the error is not that of the unit: {failure:?}");
        assert_eq!(committed_counts(&app.database), (0, 0));
        assert_eq!(total(&user, "/v1/bucketlists").await, 0);

        // The same unit without the failure is committed.
        let id = app.app.db.write(move |c| write_list_with_items(c, owner, "Half a list")).await.unwrap();
        assert_eq!(committed_counts(&app.database), (1, 2));
        assert_eq!(user.get(&format!("/v1/bucketlists/{id}")).await.expect(200).json()["items_total"], 2);
    }

    async fn panicking_transaction_leaves_no_changes_and_the_thread_survives(engine: Engine) {
        let app = TestApp::new(engine);
        let owner = UserId::new(app.user().await.id());
        // There are more panics than threads: no thread may end.
        for _ in 0..5 {
            let panicked = app.app.db.write(move |c| -> Result<(), UnitError> {
                write_list_with_items(c, owner, "A list")?;
                panic!("intended panic in a unit");
            });
            let failure = panicked.await.unwrap_err();
            assert!(matches!(failure, UnitError::Db(DbError::Panicked)), "{failure:?}");
            assert_eq!(committed_counts(&app.database), (0, 0));
        }
        app.app.db.write(move |c| write_list_with_items(c, owner, "A list")).await.unwrap();
        assert_eq!(committed_counts(&app.database), (1, 2));
    }

    async fn panicking_reads_do_not_affect_others(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for _ in 0..5 {
            let panicked = app.app.db.read(|_| -> Result<(), UnitError> { panic!("intended") }).await;
            assert!(matches!(panicked, Err(UnitError::Db(DbError::Panicked))), "{panicked:?}");
            let panicked = app.app.db.snapshot(|_| -> Result<(), UnitError> { panic!("intended") }).await;
            assert!(matches!(panicked, Err(UnitError::Db(DbError::Panicked))), "{panicked:?}");
        }
        user.create_bucketlist("Still here").await;
        assert_eq!(total(&user, "/v1/bucketlists").await, 1);
    }

    async fn rejected_statement_rolls_back_the_transaction(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let owner = UserId::new(user.id());
        user.create_bucketlist("Taken").await;
        let rejected = app.app.db.write(move |c| {
            write_list_with_items(c, owner, "Free")?;
            write_list_with_items(c, owner, "Taken")
        });
        let failure = rejected.await.unwrap_err();
        assert!(matches!(failure, UnitError::Db(DbError::UniqueViolation(UniqueConstraint::BucketlistName))), "{failure:?}");
        assert_eq!(committed_counts(&app.database), (1, 0), "the unit changed the database");
    }

    async fn ignored_statement_error_is_not_reported_as_a_commit(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let owner = UserId::new(user.id());
        user.create_bucketlist("Taken").await;
        let unit_result = app.app.db.write(move |c| -> Result<(), UnitError> {
            bucketlists::insert(c, &list(owner, "Free"))?;
            assert!(bucketlists::insert(c, &list(owner, "Taken")).is_err());
            Ok(())
        });
        let is_reported = unit_result.await.is_ok();
        let is_committed = committed_counts(&app.database) == (2, 0);
        assert_eq!(is_reported, is_committed, "the result does not match the commit");
        // The connection remains usable.
        user.create_bucketlist("Another").await;
    }

    async fn second_statement_without_a_transaction_is_detected(engine: Engine) {
        let app = TestApp::new(engine);
        let owner = UserId::new(app.user().await.id());
        let run = |statements: usize| {
            let change = UnsharedChange(move |c: &mut DbConnection| {
                for _ in 0..statements {
                    bucketlists::find(c, owner, BucketlistId::new(1))?;
                }
                Ok(())
            });
            app.app.db.write_batchable_then_as::<_, UnitError>(owner, "change", change, |()| ())
        };
        run(1).await.unwrap();
        // On SQLite, the unit is a transaction.
        assert_eq!(run(2).await.is_ok(), engine == crate::support::Engine::Sqlite);
        run(1).await.unwrap();
    }

    async fn failed_transaction_does_not_roll_back_others_in_its_group(engine: Engine) {
        let app = TestApp::new(engine);
        let owner = UserId::new(app.user().await.id());
        let db = &app.app.db;
        // The writer is blocked until all units wait in its queue: on SQLite they form one group.
        let gate = Gate::default();
        let blocker = block_writer(db, &gate).await;
        let units: Vec<_> = (0..50)
            .map(|number| {
                let db = db.clone();
                tokio::spawn(async move {
                    let name = format!("List {number:02}");
                    let unit = db.write(move |c| {
                        let id = write_list_with_items(c, owner, &name)?;
                        match number % 9 {
                            2 => Err(UnitError::Intended),
                            5 => panic!("intended"),
                            // The second bucketlist of this name violates the constraint.
                            8 => write_list_with_items(c, owner, &name),
                            _ => Ok(id),
                        }
                    });
                    unit.await
                })
            })
            .collect();
        // Tasks of this runtime run in order: when this task runs, the units are queued.
        let opener = gate.clone();
        tokio::spawn(async move { opener.open() }).await.unwrap();
        blocker.await.unwrap().unwrap();
        for (number, outcome) in join_all(units).await.into_iter().enumerate() {
            let outcome = outcome.unwrap();
            assert_eq!(outcome.is_ok(), number % 3 != 2, "{number}: {outcome:?}");
        }
        let mut migrator = app.database.migrator();
        let c = migrator.connection();
        let names: Vec<String> =
            schema::bucketlists::table.order(schema::bucketlists::name).select(schema::bucketlists::name).load(c).unwrap();
        let expected: Vec<String> =
            (0..50).filter(|number| number % 3 != 2).map(|number| format!("List {number:02}")).collect();
        assert_eq!(names, expected);
        assert_eq!(counts(c), (34, 68));
    }

    async fn transaction_completes_when_its_caller_disconnects(engine: Engine) {
        let app = TestApp::new(engine);
        let owner = UserId::new(app.user().await.id());
        let db = app.app.db.clone();
        let gate = Gate::default();
        let (started, mut running) = tokio::sync::mpsc::unbounded_channel();
        let unit_gate = gate.clone();
        let caller = tokio::spawn(async move {
            let unit = db.write(move |c| {
                let id = bucketlists::insert(c, &list(owner, "Abandoned"))?.id;
                started.send(()).unwrap();
                unit_gate.wait();
                items::insert(c, &item(id, "Found"))?;
                Ok::<_, UnitError>(())
            });
            unit.await
        });
        running.recv().await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(committed_counts(&app.database), (0, 0), "uncommitted rows are visible");
        gate.open();
        // The caller gets no result. An insert of the same name waits for the outcome of the first one.
        let again = app.app.db.write(move |c| Ok::<_, UnitError>(bucketlists::insert(c, &list(owner, "Abandoned"))?.id)).await;
        assert!(matches!(again, Err(UnitError::Db(DbError::UniqueViolation(UniqueConstraint::BucketlistName)))), "{again:?}");
        assert_eq!(committed_counts(&app.database), (1, 1));
    }

    async fn concurrent_item_changes_keep_counters_correct(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("Crowded").await;
        let path = format!("/v1/bucketlists/{list}");
        let items = format!("{path}/items");
        let bodies: Vec<Value> =
            (0..40).map(|number| json!({"name": format!("Item {number}"), "done": number % 4 == 0})).collect();
        let created = join_all(bodies.iter().map(|body| user.post(&items, body))).await;
        let ids: Vec<i64> = created.into_iter().map(|response| response.expect(201).json()["id"].as_i64().unwrap()).collect();
        let bucketlist = user.get(&path).await.expect(200).json();
        assert_eq!((&bucketlist["items_total"], &bucketlist["items_done"]), (&json!(40), &json!(10)));
        assert_eq!(total(&user, &items).await, 40);

        // Ten items are deleted and ten are completed, each by two requests: one deletion succeeds, and one completion counts.
        let paths: Vec<String> = ids.iter().map(|id| format!("{items}/{id}")).collect();
        let completion = json!({"name": "Completed", "done": true});
        let deletions = join_all(paths[..10].iter().chain(&paths[..10]).map(|path| user.delete(path)));
        let completions = join_all(paths[20..30].iter().chain(&paths[20..30]).map(|path| user.put(path, &completion)));
        let (deletions, completions) = futures_util::future::join(deletions, completions).await;
        let statuses: Vec<u16> = deletions.into_iter().map(UncheckedResponse::any_status).map(|response| response.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 10, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 10, "{statuses:?}");
        for response in completions {
            assert!(response.expect(200).json()["done_at"].is_string());
        }

        let bucketlist = user.get(&path).await.expect(200).json();
        let mut migrator = app.database.migrator();
        let c = migrator.connection();
        let rows: i64 = schema::items::table.select(count_star()).first(c).unwrap();
        let done: i64 = schema::items::table.filter(schema::items::done.eq(true)).select(count_star()).first(c).unwrap();
        assert_eq!(rows, 30);
        // Items 0, 4, …, 36 were completed. Of them, 0, 4 and 8 were deleted, and 20, 24 and 28 were completed again.
        assert_eq!(done, 10 - 3 + 10 - 3);
        assert_eq!((&bucketlist["items_total"], &bucketlist["items_done"]), (&json!(rows), &json!(done)));
    }

    async fn concurrent_creations_with_one_name_create_one_bucketlist(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"name": "Only one"});
        let responses = join_all((0..12).map(|_| user.post("/v1/bucketlists", &body))).await;
        let mut created = 0;
        for response in responses {
            let response = response.any_status();
            match response.status {
                201 => created += 1,
                _ => assert_eq!((response.status, response.code().as_str()), (409, "BUCKETLIST_NAME_TAKEN")),
            }
        }
        assert_eq!(created, 1);
        assert_eq!(total(&user, "/v1/bucketlists").await, 1);
    }

    async fn snapshot_is_isolated_from_concurrent_commits(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let owner = UserId::new(user.id());
        user.create_bucketlist("Before").await;
        let gate = Gate::default();
        let (started, mut running) = tokio::sync::mpsc::unbounded_channel();
        let (db, committed) = (app.app.db.clone(), gate.clone());
        let snapshot = tokio::spawn(async move {
            let unit = db.snapshot(move |c| {
                let before = counts(c);
                started.send(()).unwrap();
                committed.wait();
                Ok::<_, UnitError>((before, counts(c)))
            });
            unit.await
        });
        running.recv().await.unwrap();
        app.app.db.write(move |c| write_list_with_items(c, owner, "Meanwhile")).await.unwrap();
        assert_eq!(committed_counts(&app.database), (2, 2), "the write is committed");
        gate.open();
        assert_eq!(snapshot.await.unwrap().unwrap(), ((1, 0), (1, 0)));
        let after = app.app.db.snapshot(|c| Ok::<_, UnitError>(counts(c))).await.unwrap();
        assert_eq!(after, (2, 2));
    }

    async fn deleting_a_user_is_atomic(engine: Engine) {
        let app = TestApp::new(engine);
        let (deleted, other) = (app.user().await, app.user().await);
        for user in [&deleted, &other] {
            let list = user.create_bucketlist("Mine").await;
            user.create_item(list, "one").await;
            user.create_item(list, "two").await;
            let login = json!({"email": user.email(), "password": Actor::PASSWORD});
            app.anonymous().post("/v1/auth/login", &login).await.expect(200);
            app.anonymous().post("/v1/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
        }
        app.run_jobs().await;
        let all_rows = [1, 2, 2, 1, 1, 2];
        assert_eq!(count_user_rows(&app.database, deleted.id()), all_rows);

        // The unit fails after deleting the account: no row is deleted.
        let id = deleted.id();
        let failed = app.app.db.write(move |c| {
            assert!(users::delete(c, UserId::new(id))?);
            assert_eq!(counts(c), (1, 2), "the rows of the other user");
            Err::<(), _>(UnitError::Intended)
        });
        assert!(matches!(failed.await, Err(UnitError::Intended)));
        assert_eq!(count_user_rows(&app.database, deleted.id()), all_rows);
        deleted.get("/v1/users/me").await.expect(200);

        // The unit succeeds: all rows are deleted.
        let password = json!({"password": Actor::PASSWORD});
        deleted.request(poem::http::Method::DELETE, "/v1/users/me").json(&password).send().await.expect(204);
        assert_eq!(count_user_rows(&app.database, deleted.id()), [0; 6]);
        deleted.get("/v1/users/me").await.expect(401);

        assert_eq!(count_user_rows(&app.database, other.id()), all_rows, "rows of another user were deleted");
        assert_eq!(count_all_tokens_and_items(&app.database), (2, 2), "no orphans");
        other.get("/v1/users/me").await.expect(200);
    }

    async fn write_is_durable_before_its_response(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for number in 0..10 {
            let list = user.create_bucketlist(&format!("List {number}")).await;
            user.create_item(list, "one").await;
            // What another process reads now. On SQLite, also what is recovered after a crash: a copy of the current
            // files.
            let counts = match &app.database.target {
                Target::Postgres(_) => committed_counts(&app.database),
                Target::Sqlite(path) => {
                    assert_eq!(committed_counts(&app.database), (number + 1, number + 1));
                    let copy = Database::unmigrated(engine);
                    let Target::Sqlite(copied) = &copy.target else { unreachable!("the target is SQLite") };
                    std::fs::copy(path, copied).unwrap();
                    std::fs::copy(path.with_extension("db-wal"), copied.with_extension("db-wal")).unwrap();
                    committed_counts(&copy)
                }
            };
            assert_eq!(counts, (number + 1, number + 1));
        }
    }
}
