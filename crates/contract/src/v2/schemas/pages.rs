//! Cursor pages: rows, whether there are more, and the link to them.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::{
    AuditEvent, Bucketlist, ExportContent, ExportRecord, IncidentGroup, IncidentSummary, Item, SearchHit, Session, User,
};
use crate::{listing::Page, values::Nullable};

/// How a page was cut.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct CursorMeta {
    /// How many rows a page has at most.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    pub per_page: i64,
    /// Whether there are rows after these.
    pub has_more: bool,
    /// With `include=total`: how many rows there are in all. Else null.
    #[oai(validator(minimum(value = "0")))]
    pub total: Nullable<i64>,
}

impl Example for CursorMeta {
    fn example() -> Self {
        Self { per_page: 20, has_more: false, total: Nullable(None) }
    }
}

/// Where to go from a page: paths on this server, the same as in the `Link` header.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct CursorLinks {
    /// This page.
    #[oai(rename = "self", validator(max_length = 8192))]
    #[serde(rename = "self")]
    pub this: String,
    /// The page after, if there is one.
    #[oai(validator(max_length = 8192))]
    pub next: Nullable<String>,
}

impl CursorLinks {
    fn example_of(path: &str) -> Self {
        Self { this: format!("{path}?per_page=20"), next: Nullable(None) }
    }
}

impl Example for CursorLinks {
    fn example() -> Self {
        Self::example_of("/v2/bucketlists")
    }
}

macro_rules! page {
    ($(#[$doc:meta])* $name:ident of $row:ident at $path:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Object, Serialize)]
        #[oai(example)]
        pub struct $name {
            /// The rows of this page.
            #[oai(validator(max_items = 100))]
            pub data: Vec<$row>,
            /// How the page was cut.
            pub meta: CursorMeta,
            /// Where to go from here.
            pub links: CursorLinks,
        }

        impl Example for $name {
            fn example() -> Self {
                Self { data: vec![$row::example()], meta: CursorMeta::example(), links: CursorLinks::example_of($path) }
            }
        }
    };
}

page! {
    /// One page of your bucketlists.
    BucketlistPage of Bucketlist at "/v2/bucketlists"
}
page! {
    /// One page of a bucketlist's items.
    ItemPage of Item at "/v2/bucketlists/1/items"
}
page! {
    /// One page of the users.
    UserPage of User at "/v2/admin/users"
}
page! {
    /// One page of what was done.
    AuditEventPage of AuditEvent at "/v2/admin/audit"
}
page! {
    /// One page of your sessions, the newest first.
    SessionPage of Session at "/v2/auth/sessions"
}
page! {
    /// One page of incidents, the newest first.
    IncidentPage of IncidentSummary at "/v2/admin/incidents"
}
page! {
    /// One page of groups of equal incidents, the newest first.
    IncidentGroupPage of IncidentGroup at "/v2/admin/incident-groups"
}
page! {
    /// One page of what a search found, the best match first.
    SearchPage of SearchHit at "/v2/search"
}

impl Page for BucketlistPage {
    type Row = Bucketlist;
}

impl Page for ItemPage {
    type Row = Item;
}

impl Page for UserPage {
    type Row = User;
}

impl Page for AuditEventPage {
    type Row = AuditEvent;
}

impl Page for ExportContent {
    type Row = ExportRecord;
}
