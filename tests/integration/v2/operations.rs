//! Operations of both documents, for tests that iterate over all of them.

use ::contract::{v1, v2};
use openapi_model::Operation;

use crate::support::{Actor, RequestBuilder, TestApp, UncheckedResponse, Value, method, request_schema};

/// IDs of resources for path parameters.
#[derive(Clone, Copy, Debug)]
pub struct ResourceIds {
    pub list: i64,
    pub item: i64,
    pub user: i64,
    pub session: i64,
    pub export: i64,
    pub incident: i64,
    pub api_client: i64,
    pub job: i64,
}

impl ResourceIds {
    /// IDs that do not exist.
    pub const NONEXISTENT: Self = Self {
        list: 999_999,
        item: 999_999,
        user: 999_999,
        session: 999_999,
        export: 999_999,
        incident: 999_999,
        api_client: 999_999,
        job: 999_999,
    };

    /// Creates a bucketlist, an item and an export of this user. The other IDs are that of the current session and IDs that do not exist.
    pub async fn create(user: &Actor<'_>) -> Self {
        let list = user.create_bucketlist("See the world").await;
        let item = user.create_item(list, "Walk the Camino").await;
        let session = user.get("/v2/auth/sessions").await.expect(200).json()["data"][0]["id"].as_i64().unwrap();
        let export = user.create_export("json").await;
        // No request has been captured, only administrators create API clients, and completed jobs are deleted.
        Self { list, item, user: user.id(), session, export, incident: 999_999, api_client: 999_999, job: 999_999 }
    }

    /// Returns the path of an operation of either version.
    pub fn path(&self, operation: &Operation) -> String {
        let mut path = operation.path.clone();
        for (name, id) in [
            ("bucketlist_id", self.list),
            ("item_id", self.item),
            ("user_id", self.user),
            ("session_id", self.session),
            ("export_id", self.export),
            ("incident_id", self.incident),
            ("api_client_id", self.api_client),
            ("job_id", self.job),
        ] {
            path = path.replace(&format!("{{{name}}}"), &id.to_string());
        }
        // Schedules have names instead of IDs, and exist only after a worker has started.
        path = path.replace("{schedule_name}", "no_such_task");
        assert!(!path.contains('{'), "{path}: unknown path parameter");
        path
    }
}

/// Returns every operation of both versions.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    v1::contract().operations().chain(v2::contract().operations())
}

/// Builds a request with the example body in the document.
pub fn request<'a>(actor: &Actor<'a>, operation: &Operation, path: &str) -> RequestBuilder<'a> {
    let request = actor.request(method(operation), path);
    match operation.request_media_types.first() {
        Some(media_type) => {
            let body = request_schema(operation)["example"].to_string();
            request.header("content-type", media_type).bytes(body)
        }
        None => request,
    }
}

/// Sends a request with the example body in the document.
pub async fn send(actor: &Actor<'_>, operation: &Operation, path: &str, accept: &str) -> UncheckedResponse {
    request(actor, operation, path).header("accept", accept).send().await
}

/// Reads the profile, bucketlists, items, sessions and search results of the caller, to compare them with later reads.
pub async fn read_resources(actor: &Actor<'_>, ids: ResourceIds) -> Vec<Value> {
    let list = format!("/v2/bucketlists/{}", ids.list);
    let mut bodies = Vec::new();
    for path in [
        "/v2/users/me".to_owned(),
        "/v2/bucketlists?include=items,total".to_owned(),
        format!("{list}/items?include=total"),
        format!("{list}/items/{}", ids.item),
        "/v2/auth/sessions".to_owned(),
        "/v2/search?q=w".to_owned(),
    ] {
        bodies.push(actor.get(&path).await.expect(200).json());
    }
    bodies
}

/// Sends a request without checking the response against the document; returns the status and `Allow`.
pub async fn status_and_allow(app: &TestApp, actor: &Actor<'_>, method: &str, path: &str) -> (u16, Option<String>) {
    let mut request = poem::Request::builder().method(method.parse().unwrap()).uri_str(path);
    if actor.session.is_some() {
        request = request.header("authorization", format!("Bearer {}", actor.token()));
    }
    let response = app.call(request.finish()).await;
    let allow = response.headers().get("allow").map(|allow| allow.to_str().unwrap().to_owned());
    (response.status().as_u16(), allow)
}
