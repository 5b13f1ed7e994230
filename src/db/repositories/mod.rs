//! Queries, by table. Repositories map private rows to the entities of the domain. They take `&mut DbConnection`, never acquire
//! one and never commit, so they can be combined in a unit of work.
//!
//! Ownership is part of each query: rows of another user are not found.

/// Runs a query on the connection of the engine. On a [`DbConnection`](super::DbConnection), Diesel would convert the query to the dialect of the
/// engine for each execution, and find its prepared statement by the text; here, it finds the statement by the type of the query.
macro_rules! on_engine {
    ($connection:ident => $run:expr) => {
        match $connection {
            DbConnection::Sqlite($connection) => $run,
            DbConnection::Postgres($connection) => $run,
        }
    };
}

pub mod api_clients;
mod array_statement;
pub mod audit;
pub mod bucketlists;
pub mod cache_suspensions;
pub mod creation;
pub mod deprecation_notices;
pub mod devices;
pub mod exports;
pub mod idempotency;
pub mod incident_groups;
pub mod incidents;
mod item_counts;
pub mod item_pages;
pub mod items;
pub mod job_schedules;
pub mod jobs;
mod keyset;
mod prelude;
pub mod retrieval;
pub mod running_servers;
pub mod search;
mod search_text;
pub mod sessions;
mod statement;
mod summarized_page;
pub mod token_status;
pub mod usage;
pub mod users;

use diesel::Selectable;

pub use item_counts::ItemCounts;
pub use search_text::search_text;

use super::MultiBackend;

/// Returns the columns of a row type. For RETURNING clauses: `as_returning` does not support a connection to either engine.
fn columns<R: Selectable<MultiBackend>>() -> R::SelectExpression {
    R::construct_selection()
}
