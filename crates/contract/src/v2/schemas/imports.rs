//! Imports of bucketlists and items from an exported file.

use chrono::NaiveDate;
use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::{ResourceType, example_time};
use crate::values::{Date, Id, Nullable, Timestamp};

/// The content of an exported JSON file.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ImportCreate {
    /// Bucketlists and their items, 1 to 5,000 records. The order of the bucketlists, and of the items of a bucketlist, is
    /// preserved.
    #[oai(validator(min_items = 1, max_items = 5000))]
    pub records: Vec<ImportRecord>,
}

example! { ImportCreate { records: vec![ImportRecord::example_list(), ImportRecord::example()] } }

/// A bucketlist or an item, in the format of an export.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct ImportRecord {
    /// Type of the record.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// ID in the source account. For a bucketlist, null or equal to `bucketlist_id`; ignored for an item.
    #[oai(nullable)]
    pub id: Option<Id>,
    /// ID of the bucketlist in the source account. It relates an item to a bucketlist of the same request.
    pub bucketlist_id: Id,
    /// Name, 1 to 200 characters, at least one of them visible; at most 100 for a bucketlist.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// Description, up to 4,000 characters; at most 1,000 for a bucketlist.
    #[oai(nullable, validator(max_length = 4000))]
    pub description: Option<String>,
    /// Whether the item is completed. Default: false. Null for a bucketlist.
    #[oai(nullable)]
    pub done: Option<bool>,
    /// Time of completion. Default: `updated_at`. Null if the item is not completed, and for a bucketlist.
    #[oai(nullable)]
    pub done_at: Option<Timestamp>,
    /// Due date. Null for a bucketlist.
    #[oai(nullable)]
    pub due_on: Option<Date>,
    /// Time of creation. Default: the time of the import. A future value is replaced by the time of the import.
    #[oai(nullable)]
    pub created_at: Option<Timestamp>,
    /// Time of the last change. Default: `created_at`. An earlier value is replaced by `created_at`, and a future value by
    /// the time of the import.
    #[oai(nullable)]
    pub updated_at: Option<Timestamp>,
}

impl ImportRecord {
    fn example_list() -> Self {
        Self {
            kind: ResourceType::Bucketlist,
            id: Some(Id(1)),
            bucketlist_id: Id(1),
            name: "See the world".into(),
            description: Some("Places to visit once.".into()),
            done: None,
            done_at: None,
            due_on: None,
            created_at: Some(example_time()),
            updated_at: Some(example_time()),
        }
    }
}

example! { ImportRecord {
    kind: ResourceType::Item, id: Some(Id(1)), bucketlist_id: Id(1), name: "Watch the northern lights".into(),
    description: Some("Tromsø, far from the city.".into()), done: Some(false), done_at: None,
    due_on: NaiveDate::from_ymd_opt(2027, 2, 1).map(Date), created_at: Some(example_time()),
    updated_at: Some(example_time()),
} }

/// Result for one bucketlist of an import:
///
/// - `created`: Created with its name.
/// - `renamed`: Created with another name, because its name was already in use.
/// - `skipped`: Not created, because its name was already in use.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ImportOutcome {
    /// Created with its name.
    Created,
    /// Created with another name, because its name was already in use.
    Renamed,
    /// Not created, because its name was already in use.
    Skipped,
}

/// The result of an import.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ImportResult {
    /// Number of created bucketlists.
    #[oai(validator(minimum(value = "0"), maximum(value = "5000")))]
    pub bucketlists_created: i64,
    /// Number of created items.
    #[oai(validator(minimum(value = "0"), maximum(value = "5000")))]
    pub items_created: i64,
    /// The bucketlists of the request, in its order.
    #[oai(validator(max_items = 5000))]
    pub bucketlists: Vec<ImportedBucketlist>,
}

example! { ImportResult {
    bucketlists_created: 1, items_created: 1, bucketlists: vec![ImportedBucketlist::example()],
} }

/// Result for one bucketlist of an import: created, renamed or skipped.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ImportedBucketlist {
    /// The `bucketlist_id` of the record.
    pub source_id: Id,
    /// Whether the bucketlist was created, renamed or skipped.
    pub outcome: ImportOutcome,
    /// ID of the created bucketlist; null if the bucketlist was skipped.
    pub bucketlist_id: Nullable<Id>,
    /// Name of the created bucketlist; for a skipped one, the name in the request.
    #[oai(validator(max_length = 100))]
    pub name: String,
    /// Number of created items.
    #[oai(validator(minimum(value = "0"), maximum(value = "5000")))]
    pub items_created: i64,
}

example! { ImportedBucketlist {
    source_id: Id(1), outcome: ImportOutcome::Renamed, bucketlist_id: Nullable(Some(Id(7))), name: "See the world (2)".into(),
    items_created: 1,
} }
