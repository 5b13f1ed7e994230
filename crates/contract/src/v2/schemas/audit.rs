//! What was done, by whom and from where.

use std::collections::BTreeMap;

use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::{Links, example_time, some};
use crate::{
    table::Row,
    values::{Id, Nullable, Timestamp},
};

/// Something that was done.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct AuditEvent {
    /// Identifies the event.
    pub id: Id,
    /// When it was done.
    pub created_at: Timestamp,
    /// What was done: a noun and what happened to it. A newer server may know more actions than this document.
    #[oai(validator(max_length = 64, pattern = r"^[a-z_]+\.[a-z_]+$"))]
    pub action: String,
    /// The account that did it; null: nobody who could be told, or the command line.
    pub actor_id: Nullable<Id>,
    /// What kind of thing it was done to, if to any. A newer server may know more kinds than this document.
    #[oai(validator(max_length = 64, pattern = "^[a-z_]+$"))]
    pub target_type: Nullable<String>,
    /// The id of that thing, which may be gone.
    pub target_id: Nullable<Id>,
    /// The `X-Request-ID` of the request that did it; null: the command line.
    #[oai(validator(max_length = 128))]
    pub request_id: Nullable<String>,
    /// The IP address that the request came from, if it is known.
    #[oai(validator(max_length = 45))]
    pub address: Nullable<String>,
    /// What else there is to say of it, by name; no secrets.
    pub detail: BTreeMap<String, String>,
    /// Where to go from here.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Row for AuditEvent {
    const COLUMNS: &'static [&'static str] =
        &["id", "created_at", "action", "actor_id", "target_type", "target_id", "request_id", "address"];
}

impl Example for AuditEvent {
    fn example() -> Self {
        Self {
            id: Id(1),
            created_at: example_time(),
            action: "user.role_changed".to_owned(),
            actor_id: Nullable(Some(Id(1))),
            target_type: some("user"),
            target_id: Nullable(Some(Id(2))),
            request_id: some(crate::rules::EXAMPLE_REQUEST_ID),
            address: some("192.0.2.7"),
            detail: [("from", "user"), ("to", "admin")].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            links: Links::AuditEvent,
        }
    }
}
