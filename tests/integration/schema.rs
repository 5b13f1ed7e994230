//! The migrations of both engines have the same names, create the same tables and can be reverted.

mod compatibility;
mod search_index;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Barrier,
    thread,
};

use bucketlist::db::{
    DbConnection, Target,
    migrations::{MigrationError, MigrationStatus},
};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Nullable, Text},
};

use crate::support::{Database, Engine, TestApp};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
/// The table in which Diesel records applied migrations.
const MIGRATIONS_TABLE: &str = "__diesel_schema_migrations";
/// The only table that differs between the engines: a virtual table with shadow tables on SQLite, a table with a GIN index
/// on PostgreSQL.
const SEARCH_INDEX: &str = "search_index";

/// Returns the directory of the migrations of an engine.
fn migrations_dir(engine: Engine) -> PathBuf {
    let folder = match engine {
        Engine::Sqlite => "migrations/sqlite",
        Engine::Postgres => "migrations/postgres",
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// Returns the names of the migrations of an engine, oldest first.
fn names(engine: Engine) -> Vec<String> {
    let folders = fs::read_dir(migrations_dir(engine)).unwrap();
    let mut names: Vec<String> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns the version that Diesel records for a migration.
fn version(name: &str) -> String {
    name.split('_').next().unwrap().replace('-', "")
}

/// A row of up to four text columns.
#[derive(QueryableByName)]
struct Texts {
    #[diesel(sql_type = Nullable<Text>)]
    a: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    b: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    c: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    d: Option<String>,
}

/// Runs the query of the engine and returns its columns a, b, c and d; NULL becomes an empty text.
fn query_texts(database: &Database, sqlite: &str, postgres: &str) -> Vec<[String; 4]> {
    let rows: Vec<Texts> = match database.migrator().connection() {
        DbConnection::Sqlite(c) => sql_query(sqlite).load(c),
        DbConnection::Postgres(c) => sql_query(postgres).load(c),
    }
    .unwrap();
    rows.into_iter().map(|row| [row.a, row.b, row.c, row.d].map(Option::unwrap_or_default)).collect()
}

/// Returns the names of all tables, indexes, sequences, views, triggers and functions.
fn relations(database: &Database) -> BTreeSet<String> {
    let rows = query_texts(
        database,
        "SELECT name AS a, NULL AS b, NULL AS c, NULL AS d FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
        "SELECT relname::text AS a, NULL AS b, NULL AS c, NULL AS d FROM pg_class WHERE relnamespace = current_schema()::regnamespace
         UNION ALL
         SELECT proname::text, NULL, NULL, NULL FROM pg_proc WHERE pronamespace = current_schema()::regnamespace",
    );
    rows.into_iter().map(|[name, ..]| name).collect()
}

/// The Diesel type of a column, and whether it is nullable.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    kind: String,
    nullable: bool,
}

type Tables = BTreeMap<String, BTreeMap<String, Column>>;

/// Returns the tables in the database, without the search index.
fn tables(database: &Database) -> Tables {
    let rows = query_texts(
        database,
        // The `INTEGER PRIMARY KEY` of SQLite is the row ID, which is never null.
        "SELECT m.name AS a, c.name AS b, c.type AS c, CASE WHEN c.\"notnull\" OR (c.pk AND c.name = 'id' AND c.type = 'INTEGER') THEN 'NO' ELSE 'YES' END AS d
         FROM pragma_table_list m, pragma_table_info(m.name) c
         WHERE m.schema = 'main' AND m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
        "SELECT table_name::text AS a, column_name::text AS b, data_type::text AS c, is_nullable::text AS d
         FROM information_schema.columns WHERE table_schema = current_schema()",
    );
    let mut tables = Tables::new();
    for [table, column, kind, nullable] in rows {
        if table == MIGRATIONS_TABLE || table == SEARCH_INDEX {
            continue;
        }
        let is_key = column == "id";
        let kind = match (kind.to_ascii_uppercase().as_str(), database.target.engine()) {
            // The type of a 64-bit primary key in SQLite.
            ("INTEGER", "SQLite") if is_key => "BigInt",
            ("BIGINT", _) => "BigInt",
            ("INTEGER", _) => "Integer",
            ("TEXT", _) => "Text",
            ("BOOLEAN", _) => "Bool",
            ("DATE", _) => "Date",
            ("BLOB", "SQLite") | ("BYTEA", "PostgreSQL") => "Binary",
            (other, engine) => panic!("{table}.{column} is a {other} on {engine}"),
        };
        let column_of = Column { kind: kind.to_owned(), nullable: nullable == "YES" };
        tables.entry(table).or_default().insert(column, column_of);
    }
    tables
}

/// Returns the tables that `src/db/schema.rs` declares.
fn declared() -> Tables {
    let text = include_str!("../../src/db/schema.rs");
    let mut tables = Tables::new();
    for block in text.split("diesel::table! {").skip(1) {
        let (head, rest) = block.split_once('{').unwrap();
        let table = head.split('(').next().unwrap().trim();
        let (columns, _) = rest.split_once('}').unwrap();
        for line in columns.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, kind) = line.trim_end_matches(',').split_once(" -> ").unwrap();
            let inner = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
            let column = Column { kind: inner.unwrap_or(kind).to_owned(), nullable: inner.is_some() };
            tables.entry(table.to_owned()).or_default().insert(name.to_owned(), column);
        }
    }
    tables
}

/// Returns the complete schema as text, for comparisons.
fn complete_schema(database: &Database) -> BTreeSet<[String; 4]> {
    let rows = query_texts(
        database,
        "SELECT type AS a, name AS b, sql AS c, NULL AS d FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
        "SELECT table_name::text AS a, column_name::text AS b, data_type::text AS c,
                concat(is_nullable, ' ', column_default, ' ', is_identity) AS d
         FROM information_schema.columns WHERE table_schema = current_schema()
         UNION ALL
         SELECT 'index', indexname::text, replace(indexdef, current_schema()::text || '.', ''), NULL
         FROM pg_indexes WHERE schemaname = current_schema()
         UNION ALL
         SELECT 'constraint', conname::text, pg_get_constraintdef(oid), NULL
         FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
         UNION ALL
         SELECT 'function', proname::text, prosrc, NULL
         FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
         UNION ALL
         SELECT 'trigger', t.tgname::text, replace(pg_get_triggerdef(t.oid), current_schema()::text || '.', ''), NULL
         FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid
         WHERE r.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal",
    );
    rows.into_iter().collect()
}

/// Returns the foreign keys as (table, column, delete rule).
fn foreign_keys(database: &Database) -> Vec<(String, String, String)> {
    let rows = query_texts(
        database,
        "SELECT m.name AS a, k.\"from\" AS b, k.on_delete AS c, NULL AS d
         FROM sqlite_master m, pragma_foreign_key_list(m.name) k WHERE m.type = 'table'",
        "SELECT k.conrelid::regclass::text AS a, a.attname::text AS b,
                CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
                                   WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END AS c, NULL AS d
         FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
         WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace",
    );
    let mut keys: Vec<_> = rows.into_iter().map(|[table, column, rule, _]| (table, column, rule)).collect();
    keys.sort();
    keys
}

/// Returns the first column of each index, as (table, column).
fn first_index_columns(database: &Database) -> BTreeSet<(String, String)> {
    let rows = query_texts(
        database,
        "SELECT m.name AS a, i.name AS b, NULL AS c, NULL AS d
         FROM sqlite_master m, pragma_index_list(m.name) l, pragma_index_info(l.name) i
         WHERE m.type = 'table' AND i.seqno = 0",
        "SELECT i.indrelid::regclass::text AS a, a.attname::text AS b, NULL AS c, NULL AS d
         FROM pg_index i JOIN pg_class r ON r.oid = i.indrelid
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE r.relnamespace = current_schema()::regnamespace",
    );
    rows.into_iter().map(|[table, column, ..]| (table, column)).collect()
}

/// Returns the indexes that migrations create, as (name, table), except those of the search index.
fn named_indexes(database: &Database) -> BTreeSet<(String, String)> {
    let rows = query_texts(
        database,
        "SELECT name AS a, tbl_name AS b, NULL AS c, NULL AS d FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "SELECT c.relname::text AS a, i.indrelid::regclass::text AS b, NULL AS c, NULL AS d
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relnamespace = current_schema()::regnamespace
         AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))",
    );
    rows.into_iter().map(|[name, table, ..]| (name, table)).filter(|(_, table)| table != SEARCH_INDEX).collect()
}

#[test]
fn migrations_of_both_engines_have_the_same_dated_names() {
    let sqlite = names(Engine::Sqlite);
    assert_eq!(sqlite, names(Engine::Postgres));
    assert!(!sqlite.is_empty());
    for name in &sqlite {
        let (date, what) = name.split_once('_').unwrap_or_else(|| panic!("{name}"));
        let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(shape, "9999-99-99-999999", "{name}");
        let (verb, object) = what.split_once('_').unwrap_or_else(|| panic!("{name} does not name an object"));
        assert!(!verb.is_empty() && !object.is_empty(), "{name}");
        assert!(what.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
    }
    let versions: BTreeSet<String> = sqlite.iter().map(|name| version(name)).collect();
    assert_eq!(versions.len(), sqlite.len(), "versions are not unique");
}

#[test]
fn every_migration_has_up_and_down() {
    for engine in ENGINES {
        for name in names(engine) {
            for file in ["up.sql", "down.sql"] {
                let text = fs::read_to_string(migrations_dir(engine).join(&name).join(file)).unwrap();
                let has_statement = text.lines().any(|line| !line.trim().is_empty() && !line.starts_with("--"));
                assert!(has_statement, "{engine:?} {name}/{file} has no statement");
            }
        }
    }
}

#[test]
fn every_foreign_key_declares_on_delete() {
    for engine in ENGINES {
        let mut seen = 0;
        for name in names(engine) {
            let text = fs::read_to_string(migrations_dir(engine).join(&name).join("up.sql")).unwrap();
            let code: String = text.lines().map(|line| line.split("--").next().unwrap()).collect::<Vec<_>>().join("\n");
            for reference in code.split("REFERENCES").skip(1) {
                let clause = reference.split([',', ';']).next().unwrap();
                assert!(clause.contains("ON DELETE"), "{engine:?} {name}: REFERENCES{clause}");
                seen += 1;
            }
        }
        assert!(seen > 0);
    }
}

#[test]
fn tables_and_columns_match_the_diesel_schema_on_both_engines() {
    let declared = declared();
    assert!(declared.len() >= 8 && declared["users"].len() >= 9, "src/db/schema.rs was not parsed: {declared:?}");
    for engine in ENGINES {
        let database = Database::new(engine);
        assert_eq!(tables(&database), declared, "{engine:?}");
    }
}

#[test]
fn foreign_keys_and_indexes_match_on_both_engines() {
    let [sqlite, postgres] = ENGINES.map(Database::new);
    assert_eq!(foreign_keys(&sqlite), foreign_keys(&postgres));
    assert_eq!(named_indexes(&sqlite), named_indexes(&postgres));
}

both_engines! {
    async fn foreign_keys_have_a_delete_rule_and_an_index(engine: Engine) {
        let database = Database::new(engine);
        let keys = foreign_keys(&database);
        let joinable = include_str!("../../src/db/schema.rs").matches("diesel::joinable!").count();
        assert_eq!(keys.len(), joinable, "{keys:?}");
        let indexed = first_index_columns(&database);
        for (table, column, rule) in keys {
            assert_ne!(rule, "NO ACTION", "{table}.{column}");
            assert!(indexed.contains(&(table.clone(), column.clone())), "{table}.{column} has no index");
        }
    }

    async fn migrations_can_be_reverted_one_by_one_and_reapplied(engine: Engine) {
        let database = Database::unmigrated(engine);
        let names = names(engine);
        let mut migrator = database.migrator();
        assert_eq!(migrator.status().unwrap(), MigrationStatus { pending: names.clone(), ..MigrationStatus::default() });
        assert_eq!(migrator.up().unwrap(), names);
        assert!(migrator.status().unwrap().is_current());
        assert_eq!(migrator.up().unwrap(), Vec::<String>::new(), "a migration was applied again");
        let schema = complete_schema(&database);

        for (done, name) in names.iter().enumerate().rev() {
            assert_eq!(migrator.down().unwrap().as_ref(), Some(name));
            let (applied, pending) = (names[..done].to_vec(), names[done..].to_vec());
            assert_eq!(migrator.status().unwrap(), MigrationStatus { applied, pending, ..MigrationStatus::default() });
        }
        assert_eq!(migrator.down().unwrap(), None, "no migration is left to revert");
        let remaining = relations(&database);
        let is_reverted = remaining.iter().all(|name| name.starts_with(MIGRATIONS_TABLE));
        assert!(is_reverted && remaining.contains(MIGRATIONS_TABLE), "{remaining:?}");

        assert_eq!(migrator.up().unwrap(), names);
        assert_eq!(complete_schema(&database), schema, "reapplied migrations create another schema");
    }

    async fn each_migration_can_be_redone(engine: Engine) {
        let database = Database::new(engine);
        let names = names(engine);
        let schema = complete_schema(&database);
        let mut migrator = database.migrator();
        for newest in (0..names.len()).rev() {
            for name in names[newest + 1..].iter().rev() {
                assert_eq!(migrator.down().unwrap().as_ref(), Some(name));
            }
            assert_eq!(migrator.redo().unwrap().as_ref(), Some(&names[newest]));
            let (applied, pending) = (names[..=newest].to_vec(), names[newest + 1..].to_vec());
            assert_eq!(migrator.status().unwrap(), MigrationStatus { applied, pending: pending.clone(), ..MigrationStatus::default() });
            assert_eq!(migrator.up().unwrap(), pending);
            assert_eq!(complete_schema(&database), schema);
        }
    }

    async fn email_domains_of_existing_accounts_are_converted(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        while migrator.down().unwrap().is_some_and(|name| !name.ends_with("_normalize_email_domains")) {}
        let insert = |id: i64, email: &str, key: &str| {
            database.execute(&format!(
                "INSERT INTO users (id, email, email_key, name, search_text, password_hash, role, disabled, created_at, updated_at) \
                 VALUES ({id}, '{email}', '{key}', 'x', 'x', 'x', 'user', FALSE, 0, 0)"
            ));
        };
        insert(1, "Ada@Bücher.example", "ada@bücher.example");
        insert(2, "grace@example.com", "grace@example.com");
        insert(3, "Jürgen@example.com", "jürgen@example.com");
        // The same address twice: the account that has it in Punycode keeps it.
        insert(4, "ada@exämple.org", "ada@exämple.org");
        insert(5, "ada@xn--exmple-cua.org", "ada@xn--exmple-cua.org");
        insert(6, "ada@xn--ü.example", "ada@xn--ü.example");
        migrator.up().unwrap();
        let expected = [
            "ada@xn--bcher-kva.example", "grace@example.com", "jürgen@example.com", "ada@exämple.org",
            "ada@xn--exmple-cua.org", "ada@xn--ü.example",
        ];
        let query = "SELECT email_key AS a, '' AS b, '' AS c, '' AS d FROM users ORDER BY id";
        let keys: Vec<String> = query_texts(&database, query, query).into_iter().map(|[key, ..]| key).collect();
        assert_eq!(keys, expected);
    }

    async fn newer_database_is_rejected_without_changes(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let newest = names(engine).pop().unwrap();
        assert_eq!(migrator.down().unwrap(), Some(newest.clone()));
        database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')");
        let before = complete_schema(&database);
        let error = migrator.up().unwrap_err();
        assert!(matches!(&error, MigrationError::Newer(version) if version == "20991231235959"), "{error}");
        assert_eq!(complete_schema(&database), before, "a pending migration was applied");
        let status = migrator.status().unwrap();
        assert_eq!((status.pending, status.unknown), (vec![newest], vec!["20991231235959".to_owned()]));
    }

    async fn failed_migration_is_rolled_back_and_can_be_retried(engine: Engine) {
        let database = Database::unmigrated(engine);
        let names = names(engine);
        let at = names.iter().position(|name| name.ends_with("_create_jobs")).unwrap();
        // The table of the migration already exists.
        database.execute("CREATE TABLE jobs (id BIGINT)");
        let failure = database.migrator().up().unwrap_err();
        assert!(matches!(failure, MigrationError::Failed(_)), "{failure}");
        let status = database.migrator().status().unwrap();
        assert_eq!((status.applied, status.pending), (names[..at].to_vec(), names[at..].to_vec()));
        database.execute("DROP TABLE jobs");
        assert_eq!(database.migrator().up().unwrap(), names[at..]);
        assert_eq!(complete_schema(&database), complete_schema(&Database::new(engine)));
    }

    async fn stored_audit_actions_are_renamed(engine: Engine) {
        use bucketlist::db::schema::audit_events;
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let names = names(engine);
        let at = names.iter().position(|name| name.ends_with("_rename_audit_actions")).unwrap();
        let mut actions = |statement: Option<&str>, is_migrated: bool| -> Vec<String> {
            if is_migrated {
                assert_eq!(migrator.up().unwrap(), names[at..]);
            } else {
                names[at..].iter().rev().for_each(|name| assert_eq!(migrator.down().unwrap().as_ref(), Some(name)));
            }
            statement.into_iter().for_each(|statement| database.execute(statement));
            let actions = audit_events::table.select(audit_events::action).order(audit_events::id);
            actions.load(migrator.connection()).unwrap()
        };
        let insert = "INSERT INTO audit_events (created_at, action, detail) VALUES \
            (1, 'password.refused', '{}'), (2, 'login.throttled', '{}'), (3, 'login.failed', '{}')";
        let old = ["password.refused", "login.throttled", "login.failed"];
        assert_eq!(actions(Some(insert), false), old);
        assert_eq!(actions(None, true), ["password.rejected", "login.rate_limited", "login.failed"]);
        assert_eq!(actions(None, false), old);
    }

    async fn unknown_role_violates_a_check_constraint(engine: Engine) {
        let app = TestApp::new(engine);
        app.user().await;
        for (role, accepted) in [("root", false), ("", false), ("User", false), ("admin", true)] {
            let statement = format!("UPDATE users SET role = '{role}'");
            let stored = match app.database.migrator().connection() {
                DbConnection::Sqlite(c) => sql_query(statement).execute(c),
                DbConnection::Postgres(c) => sql_query(statement).execute(c),
            };
            assert_eq!(stored.is_ok(), accepted, "{role}: {stored:?}");
        }
    }

    async fn ids_are_never_reused(engine: Engine) {
        let database = Database::new(engine);
        let insert = "INSERT INTO jobs (kind, payload, run_at, created_at) VALUES ('x', '{}', 1, 1)";
        database.execute(insert);
        database.execute("DELETE FROM jobs");
        database.execute(insert);
        use bucketlist::db::schema::jobs;
        let ids: Vec<i64> = jobs::table.select(jobs::id).load(database.migrator().connection()).unwrap();
        assert_eq!(ids, [2]);
    }
}

#[test]
fn concurrent_postgresql_servers_migrate_once() {
    let database = Database::unmigrated(Engine::Postgres);
    assert!(matches!(database.target, Target::Postgres(_)));
    let names = names(Engine::Postgres);
    let start = Barrier::new(3);
    let mut done: Vec<Vec<String>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut migrator = database.migrator();
                    start.wait();
                    migrator.up().unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    done.sort_by_key(Vec::len);
    assert_eq!(done, [Vec::new(), Vec::new(), names]);
    assert!(database.migrator().status().unwrap().is_current());
    assert_eq!(complete_schema(&database), complete_schema(&Database::new(Engine::Postgres)));
}
