//! Bucketlists. A caller sees only their own: somebody else's do not exist for them.

use endpoints::endpoints;
use poem_openapi::{
    ApiResponse,
    param::{Path, Query},
};

use super::{
    Tag,
    users::{default_per_page, first_page},
};
use crate::{
    ApiError, ErrorCode, Json, Operation, User,
    v1::schemas::{Bucketlist, BucketlistCreate, BucketlistPage, BucketlistReplace},
    values::{Id, SearchText},
};

/// The answer of `listBucketlists`.
#[derive(ApiResponse)]
pub enum Bucketlists {
    /// One page of your bucketlists.
    #[oai(status = 200)]
    Ok(Json<BucketlistPage>),
}

/// The answer of `createBucketlist`.
#[derive(ApiResponse)]
pub enum BucketlistCreated {
    /// The new bucketlist.
    #[oai(status = 201)]
    Created(
        Json<Bucketlist>,
        /// The path of the bucketlist.
        #[oai(header = "Location")]
        String,
    ),
}

/// The answer of `getBucketlist` and `replaceBucketlist`.
#[derive(ApiResponse)]
pub enum OneBucketlist {
    /// The bucketlist.
    #[oai(status = 200)]
    Ok(Json<Bucketlist>),
}

/// The answer of `deleteBucketlist`.
#[derive(ApiResponse)]
pub enum BucketlistDeleted {
    /// The bucketlist and its items are gone.
    #[oai(status = 204)]
    Done,
}

/// The lists of what the caller wants to do in life.
#[endpoints(BucketlistRoutes, prefix_path = "/bucketlists", tag = "Tag::Bucketlists", operation = "Operation")]
pub trait BucketlistEndpoints: Send + Sync + 'static {
    /// List your bucketlists.
    ///
    /// The oldest first. A page past the end is empty.
    #[oai(path = "/", method = "get", operation_id = "listBucketlists")]
    #[operation(deprecated((2026, 11, 20), (2027, 11, 20), "/v2/bucketlists"), cached())]
    async fn list(
        &self,
        caller: User,
        /// The number of the page, from 1.
        #[oai(default = "first_page", validator(minimum(value = "1"), maximum(value = "2147483647")))]
        page: Query<i32>,
        /// How many rows a page has at most; more than 100 counts as 100.
        #[oai(default = "default_per_page", validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<i32>,
        /// Only bucketlists whose name or description contains this, compared without case.
        q: Query<Option<SearchText>>,
    ) -> Result<Bucketlists, ApiError>;

    /// Make a bucketlist.
    ///
    /// It is yours, and empty.
    #[oai(path = "/", method = "post", operation_id = "createBucketlist")]
    #[operation(errors(&[ErrorCode::BucketlistNameTaken]))]
    async fn create(&self, caller: User, body: Json<BucketlistCreate>) -> Result<BucketlistCreated, ApiError>;

    /// Fetch a bucketlist.
    ///
    /// With how many items it has and how many of them are done.
    #[oai(path = "/:bucketlist_id", method = "get", operation_id = "getBucketlist")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound]), cached())]
    async fn get(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
    ) -> Result<OneBucketlist, ApiError>;

    /// Replace a bucketlist.
    ///
    /// Replaces the name and the description; its items stay. A description left out becomes null.
    #[oai(path = "/:bucketlist_id", method = "put", operation_id = "replaceBucketlist")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::BucketlistNameTaken]))]
    async fn replace(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        body: Json<BucketlistReplace>,
    ) -> Result<OneBucketlist, ApiError>;

    /// Delete a bucketlist.
    ///
    /// Deletes it with all its items.
    #[oai(path = "/:bucketlist_id", method = "delete", operation_id = "deleteBucketlist")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound]))]
    async fn delete(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
    ) -> Result<BucketlistDeleted, ApiError>;
}
