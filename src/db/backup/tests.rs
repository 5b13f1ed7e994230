//! Tests of backups and restorations.

use tempfile::TempDir;

use super::*;
use crate::db::{Options, Target, migrations::Migrator};

fn migrated(path: &Path) {
    let options = Options::new(Target::Sqlite(path.to_owned()), 1);
    Migrator::connect(&options).unwrap().up().unwrap();
}

fn execute(path: &Path, sql: &str) {
    open(path).unwrap().batch_execute(sql).unwrap();
}

fn users(path: &Path) -> i64 {
    use crate::db::schema::users;
    users::table.count().get_result(&mut open(path).unwrap()).unwrap()
}

const INSERT: &str = "INSERT INTO users (email, email_key, name, search_text, password_hash, role, disabled, created_at, \
                      updated_at) VALUES ('a@b.c', 'a@b.c', 'A', 'a', 'x', 'user', 0, 1, 1)";

fn names(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn backup_contains_the_changes_that_are_still_in_the_log() {
    let directory = TempDir::new().unwrap();
    let (database, file) = (directory.path().join("a.db"), directory.path().join("backup.db"));
    migrated(&database);
    // An open connection, as of a server: the change stays in the log.
    let mut server = open(&database).unwrap();
    server.batch_execute(&format!("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; {INSERT}")).unwrap();
    let summary = back_up(&database, &file).unwrap();
    assert_eq!((summary.pending, summary.bytes), (0, fs::metadata(&file).unwrap().len()));
    assert_eq!(users(&file), 1);
    assert!(matches!(back_up(&database, &file), Err(BackupError::AlreadyExists(_))));
    let missing = directory.path().join("missing.db");
    assert!(matches!(back_up(&missing, &directory.path().join("b.db")), Err(BackupError::Missing(_))));
    assert!(!missing.exists());
}

#[test]
fn restored_database_replaces_the_current_one_which_is_retained() {
    let directory = TempDir::new().unwrap();
    let (database, file) = (directory.path().join("a.db"), directory.path().join("backup.db"));
    migrated(&database);
    back_up(&database, &file).unwrap();
    execute(&database, &format!("PRAGMA journal_mode = WAL; {INSERT}"));
    let restored = restore(&database, &file, "1").unwrap();
    assert_eq!((users(&database), users(restored.replaced.as_ref().unwrap())), (0, 1));
    // Restorations within a second retain each of the previous databases.
    let again = [restore(&database, &file, "1").unwrap(), restore(&database, &file, "1").unwrap()];
    let paths = again.map(|restored| restored.replaced.unwrap());
    assert_eq!(paths, ["2", "3"].map(|number| directory.path().join(format!("a.db.replaced-1-{number}"))));
    assert_eq!((users(restored.replaced.as_ref().unwrap()), users(&paths[0]), users(&paths[1])), (1, 0, 0));
    fs::remove_file(&database).unwrap();
    assert!(restore(&database, &file, "2").unwrap().replaced.is_none());
    assert_eq!(users(&database), 0);
}

#[test]
fn invalid_files_are_rejected_and_change_nothing() {
    let directory = TempDir::new().unwrap();
    let database = directory.path().join("a.db");
    migrated(&database);
    execute(&database, INSERT);
    let path = |name: &str| directory.path().join(name);
    fs::write(path("text"), "not a database, but long enough").unwrap();
    fs::write(path("short"), "x").unwrap();
    execute(&path("foreign.db"), "CREATE TABLE x (y)");
    back_up(&database, &path("newer.db")).unwrap();
    execute(&path("newer.db"), "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
    back_up(&database, &path("damaged.db")).unwrap();
    let mut bytes = fs::read(path("damaged.db")).unwrap();
    let end = bytes.len();
    bytes[4096..end].fill(0xa5);
    fs::write(path("damaged.db"), bytes).unwrap();
    back_up(&database, &path("copied.db")).unwrap();
    fs::write(path("copied.db-wal"), "log").unwrap();
    let before = names(&directory);
    for (name, expected) in [
        ("text", "is not an SQLite database"),
        ("short", "is not an SQLite database"),
        ("absent", "does not exist"),
        ("foreign.db", "is not a database of this server"),
        ("newer.db", "has migration 29990101000000, which this version does not know"),
        ("damaged.db", "is damaged"),
        ("copied.db", "has a write-ahead log"),
    ] {
        let message = restore(&database, &path(name), "1").unwrap_err().to_string();
        let from = path(name).display().to_string();
        assert!(message.starts_with(&from) && message.contains(expected), "{name}: {message}");
    }
    assert_eq!(names(&directory), before);
    assert_eq!(users(&database), 1);
}
