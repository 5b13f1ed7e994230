//! Bucketlists. A caller sees only their own; any other ID is not found.

use endpoints::endpoints;
use poem_openapi::param::{Path, Query};

use super::{Created, Tag, default_per_page, first_page};
use crate::{
    ApiError, ErrorCode, Json, Operation, User,
    responses::NoContent,
    v1::schemas::{Bucketlist, BucketlistCreate, BucketlistPage, BucketlistReplace},
    values::{Id, SearchText},
};

/// Named lists of things their owner wants to do.
#[endpoints(BucketlistRoutes, prefix_path = "/bucketlists", tag = "Tag::Bucketlists", operation = "Operation")]
pub trait BucketlistEndpoints: Send + Sync + 'static {
    /// List bucketlists
    ///
    /// Returns your bucketlists, oldest first, one page at a time. A page after the last one is empty.
    #[oai(path = "/", method = "get", operation_id = "listBucketlists")]
    #[operation(returns("A page of bucketlists."), cached())]
    #[operation(deprecated((2026, 11, 20), (2027, 11, 20), "/v2/bucketlists"))]
    async fn list(
        &self,
        caller: User,
        #[oai(default = "first_page", validator(minimum(value = "1")))] page: Query<i32>,
        #[oai(default = "default_per_page", validator(minimum(value = "1")))] per_page: Query<i32>,
        /// Returns only bucketlists whose name or description contains this text. Case-insensitive.
        q: Query<Option<SearchText>>,
    ) -> Result<Json<BucketlistPage>, ApiError>;

    /// Create a bucketlist
    ///
    /// Creates an empty bucketlist. Its name must be unique among your bucketlists. Add items with `createItem`.
    #[oai(path = "/", method = "post", operation_id = "createBucketlist")]
    #[operation(returns("The created bucketlist."), errors(&[ErrorCode::BucketlistNameTaken]))]
    async fn create(&self, caller: User, body: Json<BucketlistCreate>) -> Result<Created<Bucketlist>, ApiError>;

    /// Retrieve a bucketlist
    ///
    /// Returns a bucketlist with its total number of items and its number of completed items. List its items with `listItems`.
    #[oai(path = "/:bucketlist_id", method = "get", operation_id = "getBucketlist")]
    #[operation(returns("The requested bucketlist."), errors(&[ErrorCode::BucketlistNotFound]), cached())]
    async fn get(&self, caller: User, bucketlist_id: Path<Id>) -> Result<Json<Bucketlist>, ApiError>;

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
        body: Json<BucketlistReplace>,
    ) -> Result<Json<Bucketlist>, ApiError>;

    /// Delete a bucketlist
    ///
    /// Permanently deletes a bucketlist with all its items.
    #[oai(path = "/:bucketlist_id", method = "delete", operation_id = "deleteBucketlist")]
    #[operation(returns("The bucketlist was deleted."), errors(&[ErrorCode::BucketlistNotFound]))]
    async fn delete(&self, caller: User, bucketlist_id: Path<Id>) -> Result<NoContent, ApiError>;
}
