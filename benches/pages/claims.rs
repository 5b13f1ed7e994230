//! The performance claims, one function each.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bucketlist::{
    app::App,
    seed::{ADMIN_EMAIL, ADMIN_PASSWORD, DUMMY_PASSWORD},
};
use poem::{
    Endpoint, Request,
    http::{HeaderMap, Method},
};
use serde_json::Value;

use crate::{
    data::{LARGE_USER, SMALL_USER},
    report::EngineReport,
    support,
};

/// Number of requests of each kind in a comparison.
const ROUNDS: usize = 1_000;
/// Number of rows before page 10,000 of 20 rows.
const ROWS_BEFORE_DEEP_PAGE: usize = 9_999 * 20;

/// Three apps over one database (without response cache, with response cache, and with response cache and exclusive
/// database) and the users who send requests.
pub(crate) struct Server {
    app: App,
    caching: App,
    exclusive: App,
    /// A user with ten bucketlists of 1,000 items, and one of these bucketlists.
    small: User,
    /// The user with the long bucketlist.
    large: User,
}

struct User {
    token: String,
    list: String,
}

/// A request that can be repeated.
#[derive(Clone)]
struct Call<'a> {
    method: Method,
    path: String,
    user: &'a User,
    if_none_match: Option<String>,
    body: Option<&'static str>,
    /// The expected status.
    status: u16,
}

struct MeasuredResponse {
    elapsed: Duration,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Server {
    pub(crate) async fn new([app, caching, exclusive]: [App; 3]) -> Self {
        let admin = support::log_in(&app, ADMIN_EMAIL, ADMIN_PASSWORD).await;
        let admin = User { token: admin, list: String::new() };
        let [small, large] = [find_user(&app, &admin, SMALL_USER).await, find_user(&app, &admin, LARGE_USER).await];
        Self { app, caching, exclusive, small, large }
    }
}

async fn find_user(app: &App, admin: &User, q: &str) -> User {
    let found = get(format!("/v2/admin/users?q={q}"), admin).send(app).await.json();
    let email = found["data"][0]["email"].as_str().unwrap();
    let mut user = User { token: support::log_in(app, email, DUMMY_PASSWORD).await, list: String::new() };
    let lists = get("/v2/bucketlists", &user).send(app).await.json();
    user.list = format!("/v2/bucketlists/{}", lists["data"][0]["id"]);
    user
}

fn get(path: impl Into<String>, user: &User) -> Call<'_> {
    Call { method: Method::GET, path: path.into(), user, if_none_match: None, body: None, status: 200 }
}

impl Call<'_> {
    async fn send(&self, app: &App) -> MeasuredResponse {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri_str(&self.path)
            .header("authorization", &self.user.token)
            .header("accept", "application/json");
        if let Some(etag) = &self.if_none_match {
            request = request.header("if-none-match", etag);
        }
        let request = match self.body {
            Some(body) => request.content_type("application/json").body(body),
            None => request.finish(),
        };
        let started = Instant::now();
        let response = app.endpoint.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.into_bytes().await.unwrap();
        let elapsed = started.elapsed();
        assert_eq!(parts.status.as_u16(), self.status, "{}: {}", self.path, String::from_utf8_lossy(&body));
        MeasuredResponse { elapsed, headers: parts.headers, body: body.to_vec() }
    }

    /// Returns the same call with the current ETag in `If-None-Match`.
    async fn conditional(&self, app: &App) -> Self {
        let etag = self.send(app).await.headers["etag"].to_str().unwrap().to_owned();
        Self { if_none_match: Some(etag), status: 304, ..self.clone() }
    }
}

impl MeasuredResponse {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends two calls alternately and returns their median times.
async fn alternate(first: (&App, &Call<'_>), second: (&App, &Call<'_>)) -> (Duration, Duration) {
    let mut times = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + ROUNDS / 10 {
        let elapsed = (first.1.send(first.0).await.elapsed, second.1.send(second.0).await.elapsed);
        // The first tenth warms up caches.
        if round >= ROUNDS / 10 {
            times.0.push(elapsed.0);
            times.1.push(elapsed.1);
        }
    }
    (percentile(times.0, 50), percentile(times.1, 50))
}

fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).saturating_sub(1)]
}

/// A deep page takes as long as the first page.
pub(crate) async fn deep_pages(server: &Server, engine: &mut EngineReport<'_>) {
    let user = &server.large;
    for sort in ["created_at", "-created_at", "updated_at", "name"] {
        let first = get(format!("{}/items?per_page=20&sort={sort}", user.list), user);
        // Cursors do not depend on the page size; large pages reduce the number of requests.
        let mut path = first.path.replace("per_page=20", "per_page=100");
        for _ in 0..ROWS_BEFORE_DEEP_PAGE / 100 {
            path = next(&server.app, path, user).await;
        }
        path = path.replace("per_page=100", "per_page=20");
        for _ in 0..ROWS_BEFORE_DEEP_PAGE % 100 / 20 {
            path = next(&server.app, path, user).await;
        }
        let deep = get(path, user);
        let page = deep.send(&server.app).await.json();
        assert_eq!((page["data"].as_array().unwrap().len(), &page["meta"]["has_more"]), (20, &Value::Bool(true)));
        let (deep, first) = alternate((&server.app, &deep), (&server.app, &first)).await;
        engine.ratio(format!("page 10,000 : page 1, sort={sort}"), deep, first, Some(1.2));
    }
}

async fn next(app: &App, path: String, user: &User) -> String {
    get(path, user).send(app).await.json()["links"]["next"].as_str().unwrap().to_owned()
}

/// Searches are fast for every query. Times include the first request of each query.
pub(crate) async fn search(server: &Server, engine: &mut EngineReport<'_>) {
    // The claim is about the first user; the second shows how the time grows with the number of items.
    for (user, items, limit) in [(&server.small, "10,000", Some(10.0)), (&server.large, "200,100", None)] {
        let queries = queries(&server.app, user).await;
        assert!(queries.len() >= 200);
        let mut times = Vec::new();
        for query in &queries {
            let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
            let call = get(format!("/v2/search?q={query}"), user);
            for _ in 0..3 {
                times.push(call.send(&server.app).await.elapsed);
            }
        }
        let label = format!("{} searches, three times each, by the owner of {items} items", queries.len());
        engine.time(format!("{label}, median"), percentile(times.clone(), 50), None);
        engine.time(format!("{label}, 95th percentile"), percentile(times, 95), limit);
    }
}

/// Returns queries from the names of the user's items: words, prefixes of words, pairs of words, and all first letters.
async fn queries(app: &App, user: &User) -> BTreeSet<String> {
    let page = get(format!("{}/items?per_page=100", user.list), user).send(app).await.json();
    let mut queries = BTreeSet::new();
    for item in page["data"].as_array().unwrap() {
        let name = item["name"].as_str().unwrap().to_lowercase();
        let words: Vec<&str> = name.split_whitespace().collect();
        for word in &words {
            queries.extend([1, 2, 3, usize::MAX].map(|length| word.chars().take(length).collect()));
        }
        queries.insert(words.iter().take(2).copied().collect::<Vec<_>>().join(" "));
        queries.insert(words.iter().map(|word| word.chars().take(1).collect::<String>() + " ").collect());
    }
    queries
}

/// Including the first hundred items takes little longer than listing them.
pub(crate) async fn nested_items(server: &Server, engine: &mut EngineReport<'_>) {
    let (app, user) = (&server.app, &server.small);
    let nested = get(format!("{}?include=items", user.list), user);
    let items = get(format!("{}/items?per_page=100", user.list), user);
    let (nested, items) = alternate((app, &nested), (app, &items)).await;
    engine.ratio("getBucketlist?include=items : listItems of the same 100", nested, items, Some(2.0));
    let lists = get("/v2/bucketlists", user);
    let nested = get("/v2/bucketlists?include=items", user);
    let (all, plain) = alternate((app, &nested), (app, &lists)).await;
    engine.ratio("listBucketlists?include=items, 1,000 items : 10 lists alone", all, plain, None);
    engine.ratio("listBucketlists?include=items : the 11 equivalent requests", all, plain + items * 10, Some(2.0));
}

/// A 304 takes as long as a handler that does nothing. Since every operation authenticates its caller, the baseline is an
/// operation that rejects the caller after authentication. A request without authentication is reported for comparison.
pub(crate) async fn not_modified(server: &Server, engine: &mut EngineReport<'_>) {
    let user = &server.small;
    let baseline = Call { status: 403, ..get("/v2/admin/users", user) };
    let anonymous = get("/health/live", user);
    for (app, database) in [(&server.caching, "shared database"), (&server.exclusive, "exclusive database")] {
        for (name, path) in [("one bucketlist", user.list.clone()), ("a page of 20", format!("{}/items", user.list))] {
            let known = get(path, user).conditional(app).await;
            let (not_modified, rejected) = alternate((app, &known), (app, &baseline)).await;
            engine.ratio(
                format!("{database}, 304 for {name} : 403 after authentication"),
                not_modified,
                rejected,
                Some(1.3),
            );
            let (not_modified, anonymous) = alternate((app, &known), (app, &anonymous)).await;
            engine.ratio(
                format!("{database}, 304 for {name} : GET /health/live without authentication"),
                not_modified,
                anonymous,
                None,
            );
        }
    }
}

/// The response cache saves time.
pub(crate) async fn cache(server: &Server, engine: &mut EngineReport<'_>) {
    let user = &server.small;
    for (name, path) in [("one bucketlist", user.list.clone()), ("a page of 20", format!("{}/items", user.list))] {
        let call = get(path, user);
        let (cached, computed) = alternate((&server.caching, &call), (&server.app, &call)).await;
        engine.ratio(format!("{name}, cached : computed"), cached, computed, None);
    }
}

/// Compares v2 with v1.
pub(crate) async fn versions(server: &Server, engine: &mut EngineReport<'_>) {
    let (app, user) = (&server.app, &server.small);
    for (name, path) in [
        ("one bucketlist", user.list.clone()),
        ("10 bucketlists", "/v2/bucketlists".to_owned()),
        ("a page of 20 items", format!("{}/items", user.list)),
    ] {
        let (v2, v1) = (get(path.clone(), user), get(path.replace("/v2", "/v1"), user));
        let (v2, v1) = alternate((app, &v2), (app, &v1)).await;
        engine.ratio(format!("{name}, v2 : v1"), v2, v1, None);
    }
}

/// Measures the time to create an item, including all writes.
pub(crate) async fn writes(server: &Server, engine: &mut EngineReport<'_>) {
    let user = &server.small;
    let body = Some(r#"{"name":"See the northern lights from Tromso","description":"Before it is too late."}"#);
    let call = Call { method: Method::POST, body, status: 201, ..get(format!("{}/items", user.list), user) };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(call.send(&server.app).await.elapsed);
    }
    engine.time("createItem", percentile(times, 50), None);
}
