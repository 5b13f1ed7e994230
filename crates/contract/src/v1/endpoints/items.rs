//! Items of a bucketlist.

use endpoints::endpoints;
use poem_openapi::param::{Path, Query};

use super::{Created, Tag, default_per_page, first_page};
use crate::{
    ApiError, ErrorCode, Json, Operation, User,
    responses::NoContent,
    v1::schemas::{Item, ItemCreate, ItemPage, ItemReplace},
    values::{Id, SearchText},
};

/// Items of a bucketlist.
#[endpoints(ItemRoutes, prefix_path = "/bucketlists", tag = "Tag::Items", operation = "Operation")]
pub trait ItemEndpoints: Send + Sync + 'static {
    /// List items
    ///
    /// Returns the items of a bucketlist, oldest first, one page at a time. A page after the last one is empty.
    #[oai(path = "/:bucketlist_id/items", method = "get", operation_id = "listItems")]
    #[operation(returns("A page of items."), errors(&[ErrorCode::BucketlistNotFound]), cached())]
    #[operation(deprecated((2026, 11, 20), (2027, 11, 20), "/v2/bucketlists/{bucketlist_id}/items"))]
    async fn list(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        #[oai(default = "first_page", validator(minimum(value = "1")))] page: Query<i32>,
        #[oai(default = "default_per_page", validator(minimum(value = "1")))] per_page: Query<i32>,
        /// Returns only items whose name or description contains this text. Case-insensitive.
        q: Query<Option<SearchText>>,
    ) -> Result<Json<ItemPage>, ApiError>;

    /// Create an item
    ///
    /// Creates an item in a bucketlist.
    #[oai(path = "/:bucketlist_id/items", method = "post", operation_id = "createItem")]
    #[operation(returns("The created item."), errors(&[ErrorCode::BucketlistNotFound]))]
    async fn create(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        body: Json<ItemCreate>,
    ) -> Result<Created<Item>, ApiError>;

    /// Retrieve an item
    ///
    /// Returns one item of a bucketlist.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "get", operation_id = "getItem")]
    #[operation(returns("The requested item."), cached())]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]))]
    async fn get(&self, caller: User, bucketlist_id: Path<Id>, item_id: Path<Id>) -> Result<Json<Item>, ApiError>;

    /// Replace an item
    ///
    /// Replaces all fields of an item. Omitted fields become null, and an omitted `done` becomes false.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "put", operation_id = "replaceItem")]
    #[operation(returns("The replaced item."), errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]))]
    async fn replace(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        item_id: Path<Id>,
        body: Json<ItemReplace>,
    ) -> Result<Json<Item>, ApiError>;

    /// Delete an item
    ///
    /// Permanently deletes an item.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "delete", operation_id = "deleteItem")]
    #[operation(returns("The item was deleted."), errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]))]
    async fn delete(&self, caller: User, bucketlist_id: Path<Id>, item_id: Path<Id>) -> Result<NoContent, ApiError>;
}
