//! Units of work: all of each is written, or nothing, whatever goes wrong half way and whoever works beside it.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

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

use crate::support::{Actor, Database, TestApp, UncheckedResponse, Value, json};

/// Why a unit of these tests ends.
#[derive(Debug)]
enum Halt {
    OnPurpose,
    Db(DbError),
}

impl From<DbError> for Halt {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<diesel::result::Error> for Halt {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Something to wait for, from a thread; opens by itself when its test ends, however it ends.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
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

fn list(owner: UserId, name: &str) -> NewBucketlist {
    let content = BucketlistContent { name: name.to_owned(), description: None };
    let now = Timestamp::from_micros(1);
    NewBucketlist { owner, content, created_at: now, updated_at: now }
}

fn item(bucketlist_id: BucketlistId, name: &str) -> NewItem {
    let content = ItemContent { name: name.to_owned(), description: None, done: false, due_on: None };
    let now = Timestamp::from_micros(1);
    NewItem { bucketlist_id, content, created_at: now, updated_at: now }
}

/// A list and two items; fails at each statement that fails.
fn write_list_with_items(c: &mut DbConnection, owner: UserId, name: &str) -> Result<BucketlistId, Halt> {
    let id = bucketlists::insert(c, &list(owner, name))?.id;
    for name in ["first", "second"] {
        items::insert(c, &item(id, name))?;
        bucketlists::adjust_counts(c, owner, id, 1, 0)?;
    }
    Ok(id)
}

/// How many lists and items there are, on this connection.
fn counts(c: &mut DbConnection) -> (i64, i64) {
    let lists = schema::bucketlists::table.select(count_star()).first(c).unwrap();
    let items = schema::items::table.select(count_star()).first(c).unwrap();
    (lists, items)
}

/// How many lists and items there are, seen from outside the app.
fn counts_outside(database: &Database) -> (i64, i64) {
    counts(database.migrator().connection())
}

/// How many rows of each kind hang on a user, seen from outside the app: the account, sessions, refresh tokens, resets,
/// lists, items.
fn belongings(database: &Database, user: i64) -> [i64; 6] {
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

/// How many refresh tokens and items there are in all: what a deleted user's orphans would show up in.
fn leaves(database: &Database) -> (i64, i64) {
    let mut migrator = database.migrator();
    let c = migrator.connection();
    let tokens = schema::refresh_tokens::table.select(count_star()).first(c).unwrap();
    let items = schema::items::table.select(count_star()).first(c).unwrap();
    (tokens, items)
}

async fn total(user: &Actor<'_>, path: &str) -> Value {
    user.get(path).await.expect(200).json()["meta"]["total"].clone()
}

/// Keeps one unit of `db.write` running until `gate` opens; returns when it runs.
async fn occupy_the_writer(db: &Db, gate: &Gate) -> tokio::task::JoinHandle<Result<(), Halt>> {
    let (started, running) = tokio::sync::oneshot::channel();
    let (db, gate) = (db.clone(), gate.clone());
    let unit = tokio::spawn(async move {
        db.write(move |_| -> Result<(), Halt> {
            started.send(()).unwrap();
            gate.wait();
            Ok(())
        })
        .await
    });
    running.await.unwrap();
    unit
}

both_engines! {
    async fn failed_transaction_leaves_no_changes(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let owner = UserId::new(user.id());
        let failed = app.app.db.write(move |c| {
            write_list_with_items(c, owner, "Half a list")?;
            assert_eq!(counts(c), (1, 2), "the unit itself sees what it has written");
            Err::<(), _>(Halt::OnPurpose)
        });
        let failure = failed.await.unwrap_err();
        assert!(matches!(failure, Halt::OnPurpose), "the caller gets the unit's own error: {failure:?}");
        assert_eq!(counts_outside(&app.database), (0, 0));
        assert_eq!(total(&user, "/v1/bucketlists").await, 0);

        // The same unit without the failure: it was the failure that undid it.
        let id = app.app.db.write(move |c| write_list_with_items(c, owner, "Half a list")).await.unwrap();
        assert_eq!(counts_outside(&app.database), (1, 2));
        assert_eq!(user.get(&format!("/v1/bucketlists/{id}")).await.expect(200).json()["items_total"], 2);
    }

    async fn panicking_transaction_leaves_no_changes_and_the_thread_survives(engine: Engine) {
        let app = TestApp::new(engine);
        let owner = UserId::new(app.user().await.id());
        // More panics than there are threads: none of them may be lost.
        for _ in 0..5 {
            let panicked = app.app.db.write(move |c| -> Result<(), Halt> {
                write_list_with_items(c, owner, "A list")?;
                panic!("half way, on purpose");
            });
            let failure = panicked.await.unwrap_err();
            assert!(matches!(failure, Halt::Db(DbError::Panicked)), "{failure:?}");
            assert_eq!(counts_outside(&app.database), (0, 0));
        }
        app.app.db.write(move |c| write_list_with_items(c, owner, "A list")).await.unwrap();
        assert_eq!(counts_outside(&app.database), (1, 2));
    }

    async fn panicking_reads_do_not_affect_others(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for _ in 0..5 {
            let panicked = app.app.db.read(|_| -> Result<(), Halt> { panic!("on purpose") }).await;
            assert!(matches!(panicked, Err(Halt::Db(DbError::Panicked))), "{panicked:?}");
            let panicked = app.app.db.snapshot(|_| -> Result<(), Halt> { panic!("on purpose") }).await;
            assert!(matches!(panicked, Err(Halt::Db(DbError::Panicked))), "{panicked:?}");
        }
        user.create_bucketlist("Still here").await;
        assert_eq!(total(&user, "/v1/bucketlists").await, 1);
    }

    async fn rejected_statement_rolls_back_the_transaction(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let owner = UserId::new(user.id());
        user.create_bucketlist("Taken").await;
        let refused = app.app.db.write(move |c| {
            write_list_with_items(c, owner, "Free")?;
            write_list_with_items(c, owner, "Taken")
        });
        let failure = refused.await.unwrap_err();
        assert!(matches!(failure, Halt::Db(DbError::UniqueViolation(UniqueConstraint::BucketlistName))), "{failure:?}");
        assert_eq!(counts_outside(&app.database), (1, 0), "only what was there before");
    }

    async fn ignored_statement_error_is_not_reported_as_a_commit(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let owner = UserId::new(user.id());
        user.create_bucketlist("Taken").await;
        let overlooked = app.app.db.write(move |c| -> Result<(), Halt> {
            bucketlists::insert(c, &list(owner, "Free"))?;
            assert!(bucketlists::insert(c, &list(owner, "Taken")).is_err());
            Ok(())
        });
        let reported = overlooked.await.is_ok();
        let kept = counts_outside(&app.database) == (2, 0);
        assert_eq!(reported, kept, "what the caller is told is what happened");
        // And the connection is as good as before.
        user.create_bucketlist("Another").await;
    }

    async fn failed_transaction_does_not_roll_back_others_in_its_group(engine: Engine) {
        let app = TestApp::new(engine);
        let owner = UserId::new(app.user().await.id());
        let db = &app.app.db;
        // The writer is kept busy until all the others wait in its queue: on SQLite they become one group.
        let gate = Gate::default();
        let blocker = occupy_the_writer(db, &gate).await;
        let units: Vec<_> = (0..50)
            .map(|number| {
                let db = db.clone();
                tokio::spawn(async move {
                    let name = format!("List {number:02}");
                    let unit = db.write(move |c| {
                        let id = write_list_with_items(c, owner, &name)?;
                        match number % 9 {
                            2 => Err(Halt::OnPurpose),
                            5 => panic!("on purpose"),
                            // The constraint refuses the second one of this name.
                            8 => write_list_with_items(c, owner, &name),
                            _ => Ok(id),
                        }
                    });
                    unit.await
                })
            })
            .collect();
        // Tasks of this runtime run in turn: when this one does, the others have been sent on their way.
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
        let (started, running) = tokio::sync::oneshot::channel();
        let half_way = gate.clone();
        let caller = tokio::spawn(async move {
            let unit = db.write(move |c| {
                let id = bucketlists::insert(c, &list(owner, "Abandoned"))?.id;
                started.send(()).unwrap();
                half_way.wait();
                items::insert(c, &item(id, "Found"))?;
                Ok::<_, Halt>(())
            });
            unit.await
        });
        running.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(counts_outside(&app.database), (0, 0), "nothing is seen before it is whole");
        gate.open();
        // Nobody is told when it is done; but a list of the same name waits for what becomes of the first one.
        let again = app.app.db.write(move |c| Ok::<_, Halt>(bucketlists::insert(c, &list(owner, "Abandoned"))?.id)).await;
        assert!(matches!(again, Err(Halt::Db(DbError::UniqueViolation(UniqueConstraint::BucketlistName)))), "{again:?}");
        assert_eq!(counts_outside(&app.database), (1, 1));
    }

    async fn concurrent_item_changes_keep_counters_correct(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let list = user.create_bucketlist("Crowded").await;
        let path = format!("/v1/bucketlists/{list}");
        let items = format!("{path}/items");
        let bodies: Vec<Value> =
            (0..40).map(|number| json!({"name": format!("Item {number}"), "done": number % 4 == 0})).collect();
        let made = join_all(bodies.iter().map(|body| user.post(&items, body))).await;
        let ids: Vec<i64> = made.into_iter().map(|response| response.expect(201).json()["id"].as_i64().unwrap()).collect();
        let answer = user.get(&path).await.expect(200).json();
        assert_eq!((&answer["items_total"], &answer["items_done"]), (&json!(40), &json!(10)));
        assert_eq!(total(&user, &items).await, 40);

        // Ten are deleted and ten are ticked, by two callers each: one deletion of two finds it, ticking twice counts once.
        let paths: Vec<String> = ids.iter().map(|id| format!("{items}/{id}")).collect();
        let tick = json!({"name": "Ticked", "done": true});
        let deletions = join_all(paths[..10].iter().chain(&paths[..10]).map(|path| user.delete(path)));
        let ticks = join_all(paths[20..30].iter().chain(&paths[20..30]).map(|path| user.put(path, &tick)));
        let (deletions, ticks) = futures_util::future::join(deletions, ticks).await;
        let statuses: Vec<u16> = deletions.into_iter().map(UncheckedResponse::any_status).map(|response| response.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 10, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 10, "{statuses:?}");
        for response in ticks {
            assert!(response.expect(200).json()["done_at"].is_string());
        }

        let answer = user.get(&path).await.expect(200).json();
        let mut migrator = app.database.migrator();
        let c = migrator.connection();
        let rows: i64 = schema::items::table.select(count_star()).first(c).unwrap();
        let done: i64 = schema::items::table.filter(schema::items::done.eq(true)).select(count_star()).first(c).unwrap();
        assert_eq!(rows, 30);
        // 0, 4, …, 36 were done; of them 0, 4 and 8 went, and 20, 24 and 28 are among the ticked.
        assert_eq!(done, 10 - 3 + 10 - 3);
        assert_eq!((&answer["items_total"], &answer["items_done"]), (&json!(rows), &json!(done)));
    }

    async fn concurrent_creations_with_one_name_create_one_bucketlist(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let body = json!({"name": "Only one"});
        let responses = join_all((0..12).map(|_| user.post("/v1/bucketlists", &body))).await;
        let mut made = 0;
        for response in responses {
            let response = response.any_status();
            match response.status {
                201 => made += 1,
                _ => assert_eq!((response.status, response.code().as_str()), (409, "BUCKETLIST_NAME_TAKEN")),
            }
        }
        assert_eq!(made, 1);
        assert_eq!(total(&user, "/v1/bucketlists").await, 1);
    }

    async fn snapshot_is_isolated_from_concurrent_commits(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let owner = UserId::new(user.id());
        user.create_bucketlist("Before").await;
        let gate = Gate::default();
        let (started, running) = tokio::sync::oneshot::channel();
        let (db, committed) = (app.app.db.clone(), gate.clone());
        let snapshot = tokio::spawn(async move {
            let unit = db.snapshot(move |c| {
                let before = counts(c);
                started.send(()).unwrap();
                committed.wait();
                Ok::<_, Halt>((before, counts(c)))
            });
            unit.await
        });
        running.await.unwrap();
        app.app.db.write(move |c| write_list_with_items(c, owner, "Meanwhile")).await.unwrap();
        assert_eq!(counts_outside(&app.database), (2, 2), "it is committed");
        gate.open();
        assert_eq!(snapshot.await.unwrap().unwrap(), ((1, 0), (1, 0)));
        let after = app.app.db.snapshot(|c| Ok::<_, Halt>(counts(c))).await.unwrap();
        assert_eq!(after, (2, 2));
    }

    async fn deleting_a_user_is_atomic(engine: Engine) {
        let app = TestApp::new(engine);
        let (leaving, staying) = (app.user().await, app.user().await);
        for user in [&leaving, &staying] {
            let list = user.create_bucketlist("Mine").await;
            user.create_item(list, "one").await;
            user.create_item(list, "two").await;
            let login = json!({"email": user.email(), "password": Actor::PASSWORD});
            app.anonymous().post("/v1/auth/login", &login).await.expect(200);
            app.anonymous().post("/v1/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
        }
        app.run_jobs().await;
        let full = [1, 2, 2, 1, 1, 2];
        assert_eq!(belongings(&app.database, leaving.id()), full);

        // Nothing: the unit that deletes the account fails afterwards.
        let id = leaving.id();
        let failed = app.app.db.write(move |c| {
            assert!(users::delete(c, UserId::new(id))?);
            assert_eq!(counts(c), (1, 2), "the other user's");
            Err::<(), _>(Halt::OnPurpose)
        });
        assert!(matches!(failed.await, Err(Halt::OnPurpose)));
        assert_eq!(belongings(&app.database, leaving.id()), full);
        leaving.get("/v1/users/me").await.expect(200);

        // Everything.
        let password = json!({"password": Actor::PASSWORD});
        leaving.request(poem::http::Method::DELETE, "/v1/users/me").json(&password).send().await.expect(204);
        assert_eq!(belongings(&app.database, leaving.id()), [0; 6]);
        leaving.get("/v1/users/me").await.expect(401);

        assert_eq!(belongings(&app.database, staying.id()), full, "nobody else's is touched");
        assert_eq!(leaves(&app.database), (2, 2), "no orphans");
        staying.get("/v1/users/me").await.expect(200);
    }

    async fn write_is_durable_before_its_response(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for number in 0..10 {
            let list = user.create_bucketlist(&format!("List {number}")).await;
            user.create_item(list, "one").await;
            // What another process sees at this moment; on SQLite, what a machine that dies at this moment finds again: a
            // copy of the files as they are.
            let counts = match &app.database.target {
                Target::Postgres(_) => counts_outside(&app.database),
                Target::Sqlite(path) => {
                    assert_eq!(counts_outside(&app.database), (number + 1, number + 1));
                    let copy = Database::unmigrated(engine);
                    let Target::Sqlite(copied) = &copy.target else { unreachable!("asked for SQLite") };
                    std::fs::copy(path, copied).unwrap();
                    std::fs::copy(path.with_extension("db-wal"), copied.with_extension("db-wal")).unwrap();
                    counts_outside(&copy)
                }
            };
            assert_eq!(counts, (number + 1, number + 1));
        }
    }
}
