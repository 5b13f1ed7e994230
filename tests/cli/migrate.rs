//! `bucketlist migrate`.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Engine, Sandbox, repository_root};

/// Returns the names of the migrations, oldest first.
fn names() -> Vec<String> {
    let folders = fs::read_dir(repository_root().join("migrations/sqlite")).unwrap();
    let mut names: Vec<String> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn lines(word: &str, names: &[String]) -> String {
    names.iter().map(|name| format!("{word}{name}\n")).collect()
}

/// Returns the messages about the search index in a log of JSON lines, each with the numbers of rows.
fn indexing_events(log: &str) -> Vec<(String, Value, Value)> {
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = events.map(|event| {
        (event["message"].as_str().unwrap_or_default().to_owned(), event["rows"].clone(), event["total"].clone())
    });
    events.filter(|(message, ..)| message.contains("search index")).collect()
}

both_engines! {
    fn progress_of_the_search_index_is_logged(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("LOG_LEVEL", "info").env("LOG_FORMAT", "json");
        let server = sandbox.serve();
        let token = server.register("ada@example.com");
        for name in ["Learn", "Travel"] {
            server.post("/v1/bucketlists", Some(&token), &json!({"name": name})).expect(201);
        }
        assert_eq!(indexing_events(&server.log()), [], "no row is missing");
        server.stop();

        let started = ("rebuilding search index".to_owned(), json!(0), json!(2));
        let ended = ("search index rebuilt".to_owned(), json!(2), Value::Null);
        sandbox.execute("DELETE FROM search_index");
        let migrated = sandbox.run(&["migrate", "up"]).expect_exit_code(0);
        let events = indexing_events(&migrated.err);
        assert_eq!((events.first(), events.last()), (Some(&started), Some(&ended)), "{migrated:?}");
        sandbox.execute("DELETE FROM search_index");
        let server = sandbox.serve();
        let events = indexing_events(&server.log());
        assert_eq!((events.first(), events.last()), (Some(&started), Some(&ended)), "{}", server.log());
        server.stop();
    }

    fn database_can_be_migrated_up_redone_and_down(engine: Engine) {
        let sandbox = Sandbox::on(engine);
        let names = names();
        let (newest, older) = names.split_last().unwrap();
        if engine == Engine::Sqlite {
            let error = sandbox.run(&["migrate", "status"]).expect_error();
            assert!(error.starts_with("database data/bucketlist.db does not exist\nhelp: create it with "), "{error}");
            assert!(!sandbox.exists("data"));
        } else {
            let status = sandbox.run(&["migrate", "status"]).expect_exit_code(4);
            assert_eq!((status.out, status.err), (lines("pending ", &names), String::new()));
        }

        assert_eq!(sandbox.run(&["migrate", "up"]).expect_success(), lines("up    ", &names));
        assert_eq!(sandbox.run(&["migrate", "up"]).expect_success(), "The database is up to date.\n");
        assert_eq!(sandbox.run(&["migrate", "status"]).expect_success(), lines("applied ", &names));

        assert_eq!(sandbox.run(&["migrate", "redo"]).expect_success(), format!("redo  {newest}\n"));
        assert_eq!(sandbox.run(&["migrate", "status"]).expect_success(), lines("applied ", &names));

        assert_eq!(sandbox.run(&["migrate", "down"]).expect_success(), format!("down  {newest}\n"));
        let status = sandbox.run(&["migrate", "status"]).expect_exit_code(4);
        let with_one_pending = lines("applied ", older) + &lines("pending ", std::slice::from_ref(newest));
        assert_eq!(status.out, with_one_pending);

        // Pending migrations stay pending.
        let latest = older.last().unwrap();
        assert_eq!(sandbox.run(&["migrate", "redo"]).expect_success(), format!("redo  {latest}\n"));
        assert_eq!(sandbox.run(&["migrate", "status"]).expect_exit_code(4).out, with_one_pending);

        for name in older.iter().rev() {
            assert_eq!(sandbox.run(&["migrate", "down"]).expect_success(), format!("down  {name}\n"));
        }
        assert_eq!(sandbox.run(&["migrate", "down"]).expect_success(), "There is no migration to revert.\n");
        assert_eq!(sandbox.run(&["migrate", "redo"]).expect_success(), "There is no migration to redo.\n");
        let status = sandbox.run(&["migrate", "status"]).expect_exit_code(4);
        assert_eq!(status.out, lines("pending ", &names));
    }

    fn compatible_newer_database_is_used_and_left_unchanged(engine: Engine) {
        let mut sandbox = Sandbox::on(engine).env("APP_ENV", "testing");
        sandbox.run(&["migrate", "up"]).expect_success();
        sandbox.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')");
        let unknown = "unknown 20991231235959\n".to_owned();
        assert_eq!(sandbox.run(&["migrate", "status"]).expect_success(), lines("applied ", &names()) + &unknown);
        assert_eq!(sandbox.run(&["migrate", "up"]).expect_success(), "The database is up to date.\n");
        let doctor = sandbox.run(&["doctor"]).expect_exit_code(0).out;
        assert!(doctor.contains("applied; unknown to this version, but compatible: 20991231235959\n"), "{doctor}");
        for auto_migrate in ["true", "false"] {
            sandbox = sandbox.env("AUTO_MIGRATE", auto_migrate);
            let server = sandbox.serve();
            server.get("/health/ready", None).expect(200);
            server.stop();
        }
        // Only the version that knows the migration can revert it.
        for action in ["down", "redo"] {
            let error = sandbox.run(&["migrate", action]).expect_error();
            assert!(error.starts_with("the database has migration 20991231235959, which this version does not know\nhelp: "));
        }
    }

    fn newer_database_is_reported_and_left_unchanged(engine: Engine) {
        let sandbox = Sandbox::on(engine);
        sandbox.run(&["migrate", "up"]).expect_success();
        sandbox.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231235959')");
        sandbox.execute("UPDATE schema_compatibility SET minimum_version = '20991231235959'");
        let status = sandbox.run(&["migrate", "status"]).expect_exit_code(4);
        assert!(status.out.ends_with("unknown 20991231235959\n"), "{status:?}");
        let newer = "the database has migration 20991231235959, which this version does not know\n\
                     help: start the version that has migrated it, or revert with its `bucketlist migrate down`";
        for arguments in [&["migrate", "up"][..], &["seed"], &["user", "create", "ada@example.com"]] {
            assert_eq!(sandbox.run(arguments).expect_error(), newer);
        }
    }
}
