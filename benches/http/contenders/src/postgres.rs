//! axum, tokio-postgres and deadpool. Statements are prepared once per connection, and a read is pipelined with the check of the token.

use std::error::Error;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio::try_join;
use tokio_postgres::{NoTls, Row, types::ToSql};

use crate::{
    auth::{Claims, TokenStatus, Tokens},
    responses::{Failure, json, tagged},
    schemas::{Bucketlist, Content, Item, LinkedBucketlist, Page, PageQuery, Time},
};

type Outcome = Result<Response, Failure>;

/// Number of connections: more do not increase the rate on two cores.
const CONNECTIONS: usize = 8;

#[derive(Clone)]
struct Server {
    pool: Pool,
    tokens: Tokens,
}

pub(crate) fn routes(url: &str, tokens: Tokens) -> Result<Router, Box<dyn Error + Send + Sync>> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(url.parse()?, NoTls, recycling);
    let pool = Pool::builder(manager).max_size(CONNECTIONS).build()?;
    Ok(Router::new()
        .route("/v1/bucketlists", get(list_bucketlists))
        .route("/v2/bucketlists", post(create_bucketlist))
        .route("/v2/bucketlists/{id}", get(get_bucketlist))
        .route("/v1/bucketlists/{id}/items", get(list_items).post(create_item))
        .with_state(Server { pool, tokens }))
}

impl Server {
    async fn connect(&self, headers: &HeaderMap) -> Result<(Client, Claims, i64), Failure> {
        let claims = self.tokens.verify(headers)?;
        let user_id = claims.user_id()?;
        Ok((self.pool.get().await?, claims, user_id))
    }
}

async fn check(client: &Client, claims: &Claims, user_id: i64) -> Result<(), Failure> {
    let statement = client.prepare_cached(TokenStatus::POSTGRES).await?;
    let row = client.query_opt(&statement, &[&claims.sid, &claims.jti]).await?;
    let status = row.map(|row| TokenStatus {
        user_id: row.get(0),
        is_disabled: row.get(1),
        is_session_ended: row.get(2),
        is_revoked: row.get(3),
    });
    TokenStatus::check(status, user_id)
}

async fn query(client: &Client, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failure> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, values).await?)
}

const BUCKETLIST: &str = "id, name, description, items_total, items_done, created_at, updated_at";
const ITEM: &str = "id, bucketlist_id, name, description, done, done_at, due_on, created_at, updated_at";

fn bucketlist(row: &Row) -> Bucketlist {
    Bucketlist {
        id: row.get(0),
        name: row.get(1),
        description: row.get(2),
        items_total: row.get(3),
        items_done: row.get(4),
        created_at: Time(row.get(5)),
        updated_at: Time(row.get(6)),
    }
}

fn item(row: &Row) -> Item {
    Item {
        id: row.get(0),
        bucketlist_id: row.get(1),
        name: row.get(2),
        description: row.get(3),
        done: row.get(4),
        done_at: row.get::<_, Option<i64>>(5).map(Time),
        due_on: row.get(6),
        created_at: Time(row.get(7)),
        updated_at: Time(row.get(8)),
    }
}

async fn get_bucketlist(State(server): State<Server>, Path(id): Path<i64>, headers: HeaderMap) -> Outcome {
    let (client, claims, user_id) = server.connect(&headers).await?;
    let sql = format!("SELECT {BUCKETLIST} FROM bucketlists WHERE id = $1 AND user_id = $2");
    let values: [&(dyn ToSql + Sync); 2] = [&id, &user_id];
    let ((), rows) = try_join!(check(&client, &claims, user_id), query(&client, &sql, &values))?;
    let list = bucketlist(rows.first().ok_or(Failure::NotFound)?);
    tagged(StatusCode::OK, &LinkedBucketlist::from(list), None)
}

async fn list_bucketlists(State(server): State<Server>, page: Query<PageQuery>, headers: HeaderMap) -> Outcome {
    let (client, claims, user_id) = server.connect(&headers).await?;
    let sql = format!("SELECT {BUCKETLIST} FROM bucketlists WHERE user_id = $1 ORDER BY id LIMIT $2 OFFSET $3");
    let (per_page, offset) = (page.per_page(), page.offset());
    let values: [&(dyn ToSql + Sync); 3] = [&user_id, &per_page, &offset];
    let ((), count, rows) = try_join!(
        check(&client, &claims, user_id),
        query(&client, "SELECT count(*) FROM bucketlists WHERE user_id = $1", &values[..1]),
        query(&client, &sql, &values)
    )?;
    let total = count.first().ok_or(Failure::NotFound)?.get(0);
    json(StatusCode::OK, &Page::new("/v1/bucketlists", &page, total, rows.iter().map(bucketlist).collect()), None)
}

async fn list_items(
    State(server): State<Server>,
    Path(id): Path<i64>,
    page: Query<PageQuery>,
    headers: HeaderMap,
) -> Outcome {
    let (client, claims, user_id) = server.connect(&headers).await?;
    let sql = format!("SELECT {ITEM} FROM items WHERE bucketlist_id = $1 ORDER BY id LIMIT $2 OFFSET $3");
    let (per_page, offset) = (page.per_page(), page.offset());
    let list_values: [&(dyn ToSql + Sync); 2] = [&id, &user_id];
    let values: [&(dyn ToSql + Sync); 3] = [&id, &per_page, &offset];
    let ((), list, rows) = try_join!(
        check(&client, &claims, user_id),
        query(&client, "SELECT items_total FROM bucketlists WHERE id = $1 AND user_id = $2", &list_values),
        query(&client, &sql, &values)
    )?;
    let total = list.first().ok_or(Failure::NotFound)?.get(0);
    let path = format!("/v1/bucketlists/{id}/items");
    json(StatusCode::OK, &Page::new(&path, &page, total, rows.iter().map(item).collect()), None)
}

async fn create_bucketlist(State(server): State<Server>, headers: HeaderMap, content: Json<Content>) -> Outcome {
    let content = content.0.validate(100)?;
    let (client, claims, user_id) = server.connect(&headers).await?;
    check(&client, &claims, user_id).await?;
    let sql = format!(
        "INSERT INTO bucketlists (user_id, name, description, search_text, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $5) RETURNING {BUCKETLIST}"
    );
    let values: [&(dyn ToSql + Sync); 5] =
        [&user_id, &content.name, &content.description, &content.search_text(), &Time::now().0];
    let rows = query(&client, &sql, &values).await?;
    let list = bucketlist(rows.first().ok_or(Failure::NotFound)?);
    let location = format!("/v2/bucketlists/{}", list.id);
    tagged(StatusCode::CREATED, &LinkedBucketlist::from(list), Some(location))
}

async fn create_item(
    State(server): State<Server>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    content: Json<Content>,
) -> Outcome {
    let content = content.0.validate(200)?;
    let (client, claims, user_id) = server.connect(&headers).await?;
    check(&client, &claims, user_id).await?;
    let sql = format!(
        "WITH list AS (UPDATE bucketlists SET items_total = items_total + 1 WHERE id = $1 AND user_id = $2 RETURNING id) \
         INSERT INTO items (bucketlist_id, name, description, search_text, done, created_at, updated_at) \
         SELECT id, $3, $4, $5, FALSE, $6, $6 FROM list RETURNING {ITEM}"
    );
    let values: [&(dyn ToSql + Sync); 6] =
        [&id, &user_id, &content.name, &content.description, &content.search_text(), &Time::now().0];
    let rows = query(&client, &sql, &values).await?;
    let item = item(rows.first().ok_or(Failure::NotFound)?);
    json(StatusCode::CREATED, &item, Some(format!("/v1/bucketlists/{id}/items/{}", item.id)))
}
