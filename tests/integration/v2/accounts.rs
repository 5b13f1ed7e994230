//! Accounts in v2: the rules are v1's, said as problems.

use crate::{
    accounts::mailed_token,
    support::{Actor, TestApp, json},
};

both_engines! {
    async fn what_an_account_must_not_do_is_a_problem(engine: Engine) {
        let app = TestApp::on(engine).await;
        let (admin, user, anonymous) = (app.admin().await, app.user().await, app.anonymous());
        let newcomer = json!({"email": user.email(), "password": Actor::PASSWORD, "name": "Ada"});
        anonymous.post("/v2/auth/register", &newcomer).await.expect_error(409, "EMAIL_TAKEN");

        let goodbye = json!({"password": Actor::PASSWORD});
        let last = admin.request(poem::http::Method::DELETE, "/v2/users/me").json(&goodbye).send().await;
        last.expect_error(409, "LAST_ADMIN");
        admin.get("/v2/users/me").await.expect(200);

        admin.patch(&format!("/v2/admin/users/{}", user.id()), &json!({"disabled": true})).await.expect(200);
        let refresh = json!({"refresh_token": user.refresh_token()});
        anonymous.post("/v2/auth/refresh", &refresh).await.expect_error(403, "ACCOUNT_DISABLED");
    }

    async fn a_mailed_token_sets_a_password_once(engine: Engine) {
        let app = TestApp::on(engine).await;
        let (user, anonymous) = (app.user().await, app.anonymous());
        let confirm = "/v2/auth/password-reset/confirm";
        let body = json!({"token": mailed_token(&app, &user.email()).await, "new_password": "marble-kettle-77"});
        anonymous.post(confirm, &body).await.expect(204);
        anonymous.post(confirm, &body).await.expect_error(422, "INVALID_RESET_TOKEN");
        let login = json!({"email": user.email(), "password": "marble-kettle-77"});
        anonymous.post("/v2/auth/login", &login).await.expect(200);
        user.get("/v2/users/me").await.expect_error(401, "INVALID_TOKEN");
    }

    async fn a_list_is_not_renamed_to_another(engine: Engine) {
        let app = TestApp::on(engine).await;
        let user = app.user().await;
        user.bucketlist("Learn").await;
        let path = format!("/v2/bucketlists/{}", user.bucketlist("See the world").await);
        let rename = user.request(poem::http::Method::PATCH, &path).merge_patch(&json!({"name": "Learn"}));
        rename.send().await.expect_error(409, "BUCKETLIST_NAME_TAKEN");
        assert_eq!(user.get(&path).await.expect(200).json()["name"], "See the world");
    }
}
