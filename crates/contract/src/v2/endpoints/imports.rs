//! Import of bucketlists and items from an exported file.

use super::*;
use crate::v2::schemas::{ImportCreate, ImportResult};

/// Import of bucketlists and items from an exported file.
#[endpoints(ImportRoutes, prefix_path = "/imports", tag = "Tag::Exports", operation = "Operation")]
pub trait ImportEndpoints: Send + Sync + 'static {
    /// Create an import
    ///
    /// Creates the bucketlists and items of an exported JSON file in your account. You can send the file from
    /// `getExportContent` as it is. The new resources get new IDs. Names, descriptions, due dates, completion status and
    /// timestamps are taken from the file. Timestamps in the future are replaced by the time of the import.
    ///
    /// If a record is invalid, nothing is created. `on_conflict` selects what happens if a name is already in use; by default,
    /// nothing is created. The pointer of an error contains the index of the record, for example `/records/17/name`.
    ///
    /// A request contains up to 5,000 records and, by default, up to 1 MiB. Split a larger file into several requests, each with
    /// complete bucketlists.
    #[oai(path = "/", method = "post", operation_id = "createImport")]
    #[operation(returns("The imported bucketlists."), errors(&[ErrorCode::BucketlistNameTaken]))]
    #[operation(limit(OperationLimit::Imports))]
    async fn create(
        &self,
        caller: User,
        /// How to handle a bucketlist whose name is already in use. Default: `reject`.
        on_conflict: Query<Option<ImportConflict>>,
        idempotency_key: IdempotencyKey,
        body: Json<ImportCreate>,
    ) -> Result<Created<ImportResult>>;
}
