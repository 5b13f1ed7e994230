//! Items of bucketlists. A list's counts change with its items, in one transaction.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;

use super::{Context, CursorPage, CursorQuery, Error, Made, PageRequest, Precondition, Resource, creation::Named};
use crate::{
    db::{
        DbConnection,
        repositories::{
            OffsetPage, bucketlists,
            items::{self, Filter, ItemRow, ItemScope, NewItem, Replacement},
            search::{self, Document, DocumentKind},
        },
    },
    domain::search_text,
};

/// Items of bucketlists.
#[derive(Clone)]
pub struct Items(pub(super) Arc<Context>);

/// What an owner says of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ItemContent {
    pub name: String,
    pub description: Option<String>,
    pub done: bool,
    pub due_on: Option<NaiveDate>,
}

/// What an owner changes of an item; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ItemChanges {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub done: Option<bool>,
    pub due_on: Option<Option<NaiveDate>>,
}

impl Items {
    /// A page of a bucketlist's items, by number.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn list(&self, place: ItemScope, request: PageRequest) -> Result<OffsetPage<ItemRow>, Error> {
        let (slice, pattern) = (request.slice(), request.pattern());
        let page = self
            .0
            .db
            .snapshot(move |c| items::list_by_offset(c, place, pattern.as_deref(), slice).map_err(Error::from))
            .await?;
        page.ok_or(Error::NotFound(Resource::Bucketlist))
    }

    /// A page of a bucketlist's items, by cursor.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn walk(&self, place: ItemScope, walk: CursorQuery<Filter>) -> Result<CursorPage<ItemRow>, Error> {
        self.0
            .db
            .snapshot(move |c| {
                let list = bucketlists::find(c, place.owner, place.bucketlist_id)?
                    .ok_or(Error::NotFound(Resource::Bucketlist))?;
                let rows = items::list_after(c, place.bucketlist_id, &walk.filter, &walk.keyset_with_lookahead())?;
                let total = match walk.with_total {
                    false => None,
                    true if walk.filter == Filter::default() => Some(list.items_total),
                    true => Some(items::count(c, place.bucketlist_id, &walk.filter)?),
                };
                Ok(walk.into_page(rows, total))
            })
            .await
    }

    /// One item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `NotFound(Item)`.
    pub async fn get(&self, place: ItemScope, id: i64) -> Result<ItemRow, Error> {
        match self.0.db.read(move |c| items::find(c, place, id).map_err(Error::from)).await? {
            Some(item) => Ok(item),
            // Only a miss pays for finding out what is missing.
            None => {
                let list = self
                    .0
                    .db
                    .read(move |c| bucketlists::find(c, place.owner, place.bucketlist_id).map_err(Error::from))
                    .await?;
                Err(Error::NotFound(if list.is_some() { Resource::Item } else { Resource::Bucketlist }))
            }
        }
    }

    /// Adds an item; once, if the caller names the creation.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `Conflict(IdempotencyKeyInFlight)`, `Invalid`.
    pub async fn create(
        &self,
        place: ItemScope,
        content: ItemContent,
        name: Option<String>,
    ) -> Result<Made<ItemRow>, Error> {
        let now = self.0.clock.now();
        let named = name.map(|name| Named::new(place.owner, name, "item", &(place.bucketlist_id, &content)));
        self.0
            .make_of(place.owner, named, move |c| {
                let done = i64::from(content.done);
                // First, so that it also proves and locks the list.
                if !bucketlists::adjust_counts(c, place.owner, place.bucketlist_id, 1, done)? {
                    return Err(Error::NotFound(Resource::Bucketlist));
                }
                let item = items::insert(c, &new_item(place, content.clone(), now))?;
                search::put(c, &[document(place.owner, &item)])?;
                Ok(item)
            })
            .await
    }

    /// Adds items, all or none, in their order; once, if the caller names the creation.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_all(
        &self,
        place: ItemScope,
        contents: Vec<ItemContent>,
        name: Option<String>,
    ) -> Result<Made<Vec<ItemRow>>, Error> {
        let now = self.0.clock.now();
        let named = name.map(|name| Named::new(place.owner, name, "items", &(place.bucketlist_id, &contents)));
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let total = count(contents.len());
        let done = count(contents.iter().filter(|content| content.done).count());
        self.0
            .make_of(place.owner, named, move |c| {
                if !bucketlists::adjust_counts(c, place.owner, place.bucketlist_id, total, done)? {
                    return Err(Error::NotFound(Resource::Bucketlist));
                }
                let rows: Vec<NewItem> = contents.iter().map(|content| new_item(place, content.clone(), now)).collect();
                let items = items::insert_all(c, &rows)?;
                let documents: Vec<Document<'_>> = items.iter().map(|item| document(place.owner, item)).collect();
                search::put(c, &documents)?;
                Ok(items)
            })
            .await
    }

    /// Replaces what its owner says of an item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `NotFound(Item)`, `Conflict(PreconditionFailed)`.
    pub async fn replace(
        &self,
        place: ItemScope,
        id: i64,
        content: ItemContent,
        precondition: Precondition,
    ) -> Result<ItemRow, Error> {
        self.revise(place, id, precondition, |_| Some(content)).await
    }

    /// Changes some of what its owner says of an item. Where nothing is new, nothing is changed.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub async fn update(
        &self,
        place: ItemScope,
        id: i64,
        changes: ItemChanges,
        precondition: Precondition,
    ) -> Result<ItemRow, Error> {
        let merged = move |before: &ItemRow| {
            let before = content_of(before);
            let after = ItemContent {
                name: changes.name.unwrap_or_else(|| before.name.clone()),
                description: changes.description.unwrap_or_else(|| before.description.clone()),
                done: changes.done.unwrap_or(before.done),
                due_on: changes.due_on.unwrap_or(before.due_on),
            };
            (after != before).then_some(after)
        };
        self.revise(place, id, precondition, merged).await
    }

    async fn revise(
        &self,
        place: ItemScope,
        id: i64,
        precondition: Precondition,
        content: impl FnOnce(&ItemRow) -> Option<ItemContent> + Send + 'static,
    ) -> Result<ItemRow, Error> {
        let now = self.0.clock.now();
        self.0
            .change_of(place.owner, move |c| {
                let before = existing(c, place, id)?;
                precondition.check(&before)?;
                let Some(content) = content(&before) else { return Ok(before) };
                let to = Replacement {
                    search_text: search_text(&content.name, content.description.as_deref()),
                    name: content.name,
                    description: content.description,
                    done: content.done,
                    // Done again is not done anew.
                    done_at: content.done.then(|| before.done_at.unwrap_or(now)),
                    due_on: content.due_on,
                    // Later than before even where clocks disagree: no two states may look the same.
                    updated_at: now.max(before.updated_at + 1),
                };
                let change = i64::from(content.done) - i64::from(before.done);
                if change != 0 {
                    bucketlists::adjust_counts(c, place.owner, place.bucketlist_id, 0, change)?;
                }
                let item = items::replace(c, id, &to)?;
                search::put(c, &[document(place.owner, &item)])?;
                Ok(item)
            })
            .await
    }

    /// Deletes an item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `NotFound(Item)`, `Conflict(PreconditionFailed)`.
    pub async fn delete(&self, place: ItemScope, id: i64, precondition: Precondition) -> Result<(), Error> {
        self.0
            .change_of(place.owner, move |c| {
                let item = existing(c, place, id)?;
                precondition.check(&item)?;
                bucketlists::adjust_counts(c, place.owner, place.bucketlist_id, -1, -i64::from(item.done))?;
                items::delete(c, id)?;
                Ok(())
            })
            .await
    }
}

fn content_of(row: &ItemRow) -> ItemContent {
    let ItemRow { name, description, done, due_on, .. } = row.clone();
    ItemContent { name, description, done, due_on }
}

fn new_item(place: ItemScope, content: ItemContent, now: i64) -> NewItem {
    NewItem {
        bucketlist_id: place.bucketlist_id,
        search_text: search_text(&content.name, content.description.as_deref()),
        name: content.name,
        description: content.description,
        done: content.done,
        done_at: content.done.then_some(now),
        due_on: content.due_on,
        created_at: now,
        updated_at: now,
    }
}

fn document(owner: i64, item: &ItemRow) -> Document<'_> {
    Document {
        kind: DocumentKind::Item,
        id: item.id,
        owner,
        name: &item.name,
        description: item.description.as_deref(),
    }
}

/// The item, locked; or what is missing. The list is locked first, as `create` does, so that no two units wait for each
/// other.
fn existing(c: &mut DbConnection, place: ItemScope, id: i64) -> Result<ItemRow, Error> {
    if !bucketlists::lock(c, place.owner, place.bucketlist_id)? {
        return Err(Error::NotFound(Resource::Bucketlist));
    }
    items::find_for_update(c, place, id)?.ok_or(Error::NotFound(Resource::Item))
}
