//! Privileges that the server needs on PostgreSQL.

use bucketlist::db::{Target, migrations::Migrator};
use diesel::connection::SimpleConnection;
use poem::http::Method;

use crate::support::{Actor, Database, Engine, TestApp, json};

/// A role that may only select, insert, update and delete rows in one schema. Dropped with this value.
struct Role {
    name: String,
    owner: Migrator,
}

impl Role {
    fn in_schema_of(database: &Database) -> Self {
        let Target::Postgres(url) = &database.target else { panic!("not PostgreSQL") };
        let schema = url.split("search_path%3D").nth(1).unwrap();
        let name = format!("{schema}_server");
        let mut owner = database.migrator();
        let statements = format!(
            "CREATE ROLE {name} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION; \
             GRANT USAGE ON SCHEMA {schema} TO {name}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {name}; \
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {name};"
        );
        owner.connection().batch_execute(&statements).unwrap();
        Self { name, owner }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let statements = format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name);
        self.owner.connection().batch_execute(&statements).unwrap();
    }
}

/// Creates, reads, finds, changes and deletes a resource of every kind.
async fn exercise_every_resource(app: &TestApp) {
    let user = app.user().await;
    let list = user.create_bucketlist("Places").await;
    let item = user.create_item(list, "Lisbon").await;
    let path = format!("/v2/bucketlists/{list}/items/{item}");
    let read = user.get(&path).await.expect(200);
    let change = user.request(Method::PATCH, &path).header("if-match", read.header("etag"));
    change.merge_patch(&json!({"name": "Porto"})).send().await.expect(200);
    assert_eq!(user.get("/v2/search?q=porto").await.expect(200).json()["data"][0]["id"], item);
    let creation = user.request(Method::POST, "/v2/bucketlists").header("idempotency-key", "once");
    creation.json(&json!({"name": "Named"})).send().await.expect(201);
    user.delete(&path).await.expect(204);

    let body = json!({"refresh_token": user.refresh_token()});
    app.anonymous().post("/v2/auth/refresh", &body).await.expect(200);
    app.anonymous().post("/v2/auth/password-reset", &json!({"email": user.email()})).await.expect(202);
    user.request(Method::POST, "/v2/auth/logout").send().await.expect(204);
    app.run_jobs().await;
    assert_eq!(app.mailer.take().len(), 1);

    let admin = app.admin().await;
    admin.get("/v2/admin/audit").await.expect(200);
    let panic = admin.request(Method::GET, "/v2/auth/sessions").header("x-fault", "panic");
    panic.send().await.expect(500);
    app.flush_incidents().await;
    let incidents = admin.get("/v2/admin/incidents").await.expect(200).json();
    let incident = format!("/v2/admin/incidents/{}", incidents["data"][0]["id"]);
    admin.request(Method::DELETE, &incident).send().await.expect(204);
    let other = app.user().await;
    let delete = other.request(Method::DELETE, "/v1/users/me").json(&json!({"password": Actor::PASSWORD}));
    delete.send().await.expect(204);
    app.anonymous().get("/health/ready").await.expect(200);
}

#[tokio::test]
async fn postgresql_role_needs_only_row_privileges() {
    let mut database = Database::new(Engine::Postgres);
    let role = Role::in_schema_of(&database);
    let Target::Postgres(url) = database.target.clone() else { unreachable!("the target is PostgreSQL") };
    database.target = Target::Postgres(format!("{url}%20-crole%3D{}", role.name));
    for statement in ["CREATE TABLE t (n int)", "DROP TABLE users", "TRUNCATE users", "CREATE ROLE other"] {
        let error = database.migrator().connection().batch_execute(statement).unwrap_err().to_string();
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{statement}: {error}");
    }
    let app = TestApp::builder().database(database).build();
    exercise_every_resource(&app).await;
}
