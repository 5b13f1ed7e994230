//! What is in a bucketlist.

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
    v1::schemas::{Item, ItemCreate, ItemPage, ItemReplace},
    values::{Id, SearchText},
};

/// The answer of `listItems`.
#[derive(ApiResponse)]
pub enum Items {
    /// One page of the bucketlist's items.
    #[oai(status = 200)]
    Ok(Json<ItemPage>),
}

/// The answer of `createItem`.
#[derive(ApiResponse)]
pub enum ItemCreated {
    /// The new item.
    #[oai(status = 201)]
    Created(
        Json<Item>,
        /// The path of the item.
        #[oai(header = "Location")]
        String,
    ),
}

/// The answer of `getItem` and `replaceItem`.
#[derive(ApiResponse)]
pub enum OneItem {
    /// The item.
    #[oai(status = 200)]
    Ok(Json<Item>),
}

/// The answer of `deleteItem`.
#[derive(ApiResponse)]
pub enum ItemDeleted {
    /// The item is gone.
    #[oai(status = 204)]
    Done,
}

/// What is in a bucketlist.
#[endpoints(ItemRoutes, prefix_path = "/bucketlists", tag = "Tag::Items", operation = "Operation")]
pub trait ItemEndpoints: Send + Sync + 'static {
    /// List the items of a bucketlist.
    ///
    /// The oldest first. A page past the end is empty.
    #[oai(path = "/:bucketlist_id/items", method = "get", operation_id = "listItems")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound]), cached())]
    #[operation(deprecated((2026, 11, 20), (2027, 11, 20), "/v2/bucketlists/{bucketlist_id}/items"))]
    async fn list(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The number of the page, from 1.
        #[oai(default = "first_page", validator(minimum(value = "1"), maximum(value = "2147483647")))]
        page: Query<i32>,
        /// How many rows a page has at most; more than 100 counts as 100.
        #[oai(default = "default_per_page", validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<i32>,
        /// Only items whose name or description contains this, compared without case.
        q: Query<Option<SearchText>>,
    ) -> Result<Items, ApiError>;

    /// Add an item to a bucketlist.
    ///
    /// It may be done already.
    #[oai(path = "/:bucketlist_id/items", method = "post", operation_id = "createItem")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound]))]
    async fn create(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        body: Json<ItemCreate>,
    ) -> Result<ItemCreated, ApiError>;

    /// Fetch an item.
    ///
    /// One item of one bucketlist.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "get", operation_id = "getItem")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]), cached())]
    async fn get(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The item.
        item_id: Path<Id>,
    ) -> Result<OneItem, ApiError>;

    /// Replace an item.
    ///
    /// A field left out becomes null, `done` becomes false. Tick an item off by sending it back with `done` true.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "put", operation_id = "replaceItem")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]))]
    async fn replace(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The item.
        item_id: Path<Id>,
        body: Json<ItemReplace>,
    ) -> Result<OneItem, ApiError>;

    /// Delete an item.
    ///
    /// Removes it from its bucketlist, for good.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "delete", operation_id = "deleteItem")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]))]
    async fn delete(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The item.
        item_id: Path<Id>,
    ) -> Result<ItemDeleted, ApiError>;
}
