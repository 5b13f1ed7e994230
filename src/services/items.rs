//! Items of bucketlists. The counts of a bucketlist change with its items, in one transaction.

use std::sync::Arc;

use chrono::NaiveDate;

use super::{
    Context, Error, Idempotent, Precondition, Resource,
    idempotency::{KeyedRequest, request::CanonicalItem},
};
use crate::{
    db::{
        DbConnection,
        repositories::{
            ItemCounts, bucketlists,
            creation::CreateItem,
            item_pages::{ListItemsByCursor, ListItemsByOffset},
            items,
            retrieval::{RetrieveBucketlist, RetrieveItem},
            search::{self, Document},
        },
    },
    domain::{
        CursorPage, CursorQuery, Item, ItemContent, ItemFilter, ItemId, ItemScope, NewItem, OffsetPage, OffsetQuery,
        SearchTarget, Timestamp, UserId, Versioned,
    },
};

/// Reads and changes items.
#[derive(Clone)]
pub struct Items(pub(super) Arc<Context>);

/// Changes to an item; `None` leaves a field unchanged.
#[derive(Clone, Debug, Default)]
pub struct ItemChanges {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub done: Option<bool>,
    pub due_on: Option<Option<NaiveDate>>,
}

impl Items {
    /// Lists items by offset.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn list_by_offset(&self, scope: ItemScope, query: OffsetQuery) -> Result<OffsetPage<Item>, Error> {
        if let Some(work) = ListItemsByOffset::new(scope, &query) {
            let page = self.0.retrieve_resource(scope.owner, "Items::list_by_offset", work).await?;
            return page.ok_or(Error::NotFound(Resource::Bucketlist));
        }
        let (range, q) = (query.range(), query.text_filter());
        let is_one_statement = q.is_none();
        let work = move |c: &mut DbConnection| items::list_by_offset(c, scope, q.as_ref(), range).map_err(Error::from);
        let page = if is_one_statement {
            self.0.read_resources(scope.owner, work).await
        } else {
            self.0.snapshot_resources(scope.owner, work).await
        };
        page?.ok_or(Error::NotFound(Resource::Bucketlist))
    }

    /// Lists items by cursor.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn list_by_cursor(
        &self,
        scope: ItemScope,
        query: CursorQuery<ItemFilter>,
    ) -> Result<CursorPage<Item>, Error> {
        if let Some(work) = ListItemsByCursor::new(scope, &query) {
            let page = self.0.retrieve_resource(scope.owner, "Items::list_by_cursor", work).await?;
            let (counts, rows) = page.ok_or(Error::NotFound(Resource::Bucketlist))?;
            return Ok(query.to_page(rows, query.with_total.then(|| counts.count_matching(&query.filter))));
        }
        let is_one_statement = !query.with_total || ItemCounts::cover(&query.filter);
        let work = move |c: &mut DbConnection| {
            let (counts, rows) = items::list_with_counts(c, scope, &query.filter, &query.keyset_with_lookahead())?
                .ok_or(Error::NotFound(Resource::Bucketlist))?;
            let total = match query.with_total {
                false => None,
                true if ItemCounts::cover(&query.filter) => Some(counts.count_matching(&query.filter)),
                true => Some(items::count(c, scope.bucketlist_id, &query.filter)?),
            };
            Ok(query.to_page(rows, total))
        };
        if is_one_statement {
            self.0.read_resources(scope.owner, work).await
        } else {
            self.0.snapshot_resources(scope.owner, work).await
        }
    }

    /// Retrieves an item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `NotFound(Item)`.
    pub async fn get(&self, scope: ItemScope, id: ItemId) -> Result<Versioned<Item>, Error> {
        let item = self.0.retrieve_resource(scope.owner, "Items::get", RetrieveItem { scope, id }).await?;
        if let Some(item) = item {
            return Ok(Versioned::new(item));
        }
        // Only if the item is not found, a second query determines whether the bucketlist exists.
        let list = RetrieveBucketlist { owner: scope.owner, id: scope.bucketlist_id };
        let list = self.0.retrieve_resource(scope.owner, "Items::get", list).await?;
        Err(Error::NotFound(if list.is_some() { Resource::Item } else { Resource::Bucketlist }))
    }

    /// Creates an item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`; with an idempotency key also `Conflict(IdempotencyKeyInFlight)` and `IdempotencyKeyReused`.
    pub async fn create(
        &self,
        scope: ItemScope,
        content: ItemContent,
        idempotency_key: Option<String>,
    ) -> Result<Idempotent<Versioned<Item>>, Error> {
        let canonical = (scope.bucketlist_id, CanonicalItem::from(&content));
        let request = KeyedRequest::new(scope.owner, idempotency_key, "item", &canonical)?;
        let new = new_item(scope, content, self.0.clock.now());
        let created = self
            .0
            .create_resource_once(scope.owner, request, CreateItem { owner: scope.owner, item: new }, || {
                Error::NotFound(Resource::Bucketlist)
            })
            .await?;
        Ok(created.map(Versioned::new))
    }

    /// Creates several items in order: all or none.
    ///
    /// # Errors
    /// The errors of [`Self::create`].
    pub async fn create_batch(
        &self,
        scope: ItemScope,
        contents: Vec<ItemContent>,
        idempotency_key: Option<String>,
    ) -> Result<Idempotent<Vec<Item>>, Error> {
        let canonical: Vec<CanonicalItem<'_>> = contents.iter().map(CanonicalItem::from).collect();
        let canonical = (scope.bucketlist_id, canonical);
        let request = KeyedRequest::new(scope.owner, idempotency_key, "items", &canonical)?;
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let total = count(contents.len());
        let done = count(contents.iter().filter(|content| content.done).count());
        let now = self.0.clock.now();
        let new: Vec<NewItem> = contents.into_iter().map(|content| new_item(scope, content, now)).collect();
        let new: Arc<[NewItem]> = new.into();
        self.0
            .create_once(scope.owner, request, move |c| {
                if !bucketlists::adjust_counts(c, scope.owner, scope.bucketlist_id, total, done)? {
                    return Err(Error::NotFound(Resource::Bucketlist));
                }
                let items = items::insert_all(c, &new)?;
                let documents: Vec<Document<'_>> = items.iter().map(|item| document(scope.owner, item)).collect();
                search::upsert(c, &documents)?;
                Ok(items)
            })
            .await
    }

    /// Replaces the content of an item. Writes nothing if no value differs.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `NotFound(Item)`, `Conflict(PreconditionFailed)`.
    pub async fn replace(
        &self,
        scope: ItemScope,
        id: ItemId,
        content: ItemContent,
        precondition: Precondition,
    ) -> Result<Versioned<Item>, Error> {
        self.change(scope, id, precondition, move |_| content.clone()).await
    }

    /// Changes some fields of an item. Writes nothing if no value differs.
    ///
    /// # Errors
    /// The errors of [`Self::replace`].
    pub async fn update(
        &self,
        scope: ItemScope,
        id: ItemId,
        changes: ItemChanges,
        precondition: Precondition,
    ) -> Result<Versioned<Item>, Error> {
        let merge = move |before: &Item| {
            let before = before.content();
            ItemContent {
                name: changes.name.clone().unwrap_or_else(|| before.name.clone()),
                description: changes.description.clone().unwrap_or_else(|| before.description.clone()),
                done: changes.done.unwrap_or(before.done),
                due_on: changes.due_on.unwrap_or(before.due_on),
            }
        };
        self.change(scope, id, precondition, merge).await
    }

    async fn change(
        &self,
        scope: ItemScope,
        id: ItemId,
        precondition: Precondition,
        content: impl Fn(&Item) -> ItemContent + Send + 'static,
    ) -> Result<Versioned<Item>, Error> {
        let now = self.0.clock.now();
        self.0
            .write_resources(scope.owner, move |c| {
                let before = find_for_update(c, scope, id)?;
                precondition.check(&before)?;
                let content = content(&before);
                if content == before.content() {
                    return Ok(Versioned::new(before));
                }
                let change = i64::from(content.done) - i64::from(before.done);
                if change != 0 {
                    bucketlists::adjust_counts(c, scope.owner, scope.bucketlist_id, 0, change)?;
                }
                // If the item is already completed, its completion time does not change.
                let done_at = content.done.then(|| before.done_at.unwrap_or(now));
                let item = items::replace(c, id, &content, done_at, now.later_than(before.updated_at))?;
                search::upsert(c, &[document(scope.owner, &item)])?;
                Ok(Versioned::new(item))
            })
            .await
    }

    /// Deletes an item.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `NotFound(Item)`, `Conflict(PreconditionFailed)`.
    pub async fn delete(&self, scope: ItemScope, id: ItemId, precondition: Precondition) -> Result<(), Error> {
        self.0
            .write_resources(scope.owner, move |c| {
                let item = find_for_update(c, scope, id)?;
                precondition.check(&item)?;
                bucketlists::adjust_counts(c, scope.owner, scope.bucketlist_id, -1, -i64::from(item.done))?;
                items::delete(c, id)?;
                Ok(())
            })
            .await
    }
}

const fn new_item(scope: ItemScope, content: ItemContent, now: Timestamp) -> NewItem {
    NewItem { bucketlist_id: scope.bucketlist_id, content, done_at: None, created_at: now, updated_at: now }
}

fn document(owner: UserId, item: &Item) -> Document<'_> {
    Document {
        target: SearchTarget::Item,
        id: item.id.get(),
        owner,
        name: &item.name,
        description: item.description.as_deref(),
    }
}

/// Finds and locks an item. The list is locked first, as in `create`, so that two units of work cannot deadlock.
fn find_for_update(c: &mut DbConnection, scope: ItemScope, id: ItemId) -> Result<Item, Error> {
    if !bucketlists::lock(c, scope.owner, scope.bucketlist_id)? {
        return Err(Error::NotFound(Resource::Bucketlist));
    }
    items::find_for_update(c, scope, id)?.ok_or(Error::NotFound(Resource::Item))
}
