//! Items of bucketlists. A list's counts change with its items, in one transaction.

use std::sync::Arc;

use chrono::NaiveDate;

use super::{Context, Error, Missing, PageRequest};
use crate::{
    db::{
        DbConnection,
        repositories::{
            Counted, bucketlists,
            items::{self, ItemRow, NewItem, Place, Replacement},
        },
    },
    domain::search_text,
};

/// Items of bucketlists.
#[derive(Clone)]
pub struct Items(pub(super) Arc<Context>);

/// What an owner says of an item.
#[derive(Clone, Debug)]
pub struct ItemContent {
    pub name: String,
    pub description: Option<String>,
    pub done: bool,
    pub due_on: Option<NaiveDate>,
}

impl Items {
    /// A page of a bucketlist's items.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn list(&self, place: Place, request: PageRequest) -> Result<Counted<ItemRow>, Error> {
        let (slice, pattern) = (request.slice(), request.pattern());
        let page =
            self.0.db.snapshot(move |c| items::page(c, place, pattern.as_deref(), slice).map_err(Error::from)).await?;
        page.ok_or(Error::NotFound(Missing::Bucketlist))
    }

    /// One item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `NotFound(Item)`.
    pub async fn get(&self, place: Place, id: i64) -> Result<ItemRow, Error> {
        match self.0.db.read(move |c| items::find(c, place, id).map_err(Error::from)).await? {
            Some(item) => Ok(item),
            // Only a miss pays for finding out what is missing.
            None => {
                let list = self
                    .0
                    .db
                    .read(move |c| bucketlists::find(c, place.owner, place.bucketlist_id).map_err(Error::from))
                    .await?;
                Err(Error::NotFound(if list.is_some() { Missing::Item } else { Missing::Bucketlist }))
            }
        }
    }

    /// Adds an item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn create(&self, place: Place, content: ItemContent) -> Result<ItemRow, Error> {
        let now = self.0.clock.now();
        self.0
            .db
            .write(move |c| {
                let done = i64::from(content.done);
                // First, so that it also proves and locks the list.
                if !bucketlists::adjust_counts(c, place.owner, place.bucketlist_id, 1, done)? {
                    return Err(Error::NotFound(Missing::Bucketlist));
                }
                let item = NewItem {
                    bucketlist_id: place.bucketlist_id,
                    search_text: search_text(&content.name, content.description.as_deref()),
                    name: content.name,
                    description: content.description,
                    done: content.done,
                    done_at: content.done.then_some(now),
                    due_on: content.due_on,
                    created_at: now,
                    updated_at: now,
                };
                Ok(items::insert(c, &item)?)
            })
            .await
    }

    /// Replaces what its owner says of an item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `NotFound(Item)`.
    pub async fn replace(&self, place: Place, id: i64, content: ItemContent) -> Result<ItemRow, Error> {
        let now = self.0.clock.now();
        self.0
            .db
            .write(move |c| {
                let before = existing(c, place, id)?;
                let to = Replacement {
                    search_text: search_text(&content.name, content.description.as_deref()),
                    name: content.name,
                    description: content.description,
                    done: content.done,
                    // Done again is not done anew.
                    done_at: content.done.then(|| before.done_at.unwrap_or(now)),
                    due_on: content.due_on,
                    updated_at: now,
                };
                let change = i64::from(content.done) - i64::from(before.done);
                if change != 0 {
                    bucketlists::adjust_counts(c, place.owner, place.bucketlist_id, 0, change)?;
                }
                Ok(items::replace(c, id, &to)?)
            })
            .await
    }

    /// Deletes an item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `NotFound(Item)`.
    pub async fn delete(&self, place: Place, id: i64) -> Result<(), Error> {
        self.0
            .db
            .write(move |c| {
                let item = existing(c, place, id)?;
                bucketlists::adjust_counts(c, place.owner, place.bucketlist_id, -1, -i64::from(item.done))?;
                items::delete(c, id)?;
                Ok(())
            })
            .await
    }
}

/// The item, locked; or what is missing. The list is locked first, as `create` does, so that no two units wait for each
/// other.
fn existing(c: &mut DbConnection, place: Place, id: i64) -> Result<ItemRow, Error> {
    if !bucketlists::lock(c, place.owner, place.bucketlist_id)? {
        return Err(Error::NotFound(Missing::Bucketlist));
    }
    items::find_for_update(c, place, id)?.ok_or(Error::NotFound(Missing::Item))
}
