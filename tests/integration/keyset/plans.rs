//! Query plans: pages seek in an index and need no sort.

use std::sync::{Arc, Mutex};

use bucketlist::{
    db::{
        BatchableWork, DbConnection,
        repositories::{
            audit, bucketlists,
            creation::{CreateBucketlist, CreateItem},
            incidents,
            item_pages::{ListItemsByCursor, ListItemsByOffset},
            items,
            jobs::{self, ClaimRequest, NEVER},
            retrieval::{RetrieveBucketlist, RetrieveItem},
            sessions,
            token_status::ReadTokenStatus,
            users,
        },
    },
    domain::{
        AuditAction, AuditFilter, AuditTarget, BucketlistContent, BucketlistFilter, BucketlistId, CursorQuery,
        IncidentFilter, ItemFilter, ItemId, ItemScope, JobFilter, JobPriority, JobState, Keyset, KeysetPosition,
        NewBucketlist, OffsetQuery, SessionId, SortKey, SortValue, UserFilter, UserId,
    },
};
use diesel::{
    Connection, QueryableByName, RunQueryDsl,
    connection::{InstrumentationEvent, SimpleConnection},
    sql_query,
    sql_types::Text,
};

use super::{ORDERS, at, day, insert_items, new_item, text};
use crate::{
    faults::select_number,
    support::{Database, Engine},
};

#[derive(QueryableByName)]
struct SqliteStep {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PostgresLine {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

/// Returns the statements that `work` executes, and the number of them that Diesel caches as prepared statements.
fn record_statements(c: &mut DbConnection, work: impl FnOnce(&mut DbConnection)) -> (Vec<String>, usize) {
    let log = Arc::new(Mutex::new((Vec::new(), 0)));
    let recorded = Arc::clone(&log);
    c.set_instrumentation(move |event: InstrumentationEvent<'_>| match event {
        InstrumentationEvent::StartQuery { query, .. } => recorded.lock().unwrap().0.push(query.to_string()),
        InstrumentationEvent::CacheQuery { .. } => recorded.lock().unwrap().1 += 1,
        _ => {}
    });
    work(c);
    c.set_instrumentation(|_: InstrumentationEvent<'_>| {});
    std::mem::take(&mut *log.lock().unwrap())
}

/// Adds the type to the arrays of integers in `unnest`.
fn type_arrays(sql: &str) -> String {
    let Some((before, (arrays, after))) =
        sql.split_once("unnest(").and_then(|(before, rest)| Some((before, rest.split_once(')')?)))
    else {
        return sql.to_owned();
    };
    format!("{before}unnest({}::bigint[]){after}", arrays.replace(',', "::bigint[],"))
}

/// Returns the generic plan of the only statement that `work` executes.
fn plan(c: &mut DbConnection, work: impl FnOnce(&mut DbConnection)) -> String {
    let (statements, _) = record_statements(c, work);
    let [statement] = &statements[..] else { panic!("expected one statement: {statements:?}") };
    explain(c, statement)
}

/// Returns the generic plan of a statement.
fn explain(c: &mut DbConnection, statement: &str) -> String {
    // Diesel sends the types of values; PREPARE needs an explicit type.
    let sql = type_arrays(statement.split(" -- binds:").next().unwrap());
    let lines: Vec<String> = match c {
        DbConnection::Sqlite(c) => {
            let steps: Vec<SqliteStep> = sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(c).unwrap();
            steps.into_iter().map(|step| step.detail).collect()
        }
        DbConnection::Postgres(c) => {
            let values = vec!["NULL"; sql.matches('$').count()].join(", ");
            c.batch_execute(&format!(
                "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; PREPARE explained AS {sql}"
            ))
            .unwrap();
            let explain = sql_query(format!("EXPLAIN (COSTS OFF) EXECUTE explained ({values})"));
            let lines: Vec<PostgresLine> = explain.load(c).unwrap();
            c.batch_execute("DEALLOCATE explained; RESET plan_cache_mode; RESET enable_seqscan").unwrap();
            lines.into_iter().map(|line| line.line).collect()
        }
    };
    lines.join("\n")
}

const fn column(sort: SortKey) -> &'static str {
    match sort {
        SortKey::CreatedAt => "created_at",
        SortKey::UpdatedAt => "updated_at",
        SortKey::Name => "name",
    }
}

fn middle_position(sort: SortKey) -> KeysetPosition {
    let value = if sort == SortKey::Name { SortValue::Text("m".to_owned()) } else { SortValue::Timestamp(at(102)) };
    KeysetPosition { value, id: 7 }
}

/// Returns the keysets of the first page and of a later page for each order.
fn pages() -> impl Iterator<Item = Keyset> {
    ORDERS.into_iter().flat_map(|(sort, descending)| {
        [None, Some(middle_position(sort))].map(|after| Keyset { sort, descending, after, limit: 21 })
    })
}

/// Asserts that `plan` seeks in the index of `scope` and the sort column, starts at the position, and has no sort. PostgreSQL may sort rows with equal
/// names.
#[track_caller]
fn expect_index_seek(c: &DbConnection, plan: &str, table: &str, scope: &str, keyset: &Keyset) {
    expect_seek(c, plan, table, scope, keyset);
    let is_sorted_within_names = plan.contains("Presorted Key: name\n") && plan.matches("Sort").count() == 2;
    assert!(!plan.contains("TEMP B-TREE"), "{keyset:?}\n{plan}");
    assert!(!plan.contains("Sort") || (is_unique(table, keyset) && is_sorted_within_names), "{keyset:?}\n{plan}");
}

/// Returns whether the rows of a scope have distinct values in the sort column. The index of the constraint then has no ID.
fn is_unique(table: &str, keyset: &Keyset) -> bool {
    (table, keyset.sort) == ("bucketlists", SortKey::Name)
}

/// Like [`expect_index_seek`], but the rows of the page may be sorted.
#[track_caller]
fn expect_seek(c: &DbConnection, plan: &str, table: &str, scope: &str, keyset: &Keyset) {
    let column = column(keyset.sort);
    let is_unique = is_unique(table, keyset);
    let index = match c {
        DbConnection::Sqlite(_) if is_unique => "sqlite_autoindex_bucketlists_1".to_owned(),
        DbConnection::Postgres(_) if is_unique => format!("{table}_{scope}{column}"),
        _ => format!("{table}_{scope}{column}_id"),
    };
    let seek = match (c, keyset.after.is_some(), keyset.descending) {
        (_, false, _) => String::new(),
        (DbConnection::Postgres(_), true, false) if is_unique => format!("({column} >= "),
        (DbConnection::Postgres(_), true, true) if is_unique => format!("({column} <= "),
        (DbConnection::Sqlite(_), true, false) => format!("({column},rowid)>(?,?)"),
        (DbConnection::Sqlite(_), true, true) => format!("({column},rowid)<(?,?)"),
        (DbConnection::Postgres(_), true, false) => format!("(ROW({column}, id) > ROW("),
        (DbConnection::Postgres(_), true, true) => format!("(ROW({column}, id) < ROW("),
    };
    let is_condition = |line: &&str| matches!(c, DbConnection::Sqlite(_)) || line.contains("Index Cond");
    let has_seek = seek.is_empty() || plan.lines().filter(is_condition).any(|line| line.contains(&seek));
    assert!(plan.split_whitespace().any(|word| word == index), "{keyset:?}\n{plan}");
    assert!(has_seek, "{keyset:?}\n{plan}");
}

/// Inserts enough rows into every table that the planner can choose between plans.
fn insert_rows(c: &mut DbConnection, owner: UserId, list: BucketlistId) {
    let numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)";
    let statements = format!(
        "INSERT INTO users (email, email_key, name, search_text, password_hash, role, disabled, created_at, updated_at) \
         {numbers} SELECT n || '@', n || '@', 'u' || n, '', '', 'user', false, n, n FROM numbers; \
         INSERT INTO bucketlists (user_id, name, search_text, created_at, updated_at) \
         {numbers} SELECT {owner}, 'l' || n, '', n, n FROM numbers; \
         INSERT INTO items (bucketlist_id, name, search_text, done, created_at, updated_at) \
         {numbers} SELECT {list}, 'i' || n, '', false, n, n FROM numbers; \
         INSERT INTO sessions (user_id, created_at, last_seen_at, expires_at) \
         {numbers} SELECT {owner}, n, n, 9000 + n FROM numbers; \
         INSERT INTO audit_events (created_at, action, actor_id, target_type, target_id, detail) \
         {numbers} SELECT n, 'a' || n % 990, n % 990, 'user', n % 980, '{{}}' FROM numbers; \
         INSERT INTO incident_groups (fingerprint, status, site, occurrences, created_at, updated_at) \
         {numbers} SELECT 'f' || n, 500, '', 1, n, n FROM numbers WHERE n <= 50; \
         INSERT INTO incidents (group_id, request_id, method, duration, server_version, record, created_at, expires_at) \
         {numbers} SELECT n % 50 + 1, 'r' || n, 'GET', 1, '', '', n, {NEVER} FROM numbers; \
         INSERT INTO jobs (kind, payload, state, priority, run_at, created_at) \
         {numbers} SELECT 'export', '{{}}', CASE n % 50 WHEN 0 THEN 'dead' ELSE 'done' END, n % 3 + 1, {NEVER}, n FROM numbers;"
    );
    c.batch_execute(&statements).unwrap();
    if let DbConnection::Postgres(c) = c {
        c.batch_execute("ANALYZE").unwrap();
    }
}

both_engines! {
    async fn every_sort_order_seeks_in_an_index(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (owner, list) = insert_items(c);
        insert_rows(c, owner, list);
        for keyset in pages() {
            let none = ItemFilter::default();
            let scope = ItemScope { owner, bucketlist_id: list };
            let plan_text = plan(c, |c| drop(items::list_with_counts(c, scope, &none, &keyset).unwrap()));
            expect_seek(c, &plan_text, "items", "bucketlist_id_", &keyset);
            let plan_text = plan(c, |c| drop(items::list_after(c, list, &none, &keyset).unwrap()));
            expect_index_seek(c, &plan_text, "items", "bucketlist_id_", &keyset);
            let none = BucketlistFilter::default();
            let plan_text = plan(c, |c| drop(bucketlists::list_after(c, owner, &none, &keyset).unwrap()));
            expect_index_seek(c, &plan_text, "bucketlists", "user_id_", &keyset);
            let none = UserFilter::default();
            let plan_text = plan(c, |c| drop(users::list_after(c, &none, &keyset).unwrap()));
            expect_index_seek(c, &plan_text, "users", "", &keyset);
        }
        for after in [None, Some(middle_position(SortKey::CreatedAt))] {
            let keyset = Keyset::newest_first(after, 21);
            let plan_text = plan(c, |c| drop(sessions::list_after(c, owner, at(5_000), &keyset).unwrap()));
            expect_index_seek(c, &plan_text, "sessions", "user_id_", &keyset);
        }
    }

    async fn audit_pages_seek_in_an_index_for_every_filter(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (owner, list) = insert_items(c);
        insert_rows(c, owner, list);
        let none = AuditFilter::default;
        for (scope, filter) in [
            ("", none()),
            ("", AuditFilter { created_after: Some(at(100)), ..none() }),
            ("", AuditFilter { created_before: Some(at(4_900)), ..none() }),
            ("action_", AuditFilter { action: Some(AuditAction::UserCreated), ..none() }),
            ("actor_id_", AuditFilter { actor_id: Some(UserId::new(7)), ..none() }),
            ("target_", AuditFilter { target_type: Some(AuditTarget::User), target_id: Some(7), ..none() }),
        ] {
            for keyset in pages().filter(|keyset| keyset.sort == SortKey::CreatedAt) {
                // The first page seeks to the bound of the filter instead of a position.
                if keyset.after.is_none() && (filter.created_after.is_some() || filter.created_before.is_some()) {
                    continue;
                }
                let plan_text = plan(c, |c| drop(audit::list_after(c, &filter, &keyset).unwrap()));
                expect_index_seek(c, &plan_text, "audit_events", scope, &keyset);
            }
        }
    }

    async fn jobs_are_listed_and_claimed_by_an_index(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (owner, list) = insert_items(c);
        insert_rows(c, owner, list);
        for (scope, state) in [("", None), ("state_", Some(JobState::Dead))] {
            for after in [None, Some(middle_position(SortKey::CreatedAt))] {
                let keyset = Keyset { sort: SortKey::CreatedAt, descending: true, after, limit: 21 };
                let filter = JobFilter { state, kind: None };
                let plan_text = plan(c, |c| drop(jobs::list_after(c, &filter, &keyset).unwrap()));
                expect_index_seek(c, &plan_text, "jobs", scope, &keyset);
            }
        }
        let request = ClaimRequest {
            kinds: ["export"].into(),
            priorities: &[JobPriority::Low],
            worker: "test".into(),
            now: at(9_000),
            visible_at: at(9_001),
        };
        let plan_text = plan(c, |c| assert_eq!(jobs::claim(c, &request).unwrap(), None));
        assert!(plan_text.contains("jobs_priority_run_at_id"), "{plan_text}");
        assert!(!plan_text.contains("TEMP B-TREE") && !plan_text.contains("Sort"), "{plan_text}");
    }

    async fn incidents_of_many_groups_are_read_in_order(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (owner, list) = insert_items(c);
        insert_rows(c, owner, list);
        let filter = IncidentFilter { resolved: Some(false), ..IncidentFilter::default() };
        for after in [None, Some(middle_position(SortKey::CreatedAt))] {
            let keyset = Keyset::newest_first(after, 21);
            let (statements, _) =
                record_statements(c, |c| drop(incidents::list_after(c, &filter, &keyset, at(1)).unwrap()));
            let of_incidents = |statement: &&String| statement.contains("ORDER BY");
            let plan_text = explain(c, statements.iter().find(of_incidents).unwrap());
            assert!(plan_text.contains("incidents_created_at_id"), "{keyset:?}\n{plan_text}");
            assert!(!plan_text.contains("TEMP B-TREE") && !plan_text.contains("Sort"), "{keyset:?}\n{plan_text}");
        }
    }

    async fn filtered_pages_seek_in_an_index(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (owner, list) = insert_items(c);
        insert_rows(c, owner, list);
        let none = ItemFilter::default;
        for filter in [
            ItemFilter { done: Some(false), ..none() },
            ItemFilter { due_before: Some(day(5)), due_after: Some(day(1)), ..none() },
            ItemFilter { q: text("a"), ..none() },
            ItemFilter { created_after: Some(at(100)), ..none() },
        ] {
            for keyset in pages().filter(|keyset| keyset.after.is_some()) {
                let plan_text = plan(c, |c| drop(items::list_after(c, list, &filter, &keyset).unwrap()));
                expect_index_seek(c, &plan_text, "items", "bucketlist_id_", &keyset);
            }
        }
    }

    async fn first_items_of_bucketlists_use_the_index(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (owner, list) = insert_items(c);
        insert_rows(c, owner, list);
        let plan_text = plan(c, |c| drop(items::list_first_per_bucketlist(c, &[list, BucketlistId::new(list.get() + 1)], 3).unwrap()));
        match c {
            DbConnection::Sqlite(_) => {
                let searches = [
                    "SEARCH items USING INTEGER PRIMARY KEY (rowid=?)",
                    "SEARCH i USING COVERING INDEX items_bucketlist_id_created_at_id (bucketlist_id=?)",
                ];
                assert!(searches.iter().all(|search| plan_text.contains(search)), "{plan_text}");
                // The only sort is that of the result by bucketlist.
                assert_eq!(plan_text.matches("TEMP B-TREE").count(), 1, "{plan_text}");
                assert!(!plan_text.contains("SCAN i"), "{plan_text}");
            }
            DbConnection::Postgres(_) => {
                let (sorted, looked_up) = plan_text.split_once("Limit").unwrap_or_else(|| panic!("no limit:\n{plan_text}"));
                assert!(sorted.contains("Sort") && !looked_up.contains("Sort"), "{plan_text}");
                assert!(looked_up.contains("Index Scan using items_bucketlist_id_created_at_id"), "{plan_text}");
                assert!(looked_up.contains("Index Cond: (bucketlist_id = list.id)"), "{plan_text}");
            }
        }
    }

    async fn statements_are_cached(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let c = migrator.connection();
        let (owner, list) = insert_items(c);
        let mut ids = vec![list];
        let first = Keyset::newest_first(Some(middle_position(SortKey::CreatedAt)), 21);
        for expected in [6, 0] {
            let (statements, cached) = record_statements(c, |c| {
                for keyset in pages().filter(|keyset| keyset.after.is_some()) {
                    items::list_after(c, list, &ItemFilter::default(), &keyset).unwrap();
                }
            });
            assert_eq!((statements.len(), cached), (6, expected));
            let (statements, cached) = record_statements(c, |c| drop(items::list_first_per_bucketlist(c, &ids, 3).unwrap()));
            assert_eq!((statements.len(), cached), (1, expected.min(1)));
            let (statements, cached) = record_statements(c, |c| drop(sessions::list_after(c, owner, at(1), &first).unwrap()));
            assert_eq!((statements.len(), cached), (1, expected.min(1)));
            // The statement is the same for any number of bucketlists.
            ids.push(BucketlistId::new(list.get() + 1));
        }
    }
}

#[test]
fn pages_of_several_requests_seek_in_an_index() {
    let database = Database::new(Engine::Postgres);
    let mut migrator = database.migrator();
    let c = migrator.connection();
    let (owner, list) = insert_items(c);
    insert_rows(c, owner, list);
    let scopes = [list, BucketlistId::new(list.get() + 1)].map(|bucketlist_id| ItemScope { owner, bucketlist_id });
    let by_offset = scopes.map(|scope| {
        ListItemsByOffset::new(scope, &OffsetQuery { page: 2, per_page: 20, q: None }).expect("has no text")
    });
    let by_cursor = scopes.map(|scope| {
        let keyset = Keyset::oldest_first(None, 20);
        let query = CursorQuery { filter: ItemFilter::default(), keyset, with_total: true };
        ListItemsByCursor::new(scope, &query).expect("has no filter")
    });
    let plans = [
        (plan(c, |c| drop(ListItemsByOffset::run_all(&by_offset.each_ref(), c).unwrap())), "items_bucketlist_id_id"),
        (
            plan(c, |c| drop(ListItemsByCursor::run_all(&by_cursor.each_ref(), c).unwrap())),
            "items_bucketlist_id_created_at_id",
        ),
    ];
    for (plan, index) in &plans {
        assert!(plan.contains(&format!("Index Scan using {index} on items")), "{plan}");
        assert!(plan.contains("bucketlist_id = list.id") && !plan.contains("Sort"), "{plan}");
    }
    let position = "(ROW(created_at, id) > ROW(request.created_at, request.id))";
    assert!(plans[1].0.lines().any(|line| line.contains("Index Cond") && line.contains(position)), "{}", plans[1].0);
}

/// Does two works of a kind with one statement.
fn run_both<W: BatchableWork>(c: &mut DbConnection, works: &[W; 2]) {
    let outputs = W::run_all(&works.each_ref(), c).unwrap();
    assert!(outputs.len() == 2 && outputs.iter().all(Option::is_some));
}

/// PostgreSQL plans the first five executions of a statement with their values. Afterwards, it does so only if this lowers the cost.
#[test]
fn statements_of_several_requests_are_planned_once() {
    let database = Database::new(Engine::Postgres);
    let mut migrator = database.migrator();
    let c = migrator.connection();
    let (owner, list) = insert_items(c);
    insert_rows(c, owner, list);
    let lists = [list, BucketlistId::new(list.get() + 1)];
    let scopes = lists.map(|bucketlist_id| ItemScope { owner, bucketlist_id });
    for number in 0..12 {
        run_both(c, &lists.map(|id| RetrieveBucketlist { owner, id }));
        run_both(c, &scopes.map(|scope| RetrieveItem { scope, id: ItemId::new(number + 1) }));
        run_both(
            c,
            &[1, 2].map(|id| ReadTokenStatus { session_id: SessionId::new(id), token_id: id.to_string(), now: at(1) }),
        );
        let query = OffsetQuery { page: 1, per_page: 20, q: None };
        run_both(c, &scopes.map(|scope| ListItemsByOffset::new(scope, &query).expect("has no text")));
        let keyset = Keyset::oldest_first(None, 20);
        let query = CursorQuery { filter: ItemFilter::default(), keyset, with_total: true };
        run_both(c, &scopes.map(|scope| ListItemsByCursor::new(scope, &query).expect("has no filter")));
        let new_list = |name: &str| {
            let content = BucketlistContent { name: format!("{name} {number}"), description: None };
            CreateBucketlist(NewBucketlist { owner, content, created_at: at(1), updated_at: at(1) })
        };
        run_both(c, &["first", "second"].map(new_list));
        run_both(c, &lists.map(|list| CreateItem { owner, item: new_item(list, 1, "item") }));
    }
    let count = |c: &mut DbConnection, condition: &str| {
        select_number(c, &format!("SELECT count(*) AS n FROM pg_prepared_statements WHERE {condition}")).unwrap()
    };
    assert_eq!(count(c, "generic_plans = 7 AND custom_plans = 5"), 7);
    assert_eq!(count(c, "custom_plans > 5"), 0);
}
