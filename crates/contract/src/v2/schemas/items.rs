//! Items of bucketlists.

use chrono::NaiveDate;
use poem_openapi::{
    Object,
    types::{Example, MaybeUndefined},
};
use serde::{Deserialize, Serialize};

use super::{ItemCreate, Links, example_time, some};
use crate::{
    table::Row,
    values::{Date, Id, Nullable, Timestamp},
};

/// One thing to do in life.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Item {
    /// Identifies the item.
    pub id: Id,
    /// The bucketlist it is in.
    pub bucketlist_id: Id,
    /// What to do.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// More about it.
    #[oai(validator(max_length = 4000))]
    pub description: Nullable<String>,
    /// Whether it is done.
    pub done: bool,
    /// When it was done.
    pub done_at: Nullable<Timestamp>,
    /// Until when to do it.
    pub due_on: Nullable<Date>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Where to go from here.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Row for Item {
    const COLUMNS: &'static [&'static str] =
        &["id", "bucketlist_id", "name", "description", "done", "done_at", "due_on", "created_at", "updated_at"];
}

impl Example for Item {
    fn example() -> Self {
        Self {
            id: Id(1),
            bucketlist_id: Id(1),
            name: "Watch the northern lights".into(),
            description: some("Tromsø, away from the town."),
            done: false,
            done_at: Nullable(None),
            due_on: Nullable(NaiveDate::from_ymd_opt(2027, 2, 1).map(Date)),
            created_at: example_time(),
            updated_at: example_time(),
            links: Links::Item { bucketlist_id: 1, id: 1 },
        }
    }
}

/// What to change of an item (RFC 7396): a field left out stays as it is, null clears.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ItemPatch {
    /// What to do.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
    /// More about it; may have several lines.
    #[oai(nullable, validator(max_length = 4000))]
    #[serde(default)]
    pub description: MaybeUndefined<String>,
    /// Whether it is done. Becoming done sets `done_at`, becoming undone clears it.
    pub done: Option<bool>,
    /// Until when to do it.
    #[oai(nullable)]
    #[serde(default)]
    pub due_on: MaybeUndefined<Date>,
}

impl Example for ItemPatch {
    fn example() -> Self {
        Self { name: None, description: MaybeUndefined::Undefined, done: Some(true), due_on: MaybeUndefined::Null }
    }
}

/// Items to be made together: all of them, or none.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ItemBatch {
    /// What to make them from, in their order.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub items: Vec<ItemCreate>,
}

impl Example for ItemBatch {
    fn example() -> Self {
        Self { items: vec![ItemCreate::example()] }
    }
}

/// Items that were made together, in the order they were sent.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ItemBatchCreated {
    /// The new items.
    #[oai(validator(max_items = 1000))]
    pub data: Vec<Item>,
}

impl Example for ItemBatchCreated {
    fn example() -> Self {
        Self { data: vec![Item::example()] }
    }
}
