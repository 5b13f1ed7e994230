//! Tests of backups and restorations.

use std::{
    fs::{File, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    thread,
};

use diesel::{Connection, QueryDsl, SqliteConnection};
use tempfile::TempDir;

use super::*;
use crate::db::{Options, Target, migrations::Migrator};

fn open(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

fn migrated(path: &Path) {
    let options = Options::new(Target::Sqlite(path.to_owned()), 1);
    Migrator::connect(&options).unwrap().up().unwrap();
}

fn execute(path: &Path, sql: &str) {
    open(path).batch_execute(sql).unwrap();
}

fn users(path: &Path) -> i64 {
    use crate::db::schema::users;
    users::table.count().get_result(&mut open(path)).unwrap()
}

const INSERT: &str = "INSERT INTO users (email, email_key, name, search_text, password_hash, role, disabled, created_at, \
                      updated_at) VALUES ('a@b.c', 'a@b.c', 'A', 'a', 'x', 'user', 0, 1, 1)";

const ORPHAN: &str = "PRAGMA foreign_keys = OFF; INSERT INTO bucketlists (name, user_id, search_text, created_at, updated_at) \
                      VALUES ('B', 99, 'b', 1, 1)";

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
    let mut server = open(&database);
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
    back_up(&database, &path("incomplete.db")).unwrap();
    execute(&path("incomplete.db"), "PRAGMA foreign_keys = OFF; DROP TABLE items");
    back_up(&database, &path("orphans.db")).unwrap();
    execute(&path("orphans.db"), ORPHAN);
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
        (".", "is not a regular file"),
        ("incomplete.db", "is incomplete: table items is missing"),
        ("orphans.db", "is incomplete: table bucketlists refers to rows that are missing in table users"),
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

#[test]
fn restored_database_is_writable_by_its_owner_only() {
    let directory = TempDir::new().unwrap();
    let (database, file) = (directory.path().join("a.db"), directory.path().join("backup.db"));
    migrated(&database);
    back_up(&database, &file).unwrap();
    for mode in [0o444, 0o644, 0o600] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        restore(&database, &file, "1").unwrap();
        assert_eq!(fs::metadata(&database).unwrap().mode() & 0o777, 0o600, "{mode:o}");
        execute(&database, INSERT);
    }
}

#[test]
fn database_of_a_newer_release_can_be_backed_up() {
    let directory = TempDir::new().unwrap();
    let (database, file) = (directory.path().join("a.db"), directory.path().join("backup.db"));
    migrated(&database);
    let before = back_up(&database, &directory.path().join("first.db")).unwrap();
    execute(&database, "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
    assert_eq!(back_up(&database, &file).unwrap().migrations, before.migrations + 1);
    assert!(matches!(restore(&database, &file, "1"), Err(BackupError::Newer { .. })));
}

#[test]
fn symbolic_links_are_resolved() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("disk")).unwrap();
    let database = path("disk/a.db");
    migrated(&database);
    symlink("disk/b.db", path("backup.db")).unwrap();
    back_up(&database, &path("backup.db")).unwrap();
    assert_eq!(users(&path("disk/b.db")), 0);
    symlink("disk/a.db", path("link.db")).unwrap();
    execute(&database, INSERT);
    let restored = restore(&path("link.db"), &path("backup.db"), "1").unwrap();
    assert_eq!(restored.replaced, Some(path("disk/a.db.replaced-1")));
    assert_eq!((users(&database), users(&path("disk/a.db.replaced-1"))), (0, 1));
    for name in ["backup.db", "link.db"] {
        assert!(fs::symlink_metadata(path(name)).unwrap().is_symlink(), "{name}");
    }
}

#[test]
fn concurrent_backups_do_not_replace_each_other() {
    let directory = TempDir::new().unwrap();
    let (database, file) = (directory.path().join("a.db"), directory.path().join("backup.db"));
    migrated(&database);
    let (database, target) = (&database, &file);
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(move || back_up(database, target))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let failed = results.iter().filter_map(|result| result.as_ref().err());
    assert_eq!(
        failed.map(ToString::to_string).collect::<Vec<_>>(),
        vec![format!("{} already exists", file.display()); 5]
    );
    assert_eq!(names(&directory), ["a.db", "backup.db"]);
}

#[cfg(target_os = "linux")]
#[test]
fn partial_files_of_killed_processes_are_deleted() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    migrated(&path("a.db"));
    for name in
        ["b.db.1.partial", "b.db.1.partial-journal", "b.db.2.partial-journal", "b.db.3.partial", "c.db.1.partial"]
    {
        fs::write(path(name), "").unwrap();
    }
    let running = File::open(path("b.db.3.partial")).unwrap();
    running.lock().unwrap();
    back_up(&path("a.db"), &path("b.db")).unwrap();
    assert_eq!(names(&directory), ["a.db", "b.db", "b.db.3.partial", "c.db.1.partial"]);
}

#[test]
fn database_without_a_log_is_backed_up_from_a_read_only_directory() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    let database = data.join("a.db");
    migrated(&database);
    execute(&database, INSERT);
    assert_eq!(names(&directory), ["data"]);
    fs::set_permissions(&data, Permissions::from_mode(0o500)).unwrap();
    let copied = back_up(&database, &directory.path().join("backup.db"));
    fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
    copied.unwrap();
    assert_eq!(users(&directory.path().join("backup.db")), 1);
}
