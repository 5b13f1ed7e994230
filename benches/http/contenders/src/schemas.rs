//! The schemas of BucketList: version 1, and a bucketlist of version 2.

use chrono::{DateTime, NaiveDate};
use serde::{Deserialize, Serialize, Serializer};

use crate::responses::Failure;

/// Microseconds since 1970, serialized as RFC 3339.
#[derive(Clone, Copy)]
pub(crate) struct Time(pub(crate) i64);

impl Time {
    pub(crate) fn now() -> Self {
        Self(chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).timestamp_micros())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = DateTime::from_timestamp_micros(self.0).unwrap_or_default();
        serializer.collect_str(&time.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

#[derive(Serialize)]
pub(crate) struct Bucketlist {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) items_total: i64,
    pub(crate) items_done: i64,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

/// A bucketlist of version 2.
#[derive(Serialize)]
pub(crate) struct LinkedBucketlist {
    id: i64,
    name: String,
    description: Option<String>,
    items_total: i64,
    items_done: i64,
    created_at: Time,
    updated_at: Time,
    items: Option<Vec<Item>>,
    #[serde(rename = "_links")]
    links: BucketlistLinks,
}

#[derive(Serialize)]
struct BucketlistLinks {
    #[serde(rename = "self")]
    this: Link,
    collection: Link,
    items: Link,
    add_item: Link,
    update: Link,
    replace: Link,
    delete: Link,
}

#[derive(Serialize)]
struct Link {
    href: String,
    method: &'static str,
}

impl From<Bucketlist> for LinkedBucketlist {
    fn from(list: Bucketlist) -> Self {
        let this = |method| Link { href: format!("/v2/bucketlists/{}", list.id), method };
        let items = |method| Link { href: format!("/v2/bucketlists/{}/items", list.id), method };
        let links = BucketlistLinks {
            this: this("GET"),
            collection: Link { href: "/v2/bucketlists".to_owned(), method: "GET" },
            items: items("GET"),
            add_item: items("POST"),
            update: this("PATCH"),
            replace: this("PUT"),
            delete: this("DELETE"),
        };
        let Bucketlist { id, name, description, items_total, items_done, created_at, updated_at } = list;
        Self { id, name, description, items_total, items_done, created_at, updated_at, items: None, links }
    }
}

#[derive(Serialize)]
pub(crate) struct Item {
    pub(crate) id: i64,
    pub(crate) bucketlist_id: i64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) done: bool,
    pub(crate) done_at: Option<Time>,
    pub(crate) due_on: Option<NaiveDate>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

/// The content of a new bucketlist or item.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
}

impl Content {
    pub(crate) fn validate(mut self, max_length: usize) -> Result<Self, Failure> {
        self.name = self.name.trim().to_owned();
        let length = self.name.chars().count();
        let has_controls = self.name.chars().any(char::is_control);
        if length == 0 || length > max_length || has_controls { Err(Failure::InvalidName) } else { Ok(self) }
    }

    /// Returns the text that `q` searches.
    pub(crate) fn search_text(&self) -> String {
        format!("{}\n{}", self.name, self.description.as_deref().unwrap_or_default()).to_lowercase()
    }
}

#[derive(Deserialize)]
pub(crate) struct PageQuery {
    pub(crate) page: Option<i64>,
    pub(crate) per_page: Option<i64>,
}

impl PageQuery {
    pub(crate) fn page(&self) -> i64 {
        self.page.unwrap_or(1).max(1)
    }

    pub(crate) fn per_page(&self) -> i64 {
        self.per_page.unwrap_or(20).clamp(1, 100)
    }

    pub(crate) fn offset(&self) -> i64 {
        (self.page() - 1) * self.per_page()
    }
}

#[derive(Serialize)]
pub(crate) struct Page<T> {
    data: Vec<T>,
    meta: Meta,
    links: Links,
}

#[derive(Serialize)]
struct Meta {
    page: i64,
    per_page: i64,
    total: i64,
    pages: i64,
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    this: String,
    first: String,
    prev: Option<String>,
    next: Option<String>,
    last: String,
}

impl<T> Page<T> {
    pub(crate) fn new(path: &str, query: &PageQuery, total: i64, data: Vec<T>) -> Self {
        let (page, per_page) = (query.page(), query.per_page());
        let pages = (total + per_page - 1) / per_page;
        let last = pages.max(1);
        let link = |page: i64| format!("{path}?page={page}&per_page={per_page}");
        let links = Links {
            this: link(page),
            first: link(1),
            prev: (page > 1).then(|| link((page - 1).min(last))),
            next: (page < last).then(|| link(page + 1)),
            last: link(last),
        };
        Self { data, meta: Meta { page, per_page, total, pages }, links }
    }
}
