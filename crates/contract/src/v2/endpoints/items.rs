//! Items of a bucketlist.

use super::*;
use crate::v2::schemas::{Item, ItemBatch, ItemBatchCreated, ItemCreate, ItemPage, ItemPatch, ItemReplace};

/// Items of a bucketlist.
#[endpoints(ItemRoutes, prefix_path = "/bucketlists", tag = "Tag::Items", operation = "Operation")]
pub trait ItemEndpoints: Send + Sync + 'static {
    /// List items
    ///
    /// Returns the items of a bucketlist, one page at a time. As CSV or NDJSON, streams all of them unless `per_page` is
    /// set. Following `links.next` returns each item once, even if others are created or deleted in the meantime. If the sort
    /// field of an item changes while you paginate, the item can be missing or appear twice.
    #[oai(path = "/:bucketlist_id/items", method = "get", operation_id = "listItems")]
    #[operation(returns("A page of items; as CSV or NDJSON, one row per item."))]
    #[operation(errors(&[ErrorCode::BucketlistNotFound]), cached())]
    async fn list(
        &self,
        caller: User,
        format: Format,
        bucketlist_id: Path<Id>,
        cursor: Query<Option<Cursor>>,
        per_page: Query<Option<PerPage>>,
        sort: Query<Option<Sort>>,
        /// Returns only items whose name or description contains this text. Case-insensitive.
        q: Query<Option<SearchText>>,
        /// Returns only completed (`true`) or only open (`false`) items.
        done: Query<Option<bool>>,
        /// Returns only items due before this date.
        due_before: Query<Option<Date>>,
        /// Returns only items due after this date.
        due_after: Query<Option<Date>>,
        /// Returns only items created after this timestamp.
        created_after: Query<Option<Timestamp>>,
        #[oai(explode = false, default, validator(max_items = 10))] include: Query<Vec<Include>>,
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<ItemPage>>;

    /// Create an item
    ///
    /// Creates an item in a bucketlist. Create several items at once with `createItems`.
    #[oai(path = "/:bucketlist_id/items", method = "post", operation_id = "createItem")]
    #[operation(returns("The created item."), errors(&[ErrorCode::BucketlistNotFound]))]
    async fn create(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        idempotency_key: IdempotencyKey,
        body: Json<ItemCreate>,
    ) -> Result<Created<Item>>;

    /// Create several items
    ///
    /// Creates up to 1,000 items in the given order. If one item is invalid, none is created. The pointer of an error contains
    /// the index of the item in the request, for example `/items/17/name`.
    #[oai(path = "/:bucketlist_id/items/batch", method = "post", operation_id = "createItems")]
    #[operation(returns("The created items."), errors(&[ErrorCode::BucketlistNotFound]))]
    async fn create_batch(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        idempotency_key: IdempotencyKey,
        body: Json<ItemBatch>,
    ) -> Result<Created<ItemBatchCreated>>;

    /// Retrieve an item
    ///
    /// Returns one item of a bucketlist.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "get", operation_id = "getItem")]
    #[operation(returns("The requested item."), cached())]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]))]
    async fn get(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        item_id: Path<Id>,
        if_none_match: IfNoneMatch,
    ) -> Result<Retrieved<Item>>;

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
        if_match: IfMatch,
        body: Json<ItemReplace>,
    ) -> Result<Updated<Item>>;

    /// Update an item
    ///
    /// Applies a JSON merge patch (RFC 7396): omitted fields keep their value; null clears a field.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "patch", operation_id = "updateItem")]
    #[operation(returns("The updated item."), errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]))]
    async fn update(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        item_id: Path<Id>,
        if_match: IfMatch,
        body: MergePatch<ItemPatch>,
    ) -> Result<Updated<Item>>;

    /// Delete an item
    ///
    /// Permanently deletes an item.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "delete", operation_id = "deleteItem")]
    #[operation(returns("The item was deleted."), errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]))]
    async fn delete(
        &self,
        caller: User,
        bucketlist_id: Path<Id>,
        item_id: Path<Id>,
        if_match: IfMatch,
    ) -> Result<NoContent>;
}
