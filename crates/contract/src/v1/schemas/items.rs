//! Items of bucketlists.

use chrono::NaiveDate;
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};

use super::{example_time, some};
use crate::values::{Date, Id, Nullable, Timestamp};

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
            due_on: Nullable(example_date()),
            created_at: example_time(),
            updated_at: example_time(),
        }
    }
}

fn example_date() -> Option<Date> {
    NaiveDate::from_ymd_opt(2027, 2, 1).map(Date)
}

/// What to make an item from.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ItemCreate {
    /// What to do.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// More about it; may have several lines.
    #[oai(nullable, validator(max_length = 4000))]
    pub description: Option<String>,
    /// Whether it is done already; left out, it is not.
    #[serde(default)]
    pub done: Option<bool>,
    /// Until when to do it.
    #[oai(nullable)]
    pub due_on: Option<Date>,
}

impl Example for ItemCreate {
    fn example() -> Self {
        Self {
            name: "Walk the Camino".into(),
            description: Some("From Saint-Jean-Pied-de-Port.".into()),
            done: Some(false),
            due_on: example_date(),
        }
    }
}

/// What an item becomes; a field left out becomes null, `done` becomes false.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ItemReplace {
    /// What to do.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// More about it; may have several lines.
    #[oai(nullable, validator(max_length = 4000))]
    pub description: Option<String>,
    /// Whether it is done. Becoming done sets `done_at`, becoming undone clears it.
    #[serde(default)]
    pub done: Option<bool>,
    /// Until when to do it.
    #[oai(nullable)]
    pub due_on: Option<Date>,
}

impl Example for ItemReplace {
    fn example() -> Self {
        Self {
            name: "Watch the northern lights".into(),
            description: Some("Tromsø, away from the town.".into()),
            done: Some(true),
            due_on: example_date(),
        }
    }
}
