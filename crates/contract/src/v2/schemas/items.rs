//! Items of bucketlists.

use chrono::NaiveDate;
use poem_openapi::{Object, types::MaybeUndefined};
use serde::{Deserialize, Serialize};

use super::{ItemCreate, Links, example_time, some};
use crate::{
    table::Row,
    values::{Date, Id, Nullable, Timestamp},
};

/// An entry of a bucketlist.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Item {
    /// ID of the item.
    pub id: Id,
    /// ID of the bucketlist that contains the item.
    pub bucketlist_id: Id,
    /// Name of the item.
    #[oai(validator(max_length = 200))]
    pub name: String,
    /// Description of the item; null if it has none.
    #[oai(validator(max_length = 4000))]
    pub description: Nullable<String>,
    /// Whether the item is completed.
    pub done: bool,
    /// Time of completion; null if the item is not completed.
    pub done_at: Nullable<Timestamp>,
    /// Due date of the item; null if it has none.
    pub due_on: Nullable<Date>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Links to related resources and available operations.
    #[oai(rename = "_links")]
    #[serde(rename = "_links")]
    pub links: Links,
}

impl Row for Item {
    const COLUMNS: &'static [&'static str] =
        &["id", "bucketlist_id", "name", "description", "done", "done_at", "due_on", "created_at", "updated_at"];
}

example! { Item {
    id: Id(1), bucketlist_id: Id(1), name: "Watch the northern lights".into(),
    description: some("Tromsø, far from the city."), done: false, done_at: Nullable(None),
    due_on: Nullable(NaiveDate::from_ymd_opt(2027, 2, 1).map(Date)), created_at: example_time(),
    updated_at: example_time(), links: Links::Item { bucketlist_id: 1, id: 1 },
} }

/// Changes to an item: a JSON merge patch (RFC 7396). Omitted fields keep their value; null clears a field.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ItemPatch {
    /// Name, 1 to 200 characters, at least one of them visible.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: Option<String>,
    /// Description, up to 4,000 characters. Can contain line breaks.
    #[oai(nullable, validator(max_length = 4000))]
    #[serde(default)]
    pub description: MaybeUndefined<String>,
    /// Whether the item is completed. Changing it to true sets `done_at`, changing it to false clears `done_at`.
    pub done: Option<bool>,
    /// Due date of the item.
    #[oai(nullable)]
    #[serde(default)]
    pub due_on: MaybeUndefined<Date>,
}

example! { ItemPatch {
    name: None, description: MaybeUndefined::Undefined, done: Some(true), due_on: MaybeUndefined::Null,
} }

/// Items to create together.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ItemBatch {
    /// The new items in the order of creation, 1 to 1,000.
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub items: Vec<ItemCreate>,
}

example! { ItemBatch { items: vec![ItemCreate::example()] } }

/// The created items in the order of the request.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ItemBatchCreated {
    /// The created items.
    #[oai(validator(max_items = 1000))]
    pub data: Vec<Item>,
}

example! { ItemBatchCreated { data: vec![Item::example()] } }
