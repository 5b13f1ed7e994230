//! Bucketlists of their owners.

use std::sync::Arc;

use serde::Serialize;

use super::{Context, CursorPage, CursorQuery, Error, Made, PageRequest, Precondition, Resource, creation::Named};
use crate::{
    db::{
        DbConnection,
        repositories::{
            OffsetPage,
            bucketlists::{self, BucketlistRow, Filter, NewBucketlist, Replacement},
            items::{self, ItemRow},
            search::{self, Document, DocumentKind},
        },
    },
    domain::search_text,
};

/// Bucketlists of their owners.
#[derive(Clone)]
pub struct Bucketlists(pub(super) Arc<Context>);

/// What an owner says of a bucketlist.
#[derive(Clone, Debug, Serialize)]
pub struct BucketlistContent {
    pub name: String,
    pub description: Option<String>,
}

/// What an owner changes of a bucketlist; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct BucketlistChanges {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
}

/// Bucketlists with their first items, if those were asked for.
#[derive(Clone, Debug)]
pub struct WithItems<T> {
    pub lists: T,
    /// Of all the lists, together; those of one list in their order.
    pub items: Option<Vec<ItemRow>>,
}

impl Bucketlists {
    /// A page of the owner's bucketlists, by number.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn list(&self, owner: i64, request: PageRequest) -> Result<OffsetPage<BucketlistRow>, Error> {
        let (slice, pattern) = (request.slice(), request.pattern());
        self.0
            .db
            .snapshot(move |c| bucketlists::list_by_offset(c, owner, pattern.as_deref(), slice).map_err(Error::from))
            .await
    }

    /// A page of the owner's bucketlists, by cursor; with the first `items` items of each, if asked for.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn walk(
        &self,
        owner: i64,
        walk: CursorQuery<Filter>,
        items: Option<i64>,
    ) -> Result<WithItems<CursorPage<BucketlistRow>>, Error> {
        let is_one_statement = !walk.with_total && items.is_none();
        let work = move |c: &mut DbConnection| {
            let rows = bucketlists::list_after(c, owner, &walk.filter, &walk.keyset_with_lookahead())?;
            let total = if walk.with_total { Some(bucketlists::count(c, owner, &walk.filter)?) } else { None };
            let lists = walk.into_page(rows, total);
            let ids: Vec<i64> = lists.rows.iter().map(|list| list.id).collect();
            let items = items.map(|items| items::list_first_per_bucketlist(c, &ids, items)).transpose()?;
            Ok(WithItems { lists, items })
        };
        if is_one_statement { self.0.db.read(work).await } else { self.0.db.snapshot(work).await }
    }

    /// One bucketlist.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn get(&self, owner: i64, id: i64) -> Result<BucketlistRow, Error> {
        let list = self.0.db.read(move |c| bucketlists::find(c, owner, id).map_err(Error::from)).await?;
        list.ok_or(Error::NotFound(Resource::Bucketlist))
    }

    /// One bucketlist with its first `items` items.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn get_with_items(&self, owner: i64, id: i64, items: i64) -> Result<WithItems<BucketlistRow>, Error> {
        self.0
            .db
            .snapshot(move |c| {
                let list = bucketlists::find(c, owner, id)?.ok_or(Error::NotFound(Resource::Bucketlist))?;
                Ok(WithItems { lists: list, items: Some(items::list_first_per_bucketlist(c, &[id], items)?) })
            })
            .await
    }

    /// Makes a bucketlist; once, if the caller names the creation.
    ///
    /// # Errors
    /// `Conflict(BucketlistNameTaken)`, `Conflict(IdempotencyKeyInFlight)`, `Invalid`.
    pub async fn create(
        &self,
        owner: i64,
        content: BucketlistContent,
        name: Option<String>,
    ) -> Result<Made<BucketlistRow>, Error> {
        let now = self.0.clock.now();
        let named = name.map(|name| Named::new(owner, name, "bucketlist", &content));
        self.0
            .make_of(owner, named, move |c| {
                let list = NewBucketlist {
                    user_id: owner,
                    search_text: search_text(&content.name, content.description.as_deref()),
                    name: content.name.clone(),
                    description: content.description.clone(),
                    items_total: 0,
                    items_done: 0,
                    created_at: now,
                    updated_at: now,
                };
                let list = bucketlists::insert(c, &list)?;
                search::put(c, &[document(owner, &list)])?;
                Ok(list)
            })
            .await
    }

    /// Replaces what its owner says of a bucketlist.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `Conflict(BucketlistNameTaken)`, `Conflict(PreconditionFailed)`.
    pub async fn replace(
        &self,
        owner: i64,
        id: i64,
        content: BucketlistContent,
        precondition: Precondition,
    ) -> Result<BucketlistRow, Error> {
        self.revise(owner, id, precondition, |_| Some(content)).await
    }

    /// Changes some of what its owner says of a bucketlist. Where nothing is new, nothing is changed.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub async fn update(
        &self,
        owner: i64,
        id: i64,
        changes: BucketlistChanges,
        precondition: Precondition,
    ) -> Result<BucketlistRow, Error> {
        let merged = move |before: &BucketlistRow| {
            let name = changes.name.unwrap_or_else(|| before.name.clone());
            let description = changes.description.unwrap_or_else(|| before.description.clone());
            let is_new = (&name, &description) != (&before.name, &before.description);
            is_new.then_some(BucketlistContent { name, description })
        };
        self.revise(owner, id, precondition, merged).await
    }

    async fn revise(
        &self,
        owner: i64,
        id: i64,
        precondition: Precondition,
        content: impl FnOnce(&BucketlistRow) -> Option<BucketlistContent> + Send + 'static,
    ) -> Result<BucketlistRow, Error> {
        let now = self.0.clock.now();
        self.0
            .change_of(owner, move |c| {
                let before =
                    bucketlists::find_for_update(c, owner, id)?.ok_or(Error::NotFound(Resource::Bucketlist))?;
                precondition.check(&before)?;
                let Some(content) = content(&before) else { return Ok(before) };
                let to = Replacement {
                    search_text: search_text(&content.name, content.description.as_deref()),
                    name: content.name,
                    description: content.description,
                    // Later than before even where clocks disagree: no two states may look the same.
                    updated_at: now.max(before.updated_at + 1),
                };
                let list = bucketlists::replace(c, owner, id, &to)?.ok_or(Error::NotFound(Resource::Bucketlist))?;
                search::put(c, &[document(owner, &list)])?;
                Ok(list)
            })
            .await
    }

    /// Deletes a bucketlist with its items.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `Conflict(PreconditionFailed)`.
    pub async fn delete(&self, owner: i64, id: i64, precondition: Precondition) -> Result<(), Error> {
        self.0
            .change_of(owner, move |c| {
                let before =
                    bucketlists::find_for_update(c, owner, id)?.ok_or(Error::NotFound(Resource::Bucketlist))?;
                precondition.check(&before)?;
                bucketlists::delete(c, owner, id)?;
                Ok(())
            })
            .await
    }
}

fn document(owner: i64, list: &BucketlistRow) -> Document<'_> {
    Document {
        kind: DocumentKind::Bucketlist,
        id: list.id,
        owner,
        name: &list.name,
        description: list.description.as_deref(),
    }
}
