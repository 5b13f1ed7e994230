//! `_links`: where to go from a resource, and what its reader may do with it.

use std::{borrow::Cow, fmt};

use poem_openapi::{
    Object,
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{Example, ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

/// Where a link leads, and how it is followed.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Link {
    /// A path on this server.
    #[oai(validator(max_length = 8192))]
    pub href: String,
    /// The HTTP method to follow it with.
    #[oai(validator(max_length = 10))]
    pub method: String,
}

impl Example for Link {
    fn example() -> Self {
        Self { href: "/v2/bucketlists/1".into(), method: "GET".into() }
    }
}

/// The links of a resource, by what they lead to: `self`, `collection`, `items`, `update`, `delete`, …; only those that the
/// caller may follow. They are written from the ids when the resource is: nothing is kept.
#[derive(Clone, Copy, Debug)]
pub enum Links {
    /// Of a bucketlist.
    Bucketlist(i64),
    /// Of an item.
    Item {
        /// The bucketlist it is in.
        bucketlist_id: i64,
        /// The item.
        id: i64,
    },
    /// Of one's own account.
    Me,
    /// Of an account, for administrators.
    User(i64),
    /// Of a session.
    Session(i64),
    /// Of an export.
    Export {
        /// The export.
        id: i64,
        /// Whether there is a file.
        has_content: bool,
    },
    /// Of something that was done.
    AuditEvent,
    /// Of an incident, for administrators.
    Incident(i64),
    /// Of a group of incidents, for administrators.
    IncidentGroups,
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
            // Whom it speaks of may be gone.
            Self::AuditEvent => link("collection", "GET", format_args!("/v2/admin/audit")),
            Self::Incident(id) => {
                link("self", "GET", format_args!("/v2/admin/incidents/{id}"))?;
                link("collection", "GET", format_args!("/v2/admin/incidents"))?;
                link("groups", "GET", format_args!("/v2/admin/incident-groups"))?;
                link("update", "PATCH", format_args!("/v2/admin/incidents/{id}"))?;
                link("delete", "DELETE", format_args!("/v2/admin/incidents/{id}"))
            }
            Self::IncidentGroups => {
                link("collection", "GET", format_args!("/v2/admin/incident-groups"))?;
                link("incidents", "GET", format_args!("/v2/admin/incidents"))
            }
        }
    }
}

/// As [`Link`], borrowed.
#[derive(Serialize)]
struct Written<'a> {
    href: Formatted<'a>,
    method: &'a str,
}

struct Formatted<'a>(fmt::Arguments<'a>);

impl Serialize for Formatted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Links {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.each(|name, method, href| map.serialize_entry(name, &Written { href: Formatted(href), method }))?;
        map.end()
    }
}

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
                "Where to go from here, by what is there: `self`, `collection`, `items`, `update`, `delete`, …; \
                 only what you may follow.",
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

/// poem-openapi wants it of every field, of requests or not.
impl ParseFromJSON for Links {
    fn parse_from_json(_: Option<Value>) -> ParseResult<Self> {
        Err(ParseError::custom("links are written, not read"))
    }
}
