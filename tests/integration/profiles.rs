//! `GET /v2/admin/profile`.

use bucketlist::profiles::Recording;
use poem::http::Method;
use tokio::sync::Mutex;

use crate::support::{TestApp, json};

/// A process records one profile at a time, so these tests do not run concurrently.
static PROFILER: Mutex<()> = Mutex::const_new(());

both_engines! {
    async fn administrator_records_a_profile(engine: Engine) {
        let _exclusive = PROFILER.lock().await;
        let app = TestApp::builder().engine(engine).config(|config| config.is_profiling_enabled = true).build();
        let admin = app.admin().await;
        app.user().await.get("/v2/admin/profile?seconds=1").await.expect_error(403, "FORBIDDEN");
        let image = admin.get("/v2/admin/profile?seconds=1").await.expect(200);
        assert_eq!(image.header("content-type"), "image/svg+xml");
        assert_eq!(image.header("content-disposition"), "inline; filename=\"bucketlist.svg\"");
        let text = String::from_utf8(image.body).unwrap();
        assert!(text.starts_with("<svg ") && !text.contains("<script") && !text.contains("style="), "{text}");

        let profile = admin.get("/v2/admin/profile?seconds=1&format=pprof").await.expect(200);
        assert_eq!(profile.header("content-type"), "application/octet-stream");
        assert_eq!(profile.header("content-disposition"), "attachment; filename=\"bucketlist.pb.gz\"");
        assert!(profile.body.starts_with(b"\x1f\x8b"), "gzip");

        let request = admin.request(Method::GET, "/v2/admin/profile?format=pprof").header("accept", "image/svg+xml");
        request.send().await.expect_error(406, "NOT_ACCEPTABLE");
        for query in ["seconds=0", "seconds=31", "seconds=x", "format=svg"] {
            admin.get(&format!("/v2/admin/profile?{query}")).await.expect_error(422, "VALIDATION_FAILED");
        }
        let events = admin.get("/v2/admin/audit?action=profile.recorded").await.expect(200).json();
        let events = events["data"].as_array().unwrap();
        assert_eq!(events.len(), 2, "{events:?}");
        assert_eq!((&events[0]["actor_id"], &events[0]["detail"]["seconds"]), (&admin.id().into(), &"1".into()));
    }

    async fn second_profile_is_rejected(engine: Engine) {
        let _exclusive = PROFILER.lock().await;
        let app = TestApp::builder().engine(engine).config(|config| config.is_profiling_enabled = true).build();
        let admin = app.admin().await;
        let recording = Recording::start().unwrap();
        admin.get("/v2/admin/profile?seconds=1").await.expect_error(409, "PROFILE_IN_PROGRESS");
        drop(recording);
        admin.get("/v2/admin/profile?seconds=1").await.expect(200);
    }

    async fn profiles_are_disabled_by_default(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        for query in ["", "?format=heap"] {
            admin.get(&format!("/v2/admin/profile{query}")).await.expect_error(404, "PROFILING_DISABLED");
        }
    }

    async fn heap_profile_requires_a_build_with_the_feature(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.is_profiling_enabled = true).build();
        let admin = app.admin().await;
        app.user().await.get("/v2/admin/profile?format=heap").await.expect_error(403, "FORBIDDEN");
        let rejected = admin.get("/v2/admin/profile?format=heap").await.expect_error(404, "PROFILING_DISABLED");
        // In a build with the feature, the tests run without the options of jemalloc.
        let remedy = if cfg!(feature = "heap-profile") { "_RJEM_MALLOC_CONF" } else { "--features heap-profile" };
        let detail = rejected.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(remedy), "{detail}");
        let events = admin.get("/v2/admin/audit?action=profile.recorded").await.expect(200).json();
        assert_eq!(events["data"], json!([]));
    }
}
