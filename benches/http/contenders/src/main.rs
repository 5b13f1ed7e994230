//! Servers that offer a part of the BucketList API with the same guarantees, written by hand: the data model of BucketList, durable commits,
//! verified tokens, owners, totals and entity tags. They maintain neither a search index nor revisions, idempotency keys or an audit trail.
//!
//! `contenders NAME` with `DATABASE_URL`, `PORT` and `JWT_SECRET`. The names are those in [`main`].

mod auth;
mod constant;
mod postgres;
mod responses;
mod schemas;
mod sqlite;

use std::{env, error::Error};

/// The allocator of BucketList.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let name = env::args().nth(1).unwrap_or_default();
    let address = format!("127.0.0.1:{}", env::var("PORT")?);
    let tokens = auth::Tokens::new(&env::var("JWT_SECRET")?);
    let database = env::var("DATABASE_URL")?;
    let routes = match name.as_str() {
        "axum-sqlite" => sqlite::routes(&database, tokens, 1)?,
        "axum-sqlite-grouped" => sqlite::routes(&database, tokens, 64)?,
        "axum-postgres" => postgres::routes(&database, tokens)?,
        "poem-constant" => return constant::serve(&address).await,
        _ => return Err(format!("unknown contender `{name}`").into()),
    };
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(axum::serve(listener, routes).await?)
}
