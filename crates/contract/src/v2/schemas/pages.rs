//! Pages of cursor pagination: results and links.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::{
    ApiClient, AuditEvent, Bucketlist, Deprecation, ExportContent, ExportRecord, IncidentGroup, IncidentSummary, Item,
    Job, JobSchedule, ReplayTarget, SearchHit, Session, UsageRow, User, UserExport,
};
use crate::{base_path, listing::HasRows, values::Nullable};

/// Page size, whether there are more results, and the total number of results with `include=total`.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct CursorMeta {
    /// Maximum number of results per page.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    pub per_page: i64,
    /// Whether there are more results after this page.
    pub has_more: bool,
    /// Total number of results with `include=total`; otherwise null.
    #[oai(validator(minimum(value = "0")))]
    pub total: Nullable<i64>,
}

example! { CursorMeta { per_page: 20, has_more: false, total: Nullable(None) } }

/// Links to pages, as paths on this server. The `Link` header contains the same links.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct CursorLinks {
    /// Path of this page.
    #[oai(rename = "self", validator(max_length = 8192))]
    #[serde(rename = "self", serialize_with = "base_path::serialize")]
    pub this: String,
    /// Path of the next page; null on the last page.
    #[oai(validator(max_length = 8192))]
    #[serde(serialize_with = "base_path::serialize_nullable")]
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
            /// The results on this page.
            #[oai(validator(max_items = 100))]
            pub data: Vec<$row>,
            /// Page size, and whether there are more results.
            pub meta: CursorMeta,
            /// Links to pages.
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
    /// A page of bucketlists.
    BucketlistPage of Bucketlist at "/v2/bucketlists"
}
page! {
    /// A page of items.
    ItemPage of Item at "/v2/bucketlists/1/items"
}
page! {
    /// A page of users.
    UserPage of User at "/v2/admin/users"
}
page! {
    /// A page of audit events.
    AuditEventPage of AuditEvent at "/v2/admin/audit"
}
page! {
    /// A page of sessions, newest first.
    SessionPage of Session at "/v2/auth/sessions"
}
page! {
    /// A page of incidents, newest first.
    IncidentPage of IncidentSummary at "/v2/admin/incidents"
}
page! {
    /// A page of incident groups, newest first.
    IncidentGroupPage of IncidentGroup at "/v2/admin/incident-groups"
}
page! {
    /// A page of servers that incidents can be replayed on.
    ReplayTargetPage of ReplayTarget at "/v2/admin/replay-targets"
}
page! {
    /// A page of exports of all users, newest first.
    UserExportPage of UserExport at "/v2/admin/exports"
}
page! {
    /// A page of API clients, newest first.
    ApiClientPage of ApiClient at "/v2/admin/api-clients"
}
page! {
    /// A page of search results, best match first.
    SearchPage of SearchHit at "/v2/search"
}

page! {
    /// A page of usage rows, the latest day first.
    UsagePage of UsageRow at "/v2/admin/usage"
}

page! {
    /// A page of jobs, newest first.
    JobPage of Job at "/v2/admin/jobs"
}

page! {
    /// A page of recurring tasks, by name.
    JobSchedulePage of JobSchedule at "/v2/admin/schedules"
}

page! {
    /// A page of deprecated operations.
    DeprecationPage of Deprecation at "/v2/admin/deprecations"
}

impl HasRows for BucketlistPage {
    type Row = Bucketlist;
}

impl HasRows for ItemPage {
    type Row = Item;
}

impl HasRows for UserPage {
    type Row = User;
}

impl HasRows for AuditEventPage {
    type Row = AuditEvent;
}

impl HasRows for JobPage {
    type Row = Job;
}

impl HasRows for UsagePage {
    type Row = UsageRow;
}

impl HasRows for ExportContent {
    type Row = ExportRecord;
}
