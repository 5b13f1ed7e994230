//! Bucketlists.

use poem_openapi::{
    Object,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};

use super::{Item, Links, example_time, some};
use crate::{
    table::Row,
    values::{Id, Nullable, Timestamp},
};

/// How many items `include=items` nests at most; `items_total` says how many there are.
pub const MAX_NESTED_ITEMS: i64 = 100;

/// A list of things its owner wants to do in life.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Bucketlist {
    /// Identifies the bucketlist.
    pub id: Id,
    /// Its name, unique among its owner's bucketlists.
    #[oai(validator(max_length = 100))]
    pub name: String,
    /// What it is about.
    #[oai(validator(max_length = 1000))]
    pub description: Nullable<String>,
    /// How many items it has.
    #[oai(validator(minimum(value = "0")))]
    pub items_total: i64,
    /// How many of them are done.
    #[oai(validator(minimum(value = "0")))]
    pub items_done: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its name or description was last changed.
    pub updated_at: Timestamp,
    /// With `include=items`: its first 100 items, the oldest first; `_links.items` leads to all of them. Else null.
    #[oai(validator(max_items = 100))]
    pub items: Nullable<Vec<Item>>,
    /// Where to go from here.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Row for Bucketlist {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "description", "items_total", "items_done", "created_at", "updated_at"];
}

impl Example for Bucketlist {
    fn example() -> Self {
        Self {
            id: Id(1),
            name: "See the world".into(),
            description: some("Places to stand in once."),
            items_total: 5,
            items_done: 1,
            created_at: example_time(),
            updated_at: example_time(),
            items: Nullable(None),
            links: Links::Bucketlist(1),
        }
    }
}

/// What to change of a bucketlist (RFC 7396): a field left out stays as it is, null clears.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct BucketlistPatch {
    /// Its name, unique among your bucketlists.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// What it is about; may have several lines.
    #[oai(nullable, validator(max_length = 1000))]
    #[serde(default)]
    pub description: MaybeUndefined<String>,
}

impl Example for BucketlistPatch {
    fn example() -> Self {
        Self { name: Some("See the world".into()), description: MaybeUndefined::Value("Places to stand in.".into()) }
    }
}
