//! Bucketlists.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use super::{example_time, some};
use crate::values::{Id, Nullable, Timestamp};

/// A named list of things that its owner wants to do.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Bucketlist {
    /// ID of the bucketlist.
    pub id: Id,
    /// Name, unique among the bucketlists of its owner.
    #[oai(validator(max_length = 100))]
    pub name: String,
    /// Description of the bucketlist; null if it has none.
    #[oai(validator(max_length = 1000))]
    pub description: Nullable<String>,
    /// Number of items.
    #[oai(validator(minimum(value = "0")))]
    pub items_total: i64,
    /// Number of completed items.
    #[oai(validator(minimum(value = "0")))]
    pub items_done: i64,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change to the name or the description.
    pub updated_at: Timestamp,
}

example! { Bucketlist {
    id: Id(1), name: "See the world".into(), description: some("Places to visit once."), items_total: 5,
    items_done: 1, created_at: example_time(), updated_at: example_time(),
} }

/// A new bucketlist.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct BucketlistCreate {
    /// Name, unique among your bucketlists. 1 to 100 characters, at least one of them visible.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// Description, up to 1,000 characters. Can contain line breaks.
    #[oai(nullable, validator(max_length = 1000))]
    pub description: Option<String>,
}

example! { BucketlistCreate { name: "Learn the cello".into(), description: Some("One piece a year.".into()) } }

/// The new content of a bucketlist. An omitted description becomes null.
#[derive(Clone, Debug, Deserialize, Object)]
#[oai(example)]
pub struct BucketlistReplace {
    /// Name, unique among your bucketlists. 1 to 100 characters, at least one of them visible.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    /// Description, up to 1,000 characters. Can contain line breaks.
    #[oai(nullable, validator(max_length = 1000))]
    pub description: Option<String>,
}

example! { BucketlistReplace { name: "See the world".into(), description: Some("Places to visit once.".into()) } }
