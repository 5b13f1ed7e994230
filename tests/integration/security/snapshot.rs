//! Snapshots of all rows in the database, read on a connection outside the app.

use std::collections::BTreeMap;

use bucketlist::db::DbConnection;
use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Text};

use crate::support::{Database, Value};

/// Tables that record attempts and not resources.
const JOURNAL_TABLES: [&str; 1] = ["audit_events"];

/// The rows of every table.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot(BTreeMap<String, Vec<Value>>);

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

macro_rules! texts {
    ($connection:expr, $sql:expr) => {
        sql_query($sql).load::<Row>($connection).unwrap().into_iter().map(|row| row.text).collect::<Vec<String>>()
    };
}

impl Snapshot {
    /// Reads all tables.
    pub fn of(database: &Database) -> Self {
        let mut migrator = database.migrator();
        let (names, rows): (Vec<String>, Vec<Vec<String>>) = match migrator.connection() {
            DbConnection::Sqlite(c) => {
                let tables = "SELECT name AS text FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
                let names = texts!(c, tables);
                let rows = |name: &String| {
                    let columns = texts!(c, format!("SELECT name AS text FROM pragma_table_info('{name}')"));
                    // JSON has no binary type: bytes are written as PostgreSQL writes them.
                    let cell = |column: &String| {
                        format!(
                            "'{column}', CASE typeof(\"{column}\") WHEN 'blob' THEN '\\x' || lower(hex(\"{column}\")) \
                             ELSE \"{column}\" END"
                        )
                    };
                    let cells: Vec<String> = columns.iter().map(cell).collect();
                    texts!(c, format!("SELECT json_object({}) AS text FROM \"{name}\" ORDER BY 1", cells.join(", ")))
                };
                let rows = names.iter().map(rows).collect();
                (names, rows)
            }
            DbConnection::Postgres(c) => {
                let tables = "SELECT table_name::text AS text FROM information_schema.tables \
                              WHERE table_schema = current_schema()";
                let names = texts!(c, tables);
                let rows = |name: &String| {
                    texts!(c, format!("SELECT row_to_json(t)::text AS text FROM \"{name}\" t ORDER BY 1"))
                };
                let rows = names.iter().map(rows).collect();
                (names, rows)
            }
        };
        let parsed = |rows: Vec<String>| rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        let snapshot = Self(names.into_iter().zip(rows.into_iter().map(parsed)).collect());
        assert!(["users", "sessions", "bucketlists", "items"].iter().all(|name| snapshot.0.contains_key(*name)));
        snapshot
    }

    /// Reads all tables except those that only record attempts.
    pub fn of_resources(database: &Database) -> Self {
        let mut snapshot = Self::of(database);
        snapshot.0.retain(|name, _| !JOURNAL_TABLES.contains(&name.as_str()));
        snapshot
    }

    /// Removes the tables whose names have this prefix.
    pub fn without(mut self, prefix: &str) -> Self {
        self.0.retain(|name, _| !name.starts_with(prefix));
        self
    }

    /// Reads the account of a user and all rows that belong to it.
    pub fn of_user(database: &Database, user: i64) -> Self {
        let snapshot = Self::of_resources(database);
        let ids = |table: &str| -> Vec<Value> {
            let rows = snapshot.0[table].iter().filter(|row| row["user_id"] == user);
            rows.map(|row| row["id"].clone()).collect()
        };
        let (lists, sessions, exports) = (ids("bucketlists"), ids("sessions"), ids("exports"));
        let is_theirs = |table: &str, row: &Value| {
            (table == "users" && row["id"] == user)
                || row["user_id"] == user
                || lists.contains(&row["bucketlist_id"])
                || sessions.contains(&row["session_id"])
                || exports.contains(&row["export_id"])
        };
        let theirs = snapshot.0.iter().map(|(table, rows)| {
            let rows = rows.iter().filter(|row| is_theirs(table, row)).cloned();
            (table.clone(), rows.collect())
        });
        Self(theirs.collect())
    }

    /// Returns the number of rows.
    pub fn size(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Returns every `table.column` that contains this text, case-insensitively, as text or as bytes.
    pub fn columns_containing(&self, needle: &str) -> Vec<String> {
        let needle = needle.to_lowercase();
        let bytes: String = needle.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut columns = Vec::new();
        for (table, rows) in &self.0 {
            for (column, cell) in rows.iter().filter_map(Value::as_object).flatten() {
                let text = cell.as_str().map_or_else(|| cell.to_string(), str::to_owned).to_lowercase();
                if text.contains(&needle) || (text.starts_with("\\x") && text.contains(&bytes)) {
                    columns.push(format!("{table}.{column}"));
                }
            }
        }
        columns.sort();
        columns.dedup();
        columns
    }
}
