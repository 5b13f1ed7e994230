//! The scenario with the clients of progenitor.

#[path = "../../../../openapi/generators/progenitor.rs"]
mod generated;
mod first;
mod second;

use std::{
    env,
    error::Error,
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use reqwest::{
    Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const PASSWORD: &str = "harbour-lantern-42";
const NAMES: [&str; 5] = ["Oslo", "Lisbon", "Zürich", "Kyoto", "Quito"];
const THINGS: [&str; 3] = ["Watch the northern lights", "Walk the Camino", "Swim in the Dead Sea"];

/// The URLs of the server and of the proxy that simulates a future release.
struct Servers {
    base: String,
    future: String,
}

/// See `openapi/generators/progenitor.rs`.
fn say_merge_patch(request: &mut Request) {
    if request.method() == Method::PATCH {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/merge-patch+json"));
    }
}

/// Returns an unused email address.
fn email(who: &str) -> Outcome<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    Ok(format!("{who}-{now}-{}@example.com", process::id()))
}

/// Returns an HTTP client that sends the access token with every request.
fn logged_in(token: &str) -> Outcome<reqwest::Client> {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?)]);
    Ok(reqwest::Client::builder().default_headers(headers).build()?)
}

fn done(step: &str) {
    println!("ok {step}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut arguments = env::args().skip(1);
    let (Some(base), Some(future)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bucketlist-rust-client SERVER SERVER_OF_NEXT_YEAR".into());
    };
    let servers = Servers { base, future };
    second::run(&servers).await?;
    first::run(&servers).await
}
