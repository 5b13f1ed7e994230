//! Events of the audit log.

use std::collections::BTreeMap;

use poem_openapi::Object;
use serde::Serialize;

use super::{Links, example_time, some};
use crate::{
    table::Row,
    values::{Id, Nullable, Timestamp},
};

/// An event of the audit log.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct AuditEvent {
    /// ID of the event.
    pub id: Id,
    /// Time of the event.
    pub created_at: Timestamp,
    /// Action, as resource and verb: `user.created`. Newer servers can return additional actions.
    #[oai(validator(max_length = 64, pattern = r"^[a-z_]+\.[a-z_]+$"))]
    pub action: String,
    /// ID of the account that caused the event; null if unknown, or if a CLI command caused it.
    pub actor_id: Nullable<Id>,
    /// Type of the affected resource. Newer servers can return additional types.
    #[oai(validator(max_length = 64, pattern = "^[a-z_]+$"))]
    pub target_type: Nullable<String>,
    /// ID of the affected resource, which may have been deleted since.
    pub target_id: Nullable<Id>,
    /// `X-Request-ID` of the request that caused the event; null if a CLI command caused it.
    #[oai(validator(max_length = 128))]
    pub request_id: Nullable<String>,
    /// IP address of the client; null if unknown.
    #[oai(validator(max_length = 45))]
    pub address: Nullable<String>,
    /// Additional details as key-value pairs. Contains no secrets.
    pub detail: BTreeMap<String, String>,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Row for AuditEvent {
    const COLUMNS: &'static [&'static str] =
        &["id", "created_at", "action", "actor_id", "target_type", "target_id", "request_id", "address"];
}

example! { AuditEvent {
    id: Id(1), created_at: example_time(), action: "user.role_changed".to_owned(), actor_id: Nullable(Some(Id(1))),
    target_type: some("user"), target_id: Nullable(Some(Id(2))), request_id: some(crate::documented_errors::EXAMPLE_REQUEST_ID),
    address: some("192.0.2.7"),
    detail: [("from", "user"), ("to", "admin")].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    links: Links::AuditEvent,
} }
