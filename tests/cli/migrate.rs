//! `bucketlist migrate`.

use std::fs;

use crate::support::{Place, repository};

/// The migrations, the oldest first.
fn names() -> Vec<String> {
    let folders = fs::read_dir(repository().join("migrations/sqlite")).unwrap();
    let mut names: Vec<String> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn lines(word: &str, names: &[String]) -> String {
    names.iter().map(|name| format!("{word}{name}\n")).collect()
}

both_engines! {
    fn a_database_is_migrated_up_redone_and_down_again(engine: Engine) {
        let place = Place::on(engine);
        let names = names();
        let (newest, older) = names.split_last().unwrap();
        let status = place.run(&["migrate", "status"]).exits(4);
        assert_eq!((status.out, status.err), (lines("pending ", &names), String::new()));

        assert_eq!(place.run(&["migrate", "up"]).succeeds(), lines("up    ", &names));
        assert_eq!(place.run(&["migrate", "up"]).succeeds(), "The database is current.\n");
        assert_eq!(place.run(&["migrate", "status"]).succeeds(), lines("done    ", &names));

        assert_eq!(place.run(&["migrate", "redo"]).succeeds(), format!("redo  {newest}\n"));
        assert_eq!(place.run(&["migrate", "status"]).succeeds(), lines("done    ", &names));

        assert_eq!(place.run(&["migrate", "down"]).succeeds(), format!("down  {newest}\n"));
        let status = place.run(&["migrate", "status"]).exits(4);
        assert_eq!(status.out, lines("done    ", older) + &lines("pending ", std::slice::from_ref(newest)));

        for name in older.iter().rev() {
            assert_eq!(place.run(&["migrate", "down"]).succeeds(), format!("down  {name}\n"));
        }
        assert_eq!(place.run(&["migrate", "down"]).succeeds(), "There is no migration to undo.\n");
        let redone = place.run(&["migrate", "redo"]).succeeds();
        assert_eq!(redone, "There was no migration to undo; all are done now.\n");
        assert_eq!(place.run(&["migrate", "status"]).succeeds(), lines("done    ", &names));
    }

    fn a_newer_database_is_shown_and_not_touched(engine: Engine) {
        let place = Place::on(engine);
        place.run(&["migrate", "up"]).succeeds();
        place.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')");
        let status = place.run(&["migrate", "status"]).exits(4);
        assert!(status.out.ends_with("unknown 20991231235959\n"), "{status:?}");
        let newer = "the database is newer than this binary: it has the migration 20991231235959. \
                     Start the newer binary, or go back with its `migrate down`";
        for arguments in [&["migrate", "up"][..], &["seed"], &["user", "create", "ada@example.com"]] {
            assert_eq!(place.run(arguments).fails(), newer);
        }
    }
}
