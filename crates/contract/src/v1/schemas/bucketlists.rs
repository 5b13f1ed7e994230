//! Bucketlists.

use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};

use super::{example_time, some};
use crate::values::{Id, Nullable, Timestamp};

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
        }
    }
}

/// What to make a bucketlist from.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct BucketlistCreate {
    /// Its name, unique among your bucketlists.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// What it is about; may have several lines.
    #[oai(nullable, validator(max_length = 1000))]
    pub description: Option<String>,
}

impl Example for BucketlistCreate {
    fn example() -> Self {
        Self { name: "Learn the cello".into(), description: Some("One piece a year.".into()) }
    }
}

/// What a bucketlist becomes; a description left out becomes null.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct BucketlistReplace {
    /// Its name, unique among your bucketlists.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// What it is about; may have several lines.
    #[oai(nullable, validator(max_length = 1000))]
    pub description: Option<String>,
}

impl Example for BucketlistReplace {
    fn example() -> Self {
        Self { name: "See the world".into(), description: Some("Places to stand in once.".into()) }
    }
}
