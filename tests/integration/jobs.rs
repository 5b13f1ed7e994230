//! The job queue and the scheduler: jobs fail alone, are retried, and run in the order of their priority.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bucketlist::{
    app::{App, Dependencies},
    db::{
        DbConnection, DbError,
        repositories::{
            job_schedules,
            jobs::{self as queue, ClaimRequest, JobPayload, KINDS, PasswordResetMail},
        },
        schema::jobs,
    },
    domain::{JobPriority, JobSchedule, ScheduleResult, SystemRandom, Timestamp},
    mail::{Mail, Mailer, SendFuture},
};
use diesel::prelude::*;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::support::{Actor, JWT_SECRET, MemoryMailer, START_MICROS, TestApp, json};

/// A mailer with a bug.
struct PanickingMailer;

impl Mailer for PanickingMailer {
    fn send<'a>(&'a self, _: &'a Mail) -> SendFuture<'a> {
        Box::pin(async { panic!("mailer bug") })
    }
}

/// A mailer that never finishes, and signals that it was called.
#[derive(Default)]
struct HangingMailer(tokio::sync::Notify);

impl Mailer for HangingMailer {
    fn send<'a>(&'a self, _: &'a Mail) -> SendFuture<'a> {
        Box::pin(async {
            self.0.notify_one();
            std::future::pending().await
        })
    }
}

/// Returns another server of the database, with this mailer.
fn app_with(app: &TestApp, mailer: Arc<dyn Mailer>) -> App {
    let dependencies = Dependencies { clock: app.clock.clone(), random: Arc::new(SystemRandom), mailer };
    App::new(&app.config, &SecretString::from(JWT_SECRET), dependencies).unwrap()
}

async fn request_resets(actor: &Actor<'_>, count: usize) {
    for _ in 0..count {
        actor.post("/v1/auth/password-reset", &json!({"email": actor.email()})).await.expect(202);
    }
}

/// A row of the queue: kind, state, attempts and last error.
type Row = (String, String, i32, Option<String>);

async fn queued(app: &TestApp) -> Vec<Row> {
    let read = |c: &mut _| {
        let columns = (jobs::kind, jobs::state, jobs::attempts, jobs::last_error);
        jobs::table.order(jobs::id).select(columns).load(c).map_err(DbError::from)
    };
    app.app.db.read(read).await.unwrap()
}

fn row(kind: &str, state: &str, attempts: i32, error: Option<&str>) -> Row {
    (kind.to_owned(), state.to_owned(), attempts, error.map(str::to_owned))
}

async fn schedules(app: &TestApp) -> Vec<JobSchedule> {
    app.app.db.read(|c: &mut DbConnection| job_schedules::list(c).map_err(DbError::from)).await.unwrap()
}

/// Reads until `condition` holds.
async fn wait_until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}: not within a minute");
    }
}

/// Every job has been run.
async fn is_drained(app: &TestApp) -> bool {
    queued(app).await.is_empty()
}

both_engines! {
    async fn panicking_job_fails_alone(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        request_resets(&user, 2).await;
        let export = user.post("/v2/exports", &json!({})).await.expect(202).json();
        app_with(&app, Arc::new(PanickingMailer)).worker.drain().await;
        let failed = row("password_reset_mail", "retrying", 1, Some("panicked: mailer bug"));
        assert_eq!(queued(&app).await, [failed.clone(), failed]);
        let export = user.get(&format!("/v2/exports/{}", export["id"])).await.expect(200).json();
        assert_eq!(export["state"], "finished");
        // The retries succeed.
        app.advance_clock(Duration::from_secs(2));
        app.run_jobs().await;
        assert_eq!((queued(&app).await, app.mailer.take().len()), (vec![], 2));
    }

    async fn unreadable_payload_becomes_a_dead_letter_at_once(engine: Engine) {
        for (kind, payload, problem) in [
            ("export", r#"{"export": 7}"#, "missing field `export_id`"),
            ("password_reset_mail", r#"{"email": "ada@example.com"}"#, "missing field `email_key`"),
            ("password_reset_mail", r#"{"email_key": 7}"#, "field `email_key` is not a string"),
            ("password_changed_mail", r#"{"user_id": 1, "is_reset": "s3cret"}"#, "field `is_reset` is not a boolean"),
            ("welcome_mail", "s3cret", "it is not JSON"),
        ] {
            let app = TestApp::new(engine);
            app.execute(&format!(
                "INSERT INTO jobs (kind, payload, attempts, run_at, created_at) VALUES ('{kind}', '{payload}', 0, 0, 0)"
            ));
            app.run_jobs().await;
            let error = format!("invalid payload of {kind}: {problem}");
            assert_eq!(queued(&app).await, [row(kind, "dead", 1, Some(&error))], "{payload}");
        }
    }

    async fn job_of_an_unknown_kind_becomes_a_dead_letter_after_a_day(engine: Engine) {
        let app = TestApp::new(engine);
        app.execute(&format!("INSERT INTO jobs (kind, payload, run_at, created_at) VALUES ('newsletter', '{{}}', {START_MICROS}, {START_MICROS})"));
        let waiting = row("newsletter", "queued", 0, None);
        app.run_jobs().await;
        app.advance_clock(Duration::from_secs(86_399));
        assert_eq!(app.app.worker.purge_expired().await.unwrap(), 0);
        assert_eq!(queued(&app).await, [waiting]);
        app.advance_clock(Duration::from_secs(1));
        assert_eq!(app.app.worker.purge_expired().await.unwrap(), 1);
        assert_eq!(queued(&app).await, [row("newsletter", "dead", 0, Some("no server knows this kind of job"))]);
    }

    async fn job_that_kills_its_worker_becomes_a_dead_letter(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        request_resets(&user, 1).await;
        for attempt in 1..=10 {
            // A worker claims the job and is killed.
            let now = Timestamp::from_micros(START_MICROS + attempt * 60_000_000);
            let request = ClaimRequest {
                kinds: [PasswordResetMail::KIND].into(),
                priorities: JobPriority::ALL,
                worker: "test".into(),
                now,
                visible_at: now + Duration::from_secs(60),
            };
            let claim = app.app.db.write(move |c| queue::claim(c, &request).map_err(DbError::from));
            assert!(claim.await.unwrap().is_some());
        }
        app.advance_clock(Duration::from_secs(660));
        app.run_jobs().await;
        let error = "the worker stopped during the last attempt";
        assert_eq!(queued(&app).await, [row("password_reset_mail", "dead", 11, Some(error))]);
        assert!(app.mailer.take().is_empty());
    }

    async fn jobs_run_in_the_order_of_their_priority(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for _ in 0..2 {
            user.post("/v2/exports", &json!({})).await.expect(202);
        }
        request_resets(&user, 2).await;
        let mut order = Vec::new();
        while let Some(job) = claim_next(&app, JobPriority::ALL).await {
            order.push(job);
        }
        assert_eq!(order, ["password_reset_mail", "password_reset_mail", "export", "export"]);
    }

    async fn worker_for_mail_runs_no_exports(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        user.post("/v2/exports", &json!({})).await.expect(202);
        assert_eq!(claim_next(&app, &[JobPriority::High]).await, None);
        request_resets(&user, 1).await;
        assert_eq!(claim_next(&app, &[JobPriority::High]).await.as_deref(), Some("password_reset_mail"));
    }

    async fn mail_runs_while_all_other_workers_are_busy(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.jobs.workers = 1.try_into().unwrap();
        }).build();
        let user = app.user().await;
        // A mail occupies its worker for as long as the test runs.
        let (mailer, shutdown) = (Arc::new(HangingMailer::default()), CancellationToken::new());
        request_resets(&user, 2).await;
        let server = app_with(&app, mailer.clone());
        let running = tokio::spawn(server.worker.run(shutdown.clone()));
        // Both workers have started a mail: the general one, and the one that is reserved.
        mailer.0.notified().await;
        mailer.0.notified().await;
        assert_eq!(queued(&app).await.iter().filter(|(_, state, ..)| state == "running").count(), 2);
        running.abort();
    }

    async fn workers_share_jobs(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        request_resets(&user, 40).await;
        let (first, second) = (Arc::new(MemoryMailer::default()), Arc::new(MemoryMailer::default()));
        let servers = [app_with(&app, first.clone()), app_with(&app, second.clone())];
        tokio::join!(servers[0].worker.drain(), servers[1].worker.drain());
        let sent = [first.take().len(), second.take().len()];
        assert_eq!(sent.iter().sum::<usize>(), 40, "each mail is sent once: {sent:?}");
        assert!(is_drained(&app).await);
        if engine == crate::support::Engine::Postgres {
            assert!(sent.iter().all(|sent| *sent > 0), "{sent:?}");
        }
    }

    async fn job_is_woken_by_another_server(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let (mailer, shutdown) = (Arc::new(MemoryMailer::default()), CancellationToken::new());
        let other = app_with(&app, mailer.clone());
        request_resets(&user, 1).await;
        let running = tokio::spawn(other.worker.run(shutdown.clone()));
        wait_until("the first job is run", || is_drained(&app)).await;
        // Now the other server waits: for a notification on PostgreSQL, and otherwise for its next poll.
        if engine == crate::support::Engine::Postgres {
            let started = Instant::now();
            for _ in 0..20 {
                request_resets(&user, 1).await;
                wait_until("the job is run", || is_drained(&app)).await;
            }
            // Twenty polls would take 200 seconds.
            assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
            assert_eq!(mailer.take().len(), 21);
        }
        shutdown.cancel();
        running.await.unwrap();
    }

    async fn completed_jobs_are_retained_without_their_arguments(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.jobs.retention = Duration::from_secs(3_600)).build();
        let user = app.user().await;
        request_resets(&user, 1).await;
        app.run_jobs().await;
        let read = |c: &mut _| jobs::table.select((jobs::state, jobs::payload, jobs::finished_at)).load(c).map_err(DbError::from);
        let rows: Vec<(String, String, Option<i64>)> = app.app.db.read(read).await.unwrap();
        assert_eq!(rows, [("done".to_owned(), "{}".to_owned(), Some(START_MICROS))]);
        app.run_jobs().await;
        assert_eq!(app.mailer.take().len(), 1, "a job that is done does not run again");
        app.advance_clock(Duration::from_secs(3_599));
        app.app.worker.purge_expired().await.unwrap();
        assert_eq!(queued(&app).await, [row("password_reset_mail", "done", 1, None)]);
        app.advance_clock(Duration::from_secs(1));
        app.app.worker.purge_expired().await.unwrap();
        assert!(is_drained(&app).await);
    }

    async fn dead_letters_are_purged_after_their_retention(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.jobs.dead_letter_retention = Duration::from_secs(3_600);
        }).build();
        let insert = |state: &str, finished: i64| app.execute(&format!(
            "INSERT INTO jobs (kind, payload, state, run_at, created_at, finished_at)
             VALUES ('export', '{{}}', '{state}', {}, {START_MICROS}, {finished})", i64::MAX
        ));
        insert("dead", START_MICROS);
        insert("cancelled", START_MICROS);
        insert("dead", START_MICROS + 1);
        app.advance_clock(Duration::from_secs(3_600));
        assert_eq!(app.app.worker.purge_expired().await.unwrap(), 2);
        assert_eq!(queued(&app).await, [row("export", "dead", 0, None)]);
    }

    async fn task_runs_once_per_interval_on_two_servers(engine: Engine) {
        let app = TestApp::new(engine);
        let replica = app.second_server();
        let run = async || {
            let (first, second) = tokio::join!(app.app.worker.run_due_tasks(), replica.app.worker.run_due_tasks());
            first.unwrap() + second.unwrap()
        };
        let tasks = if engine == crate::support::Engine::Sqlite { 4 } else { 3 };
        assert_eq!(run().await, tasks);
        assert_eq!(run().await, 0, "no task is due");
        app.advance_clock(Duration::from_secs(599));
        assert_eq!(run().await, 1, "the search for dead letters is due");
        app.advance_clock(Duration::from_secs(1));
        assert_eq!(run().await, 1, "the purge is due");
        let found = schedules(&app).await;
        let names: Vec<&str> = found.iter().map(|schedule| schedule.name.as_str()).collect();
        assert_eq!(names, ["dead_letter_digest", "deprecation_notices", "purge", "statistics"][..tasks]);
        let purge = &found[2];
        let at = Timestamp::from_micros;
        assert_eq!(purge.last_started_at, Some(at(START_MICROS + 600_000_000)));
        assert_eq!(purge.next_run_at, at(START_MICROS + 1_200_000_000));
        assert_eq!((purge.last_result, purge.last_count), (Some(ScheduleResult::Succeeded), Some(0)));
        assert!(purge.worker.is_some());
    }

    async fn failed_task_records_its_error_and_runs_again_soon(engine: Engine) {
        let app = TestApp::new(engine);
        app.app.worker.run_due_tasks().await.unwrap();
        app.advance_clock(Duration::from_secs(600));
        app.execute("ALTER TABLE audit_events RENAME TO moved");
        assert_eq!(app.app.worker.run_due_tasks().await.unwrap(), 2, "the purge and the search for dead letters are due");
        app.execute("ALTER TABLE moved RENAME TO audit_events");
        let failed = schedules(&app).await.remove(2);
        assert_eq!((failed.name.as_str(), failed.last_result), ("purge", Some(ScheduleResult::Failed)));
        assert!(failed.last_error.unwrap().contains("audit_events"));
        assert_eq!(failed.next_run_at, Timestamp::from_micros(START_MICROS + 900_000_000));
        app.advance_clock(Duration::from_secs(300));
        assert_eq!(app.app.worker.run_due_tasks().await.unwrap(), 2);
        let succeeded = schedules(&app).await.remove(2);
        assert_eq!((succeeded.last_result, succeeded.last_error), (Some(ScheduleResult::Succeeded), None));
    }

    async fn task_of_a_killed_server_is_taken_over(engine: Engine) {
        let app = TestApp::new(engine);
        app.app.worker.run_due_tasks().await.unwrap();
        app.advance_clock(Duration::from_secs(600));
        let now = Timestamp::from_micros(START_MICROS + 600_000_000);
        // Another server starts the purge and is killed.
        let start = move |c: &mut DbConnection| {
            job_schedules::start(c, "purge", "killed", now, now + Duration::from_secs(60)).map_err(DbError::from)
        };
        let run = app.app.db.write(start).await.unwrap().unwrap();
        assert_eq!(app.app.worker.run_due_tasks().await.unwrap(), 1, "the lease is valid; only the search for dead letters is due");
        app.advance_clock(Duration::from_secs(60));
        assert_eq!(app.app.worker.run_due_tasks().await.unwrap(), 1);
        let extend = move |c: &mut DbConnection| job_schedules::extend(c, &run, now).map_err(DbError::from);
        assert!(!app.app.db.write(extend).await.unwrap(), "the killed server has lost its lease");
    }

    async fn tasks_have_a_schedule_before_a_worker_has_started(engine: Engine) {
        let app = TestApp::new(engine);
        app.app.worker.declare_schedules().await;
        let declared = schedules(&app).await;
        let tasks = if engine == crate::support::Engine::Sqlite { 4 } else { 3 };
        let names: Vec<&str> = declared.iter().map(|schedule| schedule.name.as_str()).collect();
        assert_eq!(names, ["dead_letter_digest", "deprecation_notices", "purge", "statistics"][..tasks]);
        assert!(declared.iter().all(|schedule| schedule.last_started_at.is_none() && schedule.last_result.is_none()));
        assert_eq!(app.app.worker.run_due_tasks().await.unwrap(), tasks);
        let run = schedules(&app).await;
        app.advance_clock(Duration::from_secs(1));
        app.app.worker.declare_schedules().await;
        assert_eq!(schedules(&app).await, run, "existing schedules are unchanged");
    }

    async fn task_that_an_administrator_runs_keeps_its_interval(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let replica = app.second_server();
        app.app.worker.run_due_tasks().await.unwrap();
        app.advance_clock(Duration::from_secs(100));
        admin.request(poem::http::Method::POST, "/v2/admin/schedules/purge/run").send().await.expect(200);
        let (first, second) = tokio::join!(app.app.worker.run_due_tasks(), replica.app.worker.run_due_tasks());
        assert_eq!(first.unwrap() + second.unwrap(), 1, "one server runs the task");
        let purge = schedules(&app).await.remove(2);
        assert_eq!(purge.last_started_at, Some(Timestamp::from_micros(START_MICROS + 100_000_000)));
        assert_eq!(purge.next_run_at, Timestamp::from_micros(START_MICROS + 700_000_000));
    }

    async fn disabled_task_has_no_schedule(engine: Engine) {
        let app = TestApp::new(engine);
        app.app.worker.run_due_tasks().await.unwrap();
        let without = TestApp::builder().database(app.database.shared()).config(|config| {
            config.deprecations.sends_notices = false;
        }).build();
        without.app.worker.run_due_tasks().await.unwrap();
        assert!(schedules(&app).await.iter().all(|schedule| schedule.name != "deprecation_notices"));
    }

    async fn failed_jobs_do_not_stop_the_queue(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        app.mailer.fails.store(true, Ordering::SeqCst);
        request_resets(&user, 3).await;
        app.run_jobs().await;
        let failed = row("password_reset_mail", "retrying", 1, Some("cannot send mail: the mail server is unavailable"));
        assert_eq!(queued(&app).await, vec![failed; 3]);
    }
}

/// Claims the next job and returns its kind.
async fn claim_next(app: &TestApp, priorities: &'static [JobPriority]) -> Option<String> {
    let now = Timestamp::from_micros(START_MICROS);
    let request = ClaimRequest {
        kinds: KINDS.iter().map(|kind| kind.name).collect(),
        priorities,
        worker: "test".into(),
        now,
        visible_at: now + Duration::from_secs(60),
    };
    let claimed = app.app.db.write(move |c| queue::claim(c, &request).map_err(DbError::from)).await.unwrap();
    claimed.map(|job| job.kind)
}
