//! The BucketList contract: what clients see, and nothing of how it is done.
//!
//! The endpoint traits and schemas of each version live here; the documents are built from them with no server in
//! existence. This crate cannot see Diesel, the services or the configuration: the crate wall is the layering rule.
//!
//! * [`v1`]: the classic contract (offset pages, the `error` envelope)
//! * [`v2`]: the modern one (cursors, problem details, links, conditional and idempotent requests)
//! * [`caller`]: who may call, as argument types
//! * [`conditional`]: the entity tags of conditional requests
//! * [`error`]: every error code a client can meet, and the one error type handlers return
//! * [`listing`]: lists as pages of JSON, or streamed as CSV and NDJSON
//! * [`negotiation`]: which representation a client gets
//! * [`payload`]: JSON bodies, read strictly and checked against the document
//! * [`problem`]: RFC 9457 problem details, for everything outside `/v1`
//! * [`table`]: rows as CSV and NDJSON
//! * [`values`]: instants, ids and empty fields as they travel

pub mod caller;
pub mod conditional;
pub mod error;
pub mod listing;
pub mod negotiation;
pub mod operation;
pub mod payload;
pub mod problem;
pub mod rules;
pub mod table;
pub mod v1;
pub mod v2;
pub mod values;

pub use caller::{Admin, Caller, User};
pub use error::{ApiError, Detail, ErrorCode};
pub use operation::Operation;
pub use payload::Json;
