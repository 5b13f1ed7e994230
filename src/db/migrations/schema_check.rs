//! Compares the tables of an SQLite database with those that its migrations create.

use std::collections::BTreeSet;

use diesel::{
    Connection, QueryableByName, SqliteConnection,
    migration::{Migration, MigrationSource},
    prelude::*,
    sql_query,
    sql_types::Text,
    sqlite::Sqlite,
};

use super::{MigrationError, MigrationStatus, SQLITE, failed};

/// The tables with their columns, and the triggers. Indexes are omitted: an operator may drop one, and the database works without it.
const OBJECTS: &str = "SELECT 'table ' || m.name AS name FROM sqlite_master m WHERE m.type = 'table'
    UNION SELECT 'column ' || m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'
    UNION SELECT 'trigger ' || name FROM sqlite_master WHERE type = 'trigger'";

#[derive(QueryableByName)]
struct Object {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Returns a table, a column or a trigger that the applied migrations create and the database does not have.
///
/// # Errors
/// [`MigrationError::Failed`].
pub(in crate::db) fn missing_from_schema(
    connection: &mut SqliteConnection,
    status: &MigrationStatus,
) -> Result<Option<String>, MigrationError> {
    let mut reference = SqliteConnection::establish(":memory:")?;
    let mut migrations: Vec<Box<dyn Migration<Sqlite>>> = SQLITE.migrations().map_err(MigrationError::Failed)?;
    migrations.sort_by_key(|migration| migration.name().to_string());
    for migration in migrations {
        if status.applied.contains(&migration.name().to_string()) {
            migration.run(&mut reference).map_err(MigrationError::Failed)?;
        }
    }
    let existing = objects(connection)?;
    // A table is reported before its columns.
    let missing: BTreeSet<String> = objects(&mut reference)?.difference(&existing).cloned().collect();
    Ok(missing.iter().find(|name| name.starts_with("table ")).or_else(|| missing.first()).cloned())
}

fn objects(connection: &mut SqliteConnection) -> Result<BTreeSet<String>, MigrationError> {
    let objects: Vec<Object> = sql_query(OBJECTS).load(connection).map_err(failed)?;
    Ok(objects.into_iter().map(|object| object.name).collect())
}
