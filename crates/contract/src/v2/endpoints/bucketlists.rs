//! Bucketlists. A caller sees only their own: somebody else's do not exist for them.

use endpoints::endpoints;
use poem_openapi::param::{Path, Query};

use super::Tag;
use crate::{
    ErrorCode, Json, Operation, User,
    listing::{Format, ListResponse},
    payload::MergePatch,
    v2::{
        IdempotencyKey, IfMatch, IfNoneMatch, ProblemResponse,
        parameters::{BucketlistInclude, BucketlistListInclude, Cursor, Sort},
        responses::{Created, NoContent, Retrieved, Updated},
        schemas::{Bucketlist, BucketlistCreate, BucketlistPage, BucketlistPatch, BucketlistReplace},
    },
    values::{Id, SearchText, Timestamp},
};

/// The lists of what the caller wants to do in life.
#[endpoints(BucketlistRoutes, prefix_path = "/bucketlists", tag = "Tag::Bucketlists", operation = "Operation")]
pub trait BucketlistEndpoints: Send + Sync + 'static {
    /// List your bucketlists.
    ///
    /// As JSON a page; as CSV or NDJSON all of them, unless `per_page` is given. Following `links.next` gives each row
    /// once, whatever is added or deleted meanwhile.
    #[oai(path = "/", method = "get", operation_id = "listBucketlists")]
    #[operation(errors(&[ErrorCode::InvalidCursor, ErrorCode::InvalidHeader]), cached())]
    async fn list(
        &self,
        caller: User,
        format: Format,
        /// Where to go on: from `links.next` of the page before. Empty begins.
        cursor: Query<Option<Cursor>>,
        /// How many rows a page has at most: 20 unless given; more than 100 counts as 100.
        #[oai(validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<Option<i32>>,
        /// In which order: `created_at` (unless given), `updated_at` or `name` (by code point), with `-` before it backwards.
        sort: Query<Option<Sort>>,
        /// Only bucketlists whose name or description contains this, compared without case.
        q: Query<Option<SearchText>>,
        /// Only bucketlists made after this instant.
        created_after: Query<Option<Timestamp>>,
        /// `total`: how many rows there are in all; `items`: the first 100 items of each.
        #[oai(explode = false, default, validator(max_items = 10))]
        include: Query<Vec<BucketlistListInclude>>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<BucketlistPage>, ProblemResponse>;

    /// Make a bucketlist.
    ///
    /// It is yours, and empty. With an `Idempotency-Key` it is made once, however often the request is sent.
    #[oai(path = "/", method = "post", operation_id = "createBucketlist")]
    #[operation(errors(&[ErrorCode::BucketlistNameTaken]), idempotent())]
    async fn create(
        &self,
        caller: User,
        /// A name of your choice for this creation: the answer is kept for 24 hours and given again.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: Json<BucketlistCreate>,
    ) -> Result<Created<Bucketlist>, ProblemResponse>;

    /// Fetch a bucketlist.
    ///
    /// With how many items it has and how many of them are done; with its first 100 items if you ask for them.
    #[oai(path = "/:bucketlist_id", method = "get", operation_id = "getBucketlist")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::InvalidHeader]), cached())]
    async fn get(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// `items`: its first 100 items, the oldest first.
        #[oai(explode = false, default, example = "items_of_it", validator(max_items = 10))]
        include: Query<Vec<BucketlistInclude>>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<Retrieved<Bucketlist>, ProblemResponse>;

    /// Replace a bucketlist.
    ///
    /// Replaces the name and the description; its items stay. A description left out becomes null.
    #[oai(path = "/:bucketlist_id", method = "put", operation_id = "replaceBucketlist")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::BucketlistNameTaken]), conditional())]
    async fn replace(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The tag of the state you mean to change: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        body: Json<BucketlistReplace>,
    ) -> Result<Updated<Bucketlist>, ProblemResponse>;

    /// Change a bucketlist.
    ///
    /// A JSON merge patch (RFC 7396): a field left out stays as it is, null clears it.
    #[oai(path = "/:bucketlist_id", method = "patch", operation_id = "updateBucketlist")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::BucketlistNameTaken]), conditional())]
    async fn update(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The tag of the state you mean to change: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        body: MergePatch<BucketlistPatch>,
    ) -> Result<Updated<Bucketlist>, ProblemResponse>;

    /// Delete a bucketlist.
    ///
    /// Deletes it with all its items.
    #[oai(path = "/:bucketlist_id", method = "delete", operation_id = "deleteBucketlist")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound]), conditional())]
    async fn delete(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The tag of the state you mean to delete: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse>;
}

fn items_of_it() -> Vec<BucketlistInclude> {
    vec![BucketlistInclude::Items]
}
