//! `_links`: related resources and operations that the caller may call.

use std::{
    borrow::Cow,
    fmt::{self, Write},
};

use poem_openapi::{
    Object,
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap},
};
use serde_json::{Value, json};

use crate::{
    Operation, Permissions,
    base_path::PublicPath,
    v2::{
        document::BASE,
        endpoints::{
            AdminUserRoutes, ApiClientRoutes, AuditRoutes, AuthRoutes, BucketlistRoutes, ExportRoutes, IncidentRoutes,
            ItemRoutes, JobRoutes, UserRoutes,
        },
    },
};

/// A link to a resource or an operation.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Link {
    /// Path on this server.
    #[oai(validator(max_length = 8192))]
    pub href: String,
    /// HTTP method of the operation.
    #[oai(validator(max_length = 10))]
    pub method: String,
}

example! { Link { href: "/v2/bucketlists/1".into(), method: "GET".into() } }

/// The links of a resource by relation, such as `self`, `collection` or `update`. Only operations that the caller may call are
/// included; the declarations of the operations decide. The links are written during serialization.
#[derive(Clone, Copy, Debug)]
pub enum Links {
    /// Links of a bucketlist.
    Bucketlist(i64),
    /// Links of an item.
    Item {
        /// ID of the bucketlist.
        bucketlist_id: i64,
        /// ID of the item.
        id: i64,
    },
    /// Links of the caller's account.
    Me,
    /// Links of a user, for administrators.
    User(i64),
    /// Links of a session.
    Session(i64),
    /// Links of an export.
    Export {
        /// ID of the export.
        id: i64,
        /// Whether the file is available.
        has_content: bool,
    },
    /// Links of an export, for administrators.
    UserExport {
        /// ID of the user whose data is exported.
        user_id: i64,
        /// ID of the job that can be cancelled.
        job_id: Option<i64>,
    },
    /// Links of an audit event.
    AuditEvent,
    /// Links of an incident.
    Incident(i64),
    /// Links of an incident group.
    IncidentGroups,
    /// Links of an API client.
    ApiClient(i64),
    /// Links of a job.
    Job {
        /// ID of the job.
        id: i64,
        /// Whether its state allows a retry.
        can_retry: bool,
        /// Whether its state allows to cancel it.
        can_cancel: bool,
        /// Whether its state allows to delete it.
        can_delete: bool,
    },
}

/// The name of a link, and the operation to which it leads.
type Relation = (&'static str, &'static Operation);

/// Returns the link to the operation with this ID. An unknown ID is a compile error.
#[expect(clippy::panic, clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn relation(name: &'static str, operations: &'static [Operation], id: &str) -> Relation {
    let mut at = 0;
    while at < operations.len() {
        if is_equal(operations[at].id.as_bytes(), id.as_bytes()) {
            return (name, &operations[at]);
        }
        at += 1;
    }
    panic!("unknown operation")
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

const BUCKETLIST: &[Relation] = &[
    relation("self", BucketlistRoutes::OPERATIONS, "getBucketlist"),
    relation("collection", BucketlistRoutes::OPERATIONS, "listBucketlists"),
    relation("items", ItemRoutes::OPERATIONS, "listItems"),
    relation("add_item", ItemRoutes::OPERATIONS, "createItem"),
    relation("update", BucketlistRoutes::OPERATIONS, "updateBucketlist"),
    relation("replace", BucketlistRoutes::OPERATIONS, "replaceBucketlist"),
    relation("delete", BucketlistRoutes::OPERATIONS, "deleteBucketlist"),
];
const ITEM: &[Relation] = &[
    relation("self", ItemRoutes::OPERATIONS, "getItem"),
    relation("collection", ItemRoutes::OPERATIONS, "listItems"),
    relation("bucketlist", BucketlistRoutes::OPERATIONS, "getBucketlist"),
    relation("update", ItemRoutes::OPERATIONS, "updateItem"),
    relation("replace", ItemRoutes::OPERATIONS, "replaceItem"),
    relation("delete", ItemRoutes::OPERATIONS, "deleteItem"),
];
const ME: &[Relation] = &[
    relation("self", UserRoutes::OPERATIONS, "getMe"),
    relation("bucketlists", BucketlistRoutes::OPERATIONS, "listBucketlists"),
    relation("sessions", AuthRoutes::OPERATIONS, "listSessions"),
    relation("update", UserRoutes::OPERATIONS, "updateMe"),
    // Not `deleteMe`: many clients send no body with DELETE.
    relation("delete", UserRoutes::OPERATIONS, "deleteAccount"),
];
const USER: &[Relation] = &[
    relation("self", AdminUserRoutes::OPERATIONS, "getUser"),
    relation("collection", AdminUserRoutes::OPERATIONS, "listUsers"),
    relation("update", AdminUserRoutes::OPERATIONS, "updateUser"),
    relation("delete", AdminUserRoutes::OPERATIONS, "deleteUser"),
];
const SESSION: &[Relation] = &[
    relation("collection", AuthRoutes::OPERATIONS, "listSessions"),
    relation("delete", AuthRoutes::OPERATIONS, "endSession"),
];
const EXPORT: &[Relation] = &[relation("self", ExportRoutes::OPERATIONS, "getExport")];
const EXPORT_CONTENT: &[Relation] = &[relation("content", ExportRoutes::OPERATIONS, "getExportContent")];
const USER_EXPORT: &[Relation] = &[
    relation("collection", JobRoutes::OPERATIONS, "listExports"),
    relation("user", AdminUserRoutes::OPERATIONS, "getUser"),
];
const USER_EXPORT_JOB: &[Relation] =
    &[relation("job", JobRoutes::OPERATIONS, "getJob"), relation("cancel", JobRoutes::OPERATIONS, "cancelJob")];
// No link to the affected resource, which can be deleted.
const AUDIT_EVENT: &[Relation] = &[relation("collection", AuditRoutes::OPERATIONS, "listAuditEvents")];
const INCIDENT: &[Relation] = &[
    relation("self", IncidentRoutes::OPERATIONS, "getIncident"),
    relation("collection", IncidentRoutes::OPERATIONS, "listIncidents"),
    relation("groups", IncidentRoutes::OPERATIONS, "listIncidentGroups"),
    relation("replay", IncidentRoutes::OPERATIONS, "replayIncident"),
    relation("update", IncidentRoutes::OPERATIONS, "updateIncident"),
    relation("delete", IncidentRoutes::OPERATIONS, "deleteIncident"),
];
const INCIDENT_GROUPS: &[Relation] = &[
    relation("collection", IncidentRoutes::OPERATIONS, "listIncidentGroups"),
    relation("incidents", IncidentRoutes::OPERATIONS, "listIncidents"),
    relation("resolve", IncidentRoutes::OPERATIONS, "resolveIncidentGroups"),
];
const API_CLIENT: &[Relation] = &[
    relation("self", ApiClientRoutes::OPERATIONS, "getApiClient"),
    relation("collection", ApiClientRoutes::OPERATIONS, "listApiClients"),
    relation("update", ApiClientRoutes::OPERATIONS, "updateApiClient"),
    relation("rotate", ApiClientRoutes::OPERATIONS, "rotateApiClientKey"),
    relation("delete", ApiClientRoutes::OPERATIONS, "deleteApiClient"),
];
const JOB: &[Relation] =
    &[relation("self", JobRoutes::OPERATIONS, "getJob"), relation("collection", JobRoutes::OPERATIONS, "listJobs")];
const RETRY_JOB: &[Relation] = &[relation("retry", JobRoutes::OPERATIONS, "retryJob")];
const CANCEL_JOB: &[Relation] = &[relation("cancel", JobRoutes::OPERATIONS, "cancelJob")];
const DELETE_JOB: &[Relation] = &[relation("delete", JobRoutes::OPERATIONS, "deleteJob")];

impl Links {
    /// Calls `link` with the relations of the resource, and with the IDs in their paths, in order.
    fn each<E>(&self, mut link: impl FnMut(Relation, &[i64]) -> Result<(), E>) -> Result<(), E> {
        let mut all = |relations: &[Relation], ids: &[i64]| relations.iter().try_for_each(|one| link(*one, ids));
        let select = |applies: bool, relations: &'static [Relation]| if applies { relations } else { &[] };
        match *self {
            Self::Bucketlist(id) => all(BUCKETLIST, &[id]),
            Self::Item { bucketlist_id, id } => all(ITEM, &[bucketlist_id, id]),
            Self::Me => all(ME, &[]),
            Self::User(id) => all(USER, &[id]),
            Self::Session(id) => all(SESSION, &[id]),
            Self::Export { id, has_content } => {
                all(EXPORT, &[id])?;
                all(select(has_content, EXPORT_CONTENT), &[id])
            }
            Self::UserExport { user_id, job_id } => {
                all(USER_EXPORT, &[user_id])?;
                job_id.map_or(Ok(()), |id| all(USER_EXPORT_JOB, &[id]))
            }
            Self::AuditEvent => all(AUDIT_EVENT, &[]),
            Self::Incident(id) => all(INCIDENT, &[id]),
            Self::IncidentGroups => all(INCIDENT_GROUPS, &[]),
            Self::ApiClient(id) => all(API_CLIENT, &[id]),
            Self::Job { id, can_retry, can_cancel, can_delete } => {
                all(JOB, &[id])?;
                all(select(can_retry, RETRY_JOB), &[id])?;
                all(select(can_cancel, CANCEL_JOB), &[id])?;
                all(select(can_delete, DELETE_JOB), &[id])
            }
        }
    }
}

/// Writes the path of an operation with `ids` in place of its parameters.
fn write_path(out: &mut String, template: &str, ids: &[i64]) -> fmt::Result {
    write!(out, "{}", PublicPath(BASE))?;
    let mut parts = template.split('{');
    out.write_str(parts.next().unwrap_or_default())?;
    for (part, id) in parts.zip(ids) {
        let (_, rest) = part.split_once('}').unwrap_or_default();
        write!(out, "{id}{rest}")?;
    }
    Ok(())
}

/// A [`Link`] with borrowed values.
#[derive(Serialize)]
struct BorrowedLink<'a> {
    href: &'a str,
    method: &'a str,
}

impl Serialize for Links {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let permissions = Permissions::current();
        let mut map = serializer.serialize_map(None)?;
        // Reused, and serialized as a whole: `collect_str` would escape each part of the path separately.
        let mut path = String::with_capacity(MAX_USUAL_PATH);
        self.each(|(name, operation), ids| {
            if !permissions.permit(operation) {
                return Ok(());
            }
            path.clear();
            write_path(&mut path, operation.path, ids).map_err(S::Error::custom)?;
            map.serialize_entry(name, &BorrowedLink { href: &path, method: operation.method })
        })?;
        map.end()
    }
}

/// Longer than almost all paths.
const MAX_USUAL_PATH: usize = 64;

impl Type for Links {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "Links".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference("Links".to_owned())
    }

    fn register(registry: &mut Registry) {
        Link::register(registry);
        registry.create_schema::<Self, _>("Links".to_owned(), |_| MetaSchema {
            description: Some(
                "Links by relation, such as `self`, `collection`, `items`, `update` and `delete`. Contains only \
                 operations that you may call with the access token or API key of the request.",
            ),
            additional_properties: Some(Box::new(Link::schema_ref())),
            example: Some(json!({"self": {"href": "/v2/bucketlists/1", "method": "GET"}})),
            ..MetaSchema::new("object")
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for Links {
    fn to_json(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}

/// Required by poem-openapi for every field, also in responses.
impl ParseFromJSON for Links {
    fn parse_from_json(_: Option<Value>) -> ParseResult<Self> {
        Err(ParseError::custom("links cannot be parsed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Links; 12] = [
        Links::Bucketlist(1),
        Links::Item { bucketlist_id: 1, id: 2 },
        Links::Me,
        Links::User(1),
        Links::Session(1),
        Links::Export { id: 1, has_content: true },
        Links::UserExport { user_id: 1, job_id: Some(2) },
        Links::AuditEvent,
        Links::Incident(1),
        Links::IncidentGroups,
        Links::ApiClient(1),
        Links::Job { id: 1, can_retry: true, can_cancel: true, can_delete: true },
    ];

    #[test]
    fn link_is_the_path_and_method_of_its_operation() {
        let mut count = 0;
        for links in ALL {
            let written = links.to_json().unwrap();
            for link in written.as_object().unwrap().values() {
                let (method, path) = (link["method"].as_str().unwrap(), link["href"].as_str().unwrap());
                let found = crate::v2::contract().find(path).unwrap();
                assert!(found.item.operation(method).is_some() && !path.contains(['{', '}']), "{method} {path}");
                count += 1;
            }
        }
        assert!(count > 45, "{count}");
        let item = Links::Item { bucketlist_id: 7, id: 8 }.to_json().unwrap();
        assert_eq!(item["self"], json!({"href": "/v2/bucketlists/7/items/8", "method": "GET"}));
        assert_eq!(item["bucketlist"]["href"], "/v2/bucketlists/7");
    }
}
