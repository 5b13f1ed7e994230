//! The contract of the BucketList API: its endpoints and schemas, without an implementation.
//!
//! The endpoint traits and schemas of each version are declared here, and the OpenAPI documents are built from them. This
//! crate has no access to Diesel, the services or the configuration.
//!
//! * [`v1`]: offset pagination and `error` objects
//! * [`v2`]: cursor pagination, problem details, links, conditional requests and idempotency
//! * [`operation`]: declarations of operations
//! * [`base_path`]: the path of the public URL
//! * [`caller`]: arguments that require an authenticated caller
//! * [`conditional`]: entity tags in conditional requests
//! * [`error`]: error codes, and the error type of handlers
//! * [`listing`]: lists as JSON pages, or as streams of CSV and NDJSON
//! * [`negotiation`]: content negotiation
//! * [`permissions`]: the operations that a caller may call
//! * [`payload`]: JSON bodies, validated against the document
//! * [`problem`]: problem details (RFC 9457)
//! * [`parameters`] and [`request_headers`]: arguments that several operations use
//! * [`responses`] and [`response_headers`]: responses that several operations use
//! * [`table`]: rows as CSV and NDJSON
//! * [`values`]: timestamps, IDs and nullable fields

/// Implements [`poem_openapi::types::Example`] for a schema: `example! { Point { x: 1, y: 2 } }`.
macro_rules! example {
    ($name:ident $fields:tt) => {
        impl poem_openapi::types::Example for $name {
            fn example() -> Self {
                $name $fields
            }
        }
    };
}

mod api;
pub mod base_path;
pub mod caller;
pub mod conditional;
pub mod documented_errors;
pub mod error;
pub mod listing;
pub mod negotiation;
pub mod operation;
pub mod parameters;
pub mod payload;
pub mod permissions;
pub mod problem;
pub mod request_headers;
pub mod response_headers;
mod response_names;
pub mod responses;
pub mod table;
mod texts;
pub mod v1;
pub mod v2;
pub mod values;

pub use api::{DocumentError, SAMPLE_OPTIONS};
pub use base_path::BasePath;
pub use caller::{Admin, AdminSession, Caller, User, UserSession};
pub use error::{ApiError, Detail, ErrorCode, ViolationInfo};
pub use operation::Operation;
pub use payload::Json;
pub use permissions::Permissions;
