//! The job queue: jobs fail alone, and are retried.

use std::sync::Arc;

use bucketlist::{
    app::{App, Dependencies},
    db::{DbError, schema::jobs},
    domain::SystemRandom,
    mail::{Mail, Mailer, SendFuture},
};
use diesel::prelude::*;
use secrecy::SecretString;

use crate::support::{SECRET, TestApp, json};

/// A mailer with a bug.
struct PanickingMailer;

impl Mailer for PanickingMailer {
    fn send<'a>(&'a self, _: &'a Mail) -> SendFuture<'a> {
        Box::pin(async { panic!("mailer bug") })
    }
}

/// Kind, attempts and last error of every job.
async fn queued(app: &TestApp) -> Vec<(String, i32, Option<String>)> {
    let read = |c: &mut _| {
        let columns = (jobs::kind, jobs::attempts, jobs::last_error);
        jobs::table.order(jobs::id).select(columns).load(c).map_err(DbError::from)
    };
    app.app.db.read(read).await.unwrap()
}

both_engines! {
    async fn panicking_job_fails_alone(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        for _ in 0..2 {
            let body = json!({"email": user.email()});
            app.anonymous().post("/v1/auth/password-reset", &body).await.expect(202);
        }
        let export = user.post("/v2/exports", &json!({})).await.expect(202).json();
        let dependencies =
            Dependencies { clock: app.clock.clone(), random: Arc::new(SystemRandom), mailer: Arc::new(PanickingMailer) };
        let faulty = App::new(&app.config, &SecretString::from(SECRET), dependencies).unwrap();
        faulty.worker.drain().await;
        let failed = ("password_reset_mail".to_owned(), 1, Some("panicked: mailer bug".to_owned()));
        assert_eq!(queued(&app).await, [failed.clone(), failed]);
        let export = user.get(&format!("/v2/exports/{}", export["id"])).await.expect(200).json();
        assert_eq!(export["state"], "finished");
        // The retries succeed.
        app.advance_clock(std::time::Duration::from_secs(2));
        app.run_jobs().await;
        assert_eq!((queued(&app).await, app.mailer.take().len()), (vec![], 2));
    }

    async fn unreadable_payload_is_a_failed_job(engine: Engine) {
        let app = TestApp::new(engine);
        app.execute("INSERT INTO jobs (kind, payload, attempts, run_at, created_at) VALUES ('export', 'seven', 0, 0, 0)");
        for attempt in 1..10 {
            app.run_jobs().await;
            let [(kind, attempts, error)] = &queued(&app).await[..] else { panic!("the job does not exist") };
            assert_eq!((kind.as_str(), *attempts), ("export", attempt));
            assert!(error.as_ref().is_some_and(|error| error.starts_with("invalid payload: ")), "{error:?}");
            app.advance_clock(std::time::Duration::from_secs(3600));
        }
        app.run_jobs().await;
        assert_eq!(queued(&app).await, []);
    }
}
