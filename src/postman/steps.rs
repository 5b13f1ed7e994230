//! In which order the operations run, and what each needs.

use openapi_postman::{
    Expect,
    Place::{SetUp, TearDown},
    Step,
};

/// The steps of v1.
pub(super) fn v1(base: &str) -> Vec<Step> {
    let mut steps = account("/v1/users/{{user_id}}");
    steps.extend([logout(), password_change(), password_reset(), reset_confirmation()]);
    steps.extend([Step::new("getMe"), Step::new("updateMe")]);
    steps.extend(["listUsers", "getUser", "updateUser"].map(|operation| for_admins(operation, base)));
    steps.extend([
        created("createBucketlist", "bucketlist_id", &format!("{base}/bucketlists/{{{{bucketlist_id}}}}"))
            .body("/name", "Learn the cello {{$timestamp}}"),
        Step::new("listBucketlists"),
        Step::new("getBucketlist"),
        Step::new("replaceBucketlist").body("/name", "See the world {{$timestamp}}"),
        created("createItem", "item_id", &format!("{base}/bucketlists/{{{{bucketlist_id}}}}/items/{{{{item_id}}}}")),
        Step::new("listItems"),
        Step::new("getItem"),
        Step::new("replaceItem"),
        Step::new("deleteItem").at(TearDown),
        Step::new("deleteBucketlist").at(TearDown),
        guest_deletion(base),
        account_deletion(),
    ]);
    steps
}

/// The steps of v2: conditional and repeated requests are sent as such.
pub(super) fn v2(base: &str) -> Vec<Step> {
    let mut steps = account("/v2/users/me");
    steps.extend([
        Step::new("listSessions").after(include_str!("scripts/other_session.js")),
        Step::new("endSession").after("pm.collectionVariables.set(\"other_access_token\", \"\");"),
        password_change(),
        password_reset(),
        reset_confirmation(),
        logout(),
        Step::new("getMe").save_header("ETag", "me_etag"),
        Step::new("updateMe").header("If-Match", "{{me_etag}}"),
        once(created("createBucketlist", "bucketlist_id", &format!("{base}/bucketlists/{{{{bucketlist_id}}}}")))
            .body("/name", "Learn the cello {{$timestamp}}"),
        Step::new("listBucketlists"),
        Step::new("getBucketlist").save_header("ETag", "bucketlist_etag"),
        changed("replaceBucketlist", "bucketlist_etag").body("/name", "See the world {{$timestamp}}"),
        changed("updateBucketlist", "bucketlist_etag").body("/name", "See the whole world {{$timestamp}}"),
        once(created(
            "createItem",
            "item_id",
            &format!("{base}/bucketlists/{{{{bucketlist_id}}}}/items/{{{{item_id}}}}"),
        )),
        once(Step::new("createItems")),
        Step::new("listItems"),
        Step::new("getItem").save_header("ETag", "item_etag"),
        changed("replaceItem", "item_etag"),
        changed("updateItem", "item_etag"),
        Step::new("search").after(include_str!("scripts/found.js")),
        once(created("createExport", "export_id", &format!("{base}/exports/{{{{export_id}}}}"))),
        Step::new("getExport").after(include_str!("scripts/export_finished.js")),
        Step::new("getExportContent"),
    ]);
    // The first one is kept as an incident, because it says so: the requests after it find it.
    steps.push(for_admins("listUsers", base).header("X-Debug-Capture", "1"));
    steps.extend(
        ["getUser", "updateUser", "listAuditEvents", "listIncidentGroups"].map(|operation| for_admins(operation, base)),
    );
    steps.push(for_admins("listIncidents", base).save("/data/0/id", "incident_id"));
    steps.extend(
        ["getIncident", "exportIncidentForPostman", "exportIncidentForCurl", "exportIncidentAsHar"]
            .map(|operation| for_admins(operation, base)),
    );
    steps.push(for_admins("updateIncident", base).header("If-Match", "*"));
    steps.extend([
        Step::new("deleteItem").at(TearDown).header("If-Match", "*"),
        Step::new("deleteBucketlist").at(TearDown).header("If-Match", "*"),
        for_admins("deleteIncident", base).at(TearDown).header("If-Match", "*"),
        guest_deletion(base),
        Step::new("endSessions").at(TearDown).after(include_str!("scripts/forget_session.js")),
        account_deletion(),
    ]);
    steps
}

/// A script of one version.
pub(super) fn script(text: &str, base: &str) -> String {
    text.replace("{base}", base)
}

/// Somebody to be, who logs in.
fn account(location: &str) -> Vec<Step> {
    vec![
        Step::new("register")
            .at(SetUp)
            .before(include_str!("scripts/new_account.js"))
            .body("/email", "{{account_email}}")
            .body("/password", "{{account_password}}")
            .save("/user/id", "user_id")
            .save("/access_token", "other_access_token")
            .returns("Location", location),
        session("login")
            .at(SetUp)
            .before(include_str!("scripts/account.js"))
            .body("/email", "{{account_email}}")
            .body("/password", "{{account_password}}")
            .save("/user/id", "user_id"),
        session("refreshSession").body("/refresh_token", "{{refresh_token}}"),
    ]
}

/// What answers with tokens.
fn session(operation: &str) -> Step {
    Step::new(operation)
        .save("/access_token", "access_token")
        .save("/refresh_token", "refresh_token")
        .after(include_str!("scripts/expiry.js"))
}

fn password_change() -> Step {
    Step::new("changePassword")
        .body("/current_password", "{{account_password}}")
        .body("/new_password", "{{new_password}}")
        .after(include_str!("scripts/password_changed.js"))
}

fn password_reset() -> Step {
    Step::new("requestPasswordReset").body("/email", "{{account_email}}")
}

fn reset_confirmation() -> Step {
    Step::new("confirmPasswordReset")
        .expect(Expect::SuccessWith {
            variables: vec!["reset_token".to_owned()],
            otherwise: (422, "INVALID_RESET_TOKEN".to_owned()),
        })
        .before(include_str!("scripts/reset_token.js"))
        .body("/token", "{{mailed_token}}")
        .body("/new_password", "{{new_password}}")
        .after(include_str!("scripts/password_changed.js"))
        .after(include_str!("scripts/forget_session.js"))
}

fn logout() -> Step {
    Step::new("logout")
        .token("other_access_token")
        .before(include_str!("scripts/logout.js"))
        .after(include_str!("scripts/logged_out.js"))
}

/// As an administrator where the run has one; refused where it has none.
fn for_admins(operation: &str, base: &str) -> Step {
    Step::new(operation)
        .expect(Expect::SuccessWith {
            variables: vec!["admin_email".to_owned(), "admin_password".to_owned()],
            otherwise: (403, "FORBIDDEN".to_owned()),
        })
        .token("admin_access_token")
        .before(&script(include_str!("scripts/admin.js"), base))
}

fn guest_deletion(base: &str) -> Step {
    for_admins("deleteUser", base).at(TearDown).after("pm.collectionVariables.set(\"guest_id\", \"\");")
}

fn account_deletion() -> Step {
    Step::new("deleteMe")
        .at(TearDown)
        .body("/password", "{{account_password}}")
        .after(include_str!("scripts/forget_account.js"))
}

/// What makes something new, says where it is, and is needed by the requests after it.
fn created(operation: &str, variable: &str, location: &str) -> Step {
    Step::new(operation).save("/id", variable).returns("Location", location)
}

/// Can be sent again without doing it twice.
fn once(step: Step) -> Step {
    step.header("Idempotency-Key", "{{$guid}}")
}

/// Changes only what was seen last.
fn changed(operation: &str, tag: &str) -> Step {
    Step::new(operation).header("If-Match", &format!("{{{{{tag}}}}}")).save_header("ETag", tag)
}
