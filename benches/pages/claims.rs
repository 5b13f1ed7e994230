//! The claims, one function each.

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
    data::{ONE_OF_MANY, THE_ONE},
    report::Engine,
    support,
};

/// How often each of two things is asked that are compared.
const ROUNDS: usize = 1_000;
/// Page 10,000 of 20 comes after so many rows.
const DEEP: usize = 9_999 * 20;

/// An app that remembers no answers, one that does, and one that does and has its database for itself; over the same database,
/// and who asks them.
pub(crate) struct Server {
    app: App,
    caching: App,
    alone: App,
    /// One of the users with ten lists, and one of these.
    someone: User,
    /// The user with the long list, and that.
    the_one: User,
}

struct User {
    token: String,
    list: String,
}

/// Something to be asked.
#[derive(Clone)]
struct Call<'a> {
    method: Method,
    path: String,
    user: &'a User,
    if_none_match: Option<String>,
    body: Option<&'static str>,
    /// What the answer must be.
    status: u16,
}

struct Answer {
    took: Duration,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Server {
    pub(crate) async fn over([app, caching, alone]: [App; 3]) -> Self {
        let admin = support::log_in(&app, ADMIN_EMAIL, ADMIN_PASSWORD).await;
        let admin = User { token: admin, list: String::new() };
        let [someone, the_one] = [user(&app, &admin, ONE_OF_MANY).await, user(&app, &admin, THE_ONE).await];
        Self { app, caching, alone, someone, the_one }
    }
}

async fn user(app: &App, admin: &User, name: &str) -> User {
    let found = get(format!("/v2/admin/users?q={name}"), admin).answer(app).await.json();
    let email = found["data"][0]["email"].as_str().unwrap();
    let mut user = User { token: support::log_in(app, email, DUMMY_PASSWORD).await, list: String::new() };
    let lists = get("/v2/bucketlists", &user).answer(app).await.json();
    user.list = format!("/v2/bucketlists/{}", lists["data"][0]["id"]);
    user
}

fn get(path: impl Into<String>, user: &User) -> Call<'_> {
    Call { method: Method::GET, path: path.into(), user, if_none_match: None, body: None, status: 200 }
}

impl Call<'_> {
    async fn answer(&self, app: &App) -> Answer {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri_str(&self.path)
            .header("authorization", &self.user.token)
            .header("accept", "application/json");
        if let Some(tag) = &self.if_none_match {
            request = request.header("if-none-match", tag);
        }
        let request = match self.body {
            Some(body) => request.content_type("application/json").body(body),
            None => request.finish(),
        };
        let started = Instant::now();
        let response = app.endpoint.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.into_bytes().await.unwrap();
        let took = started.elapsed();
        assert_eq!(parts.status.as_u16(), self.status, "{}: {}", self.path, String::from_utf8_lossy(&body));
        Answer { took, headers: parts.headers, body: body.to_vec() }
    }

    /// The same, of somebody who has the answer already.
    async fn again(&self, app: &App) -> Self {
        let tag = self.answer(app).await.headers["etag"].to_str().unwrap().to_owned();
        Self { if_none_match: Some(tag), status: 304, ..self.clone() }
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What two calls take, asked in turns.
async fn in_turns(this: (&App, &Call<'_>), that: (&App, &Call<'_>)) -> (Duration, Duration) {
    let mut times = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + ROUNDS / 10 {
        let (one, other) = (this.1.answer(this.0).await.took, that.1.answer(that.0).await.took);
        // The first ones find nothing where they look for it.
        if round >= ROUNDS / 10 {
            times.0.push(one);
            times.1.push(other);
        }
    }
    (percentile(times.0, 50), percentile(times.1, 50))
}

fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).saturating_sub(1)]
}

/// However deep a page is, it costs what the first one costs.
pub(crate) async fn deep_pages(server: &Server, engine: &mut Engine<'_>) {
    let user = &server.the_one;
    for sort in ["created_at", "-created_at", "updated_at", "name"] {
        let first = get(format!("{}/items?per_page=20&sort={sort}", user.list), user);
        // Cursors are good for pages of any length: the way is shorter with long ones.
        let mut path = first.path.replace("per_page=20", "per_page=100");
        for _ in 0..DEEP / 100 {
            path = next(&server.app, path, user).await;
        }
        path = path.replace("per_page=100", "per_page=20");
        for _ in 0..DEEP % 100 / 20 {
            path = next(&server.app, path, user).await;
        }
        let deep = get(path, user);
        let page = deep.answer(&server.app).await.json();
        assert_eq!((page["data"].as_array().unwrap().len(), &page["meta"]["has_more"]), (20, &Value::Bool(true)));
        let (deep, first) = in_turns((&server.app, &deep), (&server.app, &first)).await;
        engine.ratio(format!("page 10,000 : page 1, sort={sort}"), deep, first, Some(1.2));
    }
}

async fn next(app: &App, path: String, user: &User) -> String {
    get(path, user).answer(app).await.json()["links"]["next"].as_str().unwrap().to_owned()
}

/// Searches are quick, whatever is searched for. Each counts, the first of a query as well as the later ones.
pub(crate) async fn search(server: &Server, engine: &mut Engine<'_>) {
    // How the cost grows with what one owner has, the second tells; the claim is about the first.
    for (user, of, limit) in [(&server.someone, "10,000", Some(10.0)), (&server.the_one, "200,100", None)] {
        let queries = queries(&server.app, user).await;
        assert!(queries.len() >= 200);
        let mut times = Vec::new();
        for query in &queries {
            let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
            let call = get(format!("/v2/search?q={query}"), user);
            for _ in 0..3 {
                times.push(call.answer(&server.app).await.took);
            }
        }
        let what = format!("{} searches, each three times, by the owner of {of} items", queries.len());
        engine.time(format!("{what}, median"), percentile(times.clone(), 50), None);
        engine.time(format!("{what}, 95th percentile"), percentile(times, 95), limit);
    }
}

/// Words of the user's items, their beginnings down to the first letter, pairs of them, and the first letters of all.
async fn queries(app: &App, user: &User) -> BTreeSet<String> {
    let page = get(format!("{}/items?per_page=100", user.list), user).answer(app).await.json();
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

/// Nesting the first hundred items costs little more than asking for them.
pub(crate) async fn nested_items(server: &Server, engine: &mut Engine<'_>) {
    let (app, user) = (&server.app, &server.someone);
    let nested = get(format!("{}?include=items", user.list), user);
    let items = get(format!("{}/items?per_page=100", user.list), user);
    let (nested, items) = in_turns((app, &nested), (app, &items)).await;
    engine.ratio("getBucketlist?include=items : listItems of the same 100", nested, items, Some(2.0));
    let lists = get("/v2/bucketlists", user);
    let nested = get("/v2/bucketlists?include=items", user);
    let (all, plain) = in_turns((app, &nested), (app, &lists)).await;
    engine.ratio("listBucketlists?include=items, 1,000 items : 10 lists alone", all, plain, None);
    engine.ratio("listBucketlists?include=items : the 11 pages it stands for", all, plain + items * 10, Some(2.0));
}

/// Telling a client that it has the answer already costs what a handler costs that does nothing. Every handler of the API
/// has its caller checked first, so the bare one is an operation that refuses its caller right after that. One that checks
/// nobody is told beside it.
pub(crate) async fn not_modified(server: &Server, engine: &mut Engine<'_>) {
    let user = &server.someone;
    let bare = Call { status: 403, ..get("/v2/admin/users", user) };
    let anonymous = get("/health/live", user);
    for (app, among) in [(&server.caching, "among servers"), (&server.alone, "alone")] {
        for (name, path) in [("one bucketlist", user.list.clone()), ("a page of 20", format!("{}/items", user.list))] {
            let known = get(path, user).again(app).await;
            let (this, that) = in_turns((app, &known), (app, &bare)).await;
            engine.ratio(format!("{among}, 304 for {name} : a checked caller's bare 403"), this, that, Some(1.3));
            let (this, that) = in_turns((app, &known), (app, &anonymous)).await;
            engine.ratio(format!("{among}, 304 for {name} : GET /health/live, nobody checked"), this, that, None);
        }
    }
}

/// What remembering answers saves.
pub(crate) async fn cache(server: &Server, engine: &mut Engine<'_>) {
    let user = &server.someone;
    for (name, path) in [("one bucketlist", user.list.clone()), ("a page of 20", format!("{}/items", user.list))] {
        let call = get(path, user);
        let (cached, computed) = in_turns((&server.caching, &call), (&server.app, &call)).await;
        engine.ratio(format!("{name}, cached : computed"), cached, computed, None);
    }
}

/// What v2 costs beside v1.
pub(crate) async fn versions(server: &Server, engine: &mut Engine<'_>) {
    let (app, user) = (&server.app, &server.someone);
    for (name, path) in [
        ("one bucketlist", user.list.clone()),
        ("10 bucketlists", "/v2/bucketlists".to_owned()),
        ("a page of 20 items", format!("{}/items", user.list)),
    ] {
        let (v2, v1) = (get(path.clone(), user), get(path.replace("/v2", "/v1"), user));
        let (v2, v1) = in_turns((app, &v2), (app, &v1)).await;
        engine.ratio(format!("{name}, v2 : v1"), v2, v1, None);
    }
}

/// What adding an item costs, with everything that has to be written.
pub(crate) async fn writes(server: &Server, engine: &mut Engine<'_>) {
    let user = &server.someone;
    let body = Some(r#"{"name":"See the northern lights from Tromso","description":"Before it is too late."}"#);
    let call = Call { method: Method::POST, body, status: 201, ..get(format!("{}/items", user.list), user) };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(call.answer(&server.app).await.took);
    }
    engine.time("createItem", percentile(times, 50), None);
}
