//! `/v2/bucketlists`.

use contract::{
    Json, User,
    listing::{Format, ListResponse, RowStream},
    payload::MergePatch,
    table::RowFormat,
    v2::{
        IdempotencyKey, IfMatch, IfNoneMatch, ProblemResponse,
        endpoints::BucketlistEndpoints,
        parameters::{BucketlistInclude, BucketlistListInclude, Cursor, PerPage, Sort},
        responses::{Created, NoContent, Retrieved, Updated},
        schemas::{Bucketlist, BucketlistCreate, BucketlistPage, BucketlistPatch, BucketlistReplace, MAX_NESTED_ITEMS},
    },
    values::{Id, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::{
    Conditions, Cursors,
    conditions::with_etag,
    pages::{self, ListRequest, PageEnvelope},
    representations::{bucketlist, bucketlist_with_items, bucketlists_with_items},
    tables::BATCH_SIZE,
};
use crate::{
    domain::{self, BucketlistContent, BucketlistFilter, BucketlistId, CursorPage, KeysetPosition, UserId, Versioned},
    services::{BucketlistChanges, Bucketlists, WithItems},
};

/// Implements the endpoints of bucketlists.
pub struct BucketlistApi {
    pub(super) lists: Bucketlists,
    pub(super) cursors: Cursors,
    pub(super) conditions: Conditions,
}

const PATH: &str = "/v2/bucketlists";

/// Number of bucketlists in a batch if their items are included: about as much memory as [`BATCH_SIZE`] rows.
const NESTED_BATCH_SIZE: usize = 50;

impl BucketlistEndpoints for BucketlistApi {
    async fn list(
        &self,
        User(caller): User,
        format: Format,
        Query(cursor): Query<Option<Cursor>>,
        Query(per_page): Query<Option<PerPage>>,
        Query(sort): Query<Option<Sort>>,
        Query(q): Query<Option<SearchText>>,
        Query(created_after): Query<Option<Timestamp>>,
        Query(include): Query<Vec<BucketlistListInclude>>,
        _: IfNoneMatch,
    ) -> Result<ListResponse<BucketlistPage>, ProblemResponse> {
        let owner = UserId::new(caller.user_id);
        let nested_items = include.contains(&BucketlistListInclude::Items).then_some(MAX_NESTED_ITEMS);
        let request = ListRequest {
            list: format!("bucketlists of {owner}"),
            filter: BucketlistFilter {
                q: pages::text_filter(q.as_ref()),
                created_after: created_after.map(|time| domain::Timestamp::from_micros(time.micros())),
            },
            sort: sort.as_ref(),
            cursor: cursor.as_ref(),
            limit: pages::per_page(per_page),
            with_total: include.contains(&BucketlistListInclude::Total),
        };
        let (query, binding) = request.query(&self.cursors)?;
        let sort_key = query.keyset.sort;
        if let (Format::Rows(format), None) = (format, per_page) {
            let lists = self.lists.clone();
            // CSV has no column for nested items.
            let nested_items = nested_items.filter(|_| format == RowFormat::Ndjson);
            let batch_size = if nested_items.is_some() { NESTED_BATCH_SIZE } else { BATCH_SIZE };
            let fetch = move |query| {
                let lists = lists.clone();
                async move {
                    let WithItems { value: page, items } = lists.list_by_cursor(owner, query, nested_items).await?;
                    let positions: Vec<KeysetPosition> = page.data.iter().map(|list| list.position(sort_key)).collect();
                    let data = bucketlists_with_items(page.data, items).into_iter().zip(positions).collect();
                    Ok(CursorPage { data, has_more: page.has_more, total: page.total })
                }
            };
            let position = |(_, position): &(Bucketlist, KeysetPosition), _| position.clone();
            let body = pages::stream_all(format, batch_size, query, fetch, position, |(list, _)| list).await?;
            return Ok(ListResponse::Rows(RowStream { format, file_name: "bucketlists", body, link: None }));
        }
        let WithItems { value: page, items } = self.lists.list_by_cursor(owner, query, nested_items).await?;
        let next = pages::next_position(&page, |list| list.position(sort_key))
            .map(|position| self.cursors.encode(&binding, &position));
        let link_query = pages::Query::default()
            .with("sort", sort.as_ref().map(|Sort(sort)| sort))
            .with("q", q.map(|SearchText(q)| q))
            .with("created_after", created_after)
            .with("include", pages::join_values(nested_items.map(|_| "items"), request.with_total.then_some("total")));
        let envelope =
            PageEnvelope::new(PATH, &link_query, request.limit, cursor.as_ref(), next.as_deref(), page.total);
        let data = bucketlists_with_items(page.data, items);
        let page = BucketlistPage { data, meta: envelope.meta, links: envelope.links };
        pages::list_response(format, "bucketlists", page, |page| page.data, envelope.header)
    }

    async fn create(
        &self,
        User(caller): User,
        IdempotencyKey(key): IdempotencyKey,
        Json(body): Json<BucketlistCreate>,
    ) -> Result<Created<Bucketlist>, ProblemResponse> {
        let content = BucketlistContent { name: body.name, description: body.description };
        let created = self.lists.create(UserId::new(caller.user_id), content, key).await?;
        let (list, etag) = with_etag(created.value)?;
        let location = format!("{PATH}/{}", list.id);
        Ok(Created::new(location, Some(etag), created.replayed, bucketlist(list)))
    }

    async fn get(
        &self,
        User(caller): User,
        Path(Id(id)): Path<Id>,
        Query(include): Query<Vec<BucketlistInclude>>,
        _: IfNoneMatch,
    ) -> Result<Retrieved<Bucketlist>, ProblemResponse> {
        let (owner, id) = (UserId::new(caller.user_id), BucketlistId::new(id));
        if include.is_empty() {
            let (value, etag) = with_etag(self.lists.get(owner, id).await?)?;
            return Ok(Retrieved::new(etag, bucketlist(value)));
        }
        let (value, etag) = with_etag(self.lists.get_with_items(owner, id, MAX_NESTED_ITEMS).await?)?;
        Ok(Retrieved::new(etag, bucketlist_with_items(value)))
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
        let (owner, id) = (UserId::new(caller.user_id), BucketlistId::new(id));
        updated(self.lists.replace(owner, id, content, precondition).await?)
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
        let (owner, id) = (UserId::new(caller.user_id), BucketlistId::new(id));
        updated(self.lists.update(owner, id, changes, precondition).await?)
    }

    async fn delete(
        &self,
        User(caller): User,
        Path(Id(id)): Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse> {
        let precondition = self.conditions.precondition(if_match)?;
        self.lists.delete(UserId::new(caller.user_id), BucketlistId::new(id), precondition).await?;
        Ok(NoContent)
    }
}

fn updated(resource: Versioned<domain::Bucketlist>) -> Result<Updated<Bucketlist>, ProblemResponse> {
    let (value, etag) = with_etag(resource)?;
    Ok(Updated::new(etag, bucketlist(value)))
}
