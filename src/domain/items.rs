//! Items of bucketlists.

use chrono::NaiveDate;
use serde::Serialize;

use super::{BucketlistId, ItemId, KeysetPosition, SortKey, TextFilter, Timestamp, UserId};

/// An entry of a bucketlist.
// Its entity tag is computed from the serialized fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    pub id: ItemId,
    pub bucketlist_id: BucketlistId,
    pub name: String,
    pub description: Option<String>,
    pub done: bool,
    /// When the item was completed.
    pub done_at: Option<Timestamp>,
    pub due_on: Option<NaiveDate>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Item {
    /// Returns the position of this item in its list sorted by `sort`.
    #[must_use]
    pub fn position(&self, sort: SortKey) -> KeysetPosition {
        sort.position(self.id.get(), self.created_at, self.updated_at, &self.name)
    }

    /// Returns the part that the owner writes.
    #[must_use]
    pub fn content(&self) -> ItemContent {
        ItemContent {
            name: self.name.clone(),
            description: self.description.clone(),
            done: self.done,
            due_on: self.due_on,
        }
    }
}

/// The part of an item that its owner writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemContent {
    pub name: String,
    pub description: Option<String>,
    pub done: bool,
    pub due_on: Option<NaiveDate>,
}

/// An item to insert.
#[derive(Clone, Debug)]
pub struct NewItem {
    pub bucketlist_id: BucketlistId,
    pub content: ItemContent,
    /// When the item was completed. Without a time, a completed item was completed when it was created.
    pub done_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl NewItem {
    /// Returns when the item was completed; `None` if it is not.
    #[must_use]
    pub fn effective_done_at(&self) -> Option<Timestamp> {
        self.content.done.then(|| self.done_at.unwrap_or(self.created_at))
    }
}

/// The bucketlist that an item is in, and the owner that the bucketlist must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ItemScope {
    pub owner: UserId,
    pub bucketlist_id: BucketlistId,
}

/// Selects items of a bucketlist; `None` selects all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemFilter {
    pub q: Option<TextFilter>,
    pub done: Option<bool>,
    /// Items without a due date do not match.
    pub due_before: Option<NaiveDate>,
    /// Items without a due date do not match.
    pub due_after: Option<NaiveDate>,
    pub created_after: Option<Timestamp>,
}
