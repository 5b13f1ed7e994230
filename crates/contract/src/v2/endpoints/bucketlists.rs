//! Bucketlists. A caller sees only their own; any other ID is not found.

use super::*;
use crate::v2::schemas::{Bucketlist, BucketlistCreate, BucketlistPage, BucketlistPatch, BucketlistReplace};

/// Named lists of things their owner wants to do.
#[endpoints(BucketlistRoutes, prefix_path = "/bucketlists", tag = "Tag::Bucketlists", operation = "Operation")]
pub trait BucketlistEndpoints: Send + Sync + 'static {
    /// List bucketlists
    ///
    /// Returns your bucketlists, one page at a time. As CSV or NDJSON, streams all of them unless `per_page` is set.
    /// Following `links.next` returns each bucketlist once, even if others are created or deleted in the meantime. If the sort
    /// field of a bucketlist changes while you paginate, the bucketlist can be missing or appear twice.
    #[oai(path = "/", method = "get", operation_id = "listBucketlists")]
    #[operation(returns("A page of bucketlists; as CSV or NDJSON, one row per bucketlist."), cached())]
    async fn list(
        &self,
        caller: User,
        format: Format,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        sort: Query<Option<Sort>>,
        /// Returns only bucketlists whose name or description contains this text. Case-insensitive.
        q: Query<Option<SearchText>>,
        /// Returns only bucketlists created after this timestamp.
        created_after: Query<Option<Timestamp>>,
        /// Additional data: `total` adds the total number of results, `items` the first 100 items of each bucketlist.
        #[oai(explode = false, default, validator(max_items = 10))]
        include: Query<Vec<BucketlistListInclude>>,
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<BucketlistPage>>;

    /// Create a bucketlist
    ///
    /// Creates an empty bucketlist. Its name must be unique among your bucketlists. Add items with `createItem`.
    #[oai(path = "/", method = "post", operation_id = "createBucketlist")]
    #[operation(returns("The created bucketlist."), errors(&[ErrorCode::BucketlistNameTaken]))]
    async fn create(
        &self,
        caller: User,
        idempotency_key: IdempotencyKey,
        body: Json<BucketlistCreate>,
    ) -> Result<Created<Bucketlist>>;

    /// Retrieve a bucketlist
    ///
    /// Returns a bucketlist with its total number of items and its number of completed items. List its items with `listItems`.
    /// With `include=items`, the ETag also changes when an item changes. You can send it as `If-Match` to update the
    /// bucketlist.
    #[oai(path = "/:bucketlist_id", method = "get", operation_id = "getBucketlist")]
    #[operation(returns("The requested bucketlist."), errors(&[ErrorCode::BucketlistNotFound]), cached())]
    async fn get(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        /// Additional data: `items` adds the first 100 items, oldest first.
        #[oai(explode = false, default, example = "example_include", validator(max_items = 10))]
        include: Query<Vec<BucketlistInclude>>,
        if_none_match: IfNoneMatch,
    ) -> Result<Retrieved<Bucketlist>>;

    /// Replace a bucketlist
    ///
    /// Replaces name and description; the items are not affected. An omitted description becomes null.
    #[oai(path = "/:bucketlist_id", method = "put", operation_id = "replaceBucketlist")]
    #[operation(returns("The replaced bucketlist."))]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::BucketlistNameTaken]))]
    async fn replace(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        if_match: IfMatch,
        body: Json<BucketlistReplace>,
    ) -> Result<Updated<Bucketlist>>;

    /// Update a bucketlist
    ///
    /// Applies a JSON merge patch (RFC 7396): omitted fields keep their value; null clears a field.
    #[oai(path = "/:bucketlist_id", method = "patch", operation_id = "updateBucketlist")]
    #[operation(returns("The updated bucketlist."))]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::BucketlistNameTaken]))]
    async fn update(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        if_match: IfMatch,
        body: MergePatch<BucketlistPatch>,
    ) -> Result<Updated<Bucketlist>>;

    /// Delete a bucketlist
    ///
    /// Permanently deletes a bucketlist with all its items.
    #[oai(path = "/:bucketlist_id", method = "delete", operation_id = "deleteBucketlist")]
    #[operation(returns("The bucketlist was deleted."), errors(&[ErrorCode::BucketlistNotFound]))]
    async fn delete(&self, caller: User, bucketlist_id: Path<Id>, if_match: IfMatch) -> Result<NoContent>;
}

fn example_include() -> Vec<BucketlistInclude> {
    vec![BucketlistInclude::Items]
}
