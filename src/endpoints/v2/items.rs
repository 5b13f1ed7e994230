//! Items of bucketlists.

use contract::{
    Json, User,
    listing::{Format, ListResponse, RowStream},
    payload::MergePatch,
    v2::{
        IdempotencyKey, IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::ItemEndpoints,
        parameters::{Cursor, Include, Sort},
        responses::{Created, NoContent, Retrieved, Updated},
        schemas::{Item, ItemBatch, ItemBatchCreated, ItemCreate, ItemPage, ItemPatch, ItemReplace},
    },
    values::{Date, Id, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::{
    Conditions, Cursors,
    conditions::tag,
    pages::{self, ListRequest, PageEnvelope},
    representations::item,
    tables::BATCH,
};
use crate::{
    db::repositories::items::{Filter, ItemRow, ItemScope},
    services::{ETag, ItemChanges, ItemContent, Items},
};

/// `/v2/bucketlists/{bucketlist_id}/items` over the items.
pub struct ItemLists {
    pub(super) items: Items,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
}

impl ItemEndpoints for ItemLists {
    async fn list(
        &self,
        caller: User,
        format: Format,
        bucketlist_id: Path<Id>,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<i32>>,
        Query(sort): Query<Option<Sort>>,
        Query(q): Query<Option<SearchText>>,
        Query(done): Query<Option<bool>>,
        Query(due_before): Query<Option<Date>>,
        Query(due_after): Query<Option<Date>>,
        Query(created_after): Query<Option<Timestamp>>,
        Query(include): Query<Vec<Include>>,
        _: IfNoneMatch,
    ) -> Result<ListResponse<ItemPage>, ProblemResponse> {
        let place = place(&caller, &bucketlist_id);
        let asked = ListRequest {
            list: format!("items of {} of {}", place.bucketlist_id, place.owner),
            filter: Filter {
                pattern: pages::pattern(q.as_ref()),
                done,
                due_before: due_before.map(|Date(date)| date),
                due_after: due_after.map(|Date(date)| date),
                created_after: created_after.map(Timestamp::micros),
            },
            sort: sort.as_ref(),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&Include::Total),
        };
        let (walk, binding) = asked.walk(&self.cursors)?;
        let sort_key = walk.keyset.sort;
        if let (Format::Rows(format), None) = (format, per_page) {
            let items = self.items.clone();
            let fetch = move |walk| {
                let items = items.clone();
                async move { items.walk(place, walk).await }
            };
            let body = pages::all(format, BATCH, walk, fetch, ItemRow::position, item).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "items", body, link: None }));
        }
        let found = self.items.walk(place, walk).await?;
        let next = pages::end(&found, |row| row.position(sort_key)).map(|end| self.cursors.write(&binding, &end));
        let query = pages::Query::default()
            .with("sort", sort.as_ref().map(|Sort(sort)| sort))
            .with("q", q.map(|SearchText(q)| q))
            .with("done", done)
            .with("due_before", due_before)
            .with("due_after", due_after)
            .with("created_after", created_after)
            .with("include", asked.with_total.then_some("total"));
        let path = format!("/v2/bucketlists/{}/items", place.bucketlist_id);
        let frame = PageEnvelope::new(&path, &query, asked.limit, cursor.as_ref(), next.as_deref(), found.total);
        let data = found.rows.into_iter().map(item).collect();
        let page = ItemPage { data, meta: frame.meta, links: frame.links };
        pages::answer(format, "items", page, |page| page.data, frame.header)
    }

    async fn create(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<ItemCreate>,
    ) -> Result<Created<Item>, ProblemResponse> {
        let made = self.items.create(place(&caller, &bucketlist_id), new(body), key).await?;
        Ok(Created {
            location: format!("/v2/bucketlists/{}/items/{}", made.value.bucketlist_id, made.value.id),
            tag: Some(tag(&ETag::of(&made.value))),
            replayed: made.replayed,
            body: Json(item(made.value)),
        })
    }

    async fn create_batch(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<ItemBatch>,
    ) -> Result<Created<ItemBatchCreated>, ProblemResponse> {
        let contents = body.items.into_iter().map(new).collect();
        let place = place(&caller, &bucketlist_id);
        let made = self.items.create_all(place, contents, key).await?;
        Ok(Created {
            location: format!("/v2/bucketlists/{}/items", place.bucketlist_id),
            tag: None,
            replayed: made.replayed,
            body: Json(ItemBatchCreated { data: made.value.into_iter().map(item).collect() }),
        })
    }

    async fn get(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
        _: IfNoneMatch,
    ) -> Result<Retrieved<Item>, ProblemResponse> {
        let row = self.items.get(place(&caller, &bucketlist_id), item_id).await?;
        Ok(Retrieved { tag: tag(&ETag::of(&row)), body: Json(item(row)) })
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
        changed(self.items.replace(place(&caller, &bucketlist_id), item_id, content, precondition).await?)
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
        changed(self.items.update(place(&caller, &bucketlist_id), item_id, changes, precondition).await?)
    }

    async fn delete(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        Path(Id(item_id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        self.items.delete(place(&caller, &bucketlist_id), item_id, precondition).await?;
        Ok(NoContent)
    }
}

fn place(User(caller): &User, Path(Id(bucketlist_id)): &Path<Id>) -> ItemScope {
    ItemScope { owner: caller.user_id, bucketlist_id: *bucketlist_id }
}

fn new(body: ItemCreate) -> ItemContent {
    ItemContent {
        name: body.name,
        description: body.description,
        done: body.done.unwrap_or_default(),
        due_on: body.due_on.map(|Date(date)| date),
    }
}

fn changed(row: ItemRow) -> Result<Updated<Item>, ProblemResponse> {
    Ok(Updated { tag: tag(&ETag::of(&row)), body: Json(item(row)) })
}
