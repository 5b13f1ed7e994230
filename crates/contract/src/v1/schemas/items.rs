//! Items of bucketlists.

use chrono::NaiveDate;
use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use super::{example_time, some};
use crate::values::{Date, Id, Nullable, Timestamp};

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
}

example! { Item {
    id: Id(1), bucketlist_id: Id(1), name: "Watch the northern lights".into(),
    description: some("Tromsø, far from the city."), done: false, done_at: Nullable(None),
    due_on: Nullable(example_date()), created_at: example_time(), updated_at: example_time(),
} }

fn example_date() -> Option<Date> {
    NaiveDate::from_ymd_opt(2027, 2, 1).map(Date)
}

/// A new item.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ItemCreate {
    /// Name, 1 to 200 characters, at least one of them visible.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// Description, up to 4,000 characters. Can contain line breaks.
    #[oai(nullable, validator(max_length = 4000))]
    pub description: Option<String>,
    /// Whether the item is completed. Default: false.
    #[serde(default)]
    pub done: Option<bool>,
    /// Due date of the item.
    #[oai(nullable)]
    pub due_on: Option<Date>,
}

example! { ItemCreate {
    name: "Walk the Camino".into(), description: Some("From Saint-Jean-Pied-de-Port.".into()), done: Some(false),
    due_on: example_date(),
} }

/// The new content of an item. Omitted fields become null, and an omitted `done` becomes false.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ItemReplace {
    /// Name, 1 to 200 characters, at least one of them visible.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// Description, up to 4,000 characters. Can contain line breaks.
    #[oai(nullable, validator(max_length = 4000))]
    pub description: Option<String>,
    /// Whether the item is completed. Changing it to true sets `done_at`, changing it to false clears `done_at`.
    #[serde(default)]
    pub done: Option<bool>,
    /// Due date of the item.
    #[oai(nullable)]
    pub due_on: Option<Date>,
}

example! { ItemReplace {
    name: "Watch the northern lights".into(), description: Some("Tromsø, far from the city.".into()), done: Some(true),
    due_on: example_date(),
} }
