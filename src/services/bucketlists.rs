//! Bucketlists.

use std::sync::Arc;

use super::{
    Context, Error, Idempotent, Precondition, Resource, Unauthenticated,
    idempotency::{KeyedRequest, request::CanonicalBucketlist},
};
use crate::{
    db::{
        DbConnection,
        repositories::{
            bucketlists,
            creation::CreateBucketlist,
            items,
            retrieval::RetrieveBucketlist,
            search::{self, Document},
        },
    },
    domain::{
        Bucketlist, BucketlistContent, BucketlistFilter, BucketlistId, CursorPage, CursorQuery, ETag, Item,
        NewBucketlist, OffsetPage, OffsetQuery, SearchTarget, UserId, Versioned,
    },
};

/// Reads and changes bucketlists.
#[derive(Clone)]
pub struct Bucketlists(pub(super) Arc<Context>);

/// Changes to a bucketlist; `None` leaves a field unchanged.
#[derive(Clone, Debug, Default)]
pub struct BucketlistChanges {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
}

/// One or more bucketlists, with their first items if the request includes them.
#[derive(Clone, Debug)]
pub struct WithItems<T> {
    pub value: T,
    /// The items of all the bucketlists, grouped by bucketlist, the oldest first.
    pub items: Option<Vec<Item>>,
}

impl Bucketlists {
    /// Lists bucketlists by offset.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_offset(&self, owner: UserId, query: OffsetQuery) -> Result<OffsetPage<Bucketlist>, Error> {
        let (range, q) = (query.range(), query.text_filter());
        let is_one_statement = q.is_none();
        let work = move |c: &mut DbConnection| Ok(bucketlists::list_by_offset(c, owner, q.as_ref(), range)?);
        if is_one_statement {
            self.0.read_resources(owner, work).await
        } else {
            self.0.snapshot_resources(owner, work).await
        }
    }

    /// Lists bucketlists by cursor, with the first `items` items of each.
    ///
    /// # Errors
    /// Fails if the database fails.
    pub async fn list_by_cursor(
        &self,
        owner: UserId,
        query: CursorQuery<BucketlistFilter>,
        items: Option<i64>,
    ) -> Result<WithItems<CursorPage<Bucketlist>>, Error> {
        let is_one_statement = !query.with_total && items.is_none();
        let work = move |c: &mut DbConnection| {
            let rows = bucketlists::list_after(c, owner, &query.filter, &query.keyset_with_lookahead())?;
            let total = if query.with_total { Some(bucketlists::count(c, owner, &query.filter)?) } else { None };
            let lists = query.to_page(rows, total);
            let ids: Vec<BucketlistId> = lists.data.iter().map(|list| list.id).collect();
            let items = items.map(|items| items::list_first_per_bucketlist(c, &ids, items)).transpose()?;
            Ok(WithItems { value: lists, items })
        };
        if is_one_statement {
            self.0.read_resources(owner, work).await
        } else {
            self.0.snapshot_resources(owner, work).await
        }
    }

    /// Retrieves a bucketlist.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn get(&self, owner: UserId, id: BucketlistId) -> Result<Versioned<Bucketlist>, Error> {
        let list = self.0.retrieve_resource(owner, "Bucketlists::get", RetrieveBucketlist { owner, id }).await?;
        list.map(Versioned::new).ok_or(Error::NotFound(Resource::Bucketlist))
    }

    /// Retrieves a bucketlist with its first `items` items. The entity tag covers the items.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn get_with_items(
        &self,
        owner: UserId,
        id: BucketlistId,
        items: i64,
    ) -> Result<Versioned<WithItems<Bucketlist>>, Error> {
        self.0
            .snapshot_resources(owner, move |c| {
                let list = bucketlists::find(c, owner, id)?.ok_or(Error::NotFound(Resource::Bucketlist))?;
                let items = Some(items::list_first_per_bucketlist(c, &[id], items)?);
                Ok(Versioned::with(WithItems { value: list, items }, |list| {
                    Ok(ETag::of(&list.value)?.with_nested(&ETag::of(&list.items)?))
                }))
            })
            .await
    }

    /// Creates a bucketlist.
    ///
    /// # Errors
    /// `Conflict(BucketlistNameTaken)`; with an idempotency key also `Conflict(IdempotencyKeyInFlight)` and
    /// `IdempotencyKeyReused`.
    pub async fn create(
        &self,
        owner: UserId,
        content: BucketlistContent,
        idempotency_key: Option<String>,
    ) -> Result<Idempotent<Versioned<Bucketlist>>, Error> {
        let canonical = CanonicalBucketlist::from(&content);
        let request = KeyedRequest::new(owner, idempotency_key, "bucketlist", &canonical)?;
        let now = self.0.clock.now();
        let new = NewBucketlist { owner, content, created_at: now, updated_at: now };
        let created = self
            .0
            .create_resource_once(owner, request, CreateBucketlist(new), || {
                Error::Unauthenticated(Unauthenticated::Session)
            })
            .await?;
        Ok(created.map(Versioned::new))
    }

    /// Replaces the content of a bucketlist. Writes nothing if no value differs.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `Conflict(BucketlistNameTaken)`, `Conflict(PreconditionFailed)`.
    pub async fn replace(
        &self,
        owner: UserId,
        id: BucketlistId,
        content: BucketlistContent,
        precondition: Precondition,
    ) -> Result<Versioned<Bucketlist>, Error> {
        self.change(owner, id, precondition, move |_| content.clone()).await
    }

    /// Changes some fields of a bucketlist. Writes nothing if no value differs.
    ///
    /// # Errors
    /// The errors of [`Self::replace`].
    pub async fn update(
        &self,
        owner: UserId,
        id: BucketlistId,
        changes: BucketlistChanges,
        precondition: Precondition,
    ) -> Result<Versioned<Bucketlist>, Error> {
        let merge = move |before: &Bucketlist| {
            let name = changes.name.clone().unwrap_or_else(|| before.name.clone());
            let description = changes.description.clone().unwrap_or_else(|| before.description.clone());
            BucketlistContent { name, description }
        };
        self.change(owner, id, precondition, merge).await
    }

    async fn change(
        &self,
        owner: UserId,
        id: BucketlistId,
        precondition: Precondition,
        content: impl Fn(&Bucketlist) -> BucketlistContent + Send + 'static,
    ) -> Result<Versioned<Bucketlist>, Error> {
        let now = self.0.clock.now();
        self.0
            .write_resources(owner, move |c| {
                let before =
                    bucketlists::find_for_update(c, owner, id)?.ok_or(Error::NotFound(Resource::Bucketlist))?;
                precondition.check(&before)?;
                let content = content(&before);
                if (&content.name, &content.description) == (&before.name, &before.description) {
                    return Ok(Versioned::new(before));
                }
                let list = bucketlists::replace(c, owner, id, &content, now.later_than(before.updated_at))?
                    .ok_or(Error::NotFound(Resource::Bucketlist))?;
                search::upsert(c, &[document(owner, &list)])?;
                Ok(Versioned::new(list))
            })
            .await
    }

    /// Deletes a bucketlist with its items.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `Conflict(PreconditionFailed)`.
    pub async fn delete(&self, owner: UserId, id: BucketlistId, precondition: Precondition) -> Result<(), Error> {
        self.0
            .write_resources(owner, move |c| {
                let before =
                    bucketlists::find_for_update(c, owner, id)?.ok_or(Error::NotFound(Resource::Bucketlist))?;
                precondition.check(&before)?;
                bucketlists::delete(c, owner, id)?;
                Ok(())
            })
            .await
    }
}

fn document(owner: UserId, list: &Bucketlist) -> Document<'_> {
    Document {
        target: SearchTarget::Bucketlist,
        id: list.id.get(),
        owner,
        name: &list.name,
        description: list.description.as_deref(),
    }
}
