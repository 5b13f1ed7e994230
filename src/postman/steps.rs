//! The order of the operations in a run, and the values that each request needs.

use openapi_postman::{
    ExpectedResponse,
    Phase::{SetUp, TearDown},
    Step,
};

/// Script that makes the names in a request unique.
const TIMESTAMP: &str = include_str!("scripts/timestamp.js");

/// Returns the steps of v1.
pub(super) fn v1(base: &str) -> Vec<Step> {
    let mut steps = account_setup("/v1/users/me");
    steps.extend([logout(), password_change(), password_reset(), reset_confirmation()]);
    steps.extend([Step::new("getMe"), Step::new("updateMe")]);
    steps.push(first_admin_only("listUsers", base));
    steps.extend(["getUser", "updateUser"].map(|operation| admin_only(operation, base)));
    steps.extend([
        creation("createBucketlist", "bucketlist_id", &format!("{base}/bucketlists/{{{{bucketlist_id}}}}"))
            .before(TIMESTAMP)
            .body("/name", "Learn the cello {{timestamp}}"),
        Step::new("listBucketlists"),
        Step::new("getBucketlist"),
        Step::new("replaceBucketlist").before(TIMESTAMP).body("/name", "See the world {{timestamp}}"),
        creation("createItem", "item_id", &format!("{base}/bucketlists/{{{{bucketlist_id}}}}/items/{{{{item_id}}}}")),
        Step::new("listItems"),
        Step::new("getItem"),
        Step::new("replaceItem"),
        Step::new("deleteItem").phase(TearDown),
        Step::new("deleteBucketlist").phase(TearDown),
        managed_user_deletion(base),
        account_deletion(),
    ]);
    steps
}

/// Returns the steps of v2, with conditional requests and idempotency keys.
pub(super) fn v2(base: &str) -> Vec<Step> {
    let mut steps = account_setup("/v2/users/me");
    steps.extend([
        Step::new("listSessions")
            .after(include_str!("scripts/other_session.js"))
            .http_after(include_str!("scripts/http_other_session.js")),
        Step::new("endSession").after("pm.collectionVariables.set(\"other_access_token\", \"\");"),
        password_change(),
        password_reset(),
        reset_confirmation(),
        logout()
            .http_first(vec![login("account_email", "account_password").save("/access_token", "other_access_token")]),
        Step::new("getMe").save_header("ETag", "me_etag"),
        Step::new("updateMe").header("If-Match", "{{me_etag}}"),
        with_idempotency_key(creation(
            "createBucketlist",
            "bucketlist_id",
            &format!("{base}/bucketlists/{{{{bucketlist_id}}}}"),
        ))
        .before(TIMESTAMP)
        .body("/name", "Learn the cello {{timestamp}}"),
        Step::new("listBucketlists"),
        Step::new("getBucketlist").save_header("ETag", "bucketlist_etag"),
        conditional("replaceBucketlist", "bucketlist_etag")
            .before(TIMESTAMP)
            .body("/name", "See the world {{timestamp}}"),
        conditional("updateBucketlist", "bucketlist_etag")
            .before(TIMESTAMP)
            .body("/name", "See the whole world {{timestamp}}"),
        with_idempotency_key(creation(
            "createItem",
            "item_id",
            &format!("{base}/bucketlists/{{{{bucketlist_id}}}}/items/{{{{item_id}}}}"),
        )),
        with_idempotency_key(Step::new("createItems")),
        Step::new("listItems"),
        Step::new("getItem").save_header("ETag", "item_etag"),
        conditional("replaceItem", "item_etag"),
        conditional("updateItem", "item_etag"),
        Step::new("search").after(include_str!("scripts/search_results.js")),
        with_idempotency_key(creation("createExport", "export_id", &format!("{base}/exports/{{{{export_id}}}}"))),
        Step::new("getExport").after(include_str!("scripts/export_finished.js")).http_wait(1000),
        Step::new("getExportContent"),
        with_idempotency_key(Step::new("createImport")),
    ]);
    // The header captures this request as an incident, which the requests below read.
    steps.push(first_admin_only("listUsers", base).header("X-Debug-Capture", "1"));
    steps.extend(
        [
            "getUser",
            "updateUser",
            "listAuditEvents",
            "listUsage",
            "listDeprecations",
            "listIncidentGroups",
            "listReplayTargets",
            "listExports",
        ]
        .map(|operation| admin_only(operation, base)),
    );
    // Profiles are disabled by default.
    steps.push(failing_admin_only("recordProfile", base, 404, "PROFILING_DISABLED"));
    steps.push(admin_only("listIncidents", base).save("/data/0/id", "incident_id").http_wait(1000));
    steps.extend(
        ["getIncident", "exportIncidentForPostman", "exportIncidentForCurl", "exportIncidentAsHar"]
            .map(|operation| admin_only(operation, base)),
    );
    // No server has the name in the example.
    steps.push(failing_admin_only("replayIncident", base, 422, "VALIDATION_FAILED"));
    steps.push(admin_only("updateIncident", base).header("If-Match", "*"));
    steps.push(admin_only("resolveIncidentGroups", base));
    // The job of the export above, which is done.
    steps.push(admin_only("listJobs", base).query("kind", "export").save("/data/0/id", "job_id"));
    steps.push(admin_only("getJob", base));
    steps.extend(
        ["retryJob", "cancelJob"].map(|operation| failing_admin_only(operation, base, 409, "JOB_STATE_CONFLICT")),
    );
    steps.push(admin_only("listJobSchedules", base));
    steps.push(admin_only("runJobSchedule", base));
    let api_client = format!("{base}/admin/api-clients/{{{{api_client_id}}}}");
    steps.extend([
        with_idempotency_key(admin_only("createApiClient", base))
            .save("/id", "api_client_id")
            .save("/key", "api_key")
            .returns("Location", &api_client),
        admin_only("listApiClients", base),
        admin_only("getApiClient", base),
        admin_only("updateApiClient", base).header("If-Match", "*"),
        admin_only("rotateApiClientKey", base).save("/key", "api_key"),
    ]);
    steps.extend([
        Step::new("deleteItem").phase(TearDown).header("If-Match", "*"),
        Step::new("deleteBucketlist").phase(TearDown).header("If-Match", "*"),
        admin_only("deleteIncident", base).phase(TearDown).header("If-Match", "*"),
        admin_only("deleteJob", base).phase(TearDown).header("If-Match", "*"),
        admin_only("deleteApiClient", base)
            .phase(TearDown)
            .header("If-Match", "*")
            .after("pm.collectionVariables.set(\"api_key\", \"\");"),
        managed_user_deletion(base),
        // The same as `deleteMe`, which deletes the account.
        Step::new("deleteAccount")
            .phase(TearDown)
            .body("/password", "not-the-password")
            .expect(ExpectedResponse::Error(422, "WRONG_PASSWORD".to_owned())),
        Step::new("endSessions").phase(TearDown).after(include_str!("scripts/clear_session.js")),
        // The access token is no longer valid.
        account_deletion()
            .http_first(vec![login("account_email", "account_password").save("/access_token", "access_token")]),
    ]);
    steps
}

/// Inserts the base path of a version into a script.
pub(super) fn with_base_path(script: &str, base: &str) -> String {
    script.replace("{base}", base)
}

/// Creates an account, logs in and refreshes the session.
fn account_setup(location: &str) -> Vec<Step> {
    vec![
        Step::new("register")
            .phase(SetUp)
            .before(include_str!("scripts/new_account.js"))
            .body("/email", "{{account_email}}")
            .body("/password", "{{account_password}}")
            .save("/user/id", "user_id")
            .save("/access_token", "other_access_token")
            .returns("Location", location),
        token_operation(login("account_email", "account_password"))
            .phase(SetUp)
            .before(include_str!("scripts/account.js"))
            .save("/user/id", "user_id"),
        token_operation(Step::new("refreshSession")).body("/refresh_token", "{{refresh_token}}"),
    ]
}

/// A login with the values of these variables.
fn login(email: &str, password: &str) -> Step {
    Step::new("login").body("/email", &format!("{{{{{email}}}}}")).body("/password", &format!("{{{{{password}}}}}"))
}

/// Saves the tokens of the response. Without an administrator's account, requests for administrators have the same token.
fn token_operation(step: Step) -> Step {
    step.save("/access_token", "access_token")
        .save("/refresh_token", "refresh_token")
        .after(include_str!("scripts/token_expiry.js"))
        .http_after("client.global.set(\"admin_access_token\", response.body.access_token);\n")
}

fn password_change() -> Step {
    Step::new("changePassword")
        .body("/current_password", "{{account_password}}")
        .body("/new_password", "{{new_password}}")
        .after(include_str!("scripts/password_changed.js"))
        .http_after(include_str!("scripts/http_password_changed.js"))
}

fn password_reset() -> Step {
    Step::new("requestPasswordReset").body("/email", "{{account_email}}")
}

fn reset_confirmation() -> Step {
    Step::new("confirmPasswordReset")
        .expect(ExpectedResponse::SuccessWith {
            variables: vec!["reset_token".to_owned()],
            otherwise: (422, "INVALID_RESET_TOKEN".to_owned()),
        })
        .before(include_str!("scripts/reset_token.js"))
        .body("/token", "{{mailed_token}}")
        .body("/new_password", "{{new_password}}")
        .after(include_str!("scripts/password_changed.js"))
        .http_after(include_str!("scripts/http_password_changed.js"))
        .after(include_str!("scripts/clear_session.js"))
}

fn logout() -> Step {
    Step::new("logout")
        .token("other_access_token")
        .before(include_str!("scripts/logout.js"))
        .after(include_str!("scripts/logged_out.js"))
}

/// The first operation for administrators. In the `.http` file, requests log in and create the user that the others change.
fn first_admin_only(operation: &str, base: &str) -> Step {
    let login = login("admin_email", "admin_password").save("/access_token", "admin_access_token").expect(
        ExpectedResponse::SuccessWith {
            variables: vec!["admin_email".to_owned(), "admin_password".to_owned()],
            otherwise: (401, "INVALID_CREDENTIALS".to_owned()),
        },
    );
    let registration = Step::new("register")
        .body("/email", "managed.{{$guid}}@example.com")
        .body("/password", "{{$guid}}")
        .save("/user/id", "user_id");
    admin_only(operation, base).http_first(vec![login, registration])
}

/// An operation for administrators. Without an administrator's account, 403 is expected.
fn admin_only(operation: &str, base: &str) -> Step {
    Step::new(operation)
        .expect(ExpectedResponse::SuccessWith {
            variables: vec!["admin_email".to_owned(), "admin_password".to_owned()],
            otherwise: (403, "FORBIDDEN".to_owned()),
        })
        .token("admin_access_token")
        .before(&with_base_path(include_str!("scripts/admin.js"), base))
}

/// An operation for administrators that fails with this error.
fn failing_admin_only(operation: &str, base: &str, status: u16, code: &str) -> Step {
    admin_only(operation, base).expect(ExpectedResponse::ErrorWith {
        variables: vec!["admin_email".to_owned(), "admin_password".to_owned()],
        error: (status, code.to_owned()),
        otherwise: (403, "FORBIDDEN".to_owned()),
    })
}

fn managed_user_deletion(base: &str) -> Step {
    admin_only("deleteUser", base).phase(TearDown).after("pm.collectionVariables.set(\"managed_user_id\", \"\");")
}

fn account_deletion() -> Step {
    Step::new("deleteMe")
        .phase(TearDown)
        .body("/password", "{{account_password}}")
        .after(include_str!("scripts/clear_account.js"))
}

/// An operation that creates a resource. Saves its ID, and tests its `Location`.
fn creation(operation: &str, variable: &str, location: &str) -> Step {
    Step::new(operation).save("/id", variable).returns("Location", location)
}

/// Adds an idempotency key.
fn with_idempotency_key(step: Step) -> Step {
    step.header("Idempotency-Key", "{{$guid}}")
}

/// An update with the ETag of the last response in `If-Match`.
fn conditional(operation: &str, etag: &str) -> Step {
    Step::new(operation).header("If-Match", &format!("{{{{{etag}}}}}")).save_header("ETag", etag)
}
