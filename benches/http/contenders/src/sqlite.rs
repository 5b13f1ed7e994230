//! axum and rusqlite. Reads run on the threads of the runtime, each with its own connection, which is the fastest way but lets a slow read
//! delay other requests. One thread writes, and commits up to `group` requests at once.

use std::{cell::RefCell, error::Error, sync::Arc, sync::mpsc, thread};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::oneshot;

use crate::{
    auth::{Claims, TokenStatus, Tokens},
    responses::{Failure, json, tagged},
    schemas::{Bucketlist, Content, Item, LinkedBucketlist, Page, PageQuery, Time},
};

type Outcome = Result<Response, Failure>;

/// A unit of work of the writer, and where its result is sent after the commit.
struct Write {
    work: Box<dyn FnOnce(&Connection) -> Outcome + Send>,
    reply: oneshot::Sender<Outcome>,
}

#[derive(Clone)]
struct Server {
    path: Arc<str>,
    tokens: Tokens,
    writer: mpsc::Sender<Write>,
}

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

fn open(path: &str) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA cache_size = -4000;",
    )?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

pub(crate) fn routes(url: &str, tokens: Tokens, group: usize) -> Result<Router, Box<dyn Error + Send + Sync>> {
    let path = url.strip_prefix("sqlite://").unwrap_or(url);
    let connection = open(path)?;
    let (writer, writes) = mpsc::channel();
    thread::spawn(move || write_all(&connection, &writes, group));
    let server = Server { path: path.into(), tokens, writer };
    Ok(Router::new()
        .route("/v1/bucketlists", get(list_bucketlists))
        .route("/v2/bucketlists", post(create_bucketlist))
        .route("/v2/bucketlists/{id}", get(get_bucketlist))
        .route("/v1/bucketlists/{id}/items", get(list_items).post(create_item))
        .with_state(server))
}

/// Executes units of work in transactions, each in a savepoint.
fn write_all(connection: &Connection, writes: &mpsc::Receiver<Write>, group: usize) {
    let run = |sql| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    while let Ok(first) = writes.recv() {
        let begun = run("BEGIN IMMEDIATE");
        let mut outcomes = Vec::new();
        let mut next = Some(first);
        while let Some(Write { work, reply }) = next {
            let outcome = run("SAVEPOINT unit").map_err(Failure::from).and_then(|_| work(connection));
            if outcome.is_err() {
                let _ = run("ROLLBACK TO unit");
            }
            let released = run("RELEASE unit");
            outcomes.push((released.map_err(Failure::from).and(outcome), reply));
            next = if outcomes.len() < group { writes.try_recv().ok() } else { None };
        }
        let committed = begun.and_then(|_| run("COMMIT"));
        for (outcome, reply) in outcomes {
            let outcome = match &committed {
                Ok(_) => outcome,
                Err(error) => Err(Failure::Database(error.to_string())),
            };
            let _ = reply.send(outcome);
        }
        if committed.is_err() {
            let _ = run("ROLLBACK");
        }
    }
}

fn check(connection: &Connection, claims: &Claims) -> Result<i64, Failure> {
    let user_id = claims.user_id()?;
    let status = connection
        .prepare_cached(TokenStatus::SQLITE)?
        .query_row(params![claims.sid, claims.jti], |row| {
            Ok(TokenStatus {
                user_id: row.get(0)?,
                is_disabled: row.get(1)?,
                is_session_ended: row.get(2)?,
                is_revoked: row.get(3)?,
            })
        })
        .optional()?;
    TokenStatus::check(status, user_id).map(|()| user_id)
}

impl Server {
    fn read(&self, headers: &HeaderMap, work: impl FnOnce(&Connection, i64) -> Outcome) -> Outcome {
        let claims = self.tokens.verify(headers)?;
        READER.with_borrow_mut(|reader| {
            let connection = match reader {
                Some(connection) => connection,
                None => reader.insert(open(&self.path)?),
            };
            let user_id = check(connection, &claims)?;
            work(connection, user_id)
        })
    }

    async fn write(
        &self,
        headers: &HeaderMap,
        work: impl FnOnce(&Connection, i64) -> Outcome + Send + 'static,
    ) -> Outcome {
        let claims = self.tokens.verify(headers)?;
        let (reply, outcome) = oneshot::channel();
        let work = Box::new(move |connection: &Connection| {
            let user_id = check(connection, &claims)?;
            work(connection, user_id)
        });
        self.writer.send(Write { work, reply }).map_err(|error| Failure::Database(error.to_string()))?;
        outcome.await.map_err(|error| Failure::Database(error.to_string()))?
    }
}

const BUCKETLIST: &str = "id, name, description, items_total, items_done, created_at, updated_at";
const ITEM: &str = "id, bucketlist_id, name, description, done, done_at, due_on, created_at, updated_at";

fn bucketlist(row: &Row<'_>) -> rusqlite::Result<Bucketlist> {
    Ok(Bucketlist {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        items_total: row.get(3)?,
        items_done: row.get(4)?,
        created_at: Time(row.get(5)?),
        updated_at: Time(row.get(6)?),
    })
}

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let due_on: Option<String> = row.get(6)?;
    Ok(Item {
        id: row.get(0)?,
        bucketlist_id: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        done: row.get(4)?,
        done_at: row.get::<_, Option<i64>>(5)?.map(Time),
        due_on: due_on.and_then(|day| day.parse().ok()),
        created_at: Time(row.get(7)?),
        updated_at: Time(row.get(8)?),
    })
}

async fn get_bucketlist(State(server): State<Server>, Path(id): Path<i64>, headers: HeaderMap) -> Outcome {
    server.read(&headers, |connection, user_id| {
        let sql = format!("SELECT {BUCKETLIST} FROM bucketlists WHERE id = ? AND user_id = ?");
        let list = connection.prepare_cached(&sql)?.query_row([id, user_id], bucketlist).optional()?;
        tagged(StatusCode::OK, &LinkedBucketlist::from(list.ok_or(Failure::NotFound)?), None)
    })
}

async fn list_bucketlists(State(server): State<Server>, query: Query<PageQuery>, headers: HeaderMap) -> Outcome {
    server.read(&headers, |connection, user_id| {
        let mut count = connection.prepare_cached("SELECT count(*) FROM bucketlists WHERE user_id = ?")?;
        let total = count.query_row([user_id], |row| row.get(0))?;
        let sql = format!("SELECT {BUCKETLIST} FROM bucketlists WHERE user_id = ? ORDER BY id LIMIT ? OFFSET ?");
        let mut page = connection.prepare_cached(&sql)?;
        let rows = page.query_map([user_id, query.per_page(), query.offset()], bucketlist)?;
        let data = rows.collect::<Result<Vec<_>, _>>()?;
        json(StatusCode::OK, &Page::new("/v1/bucketlists", &query, total, data), None)
    })
}

async fn list_items(
    State(server): State<Server>,
    Path(id): Path<i64>,
    query: Query<PageQuery>,
    headers: HeaderMap,
) -> Outcome {
    server.read(&headers, |connection, user_id| {
        let mut list = connection.prepare_cached("SELECT items_total FROM bucketlists WHERE id = ? AND user_id = ?")?;
        let total = list.query_row([id, user_id], |row| row.get(0)).optional()?.ok_or(Failure::NotFound)?;
        let sql = format!("SELECT {ITEM} FROM items WHERE bucketlist_id = ? ORDER BY id LIMIT ? OFFSET ?");
        let mut page = connection.prepare_cached(&sql)?;
        let rows = page.query_map([id, query.per_page(), query.offset()], item)?;
        let data = rows.collect::<Result<Vec<_>, _>>()?;
        json(StatusCode::OK, &Page::new(&format!("/v1/bucketlists/{id}/items"), &query, total, data), None)
    })
}

async fn create_bucketlist(State(server): State<Server>, headers: HeaderMap, content: Json<Content>) -> Outcome {
    let content = content.0.validate(100)?;
    let insert = move |connection: &Connection, user_id: i64| {
        let sql = format!(
            "INSERT INTO bucketlists (user_id, name, description, search_text, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?5) RETURNING {BUCKETLIST}"
        );
        let values = params![user_id, content.name, content.description, content.search_text(), Time::now().0];
        let list = connection.prepare_cached(&sql)?.query_row(values, bucketlist)?;
        let location = format!("/v2/bucketlists/{}", list.id);
        tagged(StatusCode::CREATED, &LinkedBucketlist::from(list), Some(location))
    };
    server.write(&headers, insert).await
}

async fn create_item(
    State(server): State<Server>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    content: Json<Content>,
) -> Outcome {
    let content = content.0.validate(200)?;
    let insert = move |connection: &Connection, user_id: i64| {
        let sql = "UPDATE bucketlists SET items_total = items_total + 1 WHERE id = ? AND user_id = ?";
        if connection.prepare_cached(sql)?.execute([id, user_id])? == 0 {
            return Err(Failure::NotFound);
        }
        let sql = format!(
            "INSERT INTO items (bucketlist_id, name, description, search_text, done, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, FALSE, ?5, ?5) RETURNING {ITEM}"
        );
        let values = params![id, content.name, content.description, content.search_text(), Time::now().0];
        let item = connection.prepare_cached(&sql)?.query_row(values, item)?;
        json(StatusCode::CREATED, &item, Some(format!("/v1/bucketlists/{id}/items/{}", item.id)))
    };
    server.write(&headers, insert).await
}
