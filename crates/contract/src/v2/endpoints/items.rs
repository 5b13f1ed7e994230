//! What is in a bucketlist.

use endpoints::endpoints;
use poem_openapi::param::{Path, Query};

use super::Tag;
use crate::{
    ErrorCode, Json, Operation, User,
    listing::{Format, ListResponse},
    payload::MergePatch,
    v2::{
        IdempotencyKey, IfMatch, IfNoneMatch, ProblemResponse,
        parameters::{Cursor, Include, Sort},
        responses::{Created, NoContent, Retrieved, Updated},
        schemas::{Item, ItemBatch, ItemBatchCreated, ItemCreate, ItemPage, ItemPatch, ItemReplace},
    },
    values::{Date, Id, SearchText, Timestamp},
};

/// What is in a bucketlist.
#[endpoints(ItemRoutes, prefix_path = "/bucketlists", tag = "Tag::Items", operation = "Operation")]
pub trait ItemEndpoints: Send + Sync + 'static {
    /// List the items of a bucketlist.
    ///
    /// As JSON a page; as CSV or NDJSON all of them, unless `per_page` is given. Following `links.next` gives each row
    /// once, whatever is added or deleted meanwhile.
    #[oai(path = "/:bucketlist_id/items", method = "get", operation_id = "listItems")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::InvalidCursor, ErrorCode::InvalidHeader]), cached())]
    async fn list(
        &self,
        caller: User,
        format: Format,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// Where to go on: from `links.next` of the page before. Empty begins.
        cursor: Query<Option<Cursor>>,
        /// How many rows a page has at most: 20 unless given; more than 100 counts as 100.
        #[oai(validator(minimum(value = "1"), maximum(value = "2147483647")))]
        per_page: Query<Option<i32>>,
        /// In which order: `created_at` (unless given), `updated_at` or `name` (by code point), with `-` before it backwards.
        sort: Query<Option<Sort>>,
        /// Only items whose name or description contains this, compared without case.
        q: Query<Option<SearchText>>,
        /// Only items that are done, or that are not.
        done: Query<Option<bool>>,
        /// Only items due before this day.
        due_before: Query<Option<Date>>,
        /// Only items due after this day.
        due_after: Query<Option<Date>>,
        /// Only items made after this instant.
        created_after: Query<Option<Timestamp>>,
        /// `total`: how many rows there are in all.
        #[oai(explode = false, default, validator(max_items = 10))]
        include: Query<Vec<Include>>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<ListResponse<ItemPage>, ProblemResponse>;

    /// Add an item to a bucketlist.
    ///
    /// It may be done already. With an `Idempotency-Key` it is made once, however often the request is sent.
    #[oai(path = "/:bucketlist_id/items", method = "post", operation_id = "createItem")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound]), idempotent())]
    async fn create(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// A name of your choice for this creation: the answer is kept for 24 hours and given again.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: Json<ItemCreate>,
    ) -> Result<Created<Item>, ProblemResponse>;

    /// Add many items to a bucketlist.
    ///
    /// All of them, in their order, or none: what is wrong with one is said with its place, such as `/items/17/name`.
    #[oai(path = "/:bucketlist_id/items/batch", method = "post", operation_id = "createItems")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound]), idempotent())]
    async fn create_batch(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// A name of your choice for this creation: the answer is kept for 24 hours and given again.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: Json<ItemBatch>,
    ) -> Result<Created<ItemBatchCreated>, ProblemResponse>;

    /// Fetch an item.
    ///
    /// One item of one bucketlist.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "get", operation_id = "getItem")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound, ErrorCode::InvalidHeader]), cached())]
    async fn get(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The item.
        item_id: Path<Id>,
        /// The tags of what you have already: 304 if it is still the same.
        #[oai(name = "If-None-Match")]
        if_none_match: IfNoneMatch,
    ) -> Result<Retrieved<Item>, ProblemResponse>;

    /// Replace an item.
    ///
    /// A field left out becomes null, `done` becomes false.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "put", operation_id = "replaceItem")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]), conditional())]
    async fn replace(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The item.
        item_id: Path<Id>,
        /// The tag of the state you mean to change: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        body: Json<ItemReplace>,
    ) -> Result<Updated<Item>, ProblemResponse>;

    /// Change an item.
    ///
    /// A JSON merge patch (RFC 7396): a field left out stays as it is, null clears it.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "patch", operation_id = "updateItem")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]), conditional())]
    async fn update(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The item.
        item_id: Path<Id>,
        /// The tag of the state you mean to change: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
        body: MergePatch<ItemPatch>,
    ) -> Result<Updated<Item>, ProblemResponse>;

    /// Delete an item.
    ///
    /// Removes it from its bucketlist, for good.
    #[oai(path = "/:bucketlist_id/items/:item_id", method = "delete", operation_id = "deleteItem")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound, ErrorCode::ItemNotFound]), conditional())]
    async fn delete(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
        /// The item.
        item_id: Path<Id>,
        /// The tag of the state you mean to delete: 412 if it is no longer that one.
        #[oai(name = "If-Match")]
        if_match: IfMatch,
    ) -> Result<NoContent, ProblemResponse>;
}
