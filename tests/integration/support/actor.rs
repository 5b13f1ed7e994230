//! Actors and the requests they send.

use poem::{
    Body, Request,
    http::{HeaderName, HeaderValue, Method, Uri, header},
};

use super::{TestApp, TestResponse, UncheckedResponse, Value, json};

/// A client of the API, with or without a session.
pub struct Actor<'a> {
    app: &'a TestApp,
    /// The response body of `register` or `login`.
    pub session: Option<Value>,
    /// The key of an API client.
    pub api_key: Option<String>,
}

impl<'a> Actor<'a> {
    /// Password of every actor.
    pub const PASSWORD: &'static str = "harbour-lantern-42";

    pub fn new(app: &'a TestApp, session: Option<Value>) -> Self {
        Self { app, session, api_key: None }
    }

    /// Returns an API client with this key.
    pub fn with_api_key(app: &'a TestApp, key: &str) -> Self {
        Self { app, session: None, api_key: Some(key.to_owned()) }
    }

    pub fn id(&self) -> i64 {
        self.session.as_ref().unwrap()["user"]["id"].as_i64().unwrap()
    }

    pub fn email(&self) -> String {
        self.session.as_ref().unwrap()["user"]["email"].as_str().unwrap().to_owned()
    }

    pub fn token(&self) -> String {
        self.session.as_ref().unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    pub fn refresh_token(&self) -> String {
        self.session.as_ref().unwrap()["refresh_token"].as_str().unwrap().to_owned()
    }

    /// Starts a request with this actor's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder<'a> {
        let builder = RequestBuilder { app: self.app, method, path: path.to_owned(), headers: Vec::new(), body: None };
        match (&self.session, &self.api_key) {
            (Some(_), _) => builder.header("authorization", &format!("Bearer {}", self.token())),
            (None, Some(key)) => builder.header("x-api-key", key),
            (None, None) => builder,
        }
    }

    pub async fn get(&self, path: &str) -> UncheckedResponse {
        self.request(Method::GET, path).send().await
    }

    pub async fn delete(&self, path: &str) -> UncheckedResponse {
        self.request(Method::DELETE, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> UncheckedResponse {
        self.request(Method::POST, path).json(body).send().await
    }

    pub async fn put(&self, path: &str, body: &Value) -> UncheckedResponse {
        self.request(Method::PUT, path).json(body).send().await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> UncheckedResponse {
        self.request(Method::PATCH, path).json(body).send().await
    }

    /// Creates a bucketlist and returns its id.
    pub async fn create_bucketlist(&self, name: &str) -> i64 {
        let response = self.post("/v1/bucketlists", &json!({"name": name})).await.expect(201);
        response.json()["id"].as_i64().unwrap()
    }

    /// Creates an item and returns its id.
    pub async fn create_item(&self, bucketlist_id: i64, name: &str) -> i64 {
        let path = format!("/v1/bucketlists/{bucketlist_id}/items");
        self.post(&path, &json!({"name": name})).await.expect(201).json()["id"].as_i64().unwrap()
    }

    /// Captures a request of this administrator as an incident and returns its id.
    pub async fn capture_incident(&self) -> i64 {
        self.request(Method::GET, "/v2/users/me").header("x-debug-capture", "1").send().await.expect(200);
        self.app.flush_incidents().await;
        self.get("/v2/admin/incidents").await.expect(200).json()["data"][0]["id"].as_i64().unwrap()
    }

    /// Creates an API client of another account as this administrator; returns the response body.
    pub async fn create_api_client(&self, user_id: i64, scopes: &[&str]) -> Value {
        let body = json!({"name": "Sync", "contact_email": "sync@example.com", "user_id": user_id, "scopes": scopes});
        self.post("/v2/admin/api-clients", &body).await.expect(201).json()
    }

    /// Enqueues a job as this administrator and returns its id.
    pub async fn enqueue_job(&self) -> i64 {
        self.post("/v2/exports", &json!({})).await.expect(202);
        self.get("/v2/admin/jobs").await.expect(200).json()["data"][0]["id"].as_i64().unwrap()
    }

    /// Creates an export, runs its job and returns its id.
    pub async fn create_export(&self, format: &str) -> i64 {
        let response = self.post("/v2/exports", &json!({"format": format})).await.expect(202);
        self.app.run_jobs().await;
        response.json()["id"].as_i64().unwrap()
    }
}

/// Builds a request.
#[must_use]
pub struct RequestBuilder<'a> {
    app: &'a TestApp,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Vec<u8>>,
}

impl RequestBuilder<'_> {
    /// Sets a header, replacing earlier values.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        self
    }

    /// Adds a header, preserving earlier values.
    pub fn append_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        self
    }

    /// Sets a JSON merge patch as the body.
    pub fn merge_patch(self, body: &Value) -> Self {
        self.header("content-type", "application/merge-patch+json").bytes(body.to_string())
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").bytes(body.to_string())
    }

    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub async fn send(self) -> UncheckedResponse {
        let mut request =
            Request::builder().method(self.method.clone()).uri(self.path.parse::<Uri>().unwrap()).finish();
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        if let Some(body) = self.body {
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            request.set_body(Body::from(body));
        }
        let response = self.app.call(request).await;
        // The documents contain no base path.
        let base_path = contract::BasePath::new(self.app.config.base_path());
        let path = base_path.strip(&self.path).unwrap_or(&self.path).to_owned();
        UncheckedResponse(TestResponse::read(self.method, path, response).await)
    }
}
