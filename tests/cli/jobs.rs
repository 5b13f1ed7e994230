//! `bucketlist worker`, `serve --no-worker` and `bucketlist job`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use bucketlist::db::schema::{export_parts, exports, jobs, users};
use diesel::{dsl::count_star, prelude::*};
use serde_json::{Value, json};

use crate::support::{Engine, Sandbox, TestServer};

/// Time after which a test fails instead of waiting longer.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Number of jobs that are queued before the workers start.
const MAILS: usize = 900;
const EXPORTS: usize = 100;
/// Number of jobs that a worker runs at the same time, including the reserved one.
const CONCURRENCY: usize = 5;
/// Number of times that a worker is killed.
const KILLS: usize = 3;

/// A running worker. Killed when it is dropped.
struct TestWorker {
    child: Child,
    greeting: String,
    log: PathBuf,
}

impl TestWorker {
    fn start(sandbox: &Sandbox) -> Self {
        let log = sandbox.path("worker.log");
        let file = fs::File::options().create(true).append(true).open(&log).unwrap();
        let mut command = sandbox.command(&["worker"]);
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.lines().last().is_some_and(|line| line.starts_with("  Database  ")) {
            let length = out.read_line(&mut greeting).unwrap();
            assert!(length > 0, "the worker did not start:\n{greeting}{}", fs::read_to_string(&log).unwrap());
        }
        Self { child, greeting, log }
    }

    /// Kills the worker with SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops the worker with SIGTERM.
    fn stop(mut self) -> ExitStatus {
        let status = Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap()
    }
}

impl Drop for TestWorker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends requests until `condition` holds.
#[track_caller]
fn wait_until(server: &TestServer, what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {TIMEOUT:?}");
        server.get("/health/live", None).expect(200);
    }
}

/// Counts the jobs by state.
fn states(sandbox: &Sandbox) -> BTreeMap<String, i64> {
    let mut migrator = sandbox.migrator();
    let rows = jobs::table.group_by(jobs::state).select((jobs::state, count_star())).load(migrator.connection());
    rows.unwrap().into_iter().collect()
}

/// Returns the recipients of all mail that was written to files.
fn recipients(sandbox: &Sandbox) -> Vec<String> {
    let Ok(folder) = fs::read_dir(sandbox.path("data/mail")) else { return Vec::new() };
    let texts = folder.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    // A file whose worker was killed while it wrote has no recipient yet.
    texts.filter_map(|text| Some(text.lines().next()?.strip_prefix("To: ")?.to_owned())).collect()
}

/// Creates accounts with a bucketlist of three items and requests their exports; returns the IDs of the exports.
fn request_exports(server: &TestServer) -> BTreeSet<i64> {
    let mut ids = BTreeSet::new();
    for number in 0..EXPORTS / 10 {
        let token = server.register(&format!("owner-{number}@example.com"));
        let list = server.post("/v2/bucketlists", Some(&token), &json!({"name": "See the world"})).expect(201).json();
        for item in 0..3 {
            let path = format!("/v2/bucketlists/{}/items", list["id"]);
            server.post(&path, Some(&token), &json!({"name": format!("Item {item}")})).expect(201);
        }
        for _ in 0..10 {
            let export = server.post("/v2/exports", Some(&token), &json!({})).expect(202).json();
            ids.insert(export["id"].as_i64().unwrap());
        }
    }
    ids
}

both_engines! {
    /// Mail is promised at least once, an export exactly once.
    fn kill_9_of_a_worker_loses_no_job(engine: Engine) {
        let sandbox = Sandbox::on(engine)
            .env("APP_ENV", "testing")
            .env("RATE_LIMIT", "off")
            .env("JOB_WORKERS", (CONCURRENCY - 1).to_string())
            // The welcome is a job too.
            .env("ACCOUNT_NOTICES", "false");
        let arguments =
            ["seed", "--dummy", "--users", &MAILS.to_string(), "--lists", "0", "--items", "0"];
        let _ = sandbox.run(&arguments).expect_exit_code(0);
        let server = TestServer::start(&sandbox, &["serve", "--no-worker"]);
        sandbox.execute(
            "INSERT INTO jobs (kind, payload, run_at, created_at)
             SELECT 'password_reset_mail', '{\"email_key\":\"' || email_key || '\"}', 0, 0 FROM users",
        );
        let requested = request_exports(&server);
        // In a mixed order.
        sandbox.execute("UPDATE jobs SET priority = 3, run_at = id % 97");
        assert_eq!(states(&sandbox), [("queued".to_owned(), (MAILS + EXPORTS) as i64)].into());

        for kill in 1..=KILLS {
            let worker = TestWorker::start(&sandbox);
            let enough = kill * (MAILS + EXPORTS) / (KILLS + 1);
            wait_until(&server, "a part of the jobs is completed", || {
                states(&sandbox).get("done").is_some_and(|completed| *completed as usize >= enough)
            });
            worker.kill();
            let left = states(&sandbox);
            assert!(left.get("queued").is_some_and(|queued| *queued > 0), "killed too late: {left:?}");
            // The time of the claims passes.
            sandbox.execute("UPDATE jobs SET run_at = 1 WHERE state = 'running'");
        }
        let workers = [TestWorker::start(&sandbox), TestWorker::start(&sandbox)];
        let all: BTreeMap<String, i64> = [("done".to_owned(), (MAILS + EXPORTS) as i64)].into();
        wait_until(&server, "all jobs are completed", || states(&sandbox) == all);
        for worker in workers {
            assert!(worker.stop().success());
        }

        let mut migrator = sandbox.migrator();
        let c = migrator.connection();
        let addresses: Vec<String> =
            users::table.filter(users::email.not_like("owner-%")).filter(users::disabled.eq(false)).select(users::email).load(c).unwrap();
        let sent = recipients(&sandbox);
        assert!(addresses.len() > MAILS / 2, "{}", addresses.len());
        let once: BTreeSet<&String> = sent.iter().collect();
        assert_eq!(once, addresses.iter().collect(), "each mail was sent at least once");
        let repeated = sent.len() - once.len();
        assert!(repeated <= KILLS * CONCURRENCY, "only mail of a killed worker is repeated, not {repeated}");

        let finished: i64 =
            exports::table.filter(exports::state.eq("finished")).filter(exports::records.eq(4)).count().get_result(c).unwrap();
        assert_eq!(finished, EXPORTS as i64);
        let parts: Vec<(i64, String)> =
            export_parts::table.select((export_parts::export_id, export_parts::records)).load(c).unwrap();
        let mut records: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (export, part) in parts {
            let part: Vec<Value> = serde_json::from_str(&part).unwrap();
            records.entry(export).or_default().extend(part.iter().map(|record| format!("{}/{}", record["is_item"], record["id"])));
        }
        assert_eq!(records.keys().copied().collect::<BTreeSet<i64>>(), requested);
        for (export, records) in records {
            let once: BTreeSet<&String> = records.iter().collect();
            assert_eq!((records.len(), once.len()), (4, 4), "{export}: {records:?}");
        }
        server.stop();
    }

    fn worker_runs_the_jobs_of_a_server(engine: Engine) {
        // The export is the only job.
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("WORKER", "false").env("ACCOUNT_NOTICES", "false");
        let server = sandbox.serve();
        let token = server.register("ada@example.com");
        let export = server.post("/v2/exports", Some(&token), &json!({})).expect(202).json();
        let path = format!("/v2/exports/{}", export["id"]);
        let worker = TestWorker::start(&sandbox);
        assert!(worker.greeting.contains("BucketList worker "), "{}", worker.greeting);
        let state = || server.get(&path, Some(&token)).expect(200).json()["state"].clone();
        wait_until(&server, "the export is finished", || state() == "finished");
        let completed = || states(&sandbox) == [("done".to_owned(), 1)].into();
        wait_until(&server, "the job is completed", completed);
        let jobs: Value = serde_json::from_str(&sandbox.run(&["job", "list", "--format", "json"]).expect_success()).unwrap();
        let ran = jobs[0]["worker"].as_str().unwrap();
        assert!(ran.contains(&format!("/{}/", worker.child.id())), "the server has run the job: {ran}");
        let schedules = || sandbox.run(&["job", "schedules"]).expect_success();
        wait_until(&server, "the purge has run", || {
            schedules().lines().any(|line| line.starts_with("purge ") && line.contains("succeeded"))
        });
        // The worker notices soon that the command line has made a task due.
        let last_run = || -> Value {
            let schedules = sandbox.run(&["job", "schedules", "--format", "json"]).expect_success();
            let schedules: Value = serde_json::from_str(&schedules).unwrap();
            let purge = schedules.as_array().unwrap().iter().find(|schedule| schedule["name"] == "purge").unwrap();
            json!([purge["last_started_at"], purge["last_finished_at"].is_string()])
        };
        let before = last_run();
        let requested = Instant::now();
        assert_eq!(sandbox.run(&["job", "run", "purge"]).expect_success(), "Task purge will run now.\n");
        wait_until(&server, "the purge has run again", || {
            // The times are in seconds: two runs in the same second cannot be told apart.
            let _ = sandbox.run(&["job", "run", "purge"]);
            last_run() != before && last_run()[1] == true
        });
        assert!(requested.elapsed() < Duration::from_secs(30), "{:?}", requested.elapsed());
        let log = worker.log.clone();
        assert!(worker.stop().success());
        assert_eq!(fs::read_to_string(log).unwrap(), "", "errors of the worker");
        server.stop();
    }

    fn jobs_are_managed_on_the_command_line(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing");
        sandbox.run(&["migrate", "up"]).expect_success();
        assert_eq!(sandbox.run(&["job", "list"]).expect_success(), "No jobs.\n");
        for state in ["queued", "running", "retrying", "done", "dead", "cancelled"] {
            assert_eq!(sandbox.run(&["job", "list", "--state", state]).expect_success(), "No jobs.\n", "{state}");
        }
        for kind in ["", "exports", "a b"] {
            let outcome = sandbox.run(&["job", "list", "--kind", kind]).expect_exit_code(2);
            assert!(outcome.err.contains("[possible values: password_reset_mail, welcome_mail, "), "{outcome:?}");
        }
        for action in ["show", "retry", "cancel", "delete"] {
            let outcome = sandbox.run(&["job", action, "0"]).expect_exit_code(2);
            assert!(outcome.err.contains("invalid value '0' for '<ID>'"), "{outcome:?}");
        }
        let none = "No schedules. A server or a worker creates them when it starts.\n";
        assert_eq!(sandbox.run(&["job", "schedules"]).expect_success(), none);
        sandbox.execute(&format!(
            "INSERT INTO jobs (kind, payload, state, attempts, run_at, created_at, last_error)
             VALUES ('password_reset_mail', '{{\"email_key\":\"ada@example.com\"}}', 'dead', 10, {}, 0, 'connection refused')",
            i64::MAX
        ));
        let text = sandbox.run(&["job", "list", "--state", "dead"]).expect_success();
        assert!(text.contains("password_reset_mail") && text.contains("10/10") && text.contains("connection refused"), "{text}");
        assert_eq!(sandbox.run(&["job", "list", "--kind", "export"]).expect_success(), "No jobs.\n");
        let shown = sandbox.run(&["job", "show", "1"]).expect_success();
        assert!(shown.contains("payload       email_key=a***@example.com\n") && !shown.contains("ada@"), "{shown}");
        let shown: Value = serde_json::from_str(&sandbox.run(&["job", "show", "1", "--format", "json"]).expect_success()).unwrap();
        assert_eq!((&shown["state"], &shown["priority"], &shown["run_at"]), (&json!("dead"), &json!("normal"), &Value::Null));
        let help = "help: queued, retrying, dead and cancelled jobs can be retried; queued, retrying and running ones can be cancelled; running ones cannot be deleted";
        assert_eq!(sandbox.run(&["job", "cancel", "1"]).expect_error(), format!("job 1 is dead\n{help}"));
        assert_eq!(sandbox.run(&["job", "retry", "1"]).expect_success(), "Job 1 will run now.\n");
        assert_eq!(sandbox.run(&["job", "cancel", "1"]).expect_success(), "Cancelled job 1.\n");
        assert_eq!(sandbox.run(&["job", "delete", "1"]).expect_success(), "Deleted job 1.\n");
        let unknown = "job 1 does not exist\nhelp: run `bucketlist job list`";
        for action in ["show", "retry", "cancel", "delete"] {
            assert_eq!(sandbox.run(&["job", action, "1"]).expect_error(), unknown, "{action}");
        }
        let unknown = "task no_such_task does not exist, or it is not enabled\nhelp: run `bucketlist job schedules`";
        assert_eq!(sandbox.run(&["job", "run", "no_such_task"]).expect_error(), unknown);
        let mut migrator = sandbox.migrator();
        use bucketlist::db::schema::audit_events;
        let actions: Vec<String> =
            audit_events::table.order(audit_events::id).select(audit_events::action).load(migrator.connection()).unwrap();
        assert_eq!(actions, ["job.retried", "job.cancelled", "job.deleted"]);
    }
}

both_engines! {
    fn worker_beside_a_server_runs_without_metrics_if_their_address_is_taken(engine: Engine) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("METRICS_ADDR", address.to_string());
        let sandbox = sandbox.env("LOG_LEVEL", "warn").env("LOG_FORMAT", "json");
        let worker = TestWorker::start(&sandbox);
        assert!(!worker.greeting.contains("Metrics"), "{}", worker.greeting);
        let log = fs::read_to_string(&worker.log).unwrap();
        let warning = "METRICS_ADDR already in use; set another address for the worker to serve its metrics";
        assert!(log.contains(warning) && log.contains(&format!("\"address\":\"{address}\"")), "{log}");
        assert!(worker.stop().success());
        let error = sandbox.env("PORT", "0").run(&["serve"]).expect_error();
        let port = address.port();
        let help = "stop the other server, or set METRICS_ADDR to another port";
        assert_eq!(error, format!("port {port} is already in use\nhelp: {help}"));
    }

    fn server_without_worker_lists_all_schedules(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing");
        let server = TestServer::start(&sandbox, &["serve", "--no-worker"]);
        let schedules = sandbox.run(&["job", "schedules"]).expect_success();
        let tasks = if engine == Engine::Sqlite { 4 } else { 3 };
        assert_eq!(schedules.lines().skip(1).filter(|line| line.contains("  never  ")).count(), tasks, "{schedules}");
        server.stop();
    }
}

#[test]
fn worker_protects_its_sqlite_database() {
    let sandbox = Sandbox::on(Engine::Sqlite).env("APP_ENV", "testing");
    let workers = [TestWorker::start(&sandbox), TestWorker::start(&sandbox)];
    sandbox.run(&["backup", "backup.db"]).expect_success();
    let error = sandbox.run(&["restore", "backup.db"]).expect_error();
    assert!(error.starts_with("a worker uses database ") && error.contains("help: stop the worker; "), "{error}");
    let error = sandbox.run(&["migrate", "down"]).expect_error();
    assert!(error.contains("help: stop the worker before "), "{error}");
    for worker in workers {
        assert!(worker.stop().success());
    }
    sandbox.run(&["restore", "backup.db"]).expect_success();
    // A running server does not prevent workers.
    let server = TestServer::start(&sandbox, &["serve", "--no-worker"]);
    TestWorker::start(&sandbox).kill();
    server.stop();
}
