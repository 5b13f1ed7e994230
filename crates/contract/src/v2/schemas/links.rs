//! `_links`: related resources and operations that the caller may use.

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

use crate::base_path::PublicPath;

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

/// The links of a resource by relation, such as `self`, `collection` or `update`. Only operations that the caller may use are
/// included. The paths are written during serialization.
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

impl Links {
    fn each<E>(&self, mut link: impl FnMut(&str, &str, fmt::Arguments<'_>) -> Result<(), E>) -> Result<(), E> {
        match *self {
            Self::Bucketlist(id) => {
                link("self", "GET", format_args!("/v2/bucketlists/{id}"))?;
                link("collection", "GET", format_args!("/v2/bucketlists"))?;
                link("items", "GET", format_args!("/v2/bucketlists/{id}/items"))?;
                link("add_item", "POST", format_args!("/v2/bucketlists/{id}/items"))?;
                link("update", "PATCH", format_args!("/v2/bucketlists/{id}"))?;
                link("replace", "PUT", format_args!("/v2/bucketlists/{id}"))?;
                link("delete", "DELETE", format_args!("/v2/bucketlists/{id}"))
            }
            Self::Item { bucketlist_id, id } => {
                link("self", "GET", format_args!("/v2/bucketlists/{bucketlist_id}/items/{id}"))?;
                link("collection", "GET", format_args!("/v2/bucketlists/{bucketlist_id}/items"))?;
                link("bucketlist", "GET", format_args!("/v2/bucketlists/{bucketlist_id}"))?;
                link("update", "PATCH", format_args!("/v2/bucketlists/{bucketlist_id}/items/{id}"))?;
                link("replace", "PUT", format_args!("/v2/bucketlists/{bucketlist_id}/items/{id}"))?;
                link("delete", "DELETE", format_args!("/v2/bucketlists/{bucketlist_id}/items/{id}"))
            }
            Self::Me => {
                link("self", "GET", format_args!("/v2/users/me"))?;
                link("bucketlists", "GET", format_args!("/v2/bucketlists"))?;
                link("sessions", "GET", format_args!("/v2/auth/sessions"))?;
                link("update", "PATCH", format_args!("/v2/users/me"))?;
                link("delete", "DELETE", format_args!("/v2/users/me"))
            }
            Self::User(id) => {
                link("self", "GET", format_args!("/v2/admin/users/{id}"))?;
                link("collection", "GET", format_args!("/v2/admin/users"))?;
                link("update", "PATCH", format_args!("/v2/admin/users/{id}"))?;
                link("delete", "DELETE", format_args!("/v2/admin/users/{id}"))
            }
            Self::Session(id) => {
                link("collection", "GET", format_args!("/v2/auth/sessions"))?;
                link("delete", "DELETE", format_args!("/v2/auth/sessions/{id}"))
            }
            Self::Export { id, has_content } => {
                link("self", "GET", format_args!("/v2/exports/{id}"))?;
                if has_content {
                    link("content", "GET", format_args!("/v2/exports/{id}/content"))?;
                }
                Ok(())
            }
            Self::UserExport { user_id, job_id } => {
                link("collection", "GET", format_args!("/v2/admin/exports"))?;
                link("user", "GET", format_args!("/v2/admin/users/{user_id}"))?;
                if let Some(job) = job_id {
                    link("job", "GET", format_args!("/v2/admin/jobs/{job}"))?;
                    link("cancel", "POST", format_args!("/v2/admin/jobs/{job}/cancel"))?;
                }
                Ok(())
            }
            // No link to the affected resource, which can be deleted.
            Self::AuditEvent => link("collection", "GET", format_args!("/v2/admin/audit")),
            Self::Incident(id) => {
                link("self", "GET", format_args!("/v2/admin/incidents/{id}"))?;
                link("collection", "GET", format_args!("/v2/admin/incidents"))?;
                link("groups", "GET", format_args!("/v2/admin/incident-groups"))?;
                link("replay", "POST", format_args!("/v2/admin/incidents/{id}/replay"))?;
                link("update", "PATCH", format_args!("/v2/admin/incidents/{id}"))?;
                link("delete", "DELETE", format_args!("/v2/admin/incidents/{id}"))
            }
            Self::ApiClient(id) => {
                link("self", "GET", format_args!("/v2/admin/api-clients/{id}"))?;
                link("collection", "GET", format_args!("/v2/admin/api-clients"))?;
                link("update", "PATCH", format_args!("/v2/admin/api-clients/{id}"))?;
                link("rotate", "POST", format_args!("/v2/admin/api-clients/{id}/rotate"))?;
                link("delete", "DELETE", format_args!("/v2/admin/api-clients/{id}"))
            }
            Self::Job { id, can_retry, can_cancel, can_delete } => {
                link("self", "GET", format_args!("/v2/admin/jobs/{id}"))?;
                link("collection", "GET", format_args!("/v2/admin/jobs"))?;
                if can_retry {
                    link("retry", "POST", format_args!("/v2/admin/jobs/{id}/retry"))?;
                }
                if can_cancel {
                    link("cancel", "POST", format_args!("/v2/admin/jobs/{id}/cancel"))?;
                }
                if can_delete {
                    link("delete", "DELETE", format_args!("/v2/admin/jobs/{id}"))?;
                }
                Ok(())
            }
            Self::IncidentGroups => {
                link("collection", "GET", format_args!("/v2/admin/incident-groups"))?;
                link("incidents", "GET", format_args!("/v2/admin/incidents"))?;
                link("resolve", "POST", format_args!("/v2/admin/incident-groups/resolve"))
            }
        }
    }
}

/// A [`Link`] with borrowed values.
#[derive(Serialize)]
struct BorrowedLink<'a> {
    href: &'a str,
    method: &'a str,
}

impl Serialize for Links {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        // Reused, and serialized as a whole: `collect_str` would escape each part of the path separately.
        let mut path = String::with_capacity(MAX_USUAL_PATH);
        self.each(|name, method, href| {
            path.clear();
            write!(path, "{}", PublicPath(href)).map_err(S::Error::custom)?;
            map.serialize_entry(name, &BorrowedLink { href: &path, method })
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
                 operations that your account may call. An API client must have the scope that the operation requires.",
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
