//! Bucketlists.

use serde::Serialize;

use super::{BucketlistId, KeysetPosition, SortKey, TextFilter, Timestamp, UserId};

/// A named list of a user.
// Its entity tag is computed from the serialized fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bucketlist {
    pub id: BucketlistId,
    pub name: String,
    pub description: Option<String>,
    /// Number of items.
    pub items_total: i64,
    /// Number of completed items.
    pub items_done: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Bucketlist {
    /// Returns the position of this list among its owner's lists sorted by `sort`.
    #[must_use]
    pub fn position(&self, sort: SortKey) -> KeysetPosition {
        sort.position(self.id.get(), self.created_at, self.updated_at, &self.name)
    }
}

/// The part of a bucketlist that its owner writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketlistContent {
    pub name: String,
    pub description: Option<String>,
}

/// A bucketlist to insert, without items.
#[derive(Clone, Debug)]
pub struct NewBucketlist {
    pub owner: UserId,
    pub content: BucketlistContent,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Selects bucketlists of an owner; `None` selects all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BucketlistFilter {
    pub q: Option<TextFilter>,
    pub created_after: Option<Timestamp>,
}
