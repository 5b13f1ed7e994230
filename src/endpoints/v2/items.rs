//! `/v2/bucketlists/{bucketlist_id}/items`.

use contract::{
    Json, User,
    listing::{Format, ListResponse, RowStream},
    payload::MergePatch,
    v2::{
        IdempotencyKey, IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::ItemEndpoints,
        parameters::{Cursor, Include, PerPage, Sort},
        responses::{Created, NoContent, Retrieved, Updated},
        schemas::{Item, ItemBatch, ItemBatchCreated, ItemCreate, ItemPage, ItemPatch, ItemReplace},
    },
    values::{Date, Id, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::{
    Conditions, Cursors,
    conditions::with_etag,
    pages::{self, ListRequest, PageEnvelope},
    representations::item,
    tables::BATCH_SIZE,
};
use crate::{
    domain::{self, BucketlistId, ItemContent, ItemFilter, ItemId, ItemScope, UserId, Versioned},
    services::{ItemChanges, Items},
};

/// Implements the endpoints of items.
pub struct ItemApi {
    pub(super) items: Items,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
}

impl ItemEndpoints for ItemApi {
    async fn list(
        &self,
        caller: User,
        format: Format,
        bucketlist_id: Path<Id>,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(sort): Query<Option<Sort>>,
        Query(q): Query<Option<SearchText>>,
        Query(done): Query<Option<bool>>,
        Query(due_before): Query<Option<Date>>,
        Query(due_after): Query<Option<Date>>,
        Query(created_after): Query<Option<Timestamp>>,
        Query(include): Query<Vec<Include>>,
        _: IfNoneMatch,
    ) -> Result<ListResponse<ItemPage>, ProblemResponse> {
        let scope = scope(&caller, &bucketlist_id);
        let request = ListRequest {
            list: format!("items of {} of {}", scope.bucketlist_id, scope.owner),
            filter: ItemFilter {
                q: pages::text_filter(q.as_ref()),
                done,
                due_before: due_before.map(|Date(date)| date),
                due_after: due_after.map(|Date(date)| date),
                created_after: created_after.map(|time| domain::Timestamp::from_micros(time.micros())),
            },
            sort: sort.as_ref(),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&Include::Total),
        };
        let (query, binding) = request.query(&self.cursors)?;
        let sort_key = query.keyset.sort;
        if let (Format::Rows(format), None) = (format, per_page) {
            let items = self.items.clone();
            let fetch = move |query| {
                let items = items.clone();
                async move { items.list_by_cursor(scope, query).await }
            };
            let body = pages::stream_all(format, BATCH_SIZE, query, fetch, domain::Item::position, item).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "items", body, link: None }));
        }
        let page = self.items.list_by_cursor(scope, query).await?;
        let next = pages::next_position(&page, |item| item.position(sort_key))
            .map(|position| self.cursors.encode(&binding, &position));
        let link_query = pages::Query::default()
            .with("sort", sort.as_ref().map(|Sort(sort)| sort))
            .with("q", q.map(|SearchText(q)| q))
            .with("done", done)
            .with("due_before", due_before)
            .with("due_after", due_after)
            .with("created_after", created_after)
            .with("include", request.with_total.then_some("total"));
        let path = format!("/v2/bucketlists/{}/items", scope.bucketlist_id);
        let envelope =
            PageEnvelope::new(&path, &link_query, request.limit, cursor.as_ref(), next.as_deref(), page.total);
        let data = page.data.into_iter().map(item).collect();
        let page = ItemPage { data, meta: envelope.meta, links: envelope.links };
        pages::list_response(format, "items", page, |page| page.data, envelope.header)
    }

    async fn create(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<ItemCreate>,
    ) -> Result<Created<Item>, ProblemResponse> {
        let created = self.items.create(scope(&caller, &bucketlist_id), content(body), key).await?;
        let (value, etag) = with_etag(created.value)?;
        let location = format!("/v2/bucketlists/{}/items/{}", value.bucketlist_id, value.id);
        Ok(Created::new(location, Some(etag), created.replayed, item(value)))
    }

    async fn create_batch(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<ItemBatch>,
    ) -> Result<Created<ItemBatchCreated>, ProblemResponse> {
        let contents = body.items.into_iter().map(content).collect();
        let scope = scope(&caller, &bucketlist_id);
        let created = self.items.create_batch(scope, contents, key).await?;
        let location = format!("/v2/bucketlists/{}/items", scope.bucketlist_id);
        let data = created.value.into_iter().map(item).collect();
        Ok(Created::new(location, None, created.replayed, ItemBatchCreated { data }))
    }

    async fn get(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
        _: IfNoneMatch,
    ) -> Result<Retrieved<Item>, ProblemResponse> {
        let (value, etag) = with_etag(self.items.get(scope(&caller, &bucketlist_id), ItemId::new(item_id)).await?)?;
        Ok(Retrieved::new(etag, item(value)))
    }

    async fn replace(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
        if_match: IfMatch,
        Json(body): Json<ItemReplace>,
    ) -> Result<Updated<Item>, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let content = ItemContent {
            name: body.name,
            description: body.description,
            done: body.done.unwrap_or_default(),
            due_on: body.due_on.map(|Date(date)| date),
        };
        let (scope, id) = (scope(&caller, &bucketlist_id), ItemId::new(item_id));
        updated(self.items.replace(scope, id, content, precondition).await?)
    }

    async fn update(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
        if_match: IfMatch,
        MergePatch(body): MergePatch<ItemPatch>,
    ) -> Result<Updated<Item>, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let changes = ItemChanges {
            name: body.name,
            description: body.description.into(),
            done: body.done,
            due_on: Option::<Option<Date>>::from(body.due_on).map(|due| due.map(|Date(date)| date)),
        };
        let (scope, id) = (scope(&caller, &bucketlist_id), ItemId::new(item_id));
        updated(self.items.update(scope, id, changes, precondition).await?)
    }

    async fn delete(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        self.items.delete(scope(&caller, &bucketlist_id), ItemId::new(item_id), precondition).await?;
        Ok(NoContent)
    }
}

fn scope(User(caller): &User, Path(Id(bucketlist_id)): &Path<Id>) -> ItemScope {
    ItemScope { owner: UserId::new(caller.user_id), bucketlist_id: BucketlistId::new(*bucketlist_id) }
}

fn content(body: ItemCreate) -> ItemContent {
    ItemContent {
        name: body.name,
        description: body.description,
        done: body.done.unwrap_or_default(),
        due_on: body.due_on.map(|Date(date)| date),
    }
}

fn updated(resource: Versioned<domain::Item>) -> Result<Updated<Item>, ProblemResponse> {
    let (value, etag) = with_etag(resource)?;
    Ok(Updated::new(etag, item(value)))
}
