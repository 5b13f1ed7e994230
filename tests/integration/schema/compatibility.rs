//! The oldest schema version that a server must know to use the database.

use std::fs;

use bucketlist::db::{DbConnection, schema::schema_compatibility};
use diesel::prelude::*;

use super::{ENGINES, migrations_dir, names, version};
use crate::support::{Database, Engine};

/// The migration that introduced the minimum version. Older releases reject every migration that they do not know.
const INTRODUCED: &str = "20261130130000";

/// Statements after which an older release may fail.
const BREAKING: [&str; 7] =
    ["DROP TABLE", "DROP COLUMN", "RENAME", "ALTER COLUMN", "ADD CONSTRAINT", "CREATE UNIQUE INDEX", "DROP INDEX"];

/// Statements that an older release does not notice: another index has the same columns.
const HARMLESS: [&str; 1] = ["DROP INDEX BUCKETLISTS_USER_ID_NAME_ID"];

/// Returns the statements of a file, without comments.
fn statements(engine: Engine, name: &str, file: &str) -> String {
    let text = fs::read_to_string(migrations_dir(engine).join(name).join(file)).unwrap();
    text.lines().map(|line| line.split("--").next().unwrap().to_uppercase()).collect::<Vec<_>>().join(" ")
}

/// Returns whether an older release may fail after this migration. Tables that it creates are unknown to an older release.
fn is_breaking(migration: &str) -> bool {
    let created: Vec<&str> =
        migration.split("CREATE TABLE ").skip(1).map(|rest| rest.split([' ', '(']).next().unwrap()).collect();
    migration.split(';').any(|statement| {
        let requires_value =
            statement.contains("ADD COLUMN") && statement.contains("NOT NULL") && !statement.contains("DEFAULT");
        let is_on_created = statement.split([' ', '(']).any(|word| created.contains(&word));
        let is_harmless = HARMLESS.iter().any(|harmless| statement.contains(harmless));
        !is_on_created
            && !is_harmless
            && (requires_value || BREAKING.iter().any(|breaking| statement.contains(breaking)))
    })
}

fn minimum_version(c: &mut DbConnection) -> String {
    schema_compatibility::table.select(schema_compatibility::minimum_version).first(c).unwrap()
}

#[test]
fn breaking_migrations_raise_the_minimum_version() {
    for engine in ENGINES {
        for name in names(engine).iter().filter(|name| version(name).as_str() > INTRODUCED) {
            let up = statements(engine, name, "up.sql");
            let raises = format!("UPDATE SCHEMA_COMPATIBILITY SET MINIMUM_VERSION = '{}'", version(name));
            if is_breaking(&up) {
                assert!(up.contains(&raises), "{engine:?} {name}/up.sql: an older release may fail; add {raises}");
            }
            let restores = statements(engine, name, "down.sql").contains("UPDATE SCHEMA_COMPATIBILITY");
            assert_eq!(up.contains(&raises), restores, "{engine:?} {name}: up.sql and down.sql change the version");
        }
    }
}

#[test]
fn breaking_statements_are_recognized() {
    for breaking in [
        "DROP TABLE ITEMS;",
        "ALTER TABLE ITEMS ADD COLUMN A BIGINT NOT NULL;",
        "CREATE TABLE NEW (A BIGINT); CREATE UNIQUE INDEX ITEMS_A ON ITEMS (A);",
    ] {
        assert!(is_breaking(breaking), "{breaking}");
    }
    for additive in [
        "CREATE TABLE NEW (A BIGINT NOT NULL); CREATE UNIQUE INDEX NEW_A ON NEW (A);",
        "ALTER TABLE ITEMS ADD COLUMN A BIGINT NOT NULL DEFAULT 0;",
    ] {
        assert!(!is_breaking(additive), "{additive}");
    }
}

both_engines! {
    async fn minimum_version_is_not_newer_than_the_schema(engine: Engine) {
        let database = Database::new(engine);
        let mut migrator = database.migrator();
        let minimum = minimum_version(migrator.connection());
        assert!(names(engine).iter().any(|name| version(name) == minimum), "{minimum} is not a migration");
        assert!(migrator.status().unwrap().is_compatible());
    }

    async fn unknown_migration_without_a_minimum_version_is_incompatible(engine: Engine) {
        let database = Database::new(engine);
        database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')");
        assert!(database.migrator().status().unwrap().is_compatible());
        database.execute("DELETE FROM schema_compatibility");
        assert_eq!(database.migrator().status().unwrap().min_version.as_deref(), Some("20991231235959"));
        database.execute("DROP TABLE schema_compatibility");
        assert_eq!(database.migrator().status().unwrap().min_version.as_deref(), Some("20991231235959"));
    }
}
