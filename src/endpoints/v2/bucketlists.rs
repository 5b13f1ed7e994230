//! Bucketlists.

use contract::{
    Json, User,
    listing::{Format, ListResponse, RowStream},
    payload::MergePatch,
    table::RowFormat,
    v2::{
        IdempotencyKey, IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::BucketlistEndpoints,
        parameters::{BucketlistInclude, BucketlistListInclude, Cursor, Sort},
        responses::{Created, NoContent, Retrieved, Updated},
        schemas::{Bucketlist, BucketlistCreate, BucketlistPage, BucketlistPatch, BucketlistReplace, MAX_NESTED_ITEMS},
    },
    values::{Id, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::{
    Conditions, Cursors,
    conditions::tag,
    pages::{self, ListRequest, PageEnvelope},
    representations::{bucketlist, with_items},
    tables::BATCH,
};
use crate::{
    db::repositories::{
        bucketlists::{BucketlistRow, Filter},
        keyset::KeysetPosition,
    },
    services::{BucketlistChanges, BucketlistContent, Bucketlists, CursorPage, ETag, WithItems},
};

/// `/v2/bucketlists` over the bucketlists.
pub struct BucketlistLists {
    pub(super) lists: Bucketlists,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
}

const PATH: &str = "/v2/bucketlists";

/// How many bucketlists are fetched at once with their items, for as little memory as a batch of rows takes.
const NESTING_BATCH: usize = 50;

impl BucketlistEndpoints for BucketlistLists {
    async fn list(
        &self,
        User(caller): User,
        format: Format,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<i32>>,
        Query(sort): Query<Option<Sort>>,
        Query(q): Query<Option<SearchText>>,
        Query(created_after): Query<Option<Timestamp>>,
        Query(include): Query<Vec<BucketlistListInclude>>,
        _: IfNoneMatch,
    ) -> Result<ListResponse<BucketlistPage>, ProblemResponse> {
        let nested = include.contains(&BucketlistListInclude::Items).then_some(MAX_NESTED_ITEMS);
        let asked = ListRequest {
            list: format!("bucketlists of {}", caller.user_id),
            filter: Filter { pattern: pages::pattern(q.as_ref()), created_after: created_after.map(Timestamp::micros) },
            sort: sort.as_ref(),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&BucketlistListInclude::Total),
        };
        let (walk, binding) = asked.walk(&self.cursors)?;
        let sort_key = walk.keyset.sort;
        if let (Format::Rows(format), None) = (format, per_page) {
            let (lists, owner) = (self.lists.clone(), caller.user_id);
            // CSV has no column for what is nested.
            let nested = nested.filter(|_| format == RowFormat::Ndjson);
            let size = if nested.is_some() { NESTING_BATCH } else { BATCH };
            let fetch = move |walk| {
                let lists = lists.clone();
                async move {
                    let WithItems { lists: found, items } = lists.walk(owner, walk, nested).await?;
                    let positions: Vec<KeysetPosition> = found.rows.iter().map(|row| row.position(sort_key)).collect();
                    let rows = with_items(found.rows, items).into_iter().zip(positions).collect();
                    Ok(CursorPage { rows, has_more: found.has_more, total: found.total })
                }
            };
            let body = pages::all(format, size, walk, fetch, |(_, at), _| at.clone(), |(list, _)| list).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "bucketlists", body, link: None }));
        }
        let WithItems { lists: found, items } = self.lists.walk(caller.user_id, walk, nested).await?;
        let next = pages::end(&found, |row| row.position(sort_key)).map(|end| self.cursors.write(&binding, &end));
        let query = pages::Query::default()
            .with("sort", sort.as_ref().map(|Sort(sort)| sort))
            .with("q", q.map(|SearchText(q)| q))
            .with("created_after", created_after)
            .with("include", pages::list(nested.map(|_| "items"), asked.with_total.then_some("total")));
        let frame = PageEnvelope::new(PATH, &query, asked.limit, cursor.as_ref(), next.as_deref(), found.total);
        let data = with_items(found.rows, items);
        let page = BucketlistPage { data, meta: frame.meta, links: frame.links };
        pages::answer(format, "bucketlists", page, |page| page.data, frame.header)
    }

    async fn create(
        &self,
        User(caller): User,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<BucketlistCreate>,
    ) -> Result<Created<Bucketlist>, ProblemResponse> {
        let content = BucketlistContent { name: body.name, description: body.description };
        let made = self.lists.create(caller.user_id, content, key).await?;
        Ok(Created {
            location: format!("{PATH}/{}", made.value.id),
            tag: Some(tag(&ETag::of(&made.value))),
            replayed: made.replayed,
            body: Json(bucketlist(made.value)),
        })
    }

    async fn get(
        &self,
        User(caller): User,
        Path(Id(id)): Path<Id>,
        Query(include): Query<Vec<BucketlistInclude>>,
        _: IfNoneMatch,
    ) -> Result<Retrieved<Bucketlist>, ProblemResponse> {
        if include.is_empty() {
            let row = self.lists.get(caller.user_id, id).await?;
            return Ok(Retrieved { tag: tag(&ETag::of(&row)), body: Json(bucketlist(row)) });
        }
        let WithItems { lists: row, items } = self.lists.get_with_items(caller.user_id, id, MAX_NESTED_ITEMS).await?;
        let tag = tag(&ETag::of(&(&row, &items)));
        let list = with_items(vec![row.clone()], items).pop().unwrap_or_else(|| bucketlist(row));
        Ok(Retrieved { tag, body: Json(list) })
    }

    async fn replace(
        &self,
        User(caller): User,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
        Json(body): Json<BucketlistReplace>,
    ) -> Result<Updated<Bucketlist>, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let content = BucketlistContent { name: body.name, description: body.description };
        changed(self.lists.replace(caller.user_id, id, content, precondition).await?)
    }

    async fn update(
        &self,
        User(caller): User,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
        MergePatch(body): MergePatch<BucketlistPatch>,
    ) -> Result<Updated<Bucketlist>, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        let changes = BucketlistChanges { name: body.name, description: body.description.into() };
        changed(self.lists.update(caller.user_id, id, changes, precondition).await?)
    }

    async fn delete(
        &self,
        User(caller): User,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        self.lists.delete(caller.user_id, id, self.conditions.precondition(if_match)?).await?;
        Ok(NoContent)
    }
}

fn changed(row: BucketlistRow) -> Result<Updated<Bucketlist>, ProblemResponse> {
    Ok(Updated { tag: tag(&ETag::of(&row)), body: Json(bucketlist(row)) })
}
